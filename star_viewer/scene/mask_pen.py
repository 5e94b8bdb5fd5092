"""Painting and clicking structures on a slice: the tip under the cursor, the trail while the hand moves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPen

from star_viewer.display import STRUCTURE_COLOURS
from star_viewer.mask_tools import MaskTool, MaskToolStyle, Stroke, structure_of

if TYPE_CHECKING:
    from star_viewer.scene.slice_pane import SlicePane

_STEP_PIXELS, _STEP_OF_RADIUS = 2.0, 0.25
_MOST_POINTS = 4000
_FAR_KEY_STEP = 10
_CLICK_PIXELS = 5.0
_ERASED = QColor(245, 245, 245)
_TRAIL_ALPHA = 90
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, 1),
    Qt.Key.Key_Down: (0, -1),
}


class MaskPen:
    """A pane's tool: gives a stroke to the session's ``mask_tools`` when the hand lets go."""

    def __init__(self, pane: SlicePane) -> None:
        self._pane, self._session = pane, pane.session
        self._stroke: Stroke | None = None
        self._button = Qt.MouseButton.NoButton
        self._cursor: QPointF | None = None
        session, tools = self._session, self._session.mask_tools
        tools.changed.connect(pane.update)
        tools.pending_changed.connect(pane.update)
        session.pen_changed.connect(self._drop)
        session.case_closing.connect(self._drop)

    @property
    def _tool(self) -> MaskTool | None:
        pen = self._session.pen
        return pen if isinstance(pen, MaskTool) else None

    @property
    def stroke(self) -> Stroke | None:
        """What is being painted and not let go yet."""
        return self._stroke

    def _drop(self, *_: object) -> None:
        self._stroke = None
        self._pane.update()

    # ------------------------------------------------------------------ painting

    def paint(self, painter: QPainter, rect: QRectF) -> None:
        """Paint what is drawn and not yet part of the structures, and the tip."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        strokes = self._session.mask_tools.pending
        for stroke in strokes if self._stroke is None else (*strokes, self._stroke):
            if self._pane.shows(stroke.plane):
                self._paint_stroke(painter, stroke)
        if self._tool is not None:
            self._paint_tip(painter, self._tool)

    def _paint_stroke(self, painter: QPainter, stroke: Stroke) -> None:
        points = self._pane.pixels_of(stroke.path_mm)
        colour = _colour_of(stroke.tool, stroke.style)
        radius = self._radius_pixels(stroke.style) if stroke.tool.paints else _CLICK_PIXELS
        colour.setAlpha(_TRAIL_ALPHA)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if len(points) == 1:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            painter.drawEllipse(points[0], radius, radius)
            return
        line = QPen(colour, 2 * radius)
        line.setCapStyle(Qt.PenCapStyle.RoundCap)
        line.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(line)
        painter.drawPolyline(points)

    def _paint_tip(self, painter: QPainter, tool: MaskTool) -> None:
        """Paint the tip under the mouse, or at the crosshair of the view that keys go to."""
        if self._pane.underMouse() and self._cursor is not None:
            place = self._cursor
        elif self._pane.hasFocus():
            place = self._pane.pixel_of(self._session.crosshair_mm)
        else:
            return
        style = self._session.mask_tools.style
        painter.setBrush(Qt.BrushStyle.NoBrush)
        radius = self._radius_pixels(style) if tool.paints else _CLICK_PIXELS
        # A dark line beneath: the tip is seen on bright bone too.
        for colour, width in ((QColor(0, 0, 0, 150), 3.0), (_colour_of(tool, style), 1.4)):
            painter.setPen(QPen(colour, width))
            painter.drawEllipse(place, radius, radius)

    def _radius_pixels(self, style: MaskToolStyle) -> float:
        return max(style.radius_mm * self._pane.pixels_per_mm, 0.5)

    # ------------------------------------------------------------------ mouse

    def press(self, event: QMouseEvent) -> bool:
        """Begin a stroke, or click."""
        tool, button = self._tool, event.button()
        self._cursor = event.position()
        if tool is None or self._stroke is not None:
            return tool is not None
        erases = button == Qt.MouseButton.RightButton or bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if button not in (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton):
            return False
        if not tool.paints and button == Qt.MouseButton.RightButton:
            return False
        self._button = button
        point_mm = self._pane.point_at(event.position())
        plane = self._pane.shown_plane()
        if point_mm is None or plane is None:
            return True
        stroke = Stroke(
            tool=MaskTool.ERASER if tool.paints and erases else tool,
            style=self._session.mask_tools.style,
            path_mm=(point_mm,),
            plane=plane,
            slice_axis=self._pane.grid_axis,
        )
        if tool.paints:
            self._stroke = stroke
            self._pane.update()
        else:
            self._session.mask_tools.draw(stroke)
        return True

    def move(self, event: QMouseEvent) -> bool:
        """Follow the mouse."""
        self._cursor = event.position()
        if self._tool is None:
            return False
        self._pane.update()
        if self._stroke is None or not event.buttons() & self._button:
            return self._stroke is not None or bool(event.buttons() & Qt.MouseButton.LeftButton)
        last = self._pane.pixel_of(self._stroke.path_mm[-1]) - event.position()
        step = max(_STEP_PIXELS, _STEP_OF_RADIUS * self._radius_pixels(self._stroke.style))
        point_mm = self._pane.point_at(event.position())
        if point_mm is not None and np.hypot(last.x(), last.y()) >= step and len(self._stroke.path_mm) < _MOST_POINTS:
            self._stroke = replace(self._stroke, path_mm=(*self._stroke.path_mm, point_mm))
        return True

    def release(self, event: QMouseEvent) -> bool:
        """Let go: the stroke is made."""
        if self._stroke is None or event.button() != self._button:
            return False
        stroke, self._stroke = self._stroke, None
        self._session.mask_tools.draw(stroke)
        return True

    def double_click(self, event: QMouseEvent) -> bool:
        """Take the second click of two like the first."""
        return self._tool is not None and self.press(event)

    def wheel(self, steps: int) -> bool:
        """Change the brush's size."""
        if self._tool is None or not self._tool.paints:
            return False
        self._session.mask_tools.widen(steps)
        return True

    # ------------------------------------------------------------------ keys

    def key(self, event: QKeyEvent) -> bool:
        """Arrows move the crosshair, Enter dabs or clicks there, Esc lays the tool down."""
        tool, key = self._tool, Qt.Key(event.key())
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if tool is None:
            return False
        if key == Qt.Key.Key_Escape:
            if self._stroke is None:
                self._session.set_pen(None)
            self._drop()
        elif key in _ARROWS:
            pixels = _FAR_KEY_STEP if shift else 1
            self._pane.step_crosshair(_ARROWS[key][0] * pixels, _ARROWS[key][1] * pixels)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._dab(MaskTool.ERASER if tool.paints and shift else tool)
        else:
            return False
        return True

    def _dab(self, tool: MaskTool) -> None:
        plane = self._pane.shown_plane()
        if plane is not None:
            point_mm = self._pane.on_slice(self._session.crosshair_mm)
            style, axis = self._session.mask_tools.style, self._pane.grid_axis
            self._session.mask_tools.draw(
                Stroke(tool=tool, style=style, path_mm=(point_mm,), plane=plane, slice_axis=axis)
            )


def _colour_of(tool: MaskTool, style: MaskToolStyle) -> QColor:
    if tool in (MaskTool.ERASER, MaskTool.TAKE_LIVER):
        return QColor(_ERASED)
    return QColor(*STRUCTURE_COLOURS[structure_of(tool, style)])
