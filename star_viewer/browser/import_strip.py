"""What an import does, how far it is, and how to hold it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from star_viewer.theme import GRID


class ImportStrip(QWidget):
    """Stands beneath the studies while files come in or the archive moves; hidden else."""

    pause_asked = Signal()
    cancel_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = QLabel()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress of the import")
        self.pause_button = QPushButton("Pause")
        self.cancel_button = QPushButton("Stop")
        self.pause_button.setToolTip("Let the import wait, or go on (Ctrl+Shift+P)")
        self.cancel_button.setToolTip("Stop the import; what came in stays (Ctrl+Shift+X)")
        buttons = QHBoxLayout()
        buttons.addWidget(self.text, 1)
        buttons.addWidget(self.pause_button)
        buttons.addWidget(self.cancel_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, GRID // 2, 0, GRID // 2)
        layout.setSpacing(GRID // 2)
        layout.addLayout(buttons)
        layout.addWidget(self.bar)
        self._what = ""
        self.pause_button.clicked.connect(self.pause_asked)
        self.cancel_button.clicked.connect(self.cancel_asked)
        self.hide()

    def show_job(self, what: str, done: int = 0, total: int = 0) -> None:
        """Show what runs and how far it is; an empty text hides the strip."""
        self._what = what
        self.setVisible(bool(what))
        self.text.setText(f"{what}\n{done:,} of {total:,} files" if total else f"{what}…")
        self.bar.setMaximum(total)
        self.bar.setValue(done)

    def show_paused(self, paused: bool) -> None:
        """Show whether it waits."""
        self.pause_button.setText("Go on" if paused else "Pause")
        if paused:
            self.text.setText(f"{self._what}\npaused")
