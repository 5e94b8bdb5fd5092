"""A field for the path of a file, with a button to choose it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget


class FileField(QWidget):
    """Holds a path; empty means none."""

    changed = Signal()

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self.edit, self.button = QLineEdit(), QPushButton("Choose…")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.edit, 1)
        layout.addWidget(self.button)
        self.setFocusProxy(self.edit)
        self.edit.textChanged.connect(lambda _: self.changed.emit())
        self.button.clicked.connect(self._choose)

    @property
    def path(self) -> Path | None:
        """The path that stands there."""
        text = self.edit.text().strip()
        return Path(text).expanduser() if text else None

    def set_text(self, text: str) -> None:
        """Show a path."""
        self.edit.setText(text)

    def setAccessibleName(self, name: str) -> None:
        super().setAccessibleName(name)
        self.edit.setAccessibleName(name)
        self.button.setAccessibleName(f"Choose {name.lower()}")

    def _choose(self) -> None:
        file, _ = QFileDialog.getOpenFileName(self, self._title, self.edit.text())
        if file:
            self.edit.setText(file)
