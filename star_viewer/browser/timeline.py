"""A patient's studies in time: one mark each, by date, chosen and opened by mouse and keys."""

from __future__ import annotations

from datetime import date
from typing import Any

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from star_viewer.theme import GRID

HEIGHT = 7 * GRID
_RADIUS = 5.0
_LEAST_GAP = 3 * GRID


class Timeline(QWidget):
    """Shows the studies of one patient, oldest at the left; hidden while there is none or one."""

    chosen = Signal(int)
    opened = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studies: tuple[Any, ...] = ()
        self._current = -1
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAccessibleName("Studies in time")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.hide()

    def show_studies(self, studies: tuple[Any, ...], current: int) -> None:
        """Show studies (``StudyRow``), oldest first, with one of them marked."""
        self._studies = tuple(study for study in studies if study.date)
        numbers = [study.id for study in self._studies]
        self._current = numbers.index(current) if current in numbers else -1
        self.setVisible(len(self._studies) > 1)
        self._describe()
        self.update()

    @property
    def current(self) -> int | None:
        """The study that is marked."""
        return self._studies[self._current].id if 0 <= self._current < len(self._studies) else None

    def places(self) -> list[float]:
        """Return where the marks stand: in proportion to time, but never so close that one hides another."""
        if not self._studies:
            return []
        days = [date.fromisoformat(study.date).toordinal() for study in self._studies]
        left, right = 4.0 * GRID, self.width() - 4.0 * GRID
        scale = (right - left) / max(days[-1] - days[0], 1)
        places = [left + (day - days[0]) * scale for day in days]
        gap = min(float(_LEAST_GAP), (right - left) / max(len(places) - 1, 1))
        for index in range(1, len(places)):
            places[index] = max(places[index], places[index - 1] + gap)
        for index in reversed(range(len(places))):
            places[index] = min(places[index], right - gap * (len(places) - 1 - index))
        return places

    # ------------------------------------------------------------------ Qt

    def sizeHint(self) -> QSize:
        return QSize(30 * GRID, HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        palette = self.palette()
        ink, faint = (palette.color(role) for role in (QPalette.ColorRole.Text, QPalette.ColorRole.PlaceholderText))
        accent = palette.color(QPalette.ColorRole.Highlight)
        places, middle = self.places(), 2.5 * GRID
        painter.setPen(QPen(palette.color(QPalette.ColorRole.Mid), 2))
        painter.drawLine(QPointF(places[0], middle), QPointF(places[-1], middle))
        for index in sorted(range(len(places)), key=lambda index: index == self._current):
            marked = index == self._current
            painter.setPen(QPen(accent if marked else faint, 2))
            painter.setBrush(accent if marked else palette.color(QPalette.ColorRole.Window))
            painter.drawEllipse(QPointF(places[index], middle), _RADIUS, _RADIUS)
        self._paint_labels(painter, places, (ink, faint))
        if self.hasFocus():
            painter.setPen(QPen(accent, 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(0.5, 0.5, self.width() - 1, self.height() - 1))

    def _paint_labels(self, painter: QPainter, places: list[float], inks: tuple[QColor, QColor]) -> None:
        """Write dates beneath the marks; the marked one first, the others where there is room."""
        metrics = painter.fontMetrics()
        written: list[tuple[float, float]] = []
        for index in sorted(range(len(places)), key=lambda index: (index != self._current, -index)):
            study = self._studies[index]
            width = float(metrics.horizontalAdvance(study.date))
            left = min(max(places[index] - width / 2, 2.0), self.width() - width - 2.0)
            if any(left < end + GRID and start < left + width + GRID for start, end in written):
                continue
            written.append((left, left + width))
            painter.setPen(inks[index != self._current])
            painter.drawText(QPointF(left, 4.5 * GRID + metrics.ascent() / 2), study.date)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        last = len(self._studies) - 1
        steps = {Qt.Key.Key_Left: self._current - 1, Qt.Key.Key_Right: self._current + 1, Qt.Key.Key_Home: 0}
        steps[Qt.Key.Key_End] = last
        key = Qt.Key(event.key())
        if key in steps and not event.modifiers().value:
            self._choose(min(max(steps[key], 0), last))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.current is not None:
            self.opened.emit(self.current)
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self._index_near(event.position().x())
        if index is not None:
            self._choose(index)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self.current is not None:
            self.opened.emit(self.current)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        index = self._index_near(event.position().x())
        if index is not None:
            QToolTip.showText(event.globalPosition().toPoint(), _in_words(self._studies[index]), self)

    def _index_near(self, x: float) -> int | None:
        distances = [(abs(place - x), index) for index, place in enumerate(self.places())]
        return min(distances)[1] if distances and min(distances)[0] <= 2 * GRID else None

    def _choose(self, index: int) -> None:
        if index != self._current:
            self._current = index
            self._describe()
            self.update()
            self.chosen.emit(self._studies[index].id)

    def _describe(self) -> None:
        if 0 <= self._current < len(self._studies):
            self.setAccessibleDescription(_in_words(self._studies[self._current]))


def _in_words(study: Any) -> str:
    return " · ".join(filter(None, (study.date, study.description, " ".join(study.modalities))))
