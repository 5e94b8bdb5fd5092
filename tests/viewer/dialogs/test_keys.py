"""All keys by group."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QDialogButtonBox, QMainWindow
from pytestqt.qtbot import QtBot

from star_viewer.actions import SPECS, Actions
from star_viewer.dialogs.keys import KeysDialog


@pytest.fixture
def dialog(qtbot: QtBot) -> Iterator[KeysDialog]:
    window = QMainWindow()
    qtbot.addWidget(window)
    dialog = KeysDialog(Actions(window).listed(), window)
    dialog.show()
    yield dialog
    window.close()


def test_every_key_stands_once_with_what_it_does(dialog: KeysDialog) -> None:
    lines = dict(dialog.shown())
    for spec in SPECS:
        if spec.key:
            assert lines[spec.key] == spec.tooltip
    assert len(lines) == len(dialog.shown())
    assert lines["Double click, Return"]
    dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Close).click()
    assert not dialog.isVisible()


def test_groups_follow_the_menus(dialog: KeysDialog) -> None:
    groups = [group.text(0) for group in dialog._groups()]
    assert groups[0] == "In a view"
    assert set(groups[1:]) == {spec.menu for spec in SPECS}


@pytest.mark.parametrize(("typed", "key"), [("rotate right", "."), ("cut open", "K"), ("ctrl+k", "Ctrl+K")])
def test_typing_leaves_the_lines_that_hold_it(dialog: KeysDialog, typed: str, key: str) -> None:
    dialog.search.setText(typed)
    assert key in dict(dialog.shown())
    assert len(dialog.shown()) <= 3
    dialog.search.setText("")
    assert len(dialog.shown()) > 50
