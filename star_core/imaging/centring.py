"""Where the model's planes are centred along z (method, section 2, step 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_core.types import BoolArray, CentringRule, Geometry, Structure

_SKELETON_MM = 2.0


@dataclass(frozen=True, slots=True)
class Centre:
    """A fractional slice index and the rule that gave it."""

    rule: CentringRule
    slice_index: float


def find_centre(bits: NDArray[np.uint8] | None, geometry: Geometry) -> Centre:
    """Return the centre along z of an axially oriented CT with structures ``bits`` (D, H, W).

    The branching point of the main portal vein; else the centroid of the portal veins inside the liver; else the
    centroid of the liver; else the middle of the volume.
    """
    if bits is not None:
        portal = (bits & np.uint8(Structure.PORTAL_VEINS)) != 0
        branching = find_portal_bifurcation(portal, geometry)
        if branching is not None:
            return Centre(CentringRule.PORTAL_BIFURCATION, branching)
        liver = (bits & np.uint8(Structure.LIVER)) != 0
        for rule, mask in ((CentringRule.PORTAL_CENTROID, portal & liver), (CentringRule.LIVER_CENTROID, liver)):
            if mask.any():
                return Centre(rule, _centroid_slice(mask))
    return Centre(CentringRule.VOLUME_CENTRE, (geometry.shape[0] - 1) / 2)


def find_portal_bifurcation(portal: BoolArray, geometry: Geometry) -> float | None:
    """Return the slice index where the main portal vein branches, ``None`` when the mask has no branch.

    The largest connected piece is thinned to its centre line; among the places where three lines meet, the one in the
    thickest vessel is the bifurcation of the main trunk.
    """
    if not portal.any():
        return None
    from scipy.ndimage import convolve, distance_transform_edt, label
    from skimage.morphology import skeletonize

    box, start = _crop(portal)
    steps = [max(1, round(_SKELETON_MM / mm)) for mm in geometry.spacing_mm]
    coarse: BoolArray = _shrink(box, steps)
    labels, count = label(coarse, structure=np.ones((3, 3, 3)))
    if count > 1:
        coarse = np.asarray(labels) == (1 + int(np.argmax(np.bincount(labels.ravel())[1:])))
    line: BoolArray = skeletonize(coarse)
    neighbours = convolve(line.astype(np.uint8), np.ones((3, 3, 3), dtype=np.uint8), mode="constant") - 1
    branch = line & (neighbours >= 3)
    if not branch.any():
        return None
    coarse_mm = [mm * step for mm, step in zip(geometry.spacing_mm, steps, strict=True)]
    radius_mm = distance_transform_edt(np.pad(coarse, 1), sampling=coarse_mm)[1:-1, 1:-1, 1:-1]
    place = np.unravel_index(int(np.argmax(np.where(branch, radius_mm, -1.0))), branch.shape)
    return float(start[0] + (place[0] + 0.5) * steps[0] - 0.5)


def _crop(mask: BoolArray) -> tuple[BoolArray, tuple[int, ...]]:
    bounds = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    slices = tuple(slice(int(b[0]), int(b[-1]) + 1) for b in bounds)
    return mask[slices], tuple(int(b[0]) for b in bounds)


def _shrink(mask: BoolArray, steps: list[int]) -> BoolArray:
    """Return the mask on blocks of ``steps`` voxels; a block counts when any voxel in it does."""
    padded = np.pad(mask, [(0, -size % step) for size, step in zip(mask.shape, steps, strict=True)])
    d, h, w = (size // step for size, step in zip(padded.shape, steps, strict=True))
    blocks: BoolArray = np.asarray(padded.reshape(d, steps[0], h, steps[1], w, steps[2]).any(axis=(1, 3, 5)))
    return blocks


def _centroid_slice(mask: BoolArray) -> float:
    per_slice = np.count_nonzero(mask, axis=(1, 2))
    return float(np.average(np.arange(len(per_slice)), weights=per_slice))
