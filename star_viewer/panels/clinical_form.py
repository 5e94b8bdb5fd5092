"""The clinical form, made from the schema: groups, units, ranges told while typing, origin of each value, undo."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QComboBox, QFormLayout, QLabel, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from star_core.clinical.fields import FIELDS, ClinicalField, FieldGroup, FieldKind, FieldValue
from star_core.clinical.record import format_entry, parse_entry
from star_core.errors import ClinicalRecordError
from star_core.types import ClinicalRecord
from star_viewer.history import Step
from star_viewer.panels.choice_box import ChoiceBox
from star_viewer.session import Session
from star_viewer.theme import GRID

ASSESS_AFTER_MS = 300
_MISSING = "—"
_LABEL_WIDTH = 17 * GRID
_ABOUT = "clinical."


class ClinicalForm(QScrollArea):
    """Edits the session's record; ``settled`` is emitted once typing pauses and the record is new."""

    settled = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.rows = {field.name: FieldRow(field) for field in FIELDS}
        self._pause = QTimer(self, singleShot=True, interval=ASSESS_AFTER_MS)
        self._pause.timeout.connect(self.settled)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        page = self._build()
        self.setWidget(page)
        # Without this the vertical scroll bar would cover the right edge of the editors.
        self.setMinimumWidth(page.minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width())
        self.setAccessibleName("Clinical record")
        for row in self.rows.values():
            row.entered.connect(self._enter)
        self._shown = session.clinical
        session.clinical_changed.connect(self._show_changes)
        session.history.stepped.connect(self._follow_step)
        session.volume_changed.connect(lambda: self._show(session.clinical))
        self._show(session.clinical)

    def _build(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(GRID, GRID, GRID, GRID)
        layout.setSpacing(GRID)
        for group in FieldGroup:
            title = f"{group.value} — known after surgery, not used" if group is FieldGroup.PATHOLOGY else group.value
            heading = QLabel(title.upper())
            heading.setProperty("role", "heading")
            layout.addWidget(heading)
            form = QFormLayout()
            form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
            form.setVerticalSpacing(GRID // 2)
            form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
            for field in FIELDS:
                if field.group is group:
                    self.rows[field.name].add_to(form)
            layout.addLayout(form)
        layout.addStretch(1)
        return page

    def _enter(self, name: str, value: FieldValue | None) -> None:
        record = self._session.clinical
        before = getattr(record, name)
        if value == before and type(value) is type(before):
            return
        changed: dict[str, Any] = {name: value}
        # What is typed into one field becomes one step; choices stay steps of their own.
        typed = isinstance(self.rows[name].editor, QLineEdit)
        self._session.history.change(
            f"change {self.rows[name].field.label.lower()}",
            about=f"{_ABOUT}{name}",
            merging=typed,
            clinical=replace(record, **changed),
        )
        self._pause.start()

    def _follow_step(self, step: Step) -> None:
        """Show what an undone or redone step was about, and let the model follow."""
        if "clinical" in step.before:
            self._pause.start()
        row = self.rows.get(step.about.removeprefix(_ABOUT))
        if row is not None:
            # The record may have held this value all along while a refused entry stood in the field.
            row.show_value(getattr(self._session.clinical, row.field.name))

    def _show(self, record: ClinicalRecord) -> None:
        self._shown = record
        for name, row in self.rows.items():
            row.show_value(getattr(record, name))

    def _show_changes(self, record: ClinicalRecord) -> None:
        # A refused entry of another field stays in sight with its problem; it must not turn into a value by itself.
        before, self._shown = self._shown, record
        for name, row in self.rows.items():
            value = getattr(record, name)
            if value != getattr(before, name) and not (value is None and row.refuses):
                row.show_value(value)


class FieldRow(QWidget):
    """The editor of one field, its unit, and the problem with what is typed, told at once."""

    entered = Signal(str, object)

    def __init__(self, field: ClinicalField) -> None:
        super().__init__()
        self.field = field
        self.problem = QLabel()
        self.problem.setProperty("role", "problem")
        self.problem.setWordWrap(True)
        self.problem.hide()
        self.editor: QLineEdit | QComboBox = self._build_editor()
        self.editor.setToolTip(self._hint())
        self.editor.setAccessibleName(f"{field.label}, {field.unit}" if field.unit else field.label)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.editor)
        layout.addWidget(self.problem)
        self.setFocusProxy(self.editor)

    def add_to(self, form: QFormLayout) -> None:
        """Add the label and the editor to a form."""
        unit = f" <small>{self.field.unit}</small>" if self.field.unit else ""
        label = QLabel(f"{self.field.label}{unit}")
        label.setWordWrap(True)

        label.setBuddy(self.editor)
        form.addRow(label, self)

    @property
    def refuses(self) -> bool:
        """Whether the entry in sight cannot be used."""
        return bool(self.problem.text())

    def show_value(self, value: FieldValue | None) -> None:
        """Show a value of the record, unless the same is being typed."""
        text = format_entry(self.field, value)
        if isinstance(self.editor, QComboBox):
            self.editor.blockSignals(True)
            self.editor.setCurrentText(text or _MISSING)
            self.editor.blockSignals(False)
        elif not self._means(value):
            self.editor.setText(text)
        self._tell("")

    def _means(self, value: FieldValue | None) -> bool:
        try:
            return parse_entry(self.field, self._text()) == value
        except ClinicalRecordError:
            return False

    def _text(self) -> str:
        if isinstance(self.editor, QComboBox):
            text = self.editor.currentText()
            return "" if text == _MISSING else text
        return self.editor.text()

    def _build_editor(self) -> QLineEdit | QComboBox:
        match self.field.kind:
            case FieldKind.BOOLEAN | FieldKind.CHOICE:
                box = ChoiceBox()
                box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                box.addItems([_MISSING, *(self.field.choices or ("yes", "no"))])
                box.setMinimumWidth(9 * GRID)
                box.currentTextChanged.connect(self._read)
                return box
            case _:
                line = QLineEdit()
                line.setPlaceholderText("missing")
                line.setMinimumWidth(9 * GRID)
                line.textEdited.connect(self._read)
                return line

    def _read(self, _: str) -> None:
        try:
            value = parse_entry(self.field, self._text())
        except ClinicalRecordError as error:
            # Neither the entry nor the beginning of it that was in range may stand for the patient.
            self._tell(f"{error.message.removeprefix(f'{self.field.label}: ')} It counts as missing.")
            self.entered.emit(self.field.name, None)
            return
        self._tell("")
        self.entered.emit(self.field.name, value)

    def _tell(self, text: str) -> None:
        self.problem.setText(text)
        self.problem.setVisible(bool(text))

    def _hint(self) -> str:
        field = self.field
        parts = [field.help]
        if field.minimum is not None and field.maximum is not None:
            parts.append(f"{field.minimum:g} to {field.maximum:g} {field.unit}".strip() + ".")
        if not field.used_by_model:
            parts.append("Not used by the model.")
        return " ".join(parts)
