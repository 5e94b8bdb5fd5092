"""The de-identification dialog: what is chosen, what is said, and that keys reach everything."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QTextBrowser, QWidget
from pytestqt.qtbot import QtBot

from star_core.dicom.deidentify.options import BASIC_PROFILE, DeidentifyOptions, ProfileOption
from star_core.dicom.deidentify.report import DeidentificationReport, LeftOutFile, build_warning
from star_core.dicom.deidentify.risks import Risk
from star_viewer.dialogs.copy_options import KEPT, WEAKER
from star_viewer.dialogs.copy_result import to_text, to_verdict
from star_viewer.dialogs.deidentify import DeidentifyDialog, suggest_folder
from star_viewer.jobs.copy_requests import CopiedSeries

REPORT = DeidentificationReport(
    patients=1,
    studies=1,
    series=2,
    files=120,
    verified=120,
    leaks=0,
    not_dicom=1,
    left_out=(LeftOutFile(number=3, reason="a structured report cannot be cleaned"),),
    warnings=(build_warning("study-1/series-2", Risk.FACE, 119),),
    notes=("The key was random and is gone.",),
    options=("modified-dates",),
    codes=(BASIC_PROFILE,),
    actions=(),
)
SERIES = tuple(
    CopiedSeries(study=str(number // 4), title=f"Series {number}", modality="CT", files=number)
    for number in range(1, 9)
)


@pytest.fixture
def dialog(qtbot: QtBot, tmp_path: Path) -> DeidentifyDialog:
    dialog = DeidentifyDialog(tmp_path / "archive", destination=tmp_path / "copy")
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitExposed(dialog)
    dialog.activateWindow()
    qtbot.waitUntil(dialog.isActiveWindow)
    return dialog


def press(qtbot: QtBot, key: Qt.Key) -> None:
    focused = QApplication.focusWidget()
    assert focused is not None
    qtbot.keyClick(focused, key)


def walk_by_tab(qtbot: QtBot, dialog: DeidentifyDialog) -> list[QWidget]:
    """Return the widgets that Tab reaches, until it comes round."""
    met: list[QWidget] = []
    while (widget := QApplication.focusWidget()) is not None and widget not in met:
        met.append(widget)
        qtbot.keyClick(widget, Qt.Key.Key_Tab)
    return met


def test_enter_starts_with_the_safe_choices(qtbot: QtBot, dialog: DeidentifyDialog, tmp_path: Path) -> None:
    with qtbot.waitSignal(dialog.start_asked) as asked:
        press(qtbot, Qt.Key.Key_Return)
    assert asked.args == [tmp_path / "copy", DeidentifyOptions()]
    assert dialog.running
    assert not dialog.form.isEnabled()


def test_what_will_be_copied_is_counted(dialog: DeidentifyDialog) -> None:
    dialog.show_contents(SERIES)
    lines = dialog.what.text().split("\n")
    assert lines[0] == "3 studies, 8 series, 36 files"
    assert lines[1] == "CT · Series 1 · 1 file"
    assert lines[-1] == "and 2 more series"
    dialog.show_contents(())
    assert dialog.what.text() == "0 studies, 0 series, 0 files"


def test_every_option_comes_out_as_chosen(dialog: DeidentifyDialog, tmp_path: Path) -> None:
    options = dialog.options
    (tmp_path / "table.csv").write_text("patient_id,pseudonym\nPAT-1,CASE-1\n", encoding="utf-8")
    options.dates[1].setChecked(True)
    options.descriptions[1].setChecked(True)
    for box in options.kept:
        box.setChecked(True)
    assert dialog.chosen == DeidentifyOptions(profile_options=frozenset(ProfileOption) - {ProfileOption.MODIFIED_DATES})
    options.pseudonyms[1].setChecked(True)
    options.table.line.setText(str(tmp_path / "table.csv"))
    options.key.setChecked(True)
    options.key_file.line.setText(str(tmp_path / "key"))
    options.who.setChecked(True)
    options.who_file.line.setText(str(tmp_path / "who.csv"))
    assert options.faulty is None
    chosen = dialog.chosen
    assert chosen.mapping_file == tmp_path / "table.csv"
    assert chosen.key_file == tmp_path / "key"
    assert chosen.write_mapping_file == tmp_path / "who.csv"
    options.who.setChecked(False)
    assert dialog.chosen.write_mapping_file is None


def test_what_weakens_protection_says_so_in_words(dialog: DeidentifyDialog) -> None:
    assert sum(choice.weaker for choice in KEPT) == 5
    for choice, box in zip(KEPT, dialog.options.kept, strict=True):
        assert box.accessibleDescription().startswith(WEAKER) == choice.weaker
    told = [label.text() for label in dialog.options.findChildren(QLabel)]
    for box in (dialog.options.key, dialog.options.who, *dialog.options.kept):
        assert box.accessibleDescription() in told
        assert not box.isChecked()


def test_a_problem_stands_beside_its_field_and_start_goes_there(
    qtbot: QtBot, dialog: DeidentifyDialog, tmp_path: Path
) -> None:
    dialog.options.key.setChecked(True)
    assert "Choose the key file" in dialog.options.key_file.note.text()
    with qtbot.assertNotEmitted(dialog.start_asked):
        press(qtbot, Qt.Key.Key_Return)
    assert QApplication.focusWidget() is dialog.options.key_file.line
    qtbot.keyClicks(dialog.options.key_file.line, str(tmp_path / "copy" / "key"))
    assert "would lie in the copy" in dialog.options.key_file.note.text()
    dialog.destination.line.setText(str(tmp_path / "archive" / "copy"))
    assert "inside the archive" in dialog.destination.note.text()
    dialog.options.key_file.line.setText(str(tmp_path / "key"))
    assert dialog.options.key_file.note.text() == "A new key will be written here."
    with qtbot.assertNotEmitted(dialog.start_asked):
        press(qtbot, Qt.Key.Key_Return)
    assert QApplication.focusWidget() is dialog.destination.line
    dialog.destination.line.setText(str(tmp_path / "other"))
    with qtbot.waitSignal(dialog.start_asked):
        press(qtbot, Qt.Key.Key_Return)


def test_places_can_be_chosen(
    qtbot: QtBot, dialog: DeidentifyDialog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(tmp_path / "chosen"))
    qtbot.mouseClick(dialog.destination.button, Qt.MouseButton.LeftButton)
    assert dialog.destination.text == str(tmp_path / "chosen")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: "")
    qtbot.mouseClick(dialog.destination.button, Qt.MouseButton.LeftButton)
    assert dialog.destination.text == str(tmp_path / "chosen")
    dialog.options.key.setChecked(True)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "key"), ""))
    dialog.options.key_file.button.click()
    assert dialog.options.key_file.text == str(tmp_path / "key")


def test_tab_reaches_everything_and_everything_has_a_name(qtbot: QtBot, dialog: DeidentifyDialog) -> None:
    options = dialog.options
    options.key.setChecked(True)
    options.who.setChecked(True)
    dialog.start_button.setFocus()
    met = walk_by_tab(qtbot, dialog)
    wanted = (
        *(dialog.destination.line, dialog.destination.button, dialog.start_button, dialog.close_button),
        *options.kept,
        *(options.dates[0], options.descriptions[0], options.pseudonyms[0], options.key, options.who),
        *(options.key_file.line, options.key_file.button, options.who_file.line, options.who_file.button),
    )
    assert set(wanted) <= set(met)
    for widget in met:
        assert widget.accessibleName() or getattr(widget, "text", str)()
    order = [
        met.index(widget) for widget in (dialog.destination.line, options.dates[0], options.who, dialog.close_button)
    ]
    assert order == sorted(order)


def test_keys_alone_choose_the_table(qtbot: QtBot, dialog: DeidentifyDialog, tmp_path: Path) -> None:
    options = dialog.options
    options.key.setFocus()
    qtbot.keyClick(options.key, Qt.Key.Key_Backtab, Qt.KeyboardModifier.ShiftModifier)
    assert QApplication.focusWidget() is options.pseudonyms[0]
    press(qtbot, Qt.Key.Key_Down)
    assert options.pseudonyms[1].isChecked()
    press(qtbot, Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is options.table.line
    qtbot.keyClicks(options.table.line, str(tmp_path / "table.csv"))
    assert "cannot be read" in options.table.note.text()


def test_escape_stops_a_copy_and_closes_else(qtbot: QtBot, dialog: DeidentifyDialog) -> None:
    dialog.start()
    dialog.show_progress(5, 30)
    assert dialog.step.text() == "Reading… 16 %"
    dialog.show_progress(29, 30)
    assert dialog.step.text() == "Reading back… 96 %"
    with qtbot.waitSignal(dialog.cancel_asked):
        press(qtbot, Qt.Key.Key_Escape)
    assert dialog.isVisible()
    assert dialog.step.text() == "Stopping…"
    with qtbot.assertNotEmitted(dialog.cancel_asked):
        dialog.reject()
    dialog.show_stopped()
    assert "Nothing was left" in dialog.problem.text()
    with qtbot.waitSignal(dialog.start_asked):
        press(qtbot, Qt.Key.Key_Return)
    dialog.show_stopped()
    press(qtbot, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def test_a_failure_is_told_with_details_to_copy(qtbot: QtBot, dialog: DeidentifyDialog) -> None:
    dialog.start()
    dialog.show_failure("The disk is full. Choose another one.", "Traceback")
    assert "The disk is full." in dialog.problem.text()
    assert not dialog.running
    qtbot.mouseClick(dialog.details_button, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == "Traceback"


def test_the_result_tells_counts_warnings_and_what_was_left_out(qtbot: QtBot, dialog: DeidentifyDialog) -> None:
    dialog.start()
    dialog.show_result(REPORT)
    assert dialog.title.text() == "Copied: 120 files, 2 series, 1 study, 1 patient."
    assert dialog.verdict.text().startswith("Verification passed")
    assert dialog.cautions.text().split("\n") == [
        "Warning: look at 1 series first; the pixels may show text or a face.",
        "Left out: 1 file; the reasons stand below.",
    ]
    shown = dialog.found.toPlainText()
    for text in (
        "study-1/series-2",
        "may cover the face",
        "a structured report cannot be cleaned",
        "113100",
        "not DICOM",
    ):
        assert text in shown
    qtbot.mouseClick(dialog.details_button, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == to_text(REPORT)
    assert {dialog.folder_button, dialog.report_button, dialog.import_button, dialog.found} <= set(
        walk_by_tab(qtbot, dialog)
    )


def test_what_reading_back_found_is_not_called_passed() -> None:
    leaky = replace(REPORT, leaks=1, verified=119, files=119)
    assert to_verdict(leaky).startswith("Verification did not pass: 1 copy ")
    assert to_verdict(replace(REPORT, files=0, verified=0)).startswith("Nothing could be copied")


def test_a_result_without_files_cannot_be_imported(dialog: DeidentifyDialog) -> None:
    dialog.start()
    dialog.show_result(replace(REPORT, files=0, verified=0))
    assert not dialog.import_button.isEnabled()
    assert dialog.verdict.property("role") == "problem"


def test_the_copy_is_imported_once(qtbot: QtBot, dialog: DeidentifyDialog, tmp_path: Path) -> None:
    dialog.start()
    dialog.show_result(REPORT)
    with qtbot.waitSignal(dialog.import_asked) as asked:
        dialog.import_button.click()
    assert asked.args == [tmp_path / "copy"]
    assert not dialog.import_button.isEnabled()


def test_the_folder_and_the_report_are_shown(
    qtbot: QtBot, dialog: DeidentifyDialog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: bool(opened.append(url)))
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "deidentification-report.md").write_text("# What was done\n", encoding="utf-8")
    dialog._out = tmp_path / "copy"
    dialog.show_result(REPORT)
    dialog.folder_button.click()
    assert [url.toLocalFile() for url in opened] == [str(tmp_path / "copy")]
    assert str(tmp_path / "copy") in dialog.problem.text()
    viewer = dialog.show_report()
    assert "What was done" in viewer.findChildren(QTextBrowser)[0].toPlainText()
    viewer.close()
    (tmp_path / "copy" / "deidentification-report.md").unlink()
    missing = dialog.show_report()
    assert "no longer" in missing.findChildren(QTextBrowser)[0].toPlainText()
    missing.close()


def test_the_suggested_folder_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("star_viewer.dialogs.deidentify.QStandardPaths.writableLocation", lambda _: str(tmp_path))
    day = date(2026, 3, 1)
    assert suggest_folder(day) == tmp_path / "deidentified-2026-03-01"
    (tmp_path / "deidentified-2026-03-01").mkdir()
    assert suggest_folder(day) == tmp_path / "deidentified-2026-03-01-2"
