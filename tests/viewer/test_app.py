"""The whole program as a user meets it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication, QComboBox, QFileDialog, QLineEdit, QMessageBox
from pytestqt.qtbot import QtBot

from star_core.errors import BundleError, StorageError
from star_viewer.app import StarApp
from star_viewer.dialogs.finetune import FineTuneDialog
from star_viewer.jobs.requests import ActivateModel, AssessCase, InstallModel, Request, WriteReport
from star_viewer.jobs.runner import JobRunner
from star_viewer.scene.four_views import FourViews
from star_viewer.scene.hover import HoverReading
from star_viewer.session import IncidenceMode
from star_viewer.settings import SettingsStore, Theme
from tests.viewer.conftest import OpenApp
from tests.viewer.fakes import RECORD
from tests.viewer.runners import DirectRunner
from tests.viewer.scene.conftest import coloured, grab_pixels


def _boxes(star: StarApp) -> list[QMessageBox]:
    return [box for box in star.window.findChildren(QMessageBox) if box.isVisible()]


def _folder(tmp_path: Path, name: str = "ct") -> Path:
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    return folder


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
        star.workflow.open_folder(_folder(tmp_path, "another"))
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


def test_a_model_without_a_map_says_so_above_the_picture_until_another_is_used(star: StarApp) -> None:
    star._tell_of_model({"It does not say where.", "It learnt from real patients."})
    assert {"It does not say where.", "It learnt from real patients."} <= set(star.window.banners.messages)
    star._tell_of_model({"It learnt from real patients."})
    assert "It does not say where." not in star.window.banners.messages


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


def test_the_chooser_names_models_and_tells_which_learnt_from_synthetic_patients(star: StarApp) -> None:
    chooser = star.window.model_chooser
    assert [chooser.itemText(index) for index in range(chooser.count())] == ["star (synthetic patients)", "ours"]
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
    with qtbot.waitSignal(star_with_case.workflow.refused):
        _choose_model(qtbot, star_with_case, 1)
    assert star_with_case.session.model_name == "star"
    assert star_with_case.window.model_chooser.currentText() == "star (synthetic patients)"


def test_a_model_whose_choice_was_cancelled_does_not_stand_in_the_chooser(
    qtbot: QtBot, star_with_case: StarApp, direct_runner: DirectRunner
) -> None:
    star_with_case.window.model_chooser.setCurrentIndex(1)
    direct_runner.cancelled.emit(ActivateModel(name="ours"))
    assert star_with_case.window.model_chooser.currentText() == "star (synthetic patients)"


def test_a_fine_tuned_model_is_installed_and_assesses(
    qtbot: QtBot, star_with_case: StarApp, direct_runner: DirectRunner, tmp_path: Path
) -> None:
    star = star_with_case
    star.window.star_actions["finetune"].trigger()
    dialog = star.window.findChild(FineTuneDialog)
    assert [dialog.model.itemText(index) for index in range(dialog.model.count())] == ["star", "ours"]
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
