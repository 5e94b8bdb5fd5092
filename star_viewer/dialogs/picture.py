"""What is kept as a picture or a film, and what is written into it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QLabel,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from star_viewer.theme import GRID


class Subject(StrEnum):
    """What is pictured."""

    VIEW = "view"
    ALL = "all"
    FILM = "film"


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureWish:
    """What is to be written where; ``identified`` adds the pseudonym and the series' own words."""

    subject: Subject
    path: Path
    identified: bool


_TEXTS = {
    Subject.VIEW: "The view used last (PNG)",
    Subject.ALL: "All views (PNG)",
    Subject.FILM: "The twelve years of all views as a film (GIF or AVI)",
}
_FILTERS = {
    Subject.VIEW: "Picture (*.png)",
    Subject.ALL: "Picture (*.png)",
    Subject.FILM: "Animated GIF, plays everywhere (*.gif);;AVI with Motion JPEG, full colours (*.avi)",
}
_ENDINGS = {Subject.VIEW: ".png", Subject.ALL: ".png", Subject.FILM: ".gif"}


class PictureDialog(QDialog):
    """Asks what and whether it may be told from whom; nothing of the patient is written unless that is ticked."""

    wished = Signal(object)  # PictureWish

    def __init__(self, subject: Subject, suggested: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Picture or film")
        self._suggested = suggested
        self.group = QButtonGroup(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, 2 * GRID)
        layout.setSpacing(GRID)
        self.choices: dict[Subject, QRadioButton] = {}
        for one, text in _TEXTS.items():
            button = QRadioButton(text)
            button.setChecked(one is subject)
            self.group.addButton(button)
            self.choices[one] = button
            layout.addWidget(button)
        self.identified = QCheckBox("Write the pseudonym and the series' description into the picture")
        self.identified.setToolTip("A description is free text from the scanner: look at it before you pass it on")
        note = QLabel("Each picture says “RESEARCH USE ONLY” and names the model.")
        note.setProperty("role", "faint")
        self.save_button = QPushButton("Save…")
        self.save_button.setDefault(True)
        self.save_button.clicked.connect(self._ask)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        buttons.addButton(self.save_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.close)
        for widget in (self.identified, note, buttons):
            layout.addWidget(widget)

    @property
    def subject(self) -> Subject:
        """What is chosen."""
        return next(one for one, button in self.choices.items() if button.isChecked())

    def _ask(self) -> None:
        subject = self.subject
        name = self._suggested + _ENDINGS[subject]
        file, chosen = QFileDialog.getSaveFileName(self, "Save the picture", name, _FILTERS[subject])
        if not file:
            return
        path = Path(file)
        if not path.suffix:
            path = path.with_suffix(".avi" if "avi" in chosen else _ENDINGS[subject])
        self.close()
        self.wished.emit(PictureWish(subject=subject, path=path, identified=self.identified.isChecked()))
