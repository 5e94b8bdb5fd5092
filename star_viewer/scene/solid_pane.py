"""The 3D view on screen."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QWheelEvent
from PySide6.QtWidgets import QWidget

from star_core.types import DoubleArray
from star_viewer.display import SolidPreset
from star_viewer.scene.annotations import MARGIN, draw_cube, draw_marker, draw_text
from star_viewer.scene.cameras import OrbitCamera
from star_viewer.scene.colours import FAINT_TEXT
from star_viewer.scene.pane import ZOOM_STEP, Pane
from star_viewer.scene.state import SOLID, SceneState

_DEGREES_PER_PIXEL = 0.45
_KEY_TURNS = {
    Qt.Key.Key_Left: (-10.0, 0.0),
    Qt.Key.Key_Right: (10.0, 0.0),
    Qt.Key.Key_Up: (0.0, 10.0),
    Qt.Key.Key_Down: (0.0, -10.0),
}
_ZOOM_KEYS = {Qt.Key.Key_Plus: ZOOM_STEP, Qt.Key.Key_Equal: ZOOM_STEP, Qt.Key.Key_Minus: 1 / ZOOM_STEP}


class SolidPane(Pane):
    """Turns, pans and zooms the model."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(SOLID, parent)
        self.camera = OrbitCamera()
        self.setAccessibleName("3D view")
        self.setAccessibleDescription("Arrow keys turn the model; plus and minus zoom; R resets; Enter maximises.")

    def fit(self, bounds_mm: DoubleArray) -> None:
        """Look at a box in LPS mm from where the reader stands."""
        self.camera = self.camera.fitted(bounds_mm)

    def reset(self) -> None:
        """Look from the front, as at the start, at what was fitted last."""
        self.camera = OrbitCamera(focus_mm=self.camera.focus_mm, radius_mm=self.camera.radius_mm)

    def annotate(self, painter: QPainter, rect: QRectF, state: SceneState) -> None:
        """Write the view's name and draw the orientation cube and the crosshair's point."""
        x, y = state.orbit.project(np.array(state.crosshair_mm), (self.width(), self.height()))
        draw_marker(painter, x, y)
        draw_cube(painter, rect, state.orbit)
        inner = rect.adjusted(MARGIN, MARGIN - 2, -MARGIN, -MARGIN)
        top_left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
        draw_text(painter, inner, top_left, "3D")
        if state.risk is not None:
            below = inner.adjusted(0, 17, 0, 0)
            draw_text(painter, below, top_left, f"year {state.year}, {state.mode.value}", FAINT_TEXT)
        if state.display.preset is not SolidPreset.STRUCTURES:
            second = inner.adjusted(0, 34, 0, 0)
            draw_text(painter, second, top_left, state.display.preset.value, FAINT_TEXT)

    def on_drag(self, event: QMouseEvent, moved: QPointF) -> None:
        """Left turns, right zooms, middle (or Shift) pans."""
        buttons = event.buttons()
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if buttons & Qt.MouseButton.MiddleButton or (buttons & Qt.MouseButton.LeftButton and shift):
            self._pan(moved)
        elif buttons & Qt.MouseButton.RightButton:
            self._take(self.camera.zoomed(1.01 ** -moved.y()))
        else:
            self.turn(moved.x() * _DEGREES_PER_PIXEL, -moved.y() * _DEGREES_PER_PIXEL)

    def on_wheel(self, steps: int, event: QWheelEvent) -> None:
        """Zoom."""
        self._take(self.camera.zoomed(ZOOM_STEP**steps))

    def on_key(self, key: Qt.Key) -> bool:
        """Turn and zoom by keys."""
        if key in _KEY_TURNS:
            self.turn(*_KEY_TURNS[key])
        elif key in _ZOOM_KEYS:
            self._take(self.camera.zoomed(_ZOOM_KEYS[key]))
        else:
            return False
        return True

    def turn(self, right_deg: float, up_deg: float) -> None:
        """Turn the model as if pulled to the right and upwards."""
        self._take(self.camera.turned(right_deg, up_deg))

    def zoom(self, factor: float) -> None:
        """Come nearer by a factor."""
        self._take(self.camera.zoomed(factor))

    def _pan(self, moved: QPointF) -> None:
        scale = 2.0 / max(self.height(), 1)
        self._take(self.camera.panned(moved.x() * scale, -moved.y() * scale))

    def _take(self, camera: OrbitCamera) -> None:
        self.camera = camera
        self.camera_changed.emit()
