"""A patient's studies in time."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from star_viewer.browser.timeline import Timeline
from tests.viewer.shelves import FakeStudy

STUDIES = (
    FakeStudy(1, date="2025-01-01"),
    FakeStudy(2, date="2025-01-02"),
    FakeStudy(3, date="2026-01-01"),
    FakeStudy(4, date=""),
)


@pytest.fixture
def timeline(qtbot: QtBot) -> Timeline:
    timeline = Timeline()
    qtbot.addWidget(timeline)
    timeline.resize(400, 56)
    timeline.show_studies(STUDIES, 3)
    return timeline


def test_one_study_is_no_timeline(timeline: Timeline) -> None:
    assert timeline.isVisible()
    timeline.show_studies(STUDIES[:1], 1)
    assert not timeline.isVisible()


def test_marks_stand_in_proportion_to_time_and_never_on_each_other(timeline: Timeline) -> None:
    first, second, last = timeline.places()
    assert 20 <= second - first < 40
    assert last - second > 250


def test_keys_choose_and_open(qtbot: QtBot, timeline: Timeline) -> None:
    assert timeline.current == 3
    with qtbot.waitSignal(timeline.chosen, check_params_cb=lambda study: study == 2):
        qtbot.keyClick(timeline, Qt.Key.Key_Left)
    with qtbot.waitSignal(timeline.opened, check_params_cb=lambda study: study == 2):
        qtbot.keyClick(timeline, Qt.Key.Key_Return)
    qtbot.keyClick(timeline, Qt.Key.Key_Home)
    assert timeline.current == 1
    assert "2025-01-01" in timeline.accessibleDescription()


def test_clicks_choose_and_open(qtbot: QtBot, timeline: Timeline) -> None:
    place = QPoint(round(timeline.places()[0]), 20)
    with qtbot.waitSignal(timeline.chosen, check_params_cb=lambda study: study == 1):
        qtbot.mouseClick(timeline, Qt.MouseButton.LeftButton, pos=place)
    with qtbot.waitSignal(timeline.opened, check_params_cb=lambda study: study == 1):
        qtbot.mouseDClick(timeline, Qt.MouseButton.LeftButton, pos=place)


def test_it_is_painted_with_its_dates(timeline: Timeline) -> None:
    picture = timeline.grab().toImage()
    colours = {picture.pixel(x, y) for x in range(0, picture.width(), 2) for y in range(picture.height())}
    assert len(colours) > 5
