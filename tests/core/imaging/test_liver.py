"""The automatic liver, and clicks that mend it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from star_core.api import open_case
from star_core.errors import CancelledError, SegmentationError
from star_core.imaging.liver import (
    Click,
    LiverSegmentation,
    Phase,
    mend_liver,
    refine_liver,
    segment_liver,
)
from star_core.types import BoolArray, Geometry, Severity, Structure, Volume
from tests.core.imaging.small_patient import draw_small_patient
from tests.study_liver import click_like_a_reader


def dice(a: BoolArray, b: BoolArray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def codes(found: LiverSegmentation) -> set[str]:
    return {finding.code for finding in found.findings}


def crop(volume: Volume, first: int, last: int | None = None) -> Volume:
    """Return slices ``first`` to ``last`` in place."""
    affine = volume.geometry.affine_lps.copy()
    affine[:3, 3] += first * affine[:3, 0]
    voxels = volume.voxels_hu[first:last]
    depth, height, width = voxels.shape
    return replace(volume, voxels_hu=voxels, geometry=Geometry(shape=(depth, height, width), affine_lps=affine))


@pytest.fixture(scope="module")
def demo() -> tuple[Volume, BoolArray]:
    return draw_small_patient()


@pytest.fixture(scope="module")
def found(demo: tuple[Volume, BoolArray]) -> LiverSegmentation:
    return segment_liver(demo[0])


def test_the_demonstration_patients_liver_is_found_with_its_tumours(
    demo: tuple[Volume, BoolArray], found: LiverSegmentation
) -> None:
    volume, liver = demo
    assert dice(found.mask, liver) > 0.95
    assert found.volume_ml == pytest.approx(found.mask.sum() * volume.geometry.voxel_volume_ml)
    assert found.phase is Phase.PORTAL_VENOUS
    assert found.is_usable
    assert codes(found) == {"liver-estimated"}


def test_a_stack_in_another_order_gives_the_same_liver(
    demo: tuple[Volume, BoolArray], found: LiverSegmentation
) -> None:
    volume, axes = demo[0], (0, 1, 2)
    affine = volume.geometry.affine_lps.copy()
    for axis in axes:
        affine[:3, 3] += affine[:3, axis] * (volume.geometry.shape[axis] - 1)
        affine[:3, axis] *= -1
    voxels = np.ascontiguousarray(np.flip(volume.voxels_hu, axes))
    turned = replace(volume, voxels_hu=voxels, geometry=replace(volume.geometry, affine_lps=affine))
    np.testing.assert_array_equal(np.flip(segment_liver(turned).mask, axes), found.mask)


def test_a_liver_that_the_scan_cuts_off_is_told(demo: tuple[Volume, BoolArray]) -> None:
    volume, liver = demo
    part = segment_liver(crop(volume, 0, 58))
    assert dice(part.mask, liver[:58]) > 0.85
    assert "liver-cut-off" in codes(part)


def test_thick_slices_and_metal_are_told(demo: tuple[Volume, BoolArray]) -> None:
    volume, _ = demo
    affine = volume.geometry.affine_lps.copy()
    affine[:3, 0] *= 2
    voxels = volume.voxels_hu[::2].copy()
    voxels[len(voxels) // 2, voxels.shape[1] // 2, voxels.shape[2] // 2] = 3000
    depth, height, width = voxels.shape
    thick = replace(volume, voxels_hu=voxels, geometry=Geometry(shape=(depth, height, width), affine_lps=affine))
    assert {"liver-thick-slices", "liver-metal"} <= codes(segment_liver(thick))


@pytest.mark.parametrize("shape", [(20, 64, 64), (2, 5, 4)])
def test_a_scan_without_a_liver_is_refused(shape: tuple[int, int, int]) -> None:
    geometry = Geometry(shape=shape, affine_lps=np.diag([5.0, 5.0, 5.0, 1.0]))
    air = Volume(voxels_hu=np.full(shape, -1000, np.int16), geometry=geometry, series_uid="1")
    nothing = segment_liver(air)
    assert not nothing.mask.any()
    assert not nothing.is_usable
    assert [finding.severity for finding in nothing.findings] == [Severity.WARNING, Severity.REFUSAL]


def test_a_scan_of_one_grey_is_refused_or_told() -> None:
    geometry = Geometry(shape=(20, 40, 40), affine_lps=np.diag([5.0, 5.0, 5.0, 1.0]))
    block = np.full(geometry.shape, -1000, np.int16)
    block[:, 5:35, 5:35] = 40
    assert "liver-estimated" in codes(segment_liver(Volume(voxels_hu=block, geometry=geometry, series_uid="1")))


def test_it_can_be_cancelled_between_two_steps(demo: tuple[Volume, BoolArray]) -> None:
    def cancel(done: int, total: int) -> None:
        if done == 1:
            raise CancelledError("cancelled")

    with pytest.raises(CancelledError):
        segment_liver(demo[0], progress=cancel)


def test_one_click_brings_back_a_lobe(demo: tuple[Volume, BoolArray]) -> None:
    volume, liver = demo
    columns = np.flatnonzero(liver.any(axis=(0, 1)))
    broken = liver.copy()
    broken[:, :, int(columns[0] + 0.6 * (columns[-1] - columns[0])) :] = False
    click = click_like_a_reader(broken, liver, volume.geometry)
    assert click is not None
    assert click.belongs
    mended = refine_liver(volume, broken, [click])
    assert dice(broken, liver) < 0.95
    assert dice(mended, liver) > 0.97


def test_one_click_takes_away_a_kidney(demo: tuple[Volume, BoolArray]) -> None:
    volume, liver = demo
    kidney = (volume.voxels_hu > 160) & ~liver
    kidney[:, :, 90:] = False
    kidney[45:] = False
    kidney[:, :70] = False
    spilled = liver | kidney
    click = click_like_a_reader(spilled, liver, volume.geometry)
    assert click is not None
    assert not click.belongs
    mended = refine_liver(volume, spilled, [click])
    assert (mended & kidney).sum() < 0.1 * kidney.sum()
    assert (mended & liver).sum() > 0.98 * liver.sum()


def test_mended_livers_say_so_and_leave_the_original(demo: tuple[Volume, BoolArray], found: LiverSegmentation) -> None:
    volume, liver = demo
    before = found.mask.copy()
    inside = tuple(volume.geometry.index_to_lps(np.argwhere(liver)[liver.sum() // 2].astype(float)))
    mended = mend_liver(volume, found, [Click(point_lps_mm=inside, belongs=True)])
    np.testing.assert_array_equal(found.mask, before)
    assert "corrected by 1 click" in mended.findings[0].message
    assert mended.volume_ml == pytest.approx(found.volume_ml, rel=0.02)


def test_a_click_outside_the_scan_is_refused(demo: tuple[Volume, BoolArray]) -> None:
    with pytest.raises(SegmentationError, match="outside the CT"):
        refine_liver(demo[0], demo[1], [Click(point_lps_mm=(1e4, 0.0, 0.0), belongs=True)])


def test_a_real_liver_with_tumours_is_found(ircad_folder: Path) -> None:
    case = open_case(ircad_folder)
    assert case.masks is not None
    found = segment_liver(case.baseline_scan)
    liver = case.masks.mask_of(Structure.LIVER)
    assert dice(found.mask, liver) > 0.93
    click = click_like_a_reader(found.mask, liver, case.baseline_scan.geometry)
    assert click is not None
    assert dice(refine_liver(case.baseline_scan, found.mask, [click]), liver) > 0.95
