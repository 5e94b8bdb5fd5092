"""Ways into the program, and what bad input and a dying worker cost."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtWidgets import QFileDialog, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from star_core.errors import BundleError, DecodingError, SliceGapError
from star_viewer.app import StarApp
from star_viewer.browser.nodes import Kind
from star_viewer.jobs.requests import AssessCase, OpenCase, Request
from star_viewer.jobs.runner import JobRunner
from tests.viewer.conftest import OpenApp, drop
from tests.viewer.fakes import RECORD
from tests.viewer.runners import DirectRunner
from tests.viewer.scene.factory import build_case

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
    (first, *_) = star.window.local.model.find(Kind.FOLDER, "folder").children
    font = star.window.local.model.index_of(first).data(Qt.ItemDataRole.FontRole)
    assert font is not None
    assert font.bold()
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
    local = star.window.local
    local.tree.choose(local.model.find(Kind.FILE_SERIES, "1.9"))
    with qtbot.waitSignal(star.workflow.assessed):
        qtbot.keyClick(local.tree, Qt.Key.Key_Return)
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
        raise DecodingError("A slice cannot be decoded.", remedy="Copy it again.", details="marker missing")

    star = star_with_case
    shown = star.session.assessment
    direct_runner.replace_answers = {AssessCase: fail}
    with qtbot.waitSignal(star.workflow.troubled):
        star.window.star_actions["assess"].trigger()
    assert star.window.banners.messages[0] == "Assessing: A slice cannot be decoded. Copy it again."
    assert star.session.assessment is shown
    assert any(button.text() == "Details" for button in star.window.banners.findChildren(QPushButton))


def test_an_altered_model_is_told_in_a_box_and_the_case_stays_open(
    qtbot: QtBot, star_with_case: StarApp, direct_runner: DirectRunner
) -> None:
    def fail(_: Request) -> object:
        raise BundleError("The model's weights were altered.", remedy="Choose another model.", details="sha256 differs")

    star = star_with_case
    shown = star.session.assessment
    direct_runner.replace_answers = {AssessCase: fail}
    with qtbot.waitSignal(star.workflow.refused):
        star.window.star_actions["assess"].trigger()
    (box,) = _boxes(star)
    assert box.text() == "The model's weights were altered."
    assert box.informativeText() == "Choose another model."
    assert box.detailedText() == "sha256 differs"
    assert star.session.assessment is shown
    box.close()


def test_a_gap_can_be_accepted_in_its_box(
    qtbot: QtBot, star: StarApp, direct_runner: DirectRunner, tmp_path: Path
) -> None:
    def refuse_gaps(request: Request) -> object:
        assert isinstance(request, OpenCase)
        if not request.source.interpolate_gaps:
            raise SliceGapError("Series 3: 10.0 mm gap after slice 38.", remedy="Accept interpolation.")
        return build_case()

    direct_runner.replace_answers = {OpenCase: refuse_gaps}
    with qtbot.waitSignal(star.workflow.refused):
        star.workflow.open_folder(_folder(tmp_path))
    (box,) = _boxes(star)
    (accept,) = [button for button in box.buttons() if button.text() == "Interpolate and open"]
    with qtbot.waitSignal(star.workflow.assessed):
        accept.click()
    assert star.workflow.source is not None
    assert star.workflow.source.interpolate_gaps


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


def test_a_case_opens_only_once_per_request(
    qtbot: QtBot, star: StarApp, direct_runner: DirectRunner, tmp_path: Path
) -> None:
    with qtbot.waitSignal(star.workflow.assessed):
        _drop(star, _folder(tmp_path))
    assert len(direct_runner.asked(OpenCase)) == 1
    assert len(direct_runner.asked(AssessCase)) == 1
