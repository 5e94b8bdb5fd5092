"""The follow-up CTs: date of operation, list, how each is aligned and how good that is, and how both CTs are seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QScrollArea,
    QSlider,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from star_core.errors import ClinicalRecordError
from star_core.types import RegistrationKind
from star_viewer.display import Comparison, Display, DisplayStyle
from star_viewer.follow_ups import LARGEST_SHIFT_MM, LARGEST_TURN_DEG, Adjustment, FollowUp, parse_date
from star_viewer.key_button import KeyButton
from star_viewer.later_scans import LaterScans
from star_viewer.panels.choice_box import ChoiceBox
from star_viewer.theme import GRID

SETTLE_MS = 600
_HEADINGS = ("Date of CT", "Year", "Alignment")
_NOTHING = "No follow-up CT yet. Add a later CT of this patient: it is aligned with the first one."
_KINDS = {
    RegistrationKind.RIGID: "rigid (as a body)",
    RegistrationKind.AFFINE: "affine (size and shear)",
    RegistrationKind.B_SPLINE: "B-spline (bending)",
}
_AXES = (("L", "left"), ("P", "back"), ("S", "head"))


class FollowUpsPanel(QScrollArea):
    """Follows the list of follow-ups and the display; what needs the worker is asked for by signals."""

    add_asked = Signal()
    archive_asked = Signal()
    study_chosen = Signal(int)
    realign_asked = Signal(object, object)  # FollowUp, RegistrationKind

    def __init__(self, later: LaterScans, display: Display, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._later, self._display = later, display
        self._rows: list[str] = []
        self._shown = ""
        self._moved = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._moved.timeout.connect(self.settle)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Follow-up CTs")
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(GRID, GRID, GRID, GRID)
        for part in (self._build_list(), self._build_seeing(), self._build_chosen()):
            layout.addWidget(part)
        layout.addStretch(1)
        self.setWidget(page)
        later.changed.connect(self._show)
        display.changed.connect(self._show_style)
        self._show()
        self._show_style(display.style)

    # ------------------------------------------------------------------ building

    def _build_list(self) -> QWidget:
        self.operation = DateField("Date of operation")
        self.operation.entered.connect(self._operate)
        self.table = _build_table()
        self.table.itemSelectionChanged.connect(self._choose)
        self.empty = QLabel(_NOTHING)
        self.empty.setProperty("role", "faint")
        self.empty.setWordWrap(True)
        self.add = _button("Add…", "Add a follow-up CT from a folder (Ctrl+Shift+F)")
        self.add.clicked.connect(self.add_asked)
        self.from_archive = _button("From the archive…", "Add a follow-up CT from the patient's other studies")
        self.from_archive.clicked.connect(self.archive_asked)
        self.remove = _button("Remove", "Take the chosen follow-up CT out of the list")
        self.remove.clicked.connect(self._remove)
        buttons = QGridLayout()
        for place, button in enumerate((self.add, self.remove, self.from_archive)):
            buttons.addWidget(button, place // 2, place % 2, 1, 1 + place // 2)
        form = _form()
        form.addRow("Date of operation", self.operation)
        return _stack(form, self.empty, self.table, buttons)

    def _build_seeing(self) -> QWidget:
        display = self._display
        self.comparison = _choice("How both CTs are seen", {one: one.value for one in Comparison})
        self.comparison.activated.connect(
            lambda _: display.change(comparison=Comparison(self.comparison.currentData()))
        )
        self.fade = QSlider(Qt.Orientation.Horizontal)
        self.fade.setRange(0, 100)
        self.fade.setAccessibleName("Share of the later CT in per cent")
        self.fade.setToolTip("From the first CT at the left to the later one at the right")
        self.fade.valueChanged.connect(self._fade)
        self._seeing = QWidget()
        form = _form()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("See", self.comparison)
        form.addRow("Fade", self.fade)
        self._seeing.setLayout(form)
        return self._seeing

    def _build_chosen(self) -> QWidget:
        self.quality = QLabel()
        self.quality.setWordWrap(True)
        self.acquired = DateField("Date of the follow-up CT")
        self.acquired.entered.connect(self._date)
        self.in_model = QCheckBox("fills its year in the model")
        self.in_model.toggled.connect(self._use)
        self.kind = _choice("Kind of alignment", _KINDS)
        self.kind.activated.connect(lambda _: self._realign())
        self.again = _button("Align again", "Read and align this follow-up CT again")
        self.again.clicked.connect(self._align_again)
        self.shift_mm = [_spin(f"Shift to the {word} in mm", LARGEST_SHIFT_MM, 1.0, " mm") for _, word in _AXES]
        self.turn_deg = [
            _spin(f"Turn about the axis to the {word} in degrees", LARGEST_TURN_DEG, 0.5, "°") for _, word in _AXES
        ]
        grid = QGridLayout()
        for column, (letter, _) in enumerate(_AXES, start=1):
            grid.addWidget(QLabel(letter), 0, column)
        for row, (title, spins) in enumerate((("Shift", self.shift_mm), ("Turn", self.turn_deg)), start=1):
            grid.addWidget(QLabel(title), row, 0)
            for column, spin in enumerate(spins, start=1):
                spin.valueChanged.connect(self._move)
                spin.editingFinished.connect(self.settle)
                grid.addWidget(spin, row, column)
        self.reset = _button("Reset", "Let the follow-up CT lie as it was aligned")
        self.reset.clicked.connect(self._reset)
        form = _form()
        form.addRow("Date of CT", self.acquired)
        form.addRow("", self.in_model)
        form.addRow("Alignment", self.kind)
        self._chosen = _stack(self.quality, form, self.again, QLabel("Moved by hand"), grid, self.reset)
        return self._chosen

    # ------------------------------------------------------------------ following

    def _show(self) -> None:
        plan, chosen = self._later.plan, self._later.chosen
        self.operation.show_date(plan.operated_on)
        self.empty.setVisible(not plan.scans)
        for widget in (self.table, self._seeing, self._chosen):
            widget.setVisible(bool(plan.scans))
        self.remove.setEnabled(chosen is not None)
        self._fill(plan.scans)
        if chosen is not None:
            self._show_chosen(chosen)

    def _fill(self, scans: Sequence[FollowUp]) -> None:
        places = self._later.plan.places()
        self._rows = [scan.series_uid for scan in scans]
        self.table.blockSignals(True)
        self.table.setRowCount(len(scans))
        for row, scan in enumerate(scans):
            place, problem = places[scan.series_uid], self._later.problem(scan)
            aligned = self._later.at_hand(scan) is not None
            state = "not read" if problem else scan.kind.value if aligned else "aligning…"
            if not scan.adjustment.is_none:
                state = f"{state}, by hand"
            more = problem or place.why or scan.quality.in_words()
            for column, text in enumerate((scan.label, "–" if place.year is None else str(place.year), state)):
                item = QTableWidgetItem(text)
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
                item.setToolTip(more)
                self.table.setItem(row, column, item)
        chosen = self._later.chosen
        if chosen is not None:
            self.table.setCurrentCell(self._rows.index(chosen.series_uid), 0)
        self.table.blockSignals(False)
        heading = self.table.horizontalHeader().height()
        self.table.setFixedHeight(heading + 4 + min(len(scans), 5) * self.table.verticalHeader().defaultSectionSize())

    def _show_chosen(self, chosen: FollowUp) -> None:
        if chosen.series_uid != self._shown:
            self._shown = chosen.series_uid
            self._moved.stop()
        problem, place = self._later.problem(chosen), self._later.plan.places()[chosen.series_uid]
        stranger = "Its header names another patient than the first CT's." if chosen.source.accept_other_patient else ""
        told = [problem or f"Alignment: {chosen.quality.in_words()}", place.why, stranger]
        self.quality.setText("\n".join(filter(None, told)))
        self.acquired.show_date(chosen.acquired_on)
        for widget in (self.in_model, self.kind):
            widget.blockSignals(True)
        self.in_model.setChecked(chosen.in_model)
        self.kind.setCurrentIndex(self.kind.findData(chosen.kind))
        for widget in (self.in_model, self.kind):
            widget.blockSignals(False)
        self.again.setVisible(bool(problem))
        self._show_adjustment()

    def _show_adjustment(self) -> None:
        adjustment = self._later.adjustment
        values = (*adjustment.shift_mm, *adjustment.turn_deg)
        for spin, value in zip((*self.shift_mm, *self.turn_deg), values, strict=True):
            spin.blockSignals(True)
            spin.setValue(value)
            spin.blockSignals(False)
        self.reset.setEnabled(not adjustment.is_none)

    def _show_style(self, style: DisplayStyle) -> None:
        self.comparison.setCurrentIndex(self.comparison.findData(style.comparison))
        self.fade.setValue(round(100 * style.fade))
        self.fade.setEnabled(style.comparison is Comparison.FADE)

    def offer_studies(self, studies: Sequence[Any]) -> QMenu:
        """Let the reader choose among studies of the archive (values of ``StudyRow``)."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for study in studies:
            named = " · ".join(filter(None, (study.date, study.description)))
            menu.addAction(named or "Study without a date").triggered.connect(
                lambda _=False, number=study.id: self.study_chosen.emit(number)
            )
        menu.popup(self.from_archive.mapToGlobal(self.from_archive.rect().bottomLeft()))
        return menu

    # ------------------------------------------------------------------ changing

    def settle(self) -> None:
        """Make what was moved by hand a step of the history."""
        self._moved.stop()
        chosen, adjustment = self._later.chosen, self._later.adjustment
        if chosen is not None and adjustment != chosen.adjustment:
            self._put("move the follow-up CT", chosen, adjustment=adjustment)

    def _put(self, text: str, scan: FollowUp, **changes: Any) -> None:
        self._later.change(text, self._later.plan.put(scan.model_copy(update=changes)))

    def _operate(self, day: date | None) -> None:
        self._later.change("change the date of operation", self._later.plan.operated(day))

    def _date(self, day: date | None) -> None:
        if self._later.chosen is not None:
            self._put("change the date of the follow-up CT", self._later.chosen, acquired_on=day)

    def _use(self, on: bool) -> None:
        if self._later.chosen is not None:
            text = "use the follow-up CT in the model" if on else "leave the follow-up CT out of the model"
            self._put(text, self._later.chosen, in_model=on)

    def _realign(self) -> None:
        chosen, kind = self._later.chosen, RegistrationKind(self.kind.currentData())
        if chosen is not None and kind is not chosen.kind:
            self.kind.setCurrentIndex(self.kind.findData(chosen.kind))  # until it is aligned so
            self.realign_asked.emit(chosen, kind)

    def _align_again(self) -> None:
        if self._later.chosen is not None:
            self._later.ask_again(self._later.chosen)

    def _remove(self) -> None:
        if self._later.chosen is not None:
            plan = self._later.plan.without(self._later.chosen.series_uid)
            self._later.change("remove the follow-up CT", plan)

    def _choose(self) -> None:
        row = self.table.currentRow()
        if 0 <= row < len(self._rows):
            self.settle()
            self._later.choose(self._rows[row])

    def _move(self, _: float) -> None:
        shift, turn = (
            (spins[0].value(), spins[1].value(), spins[2].value()) for spins in (self.shift_mm, self.turn_deg)
        )
        adjustment = Adjustment(shift_mm=shift, turn_deg=turn)
        self._later.preview(adjustment)
        self.reset.setEnabled(not adjustment.is_none)
        self._moved.start()

    def _reset(self) -> None:
        self._later.preview(Adjustment())
        self._show_adjustment()
        self.settle()

    def _fade(self, percent: int) -> None:
        if percent != round(100 * self._display.style.fade):
            self._display.change(fade=percent / 100)


class DateField(QWidget):
    """A date that is typed, and what is wrong with it."""

    entered = Signal(object)  # date | None

    def __init__(self, name: str) -> None:
        super().__init__()
        self.editor = QLineEdit()
        self.editor.setPlaceholderText("2026-01-31")
        self.editor.setAccessibleName(name)
        self.editor.setToolTip(f"{name}: year-month-day, or day.month.year")
        self.editor.editingFinished.connect(self._read)
        self.problem = QLabel()
        self.problem.setProperty("role", "problem")
        self.problem.setWordWrap(True)
        self.problem.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.editor)
        layout.addWidget(self.problem)
        self.setFocusProxy(self.editor)
        self._shown: date | None = None

    def show_date(self, day: date | None) -> None:
        """Show a date, unless another is being typed."""
        if day != self._shown or not self.editor.hasFocus():
            self._shown = day
            self.editor.setText("" if day is None else day.isoformat())
            self._tell("")

    def _read(self) -> None:
        try:
            day = parse_date(self.editor.text())
        except ClinicalRecordError as error:
            self._tell(f"{error.message} {error.remedy}")
            return
        self._tell("")
        if day != self._shown:
            self._shown = day
            self.entered.emit(day)

    def _tell(self, text: str) -> None:
        self.problem.setText(text)
        self.problem.setVisible(bool(text))


def _build_table() -> QTableWidget:
    table = QTableWidget(0, len(_HEADINGS))
    table.setHorizontalHeaderLabels(_HEADINGS)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setTabKeyNavigation(False)
    table.setShowGrid(False)
    table.verticalHeader().hide()
    table.setAccessibleName("List of follow-up CTs")
    table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    table.horizontalHeader().setStretchLastSection(True)
    return table


def _button(text: str, tooltip: str) -> QPushButton:
    button = KeyButton(text)
    button.setToolTip(tooltip)
    button.setAccessibleName(tooltip.split(" (")[0])
    return button


def _choice(name: str, words: dict[Any, str]) -> ChoiceBox:
    box = ChoiceBox()
    box.setAccessibleName(name)
    box.setToolTip(name)
    box.setSizeAdjustPolicy(ChoiceBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(10)
    for choice, text in words.items():
        box.addItem(text, choice)
    return box


def _spin(name: str, most: float, step: float, suffix: str) -> QDoubleSpinBox:
    spin = QDoubleSpinBox()
    spin.setRange(-most, most)
    spin.setSingleStep(step)
    spin.setDecimals(1)
    spin.setSuffix(suffix)
    spin.setMinimumWidth(7 * GRID)
    spin.setAccessibleName(name)
    spin.setToolTip(name)
    return spin


def _form() -> QFormLayout:
    form = QFormLayout()
    form.setVerticalSpacing(GRID // 2)
    form.setHorizontalSpacing(GRID)
    return form


def _stack(*parts: Any) -> QWidget:
    box = QWidget()
    layout = QVBoxLayout(box)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(GRID // 2)
    for part in parts:
        layout.addWidget(part) if isinstance(part, QWidget) else layout.addLayout(part)
    return box
