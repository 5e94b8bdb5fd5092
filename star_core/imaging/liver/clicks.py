"""Mending a liver by clicks: one click inside a missed or a wrong part corrects the whole part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from star_core.errors import SegmentationError
from star_core.imaging.geometry import to_canonical
from star_core.imaging.liver.border import refine_border
from star_core.imaging.liver.grid import WorkingGrid, block_factors, build_working_grid, smooth_within_edges
from star_core.imaging.liver.morphology import close_gaps, cut_bridges, depth_mm, fill_holes, grow
from star_core.types import BoolArray, DoubleArray, FloatArray, Geometry, Volume

# A click corrects a part of up to twice this in diameter; larger ones take a second click.
_REACH_MM = 75.0
_BALL_MM = 5.0
_SOFT_HU = (-20.0, 400.0)
_LEAST_WIDTH_HU, _LARGEST_WIDTH_HU = 12.0, 30.0
# A part hangs on what is beside it by a neck; openings are narrowed until the part runs out.
_OPENINGS_MM = (9.0, 7.0, 5.0, 3.0, 1.0)
_RUNS_OUT = 2.0
_RIM_MM, _SEAM_MM = 4.0, 5.0
_FAR_MM, _DEEP_MM = 12.0, 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A point in LPS mm, and whether the tissue there belongs to the liver."""

    point_lps_mm: tuple[float, float, float]
    belongs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """The cells around a click, which lies in cell ``place``."""

    grid: WorkingGrid
    smooth_hu: FloatArray
    liver: BoolArray
    place: tuple[int, int, int]

    @property
    def distance_mm(self) -> DoubleArray:
        """Distance of each cell to the click."""
        steps = np.ogrid[tuple(slice(0, size) for size in self.liver.shape)]
        squares = [
            ((step - at) * mm) ** 2 for step, at, mm in zip(steps, self.place, self.grid.spacing_mm, strict=True)
        ]
        distance: DoubleArray = np.sqrt(squares[0] + squares[1] + squares[2])
        return distance


def refine_liver(volume: Volume, liver: BoolArray, clicks: Sequence[Click]) -> BoolArray:
    """Return the liver corrected by clicks, one after the other.

    A click that belongs adds the tissue of its grey around it up to edges and necks; one that does not takes away the
    tissue of its grey around it, or, where that is the liver's own grey, the part up to the neck by which it hangs on
    the liver. The rest stays as it was.

    Parameters
    ----------
    volume
        The CT.
    liver
        bool (D, H, W) on the CT's grid.

    Raises
    ------
    SegmentationError
        When a click lies outside the CT.
    """
    voxels_hu, geometry = to_canonical(volume.voxels_hu, volume.geometry)
    mended = liver.copy()
    canonical, _ = to_canonical(mended, volume.geometry)
    for click in clicks:
        _apply(click, voxels_hu, geometry, canonical)
    return mended


def _apply(click: Click, voxels_hu: NDArray[np.int16], geometry: Geometry, canonical: BoolArray) -> None:
    voxel = _voxel_of(click, geometry)
    factors = block_factors(geometry.shape, geometry.spacing_mm)
    box = _box_around(voxel, factors, geometry)
    first = (box[0].start, box[1].start, box[2].start)
    grid = build_working_grid(voxels_hu[box], geometry.spacing_mm, factors=factors, first=first)
    coarse = build_working_grid(canonical[box].astype(np.int16), geometry.spacing_mm, factors=factors).hu > 0.5
    z, y, x = (
        min((at - start) // factor, size - 1)
        for at, start, factor, size in zip(voxel, first, factors, coarse.shape, strict=True)
    )
    scene = _Scene(grid=grid, smooth_hu=smooth_within_edges(grid.hu), liver=coarse, place=(z, y, x))
    changed = _add(scene) if click.belongs else _take_away(scene)
    _write(changed, coarse, grid, box, voxels_hu, geometry, canonical)


def _voxel_of(click: Click, geometry: Geometry) -> tuple[int, int, int]:
    index = np.rint(geometry.lps_to_index(np.array(click.point_lps_mm))).astype(int)
    if (index < 0).any() or (index >= geometry.shape).any():
        x, y, z = click.point_lps_mm
        raise SegmentationError(
            f"The click at {x:.1f}, {y:.1f}, {z:.1f} mm (LPS) lies outside the CT.",
            remedy="Give a point inside the CT, in LPS millimetres.",
        )
    return int(index[0]), int(index[1]), int(index[2])


def _box_around(
    voxel: tuple[int, int, int], factors: tuple[int, int, int], geometry: Geometry
) -> tuple[slice, slice, slice]:
    """Return the voxels within reach, beginning where a cell begins."""
    z, y, x = (
        slice(max(0, at - int(_REACH_MM / mm)) // factor * factor, min(size, at + int(_REACH_MM / mm) + factor))
        for at, mm, factor, size in zip(voxel, geometry.spacing_mm, factors, geometry.shape, strict=True)
    )
    return z, y, x


def _level_at(scene: _Scene, within: BoolArray) -> tuple[float, float]:
    """Return the level around the click and half the width of grey values that count as the same tissue."""
    values = scene.smooth_hu[within & (scene.distance_mm <= _BALL_MM)]
    if values.size == 0:
        values = scene.smooth_hu[scene.place].reshape(1)
    level = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - level)))
    return level, float(np.clip(3.0 * spread, _LEAST_WIDTH_HU, _LARGEST_WIDTH_HU))


def _piece_at(mask: BoolArray, scene: _Scene) -> BoolArray:
    """Return the connected piece of ``mask`` that holds the click or comes within a ball of it; empty without one."""
    labels, _ = ndimage.label(mask)
    near = labels[(scene.distance_mm <= _BALL_MM) & mask]
    number = int(labels[scene.place]) or (int(np.bincount(near).argmax()) if near.size else 0)
    piece: BoolArray = (labels == number) & mask
    return piece


def _part_at(alike: BoolArray, scene: _Scene) -> BoolArray:
    """Return the piece at the click, opened less and less as long as it does not run into something larger."""
    part = np.zeros(alike.shape, dtype=bool)
    for opening_mm in _OPENINGS_MM:
        piece = _piece_at(cut_bridges(alike, opening_mm, scene.grid.spacing_mm), scene)
        if part.any() and np.count_nonzero(piece) > _RUNS_OUT * np.count_nonzero(part):
            break
        part |= piece
    return part


def _add(scene: _Scene) -> BoolArray:
    """Return the liver with the part that the click lies in."""
    soft = (scene.smooth_hu > _SOFT_HU[0]) & (scene.smooth_hu < _SOFT_HU[1]) & (scene.distance_mm < _REACH_MM)
    missing = soft & ~scene.liver
    level, width = _level_at(scene, missing)
    alike = missing & (np.abs(scene.smooth_hu - level) < width)
    spacing = scene.grid.spacing_mm
    part = (missing & (scene.distance_mm <= _BALL_MM)) | _part_at(alike, scene)
    rim = grow(part, _RIM_MM, spacing) & missing & (np.abs(scene.smooth_hu - level) < 1.5 * width)
    joined = scene.liver | part | rim
    beside = grow(part, 2 * _SEAM_MM, spacing)
    seam = close_gaps(joined, _SEAM_MM, spacing) & soft & beside
    added: BoolArray = joined | (fill_holes(joined | seam) & beside)
    return added


def _take_away(scene: _Scene) -> BoolArray:
    """Return the liver without the part that the click lies in."""
    from skimage.segmentation import watershed

    liver = scene.liver
    level, width = _level_at(scene, liver)
    alike = _piece_at(liver & (np.abs(scene.smooth_hu - level) < width), scene)
    thickness_mm = depth_mm(liver, scene.grid.spacing_mm)
    here_mm = float(thickness_mm[scene.place])
    # Tissue much deeper than the click, and tissue far from it, is not of the part that the click lies in.
    deep = liver & (thickness_mm > max(_DEEP_MM, 2.0 * here_mm))
    wrong = liver & (scene.distance_mm <= _BALL_MM)
    if not (alike & deep).any():
        wrong |= alike
    far = depth_mm(~wrong, scene.grid.spacing_mm) > _FAR_MM + 3.0 * here_mm
    right = liver & ~wrong & (far | deep)
    if not right.any() or not wrong.any():
        return liver & ~(wrong & (scene.distance_mm <= _BALL_MM))
    marks = np.where(right, 1, 0)
    marks[wrong] = 2
    # Depth has its saddle in the neck between two parts: there the floods from both marks meet.
    depth = ndimage.gaussian_filter(thickness_mm, 1.0)
    flooded = watershed(-depth, marks, mask=liver)
    kept: BoolArray = liver & (flooded != 2)
    return kept


def _write(
    changed: BoolArray,
    before: BoolArray,
    grid: WorkingGrid,
    box: tuple[slice, slice, slice],
    voxels_hu: NDArray[np.int16],
    geometry: Geometry,
    canonical: BoolArray,
) -> None:
    """Set the voxels around the cells that changed, with their border among the voxels."""
    touched = changed ^ before
    if not touched.any():
        return
    near = grow(touched, _SEAM_MM, grid.spacing_mm)
    fine = (
        np.zeros(geometry.shape, dtype=bool)[box]
        if not changed.any()
        else _refined(changed, grid, voxels_hu, geometry)[box]
    )
    here = canonical[box]
    for axis, factor in enumerate(grid.factors):
        near = near.repeat(factor, axis)
    margins = [(0, size - side) for size, side in zip(here.shape, near.shape, strict=True)]
    near = np.pad(near, margins, mode="edge")
    here[near] = fine[near]


def _refined(changed: BoolArray, grid: WorkingGrid, voxels_hu: NDArray[np.int16], geometry: Geometry) -> BoolArray:
    fine = np.zeros(geometry.shape, dtype=bool)
    refine_border(voxels_hu, geometry.spacing_mm, changed, grid, fine)
    return fine
