"""The CT made coarse enough to cast rays through while it turns; built off the GUI thread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_core.types import Geometry, Masks, Structure, Volume

AIR_HU = -1000
_FINEST_MM = 1.6
_MOST_VOXELS = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CoarseCt:
    """Block means of a CT, int16 (D, H, W) in HU; where only the liver was asked for, air lies about it."""

    source: Volume
    masks: Masks | None
    hu: NDArray[np.int16]
    geometry: Geometry


def build_coarse_ct(volume: Volume, masks: Masks | None = None) -> CoarseCt | None:
    """Average a CT over blocks; with masks keep the liver alone.

    Returns ``None`` where nothing is left to show.
    """
    geometry, voxels = volume.geometry, volume.voxels_hu
    box = (slice(0, geometry.shape[0]), slice(0, geometry.shape[1]), slice(0, geometry.shape[2]))
    if masks is not None:
        found = _box_of(masks)
        if found is None:
            return None
        box = found
    extent_mm = [(part.stop - part.start) * mm for part, mm in zip(box, geometry.spacing_mm, strict=True)]
    cell_mm = max(_FINEST_MM, float(np.cbrt(np.prod(extent_mm) / _MOST_VOXELS)))
    factors = [max(round(cell_mm / mm), 1) for mm in geometry.spacing_mm]
    counts = [(part.stop - part.start) // factor for part, factor in zip(box, factors, strict=True)]
    if min(counts) < 2:
        return None
    hu = np.empty(counts, dtype=np.int16)
    for number in range(counts[0]):  # slice by slice, so that other threads have their turn
        start = box[0].start + number * factors[0]
        hu[number] = _average(voxels, masks, slice(start, start + factors[0]), box, factors, counts)
    start_index = np.array([part.start + (factor - 1) / 2 for part, factor in zip(box, factors, strict=True)])
    affine_lps = np.array(geometry.affine_lps)
    affine_lps[:3, 3] = geometry.index_to_lps(start_index)
    affine_lps[:3, :3] = affine_lps[:3, :3] * factors
    shape = (counts[0], counts[1], counts[2])
    return CoarseCt(source=volume, masks=masks, hu=hu, geometry=Geometry(shape=shape, affine_lps=affine_lps))


def _average(
    voxels: NDArray[np.int16],
    masks: Masks | None,
    slices: slice,
    box: tuple[slice, slice, slice],
    factors: list[int],
    counts: list[int],
) -> NDArray[np.float32]:
    rows = slice(box[1].start, box[1].start + counts[1] * factors[1])
    columns = slice(box[2].start, box[2].start + counts[2] * factors[2])
    part = voxels[slices, rows, columns].astype(np.float32)
    if masks is not None:
        part[(masks.bits[slices, rows, columns] & np.uint8(Structure.LIVER)) == 0] = AIR_HU
    flat = part.mean(axis=0).reshape(counts[1], factors[1], counts[2], factors[2])
    averaged: NDArray[np.float32] = np.round(flat.mean(axis=(1, 3)))
    return averaged


def _box_of(masks: Masks) -> tuple[slice, slice, slice] | None:
    inside = masks.mask_of(Structure.LIVER)
    slices = np.flatnonzero(inside.any(axis=(1, 2)))
    if not slices.size:
        return None
    shadow = np.asarray(inside.any(axis=0))
    rows, columns = np.flatnonzero(shadow.any(axis=1)), np.flatnonzero(shadow.any(axis=0))
    spans = []
    for hits, size in zip((slices, rows, columns), inside.shape, strict=True):
        spans.append(slice(max(int(hits[0]) - 2, 0), min(int(hits[-1]) + 3, size)))
    return spans[0], spans[1], spans[2]
