"""A tumour from one click: on phantoms of every contrast that is accepted, at the liver's edge, on a real scan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from star_core.api import open_case
from star_core.cohort.phantom import PhantomScan, draw_burden, draw_scan
from star_core.errors import SegmentationError
from star_core.imaging.editing.patch import apply_patch
from star_core.imaging.editing.seeded import grow_tumour
from star_core.imaging.geometry import crop_to
from star_core.types import BoolArray, Masks, PointMm, Structure, Volume

LIVER, TUMOUR = Structure.LIVER, Structure.TUMOUR


@pytest.fixture(scope="module")
def scan() -> PhantomScan:
    """A coarse scan of a patient with three tumours on both sides, two of them at the liver's edge."""
    generator = np.random.default_rng(4)
    burden = replace(draw_burden(generator), number=3, largest_cm=4.0, bilobar=True)
    return draw_scan(generator, slice_mm=4.0, in_plane=256, burden=burden)


def liver_alone(masks: Masks) -> Masks:
    return replace(masks, bits=masks.bits & np.uint8(LIVER))


def middle_of(masks: Masks, inside: BoolArray) -> PointMm:
    """Return the point deepest inside."""
    box, first = crop_to(inside)
    depth = ndimage.distance_transform_edt(np.pad(box, 1), sampling=masks.geometry.spacing_mm)[1:-1, 1:-1, 1:-1]
    index = np.array(np.unravel_index(int(depth.argmax()), depth.shape), dtype=np.float64)
    x, y, z = masks.geometry.index_to_lps(np.array(first) + index)
    return float(x), float(y), float(z)


def grown(volume: Volume, masks: Masks, tumour: BoolArray) -> float:
    """Return the Dice of what grows from a tumour's middle."""
    bare = liver_alone(masks)
    found = apply_patch(bare, grow_tumour(volume, bare, middle_of(bare, tumour))).mask_of(TUMOUR)
    return float(2 * (found & tumour).sum() / (found.sum() + tumour.sum()))


def test_every_tumour_grows_from_a_click(scan: PhantomScan) -> None:
    labels, count = ndimage.label(scan.masks.mask_of(TUMOUR))
    dice = sorted(grown(scan.volume, scan.masks, labels == label) for label in range(1, count + 1))
    assert dice[0] > 0.85
    assert dice[1] > 0.95


def test_a_second_tumour_is_added_to_the_first(scan: PhantomScan) -> None:
    labels, _ = ndimage.label(scan.masks.mask_of(TUMOUR))
    masks = liver_alone(scan.masks)
    for label in (1, 3):
        before = masks.mask_of(TUMOUR)
        masks = apply_patch(masks, grow_tumour(scan.volume, masks, middle_of(masks, labels == label)))
        assert (masks.mask_of(TUMOUR) | ~before).all()
        assert (masks.mask_of(TUMOUR) & (labels == label)).any()


def test_a_click_with_little_contrast_is_refused_and_says_how_little(scan: PhantomScan) -> None:
    tumour = scan.masks.mask_of(TUMOUR)
    liver = scan.volume.voxels_hu[scan.masks.mask_of(LIVER) & ~tumour]
    faint = scan.volume.voxels_hu.astype(np.float32)
    faint[tumour] += np.median(liver) - np.median(scan.volume.voxels_hu[tumour]) - 12.0
    volume = replace(scan.volume, voxels_hu=faint.astype(np.int16))
    labels, _ = ndimage.label(tumour)
    bare = liver_alone(scan.masks)
    with pytest.raises(SegmentationError, match=r"does not differ enough .* noise \d+ HU"):
        grow_tumour(volume, bare, middle_of(bare, labels == 1))


def test_clicks_beside_say_why(scan: PhantomScan) -> None:
    bare = liver_alone(scan.masks)
    plain = scan.masks.mask_of(LIVER)
    for structure in (TUMOUR, Structure.PORTAL_VEINS, Structure.HEPATIC_VEINS):
        plain &= ~ndimage.binary_dilation(scan.masks.mask_of(structure), iterations=4)
    with pytest.raises(SegmentationError, match="does not differ"):
        grow_tumour(scan.volume, bare, middle_of(scan.masks, plain))
    with pytest.raises(SegmentationError, match="outside of the liver"):
        grow_tumour(scan.volume, bare, (150.0, 0.0, 0.0))
    with pytest.raises(SegmentationError, match="outside of the scan"):
        grow_tumour(scan.volume, bare, (0.0, 0.0, 5000.0))


@pytest.mark.slow
def test_a_real_necrotic_tumour_grows_beyond_its_dark_middle(ircad_folder: Path) -> None:
    case = open_case(ircad_folder)
    assert case.masks is not None
    labels, _ = ndimage.label(case.masks.mask_of(TUMOUR))
    assert grown(case.baseline_scan, case.masks, labels == 1) > 0.75
