"""What comes from a server or goes to one, how far it is, and how to stop it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from star_viewer.key_button import KeyButton
from star_viewer.theme import GRID


class TransferStrip(QWidget):
    """Stands beneath the studies while some are on their way; hidden else."""

    cancel_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = QLabel()
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.text.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress of the transfer")
        self.cancel_button = KeyButton("Stop")
        self.cancel_button.setToolTip("Stop, and forget what waits; what came is kept (Ctrl+Alt+X)")
        upper = QHBoxLayout()
        upper.addWidget(self.text, 1)
        upper.addWidget(self.cancel_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID // 2, GRID, GRID // 2)
        layout.setSpacing(GRID // 2)
        layout.addLayout(upper)
        layout.addWidget(self.bar)
        self.cancel_button.clicked.connect(self.cancel_asked)
        self.hide()

    def show_job(self, what: str, done: int = 0, total: int = 0, waiting: int = 0) -> None:
        """Show what runs, how far it is and how many wait; an empty text hides the strip."""
        self.setVisible(bool(what))
        parts = [f"{done:,} of {total:,} objects" if total else "asking the server"]
        if waiting:
            parts.append(f"{waiting} more waiting")
        if total and done >= total:
            parts[0] += ", importing"
        self.text.setText(f"{what}\n{'; '.join(parts)}")
        self.bar.setMaximum(total)
        self.bar.setValue(done)
