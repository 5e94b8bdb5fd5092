"""The form: ranges told while typing, missing stays missing, every change can be taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QLineEdit
from pytestqt.qtbot import QtBot

from star_core.clinical.fields import FIELDS, ClinicalField, FieldGroup, FieldKind
from star_core.types import ClinicalRecord, Sex
from star_viewer.panels.clinical_form import ClinicalForm, FieldRow
from star_viewer.session import Session
from tests.viewer.fakes import RECORD
from tests.viewer.scene.factory import build_case

NUMBERS = [field for field in FIELDS if field.kind in (FieldKind.NUMBER, FieldKind.INTEGER)]
CHOICES = [field for field in FIELDS if field.kind in (FieldKind.BOOLEAN, FieldKind.CHOICE)]


@pytest.fixture
def form(qtbot: QtBot, session: Session) -> ClinicalForm:
    form = ClinicalForm(session)
    qtbot.addWidget(form)
    form._pause.setInterval(20)
    form.show()
    qtbot.waitExposed(form)
    return form


def _line(form: ClinicalForm, name: str) -> QLineEdit:
    editor = form.rows[name].editor
    assert isinstance(editor, QLineEdit)
    return editor


def _box(form: ClinicalForm, name: str) -> QComboBox:
    editor = form.rows[name].editor
    assert isinstance(editor, QComboBox)
    return editor


def _type(qtbot: QtBot, form: ClinicalForm, name: str, text: str) -> FieldRow:
    """Replace what stands in a field, as a user does."""
    line = _line(form, name)
    line.setFocus()
    line.selectAll()
    qtbot.keyClick(line, Qt.Key.Key_Delete)
    qtbot.keyClicks(line, text)
    return form.rows[name]


def test_every_field_of_the_schema_stands_under_its_group(form: ClinicalForm) -> None:
    assert set(form.rows) == {field.name for field in FIELDS}
    headings = [label.text() for label in form.findChildren(QLabel) if label.property("role") == "heading"]
    assert [heading.split(" ")[0] for heading in headings] == [group.value.upper() for group in FieldGroup]
    assert "NOT USED" in headings[-1]


def test_labels_tell_the_unit_and_tooltips_the_range(form: ClinicalForm) -> None:
    labels = {label.text() for label in form.findChildren(QLabel)}
    assert "CEA <small>ng/ml</small>" in labels
    assert "0 to 100000 ng/ml" in _line(form, "cea_ng_ml").toolTip()
    assert "Not used by the model" in _line(form, "nash_score").toolTip()
    assert _line(form, "cea_ng_ml").accessibleName() == "CEA, ng/ml"


def test_an_empty_record_shows_every_field_as_missing(form: ClinicalForm) -> None:
    for field in NUMBERS:
        assert _line(form, field.name).text() == ""
        assert _line(form, field.name).placeholderText() == "missing"
    for field in CHOICES:
        assert _box(form, field.name).currentText() == "—"


def test_a_record_is_shown_as_it_is(session: Session, form: ClinicalForm) -> None:
    session.set_clinical(replace(RECORD, bilobar_disease=False))
    assert _line(form, "age_years").text() == "63"
    assert _line(form, "largest_tumour_cm").text() == "4.2"
    assert _box(form, "sex").currentText() == "male"
    assert _box(form, "multiple_metastases").currentText() == "yes"
    assert _box(form, "bilobar_disease").currentText() == "no"
    assert _box(form, "extrahepatic_disease").currentText() == "—"


def test_what_is_typed_stands_in_the_record(qtbot: QtBot, session: Session, form: ClinicalForm) -> None:
    _type(qtbot, form, "cea_ng_ml", "18.5")
    assert session.clinical == ClinicalRecord(cea_ng_ml=18.5)


def test_a_decimal_comma_is_understood(qtbot: QtBot, session: Session, form: ClinicalForm) -> None:
    _type(qtbot, form, "largest_tumour_cm", "4,2")
    assert session.clinical.largest_tumour_cm == 4.2
    assert _line(form, "largest_tumour_cm").text() == "4,2"


@pytest.mark.parametrize(
    "field", [field for field in NUMBERS if field.maximum is not None], ids=lambda field: field.name
)
def test_a_value_above_the_range_is_told_while_typing(
    qtbot: QtBot, session: Session, form: ClinicalForm, field: ClinicalField
) -> None:
    name, maximum = field.name, field.maximum
    assert maximum is not None
    row = _type(qtbot, form, name, f"{10 * maximum + 1:.0f}")
    assert row.problem.isVisible()
    assert f"{maximum:g}" in row.problem.text()
    assert getattr(session.clinical, name) != 10 * maximum + 1


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("age_years", "old", "not a number"),
        ("cea_ng_ml", "-5", "expected 0 to 100000 ng/ml"),
        ("clinical_risk_score", "2.5", "whole number"),
        ("clinical_risk_score", "9", "expected 0 to 5"),
    ],
)
def test_what_cannot_be_a_value_is_told_in_plain_words(
    qtbot: QtBot, form: ClinicalForm, name: str, text: str, told: str
) -> None:
    row = _type(qtbot, form, name, text)
    assert row.problem.isVisible()
    assert told in row.problem.text()


def test_a_corrected_value_takes_the_problem_away(qtbot: QtBot, session: Session, form: ClinicalForm) -> None:
    row = _type(qtbot, form, "clinical_risk_score", "9")
    assert row.problem.isVisible()
    _type(qtbot, form, "clinical_risk_score", "4")
    assert not row.problem.isVisible()
    assert session.clinical.clinical_risk_score == 4


def test_a_refused_entry_stays_in_sight_while_another_field_is_filled(
    qtbot: QtBot, session: Session, form: ClinicalForm
) -> None:
    row = _type(qtbot, form, "cea_ng_ml", "200000")
    _box(form, "sex").setCurrentText("female")
    assert session.clinical.sex is Sex.FEMALE
    assert _line(form, "cea_ng_ml").text() == "200000"
    assert row.problem.isVisible()


def test_a_refused_entry_does_not_move_to_the_next_patient(qtbot: QtBot, session: Session, form: ClinicalForm) -> None:
    session.set_case(build_case())
    row = _type(qtbot, form, "age_years", "630")
    session.set_case(build_case())
    assert _line(form, "age_years").text() == ("" if session.clinical.age_years is None else "63")
    assert not row.problem.isVisible()


def test_the_record_of_the_next_patient_replaces_all_fields(qtbot: QtBot, session: Session, form: ClinicalForm) -> None:
    session.set_case(replace(build_case(), clinical=RECORD))
    session.set_case(build_case())
    assert _line(form, "age_years").text() == ""
    assert _box(form, "sex").currentText() == "—"


def test_missing_stays_missing_and_zero_is_a_value(qtbot: QtBot, session: Session, form: ClinicalForm) -> None:
    session.set_clinical(RECORD)
    _type(qtbot, form, "cea_ng_ml", "")
    assert session.clinical.cea_ng_ml is None
    _type(qtbot, form, "cea_ng_ml", "0")
    assert session.clinical.cea_ng_ml == 0.0
    assert session.clinical.cea_ng_ml is not None
    _box(form, "multiple_metastases").setCurrentText("no")
    assert session.clinical.multiple_metastases is False
    _box(form, "multiple_metastases").setCurrentText("—")
    assert session.clinical.multiple_metastases is None


def test_undo_and_redo_go_through_the_changes(session: Session, form: ClinicalForm) -> None:
    session.set_clinical(RECORD)
    _box(form, "sex").setCurrentText("female")
    _box(form, "bilobar_disease").setCurrentText("yes")
    form._session.history.undo()
    assert session.clinical == replace(RECORD, sex=Sex.FEMALE)
    assert _box(form, "bilobar_disease").currentText() == "—"
    form._session.history.undo()
    assert session.clinical == RECORD
    assert _box(form, "sex").currentText() == "male"
    form._session.history.redo()
    form._session.history.redo()
    assert session.clinical == replace(RECORD, sex=Sex.FEMALE, bilobar_disease=True)
    assert _box(form, "bilobar_disease").currentText() == "yes"


def test_undo_brings_a_typed_number_back_to_missing(qtbot: QtBot, session: Session, form: ClinicalForm) -> None:
    _type(qtbot, form, "clinical_risk_score", "4")
    assert form._session.history.undo_text == "change clinical risk score (fong)"
    form._session.history.undo()
    assert session.clinical.clinical_risk_score is None
    assert _line(form, "clinical_risk_score").text() == ""


def test_typing_is_told_once_it_pauses(qtbot: QtBot, form: ClinicalForm) -> None:
    form._pause.setInterval(150)
    told: list[None] = []
    form.settled.connect(lambda: told.append(None))
    with qtbot.waitSignal(form.settled):
        _type(qtbot, form, "cea_ng_ml", "1234")
    assert len(told) == 1


def test_typing_the_same_value_again_changes_nothing(qtbot: QtBot, session: Session, form: ClinicalForm) -> None:
    session.set_clinical(RECORD)
    line = _line(form, "cea_ng_ml")
    line.setFocus()
    line.end(False)
    with qtbot.assertNotEmitted(session.clinical_changed):
        qtbot.keyClicks(line, ".0")
    assert line.text() == "18.0"
    assert not form._session.history.undo_text


def test_scrolling_through_the_form_changes_no_value(session: Session, form: ClinicalForm) -> None:
    session.set_clinical(RECORD)
    box = _box(form, "multiple_metastases")
    middle = QPointF(box.rect().center())
    event = QWheelEvent(
        middle,
        box.mapToGlobal(middle),
        QPoint(),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(box, event)
    assert session.clinical == RECORD
    assert not event.isAccepted()  # it goes on to the form, which scrolls


def test_a_value_out_of_range_counts_as_missing_not_as_its_beginning(
    qtbot: QtBot, session: Session, form: ClinicalForm
) -> None:
    editor = form.rows["age_years"].editor
    qtbot.keyClicks(editor, "63")
    assert session.clinical.age_years == 63
    qtbot.keyClicks(editor, "0")
    assert session.clinical.age_years is None
    assert isinstance(editor, QLineEdit)
    assert editor.text() == "630"
    assert "counts as missing" in form.rows["age_years"].problem.text()
    form._session.history.undo()
    assert editor.text() == ""
    assert form.rows["age_years"].problem.text() == ""


def test_what_is_typed_into_one_field_is_one_step_back(qtbot: QtBot, session: Session, form: ClinicalForm) -> None:
    qtbot.keyClicks(form.rows["age_years"].editor, "63")
    qtbot.keyClicks(form.rows["cea_ng_ml"].editor, "200")
    form._session.history.undo()
    assert session.clinical.cea_ng_ml is None
    assert session.clinical.age_years == 63
    form._session.history.redo()
    assert session.clinical.cea_ng_ml == 200
