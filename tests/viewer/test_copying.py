"""De-identified copies from the window: what is chosen, the worker, and that nothing half-written remains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from star_core import api
from star_core.dicom.export import write_segmentation
from star_core.errors import StorageError
from star_viewer.app import StarApp
from star_viewer.browser.nodes import Kind
from star_viewer.copying import NOTHING_CHOSEN, SYNTHETIC, build_copies_runner
from star_viewer.dialogs.deidentify import DeidentifyDialog
from star_viewer.jobs.copy_requests import CopyDeidentified, CopySource, LookAtSource
from star_viewer.jobs.runner import JobRunner
from tests.core.dicom.deidentify.test_studies import add_identity
from tests.core.dicom.factory import read_folder, write_series
from tests.core.dicom.test_seg import build_masks
from tests.viewer.conftest import OpenApp
from tests.viewer.dialogs.test_deidentify import REPORT
from tests.viewer.runners import DirectRunner

TIMEOUT_MS = 60_000


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CT with its segmentation, of a patient with a name."""
    folder = tmp_path_factory.mktemp("study")
    write_series(folder / "ct", add_identity)
    volume = read_folder(folder / "ct")
    write_segmentation(build_masks(volume), volume, folder / "seg.dcm", patient_id="PAT-4711", patient_name="Doe^Jane")
    seg = pydicom.dcmread(folder / "seg.dcm")
    seg.StudyInstanceUID = volume.acquisition.study_uid
    seg.save_as(folder / "seg.dcm")
    return folder


@pytest.fixture
def archived(study: Path) -> int:
    """The study's number in the archive."""
    with api.open_archive() as archive:
        api.import_studies(archive, [study])
        return archive.find_studies()[0].id


def choose_patient(qtbot: QtBot, star: StarApp) -> None:
    qtbot.waitUntil(lambda: bool(star.window.local.model.rows), timeout=TIMEOUT_MS)
    star.window.local.tree.choose_first()


def ask(star: StarApp, out: Path) -> DeidentifyDialog:
    star.window.star_actions["deidentify"].trigger()
    dialog = star.copying.dialog
    assert dialog is not None
    dialog.destination.line.setText(str(out))
    return dialog


def copies(star: StarApp) -> DirectRunner:
    assert isinstance(star.copying.runner, DirectRunner)
    return star.copying.runner


def told(star: StarApp) -> tuple[str, ...]:
    return star.window.studies_banners.messages


# --------------------------------------------------------------------------- what is chosen


def test_without_a_study_the_window_says_what_to_do(qtbot: QtBot, star: StarApp) -> None:
    star.window.star_actions["deidentify"].trigger()
    assert told(star) == (NOTHING_CHOSEN,)
    assert star.copying.dialog is None
    with qtbot.waitSignal(star.workflow.assessed):
        star.workflow.open_demo()
    star.window.star_actions["deidentify"].trigger()
    assert SYNTHETIC in told(star)


def test_the_chosen_studies_of_the_archive_are_counted(
    qtbot: QtBot, archived: int, open_app: OpenApp, tmp_path: Path
) -> None:
    star = open_app()
    choose_patient(qtbot, star)
    dialog = ask(star, tmp_path / "copy")
    qtbot.waitUntil(lambda: "1 study, 2 series" in dialog.what.text(), timeout=TIMEOUT_MS)
    assert copies(star).requests == [LookAtSource(source=CopySource(studies=(archived,)))]


def test_an_open_folder_is_copied_where_no_study_is_chosen(
    qtbot: QtBot, star: StarApp, study: Path, tmp_path: Path
) -> None:
    with qtbot.waitSignal(star.workflow.assessed):
        star.workflow.open_folder(study)
    dialog = ask(star, study / "copy")
    assert "among the originals" in dialog.destination.note.text()
    qtbot.waitUntil(lambda: "1 study, 2 series" in dialog.what.text(), timeout=TIMEOUT_MS)
    node = star.window.local.model.find(Kind.FOLDER, "folder")
    assert node is not None
    star.window.local.tree.choose(node)
    ask(star, tmp_path / "copy")
    assert copies(star).requests == [LookAtSource(source=CopySource(folder=study))] * 2


def test_a_source_that_is_gone_is_told(qtbot: QtBot, star: StarApp, study: Path, tmp_path: Path) -> None:
    def refuse(_: object) -> object:
        raise StorageError("The files are gone.", remedy="Bring their drive back.")

    copies(star).replace_answers = {LookAtSource: refuse, CopyDeidentified: refuse}
    with qtbot.waitSignal(star.workflow.assessed):
        star.workflow.open_folder(study)
    dialog = ask(star, tmp_path / "copy")
    qtbot.waitUntil(lambda: dialog.what.text() == "The files are gone. Bring their drive back.")
    dialog.start()
    qtbot.waitUntil(lambda: "The files are gone." in dialog.problem.text())
    assert not dialog.running


# --------------------------------------------------------------------------- while and after


def test_one_copy_is_written_at_a_time_and_its_end_is_told(
    qtbot: QtBot, star: StarApp, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies(star).replace_answers = {CopyDeidentified: lambda _: REPORT}
    with qtbot.waitSignal(star.workflow.assessed):
        star.workflow.open_folder(study)
    dialog = ask(star, tmp_path / "copy")
    monkeypatch.setattr(dialog, "isActiveWindow", lambda: False)
    dialog.start()
    star.window.star_actions["deidentify"].trigger()
    assert star.copying.dialog is dialog
    qtbot.waitUntil(lambda: told(star) == ("The de-identified copy is done.",))
    assert dialog.title.text().startswith("Copied: 120 files")
    star.window.star_actions["deidentify"].trigger()
    assert star.copying.dialog is not dialog
    assert not dialog.isVisible()


def test_stopping_before_everything_was_counted_stops_the_copy_that_waits(
    qtbot: QtBot, star: StarApp, study: Path, tmp_path: Path
) -> None:
    with qtbot.waitSignal(star.workflow.assessed):
        star.workflow.open_folder(study)
    dialog = ask(star, tmp_path / "copy")
    dialog.start()
    dialog.reject()
    star.copying.runner.cancelled.emit(LookAtSource(source=CopySource(folder=study)))
    assert not dialog.running
    assert dialog.what.text() == "Counting was stopped."
    assert "Stopped" in dialog.problem.text()
    star.copying.close()


def test_keys_alone_make_a_copy_and_bring_it_into_the_archive(
    qtbot: QtBot, archived: int, open_app: OpenApp, tmp_path: Path
) -> None:
    """The real worker, on a CT with its segmentation."""
    star = open_app(copies_runner=build_copies_runner(None))
    choose_patient(qtbot, star)
    qtbot.keyClick(
        star.window.local.tree, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    )
    dialog = star.copying.dialog
    assert dialog is not None
    dialog.destination.line.setText(str(tmp_path / "copy"))
    dialog.activateWindow()
    qtbot.waitUntil(dialog.isActiveWindow)
    with qtbot.waitSignal(star.copying.runner.finished, timeout=TIMEOUT_MS, check_params_cb=_is_copy):
        press(qtbot, Qt.Key.Key_Return)
    assert dialog.verdict.text().startswith("Verification passed")
    assert "Doe" not in dialog.found.toPlainText()
    assert [path.name for path in tmp_path.glob("*copy*")] == ["copy"]
    qtbot.waitUntil(lambda: QApplication.focusWidget() is dialog.folder_button)
    for _ in range(2):
        press(qtbot, Qt.Key.Key_Tab)
    with qtbot.waitSignal(star.shelf.imported, timeout=TIMEOUT_MS) as imported:
        press(qtbot, Qt.Key.Key_Space)
    assert (imported.args[0].failed, imported.args[0].ignored) == ((), 0)
    with api.open_archive() as archive:
        names = {row.patient_name for row in archive.find_studies()}
    assert len(names) == 2
    assert sum(name.startswith("STAR-") for name in names) == 1
    press(qtbot, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


@pytest.mark.parametrize("way", ["cancel", "close the window"])
def test_a_copy_that_is_stopped_leaves_nothing(
    qtbot: QtBot, study: Path, open_app: OpenApp, tmp_path: Path, way: str
) -> None:
    star = open_app(copies_runner=build_copies_runner(None))
    with qtbot.waitSignal(star.workflow.assessed):
        star.workflow.open_folder(study)
    dialog = ask(star, tmp_path / "copy")
    with qtbot.waitSignal(star.copying.runner.progressed, timeout=TIMEOUT_MS, check_params_cb=_is_copy):
        dialog.start()
    if way == "cancel":
        with qtbot.waitSignal(star.copying.runner.cancelled, timeout=TIMEOUT_MS):
            dialog.reject()
        assert "Stopped" in dialog.problem.text()
        assert dialog.isVisible()
    else:
        star.window.close()
    assert list(tmp_path.glob("*copy*")) == []


def test_a_worker_that_dies_leaves_nothing(qtbot: QtBot, study: Path, open_app: OpenApp, tmp_path: Path) -> None:
    star = open_app(copies_runner=build_copies_runner(None))
    with qtbot.waitSignal(star.workflow.assessed):
        star.workflow.open_folder(study)
    dialog = ask(star, tmp_path / "copy")
    runner = star.copying.runner
    with qtbot.waitSignal(runner.progressed, timeout=TIMEOUT_MS, check_params_cb=_is_copy):
        dialog.start()
    with qtbot.waitSignal(runner.failed, timeout=TIMEOUT_MS):
        _kill(runner)
    assert "ended unexpectedly" in dialog.problem.text()
    assert list(tmp_path.glob("*copy*")) == []


def press(qtbot: QtBot, key: Qt.Key) -> None:
    focused = QApplication.focusWidget()
    assert focused is not None
    qtbot.keyClick(focused, key)


def _is_copy(request: Any, *_: object) -> bool:
    return isinstance(request, CopyDeidentified)


def _kill(runner: JobRunner) -> None:
    assert runner._process is not None
    runner._process.kill()
