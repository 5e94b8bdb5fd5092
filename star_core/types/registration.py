"""What a registration is: how points of the first scan lie in the later one, and how good that is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from star_core.types.basics import DoubleArray, FloatArray
from star_core.types.space import Geometry, PointMm


class RegistrationKind(StrEnum):
    """How freely the later scan may move: as a body, with size and shear, or bending."""

    RIGID = "rigid"
    AFFINE = "affine"
    B_SPLINE = "B-spline"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deformation:
    """Displacements float32 (D, H, W, 3) in LPS mm at the points of a coarse grid of the first scan's space."""

    displacement_mm: FloatArray
    geometry: Geometry

    def __post_init__(self) -> None:
        if self.displacement_mm.shape != (*self.geometry.shape, 3):
            raise ValueError("displacement_mm must be (D, H, W, 3) with the geometry's shape")

    def at(self, points_mm: DoubleArray) -> DoubleArray:
        """Return the displacement of (N, 3) points, linearly interpolated; 0 outside of the grid."""
        from scipy.ndimage import map_coordinates

        index = self.geometry.lps_to_index(points_mm).T
        parts = [map_coordinates(self.displacement_mm[..., axis], index, order=1, cval=0.0) for axis in range(3)]
        return np.stack(parts, axis=-1).astype(np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationQuality:
    """How well two scans agree inside of the body, on 4 mm cells.

    Parameters
    ----------
    similarity_before, similarity_after
        Correlation of grey values (-160..240 HU) where both scans reach, as they lie and registered.
    overlap_share
        Share of the first scan's body that the later scan covers.
    largest_displacement_mm
        Of the bending alone; 0 without one.
    smallest_jacobian
        Least change of volume of the bending; at or below 0 tissue would fold.
    """

    similarity_before: float
    similarity_after: float
    overlap_share: float
    largest_displacement_mm: float = 0.0
    smallest_jacobian: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Registration:
    """Where a point of the first scan lies in the later one: ``to_later_lps`` of (q + displacement at q).

    ``q`` is the point with ``adjustment_lps`` taken back, the motion that a reader gave the later scan by hand.
    Both are (4, 4) matrices on LPS mm.
    """

    kind: RegistrationKind
    to_later_lps: DoubleArray
    quality: RegistrationQuality
    deformation: Deformation | None = None
    adjustment_lps: DoubleArray = field(default_factory=lambda: np.eye(4))

    def map_to_later(self, points_mm: DoubleArray) -> DoubleArray:
        """Map (N, 3) LPS mm of the first scan to LPS mm of the later one."""
        points = _apply(invert(self.adjustment_lps), np.asarray(points_mm, dtype=np.float64))
        if self.deformation is not None:
            points = points + self.deformation.at(points)
        return _apply(self.to_later_lps, points)

    def adjusted(self, translation_mm: PointMm, rotation_deg: PointMm, centre_mm: PointMm) -> Registration:
        """Return the registration after a reader shifted and turned the later scan about a point (axes L, P, S)."""
        motion = build_motion(translation_mm, rotation_deg, centre_mm)
        return replace(self, adjustment_lps=motion @ self.adjustment_lps)

    @property
    def is_adjusted(self) -> bool:
        """Whether a reader moved the later scan by hand."""
        return not np.allclose(self.adjustment_lps, np.eye(4), atol=1e-9)

    def in_words(self) -> str:
        """Return kind and quality: ``rigid, grey values agree by 0.93 (0.41 as they lay), 98 % covered``."""
        quality = self.quality
        by_hand = ", adjusted by hand" if self.is_adjusted else ""
        return (
            f"{self.kind.value}, grey values agree by {quality.similarity_after:.2f} "
            f"({quality.similarity_before:.2f} as they lay), {100 * quality.overlap_share:.0f} % covered{by_hand}"
        )


def build_motion(translation_mm: PointMm, rotation_deg: PointMm, centre_mm: PointMm) -> DoubleArray:
    """Return the (4, 4) motion on LPS mm that turns about L, then P, then S through a point, and then shifts."""
    motion = np.eye(4)
    for axis, degrees in enumerate(rotation_deg):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        turn, angle = np.eye(3), np.radians(degrees)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[second, first], turn[first, second] = np.sin(angle), -np.sin(angle)
        motion[:3, :3] = turn @ motion[:3, :3]
    centre = np.array(centre_mm)
    motion[:3, 3] = centre - motion[:3, :3] @ centre + np.array(translation_mm)
    return motion


def invert(matrix: DoubleArray) -> DoubleArray:
    """Return the inverse of a (4, 4) matrix on LPS mm."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def _apply(matrix: DoubleArray, points: DoubleArray) -> DoubleArray:
    mapped: DoubleArray = points @ matrix[:3, :3].T + matrix[:3, 3]
    return mapped
