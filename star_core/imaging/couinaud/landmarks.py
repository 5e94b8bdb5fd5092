"""The landmarks of Couinaud's segments: found on vessels, else placed by the shares of a normal liver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_core.imaging.centring import find_portal_bifurcation
from star_core.imaging.geometry import crop_masks, crop_to, shrink_mask
from star_core.imaging.presence import require_liver
from star_core.types import (
    BoolArray,
    CouinaudLandmarks,
    DoubleArray,
    Landmark,
    LandmarkOrigin,
    Masks,
    PointMm,
    Structure,
)

# Shares of a normal liver that lie left of each plane: II and III 16 %, IV 17 %, the right liver 65 % (Abdalla et al.,
# Surgery 2004, 135:404); of the right liver the front has more than the back (Mise et al., HPB 2014, 16:175).
_SHARE_LEFT_OF = {Landmark.LEFT_VEIN: 0.16, Landmark.MIDDLE_VEIN: 0.34, Landmark.RIGHT_VEIN: 0.72}
_SHARE_BELOW_BIFURCATION, _SHARE_BELOW_LEFT_PORTAL = 0.42, 0.5
# Where the cava lies in the box around a liver: from the patient's right, from the front, from below.
_CAVA_IN_BOX = (0.55, 0.78, 0.75)
_BIFURCATION_BEFORE_CAVA_MM = 35.0
_TYPICAL_ANGLES = {Landmark.RIGHT_VEIN: 75.0, Landmark.MIDDLE_VEIN: 20.0, Landmark.LEFT_VEIN: -35.0}
# The circle of angles is cut behind the patient and to the left, where there is no liver.
_SEAM_DEGREES = -135.0
_LEAST_APART_DEGREES, _LEAST_SHARE = 15.0, 0.06
_CELL_MM, _FEWEST_CELLS = 3.0, 40
_AWAY_FROM_CAVA_MM, _MARKED_AT_MM = 15.0, 60.0
_LIVER_REACH_MM, _THICK = 10.0, 0.7
PLANES = (Landmark.LEFT_VEIN, Landmark.MIDDLE_VEIN, Landmark.RIGHT_VEIN)


def measure_angles(points_mm: DoubleArray, landmarks_mm: Mapping[Landmark, PointMm]) -> DoubleArray:
    """Return degrees about the upright axis through the cava: 0 to the front, 90 to the patient's right."""
    away = points_mm[..., :2] - np.array(landmarks_mm[Landmark.VENA_CAVA][:2])
    degrees = np.degrees(np.arctan2(-away[..., 0], -away[..., 1]))
    turned: DoubleArray = np.where(degrees < _SEAM_DEGREES, degrees + 360.0, degrees)
    return turned


@dataclass(frozen=True, slots=True)
class _Vessels:
    """Cells of about 3 mm of a vessel tree at the liver: centres (N, 3) in LPS mm, the vessel's radii there (N,) in mm.

    ``within`` (N,) tells which lie inside of the liver: a mask of veins may hold the cava and the veins of the bowel.
    """

    points_mm: DoubleArray
    radii_mm: DoubleArray
    within: BoolArray

    @property
    def are_seen(self) -> bool:
        return int(np.count_nonzero(self.within)) >= _FEWEST_CELLS


def find_landmarks(masks: Masks) -> CouinaudLandmarks:
    """Return the landmarks of a liver: on its vessels where these are known, else by the shares of a normal liver.

    Raises
    ------
    SegmentationError
        When there is no liver.
    """
    masks = crop_masks(masks, 2 * _LIVER_REACH_MM)
    liver = require_liver(masks, "to cut into segments")
    fork = find_portal_bifurcation(masks.mask_of(Structure.PORTAL_VEINS), liver, masks.geometry)
    finder = _Finder(masks)
    finder.place_cava()
    finder.place_bifurcation(None if fork is None else masks.geometry.index_to_lps(fork))
    finder.place_planes()
    finder.place_left_portal()
    return CouinaudLandmarks(points_mm=finder.points_mm, origins=finder.origins)


class _Coarse:
    """The liver and what lies at it on cells of about 3 mm, cropped."""

    def __init__(self, masks: Masks) -> None:
        from scipy.ndimage import distance_transform_edt  # the window cuts segments without it

        liver = masks.mask_of(Structure.LIVER)
        spacing_mm = masks.geometry.spacing_mm
        margin = [int(np.ceil(_LIVER_REACH_MM / mm)) for mm in spacing_mm]
        box, first = crop_to(liver)
        self._masks, self._geometry = masks, masks.geometry
        self._first = [max(0, at - by) for at, by in zip(first, margin, strict=True)]
        last = [at + size + by for at, size, by in zip(first, box.shape, margin, strict=True)]
        self._box = tuple(slice(low, high) for low, high in zip(self._first, last, strict=True))
        self._steps = [max(1, round(_CELL_MM / mm)) for mm in spacing_mm]
        self._cell_mm = [mm * step for mm, step in zip(spacing_mm, self._steps, strict=True)]
        self._liver = shrink_mask(liver[self._box], self._steps)
        self._at_liver = distance_transform_edt(~self._liver, sampling=self._cell_mm) <= _LIVER_REACH_MM

    @property
    def tissue_mm(self) -> DoubleArray:
        """Centres (N, 3) of the liver's cells, LPS mm."""
        return self._to_lps(self._liver)

    def find_vessels(self, kind: Structure) -> _Vessels:
        """Return the cells of a vessel tree at the liver."""
        from scipy.ndimage import distance_transform_edt

        cells = shrink_mask(self._masks.mask_of(kind)[self._box], self._steps)
        radius = distance_transform_edt(np.pad(cells, 1), sampling=self._cell_mm)[1:-1, 1:-1, 1:-1]
        near = cells & self._at_liver
        return _Vessels(self._to_lps(near), radius[near], self._liver[near])

    def _to_lps(self, cells: BoolArray) -> DoubleArray:
        index = np.array(self._first) + (np.argwhere(cells) + 0.5) * np.array(self._steps) - 0.5
        return self._geometry.index_to_lps(index)


class _Finder:
    """Places one landmark after the other; later ones rest on those before."""

    def __init__(self, masks: Masks) -> None:
        coarse = _Coarse(masks)
        self._tissue_mm = coarse.tissue_mm
        self._hepatic = coarse.find_vessels(Structure.HEPATIC_VEINS)
        self._portal = coarse.find_vessels(Structure.PORTAL_VEINS)
        self.points_mm: dict[Landmark, PointMm] = {}
        self.origins: dict[Landmark, LandmarkOrigin] = {}

    def place_cava(self) -> None:
        """Where the hepatic veins meet, thick, high and at the back; else by its place in the box around a liver."""
        if self._hepatic.are_seen:
            points, radii_mm = self._hepatic.points_mm, self._hepatic.radii_mm
            high = points[:, 2] >= np.median(points[:, 2])
            thick = points[high & (radii_mm >= _THICK * radii_mm[high].max())]
            back = thick[thick[:, 1] >= np.quantile(thick[:, 1], 0.75)]
            top_mm = np.quantile(thick[:, 2], 0.9)
            self._place(Landmark.VENA_CAVA, np.array([*back[:, :2].mean(axis=0), top_mm]), LandmarkOrigin.VESSEL)
            return
        low, high_end = np.percentile(self._tissue_mm, [1.0, 99.0], axis=0)
        point = low + np.array(_CAVA_IN_BOX) * (high_end - low)
        self._place(Landmark.VENA_CAVA, point, LandmarkOrigin.PROPORTIONS)

    def place_bifurcation(self, fork_mm: DoubleArray | None) -> None:
        """Where the portal vein forks; else the middle of its branches; else before the cava, by volume."""
        if fork_mm is not None:
            self._place(Landmark.BIFURCATION, fork_mm, LandmarkOrigin.VESSEL)
        elif self._portal.are_seen:
            self._place(Landmark.BIFURCATION, np.median(self._portal.points_mm, axis=0), LandmarkOrigin.VESSEL)
        else:
            x_mm, y_mm, _ = self.points_mm[Landmark.VENA_CAVA]
            z_mm = float(np.quantile(self._tissue_mm[:, 2], _SHARE_BELOW_BIFURCATION))
            point = np.array([x_mm, y_mm - _BIFURCATION_BEFORE_CAVA_MM, z_mm])
            self._place(Landmark.BIFURCATION, point, LandmarkOrigin.PROPORTIONS)

    def place_planes(self) -> None:
        """Along the three hepatic veins where these can be told apart; else by the shares of a normal liver."""
        found = self._find_veins()
        if found is not None:
            for name, point in found.items():
                self._place(name, point, LandmarkOrigin.VESSEL)
            return
        angles = measure_angles(self._tissue_mm, self.points_mm)
        cava = np.array(self.points_mm[Landmark.VENA_CAVA])
        for name, share in _SHARE_LEFT_OF.items():
            turn = np.radians(np.quantile(angles, share))
            away = _MARKED_AT_MM * np.array([-np.sin(turn), -np.cos(turn), 0.0])
            self._place(name, cava + away, LandmarkOrigin.PROPORTIONS)

    def _find_veins(self) -> dict[Landmark, DoubleArray] | None:
        """Return a point on each vein: cells away from the cava, gathered by their angle about it."""
        if not self._hepatic.are_seen:
            return None
        away = self._hepatic.points_mm[:, :2] - np.array(self.points_mm[Landmark.VENA_CAVA][:2])
        far = (np.linalg.norm(away, axis=1) > _AWAY_FROM_CAVA_MM) & self._hepatic.within
        points, weights = self._hepatic.points_mm[far], self._hepatic.radii_mm[far]
        if len(points) < _FEWEST_CELLS:
            return None
        angles = measure_angles(points, self.points_mm)
        group, centres = _gather(angles, weights, np.array([_TYPICAL_ANGLES[name] for name in PLANES]))
        shares = np.bincount(group, weights, minlength=3) / weights.sum()
        if (np.diff(centres) < _LEAST_APART_DEGREES).any() or shares.min() < _LEAST_SHARE:
            return None
        cava = np.array(self.points_mm[Landmark.VENA_CAVA])
        found = {}
        for number, name in enumerate(PLANES):
            turn = np.radians(centres[number])
            height_mm = np.average(points[group == number, 2], weights=weights[group == number])
            away_mm = _MARKED_AT_MM * np.array([-np.sin(turn), -np.cos(turn)])
            found[name] = np.array([*(cava[:2] + away_mm), height_mm])
        return found

    def place_left_portal(self) -> None:
        """At the height of the portal branches left of the middle vein; else by volume."""
        left_of = float(measure_angles(np.array(self.points_mm[Landmark.LEFT_VEIN]), self.points_mm))
        middle = float(measure_angles(np.array(self.points_mm[Landmark.MIDDLE_VEIN]), self.points_mm))
        if self._portal.are_seen:
            angles = measure_angles(self._portal.points_mm, self.points_mm)
            left = (angles < 0.5 * (left_of + middle)) & self._portal.within
            if np.count_nonzero(left) >= _FEWEST_CELLS:
                thick = left & (self._portal.radii_mm >= np.median(self._portal.radii_mm[left]))
                self._place(Landmark.LEFT_PORTAL, self._portal.points_mm[thick].mean(axis=0), LandmarkOrigin.VESSEL)
                return
        lateral = self._tissue_mm[measure_angles(self._tissue_mm, self.points_mm) < left_of]
        tissue = lateral if len(lateral) else self._tissue_mm
        x_mm, y_mm = tissue[:, :2].mean(axis=0)
        z_mm = np.quantile(tissue[:, 2], _SHARE_BELOW_LEFT_PORTAL)
        self._place(Landmark.LEFT_PORTAL, np.array([x_mm, y_mm, z_mm]), LandmarkOrigin.PROPORTIONS)

    def _place(self, name: Landmark, point: DoubleArray, origin: LandmarkOrigin) -> None:
        self.points_mm[name] = _to_point(point)
        self.origins[name] = origin


def _gather(values: DoubleArray, weights: DoubleArray, guesses: DoubleArray) -> tuple[NDArray[np.int64], DoubleArray]:
    """Return the group of each value and the groups' means (Lloyd's algorithm, from guesses in ascending order)."""
    centres = guesses.astype(np.float64)
    for _ in range(30):
        group = np.abs(values[:, None] - centres).argmin(axis=1)
        sums = np.bincount(group, weights, minlength=len(centres))
        means = np.bincount(group, weights * values, minlength=len(centres)) / np.maximum(sums, 1e-9)
        moved = np.where(sums > 0, means, centres)
        if np.allclose(moved, centres):
            break
        centres = moved
    return group, centres


def _to_point(point: DoubleArray) -> PointMm:
    x_mm, y_mm, z_mm = (float(value) for value in point)
    return x_mm, y_mm, z_mm
