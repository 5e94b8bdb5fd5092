"""Registration: known motions and bendings are found, what cannot be aligned is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from star_core.api import open_case
from star_core.cohort.phantom import draw_scan
from star_core.errors import CancelledError, RegistrationError
from star_core.imaging.registration.align import register
from star_core.imaging.registration.quality import check_plausible
from star_core.imaging.registration.resample import resample_later
from star_core.types import DoubleArray, Geometry, Volume
from star_core.types.registration import Deformation, Registration, RegistrationKind, RegistrationQuality


@pytest.fixture(scope="module")
def scan() -> Volume:
    return draw_scan(np.random.default_rng(4), slice_mm=5.0, in_plane=128).volume


def moved_by(volume: Volume, motion: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Volume:
    """Return the scan as it would be had the patient lain elsewhere."""
    geometry = Geometry(shape=volume.geometry.shape, affine_lps=motion @ volume.geometry.affine_lps)
    return replace(volume, geometry=geometry)


def test_a_known_motion_is_found_again(scan: Volume) -> None:
    angle = np.radians(6.0)
    motion = np.eye(4)
    motion[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    motion[:3, 3] = [12.0, -7.0, 20.0]
    to_first = np.linalg.inv(register(moved_by(scan, motion), scan).to_later_lps)
    corners = np.array([[-60.0, -60, 0], [60, 60, 40], [0, 0, 0]]) + scan.geometry.index_to_lps(
        np.array(scan.geometry.shape) / 2
    )
    back = np.c_[np.c_[corners, np.ones(3)] @ motion.T @ to_first.T][:, :3]
    assert np.abs(back - corners).max() < 2.0


def test_it_is_cancelled_between_two_steps_of_the_search(scan: Volume) -> None:
    reports: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        reports.append((done, total))
        if len(reports) == 4:
            raise CancelledError("Cancelled.")

    with pytest.raises(CancelledError):
        register(scan, scan, progress=progress)
    assert set(reports) == {(0, 2)}


def test_scans_that_share_too_little_are_refused(scan: Volume) -> None:
    empty = replace(scan, voxels_hu=np.full_like(scan.voxels_hu, -1000))
    with pytest.raises(RegistrationError, match="could not be aligned"):
        register(empty, scan)


def points_in(scan: Volume) -> DoubleArray:
    """Points in and around the liver."""
    return np.array([[-80.0, 0, 10], [-60, 30, 40], [-40, -40, 0], [20, -40, 20], [0, 20, -20]])


def test_a_scan_that_is_larger_is_found_by_an_affine_registration(scan: Volume) -> None:
    motion = np.diag([1.06, 1.05, 0.95, 1.0])
    motion[:3, 3] = [5.0, -8.0, 10.0]
    found = register(moved_by(scan, motion), scan, RegistrationKind.AFFINE)
    expected = points_in(scan) @ motion[:3, :3].T + motion[:3, 3]
    assert np.abs(found.map_to_later(points_in(scan)) - expected).max() < 3.0
    assert found.quality.similarity_after > max(0.95, found.quality.similarity_before)


def bent(scan: Volume) -> tuple[Volume, Registration]:
    """Return the scan as if tissue had been displaced by up to 12 mm, and the truth."""
    geometry = scan.geometry
    index = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float64) for n in geometry.shape), indexing="ij"), axis=-1)
    points = geometry.index_to_lps(index)
    bump = np.exp(-(((points - [-60.0, 0.0, 10.0]) / 60.0) ** 2).sum(axis=-1))
    displacement = (bump[..., None] * [4.0, -6.0, 10.0]).astype(np.float32)
    nothing = RegistrationQuality(similarity_before=0.0, similarity_after=0.0, overlap_share=0.0)
    truth = Registration(
        kind=RegistrationKind.B_SPLINE,
        to_later_lps=np.eye(4),
        quality=nothing,
        deformation=Deformation(displacement_mm=displacement, geometry=geometry),
    )
    return resample_later(scan, truth, geometry), truth


def test_bent_tissue_is_followed(scan: Volume) -> None:
    later, truth = bent(scan)
    rigid = register(scan, later)
    found = register(scan, later, RegistrationKind.B_SPLINE)
    expected = truth.map_to_later(points_in(scan))
    error, rigid_error = (
        np.linalg.norm(one.map_to_later(points_in(scan)) - expected, axis=1).mean() for one in (found, rigid)
    )
    assert error < 0.6 * rigid_error
    assert found.quality.similarity_after > rigid.quality.similarity_after
    assert found.quality.smallest_jacobian > 0.2


def test_a_resampled_scan_lies_on_the_first(scan: Volume) -> None:
    motion = np.eye(4)
    motion[:3, 3] = [10.0, -15.0, 20.0]
    later = moved_by(scan, motion)
    moved = resample_later(later, register(later, scan), scan.geometry)
    assert moved.geometry.is_close_to(scan.geometry)
    inside = (slice(10, -10), slice(30, -30), slice(30, -30))
    assert np.corrcoef(moved.voxels_hu[inside].ravel(), scan.voxels_hu[inside].ravel())[0, 1] > 0.97


def test_a_reader_may_shift_and_turn_the_later_scan(scan: Volume) -> None:
    found = register(scan, scan)
    centre = (-60.0, 0.0, 0.0)
    moved = found.adjusted((5.0, 0.0, 0.0), (0.0, 0.0, 10.0), centre)
    there = moved.map_to_later(np.array([[-55.0, 0.0, 0.0]]))
    np.testing.assert_allclose(there, found.map_to_later(np.array([centre])), atol=1e-6)
    back = moved.adjusted((-5.0, 0.0, 0.0), (0.0, 0.0, 0.0), centre)
    turned = back.adjusted((0.0, 0.0, 0.0), (0.0, 0.0, -10.0), centre)
    np.testing.assert_allclose(turned.adjustment_lps, np.eye(4), atol=1e-9)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"overlap_share": 0.1}, "share 10 %"),
        ({"smallest_jacobian": -0.5}, "fold"),
        ({"largest_displacement_mm": 120.0}, "bent by 120 mm"),
        ({"similarity_after": 0.5}, "agree by 0.50"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(changes: dict[str, float], reason: str) -> None:
    good = RegistrationQuality(similarity_before=0.7, similarity_after=0.9, overlap_share=0.9)
    check_plausible(np.eye(4), good)
    with pytest.raises(RegistrationError, match=reason):
        check_plausible(np.eye(4), replace(good, **changes))


def test_a_patient_turned_round_or_scaled_is_refused() -> None:
    good = RegistrationQuality(similarity_before=0.7, similarity_after=0.9, overlap_share=0.9)
    with pytest.raises(RegistrationError, match="turned by 180 degrees"):
        check_plausible(np.diag([-1.0, -1.0, 1.0, 1.0]), good)
    with pytest.raises(RegistrationError, match="scaled by"):
        check_plausible(np.diag([1.6, 1.0, 1.0, 1.0]), good)


def test_the_scan_of_another_patient_is_refused(ircad_folder: Path, chaos_folder: Path) -> None:
    one, other = (open_case(folder).baseline_scan for folder in (ircad_folder, chaos_folder))
    with pytest.raises(RegistrationError, match="grey values would agree"):
        register(other, one)
