"""The liver's border among the CT's own voxels.

Each voxel within a few mm of the coarse border goes to the side whose mean grey nearby it is closer to (the localised
region term of Lankton and Tannenbaum, doi 10.1109/TIP.2008.2004611, one step). Where both sides look alike, the
coarse border stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from star_core.imaging.liver.grid import WorkingGrid, interpolate_slice
from star_core.imaging.liver.morphology import Spacing, box_around, depth_mm
from star_core.types import BoolArray, FloatArray

_BAND_MM = 4.0
_INSIDE_MM, _OUTSIDE_MM = 8.0, 6.0
_RIM_MM, _SHELL_MM = 2.5, 12.0
_LOWEST_HU, _HIGHEST_HU = -100.0, 300.0
# Below this difference of both sides grey values say less and less.
_CLEAR_HU = 25.0
_DISTANCE_WEIGHT_MM = 6.0
_NOISE_MM, _SMOOTH_MM = 1.0, 1.0
_SLAB, _HALO = 24, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sides:
    """On the working grid: signed distance to the border in mm (inside positive), mean HU inside and outside."""

    distance_mm: FloatArray
    inside_hu: FloatArray
    outside_hu: FloatArray


def refine_border(
    voxels_hu: NDArray[np.int16], spacing_mm: Spacing, coarse: BoolArray, grid: WorkingGrid, out: BoolArray
) -> tuple[slice, slice, slice]:
    """Write the liver into ``out``, a boolean view on the canonical CT's voxels (D, H, W), and return where.

    Parameters
    ----------
    coarse
        The liver on ``grid``.
    out
        Set within the box around the liver, left as it is elsewhere.
    """
    sides = _measure_sides(coarse, grid)
    box = _voxel_box(coarse, grid, voxels_hu.shape)
    rows = grid.cells_of(np.arange(box[1].start, box[1].stop), 1)
    columns = grid.cells_of(np.arange(box[2].start, box[2].stop), 2)
    for first, last, low, high in _slabs(box[0]):
        heights = grid.cells_of(np.arange(low, high), 0)
        places = [(float(height), rows, columns) for height in heights]
        votes = _vote(voxels_hu[low:high, box[1], box[2]], spacing_mm, sides, places)
        out[first:last, box[1], box[2]] = votes[first - low : last - low] > 0
    return box


def _measure_sides(coarse: BoolArray, grid: WorkingGrid) -> _Sides:
    spacing = grid.spacing_mm
    half_mm = spacing[1] / 2
    distance = np.where(coarse, depth_mm(coarse, spacing) - half_mm, half_mm - depth_mm(~coarse, spacing))
    distance = np.clip(distance, -1e3, 1e3)
    hu = np.clip(grid.hu, _LOWEST_HU, _HIGHEST_HU)
    inside = _local_mean(hu, distance > _RIM_MM, _INSIDE_MM, spacing, otherwise=float(np.median(hu[coarse])))
    shell = (distance < -_RIM_MM) & (distance > -_SHELL_MM)
    outside = _local_mean(hu, shell, _OUTSIDE_MM, spacing, otherwise=_LOWEST_HU)
    return _Sides(distance_mm=distance.astype(np.float32), inside_hu=inside, outside_hu=outside)


def _local_mean(
    hu: FloatArray, where: BoolArray, sigma_mm: float, spacing_mm: Spacing, *, otherwise: float
) -> FloatArray:
    sigma = [sigma_mm / mm for mm in spacing_mm]
    weight = ndimage.gaussian_filter(where.astype(np.float32), sigma)
    total = ndimage.gaussian_filter(np.where(where, hu, 0.0).astype(np.float32), sigma)
    mean: FloatArray = np.where(weight > 1e-3, total / np.maximum(weight, 1e-3), otherwise).astype(np.float32)
    return mean


def _voxel_box(coarse: BoolArray, grid: WorkingGrid, shape: tuple[int, ...]) -> tuple[slice, slice, slice]:
    cells = box_around(coarse, _BAND_MM + _SMOOTH_MM, grid.spacing_mm)
    z, y, x = (
        # The last cells of a CT leave out a remainder of voxels that fills no cell.
        slice((side.start + first) * factor, min(size, (side.stop + first + 1) * factor))
        for side, first, factor, size in zip(cells, grid.start, grid.factors, shape, strict=True)
    )
    return z, y, x


def _slabs(side: slice) -> Iterator[tuple[int, int, int, int]]:
    """Give slabs of slices (first, last) and the wider ones (low, high) that smoothing needs."""
    for first in range(side.start, side.stop, _SLAB):
        last = min(first + _SLAB, side.stop)
        yield first, last, max(side.start, first - _HALO), min(side.stop, last + _HALO)


def _vote(
    voxels_hu: NDArray[np.int16],
    spacing_mm: Spacing,
    sides: _Sides,
    places: list[tuple[float, NDArray[np.float64], NDArray[np.float64]]],
) -> FloatArray:
    """Return a smooth value for each voxel that is above 0 in the liver."""
    sigma = [_NOISE_MM / mm for mm in spacing_mm]
    hu = ndimage.gaussian_filter(np.clip(voxels_hu, _LOWEST_HU, _HIGHEST_HU).astype(np.float32), sigma)
    votes = np.empty(hu.shape, dtype=np.float32)
    for index, place in enumerate(places):
        inside = interpolate_slice(sides.inside_hu, place)
        difference = interpolate_slice(sides.outside_hu, place) - inside
        distance = interpolate_slice(sides.distance_mm, place)
        contrast = np.abs(difference)
        share = np.sign(difference) * (inside + difference / 2 - hu[index]) / np.maximum(contrast, 20.0)
        vote = np.clip(2 * share, -1.0, 1.0) * np.minimum(contrast / _CLEAR_HU, 1.0) + distance / _DISTANCE_WEIGHT_MM
        votes[index] = np.where(np.abs(distance) > _BAND_MM, np.sign(distance), vote)
    smooth: FloatArray = ndimage.gaussian_filter(votes, [_SMOOTH_MM / mm for mm in spacing_mm])
    return smooth
