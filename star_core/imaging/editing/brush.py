"""Brush and eraser, flat on a slice or round, held to a range of HU where wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from star_core.errors import SegmentationError
from star_core.imaging.editing.patch import MaskPatch, build_patch
from star_core.types import BoolArray, DoubleArray, Geometry, Masks, PointMm, Structure, Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Brush:
    """Radius in mm; ``slice_axis`` 0..2 keeps it on one slice of that grid axis, ``None`` makes it a ball.

    ``plane_normal`` (LPS, of length 1) keeps a ball on the plane through the stroke: a slice across the grid.
    With ``hu_range`` only voxels with grey values in it are changed. ``erases`` takes away instead of adding.
    """

    radius_mm: float
    slice_axis: int | None = None
    plane_normal: PointMm | None = None
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
    low, high = _box_around(places, reach, geometry)
    near = np.zeros(high - low + 1, dtype=bool)
    pieces = list(pairwise(places)) if len(places) > 1 else [(places[0], places[0])]
    for piece in pieces:
        first, last = _box_around(np.array(piece), reach, geometry)
        grid = np.stack(np.meshgrid(*(np.arange(a, b + 1.0) for a, b in zip(first, last, strict=True)), indexing="ij"))
        points_mm = geometry.index_to_lps(np.moveaxis(grid, 0, -1))
        start_mm, end_mm = geometry.index_to_lps(np.array(piece))
        inside = _distance_mm(points_mm, start_mm, end_mm) <= brush.radius_mm
        if brush.plane_normal is not None:
            inside &= _lies_on_plane(points_mm, start_mm, np.array(brush.plane_normal), geometry)
        near[tuple(slice(a, b + 1) for a, b in zip(first - low, last - low, strict=True))] |= inside
    z, y, x = (int(at) for at in low)
    return (z, y, x), near


def _box_around(
    places: DoubleArray, reach: DoubleArray, geometry: Geometry
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and last voxel of the box within ``reach`` of places (n, 3), clipped to the grid."""
    # Whole voxels on each side: the axes of a sheared grid are not at right angles.
    last = np.array(geometry.shape) - 1
    low = np.clip(np.floor(places.min(axis=0) - reach), 0, last).astype(np.int64)
    high = np.clip(np.ceil(places.max(axis=0) + reach), 0, last).astype(np.int64)
    return low, high


def _lies_on_plane(points_mm: DoubleArray, on_mm: DoubleArray, normal: DoubleArray, geometry: Geometry) -> BoolArray:
    """Tell which points (..., 3) belong to a plane: one voxel thick along the grid axis nearest to its normal."""
    thickness_mm = float(np.abs(normal @ geometry.affine_lps[:3, :3]).max())
    on_plane: BoolArray = np.abs((points_mm - on_mm) @ normal) <= 0.5 * thickness_mm
    return on_plane


def _distance_mm(points: DoubleArray, first: DoubleArray, second: DoubleArray) -> DoubleArray:
    """Return the distance of points (..., 3) to the line between two, mm."""
    along = second - first
    length2 = float(along @ along)
    share = np.clip((points - first) @ along / length2, 0.0, 1.0) if length2 > 0 else np.zeros(points.shape[:-1])
    distance: DoubleArray = np.linalg.norm(points - (first + share[..., None] * along), axis=-1)
    return distance
