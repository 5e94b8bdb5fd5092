"""What this program is."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

import star_core
from star_viewer.theme import GRID


class AboutDialog(QDialog):
    """Name, version and the research notice."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("About STAR Viewer")
        title = QLabel(f"STAR Viewer {star_core.__version__}")
        title.setProperty("role", "title")
        notice = QLabel(star_core.RESEARCH_NOTICE)
        notice.setProperty("role", "notice")
        text = QLabel(
            "Projects recurrence and survival for twelve years after resection of colorectal liver metastases, and "
            "where in the liver recurrence is likely. Model star was trained on synthetic patients: its numbers say "
            "nothing about a real patient. Models clinical and clinical-cox learnt from 157 real records, without "
            "scans. None is validated for care. Works without a network. Apache-2.0."
        )
        text.setWordWrap(True)
        _fill(self, title, notice, text)


def _fill(dialog: QDialog, *widgets: QWidget) -> None:
    layout = QVBoxLayout(dialog)
    layout.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, 2 * GRID)
    layout.setSpacing(2 * GRID)
    for widget in widgets:
        layout.addWidget(widget)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.close)
    layout.addWidget(buttons)
