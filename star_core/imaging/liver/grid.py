"""The working grid: cells of about 3 mm, means of whole blocks of voxels, and the way back to the CT's voxels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from star_core.imaging.liver.morphology import Spacing
from star_core.types import DoubleArray, FloatArray

CELL_MM = 3.0
_LOWEST_HU, _HIGHEST_HU = -1024, 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingGrid:
    """Mean HU of blocks of a canonical CT.

    ``hu`` is float32 (d, h, w); cell (i, j, k) holds ``factors`` voxels along each axis and is cell
    (i, j, k) + ``start`` of the grid that begins at the CT's first voxel.
    """

    hu: FloatArray
    spacing_mm: Spacing
    factors: tuple[int, int, int]
    start: tuple[int, int, int] = (0, 0, 0)

    @property
    def cell_ml(self) -> float:
        """Volume of a cell in millilitres."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    def crop(self, box: tuple[slice, slice, slice]) -> WorkingGrid:
        """Return a part of the grid."""
        z, y, x = (first + side.start for first, side in zip(self.start, box, strict=True))
        return replace(self, hu=self.hu[box], start=(z, y, x))

    def cells_of(self, indices: NDArray[np.int64], axis: int) -> DoubleArray:
        """Return where voxel centres lie along one axis, in cells from this grid's first cell."""
        cells: DoubleArray = (indices + 0.5) / self.factors[axis] - 0.5 - self.start[axis]
        return cells


def build_working_grid(
    voxels_hu: NDArray[np.int16],
    spacing_mm: Spacing,
    *,
    factors: tuple[int, int, int] | None = None,
    first: tuple[int, int, int] = (0, 0, 0),
) -> WorkingGrid:
    """Average blocks of canonical voxels (D, H, W) to cells of about 3 mm, slab by slab.

    ``factors`` asks for other cells; ``first`` is the CT's voxel at which ``voxels_hu`` begins, a multiple of them.
    """
    factors = factors or block_factors(voxels_hu.shape, spacing_mm)
    depth, height, width = (size // factor for size, factor in zip(voxels_hu.shape, factors, strict=True))
    hu = np.empty((depth, height, width), dtype=np.float32)
    for index in range(depth):
        slab = voxels_hu[index * factors[0] : (index + 1) * factors[0], : height * factors[1], : width * factors[2]]
        blocks = np.clip(slab, _LOWEST_HU, _HIGHEST_HU).reshape(factors[0], height, factors[1], width, factors[2])
        hu[index] = blocks.mean(axis=(0, 2, 4), dtype=np.float32)
    slice_mm, row_mm, column_mm = (mm * factor for mm, factor in zip(spacing_mm, factors, strict=True))
    z, y, x = (voxel // factor for voxel, factor in zip(first, factors, strict=True))
    return WorkingGrid(hu=hu, spacing_mm=(slice_mm, row_mm, column_mm), factors=factors, start=(z, y, x))


def block_factors(shape: tuple[int, ...], spacing_mm: Spacing, cell_mm: float = CELL_MM) -> tuple[int, int, int]:
    """Return how many voxels a cell of about ``cell_mm`` takes along each axis."""
    z, y, x = (min(size, max(1, round(cell_mm / mm))) for size, mm in zip(shape, spacing_mm, strict=True))
    return z, y, x


def smooth_within_edges(hu: FloatArray, steps: int = 8) -> FloatArray:
    """Return HU smoothed by curvature anisotropic diffusion (Whitaker and Xue, doi 10.1109/ICIP.2001.958983)."""
    import SimpleITK as sitk  # noqa: N813

    image = sitk.GetImageFromArray(np.clip(hu, -200.0, 400.0))
    # 1 / 2^4 is the longest stable step in three dimensions for cells of unit size.
    smoothed = sitk.CurvatureAnisotropicDiffusion(
        image, timeStep=0.0625, conductanceParameter=3.0, numberOfIterations=steps
    )
    result: FloatArray = sitk.GetArrayFromImage(smoothed).astype(np.float32)
    return result


def interpolate_slice(values: FloatArray, cells: tuple[float, DoubleArray, DoubleArray]) -> FloatArray:
    """Return cell values at one slice of voxels, linearly interpolated and constant beyond the outermost centres.

    ``cells`` are the slice's place and its rows' and columns' places in cells.
    """
    depth, rows, columns = cells
    low, high, share = _neighbours(np.array([depth]), values.shape[0])
    plane = values[low[0]] * (1 - share[0]) + values[high[0]] * share[0]
    low, high, share = _neighbours(rows, plane.shape[0])
    plane = plane[low] * (1 - share)[:, None] + plane[high] * share[:, None]
    low, high, share = _neighbours(columns, plane.shape[1])
    result: FloatArray = plane[:, low] * (1 - share) + plane[:, high] * share
    return result


def _neighbours(places: DoubleArray, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    low = np.clip(np.floor(places).astype(np.int64), 0, size - 1)
    high = np.minimum(low + 1, size - 1)
    return low, high, np.clip(places - low, 0.0, 1.0).astype(np.float32)
