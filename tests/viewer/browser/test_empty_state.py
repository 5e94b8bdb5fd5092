"""What a first start offers."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from star_core import RESEARCH_NOTICE
from star_viewer.browser.empty_state import EmptyState


@pytest.fixture
def empty(qtbot: QtBot) -> EmptyState:
    empty = EmptyState()
    qtbot.addWidget(empty)
    empty.show()
    return empty


def test_it_asks_for_a_folder_and_bears_the_research_notice(empty: EmptyState) -> None:
    texts = [label.text() for label in empty.findChildren(QLabel)]
    assert texts == ["Drop a CT folder here", RESEARCH_NOTICE]


def test_the_buttons_ask(qtbot: QtBot, empty: EmptyState) -> None:
    with qtbot.waitSignal(empty.open_asked):
        qtbot.mouseClick(empty.open_button, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(empty.demo_asked):
        qtbot.mouseClick(empty.demo_button, Qt.MouseButton.LeftButton)


def test_recent_folders_open_again(qtbot: QtBot, empty: EmptyState) -> None:
    empty.show_recent(("/data/a", "/data/b"))
    second = empty._recent_buttons[1]
    with qtbot.waitSignal(empty.recent_asked, check_params_cb=lambda folder: folder == "/data/b"):
        qtbot.mouseClick(second, Qt.MouseButton.LeftButton)


def test_a_new_list_replaces_the_old_one(empty: EmptyState) -> None:
    empty.show_recent(("/data/a", "/data/b"))
    empty.show_recent(("/data/c",))
    assert [button.text() for button in empty._recent_buttons] == ["/data/c"]
