"""Drawing on a slice, with mouse and keys: what is being drawn, moved, renamed; changes go into the history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QLineEdit, QWidget

from star_core.imaging.annotations import (
    MAX_ANNOTATIONS,
    MAX_POINTS,
    POINT_COUNTS,
    Annotation,
    AnnotationKind,
    PointMm,
    build_annotation,
    clean_label,
)
from star_viewer.drawn import add_annotation, delete_selected, move_annotation, rename_annotation
from star_viewer.scene.marks import Mark, build_mark, distance_to_mark, paint_mark

if TYPE_CHECKING:
    from star_viewer.scene.slice_pane import SlicePane

_CLICK, _HANDLE_REACH, _OUTLINE_REACH, _STEP = 4.0, 8.0, 6.0, 3.0
_FAR_KEY_STEP = 10
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, 1),
    Qt.Key.Key_Down: (0, -1),
}


@dataclass(slots=True)
class Grip:
    """What the mouse holds: an annotation as it was, one of its points or all of it, and where it was taken."""

    annotation: Annotation
    point: int | None
    start_mm: PointMm
    moved: bool = False


class Pen:
    """Takes input before the slice does; every method tells whether it meant something here."""

    def __init__(self, pane: SlicePane) -> None:
        self._pane, self._session = pane, pane.session
        self._draft: Annotation | None = None
        self._placed = 0
        self._pressed: QPointF | None = None
        self._first_press = False
        self._grip: Grip | None = None
        self._editor: LabelEditor | None = None
        session = self._session
        for signal in (session.annotations_changed, session.selection_changed):
            signal.connect(pane.update)
        session.pen_changed.connect(self._follow_pen)
        session.case_closing.connect(self.cancel)

    @property
    def is_drawing(self) -> bool:
        """Whether the next click draws an annotation."""
        return self._kind is not None

    @property
    def _kind(self) -> AnnotationKind | None:
        pen = self._session.pen
        return pen if isinstance(pen, AnnotationKind) else None

    @property
    def draft(self) -> Annotation | None:
        """What is being drawn and is not finished."""
        return self._draft

    # ------------------------------------------------------------------ painting

    def paint(self, painter: QPainter, rect: QRectF) -> None:
        """Paint what lies on the slice that the pane shows, and what is being drawn."""
        for mark in self._marks():
            paint_mark(painter, rect, mark, selected=mark.annotation is self._session.selected)
        if self._draft is not None and self._pane.shows(self._draft.plane):
            paint_mark(painter, rect, self._mark_of(self._draft), selected=True)

    def _marks(self) -> list[Mark]:
        shown = [one for one in self._session.annotations if self._pane.shows(one.plane)]
        return [self._mark_of(one) for one in shown]

    def _mark_of(self, annotation: Annotation) -> Mark:
        return build_mark(annotation, self._session.measure(annotation), self._pane.pixel_of)

    # ------------------------------------------------------------------ mouse

    def press(self, event: QMouseEvent) -> bool:
        """Begin to draw or to move."""
        if event.button() != Qt.MouseButton.LeftButton:
            return False
        if self.is_drawing:
            self._pressed = event.position()
            self._drop_stale()
            self._first_press = self._draft is None
            self._put(event.position())
            return True
        return self._session.pen is None and self._take_hold(event.position())

    def move(self, event: QMouseEvent) -> bool:
        """Follow the mouse."""
        if event.buttons() & (Qt.MouseButton.RightButton | Qt.MouseButton.MiddleButton):
            return False
        if self._grip is not None and event.buttons() & Qt.MouseButton.LeftButton:
            self._drag(event.position())
            return True
        if self._draft is None:
            return False
        self._drop_stale()
        pressed = bool(event.buttons() & Qt.MouseButton.LeftButton)
        if self._draft is not None and (point := self._pane.point_at(event.position())) is not None:
            if self._draft.kind is AnnotationKind.FREEHAND:
                if pressed:
                    self._extend(event.position(), point)
            else:
                self._stretch(point)
        return pressed

    def release(self, event: QMouseEvent) -> bool:
        """Place a point, or let go."""
        if event.button() != Qt.MouseButton.LeftButton:
            return False
        if self._grip is not None:
            self._grip = None
            self._session.history.seal()
            return True
        if self._draft is None or self._pressed is None:
            return False
        dragged = _apart(self._pressed, event.position()) > _CLICK
        self._pressed = None
        if self._draft.kind is AnnotationKind.FREEHAND:
            if dragged or len(self._draft.points_mm) >= POINT_COUNTS[AnnotationKind.FREEHAND][0]:
                self._finish()
        elif (dragged or not self._first_press) and (point := self._pane.point_at(event.position())) is not None:
            self._place(point)
        return True

    def double_click(self, event: QMouseEvent) -> bool:
        """Rename what lies there; while drawing it is a click like another."""
        if event.button() != Qt.MouseButton.LeftButton:
            return False
        if self.is_drawing:
            return self.press(event)
        found = self._find(event.position())
        if found is None:
            return False
        self._grip = None
        self.rename(found[0].annotation)
        return True

    def _take_hold(self, position: QPointF) -> bool:
        found = self._find(position)
        if found is None:
            self._session.select("")
            return False
        mark, point = found
        self._session.select(mark.annotation.id)
        start_mm = self._pane.point_at(position)
        if start_mm is not None:
            self._grip = Grip(mark.annotation, point, start_mm)
        return True

    def _find(self, position: QPointF) -> tuple[Mark, int | None] | None:
        """Return what lies at a place, and which of its points; the selected one goes first, then the newest."""
        selected = self._session.selected
        marks = self._marks()[::-1]
        marks.sort(key=lambda mark: mark.annotation is not selected)
        for mark in marks:
            near = [number for number, one in enumerate(mark.handles) if _apart(one, position) <= _HANDLE_REACH]
            if near:
                return mark, min(near, key=lambda number: _apart(mark.handles[number], position))
        reach = {id(mark): distance_to_mark(mark, position, QRectF(self._pane.rect())) for mark in marks}
        return next(((mark, None) for mark in marks if reach[id(mark)] <= _OUTLINE_REACH), None)

    def _drag(self, position: QPointF) -> None:
        grip, point_mm = self._grip, self._pane.point_at(position)
        if grip is None or point_mm is None:
            return
        if grip.point is not None and len(grip.annotation.points_mm) > 1:
            changed = grip.annotation.with_point(grip.point, point_mm)
        else:
            changed = grip.annotation.moved(np.subtract(point_mm, grip.start_mm).tolist())
        grip.moved = True
        move_annotation(self._session, changed)

    # ------------------------------------------------------------------ drawing

    def _put(self, position: QPointF) -> None:
        point = self._pane.point_at(position)
        if point is None or self._kind is None:
            return
        if self._draft is None:
            self._begin(self._kind, point)
        elif self._draft.kind is AnnotationKind.FREEHAND:
            self._extend(position, point)
        else:
            self._stretch(point)

    def _begin(self, kind: AnnotationKind, point: PointMm) -> None:
        plane = self._pane.shown_plane()
        if plane is None or len(self._session.annotations) >= MAX_ANNOTATIONS:
            self._session.set_pen(None)
            return
        count = 1 if kind is AnnotationKind.FREEHAND else POINT_COUNTS[kind][0]
        self._draft, self._placed = build_annotation(kind, [point] * count, plane), 1
        if kind is AnnotationKind.TEXT:
            draft, self._draft = self._draft, None
            self._session.set_pen(None)
            self._edit(draft, lambda label: self._add_text(replace(draft, label=label)))
        self._pane.update()

    def _add_text(self, annotation: Annotation) -> None:
        if annotation.label:
            add_annotation(self._session, annotation)

    def _stretch(self, point: PointMm) -> None:
        """Let the points that are not placed yet follow."""
        if self._draft is not None:
            placed = self._draft.points_mm[: self._placed]
            rest = len(self._draft.points_mm) - self._placed
            self._draft = replace(self._draft, points_mm=(*placed, *[point] * rest))
            self._pane.update()

    def _extend(self, position: QPointF, point: PointMm) -> None:
        """Let a freehand outline follow; a point every few pixels is enough."""
        if self._draft is None or len(self._draft.points_mm) >= MAX_POINTS:
            return
        if _apart(self._pane.pixel_of(self._draft.points_mm[-1]), position) >= _STEP:
            self._draft = replace(self._draft, points_mm=(*self._draft.points_mm, point))
            self._pane.update()

    def _place(self, point: PointMm) -> None:
        self._stretch(point)
        self._placed += 1
        if self._draft is not None and self._placed >= len(self._draft.points_mm):
            self._finish()

    def _finish(self) -> None:
        draft, self._draft = self._draft, None
        if draft is not None:
            least = POINT_COUNTS[draft.kind][0]
            points = tuple(build_annotation(draft.kind, draft.points_mm, draft.plane).points_mm)
            if len(points) >= least and len(set(points)) >= min(least, 2):
                add_annotation(self._session, replace(draft, points_mm=points))
        self._session.set_pen(None)
        self._pane.update()

    def cancel(self) -> None:
        """Leave off what is being drawn or moved."""
        if self._editor is not None:
            self._editor.cancel()
        if self._grip is not None and self._grip.moved:
            self._session.history.drop_last()
        self._draft = self._grip = self._pressed = None
        self._pane.update()

    def _drop_stale(self) -> None:
        """What was begun on another slice cannot go on here."""
        if self._draft is not None and not self._pane.shows(self._draft.plane):
            self._draft = None

    def _follow_pen(self, pen: StrEnum | None) -> None:
        if self._draft is not None and self._draft.kind is not pen:
            self._draft = None
        self._pane.setCursor(Qt.CursorShape.ArrowCursor if pen is None else Qt.CursorShape.CrossCursor)
        self._pane.update()

    # ------------------------------------------------------------------ keys

    def key(self, event: QKeyEvent) -> bool:
        """Follow a key without Ctrl or Alt."""
        key, selected = Qt.Key(event.key()), self._session.selected
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        match key:
            case Qt.Key.Key_Escape:
                return self._leave_off()
            case Qt.Key.Key_Delete | Qt.Key.Key_Backspace if selected is not None:
                delete_selected(self._session)
            case Qt.Key.Key_F2 if selected is not None:
                self.rename(selected)
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if self.is_drawing:
                self._place_at_crosshair()
            case _ if key in _ARROWS and self.is_drawing:
                self._step(_ARROWS[key], _FAR_KEY_STEP if shift else 1)
            case _ if key in _ARROWS and shift and selected is not None and self._pane.shows(selected.plane):
                move_annotation(self._session, selected.moved(self._pane.step_mm(*_ARROWS[key])))
            case _:
                return False
        return True

    def _leave_off(self) -> bool:
        if self._draft is not None or self._grip is not None:
            self.cancel()
        elif self.is_drawing:
            self._session.set_pen(None)
        elif self._session.selected is not None:
            self._session.select("")
        else:
            return False
        return True

    def _step(self, direction: tuple[int, int], pixels: int) -> None:
        self._pane.step_crosshair(direction[0] * pixels, direction[1] * pixels)
        self._drop_stale()
        if self._draft is not None and self._draft.kind is not AnnotationKind.FREEHAND:
            self._stretch(self._pane.on_slice(self._session.crosshair_mm))

    def _place_at_crosshair(self) -> None:
        point = self._pane.on_slice(self._session.crosshair_mm)
        self._drop_stale()
        if self._draft is None:
            if self._kind is not None:
                self._begin(self._kind, point)
        elif self._draft.kind is not AnnotationKind.FREEHAND:
            self._place(point)
        elif _apart(self._pane.pixel_of(self._draft.points_mm[-1]), self._pane.pixel_of(point)) < 1e-3:
            self._finish()  # Enter twice at one place closes the outline
        else:
            self._draft = replace(self._draft, points_mm=(*self._draft.points_mm, point)[:MAX_POINTS])
            self._pane.update()

    # ------------------------------------------------------------------ names

    def rename(self, annotation: Annotation) -> None:
        """Let the reader type another label where the annotation stands."""
        self._edit(annotation, lambda label: rename_annotation(self._session, annotation.id, label))

    def _edit(self, annotation: Annotation, take: Callable[[str], object]) -> None:
        if self._editor is not None:
            self._editor.commit()
        place = self._mark_of(annotation).text_rect(QRectF(self._pane.rect())).topLeft().toPoint()
        self._editor = LabelEditor(annotation.label, take, self._forget_editor, self._pane)
        self._editor.move(max(min(place.x(), self._pane.width() - self._editor.width()), 0), place.y())
        self._editor.show()
        self._editor.setFocus()

    def _forget_editor(self) -> None:
        self._editor = None
        self._pane.setFocus()


class LabelEditor(QLineEdit):
    """A field on the picture: Enter takes what is typed, Esc leaves it."""

    def __init__(
        self, text: str, take: Callable[[str], object], done: Callable[[], object], parent: QWidget | None
    ) -> None:
        super().__init__(text, parent)
        self._take, self._done, self._over = take, done, False
        self.setAccessibleName("Label of the annotation")
        self.setPlaceholderText("label")
        self.setFixedWidth(180)
        self.selectAll()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.commit()
        elif event.key() == Qt.Key.Key_Escape:
            self.cancel()
        else:
            super().keyPressEvent(event)
            event.accept()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() not in (Qt.FocusReason.PopupFocusReason, Qt.FocusReason.ActiveWindowFocusReason):
            self.commit()

    def commit(self) -> None:
        """Take what is typed."""
        self._end(clean_label(self.text()))

    def cancel(self) -> None:
        """Leave it as it was."""
        self._end(None)

    def _end(self, label: str | None) -> None:
        if self._over:
            return
        self._over = True
        self.hide()
        self._done()
        if label is not None:
            self._take(label)
        self.deleteLater()


def _apart(first: QPointF, second: QPointF) -> float:
    return float(np.hypot(first.x() - second.x(), first.y() - second.y()))
