"""What this program is, and the keys it knows."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

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


class KeysDialog(QDialog):
    """All keys, as the actions define them."""

    def __init__(self, actions: Iterable[QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        keyed = [action for action in actions if not action.shortcut().isEmpty()]
        extra = (
            ("Arrow keys, wheel", "Next and previous slice (in a view)"),
            ("Page up, page down", "Ten slices"),
            ("Right drag", "Window and level"),
            ("Middle drag, Ctrl + wheel", "Pan, zoom"),
            ("Double click", "One view large, and back; on an annotation: rename it"),
            ("F2, Del, Shift + arrows", "Rename, delete, move the selected annotation"),
            ("Arrows, Enter while drawing", "Move the crosshair, place a point"),
        )
        native = QKeySequence.SequenceFormat.NativeText
        rows = [(a.shortcut().toString(native), a.toolTip().rpartition(" (")[0]) for a in keyed]
        table = QTableWidget(len(rows) + len(extra), 2)
        table.setHorizontalHeaderLabels(["Key", "Does"])
        table.verticalHeader().hide()
        table.horizontalHeader().setStretchLastSection(True)
        for row, texts in enumerate([*rows, *extra]):
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setFlags(Qt.ItemFlag.ItemIsEnabled)
                table.setItem(row, column, item)
        table.resizeColumnsToContents()
        table.setMinimumSize(60 * GRID, 60 * GRID)
        _fill(self, table)


def _fill(dialog: QDialog, *widgets: QWidget) -> None:
    layout = QVBoxLayout(dialog)
    layout.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, 2 * GRID)
    layout.setSpacing(2 * GRID)
    for widget in widgets:
        layout.addWidget(widget)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.close)
    layout.addWidget(buttons)
