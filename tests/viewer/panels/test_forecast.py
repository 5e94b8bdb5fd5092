"""The forecast's curves, its mark and its numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPalette
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from star_core.report.palette import CAUSE_LABELS
from star_core.types import CAUSES, Cause
from star_viewer.panels.forecast import ForecastPanel
from star_viewer.session import Session
from tests.viewer.fakes import RECORD, build_full_assessment
from tests.viewer.scene.factory import build_case

ASSESSMENT = build_full_assessment(replace(build_case(), clinical=RECORD))
FORECAST = ASSESSMENT.forecast
MARK = "#12ff34"  # a colour that nothing else has


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> ForecastPanel:
    panel = ForecastPanel(session)
    palette = panel.palette()
    palette.setColor(QPalette.ColorRole.Highlight, QColor(MARK))
    panel.setPalette(palette)
    qtbot.addWidget(panel)
    panel.resize(400, 420)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def _mark_columns(panel: ForecastPanel) -> list[int]:
    """Columns in which the year's mark is drawn, at a height where nothing lies over it."""
    image: QImage = panel.grab().toImage()
    row = int(panel._plot().top()) + 2

    def is_mark(x: int) -> bool:
        colour = image.pixelColor(x, row)
        return colour.green() > 180 and colour.red() < 120 and colour.blue() < 130

    return [x for x in range(image.width()) if is_mark(x)]


def _point_at(panel: ForecastPanel, year: int) -> None:
    place = QPointF(panel._x(year), 50)
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        place,
        panel.mapToGlobal(place),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(panel, event)


@pytest.mark.parametrize("year", [1, 5, 12])
def test_the_mark_follows_the_year(session: Session, panel: ForecastPanel, year: int) -> None:
    session.set_assessment(ASSESSMENT)
    session.set_year(year)
    columns = _mark_columns(panel)
    assert columns
    assert abs(sum(columns) / len(columns) - panel._x(year)) < 2


def test_the_reading_gives_each_cause_and_survival_in_per_cent(session: Session, panel: ForecastPanel) -> None:
    session.set_assessment(ASSESSMENT)
    lines = panel.reading(3).splitlines()
    assert len(lines) == len(CAUSES) + 2
    liver = FORECAST.cumulative_incidence[Cause.LIVER][2]
    around = FORECAST.intervals[Cause.LIVER.value]
    lower, upper = 100 * around.lower[2], 100 * around.upper[2]
    assert lines[0] == f"{CAUSE_LABELS[Cause.LIVER]}: {100 * liver:.1f} %  ({lower:.0f}–{upper:.0f})"
    survival, interval = FORECAST.overall_survival[2], FORECAST.intervals["overall_survival"]
    expected = f"{100 * survival:.1f} %  ({100 * interval.lower[2]:.0f}–{100 * interval.upper[2]:.0f})"
    assert lines[3] == f"Overall survival: {expected}"


def test_readers_of_the_screen_hear_the_year_shown(session: Session, panel: ForecastPanel) -> None:
    session.set_assessment(ASSESSMENT)
    session.set_year(7)
    assert panel.accessibleDescription() == panel.reading(7)


def test_a_click_chooses_the_year(qtbot: QtBot, session: Session, panel: ForecastPanel) -> None:
    session.set_assessment(ASSESSMENT)
    qtbot.mouseClick(panel, Qt.MouseButton.LeftButton, pos=QPoint(round(panel._x(6)), 60))
    assert session.year == 6


def test_a_click_beside_the_curves_changes_nothing(qtbot: QtBot, session: Session, panel: ForecastPanel) -> None:
    session.set_assessment(ASSESSMENT)
    session.set_year(6)
    qtbot.mouseClick(panel, Qt.MouseButton.LeftButton, pos=QPoint(4, 60))
    assert session.year == 6


def test_the_pointer_reads_another_year_and_leaves_the_chosen_one(session: Session, panel: ForecastPanel) -> None:
    session.set_assessment(ASSESSMENT)
    session.set_year(2)
    before = panel.grab().toImage()
    _point_at(panel, 9)
    assert panel.grab().toImage() != before
    assert session.year == 2
    QApplication.sendEvent(panel, QEvent(QEvent.Type.Leave))
    assert panel.grab().toImage() == before


def test_without_an_assessment_it_says_what_will_come(session: Session, panel: ForecastPanel) -> None:
    empty = panel.grab().toImage()
    session.set_assessment(ASSESSMENT)
    assert panel.grab().toImage() != empty
    session.set_assessment(None)
    assert panel.grab().toImage() == empty
    assert panel.reading(1) == ""


def test_no_values_of_a_closed_case_are_read_aloud(session: Session, panel: ForecastPanel) -> None:
    session.set_assessment(ASSESSMENT)
    session.set_assessment(None)
    assert panel.accessibleDescription() == ""


def test_a_forecast_without_intervals_is_drawn(session: Session, panel: ForecastPanel) -> None:
    session.set_assessment(replace(ASSESSMENT, forecast=replace(FORECAST, intervals={})))
    panel.grab()
    assert "(" not in panel.reading(1)
