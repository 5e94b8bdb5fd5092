"""The forecast as a journal would print it: incidence by cause as bands, survival as lines, numbers at risk beneath."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from star_core.report.palette import CAUSE_COLOURS, CAUSE_LABELS, EVENT_FREE_COLOUR, OVERALL_SURVIVAL_COLOUR
from star_core.types import CAUSES, N_YEARS, Assessment, DoubleArray, Forecast, Interval
from star_viewer.session import Session
from star_viewer.theme import GRID

_LINES = (
    ("overall_survival", "Overall survival", OVERALL_SURVIVAL_COLOUR),
    ("event_free_survival", "Event-free survival", EVENT_FREE_COLOUR),
)
_LEFT, _RIGHT, _TOP, _BOTTOM = 5 * GRID, GRID, GRID, 6 * GRID
_LEGEND_ROW = 2 * GRID + 2


class ForecastPanel(QWidget):
    """Draws the session's forecast; the pointer reads values, the slider's year is marked, a click chooses a year."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._forecast: Forecast | None = None
        self._pointed: int | None = None
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Forecast curves")
        session.assessment_changed.connect(self._take)
        session.year_changed.connect(self._refresh)
        self._take(session.assessment)

    def sizeHint(self) -> QSize:
        return QSize(46 * GRID, 44 * GRID)

    def minimumSizeHint(self) -> QSize:
        return QSize(36 * GRID, 34 * GRID)

    def reading(self, year: int) -> str:
        """Return the values of a year in per cent, one line each."""
        if self._forecast is None:
            return ""
        return "\n".join(f"{label}: {value}" for label, value, _ in self._rows(year))

    def _take(self, assessment: Assessment | None) -> None:
        self._forecast = None if assessment is None else assessment.forecast
        self._refresh()

    def _refresh(self, *_: object) -> None:
        self.setAccessibleDescription(self.reading(self._session.year))
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._pointed = self._year_at(event.position().x())
        self.update()

    def leaveEvent(self, event: object) -> None:
        self._pointed = None
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        year = self._year_at(event.position().x())
        if year is not None:
            self._session.set_year(year)

    # ------------------------------------------------------------------ numbers to places

    def _plot(self) -> QRectF:
        legend = _LEGEND_ROW * (len(CAUSES) + len(_LINES) + 1)
        return QRectF(_LEFT, _TOP, self.width() - _LEFT - _RIGHT, self.height() - _TOP - _BOTTOM - legend)

    def _x(self, year: float) -> float:
        plot = self._plot()
        return plot.left() + plot.width() * year / N_YEARS

    def _y(self, probability: float) -> float:
        plot = self._plot()
        return plot.bottom() - plot.height() * probability

    def _year_at(self, x: float) -> int | None:
        plot = self._plot()
        if not plot.left() <= x <= plot.right() + GRID:
            return None
        return min(max(round((x - plot.left()) / plot.width() * N_YEARS), 1), N_YEARS)

    def _rows(self, year: int) -> list[tuple[str, str, str]]:
        forecast = self._forecast
        if forecast is None:
            return []
        index = year - 1
        rows = [
            (
                CAUSE_LABELS[cause],
                _percent(forecast.cumulative_incidence[cause], forecast.intervals.get(cause.value), index),
                CAUSE_COLOURS[cause],
            )
            for cause in CAUSES
        ]
        for name, label, colour in _LINES:
            values: DoubleArray = getattr(forecast, name)
            rows.append((label, _percent(values, forecast.intervals.get(name), index), colour))
        return rows

    # ------------------------------------------------------------------ painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        forecast = self._forecast
        if forecast is None:
            painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
            painter.drawText(
                self.rect(), Qt.AlignmentFlag.AlignCenter, "The forecast appears here\nonce a case is assessed."
            )
            return
        self._paint_bands(painter, forecast)
        self._paint_lines(painter, forecast)
        self._paint_unsupported(painter, forecast)
        self._paint_axes(painter, forecast)
        self._paint_mark(painter)
        self._paint_legend(painter)

    def _paint_bands(self, painter: QPainter, forecast: Forecast) -> None:
        base = np.zeros(N_YEARS + 1)
        painter.setPen(Qt.PenStyle.NoPen)
        for cause in CAUSES:
            top = base + np.concatenate([[0.0], forecast.cumulative_incidence[cause]])
            colour = QColor(CAUSE_COLOURS[cause])
            colour.setAlpha(150)
            painter.setBrush(colour)
            painter.drawPolygon(self._band(base, top))
            base = top

    def _paint_lines(self, painter: QPainter, forecast: Forecast) -> None:
        for name, _, colour_name in _LINES:
            colour = QColor(colour_name)
            interval: Interval | None = forecast.intervals.get(name)
            if interval is not None:
                shade = QColor(colour)
                shade.setAlpha(45)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(shade)
                lower, upper = (np.concatenate([[1.0], bound]) for bound in (interval.lower, interval.upper))
                painter.drawPolygon(self._band(lower, upper))
            values = np.concatenate([[1.0], getattr(forecast, name)])
            painter.setPen(QPen(colour.lighter(125), 2))
            painter.drawPolyline(QPolygonF([QPointF(self._x(t), self._y(v)) for t, v in enumerate(values)]))

    def _band(self, lower: DoubleArray, upper: DoubleArray) -> QPolygonF:
        forth = [QPointF(self._x(t), self._y(float(v))) for t, v in enumerate(upper)]
        back = [QPointF(self._x(t), self._y(float(v))) for t, v in enumerate(lower)][::-1]
        return QPolygonF(forth + back)

    def _paint_unsupported(self, painter: QPainter, forecast: Forecast) -> None:
        if forecast.supported.all():
            return
        first = int(np.argmin(forecast.supported))
        plot = self._plot()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(Qt.BrushStyle.BDiagPattern)
        painter.drawRect(QRectF(self._x(first), plot.top(), plot.right() - self._x(first), plot.height()))

    def _paint_axes(self, painter: QPainter, forecast: Forecast) -> None:
        plot, faint = self._plot(), self.palette().color(QPalette.ColorRole.PlaceholderText)
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() - 1.5)
        painter.setFont(font)
        painter.setPen(QPen(faint, 1))
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())
        painter.drawLine(plot.bottomLeft(), plot.topLeft())
        for percent in range(0, 101, 20):
            y = self._y(percent / 100)
            box = QRectF(0, y - GRID, _LEFT - 5, 2 * GRID)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{percent} %")
        for year in range(1, N_YEARS + 1):
            x = self._x(year)
            painter.drawText(QRectF(x - 15, plot.bottom() + 2, 30, 2 * GRID), Qt.AlignmentFlag.AlignCenter, str(year))
            count = str(forecast.at_risk[year - 1])
            width = max(30, painter.fontMetrics().horizontalAdvance(count) + 12)  # a long one grows to the left
            box = QRectF(self._x(year - 1) + 15 - width, plot.bottom() + 4 * GRID - 2, width, 2 * GRID)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, count)
        line = QRectF(plot.left(), plot.bottom() + 2 * GRID, plot.width(), 2 * GRID)
        painter.drawText(line, Qt.AlignmentFlag.AlignCenter, "years after resection · training patients at risk:")

    def _paint_mark(self, painter: QPainter) -> None:
        plot = self._plot()
        x = self._x(self._session.year)
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Highlight), 2))
        painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))
        if self._pointed is not None and self._pointed != self._session.year:
            painter.setPen(QPen(self.palette().color(QPalette.ColorRole.PlaceholderText), 1, Qt.PenStyle.DashLine))
            painter.drawLine(
                QPointF(self._x(self._pointed), plot.top()), QPointF(self._x(self._pointed), plot.bottom())
            )

    def _paint_legend(self, painter: QPainter) -> None:
        year = self._pointed or self._session.year
        rows = [(f"By the end of year {year}", "", ""), *self._rows(year)]
        y = self._plot().bottom() + _BOTTOM + 2
        text, faint = (
            self.palette().color(role) for role in (QPalette.ColorRole.Text, QPalette.ColorRole.PlaceholderText)
        )
        painter.setFont(self.font())
        for label, value, colour in rows:
            if colour:
                painter.fillRect(QRectF(_LEFT - 3 * GRID, y + 4, GRID + 2, GRID + 2), QColor(colour))
            painter.setPen(text if colour else faint)
            row = QRectF(_LEFT - GRID, y, self.width() - _LEFT, _LEGEND_ROW)
            painter.drawText(row, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, label)
            painter.drawText(row, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, value)
            y += _LEGEND_ROW


def _percent(values: DoubleArray, interval: Interval | None, index: int) -> str:
    text = f"{100 * values[index]:.1f} %"
    if interval is None:
        return text
    return f"{text}  ({100 * interval.lower[index]:.0f}–{100 * interval.upper[index]:.0f})"
