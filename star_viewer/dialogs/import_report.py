"""What could not be imported, and why; blocks nothing and can be copied."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from star_viewer.theme import GRID


class ImportReportDialog(QDialog):
    """Lists the files of an import that failed (values of ``FailedFile``)."""

    def __init__(self, failed: tuple[Any, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Files that were not imported")
        self.resize(90 * GRID, 50 * GRID)
        self._failed = failed
        self.table = QTableWidget(len(failed), 2)
        self.table.setHorizontalHeaderLabels(["File", "Why not"])
        self.table.setAccessibleName("Files that were not imported")
        self.table.verticalHeader().hide()
        self.table.setWordWrap(False)
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setTabKeyNavigation(False)
        self.table.horizontalHeader().setStretchLastSection(True)
        self.table.setColumnWidth(0, 40 * GRID)
        for row, one in enumerate(failed):
            for column, text in enumerate((one.label, one.reason)):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                self.table.setItem(row, column, item)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.copy_button = buttons.addButton("Copy the list", QDialogButtonBox.ButtonRole.ActionRole)
        self.copy_button.clicked.connect(self.copy)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        layout.addWidget(QLabel("Everything else came in. The files themselves were not changed."))
        layout.addWidget(self.table, 1)
        layout.addWidget(buttons)

    def copy(self) -> None:
        """Put the list on the clipboard, a line for each file."""
        QGuiApplication.clipboard().setText("\n".join(f"{one.label}\t{one.reason}" for one in self._failed))
