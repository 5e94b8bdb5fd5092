"""Where the reader stands: plain values, so that a frame can be asked for in one thread and drawn in another."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from star_core.types import DoubleArray
from star_viewer.scene.oblique import Plane
from star_viewer.scene.orientation import to_letters

VIEW_ANGLE_DEG = 24.0
_FIT_MARGIN = 1.03
_ZOOM_RANGE = (0.3, 25.0)


Turn = tuple[int, int, int, int]
"""(a, b, c, d): a slice's (u, v) is shown at (a u + b v, c u + d v), right and up; quarter turns and mirrors only."""

UPRIGHT: Turn = (1, 0, 0, 1)


@dataclass(frozen=True, slots=True)
class SliceCamera:
    """Zoom (1 = the whole slice fits), how far the view's middle lies from the slice's, in mm, and which way up."""

    zoom: float = 1.0
    pan_mm: tuple[float, float] = (0.0, 0.0)
    turn: Turn = UPRIGHT

    def zoomed(self, factor: float) -> SliceCamera:
        """Return the camera nearer by ``factor``."""
        return replace(self, zoom=float(np.clip(self.zoom * factor, *_ZOOM_RANGE)))

    def panned(self, u_mm: float, v_mm: float) -> SliceCamera:
        """Return the camera moved by millimetres on the slice."""
        return replace(self, pan_mm=(self.pan_mm[0] + u_mm, self.pan_mm[1] + v_mm))

    def mirrored(self) -> SliceCamera:
        """Return the camera that shows left and right exchanged."""
        a, b, c, d = self.turn
        return replace(self, turn=(-a, -b, c, d))

    def flipped(self) -> SliceCamera:
        """Return the camera that shows top and bottom exchanged."""
        a, b, c, d = self.turn
        return replace(self, turn=(a, b, -c, -d))

    def rotated(self, quarters: int) -> SliceCamera:
        """Return the camera that shows the picture turned clockwise by quarters."""
        a, b, c, d = self.turn
        for _ in range(quarters % 4):
            a, b, c, d = c, d, -a, -b
        return replace(self, turn=(a, b, c, d))


@dataclass(frozen=True, slots=True)
class ScreenMap:
    """Millimetres on a slice to pixels of a view (y downwards) and back."""

    centre_mm: tuple[float, float]
    mm_per_pixel: float
    size: tuple[float, float]
    turn: Turn = UPRIGHT

    def to_pixel(self, u_mm: float, v_mm: float) -> tuple[float, float]:
        """Map screen mm to pixels."""
        a, b, c, d = self.turn
        right = (u_mm - self.centre_mm[0]) / self.mm_per_pixel
        up = (v_mm - self.centre_mm[1]) / self.mm_per_pixel
        return self.size[0] / 2 + a * right + b * up, self.size[1] / 2 - c * right - d * up

    def to_mm(self, x: float, y: float) -> tuple[float, float]:
        """Map pixels to screen mm."""
        u_mm, v_mm = self.vector_to_mm(x - self.size[0] / 2, y - self.size[1] / 2)
        return self.centre_mm[0] + u_mm, self.centre_mm[1] + v_mm

    def vector_to_mm(self, dx: float, dy: float) -> tuple[float, float]:
        """Map a way in pixels (y downwards) to one in screen mm."""
        a, b, c, d = self.turn
        return (a * dx - c * dy) * self.mm_per_pixel, (b * dx - d * dy) * self.mm_per_pixel


def build_screen_map(plane: Plane, camera: SliceCamera, size: tuple[float, float]) -> ScreenMap:
    """Fit a plane into a view of ``size`` (width, height) pixels and apply the camera's zoom, pan and turn."""
    u_min, u_max, v_min, v_max = plane.extent_mm()
    width, height = max(size[0], 1.0), max(size[1], 1.0)
    across_mm, upwards_mm = u_max - u_min, v_max - v_min
    if camera.turn[0] == 0:
        across_mm, upwards_mm = upwards_mm, across_mm
    fit_mm_per_pixel = max(across_mm / width, upwards_mm / height) * _FIT_MARGIN
    centre_mm = ((u_min + u_max) / 2 + camera.pan_mm[0], (v_min + v_max) / 2 + camera.pan_mm[1])
    return ScreenMap(centre_mm, fit_mm_per_pixel / camera.zoom, (width, height), camera.turn)


def to_turn_matrix(turn: Turn) -> DoubleArray:
    """Return the (3, 3) map from (u, v, 1) to the turned picture, right and up."""
    a, b, c, d = turn
    return np.array([[a, b, 0], [c, d, 0], [0, 0, 1]], dtype=np.float64)


def edge_letters(frame_lps: DoubleArray, turn: Turn) -> tuple[str, str, str, str]:
    """Return the letters at the left, right, top and bottom edge of a turned view."""
    a, b, c, d = turn
    right, up = a * frame_lps[0] + b * frame_lps[1], c * frame_lps[0] + d * frame_lps[1]
    return to_letters(-right), to_letters(right), to_letters(up), to_letters(-up)


_FROM_THE_FRONT = ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0))


def _rotation(axis: int, angle_rad: float) -> DoubleArray:
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    first, second = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = cosine
    matrix[first, second], matrix[second, first] = -sine, sine
    return matrix


@dataclass(frozen=True, slots=True)
class OrbitCamera:
    """A camera that turns about a point.

    ``frame_lps`` holds the rows right, up and towards the reader in LPS, as tuples; ``radius_mm`` is the ball that fits
    the view at zoom 1; ``pan`` moves the picture, in parts of that radius.
    """

    frame_lps: tuple[tuple[float, float, float], ...] = _FROM_THE_FRONT
    focus_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    radius_mm: float = 150.0
    zoom: float = 1.0
    pan: tuple[float, float] = field(default=(0.0, 0.0))

    def turned(self, right_deg: float, up_deg: float) -> OrbitCamera:
        """Return the camera after the model was turned by a drag to the right and upwards."""
        turn = _rotation(0, np.deg2rad(-up_deg)) @ _rotation(1, np.deg2rad(right_deg))
        frame = turn @ np.array(self.frame_lps)
        right = frame[0] / np.linalg.norm(frame[0])
        up = frame[1] - (frame[1] @ right) * right
        up = up / np.linalg.norm(up)
        rows = (right, up, np.cross(right, up))
        return replace(self, frame_lps=tuple((float(x), float(y), float(z)) for x, y, z in rows))

    def zoomed(self, factor: float) -> OrbitCamera:
        """Return the camera nearer by ``factor``."""
        return replace(self, zoom=float(np.clip(self.zoom * factor, *_ZOOM_RANGE)))

    def panned(self, right: float, up: float) -> OrbitCamera:
        """Return the camera with the picture moved, in parts of the radius at zoom 1."""
        return replace(self, pan=(self.pan[0] + right / self.zoom, self.pan[1] + up / self.zoom))

    def fitted(self, bounds_mm: DoubleArray) -> OrbitCamera:
        """Return the camera looking at a (2, 3) box, low and high corner in LPS mm."""
        focus_mm = bounds_mm.mean(axis=0)
        radius_mm = max(float(np.linalg.norm(bounds_mm[1] - bounds_mm[0])) / 2, 1.0)
        return replace(
            self,
            focus_mm=(float(focus_mm[0]), float(focus_mm[1]), float(focus_mm[2])),
            radius_mm=radius_mm,
        )

    def look_at(self, size: tuple[float, float] = (1.0, 1.0)) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
        """Return position, focal point and up direction, each (3,) in LPS mm, for a view of (width, height) pixels."""
        right, up, towards = np.array(self.frame_lps)
        centre_mm = np.array(self.focus_mm) - (right * self.pan[0] + up * self.pan[1]) * self.radius_mm
        distance_mm = 0.82 * self.radius_mm / np.sin(np.deg2rad(VIEW_ANGLE_DEG / 2)) / self.zoom
        # The view's angle is that of its height: a view that is narrower than high sees the model from farther away.
        distance_mm *= max(size[1] / max(size[0], 1.0), 1.0)
        return centre_mm + towards * distance_mm, centre_mm, up

    def project(self, point_mm: DoubleArray, size: tuple[float, float]) -> tuple[float, float]:
        """Map a point to pixels of a view of ``size`` (width, height), y downwards."""
        position_mm, _, _ = self.look_at(size)
        right_mm, up_mm, towards_mm = np.array(self.frame_lps) @ (np.asarray(point_mm) - position_mm)
        depth_mm = max(-float(towards_mm), 1e-3)
        pixels = size[1] / 2 / np.tan(np.deg2rad(VIEW_ANGLE_DEG / 2)) / depth_mm
        return size[0] / 2 + float(right_mm) * pixels, size[1] / 2 - float(up_mm) * pixels
