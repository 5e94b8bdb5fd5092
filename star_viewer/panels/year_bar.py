"""The slider is the chart: twelve bars, each year's risk of recurrence; the year shown is the one with the frame."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen, QWheelEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from star_core.report.palette import RISK_RGB
from star_core.types import N_YEARS, Assessment, Forecast
from star_viewer.session import IncidenceMode, Session
from star_viewer.theme import GRID

PLAY_INTERVAL_MS = 700


class YearBar(QWidget):
    """Play button, year, bars and the cumulative/annual switch."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.play_button = QToolButton()
        self.play_button.setText("▶")
        self.play_button.setCheckable(True)
        self.play_button.setToolTip("Play the years (Space)")
        self.play_button.setAccessibleName("Play the years")
        self.label = QLabel()
        self.label.setMinimumWidth(12 * GRID)
        self.bars = YearBars(session)
        self.mode_button = QToolButton()
        self.mode_button.setCheckable(True)
        self.mode_button.setToolTip("Risk up to the year, or the part that the year adds (M)")
        self.mode_button.setAccessibleName("Cumulative or annual risk")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(GRID, GRID // 2, GRID, GRID // 2)
        for widget in (self.play_button, self.label, self.bars, self.mode_button):
            layout.addWidget(widget, 1 if widget is self.bars else 0)
        self._timer = QTimer(self, interval=PLAY_INTERVAL_MS)
        self._timer.timeout.connect(self._advance)
        self.play_button.toggled.connect(self._set_playing)
        self.mode_button.toggled.connect(self._set_annual)
        session.year_changed.connect(self._show_year)
        session.incidence_mode_changed.connect(self._show_mode)
        self._show_year(session.year)
        self._show_mode(session.incidence_mode)

    @property
    def playing(self) -> bool:
        """Whether the years advance by themselves."""
        return self._timer.isActive()

    def toggle_play(self) -> None:
        """Start or stop playing."""
        self.play_button.toggle()

    def _set_playing(self, playing: bool) -> None:
        self.play_button.setText("⏸" if playing else "▶")
        self._timer.start() if playing else self._timer.stop()

    def _advance(self) -> None:
        self._session.set_year(self._session.year % N_YEARS + 1)

    def _set_annual(self, annual: bool) -> None:
        self._session.set_incidence_mode(IncidenceMode.ANNUAL if annual else IncidenceMode.CUMULATIVE)

    def _show_year(self, year: int) -> None:
        self.label.setText(f"year <b>{year}</b> of {N_YEARS}")

    def _show_mode(self, mode: IncidenceMode) -> None:
        self.mode_button.setChecked(mode is IncidenceMode.ANNUAL)
        self.mode_button.setText(mode.value)


class YearBars(QWidget):
    """The bars. Click, drag, wheel, arrow keys, Home and End choose the year."""

    changed_by_user = Signal(int)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._values = np.zeros(N_YEARS)
        self._supported = np.ones(N_YEARS, dtype=bool)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Postoperative year")
        self.setMouseTracking(True)
        session.year_changed.connect(self._refresh)
        session.incidence_mode_changed.connect(self._refresh)
        session.assessment_changed.connect(self._take)
        self._take(session.assessment)

    def sizeHint(self) -> QSize:
        return QSize(80 * GRID, 7 * GRID)

    def minimumSizeHint(self) -> QSize:
        return QSize(40 * GRID, 7 * GRID)

    def _take(self, assessment: Assessment | None) -> None:
        forecast = None if assessment is None else assessment.forecast
        self._supported = np.ones(N_YEARS, dtype=bool) if forecast is None else forecast.supported
        self._forecast: Forecast | None = forecast
        self._refresh()

    def _refresh(self, *_: object) -> None:
        self._values = np.zeros(N_YEARS)
        if self._forecast is not None:
            cumulative = self._forecast.any_recurrence
            annual = np.diff(cumulative, prepend=0.0)
            self._values = cumulative if self._session.incidence_mode is IncidenceMode.CUMULATIVE else annual
        year = self._session.year
        self.setAccessibleDescription(f"Year {year}: {100 * self._values[year - 1]:.1f} % recurrence")
        self.update()

    # ------------------------------------------------------------------ input

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._choose(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._choose(event.position().x())
        index = self._index_at(event.position().x())
        unsupported = "" if self._supported[index] else ", fewer than 10 training patients at risk"
        self.setToolTip(f"Year {index + 1}: {100 * self._values[index]:.1f} % recurrence{unsupported}")

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._session.set_year(self._session.year + (1 if event.angleDelta().y() > 0 else -1))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        year = self._session.year
        match event.key():
            case Qt.Key.Key_Left | Qt.Key.Key_Down:
                self._session.set_year(year - 1)
            case Qt.Key.Key_Right | Qt.Key.Key_Up:
                self._session.set_year(year + 1)
            case Qt.Key.Key_Home:
                self._session.set_year(1)
            case Qt.Key.Key_End:
                self._session.set_year(N_YEARS)
            case _:
                super().keyPressEvent(event)

    def _choose(self, x: float) -> None:
        self._session.set_year(self._index_at(x) + 1)

    def _index_at(self, x: float) -> int:
        return min(max(int(x / max(self.width(), 1) * N_YEARS), 0), N_YEARS - 1)

    # ------------------------------------------------------------------ painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        top = max(float(self._values.max()), 0.05)
        for index in range(N_YEARS):
            self._paint_year(painter, index, float(self._values[index]) / top)
        if self.hasFocus():
            painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Highlight), 1))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def _paint_year(self, painter: QPainter, index: int, share: float) -> None:
        width = self.width() / N_YEARS
        cell = QRectF(index * width + 2, 2, width - 4, self.height() - 4)
        palette = self.palette()
        current = index + 1 == self._session.year
        text_height = 2 * GRID
        height = max((cell.height() - text_height - 2) * share, 1.0)
        bar = QRectF(cell.left(), cell.bottom() - text_height - height, cell.width(), height)
        colour = QColor(*RISK_RGB[min(int(share * len(RISK_RGB)), len(RISK_RGB) - 1)])
        if self._supported[index]:
            painter.fillRect(bar, colour)
        else:
            painter.setBrush(QColor(palette.color(QPalette.ColorRole.Mid)))
            painter.fillRect(bar, palette.color(QPalette.ColorRole.Mid))
            colour.setAlpha(150)
            painter.setBrush(colour)
            painter.fillRect(bar, painter.brush())
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(Qt.BrushStyle.BDiagPattern)
            painter.drawRect(bar)
        font = QFont(self.font())
        font.setBold(current)
        painter.setFont(font)
        painter.setPen(palette.color(QPalette.ColorRole.Text if current else QPalette.ColorRole.PlaceholderText))
        label = QRectF(cell.left(), cell.bottom() - text_height, cell.width(), text_height)
        value = f"{index + 1}  ·  {100 * self._values[index]:.0f} %" if self._forecast is not None else str(index + 1)
        painter.drawText(label, Qt.AlignmentFlag.AlignCenter, value)
        if current:
            painter.setPen(QPen(palette.color(QPalette.ColorRole.Highlight), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(cell, 3, 3)
