"""The slider that is the chart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from star_core.types import N_YEARS
from star_viewer.panels.year_bar import YearBar, YearBars
from star_viewer.session import IncidenceMode, Session
from tests.viewer.fakes import RECORD, build_full_assessment
from tests.viewer.scene.factory import build_case

ASSESSMENT = build_full_assessment(replace(build_case(), clinical=RECORD))


@pytest.fixture
def bar(qtbot: QtBot, session: Session) -> YearBar:
    bar = YearBar(session)
    qtbot.addWidget(bar)
    bar.resize(1000, 60)
    bar.show()
    qtbot.waitExposed(bar)
    return bar


def _middle_of(bars: YearBars, year: int) -> QPoint:
    return QPoint(round((year - 0.5) * bars.width() / N_YEARS), bars.height() // 2)


def _move(bars: YearBars, year: int, buttons: Qt.MouseButton) -> None:
    place = QPointF(_middle_of(bars, year))
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        place,
        bars.mapToGlobal(place),
        Qt.MouseButton.NoButton,
        buttons,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(bars, event)


def _turn_wheel(bars: YearBars, steps: int) -> None:
    middle = QPointF(bars.rect().center())
    event = QWheelEvent(
        middle,
        bars.mapToGlobal(middle),
        QPoint(),
        QPoint(0, 120 * steps),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(bars, event)


@pytest.mark.parametrize("year", [1, 6, 12])
def test_a_click_on_a_bar_chooses_its_year(qtbot: QtBot, session: Session, bar: YearBar, year: int) -> None:
    qtbot.mouseClick(bar.bars, Qt.MouseButton.LeftButton, pos=_middle_of(bar.bars, year))
    assert session.year == year
    assert f"<b>{year}</b> of 12" in bar.label.text()


def test_dragging_runs_through_the_years(session: Session, bar: YearBar) -> None:
    seen: list[int] = []
    session.year_changed.connect(seen.append)
    for year in (2, 3, 4, 3):
        _move(bar.bars, year, Qt.MouseButton.LeftButton)
    assert seen == [2, 3, 4, 3]


def test_the_pointer_alone_reads_values_and_changes_nothing(session: Session, bar: YearBar) -> None:
    session.set_assessment(ASSESSMENT)
    _move(bar.bars, 5, Qt.MouseButton.NoButton)
    assert session.year == 1
    assert f"{100 * ASSESSMENT.forecast.any_recurrence[4]:.1f} %" in bar.bars.toolTip()


def test_unsupported_years_say_so(session: Session, bar: YearBar) -> None:
    session.set_assessment(ASSESSMENT)
    _move(bar.bars, 9, Qt.MouseButton.NoButton)
    assert "fewer than 10" not in bar.bars.toolTip()
    _move(bar.bars, 10, Qt.MouseButton.NoButton)
    assert "fewer than 10 training patients" in bar.bars.toolTip()


def test_wheel_and_keys_step_and_stop_at_the_ends(qtbot: QtBot, session: Session, bar: YearBar) -> None:
    _turn_wheel(bar.bars, 1)
    assert session.year == 2
    _turn_wheel(bar.bars, -1)
    _turn_wheel(bar.bars, -1)
    assert session.year == 1
    for key, year in (
        (Qt.Key.Key_End, 12),
        (Qt.Key.Key_Right, 12),
        (Qt.Key.Key_Left, 11),
        (Qt.Key.Key_Down, 10),
        (Qt.Key.Key_Up, 11),
        (Qt.Key.Key_Home, 1),
        (Qt.Key.Key_Left, 1),
    ):
        qtbot.keyClick(bar.bars, key)
        assert session.year == year


def test_playing_runs_through_the_years_and_begins_again(qtbot: QtBot, session: Session, bar: YearBar) -> None:
    bar._timer.setInterval(5)
    seen: list[int] = []
    session.year_changed.connect(seen.append)
    session.set_year(10)
    bar.toggle_play()
    assert bar.playing
    qtbot.waitUntil(lambda: len(seen) >= 5)
    bar.toggle_play()
    assert not bar.playing
    assert seen[:5] == [10, 11, 12, 1, 2]


def test_the_switch_changes_between_cumulative_and_annual(qtbot: QtBot, session: Session, bar: YearBar) -> None:
    assert bar.mode_button.text() == "cumulative"
    qtbot.mouseClick(bar.mode_button, Qt.MouseButton.LeftButton)
    assert session.incidence_mode is IncidenceMode.ANNUAL
    assert bar.mode_button.text() == "annual"
    session.set_incidence_mode(IncidenceMode.CUMULATIVE)
    assert not bar.mode_button.isChecked()


def test_bars_show_the_risk_up_to_the_year_or_the_part_it_adds(session: Session, bar: YearBar) -> None:
    session.set_assessment(ASSESSMENT)
    session.set_year(3)
    cumulative = ASSESSMENT.forecast.any_recurrence
    assert bar.bars.accessibleDescription() == f"Year 3: {100 * cumulative[2]:.1f} % recurrence"
    session.set_incidence_mode(IncidenceMode.ANNUAL)
    added = cumulative[2] - cumulative[1]
    assert bar.bars.accessibleDescription() == f"Year 3: {100 * added:.1f} % recurrence"
    assert np.allclose(bar.bars._values.sum(), cumulative[-1])


def test_the_frame_of_the_year_moves_with_the_session(session: Session, bar: YearBar) -> None:
    session.set_assessment(ASSESSMENT)
    before = bar.bars.grab().toImage()
    session.set_year(8)
    after = bar.bars.grab().toImage()
    left = int(bar.bars.width() / N_YEARS * 7)
    assert before.copy(left, 0, 40, before.height()) != after.copy(left, 0, 40, after.height())
    middle = int(bar.bars.width() / N_YEARS * 4)
    assert before.copy(middle, 0, 40, before.height()) == after.copy(middle, 0, 40, after.height())


def test_without_an_assessment_the_bars_are_empty(session: Session, bar: YearBar) -> None:
    session.set_assessment(ASSESSMENT)
    session.set_assessment(None)
    assert bar.bars.accessibleDescription() == "Year 1: 0.0 % recurrence"
    bar.grab()
