"""About and keys."""

from __future__ import annotations

from PySide6.QtWidgets import QDialogButtonBox, QLabel, QMainWindow, QTableWidget
from pytestqt.qtbot import QtBot

import star_core
from star_viewer.actions import SPECS, Actions
from star_viewer.dialogs.about import AboutDialog, KeysDialog


def _close(dialog: AboutDialog | KeysDialog) -> None:
    dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Close).click()


def test_about_tells_version_notice_and_what_the_models_learnt_from(qtbot: QtBot) -> None:
    dialog = AboutDialog()
    qtbot.addWidget(dialog)
    dialog.show()
    texts = " ".join(label.text() for label in dialog.findChildren(QLabel))
    assert star_core.__version__ in texts
    assert star_core.RESEARCH_NOTICE in texts
    assert "synthetic" in texts
    _close(dialog)
    assert not dialog.isVisible()


def test_keys_lists_every_key_once_with_what_it_does(qtbot: QtBot) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    dialog = KeysDialog(Actions(window).all(), window)
    dialog.show()
    table = dialog.findChild(QTableWidget)
    rows = {table.item(row, 0).text(): table.item(row, 1).text() for row in range(table.rowCount())}
    for spec in SPECS:
        if spec.key:
            assert rows[spec.key] == spec.tooltip
    assert rows["Double click"]
    assert "" not in rows
    _close(dialog)
    assert not dialog.isVisible()
