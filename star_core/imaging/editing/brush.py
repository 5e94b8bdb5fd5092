"""Brush and eraser, flat on a slice or round, held to a range of HU where wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from star_core.errors import SegmentationError
from star_core.imaging.editing.patch import MaskPatch, build_patch
from star_core.types import BoolArray, DoubleArray, Geometry, Masks, PointMm, Structure, Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Brush:
    """Radius in mm; ``slice_axis`` 0..2 keeps it on one slice of that grid axis, ``None`` makes it a ball.

    With ``hu_range`` only voxels with grey values in it are changed. ``erases`` takes away instead of adding.
    """

    radius_mm: float
    slice_axis: int | None = None
    hu_range: tuple[float, float] | None = None
    erases: bool = False

    def __post_init__(self) -> None:
        if not 0.0 < self.radius_mm <= 200.0:
            raise ValueError("radius_mm must lie in 0..200")


def paint(masks: Masks, volume: Volume, structure: Structure, path_mm: Sequence[PointMm], brush: Brush) -> MaskPatch:
    """Return what a stroke along ``path_mm`` (LPS mm) changes; gaps between its points are filled.

    Raises
    ------
    SegmentationError
        When the stroke has no point or the volume has another grid.
    """
    if not path_mm or volume.geometry.shape != masks.geometry.shape:
        raise SegmentationError("There is nothing to draw on.", remedy="Draw on the scan that is shown.")
    geometry = masks.geometry
    start, inside = _sweep(geometry, np.array(path_mm, dtype=np.float64), brush)
    box = tuple(slice(at, at + size) for at, size in zip(start, inside.shape, strict=True))
    if brush.hu_range is not None:
        lowest, highest = brush.hu_range
        grey = volume.voxels_hu[box]
        inside &= (grey >= lowest) & (grey <= highest)
    before = (masks.bits[box] & np.uint8(structure)) != 0
    return build_patch(structure, start, before, before & ~inside if brush.erases else before | inside)


def _sweep(geometry: Geometry, path_mm: DoubleArray, brush: Brush) -> tuple[tuple[int, int, int], BoolArray]:
    """Return the box that a stroke touches and which of its voxels lie within the radius of its line."""
    places = geometry.lps_to_index(path_mm)
    reach = brush.radius_mm / np.array(geometry.spacing_mm)
    if brush.slice_axis is not None:
        reach[brush.slice_axis] = 0.0
        places[:, brush.slice_axis] = np.rint(places[:, brush.slice_axis])
    last = np.array(geometry.shape) - 1
    # A voxel more on each side: the axes of a sheared grid are not at right angles.
    low = np.clip(np.floor(places.min(axis=0) - reach), 0, last).astype(int)
    high = np.clip(np.ceil(places.max(axis=0) + reach), 0, last).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(low, high, strict=True)), indexing="ij"), axis=-1)
    points = geometry.index_to_lps(grid.astype(np.float64))
    line = geometry.index_to_lps(places)
    near = np.zeros(points.shape[:3], dtype=bool)
    for first, second in zip(line[:-1] if len(line) > 1 else line, line[1:] if len(line) > 1 else line, strict=True):
        near |= _distance_mm(points, first, second) <= brush.radius_mm
    z, y, x = (int(at) for at in low)
    return (z, y, x), near


def _distance_mm(points: DoubleArray, first: DoubleArray, second: DoubleArray) -> DoubleArray:
    """Return the distance of points (..., 3) to the line between two, mm."""
    along = second - first
    length2 = float(along @ along)
    share = np.clip((points - first) @ along / length2, 0.0, 1.0) if length2 > 0 else np.zeros(points.shape[:-1])
    distance: DoubleArray = np.linalg.norm(points - (first + share[..., None] * along), axis=-1)
    return distance
