"""Every action by typing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMainWindow
from pytestqt.qtbot import QtBot

from star_viewer.actions import SPECS, Actions
from star_viewer.dialogs.palette import PaletteDialog


@pytest.fixture
def actions(qtbot: QtBot) -> Iterator[Actions]:
    window = QMainWindow()
    qtbot.addWidget(window)
    yield Actions(window)
    window.close()


@pytest.fixture
def palette(qtbot: QtBot, actions: Actions) -> PaletteDialog:
    dialog = PaletteDialog(actions.listed(), actions["keys"].parent())
    dialog.show()
    qtbot.waitExposed(dialog)
    return dialog


def test_all_actions_are_listed_until_something_is_typed(palette: PaletteDialog) -> None:
    assert len(palette.found()) == len(SPECS)
    assert not palette.nothing.isVisible()


def test_words_in_any_order_find_an_action_and_return_runs_it(
    qtbot: QtBot, actions: Actions, palette: PaletteDialog
) -> None:
    run: list[str] = []
    actions["rotate_left"].triggered.connect(lambda: run.append("left"))
    qtbot.keyClicks(palette.search, "left ROT")
    assert palette.found()[0] is actions["rotate_left"]
    qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    assert run == ["left"]
    assert not palette.isVisible()


def test_arrows_walk_through_the_list_while_one_types(qtbot: QtBot, actions: Actions, palette: PaletteDialog) -> None:
    run: list[str] = []
    actions["layout_two"].triggered.connect(lambda: run.append("two"))
    palette.search.setText("layout")
    qtbot.keyClicks(palette.search, "")
    palette.search.setText("views")
    wanted = palette.found().index(actions["layout_two"])
    for _ in range(wanted):
        qtbot.keyClick(palette.search, Qt.Key.Key_Down)
    qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    assert run == ["two"]


def test_what_begins_with_the_words_comes_first(palette: PaletteDialog, actions: Actions) -> None:
    palette.search.setText("find an")
    assert palette.found()[0] is actions["palette"]


def test_nothing_found_is_said_and_return_does_nothing(qtbot: QtBot, palette: PaletteDialog) -> None:
    palette.search.setText("xyzzy")
    assert palette.found() == []
    assert palette.nothing.isVisible()
    qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    assert palette.isVisible()


def test_disabled_actions_are_left_out(qtbot: QtBot, actions: Actions) -> None:
    actions["export"].setEnabled(False)
    dialog = PaletteDialog(actions.listed(), actions["keys"].parent())
    assert actions["export"] not in dialog.found()
