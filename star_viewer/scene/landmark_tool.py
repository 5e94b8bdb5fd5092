"""The landmarks of Couinaud's segments on a slice: painted where they are near, taken hold of, placed, by keys too.

While the session's pen is a landmark, the next click or Enter puts that landmark there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPen

from star_core.types import CouinaudLandmarks, Landmark, LandmarkOrigin, PointMm
from star_viewer.scene.annotations import draw_text, to_qcolour
from star_viewer.scene.colours import BACKGROUND, LANDMARK, SELECTED_MARK

if TYPE_CHECKING:
    from star_viewer.scene.slice_pane import SlicePane

FADES_AT_MM = 16.0
_REACH, _RADIUS, _FAINTEST = 9.0, 4.5, 40
_FAR_KEY_STEP = 10
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, 1),
    Qt.Key.Key_Down: (0, -1),
}


class LandmarkTool:
    """A :class:`star_viewer.scene.pane_tool.PaneTool`; what is let go of is asked for through the anatomy."""

    def __init__(self, pane: SlicePane) -> None:
        self._pane, self._session = pane, pane.session
        self._anatomy = self._session.anatomy
        self._held: Landmark | None = None
        self._at_mm: PointMm | None = None
        for signal in (self._anatomy.landmarks_changed, self._anatomy.chosen_changed):
            signal.connect(pane.update)
        self._session.display.changed.connect(pane.update)
        self._session.case_closing.connect(self._let_go)

    @property
    def _placing(self) -> Landmark | None:
        pen = self._session.pen
        return pen if isinstance(pen, Landmark) else None

    # ------------------------------------------------------------------ painting

    def paint(self, painter: QPainter, rect: QRectF) -> None:
        """Paint the landmarks near the slice, fainter with their distance from it."""
        landmarks = self._anatomy.landmarks
        if landmarks is None or not self._are_shown:
            return
        for name in Landmark:
            alpha = self._alpha_of(landmarks.points_mm[name])
            if alpha:
                self._paint_one(painter, landmarks, name, alpha)

    @property
    def _are_shown(self) -> bool:
        return self._session.display.style.landmarks or self._placing is not None

    def _alpha_of(self, point_mm: PointMm) -> int:
        plane = self._pane.shown_plane()
        if plane is None:
            return 0
        away_mm = abs(float(np.subtract(point_mm, plane.origin_mm) @ np.array(plane.normal)))
        share = 1.0 - away_mm / FADES_AT_MM
        return 0 if share <= 0.0 else round(_FAINTEST + (255 - _FAINTEST) * share)

    def _paint_one(self, painter: QPainter, landmarks: CouinaudLandmarks, name: Landmark, alpha: int) -> None:
        at, origin = self._pane.pixel_of(landmarks.points_mm[name]), landmarks.origins[name]
        colour = SELECTED_MARK if name in (self._held, self._placing) else LANDMARK
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setOpacity(alpha / 255)
        painter.setPen(QPen(to_qcolour(BACKGROUND, 200), 3.4))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(at, _RADIUS, _RADIUS)
        painter.setPen(QPen(to_qcolour(colour), 1.6))
        # Hollow where no vessel confirms it.
        hollow = origin is LandmarkOrigin.PROPORTIONS
        painter.setBrush(QColor(0, 0, 0, 0) if hollow else to_qcolour(colour))
        painter.drawEllipse(at, _RADIUS, _RADIUS)
        place = QRectF(at.x() + 9, at.y() - 9, 190, 18)
        draw_text(painter, place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name, colour)
        painter.setOpacity(1.0)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    # ------------------------------------------------------------------ mouse

    def press(self, event: QMouseEvent) -> bool:
        """Place the chosen landmark, or take hold of one."""
        if event.button() != Qt.MouseButton.LeftButton:
            return False
        placing = self._placing
        if placing is not None:
            point_mm = self._pane.point_at(event.position())
            if point_mm is not None:
                self._put(placing, point_mm)
            return True
        self._held = self._find(event.position()) if self._session.pen is None else None
        if self._held is not None:
            self._anatomy.choose(self._held)
        self._at_mm = None
        return self._held is not None

    def move(self, event: QMouseEvent) -> bool:
        """Drag what is held."""
        if self._held is None or not event.buttons() & Qt.MouseButton.LeftButton:
            return False
        point_mm = self._pane.point_at(event.position())
        if point_mm is not None:
            self._at_mm = point_mm
            self._anatomy.drag(self._held, point_mm)
        return True

    def release(self, event: QMouseEvent) -> bool:
        """Let go: one step of the history."""
        held, at_mm = self._held, self._at_mm
        self._held = self._at_mm = None
        if held is None:
            return False
        if at_mm is not None:
            self._anatomy.move_asked.emit(held, at_mm)
        self._pane.update()
        return True

    def double_click(self, event: QMouseEvent) -> bool:
        """A second click means nothing more than the first."""
        return event.button() == Qt.MouseButton.LeftButton and self._find(event.position()) is not None

    def _find(self, position: QPointF) -> Landmark | None:
        landmarks = self._anatomy.landmarks
        if landmarks is None or not self._are_shown:
            return None
        near: list[tuple[float, Landmark]] = []
        for name in Landmark:
            point_mm = landmarks.points_mm[name]
            away = self._pane.pixel_of(point_mm) - position
            distance = float(np.hypot(away.x(), away.y()))
            if distance <= _REACH and self._alpha_of(point_mm):
                near.append((distance, name))
        return min(near)[1] if near else None

    # ------------------------------------------------------------------ keys

    def key(self, event: QKeyEvent) -> bool:
        """Arrows move the crosshair, Enter puts the landmark there, Esc lays the tool down or leaves a drag off."""
        key, placing = Qt.Key(event.key()), self._placing
        if key == Qt.Key.Key_Escape and self._held is not None:
            self._let_go()
            return True
        if placing is None:
            return False
        match key:
            case Qt.Key.Key_Escape:
                self._session.set_pen(None)
            case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                self._put(placing, self._session.crosshair_mm)
            case _ if key in _ARROWS:
                far = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
                right, up = _ARROWS[key]
                pixels = _FAR_KEY_STEP if far else 1
                self._pane.step_crosshair(right * pixels, up * pixels)
            case _:
                return False
        return True

    def _put(self, landmark: Landmark, point_mm: PointMm) -> None:
        self._session.set_pen(None)
        self._anatomy.move_asked.emit(landmark, point_mm)

    def _let_go(self) -> None:
        self._held = self._at_mm = None
        self._anatomy.drop()
