"""Where the reader stands: plain values, so that a frame can be asked for in one thread and drawn in another."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from star_core.types import DoubleArray
from star_viewer.scene.orientation import SlicePlane

VIEW_ANGLE_DEG = 24.0
_FIT_MARGIN = 1.03
_ZOOM_RANGE = (0.3, 25.0)


@dataclass(frozen=True, slots=True)
class SliceCamera:
    """Zoom (1 = the whole slice fits) and how far the middle of the view lies from the middle of the slice, in mm."""

    zoom: float = 1.0
    pan_mm: tuple[float, float] = (0.0, 0.0)

    def zoomed(self, factor: float) -> SliceCamera:
        """Return the camera nearer by ``factor``."""
        return replace(self, zoom=float(np.clip(self.zoom * factor, *_ZOOM_RANGE)))

    def panned(self, u_mm: float, v_mm: float) -> SliceCamera:
        """Return the camera moved by millimetres on the slice."""
        return replace(self, pan_mm=(self.pan_mm[0] + u_mm, self.pan_mm[1] + v_mm))


@dataclass(frozen=True, slots=True)
class ScreenMap:
    """Millimetres on a slice to pixels of a view (y downwards) and back."""

    centre_mm: tuple[float, float]
    mm_per_pixel: float
    size: tuple[float, float]

    def to_pixel(self, u_mm: float, v_mm: float) -> tuple[float, float]:
        """Map screen mm to pixels."""
        return (
            self.size[0] / 2 + (u_mm - self.centre_mm[0]) / self.mm_per_pixel,
            self.size[1] / 2 - (v_mm - self.centre_mm[1]) / self.mm_per_pixel,
        )

    def to_mm(self, x: float, y: float) -> tuple[float, float]:
        """Map pixels to screen mm."""
        return (
            self.centre_mm[0] + (x - self.size[0] / 2) * self.mm_per_pixel,
            self.centre_mm[1] - (y - self.size[1] / 2) * self.mm_per_pixel,
        )


def build_screen_map(plane: SlicePlane, camera: SliceCamera, size: tuple[float, float]) -> ScreenMap:
    """Fit a plane into a view of ``size`` (width, height) pixels and apply the camera's zoom and pan."""
    u_min, u_max, v_min, v_max = plane.extent_mm()
    width, height = max(size[0], 1.0), max(size[1], 1.0)
    fit_mm_per_pixel = max((u_max - u_min) / width, (v_max - v_min) / height) * _FIT_MARGIN
    centre_mm = ((u_min + u_max) / 2 + camera.pan_mm[0], (v_min + v_max) / 2 + camera.pan_mm[1])
    return ScreenMap(centre_mm, fit_mm_per_pixel / camera.zoom, (width, height))


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

    def look_at(self) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
        """Return position, focal point and up direction, each (3,) in LPS mm."""
        right, up, towards = np.array(self.frame_lps)
        centre_mm = np.array(self.focus_mm) - (right * self.pan[0] + up * self.pan[1]) * self.radius_mm
        distance_mm = 0.82 * self.radius_mm / np.sin(np.deg2rad(VIEW_ANGLE_DEG / 2)) / self.zoom
        return centre_mm + towards * distance_mm, centre_mm, up

    def project(self, point_mm: DoubleArray, size: tuple[float, float]) -> tuple[float, float]:
        """Map a point to pixels of a view of ``size`` (width, height), y downwards."""
        position_mm, _, _ = self.look_at()
        right_mm, up_mm, towards_mm = np.array(self.frame_lps) @ (np.asarray(point_mm) - position_mm)
        depth_mm = max(-float(towards_mm), 1e-3)
        pixels = size[1] / 2 / np.tan(np.deg2rad(VIEW_ANGLE_DEG / 2)) / depth_mm
        return size[0] / 2 + float(right_mm) * pixels, size[1] / 2 - float(up_mm) * pixels
