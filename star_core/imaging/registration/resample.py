"""A later scan on the first one's grid, to be laid beside or over it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from star_core.imaging.registration.images import OUTSIDE_HU, to_image, to_transform
from star_core.types import Geometry, Volume
from star_core.types.registration import Registration


def resample_later(later: Volume, registration: Registration, grid: Geometry) -> Volume:
    """Return the later scan as int16 HU on the first scan's ``grid``, linearly interpolated; -2048 where it ends."""
    import SimpleITK as sitk  # noqa: N813

    image = to_image(later.voxels_hu, later.geometry.affine_lps)
    target = to_image(np.empty(grid.shape, dtype=np.int16), grid.affine_lps)
    moved = sitk.Resample(image, target, to_transform(registration), sitk.sitkLinear, float(OUTSIDE_HU))
    return replace(later, voxels_hu=sitk.GetArrayFromImage(moved).astype(np.int16), geometry=grid)
