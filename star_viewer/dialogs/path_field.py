"""A path that can be typed or chosen, with what is wrong with it said beneath while it is typed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from star_viewer.theme import GRID

Ask = Callable[[QWidget, str, str], str]


def ask_folder(parent: QWidget, title: str, start: str) -> str:
    """Ask for a folder; empty when none was chosen."""
    return QFileDialog.getExistingDirectory(parent, title, start)


def ask_file(parent: QWidget, title: str, start: str) -> str:
    """Ask for a file that is there; empty when none was chosen."""
    return QFileDialog.getOpenFileName(parent, title, start, "CSV (*.csv);;All files (*)")[0]


def ask_new_file(parent: QWidget, title: str, start: str) -> str:
    """Ask for a file, there or not; empty when none was chosen."""
    option = QFileDialog.Option.DontConfirmOverwrite
    return QFileDialog.getSaveFileName(parent, title, start, "All files (*)", options=option)[0]


class PathField(QWidget):
    """Line, button, and a note that says what is wrong, or else what will happen."""

    changed = Signal()

    def __init__(self, name: str, title: str, ask: Ask, *, hint: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title, self._ask = title, ask
        self.is_faulty = False
        self.line = QLineEdit()
        self.line.setAccessibleName(name)
        self.line.setPlaceholderText(hint)
        self.button = QPushButton("Choose…")
        self.button.setAccessibleName(f"Choose: {name}")
        self.button.setToolTip(title)
        self.button.setAutoDefault(False)
        self.note = QLabel()
        self.note.setWordWrap(True)
        row = QHBoxLayout()
        row.addWidget(self.line, 1)
        row.addWidget(self.button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID // 2)
        layout.addLayout(row)
        layout.addWidget(self.note)
        self.setFocusProxy(self.line)
        self.line.textChanged.connect(self.changed)
        self.button.clicked.connect(self._choose)

    @property
    def text(self) -> str:
        """What was typed or chosen."""
        return self.line.text().strip()

    def show_note(self, text: str, *, problem: bool) -> None:
        """Say what is wrong, or what will happen; an empty text takes no room."""
        self.is_faulty = problem
        self.note.setText(text)
        self.note.setVisible(bool(text))
        self.line.setAccessibleDescription(text)
        self.note.setProperty("role", "problem" if problem else "faint")
        self.note.style().polish(self.note)

    def _choose(self) -> None:
        if chosen := self._ask(self, self._title, self.text):
            self.line.setText(chosen)
