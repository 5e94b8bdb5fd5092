"""Search waits for a pause; filters tell at once."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from PySide6.QtCore import QDate, Qt
from pytestqt.qtbot import QtBot

from star_viewer.browser.filters import RANGE, FilterBar

Told = list[tuple[str, ...]]


@pytest.fixture
def bar(qtbot: QtBot) -> FilterBar:
    bar = FilterBar()
    qtbot.addWidget(bar)
    bar.show_values(("CT", "SEG"), ("LIVER",))
    bar.show()
    return bar


@pytest.fixture
def told(bar: FilterBar) -> Told:
    found: Told = []
    bar.changed.connect(lambda *values: found.append(values))
    return found


def _choose(bar: FilterBar, name: str, text: str) -> None:
    choice = getattr(bar, name)
    choice.setCurrentIndex(choice.findText(text))
    choice.activated.emit(choice.currentIndex())


def test_typing_tells_once_it_pauses(qtbot: QtBot, bar: FilterBar, told: Told) -> None:
    with qtbot.waitSignal(bar.changed):
        qtbot.keyClicks(bar.search, "muller")
    assert told == [("muller", "", "", "", "")]
    assert bar.is_set


def test_enter_and_down_tell_at_once_and_go_to_the_studies(qtbot: QtBot, bar: FilterBar, told: Told) -> None:
    for key, text in ((Qt.Key.Key_Return, "a"), (Qt.Key.Key_Down, "b")):
        qtbot.keyClicks(bar.search, text)
        with qtbot.waitSignal(bar.entered):
            qtbot.keyClick(bar.search, key)
    assert [values[0] for values in told] == ["a", "ab"]


def test_choices_are_told_together(bar: FilterBar, told: Told) -> None:
    _choose(bar, "modality", "CT")
    _choose(bar, "body_part", "LIVER")
    _choose(bar, "period", "7 days")
    today = date.today()
    week_ago = (today - timedelta(days=7)).isoformat()
    assert told[-1] == ("", "CT", "LIVER", week_ago, today.isoformat())


def test_a_range_of_dates_opens_two_fields(qtbot: QtBot, bar: FilterBar, told: Told) -> None:
    assert not bar.first.isVisible()
    _choose(bar, "period", RANGE)
    assert bar.first.isVisible()
    with qtbot.waitSignal(bar.changed):
        bar.first.setDate(QDate(2020, 1, 2))
        bar.last.setDate(QDate(2021, 3, 4))
    assert told[-1][3:] == ("2020-01-02", "2021-03-04")


def test_what_is_chosen_stays_when_the_values_change(bar: FilterBar, told: Told) -> None:
    _choose(bar, "modality", "SEG")
    bar.show_values(("CT", "MR"), ())
    assert bar.modality.currentText() == "SEG"
    bar.show_values(("CT", "MR", "SEG"), ())
    assert [bar.modality.itemText(index) for index in range(bar.modality.count())] == ["All kinds", "CT", "MR", "SEG"]


def test_escape_shows_everything_again(qtbot: QtBot, bar: FilterBar, told: Told) -> None:
    _choose(bar, "modality", "CT")
    bar.search.setText("x")
    qtbot.keyClick(bar.search, Qt.Key.Key_Escape)
    assert told[-1] == ("", "", "", "", "")
    assert not bar.is_set
