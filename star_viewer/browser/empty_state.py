"""What stands in the middle while nothing is open: a large drop target and the two ways to begin."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from star_core import RESEARCH_NOTICE
from star_viewer.key_button import KeyButton
from star_viewer.theme import GRID


class EmptyState(QWidget):
    """Asks for a CT folder or the demonstration patient."""

    open_asked = Signal()
    demo_asked = Signal()
    recent_asked = Signal(str)
    study_asked = Signal(int)
    continue_asked = Signal(object)  # what was offered

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        target = QFrame()
        target.setProperty("role", "drop")
        inner = QVBoxLayout(target)
        inner.setContentsMargins(6 * GRID, 6 * GRID, 6 * GRID, 6 * GRID)
        inner.setSpacing(2 * GRID)
        title = QLabel("Drop a CT folder here")
        title.setProperty("role", "title")
        notice = QLabel(RESEARCH_NOTICE)
        notice.setProperty("role", "notice")
        self.open_button = QPushButton("Open a CT folder")
        self.open_button.setDefault(True)
        self.demo_button = QPushButton("Open the demonstration patient")
        buttons = QHBoxLayout()
        buttons.addWidget(self.open_button)
        buttons.addWidget(self.demo_button)
        self._offers = QVBoxLayout()
        self._offer_buttons: list[QPushButton] = []
        self._studies, self._recent = QVBoxLayout(), QVBoxLayout()
        self._study_buttons: list[QPushButton] = []
        self._recent_buttons: list[QPushButton] = []
        for label in (title, notice):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        inner.addLayout(self._offers)
        inner.addWidget(title)
        inner.addLayout(buttons)
        inner.addLayout(self._studies)
        inner.addLayout(self._recent)
        inner.addWidget(notice)
        outer = QVBoxLayout(self)
        outer.addStretch(1)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(target)
        row.addStretch(1)
        outer.addLayout(row)
        outer.addStretch(1)
        self.open_button.clicked.connect(self.open_asked)
        self.demo_button.clicked.connect(self.demo_asked)

    def show_offers(self, offers: tuple[tuple[Any, str], ...]) -> None:
        """Offer what was open when the program was killed, the newest as what Enter does."""
        had_focus = any(button.hasFocus() for button in self._offer_buttons)
        for button in self._offer_buttons:
            button.deleteLater()
        self._offer_buttons = []
        for offered, text in offers:
            button = KeyButton(text.replace("&", "&&"))
            button.setDefault(not self._offer_buttons)
            button.setToolTip("Open it exactly as it was when the program ended (Ctrl+Shift+K)")
            button.clicked.connect(lambda _=False, chosen=offered: self.continue_asked.emit(chosen))
            self._offers.addWidget(button)
            self._offer_buttons.append(button)
        self.open_button.setDefault(not offers)
        if offers and (had_focus or self.window().focusWidget() is None or self.isVisible()):
            self._offer_buttons[0].setFocus()

    @property
    def offers(self) -> tuple[str, ...]:
        """What is offered, in words."""
        return tuple(button.text() for button in self._offer_buttons)

    def show_recent_studies(self, studies: tuple[Any, ...]) -> None:
        """List studies of the archive (values of ``StudyRow``) that were opened before."""
        for button in self._study_buttons:
            button.deleteLater()
        self._study_buttons = []
        for study in studies:
            text = " · ".join(filter(None, (study.patient_name or "No name", study.date, study.description)))
            button = _flat_button(text, "Open this patient again")
            button.clicked.connect(lambda _=False, chosen=study.id: self.study_asked.emit(chosen))
            self._studies.addWidget(button)
            self._study_buttons.append(button)

    def show_recent(self, folders: tuple[str, ...]) -> None:
        """List folders that were opened before."""
        for button in self._recent_buttons:
            button.deleteLater()
        self._recent_buttons = []
        for folder in folders:
            button = _flat_button(folder, "Open again")
            button.clicked.connect(lambda _=False, chosen=folder: self.recent_asked.emit(chosen))
            self._recent.addWidget(button)
            self._recent_buttons.append(button)


def _flat_button(text: str, tooltip: str) -> QPushButton:
    button = QPushButton(text.replace("&", "&&"))
    button.setFlat(True)
    button.setToolTip(tooltip)
    return button
