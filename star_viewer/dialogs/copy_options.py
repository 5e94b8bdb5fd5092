"""What a person chooses for a de-identified copy, each choice with a line that says what it means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QCheckBox,
    QLabel,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from star_core.dicom.deidentify.options import DeidentifyOptions, ProfileOption
from star_viewer.dialogs.copy_checks import check_key, check_table, check_who, to_path
from star_viewer.dialogs.path_field import PathField, ask_file, ask_new_file
from star_viewer.theme import GRID

WEAKER = "Weaker protection: "
INDENT = 3 * GRID


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to choose; ``weaker`` says that less is taken out, or that there is a way back to the patient."""

    label: str
    means: str
    option: ProfileOption | None = None
    weaker: bool = False


DATES = (
    Choice(
        "Shift them",
        "All dates of a patient move by the same number of days, up to 10 years back; time between visits stays true.",
        ProfileOption.MODIFIED_DATES,
    ),
    Choice("Remove them", "No date and no time stays. Stronger, but the time between visits is lost."),
)
DESCRIPTIONS = (
    Choice("Remove them", "Descriptions of studies, series and protocols go."),
    Choice(
        "Clean them",
        "words of anatomy, phase and protocol stay, and numbers with a unit; all other words go.",
        ProfileOption.CLEAN_DESCRIPTORS,
        weaker=True,
    ),
)
KEPT = (
    Choice(
        "Age, sex, size and weight",
        "together they can point to a person. Ages above 89 become 90; the birth date never stays.",
        ProfileOption.PATIENT_CHARACTERISTICS,
        weaker=True,
    ),
    Choice(
        "Identity of the device",
        "serial number and station name lead to the scanner, and so to the hospital.",
        ProfileOption.DEVICE_IDENTITY,
        weaker=True,
    ),
    Choice(
        "Identity of the institution",
        "name and address of the hospital stay.",
        ProfileOption.INSTITUTION_IDENTITY,
        weaker=True,
    ),
    Choice(
        "Original UIDs",
        "whoever can search the originals finds the patient by them.",
        ProfileOption.UIDS,
        weaker=True,
    ),
    Choice(
        "Safe private elements",
        "Pitch, table speed and the like of some CT scanners; only those that the standard lists as safe.",
        ProfileOption.SAFE_PRIVATE,
    ),
    Choice(
        "Acquisition context, cleaned",
        "Codes and numbers stay, words go.",
        ProfileOption.CLEAN_STRUCTURED_CONTENT,
    ),
    Choice(
        "Overlays, cleaned",
        "drawn regions stay without their words; a region can have the shape of writing.",
        ProfileOption.CLEAN_GRAPHICS,
        weaker=True,
    ),
)
PSEUDONYMS = (
    Choice("Make them", "Such as STAR-1A2B3C4D; nobody can guess the patient from one."),
    Choice("Take them from a table", "Patients that the table does not name get made ones."),
)
KEY = Choice(
    "Equal pseudonyms in later copies, by a key file",
    "whoever has the key file can find out who is who. Keep it as you keep the originals.",
    weaker=True,
)
WHO = Choice(
    "Write down who became whom",
    "this table names every patient. Keep it as you keep the originals, never with the copy.",
    weaker=True,
)


class CopyOptions(QWidget):
    """The choices in groups; ``options`` is what is chosen, ``faulty`` where something is wrong."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, GRID, 0)
        self._layout.setSpacing(GRID // 2)
        self._destination: Path | None = None
        self._by_option: dict[ProfileOption, QAbstractButton] = {}
        self.dates = self._add_either("Dates", DATES)
        self.descriptions = self._add_either("Descriptions", DESCRIPTIONS)
        self._add_heading("Keep nevertheless")
        self.kept = [self._add(QCheckBox(choice.label), choice) for choice in KEPT]
        self.pseudonyms = self._add_either("Pseudonyms", PSEUDONYMS)
        hint = "CSV with the columns patient_id and pseudonym"
        self.table = self._add_path(PathField("Table of pseudonyms", "Choose the table", ask_file, hint=hint))
        self.key = self._add(QCheckBox(KEY.label), KEY)
        hint = "Key file of an earlier copy, or a new name"
        self.key_file = self._add_path(PathField("Key file", "Choose the key file", ask_new_file, hint=hint))
        self.who = self._add(QCheckBox(WHO.label), WHO)
        hint = "New CSV file outside of the copy"
        self.who_file = self._add_path(PathField("Who became whom", "Write who became whom", ask_new_file, hint=hint))
        self._layout.addStretch(1)
        self._fields: tuple[tuple[PathField, QAbstractButton, Callable[[str, Path | None], str]], ...] = (
            (self.table, self.pseudonyms[1], check_table),
            (self.key_file, self.key, check_key),
            (self.who_file, self.who, check_who),
        )
        for field, box, _ in self._fields:
            box.toggled.connect(self.check)
            field.changed.connect(self.check)
        self.check()

    @property
    def faulty(self) -> PathField | None:
        """The first field with something wrong in it."""
        return next((field for field, box, _ in self._fields if box.isChecked() and field.is_faulty), None)

    @property
    def options(self) -> DeidentifyOptions:
        """What is chosen."""
        table, key_file, who_file = (to_path(field.text) if box.isChecked() else None for field, box, _ in self._fields)
        return DeidentifyOptions(
            profile_options=frozenset(option for option, box in self._by_option.items() if box.isChecked()),
            mapping_file=table,
            key_file=key_file,
            write_mapping_file=who_file,
        )

    def set_destination(self, destination: Path | None) -> None:
        """Tell where the copy will lie; no secret may lie in it."""
        self._destination = destination
        self.check()

    def check(self) -> None:
        """Say beside each path what is wrong with it."""
        for field, box, check in self._fields:
            field.setVisible(box.isChecked())
            problem = check(field.text, self._destination) if box.isChecked() else ""
            field.show_note(problem or self._note_of(field), problem=bool(problem))

    def _note_of(self, field: PathField) -> str:
        if field is not self.key_file or not field.text:
            return ""
        return "This key is used again." if to_path(field.text).exists() else "A new key will be written here."

    # ------------------------------------------------------------------ building

    def _add_heading(self, text: str) -> None:
        heading = QLabel(text.upper())
        heading.setProperty("role", "heading")
        heading.setContentsMargins(0, GRID, 0, 0)
        self._layout.addWidget(heading)

    def _add_either(self, heading: str, choices: Sequence[Choice]) -> list[QAbstractButton]:
        self._add_heading(heading)
        group = QButtonGroup(self)
        boxes = [self._add(QRadioButton(choice.label), choice, heading) for choice in choices]
        for box in boxes:
            group.addButton(box)
        boxes[0].setChecked(True)
        for box in boxes[1:]:
            box.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # Tab and Shift+Tab go to the chosen one; arrows change it
        return boxes

    def _add(self, box: QAbstractButton, choice: Choice, heading: str = "") -> QAbstractButton:
        text = WEAKER + choice.means if choice.weaker else choice.means
        box.setAccessibleName(f"{heading}: {choice.label}" if heading else choice.label)
        box.setAccessibleDescription(text)
        box.setToolTip(text)
        means = QLabel(text)
        means.setWordWrap(True)
        means.setProperty("role", "notice" if choice.weaker else "faint")
        means.setContentsMargins(INDENT, 0, 0, 0)
        self._layout.addWidget(box)
        self._layout.addWidget(means)
        if choice.option is not None:
            self._by_option[choice.option] = box
        return box

    def _add_path(self, field: PathField) -> PathField:
        field.setContentsMargins(INDENT, 0, 0, 0)
        self._layout.addWidget(field)
        return field
