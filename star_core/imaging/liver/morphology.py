"""Morphology with radii in mm, so that thick slices and thin ones are treated alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from star_core.types import BoolArray, DoubleArray

Spacing = tuple[float, float, float]


def depth_mm(mask: BoolArray, spacing_mm: Spacing) -> DoubleArray:
    """Return the distance of each voxel of ``mask`` (D, H, W) to the nearest voxel outside it; 0 outside.

    What lies beyond the array counts as neither: an organ that the field cuts off is deep there.
    """
    if mask.all():
        return np.full(mask.shape, np.inf)
    depth: DoubleArray = ndimage.distance_transform_edt(mask, sampling=spacing_mm)
    return depth


def grow(mask: BoolArray, radius_mm: float, spacing_mm: Spacing) -> BoolArray:
    """Return ``mask`` dilated by a ball."""
    grown: BoolArray = depth_mm(~mask, spacing_mm) <= radius_mm if mask.any() else mask.copy()
    return grown


def cut_bridges(mask: BoolArray, radius_mm: float, spacing_mm: Spacing) -> BoolArray:
    """Return ``mask`` opened by a ball: what is thinner than its diameter is gone."""
    inner: BoolArray = depth_mm(mask, spacing_mm) > radius_mm
    return grow(inner, radius_mm, spacing_mm) & mask


def close_gaps(mask: BoolArray, radius_mm: float, spacing_mm: Spacing) -> BoolArray:
    """Return ``mask`` closed by a ball."""
    margins = [int(np.ceil(radius_mm / mm)) + 1 for mm in spacing_mm]
    wide = np.pad(mask, [(margin, margin) for margin in margins])
    closed: BoolArray = ~grow(~grow(wide, radius_mm, spacing_mm), radius_mm, spacing_mm)
    depth, height, width = mask.shape
    first = margins
    return closed[first[0] : first[0] + depth, first[1] : first[1] + height, first[2] : first[2] + width]


def largest_piece(mask: BoolArray, within: BoolArray | None = None) -> BoolArray:
    """Return the connected piece that has most voxels, counted ``within`` another mask where one is given."""
    labels, count = _label(mask)
    sizes = np.zeros(count + 1)
    # Slice by slice: counting wants 8 bytes a voxel.
    for index, plane in enumerate(labels):
        weights = None if within is None else within[index].ravel()
        sizes += np.bincount(plane.ravel(), weights=weights, minlength=count + 1)
    sizes[0] = 0
    if not sizes.any():
        return np.zeros(mask.shape, dtype=bool)
    piece: BoolArray = labels == int(np.argmax(sizes))
    return piece


def _label(mask: BoolArray) -> tuple[NDArray[np.integer[Any]], int]:
    """Number the pieces, in two bytes a voxel where these suffice."""
    labels = np.empty(mask.shape, dtype=np.uint16)
    try:
        return labels, int(ndimage.label(mask, output=labels))
    except RuntimeError:  # more than 65,535 pieces
        wide, count = ndimage.label(mask)
        return wide, int(count)


def fill_holes(mask: BoolArray) -> BoolArray:
    """Return ``mask`` with what it encloses in space, or in one of its axial, coronal or sagittal slices."""
    filled: BoolArray = ndimage.binary_fill_holes(mask)
    for axis in range(3):
        for index in range(mask.shape[axis]):
            plane = tuple(index if number == axis else slice(None) for number in range(3))
            filled[plane] = ndimage.binary_fill_holes(filled[plane])
    return filled


def box_around(mask: BoolArray, margin_mm: float, spacing_mm: Spacing) -> tuple[slice, slice, slice]:
    """Return the slices of the smallest box around ``mask``, wider by a margin on every side."""
    sides = []
    for axis, mm in enumerate(spacing_mm):
        others = tuple(number for number in range(3) if number != axis)
        found = np.flatnonzero(mask.any(axis=others))
        margin = int(np.ceil(margin_mm / mm))
        sides.append(slice(max(0, int(found[0]) - margin), min(mask.shape[axis], int(found[-1]) + margin + 1)))
    return sides[0], sides[1], sides[2]
