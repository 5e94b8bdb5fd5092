"""Where a cutting plane meets the slice that is shown, and the plane that a hand on that line means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from star_core.imaging.annotations import AnnotationPlane
from star_core.imaging.editing.remnant import CuttingPlane
from star_core.types import DoubleArray, PointMm

_PARALLEL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneLine:
    """A line on a slice, LPS mm: a point of it, its unit direction, and the unit direction on the slice that goes."""

    point_mm: PointMm
    along: tuple[float, float, float]
    removed: tuple[float, float, float]

    def at(self, distance_mm: float) -> PointMm:
        """Return a point of the line."""
        return to_point(np.array(self.point_mm) + distance_mm * np.array(self.along))


def find_line(plane: CuttingPlane, shown: AnnotationPlane) -> PlaneLine | None:
    """Return where a plane meets a slice, nearest to the plane's own point; ``None`` where they are nearly parallel."""
    normal = np.array(plane.normal) / np.linalg.norm(plane.normal)
    across = np.array(shown.normal, dtype=np.float64)
    within = normal - (normal @ across) * across
    size = float(np.linalg.norm(within))
    if size < _PARALLEL:
        return None
    within = within / size
    point = np.array(plane.point_mm, dtype=np.float64)
    on_slice = point + ((np.array(shown.origin_mm) - point) @ across) * across
    # Along the slice, back onto the plane.
    on_slice = on_slice + ((point - on_slice) @ normal) / size * within
    return PlaneLine(point_mm=to_point(on_slice), along=to_point(np.cross(across, within)), removed=to_point(within))


def move_plane(plane: CuttingPlane, by_mm: DoubleArray) -> CuttingPlane:
    """Return a plane moved by (3,) mm."""
    return CuttingPlane(point_mm=to_point(np.array(plane.point_mm) + by_mm), normal=plane.normal)


def turn_plane(plane: CuttingPlane, shown: AnnotationPlane, pivot_mm: PointMm, degrees: float) -> CuttingPlane:
    """Return a plane turned about a point of it and the slice's normal, counter-clockwise as that normal is seen."""
    axis, angle = np.array(shown.normal, dtype=np.float64), np.deg2rad(degrees)
    normal = np.array(plane.normal, dtype=np.float64)
    turned = (
        normal * np.cos(angle)
        + np.cross(axis, normal) * np.sin(angle)
        + axis * float(axis @ normal) * (1.0 - np.cos(angle))
    )
    return CuttingPlane(point_mm=pivot_mm, normal=to_point(turned))


def flip_plane(plane: CuttingPlane) -> CuttingPlane:
    """Return the plane of which the other side goes."""
    return CuttingPlane(point_mm=plane.point_mm, normal=to_point(-np.array(plane.normal)))


def to_point(values: DoubleArray) -> PointMm:
    """Return a (3,) array as a point or a direction."""
    return float(values[0]), float(values[1]), float(values[2])
