"""Slices that lie across the grid: planes turned about the crosshair, with the same ways of asking as grid slices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from star_core.types import DoubleArray, Geometry
from star_viewer.scene.orientation import SliceKind, SlicePlane, to_letters

# A step forwards goes towards the head, the front and the patient's left, as on the grid's own slices.
_FORWARDS = {SliceKind.AXIAL: -1, SliceKind.CORONAL: 1, SliceKind.SAGITTAL: 1}
_ORTHOGONAL = 1e-3
_POSITIVE, _NEGATIVE = ("L", "P", "S"), ("R", "A", "I")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ObliquePlane:
    """A family of parallel slices in any direction, a whole number of which lies on either side of the turning point.

    Screen coordinates are (u, v) in mm as for :class:`SlicePlane`.

    Parameters
    ----------
    kind
        Which of the three views.
    geometry
        The grid that is cut.
    frame_lps
        (3, 3) orthonormal rows: right, up and towards the reader, in LPS.
    step_mm
        Distance between neighbouring slices.
    depth_mm
        Where slice 0 lies along the direction towards the reader.
    slice_count
        Number of slices.
    extent
        (u_min, u_max, v_min, v_max) that the view shows at zoom 1, in mm.
    """

    kind: SliceKind
    geometry: Geometry
    frame_lps: DoubleArray
    step_mm: float
    depth_mm: float
    slice_count: int
    extent: tuple[float, float, float, float]

    @property
    def forwards(self) -> int:
        """Change of the slice's number when the reader steps forwards."""
        return _FORWARDS[self.kind]

    @property
    def letters(self) -> tuple[str, str, str, str]:
        """Letters at the left, right, top and bottom edge."""
        right, up = self.frame_lps[0], self.frame_lps[1]
        return to_letters(-right), to_letters(right), to_letters(up), to_letters(-up)

    def slice_index_of(self, point_mm: DoubleArray) -> int:
        """Return the slice nearest to a point, clamped to the grid."""
        index = (float(self.frame_lps[2] @ np.asarray(point_mm)) - self.depth_mm) / self.step_mm
        return int(np.clip(np.floor(index + 0.5), 0, self.slice_count - 1))

    def to_screen_mm(self, point_mm: DoubleArray) -> DoubleArray:
        """Map (..., 3) LPS mm to (..., 2) screen mm."""
        screen_mm: DoubleArray = np.asarray(point_mm, dtype=np.float64) @ self.frame_lps[:2].T
        return screen_mm

    def screen_to_lps(self, slice_index: int) -> DoubleArray:
        """Return the (4, 4) map from (u, v, 0, 1) on one slice to LPS mm; its third column is the slice's normal."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.frame_lps.T
        matrix[:3, 3] = self.frame_lps[2] * (self.depth_mm + slice_index * self.step_mm)
        return matrix

    def extent_mm(self) -> tuple[float, float, float, float]:
        """Return (u_min, u_max, v_min, v_max) that the view shows at zoom 1."""
        return self.extent

    def step(self, point_mm: DoubleArray, slices: int) -> DoubleArray:
        """Move a point forwards by whole slices onto a slice, staying inside the grid."""
        point_mm = np.asarray(point_mm, dtype=np.float64)
        index = int(np.clip(self.slice_index_of(point_mm) + self.forwards * slices, 0, self.slice_count - 1))
        depth_mm = self.depth_mm + index * self.step_mm
        moved_mm = point_mm + self.frame_lps[2] * (depth_mm - float(self.frame_lps[2] @ point_mm))
        return moved_mm if is_inside(self.geometry, moved_mm) else point_mm

    def position_text(self, point_mm: DoubleArray) -> str:
        """Name how the slice lies: "oblique 12°, 31°"; the angles of its normal to the patient's nearest axes."""
        angles = np.degrees(np.arcsin(np.clip(np.abs(self.frame_lps[2]), 0, 1)))
        nearest = int(np.argmax(angles))
        off_deg = 90 - float(angles[nearest])
        axis = (_POSITIVE if self.frame_lps[2][nearest] > 0 else _NEGATIVE)[nearest]
        return f"oblique, {off_deg:.0f}° off {axis}"


Plane = SlicePlane | ObliquePlane
"""What a slice view shows: slices of the grid, or slices across it."""


def is_inside(geometry: Geometry, point_mm: DoubleArray) -> bool:
    """Tell whether a point lies within the outermost voxel centres of a grid."""
    index = geometry.lps_to_index(point_mm)
    return bool((index > -1e-6).all() and (index < np.array(geometry.shape) - 1 + 1e-6).all())


def turn_planes(
    planes: Mapping[SliceKind, Plane], seen: SliceKind, degrees: float, pivot_mm: DoubleArray
) -> dict[SliceKind, Plane]:
    """Turn the two other planes about a point, as seen in one view.

    Parameters
    ----------
    planes
        The planes of the three views.
    seen
        The view in which they turn; its own plane stays.
    degrees
        Angle, counter-clockwise on the unflipped view.
    pivot_mm
        (3,) point that stays in all planes, LPS mm.
    """
    rotation = _rotation_about(planes[seen].frame_lps[2], np.deg2rad(degrees))
    return {
        kind: plane if kind is seen else _turn(plane, plane.frame_lps @ rotation.T, pivot_mm)
        for kind, plane in planes.items()
    }


def place_plane(
    kind: SliceKind, geometry: Geometry, frame_lps: DoubleArray, depth_mm: float, extent: tuple[float, ...]
) -> ObliquePlane:
    """Return a plane as it lay before: the frame, the depth of its first slice and its extent, as in the value.

    Raises
    ------
    ValueError
        When the directions are no right-handed frame or the first slice does not lie at the edge of the grid.
    """
    frame_lps = np.asarray(frame_lps, dtype=np.float64)
    if np.abs(frame_lps @ frame_lps.T - np.eye(3)).max() > _ORTHOGONAL or np.linalg.det(frame_lps) < 0:
        raise ValueError("no right-handed frame")
    step_mm = min(geometry.spacing_mm)
    depths_mm = _corners_mm(geometry) @ frame_lps[2]
    if not -_ORTHOGONAL <= depth_mm - float(depths_mm.min()) <= step_mm + _ORTHOGONAL:
        raise ValueError("the first slice does not lie at the edge of the grid")
    u_min, u_max, v_min, v_max = extent
    return ObliquePlane(
        kind=kind,
        geometry=geometry,
        frame_lps=frame_lps,
        step_mm=step_mm,
        depth_mm=depth_mm,
        slice_count=int((float(depths_mm.max()) - depth_mm) / step_mm) + 1,
        extent=(u_min, u_max, v_min, v_max),
    )


def line_of(plane: Plane, other: Plane) -> tuple[float, float]:
    """Return the direction (u, v) in which another plane cuts this one; unit length."""
    along = np.cross(plane.frame_lps[2], other.frame_lps[2])
    u, v = plane.frame_lps[:2] @ along
    length = float(np.hypot(u, v))
    return (float(u) / length, float(v) / length) if length > 1e-9 else (1.0, 0.0)


def _rotation_about(axis: DoubleArray, angle_rad: float) -> DoubleArray:
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation: DoubleArray = np.eye(3) + np.sin(angle_rad) * cross + (1 - np.cos(angle_rad)) * cross @ cross
    return rotation


def _turn(plane: Plane, frame_lps: DoubleArray, pivot_mm: DoubleArray) -> ObliquePlane:
    frame_lps = _orthonormal(frame_lps)
    geometry = plane.geometry
    step_mm = min(geometry.spacing_mm)
    corners_mm = _corners_mm(geometry)
    pivot_depth_mm = float(frame_lps[2] @ pivot_mm)
    depths_mm = corners_mm @ frame_lps[2]
    below = int((pivot_depth_mm - float(depths_mm.min())) / step_mm)
    above = int((float(depths_mm.max()) - pivot_depth_mm) / step_mm)
    # The turning point stays where it is on screen, whatever the turned grid's outline does.
    before_mm, after_mm = plane.to_screen_mm(pivot_mm), frame_lps[:2] @ pivot_mm
    du, dv = (after_mm - before_mm).tolist()
    u_min, u_max, v_min, v_max = plane.extent_mm()
    return ObliquePlane(
        kind=plane.kind,
        geometry=geometry,
        frame_lps=frame_lps,
        step_mm=step_mm,
        depth_mm=pivot_depth_mm - below * step_mm,
        slice_count=below + above + 1,
        extent=(u_min + du, u_max + du, v_min + dv, v_max + dv),
    )


def _orthonormal(frame_lps: DoubleArray) -> DoubleArray:
    right = frame_lps[0] / np.linalg.norm(frame_lps[0])
    up = frame_lps[1] - (frame_lps[1] @ right) * right
    up = up / np.linalg.norm(up)
    return np.stack([right, up, np.cross(right, up)])


def _corners_mm(geometry: Geometry) -> DoubleArray:
    last = np.array(geometry.shape) - 1
    return geometry.index_to_lps(
        np.array([[i, j, k] for i in (0, last[0]) for j in (0, last[1]) for k in (0, last[2])], dtype=np.float64)
    )


def cover_mm(plane: ObliquePlane) -> tuple[float, float, float, float]:
    """Return (u_min, u_max, v_min, v_max) of the whole grid seen along a plane's normal."""
    u_mm, v_mm = plane.to_screen_mm(_corners_mm(plane.geometry)).T
    return float(u_mm.min()), float(u_mm.max()), float(v_mm.min()), float(v_mm.max())
