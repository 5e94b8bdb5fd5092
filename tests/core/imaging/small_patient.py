"""The demonstration patient on a coarse grid, quick to segment."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from star_core.cohort.demo import draw_demo_patient
from star_core.types import BoolArray, Geometry, Structure, Volume

IN_PLANE = 2


@cache
def draw_small_patient() -> tuple[Volume, BoolArray]:
    """Return the CT with every second row and column, and its liver with the tumours."""
    case = draw_demo_patient()
    assert case.masks is not None
    volume = case.baseline_scan
    affine = volume.geometry.affine_lps.copy()
    affine[:, 1:3] *= IN_PLANE
    voxels = volume.voxels_hu[:, ::IN_PLANE, ::IN_PLANE].copy()
    depth, height, width = voxels.shape
    geometry = Geometry(shape=(depth, height, width), affine_lps=affine)
    liver = case.masks.mask_of(Structure.LIVER)[:, ::IN_PLANE, ::IN_PLANE]
    return replace(volume, voxels_hu=voxels, geometry=geometry), liver
