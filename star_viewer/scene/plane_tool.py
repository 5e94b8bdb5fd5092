"""The cutting plane on a slice: its line, hatched on the side that goes, with handles to move and to turn it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPen

from star_core.imaging.editing.remnant import CuttingPlane
from star_core.types import PointMm
from star_viewer.scene.annotations import draw_text, to_qcolour
from star_viewer.scene.colours import BACKGROUND, CUT, SELECTED_MARK
from star_viewer.scene.plane_line import PlaneLine, find_line, move_plane, turn_plane
from star_viewer.scene.plane_pen import PlanePen

if TYPE_CHECKING:
    from star_viewer.scene.slice_pane import SlicePane

_HANDLE_REACH, _LINE_REACH, _HANDLE = 10.0, 6.0, 5.0
_ARM_MM = 55.0
_HATCH_EVERY, _HATCH = 14.0, 8.0
_TURN_DEG, _FAR = 2.0, 10
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, 1),
    Qt.Key.Key_Down: (0, -1),
}


@dataclass(slots=True)
class _Grip:
    """What the hand holds: the plane as it was, the line's end by its sign or 0 for all of it, where it was taken."""

    plane: CuttingPlane
    line: PlaneLine
    end: int
    start_mm: PointMm


class PlaneTool:
    """A :class:`star_viewer.scene.pane_tool.PaneTool` over the anatomy's plane."""

    def __init__(self, pane: SlicePane) -> None:
        self._pane, self._session = pane, pane.session
        self._anatomy = self._session.anatomy
        self._grip: _Grip | None = None
        self._anatomy.plane_changed.connect(pane.update)
        self._session.pen_changed.connect(pane.update)
        self._session.case_closing.connect(self._let_go)

    def _line(self) -> PlaneLine | None:
        plane, shown = self._anatomy.plane, self._pane.shown_plane()
        return None if plane is None or shown is None else find_line(plane, shown)

    # ------------------------------------------------------------------ painting

    def paint(self, painter: QPainter, rect: QRectF) -> None:
        """Paint the line, the side that goes, and the handles."""
        line = self._line()
        if line is None:
            return
        centre, end = self._pane.pixel_of(line.point_mm), self._pane.pixel_of(line.at(_ARM_MM))
        along = QLineF(centre, end).unitVector()
        run = QPointF(along.dx(), along.dy())
        side = self._pane.pixel_of((*np.add(line.point_mm, np.multiply(_ARM_MM, line.removed)),)) - centre
        goes = side / max(float(np.hypot(side.x(), side.y())), 1e-6)
        reach = float(np.hypot(rect.width(), rect.height()))
        colour = SELECTED_MARK if self._session.pen is PlanePen.PLANE or self._grip is not None else CUT
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        hatches = [
            QLineF(centre + run * step, centre + run * step + goes * _HATCH - run * _HATCH / 2)
            for step in np.arange(-reach, reach, _HATCH_EVERY).tolist()
        ]
        for ink, width in ((to_qcolour(BACKGROUND, 170), 3.4), (to_qcolour(colour), 1.6)):
            painter.setPen(QPen(ink, width))
            painter.drawLine(QLineF(centre - run * reach, centre + run * reach))
            painter.setPen(QPen(ink, max(width - 0.6, 1.0)))
            painter.drawLines(hatches)
        painter.setPen(QPen(to_qcolour(BACKGROUND), 1))
        painter.setBrush(to_qcolour(colour))
        painter.drawRect(QRectF(centre.x() - _HANDLE, centre.y() - _HANDLE, 2 * _HANDLE, 2 * _HANDLE))
        for arm in self._arms(line):
            painter.drawEllipse(arm, _HANDLE, _HANDLE)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        label = QRectF(0, 0, 80, 18)
        label.moveCenter(centre + goes * 34)
        draw_text(painter, label, Qt.AlignmentFlag.AlignCenter, "removed", colour)

    def _arms(self, line: PlaneLine) -> tuple[QPointF, QPointF]:
        return self._pane.pixel_of(line.at(-_ARM_MM)), self._pane.pixel_of(line.at(_ARM_MM))

    # ------------------------------------------------------------------ mouse

    def press(self, event: QMouseEvent) -> bool:
        """Take hold of the line or one of its handles."""
        free = self._session.pen is None or self._session.pen is PlanePen.PLANE
        line, plane = self._line(), self._anatomy.plane
        start_mm = self._pane.point_at(event.position())
        if event.button() != Qt.MouseButton.LeftButton or not free or line is None or plane is None or not start_mm:
            return False
        end = self._find(line, event.position())
        if end is None:
            return False
        self._grip = _Grip(plane, line, end, start_mm)
        self._pane.update()
        return True

    def _find(self, line: PlaneLine, position: QPointF) -> int | None:
        """Return which end lies under the hand, 0 for the line itself, ``None`` for neither."""
        for end, arm in zip((-1, 1), self._arms(line), strict=True):
            if QLineF(arm, position).length() <= _HANDLE_REACH:
                return end
        centre, arm = self._pane.pixel_of(line.point_mm), self._arms(line)[1]
        run, away = arm - centre, position - centre
        off = abs(run.x() * away.y() - run.y() * away.x()) / max(float(np.hypot(run.x(), run.y())), 1e-6)
        near_centre = QLineF(centre, position).length() <= _HANDLE_REACH
        return 0 if near_centre or off <= _LINE_REACH else None

    def move(self, event: QMouseEvent) -> bool:
        """Move or turn the plane with the hand."""
        grip, shown = self._grip, self._pane.shown_plane()
        if grip is None or shown is None or not event.buttons() & Qt.MouseButton.LeftButton:
            return False
        point_mm = self._pane.point_at(event.position())
        if point_mm is None:
            return True
        if grip.end == 0:
            self._anatomy.set_plane(move_plane(grip.plane, np.subtract(point_mm, grip.start_mm)))
            return True
        arm = grip.end * np.subtract(point_mm, grip.line.point_mm)
        along, across = np.array(grip.line.along), np.cross(np.array(shown.normal), np.array(grip.line.along))
        degrees = float(np.degrees(np.arctan2(arm @ across, arm @ along)))
        self._anatomy.set_plane(turn_plane(grip.plane, shown, grip.line.point_mm, degrees))
        return True

    def release(self, event: QMouseEvent) -> bool:
        """Let go."""
        held = self._grip is not None
        self._grip = None
        if held:
            self._pane.update()
        return held

    def double_click(self, event: QMouseEvent) -> bool:
        """A second click means nothing more than the first."""
        line = self._line()
        is_left = event.button() == Qt.MouseButton.LeftButton
        return is_left and line is not None and self._find(line, event.position()) is not None

    # ------------------------------------------------------------------ keys

    def key(self, event: QKeyEvent) -> bool:
        """Arrows move the plane, with Shift they turn it, Enter cuts, Esc lays the tool down or leaves a drag off."""
        key, plane, shown = Qt.Key(event.key()), self._anatomy.plane, self._pane.shown_plane()
        if key == Qt.Key.Key_Escape and self._grip is not None:
            self._anatomy.set_plane(self._grip.plane)
            self._grip = None
            return True
        if self._session.pen is not PlanePen.PLANE or plane is None or shown is None:
            return False
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        match key:
            case Qt.Key.Key_Escape:
                self._session.set_pen(None)
            case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                self._anatomy.cut_asked.emit()
            case Qt.Key.Key_Left | Qt.Key.Key_Right if shift:
                self._turn(plane, _TURN_DEG if key == Qt.Key.Key_Left else -_TURN_DEG)
            case _ if key in _ARROWS:
                right, up = _ARROWS[key]
                steps = _FAR if shift else 1
                self._anatomy.set_plane(move_plane(plane, steps * np.array(self._pane.step_mm(right, up))))
            case _:
                return False
        return True

    def _turn(self, plane: CuttingPlane, degrees: float) -> None:
        line, shown = self._line(), self._pane.shown_plane()
        if line is not None and shown is not None:
            self._anatomy.set_plane(turn_plane(plane, shown, line.point_mm, degrees))

    def _let_go(self) -> None:
        self._grip = None
