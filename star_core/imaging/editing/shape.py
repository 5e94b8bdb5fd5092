"""Editing a structure by its shape: fill between slices, smooth, islands, holes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from star_core.errors import SegmentationError
from star_core.imaging.editing.patch import MaskPatch, build_patch
from star_core.imaging.geometry import crop_to
from star_core.types import BoolArray, FloatArray, Masks, PointMm, Structure, count_values

_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


def fill_between_slices(masks: Masks, structure: Structure, axis: int = 0) -> MaskPatch:
    """Return what fills the slices left empty between drawn ones along a grid axis.

    Signed distances to the outlines are interpolated linearly (shape-based interpolation, Raya and Udupa, IEEE TMI
    1990, 9:32).

    Raises
    ------
    SegmentationError
        When fewer than two slices are drawn, or none is empty between them.
    """
    before, start = _box_of(masks, structure)
    along = np.moveaxis(before, axis, 0)
    drawn = np.flatnonzero(along.any(axis=(1, 2)))
    if not (np.diff(drawn) > 1).any():
        raise SegmentationError(
            "There is no empty slice between two drawn ones.", remedy="Draw the structure on slices some way apart."
        )
    after = along.copy()
    spacing_mm = [mm for place, mm in enumerate(masks.geometry.spacing_mm) if place != axis]
    for low, high in pairwise(drawn):
        if high - low == 1:
            continue
        below, above = (_signed_distance(along[at], spacing_mm) for at in (low, high))
        for at in range(low + 1, high):
            share = (at - low) / (high - low)
            after[at] = (1.0 - share) * below + share * above > 0.0
    return build_patch(structure, start, before, np.moveaxis(after, 0, axis))


def smooth(masks: Masks, structure: Structure, radius_mm: float = 2.0) -> MaskPatch:
    """Return what rounds the outline off over about ``radius_mm``; the volume stays."""
    before, start = _box_of(masks, structure, margin_mm=3.0 * radius_mm)
    blurred = ndimage.gaussian_filter(before.astype(np.float32), [radius_mm / mm for mm in masks.geometry.spacing_mm])
    count = int(np.count_nonzero(before))
    level = float(np.partition(blurred.ravel(), -count)[-count])
    return build_patch(structure, start, before, blurred >= max(level, 1e-3))


def keep_largest(masks: Masks, structure: Structure) -> MaskPatch:
    """Return what removes all but the largest connected piece."""
    before, start = _box_of(masks, structure)
    labels, sizes = _pieces(before)
    return build_patch(structure, start, before, labels == 1 + int(np.argmax(sizes)))


def keep_at(masks: Masks, structure: Structure, point_mm: PointMm) -> MaskPatch:
    """Return what removes all but the connected piece at a point.

    Raises
    ------
    SegmentationError
        When the structure does not lie at the point.
    """
    before, start = _box_of(masks, structure)
    place = np.rint(masks.geometry.lps_to_index(np.array(point_mm))).astype(int) - np.array(start)
    labels, _ = _pieces(before)
    inside = bool((place >= 0).all() and (place < before.shape).all())
    label = int(labels[tuple(place)]) if inside else 0
    if label == 0:
        raise SegmentationError("The point does not lie in the structure.", remedy="Click inside the piece to keep.")
    return build_patch(structure, start, before, labels == label)


def remove_small(masks: Masks, structure: Structure, smallest_ml: float) -> MaskPatch:
    """Return what removes connected pieces smaller than ``smallest_ml``."""
    before, start = _box_of(masks, structure)
    labels, sizes = _pieces(before)
    large = np.concatenate([[False], sizes * masks.geometry.voxel_volume_ml >= smallest_ml])
    return build_patch(structure, start, before, large[labels])


def fill_holes(masks: Masks, structure: Structure, axis: int = 0) -> MaskPatch:
    """Return what fills holes that are closed within slices of a grid axis."""
    before, start = _box_of(masks, structure)
    after = np.moveaxis(before.copy(), axis, 0)
    for at in range(len(after)):
        after[at] = ndimage.binary_fill_holes(after[at])
    return build_patch(structure, start, before, np.moveaxis(after, 0, axis))


def _box_of(masks: Masks, structure: Structure, margin_mm: float = 0.0) -> tuple[BoolArray, tuple[int, int, int]]:
    """Return the structure in the box around it, grown by a margin inside the grid, and the box's first voxel."""
    mask = masks.mask_of(structure)
    if not mask.any():
        raise SegmentationError("The structure is empty.", remedy="Draw or segment it first.")
    box, first = crop_to(mask)
    margin = [int(np.ceil(margin_mm / mm)) for mm in masks.geometry.spacing_mm]
    low = [max(0, at - by) for at, by in zip(first, margin, strict=True)]
    high = [at + size + by for at, size, by in zip(first, box.shape, margin, strict=True)]
    sides = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    return mask[sides], (low[0], low[1], low[2])


def _pieces(mask: BoolArray) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the label of each voxel's connected piece, and the pieces' voxels."""
    labels, count = ndimage.label(mask, structure=_NEIGHBOURS)
    return labels, count_values(labels, count)[1:]


def _signed_distance(outline: BoolArray, spacing_mm: list[float]) -> FloatArray:
    inside = ndimage.distance_transform_edt(outline, sampling=spacing_mm)
    distance: FloatArray = (inside - ndimage.distance_transform_edt(~outline, sampling=spacing_mm)).astype(np.float32)
    return distance
