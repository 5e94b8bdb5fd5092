"""About."""

from __future__ import annotations

from PySide6.QtWidgets import QDialogButtonBox, QLabel
from pytestqt.qtbot import QtBot

import star_core
from star_viewer.dialogs.about import AboutDialog


def _close(dialog: AboutDialog) -> None:
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
