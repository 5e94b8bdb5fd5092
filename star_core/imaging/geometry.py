"""Grids: bringing arrays to the canonical orientation and maps from one grid to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from star_core.types import BoolArray, FloatArray, Geometry, Masks

_Scalar = TypeVar("_Scalar", bound=np.generic)

# Canonical axes: slices run to superior, rows to posterior, columns to left (a standing axial DICOM series, LPS).
_CANONICAL_LPS_AXES = (2, 1, 0)


def to_canonical(array: NDArray[_Scalar], geometry: Geometry) -> tuple[NDArray[_Scalar], Geometry]:
    """Return a view of ``array`` (D, H, W) whose axes run superior, posterior and left, and its geometry.

    Axes are swapped and reversed, never resampled; an oblique grid stays oblique.
    """
    direction = geometry.affine_lps[:3, :3] / np.linalg.norm(geometry.affine_lps[:3, :3], axis=0)
    order = _best_axis_order(np.abs(direction))
    affine = geometry.affine_lps[:, [*order, 3]].copy()
    array = array.transpose(order)
    for axis, lps_axis in enumerate(_CANONICAL_LPS_AXES):
        if affine[lps_axis, axis] < 0:
            affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
            affine[:3, axis] *= -1
            array = np.flip(array, axis)
    depth, height, width = array.shape
    return array, Geometry(shape=(depth, height, width), affine_lps=affine)


def _best_axis_order(cosines: NDArray[np.float64]) -> tuple[int, int, int]:
    """Return which of the grid's axes lies closest to superior, posterior and left."""
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]

    def closeness(order: tuple[int, int, int]) -> float:
        return float(sum(cosines[lps, axis] for lps, axis in zip(_CANONICAL_LPS_AXES, order, strict=True)))

    return max(orders, key=closeness)


def join_blocks(values: FloatArray, factor: int) -> FloatArray:
    """Return the means of cubic blocks of ``factor`` cells along the last three axes of ``values`` (..., D, H, W)."""
    if factor == 1:
        return values
    *lead, depth, height, width = values.shape
    blocks = values.reshape(*lead, depth // factor, factor, height // factor, factor, width // factor, factor)
    means: FloatArray = blocks.mean(axis=(-5, -3, -1), dtype=np.float32)
    return means


def join_grid(geometry: Geometry, factor: int) -> Geometry:
    """Return the grid whose cells are blocks of ``factor`` cells along each axis; outer edges stay where they are."""
    affine = geometry.affine_lps.copy()
    affine[:3, 3] = geometry.index_to_lps(np.full(3, (factor - 1) / 2))
    affine[:3, :3] *= factor
    depth, height, width = (size // factor for size in geometry.shape)
    return Geometry(shape=(depth, height, width), affine_lps=affine)


def resample_to(values: FloatArray, source: Geometry, target: Geometry, *, outside: float = 0.0) -> FloatArray:
    """Return ``values`` (D, H, W) of ``source`` on the voxels of ``target``, linearly interpolated in space.

    Parameters
    ----------
    values
        float32 (D, H, W) on ``source``.
    outside
        Value where ``target`` reaches beyond ``source``.
    """
    from scipy.ndimage import map_coordinates  # the window uses grids without it

    to_source = np.linalg.inv(source.affine_lps) @ target.affine_lps
    out = np.empty(target.shape, dtype=np.float32)
    rows, columns = np.meshgrid(np.arange(target.shape[1]), np.arange(target.shape[2]), indexing="ij")
    in_plane = to_source[:3, 1, None, None] * rows + to_source[:3, 2, None, None] * columns
    for index in range(target.shape[0]):
        position = in_plane + (to_source[:3, 0] * index + to_source[:3, 3])[:, None, None]
        out[index] = map_coordinates(values, position, order=1, mode="constant", cval=outside)
    return out


def crop_to(mask: BoolArray) -> tuple[BoolArray, tuple[int, int, int]]:
    """Return the box (D, H, W) around what is set in a mask that is not empty, and the box's first voxel."""
    bounds = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    box = tuple(slice(int(b[0]), int(b[-1]) + 1) for b in bounds)
    first = (int(bounds[0][0]), int(bounds[1][0]), int(bounds[2][0]))
    return mask[box], first


def crop_masks(masks: Masks, margin_mm: float = 0.0) -> Masks:
    """Return structures on the part of their grid that holds any, wider by a margin inside of the grid.

    Masks of single structures are as large as the grid they lie on: of a long scan most is air.
    """
    found = [np.flatnonzero(masks.bits.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    if not len(found[0]):
        return masks
    margin = [int(np.ceil(margin_mm / mm)) for mm in masks.geometry.spacing_mm]
    low = [max(0, int(hits[0]) - by) for hits, by in zip(found, margin, strict=True)]
    high = [min(n, int(hits[-1]) + by + 1) for n, hits, by in zip(masks.geometry.shape, found, margin, strict=True)]
    bits = masks.bits[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    affine = masks.geometry.affine_lps.copy()
    affine[:3, 3] = masks.geometry.index_to_lps(np.array(low, dtype=np.float64))
    depth, height, width = bits.shape
    return replace(masks, bits=bits, geometry=Geometry(shape=(depth, height, width), affine_lps=affine))


def shrink_mask(mask: BoolArray, steps: Sequence[int]) -> BoolArray:
    """Return the mask on blocks of ``steps`` voxels along each axis; a block counts when any voxel in it does."""
    padded = np.pad(mask, [(0, -size % step) for size, step in zip(mask.shape, steps, strict=True)])
    d, h, w = (size // step for size, step in zip(padded.shape, steps, strict=True))
    blocks: BoolArray = np.asarray(padded.reshape(d, steps[0], h, steps[1], w, steps[2]).any(axis=(1, 3, 5)))
    return blocks
