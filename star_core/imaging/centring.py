"""Where the model's planes are centred along z (method, section 2, step 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_core.imaging.geometry import crop_to, shrink_mask
from star_core.types import (
    BoolArray,
    CentringRule,
    CouinaudLandmarks,
    DoubleArray,
    Geometry,
    Landmark,
    LandmarkOrigin,
    Structure,
)

_SKELETON_MM = 2.0
_LIVER_REACH_MM = 10.0


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
    if bits is not None and len(filled := np.flatnonzero(bits.any(axis=(1, 2)))):
        first = int(filled[0])
        part = bits[first : int(filled[-1]) + 1]
        portal = (part & np.uint8(Structure.PORTAL_VEINS)) != 0
        liver = (part & np.uint8(Structure.LIVER)) != 0
        branching = find_portal_bifurcation(portal, liver, geometry)
        if branching is not None:
            return Centre(CentringRule.PORTAL_BIFURCATION, first + float(branching[0]))
        for rule, mask in ((CentringRule.PORTAL_CENTROID, portal & liver), (CentringRule.LIVER_CENTROID, liver)):
            if mask.any():
                return Centre(rule, first + _centroid_slice(mask))
    return Centre(CentringRule.VOLUME_CENTRE, (geometry.shape[0] - 1) / 2)


def centre_of_reader(landmarks: CouinaudLandmarks | None, geometry: Geometry) -> float | None:
    """Return the slice of an axially oriented grid on which a reader put the portal bifurcation, else ``None``."""
    if landmarks is None or landmarks.origins[Landmark.BIFURCATION] is not LandmarkOrigin.READER:
        return None
    index = float(geometry.lps_to_index(np.array(landmarks.points_mm[Landmark.BIFURCATION]))[0])
    return min(max(index, 0.0), geometry.shape[0] - 1.0)


def find_portal_bifurcation(portal: BoolArray, liver: BoolArray, geometry: Geometry) -> DoubleArray | None:
    """Return the voxel index (3,) where the main portal vein branches, ``None`` when the mask has no branch.

    The largest connected piece is thinned to its centre line; among the places where three lines meet, the one in the
    thickest vessel is the bifurcation of the main trunk. Only places at the liver count, where there are any: a mask
    may reach down to the splenic and mesenteric veins, which meet in a vessel as thick.
    """
    if not portal.any():
        return None
    from scipy.ndimage import convolve, distance_transform_edt, label
    from skimage.morphology import skeletonize

    box, start = crop_to(portal)
    steps = [max(1, round(_SKELETON_MM / mm)) for mm in geometry.spacing_mm]
    coarse: BoolArray = shrink_mask(box, steps)
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
    places = np.array(start) + (np.argwhere(branch) + 0.5) * np.array(steps) - 0.5
    thickness_mm = np.where(_are_near(places, liver, geometry), radius_mm[branch], 0.0)
    best: DoubleArray = places[int(np.argmax(thickness_mm if thickness_mm.any() else radius_mm[branch]))]
    return best


def _are_near(places: DoubleArray, liver: BoolArray, geometry: Geometry) -> BoolArray:
    """Tell which voxel indices (N, 3) lie within the liver's reach."""
    reach = [int(np.ceil(_LIVER_REACH_MM / mm)) for mm in geometry.spacing_mm]
    near = np.zeros(len(places), dtype=bool)
    for number, place in enumerate(places.round().astype(int)):
        box = tuple(slice(max(0, at - by), at + by + 1) for at, by in zip(place, reach, strict=True))
        near[number] = bool(liver[box].any())
    return near


def _centroid_slice(mask: BoolArray) -> float:
    per_slice = np.count_nonzero(mask, axis=(1, 2))
    return float(np.average(np.arange(len(per_slice)), weights=per_slice))
