"""Points and grids in patient space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from star_core.types.basics import DoubleArray, freeze_arrays

PointMm = tuple[float, float, float]
"""LPS mm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """A regular voxel grid in patient space.

    Parameters
    ----------
    shape
        (D, H, W) numbers of slices, rows and columns.
    affine_lps
        (4, 4) float64; maps (slice, row, column, 1) indices of voxel centres to LPS millimetres.
    """

    shape: tuple[int, int, int]
    affine_lps: DoubleArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "affine_lps", np.asarray(self.affine_lps, dtype=np.float64))
        if self.affine_lps.shape != (4, 4) or not np.isfinite(self.affine_lps).all():
            raise ValueError("affine_lps must be a finite (4, 4) matrix")
        if abs(np.linalg.det(self.affine_lps[:3, :3])) < 1e-12:
            raise ValueError("affine_lps must be invertible")
        freeze_arrays(self, "affine_lps")

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along slice, row and column index, in mm."""
        slice_mm, row_mm, column_mm = np.linalg.norm(self.affine_lps[:3, :3], axis=0)
        return float(slice_mm), float(row_mm), float(column_mm)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine_lps[:3, :3]))) / 1000.0

    def index_to_lps(self, index: DoubleArray) -> DoubleArray:
        """Map (..., 3) voxel indices (slice, row, column) to (..., 3) LPS mm."""
        points_mm: DoubleArray = np.asarray(index, dtype=np.float64) @ self.affine_lps[:3, :3].T
        return points_mm + self.affine_lps[:3, 3]

    def lps_to_index(self, points_mm: DoubleArray) -> DoubleArray:
        """Map (..., 3) LPS mm to (..., 3) fractional voxel indices (slice, row, column)."""
        inverse = np.linalg.inv(self.affine_lps)
        index: DoubleArray = np.asarray(points_mm, dtype=np.float64) @ inverse[:3, :3].T
        return index + inverse[:3, 3]

    def is_close_to(self, other: Geometry, *, tolerance_mm: float = 0.01) -> bool:
        """Tell whether both grids have the same shape and all eight corners agree within ``tolerance_mm``."""
        if self.shape != other.shape:
            return False
        last = np.array(self.shape) - 1
        corners = np.array([[i, j, k] for i in (0, last[0]) for j in (0, last[1]) for k in (0, last[2])])
        distance_mm = np.linalg.norm(self.index_to_lps(corners) - other.index_to_lps(corners), axis=1)
        return bool(distance_mm.max() <= tolerance_mm)
