"""The whole program as a user meets it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication, QComboBox, QFileDialog, QLineEdit, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from star_core.errors import BundleError, StorageError
from star_viewer.app import StarApp
from star_viewer.dialogs.finetune import FineTuneDialog
from star_viewer.jobs.requests import ActivateModel, AssessCase, InstallModel, OpenCase, Request, WriteReport
from star_viewer.jobs.runner import JobRunner
from star_viewer.scene.four_views import FourViews
from star_viewer.scene.hover import HoverReading
from star_viewer.session import IncidenceMode
from star_viewer.settings import SettingsStore, Theme
from tests.viewer.conftest import OpenApp, drop
from tests.viewer.fakes import RECORD
from tests.viewer.runners import DirectRunner
from tests.viewer.scene.conftest import coloured, grab_pixels

TIMEOUT_MS = 20_000


def _boxes(star: StarApp) -> list[QMessageBox]:
    return [box for box in star.window.findChildren(QMessageBox) if box.isVisible()]


def _drop(star: StarApp, path: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    assert drop(star.window, mime)


def _folder(tmp_path: Path, name: str = "ct") -> Path:
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    return folder


# --------------------------------------------------------------------------- opening


def test_the_button_opens_the_folder_that_is_chosen(
    qtbot: QtBot, star: StarApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = _folder(tmp_path)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(folder))
    with qtbot.waitSignal(star.workflow.assessed):
        qtbot.mouseClick(star.window.empty_state.open_button, Qt.MouseButton.LeftButton)
    assert star.window.views.isVisible()
    assert star.window.series_tree._items[0].font(0).bold()
    assert star.settings.settings.recent_folders == (str(folder),)


def test_a_dropped_folder_is_opened(qtbot: QtBot, star: StarApp, tmp_path: Path) -> None:
    with qtbot.waitSignal(star.workflow.assessed):
        _drop(star, _folder(tmp_path))
    assert star.session.clinical == RECORD


def test_a_file_is_opened_by_its_action(
    qtbot: QtBot, star: StarApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "ct.nii.gz"
    file.write_bytes(b"")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(file), ""))
    with qtbot.waitSignal(star.workflow.assessed):
        star.window.star_actions["open_file"].trigger()


def test_the_demonstration_patient_says_that_it_is_synthetic(qtbot: QtBot, star: StarApp) -> None:
    with qtbot.waitSignal(star.workflow.assessed):
        qtbot.mouseClick(star.window.empty_state.demo_button, Qt.MouseButton.LeftButton)
    assert "synthetic" in star.window.banners.messages[0]
    assert star.settings.settings.recent_folders == ()


def test_another_series_opens_by_double_click(qtbot: QtBot, star: StarApp, tmp_path: Path) -> None:
    with qtbot.waitSignal(star.workflow.assessed):
        star.workflow.open_folder(_folder(tmp_path))
    tree = star.window.series_tree
    with qtbot.waitSignal(star.workflow.assessed):
        tree.tree.itemActivated.emit(tree._items[1], 0)
    assert star.workflow.source is not None
    assert star.workflow.source.series_uid == "1.9"


def test_recent_folders_are_offered_at_the_next_start(
    qtbot: QtBot, star: StarApp, open_app: OpenApp, tmp_path: Path
) -> None:
    for number in range(8):
        with qtbot.waitSignal(star.workflow.assessed):
            star.workflow.open_folder(_folder(tmp_path, f"ct{number}"))
    star.window.close()
    again = open_app(runner=DirectRunner())
    buttons = again.window.empty_state._recent_buttons
    assert [Path(button.text()).name for button in buttons] == ["ct7", "ct6", "ct5", "ct4", "ct3", "ct2"]
    with qtbot.waitSignal(again.workflow.assessed):
        qtbot.mouseClick(buttons[2], Qt.MouseButton.LeftButton)
    assert Path(again.settings.settings.recent_folders[0]).name == "ct5"
    assert len(again.settings.settings.recent_folders) == 6


# --------------------------------------------------------------------------- bad input


def test_a_refused_folder_is_told_in_a_box_and_what_was_open_stays(
    qtbot: QtBot, star_with_case: StarApp, tmp_path: Path
) -> None:
    star = star_with_case
    volume, assessment = star.session.volume, star.session.assessment
    with qtbot.waitSignal(star.workflow.refused):
        _drop(star, _folder(tmp_path, "refused"))
    (box,) = _boxes(star)
    assert box.text() == "There is no CT series in this folder; found: MR."
    assert box.informativeText() == "Choose a folder with a CT."
    assert not box.isModal()
    assert star.session.volume is volume
    assert star.session.assessment is assessment
    assert star.window.views.isVisible()
    assert star.window.star_actions["export"].isEnabled()


def test_a_refused_first_folder_leaves_the_empty_state(qtbot: QtBot, star: StarApp, tmp_path: Path) -> None:
    with qtbot.waitSignal(star.workflow.refused):
        star.workflow.open_folder(_folder(tmp_path, "refused"))
    assert star.window.empty_state.isVisible()
    assert star.settings.settings.recent_folders == ()


def test_a_bug_is_told_with_its_details(qtbot: QtBot, star: StarApp, tmp_path: Path) -> None:
    with qtbot.waitSignal(star.workflow.refused):
        star.workflow.open_folder(_folder(tmp_path, "bug"))
    (box,) = _boxes(star)
    assert "ZeroDivisionError" in box.detailedText()


def test_a_damaged_settings_file_is_told_and_the_program_starts(open_app: OpenApp, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("{")
    star = open_app()
    assert star.window.banners.messages == ("The settings file was damaged; the program starts with its defaults.",)


def test_a_failed_assessment_is_told_in_a_banner_and_the_old_one_stays(
    qtbot: QtBot, star_with_case: StarApp, direct_runner: DirectRunner
) -> None:
    def fail(_: Request) -> object:
        raise BundleError("The model's weights were altered.", remedy="Choose another model.", details="sha256 differs")

    star = star_with_case
    shown = star.session.assessment
    direct_runner.replace_answers = {AssessCase: fail}
    with qtbot.waitSignal(star.workflow.troubled):
        star.window.star_actions["assess"].trigger()
    assert star.window.banners.messages[0] == "Assessing: The model's weights were altered. Choose another model."
    assert star.session.assessment is shown
    assert any(button.text() == "Details" for button in star.window.banners.findChildren(QPushButton))


# --------------------------------------------------------------------------- the worker


def test_a_crashed_worker_costs_one_box_and_the_next_folder_opens(
    qtbot: QtBot, open_app: OpenApp, process_runner: JobRunner, tmp_path: Path
) -> None:
    star = open_app(runner=process_runner)
    with qtbot.waitSignal(star.workflow.refused, timeout=TIMEOUT_MS):
        star.workflow.open_folder(_folder(tmp_path, "crash"))
    (box,) = _boxes(star)
    assert "ended unexpectedly" in box.text()
    box.close()
    with qtbot.waitSignal(star.workflow.assessed, timeout=TIMEOUT_MS):
        star.workflow.open_folder(_folder(tmp_path))
    assert _boxes(star) == []
    assert star.window.banners.messages == ()
    assert not star.window.job_bar.isVisible()


def test_cancel_stops_reading_and_leaves_what_was_open(
    qtbot: QtBot, open_app: OpenApp, process_runner: JobRunner, tmp_path: Path
) -> None:
    star = open_app(runner=process_runner)
    with qtbot.waitSignal(star.workflow.assessed, timeout=TIMEOUT_MS):
        star.workflow.open_demo()
    volume = star.session.volume
    with qtbot.waitSignal(process_runner.progressed, timeout=TIMEOUT_MS):
        star.workflow.open_folder(tmp_path / "slow")
    assert star.window.job_text.text().startswith("Reading slices")
    assert star.window.job_bar.maximum() == 1000
    with qtbot.waitSignal(process_runner.idle, timeout=TIMEOUT_MS):
        qtbot.mouseClick(star.window.cancel_button, Qt.MouseButton.LeftButton)
    assert star.session.volume is volume
    assert not star.window.job_bar.isVisible()
    assert _boxes(star) == []


# --------------------------------------------------------------------------- the record


def test_a_changed_field_assesses_anew_once_typing_pauses(
    qtbot: QtBot, star_with_case: StarApp, direct_runner: DirectRunner
) -> None:
    star = star_with_case
    assert star.session.assessment is not None
    before = star.session.assessment.forecast.any_recurrence[0]
    reading = star.window.forecast.reading(1)
    editor = star.window.form.rows["age_years"].editor
    assert isinstance(editor, QLineEdit)
    editor.setFocus()
    editor.selectAll()
    with qtbot.waitSignal(star.workflow.assessed):
        qtbot.keyClicks(editor, "88")
    assert star.session.assessment.forecast.any_recurrence[0] > before
    assert star.window.forecast.reading(1) != reading
    assert len(direct_runner.asked(AssessCase)) == 2


def test_undo_by_key_assesses_the_record_as_it_was(
    qtbot: QtBot, star_with_case: StarApp, direct_runner: DirectRunner
) -> None:
    star = star_with_case
    editor = star.window.form.rows["bilobar_disease"].editor
    assert isinstance(editor, QComboBox)
    with qtbot.waitSignal(star.workflow.assessed):
        editor.setCurrentText("yes")
    star.window.year_bar.bars.setFocus()
    with qtbot.waitSignal(star.workflow.assessed):
        qtbot.keyClick(star.window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert star.session.clinical == RECORD
    assert [request.clinical for request in direct_runner.asked(AssessCase)] == [  # type: ignore[attr-defined]
        RECORD,
        replace(RECORD, bilobar_disease=True),
        RECORD,
    ]


def test_changes_of_the_last_patient_cannot_be_undone_into_the_next(
    qtbot: QtBot, star_with_case: StarApp, tmp_path: Path
) -> None:
    star = star_with_case
    editor = star.window.form.rows["bilobar_disease"].editor
    assert isinstance(editor, QComboBox)
    editor.setCurrentText("yes")
    with qtbot.waitSignal(star.workflow.assessed):
        star.workflow.open_folder(_folder(tmp_path))
    star.window.star_actions["undo"].trigger()
    assert star.session.clinical == RECORD


# --------------------------------------------------------------------------- years, trust, readings


def test_bars_curves_and_table_follow_the_year_together(qtbot: QtBot, star_with_case: StarApp) -> None:
    star = star_with_case
    bars = star.window.year_bar.bars
    qtbot.mouseClick(bars, Qt.MouseButton.LeftButton, pos=bars.rect().center())
    year = star.session.year
    assert 1 < year < 12
    assert star.session.assessment is not None
    region = star.session.assessment.regions[0]
    assert star.window.regions.table.item(0, 2).text() == f"{100 * region.cumulative_incidence[year - 1]:.2f}"
    assert star.window.forecast.accessibleDescription() == star.window.forecast.reading(year)


def test_the_trust_chip_counts_warnings_and_opens_them(qtbot: QtBot, star: StarApp) -> None:
    assert star.window.trust_chip.text() == "trust: no case"
    with qtbot.waitSignal(star.workflow.assessed):
        star.workflow.open_demo()
    assert star.window.trust_chip.text() == "trust: 1 warning"
    qtbot.mouseClick(star.window.trust_chip, Qt.MouseButton.LeftButton)
    assert star.window.findings.isVisible()


def test_the_status_bar_reads_what_lies_under_the_pointer(star_with_case: StarApp) -> None:
    star = star_with_case
    reading = HoverReading((0.0, 0.0, 0.0), hu=104, risk_percent_per_10ml=0.42, structure="segment VIII")
    star._show_reading(reading)
    assert star.window.reading.text() == "HU 104 · risk 0.42 % per 10 ml · segment VIII"
    star.session.set_incidence_mode(IncidenceMode.ANNUAL)
    star._show_reading(reading)
    assert "in this year" in star.window.reading.text()
    star._show_reading(None)
    assert star.window.reading.text() == ""


def test_a_picture_that_cannot_be_drawn_is_told(star_with_case: StarApp) -> None:
    star_with_case._tell_view_problem("there is no OpenGL")
    assert star_with_case.window.banners.messages[0] == "The picture cannot be drawn: there is no OpenGL"


# --------------------------------------------------------------------------- the report


def test_the_report_is_exported_under_the_case_s_pseudonym(
    qtbot: QtBot, star_with_case: StarApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    star = star_with_case
    suggested: list[str] = []

    def choose(*arguments: object) -> tuple[str, str]:
        suggested.append(str(arguments[2]))
        return str(tmp_path / "report.pdf"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    with qtbot.waitSignal(star.workflow.report_written):
        star.window.star_actions["export"].trigger()
    assert suggested == ["synthetic.pdf"]
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    assert star.window.banners.messages[0] == "The report was written to report.pdf."


def test_a_report_on_a_full_disk_is_told_in_a_box(
    qtbot: QtBot,
    star_with_case: StarApp,
    direct_runner: DirectRunner,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def fail(_: Request) -> object:
        raise StorageError("The disk is full.", remedy="Make room and export again.")

    direct_runner.replace_answers = {WriteReport: fail}
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "r.pdf"), ""))
    with qtbot.waitSignal(star_with_case.workflow.refused):
        star_with_case.window.star_actions["export"].trigger()
    (box,) = _boxes(star_with_case)
    assert box.text() == "The disk is full."
    assert star_with_case.session.assessment is not None


def test_export_before_any_assessment_says_what_to_do(star: StarApp) -> None:
    star.window.star_actions["export"].setEnabled(True)
    star.window.star_actions["export"].trigger()
    assert "nothing to report yet" in star.window.banners.messages[0]


# --------------------------------------------------------------------------- models


def _choose_model(qtbot: QtBot, star: StarApp, index: int) -> None:
    star.window.model_chooser.setCurrentIndex(index)
    star.window.model_chooser.activated.emit(index)


def test_the_chooser_names_models_and_calls_the_bundled_one_a_demonstration(star: StarApp) -> None:
    chooser = star.window.model_chooser
    assert [chooser.itemText(index) for index in range(chooser.count())] == ["demonstration model", "ours"]
    assert chooser.currentIndex() == 0
    assert "phantom" in chooser.itemData(0, Qt.ItemDataRole.ToolTipRole)


def test_another_model_assesses_the_open_case(
    qtbot: QtBot, star_with_case: StarApp, direct_runner: DirectRunner
) -> None:
    with qtbot.waitSignal(star_with_case.workflow.assessed):
        _choose_model(qtbot, star_with_case, 1)
    request = direct_runner.asked(AssessCase)[-1]
    assert isinstance(request, AssessCase)
    assert request.model == "ours"
    assert star_with_case.window.model_chooser.currentText() == "ours"


def test_a_model_that_cannot_be_used_does_not_stand_in_the_chooser(
    qtbot: QtBot, star_with_case: StarApp, direct_runner: DirectRunner
) -> None:
    def fail(_: Request) -> object:
        raise BundleError("The model's weights were altered.")

    direct_runner.replace_answers = {ActivateModel: fail}
    with qtbot.waitSignal(star_with_case.workflow.troubled):
        _choose_model(qtbot, star_with_case, 1)
    assert star_with_case.session.model_name == "demonstration"
    assert star_with_case.window.model_chooser.currentText() == "demonstration model"


def test_a_model_whose_choice_was_cancelled_does_not_stand_in_the_chooser(
    qtbot: QtBot, star_with_case: StarApp, direct_runner: DirectRunner
) -> None:
    star_with_case.window.model_chooser.setCurrentIndex(1)
    direct_runner.cancelled.emit(ActivateModel(name="ours"))
    assert star_with_case.window.model_chooser.currentText() == "demonstration model"


def test_a_fine_tuned_model_is_installed_and_assesses(
    qtbot: QtBot, star_with_case: StarApp, direct_runner: DirectRunner, tmp_path: Path
) -> None:
    star = star_with_case
    star.window.star_actions["finetune"].trigger()
    dialog = star.window.findChild(FineTuneDialog)
    assert [dialog.model.itemText(index) for index in range(dialog.model.count())] == ["demonstration", "ours"]
    with qtbot.waitSignal(star.workflow.assessed):
        dialog.bundle_ready.emit(str(tmp_path))
    assert direct_runner.asked(InstallModel) == [InstallModel(folder=tmp_path)]
    assert star.window.model_chooser.currentText() == "ours"


# --------------------------------------------------------------------------- looks and the end


def test_opacity_by_slider_and_keys_stay_together(qtbot: QtBot, star_with_case: StarApp) -> None:
    star = star_with_case
    star.window.opacity.setValue(40)
    assert star.session.overlay.opacity == pytest.approx(0.4)
    star.window.star_actions["overlay_more"].trigger()
    assert star.window.opacity.value() == 50
    for _ in range(8):
        star.window.star_actions["overlay_less"].trigger()
    assert star.session.overlay.opacity == pytest.approx(0.0, abs=1e-3)
    star.window.star_actions["overlay"].trigger()
    assert not star.session.overlay.visible
    assert not star.window.star_actions["overlay"].isChecked()


def test_dark_and_light_change_and_are_remembered(star: StarApp, qapp: QApplication, tmp_path: Path) -> None:
    dark = qapp.palette().color(QPalette.ColorRole.Window).lightness()
    star.window.star_actions["theme"].trigger()
    assert qapp.palette().color(QPalette.ColorRole.Window).lightness() > dark + 100
    assert SettingsStore(tmp_path / "settings.json").settings.theme is Theme.LIGHT
    star.window.star_actions["theme"].trigger()
    assert qapp.palette().color(QPalette.ColorRole.Window).lightness() == dark


def test_opacity_and_size_outlive_the_window(star: StarApp, tmp_path: Path) -> None:
    star.window.opacity.setValue(31)
    star.window.close()
    settings = SettingsStore(tmp_path / "settings.json").settings
    assert settings.overlay_opacity == pytest.approx(0.31)
    assert settings.window_geometry


def test_closing_ends_the_worker(qtbot: QtBot, open_app: OpenApp, process_runner: JobRunner) -> None:
    star = open_app(runner=process_runner)
    star.window.close()
    assert process_runner._process is None


# --------------------------------------------------------------------------- pixels


def test_the_real_views_show_the_patient_and_follow_the_year(qtbot: QtBot, open_app: OpenApp, tmp_path: Path) -> None:
    star = open_app(build_views=FourViews)
    views = star.window.views
    assert isinstance(views, FourViews)
    with qtbot.waitSignal(star.workflow.assessed):
        star.workflow.open_folder(_folder(tmp_path))
    assert views.wait_until_drawn()
    first = grab_pixels(views.axial)
    assert first.max() > 150  # the body and the bright mark
    star.session.set_year(12)
    assert views.wait_until_drawn()
    last = grab_pixels(views.axial)
    assert np.count_nonzero(coloured(last)) > np.count_nonzero(coloured(first)) > 0
    star.window.star_actions["overlay"].trigger()
    assert views.wait_until_drawn()
    assert np.count_nonzero(coloured(grab_pixels(views.axial))) < np.count_nonzero(coloured(first))
    assert coloured(grab_pixels(views.solid)).any()
    star.window.star_actions["reset"].trigger()
    views.maximise(None)


def test_grey_presets_change_the_picture_and_a_refused_folder_does_not(
    qtbot: QtBot, open_app: OpenApp, tmp_path: Path
) -> None:
    star = open_app(build_views=FourViews)
    views = star.window.views
    assert isinstance(views, FourViews)
    with qtbot.waitSignal(star.workflow.assessed):
        star.workflow.open_demo()
    assert views.wait_until_drawn()
    abdomen = grab_pixels(views.axial)
    with qtbot.waitSignal(star.workflow.refused):
        star.workflow.open_folder(tmp_path / "refused")
    assert views.wait_until_drawn()
    assert np.array_equal(grab_pixels(views.axial), abdomen)
    star.window.star_actions["window_lung"].trigger()
    assert views.wait_until_drawn()
    assert grab_pixels(views.axial).mean() > abdomen.mean() + 10


def test_a_case_opens_only_once_per_request(
    qtbot: QtBot, star: StarApp, direct_runner: DirectRunner, tmp_path: Path
) -> None:
    with qtbot.waitSignal(star.workflow.assessed):
        _drop(star, _folder(tmp_path))
    assert len(direct_runner.asked(OpenCase)) == 1
    assert len(direct_runner.asked(AssessCase)) == 1
