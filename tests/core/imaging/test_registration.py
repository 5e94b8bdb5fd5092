"""Rigid registration: a known motion is found, what cannot be aligned is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from star_core.cohort.phantom import draw_scan
from star_core.errors import RegistrationError
from star_core.imaging.registration import register_rigid
from star_core.types import Geometry, Volume


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
    to_first = register_rigid(moved_by(scan, motion), scan)
    corners = np.array([[-60.0, -60, 0], [60, 60, 40], [0, 0, 0]]) + scan.geometry.index_to_lps(
        np.array(scan.geometry.shape) / 2
    )
    back = np.c_[np.c_[corners, np.ones(3)] @ motion.T @ to_first.T][:, :3]
    assert np.abs(back - corners).max() < 2.0


def test_scans_that_share_too_little_are_refused(scan: Volume) -> None:
    empty = replace(scan, voxels_hu=np.full_like(scan.voxels_hu, -1000))
    with pytest.raises(RegistrationError, match="could not be aligned"):
        register_rigid(empty, scan)
