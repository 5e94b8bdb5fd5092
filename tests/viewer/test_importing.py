"""Imports in the window: dropped, shown, held, told, and taken up again after a kill; the archive's place."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QFileDialog, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from star_core import api
from star_core.archive import importer
from star_core.errors import CancelledError, StorageError
from star_core.storage import archive_folder
from star_viewer.app import StarApp
from star_viewer.dialogs.import_report import ImportReportDialog
from star_viewer.dialogs.preferences import PreferencesDialog
from star_viewer.jobs.archive_requests import ImportStudies, MoveArchive, PurgeDeletions
from star_viewer.jobs.requests import Request
from star_viewer.settings import SettingsStore, Theme
from tests.viewer.conftest import OpenApp, drop
from tests.viewer.runners import DirectRunner
from tests.viewer.shelves import PEOPLE, write_study


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "stick"
    write_study(folder, PEOPLE[1], "20260131", "20", "CT")
    (folder / "notes.txt").write_text("not DICOM")
    return folder


def imports_of(star: StarApp) -> DirectRunner:
    runner = star.shelf.runners.imports
    assert isinstance(runner, DirectRunner)
    return runner


def _buttons(star: StarApp) -> dict[str, QPushButton]:
    return {button.text(): button for button in star.window.studies_banners.findChildren(QPushButton)}


def _import(qtbot: QtBot, star: StarApp, *paths: Path) -> None:
    with qtbot.waitSignal(star.shelf.imported):
        star.importing.import_sources(paths)


# --------------------------------------------------------------------------- ways in


def test_what_is_dropped_on_the_studies_is_imported_and_shown(qtbot: QtBot, star: StarApp, study: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(study))])
    with qtbot.waitSignal(star.shelf.imported):
        assert drop(star.window.local, mime)
    qtbot.waitUntil(lambda: star.window.local.model.rowCount() == 1)
    assert star.window.studies_banners.messages == ("3 files imported in 1 study; 1 is not DICOM.",)
    assert star.workflow.source is None
    assert not star.window.local.strip.isVisible()


def test_a_folder_and_files_are_imported_by_their_actions(
    qtbot: QtBot, star: StarApp, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(study))
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_, **__: ([str(min(study.iterdir()))], ""))
    for name in ("import_folder", "import_files"):
        with qtbot.waitSignal(star.shelf.imported):
            star.window.star_actions[name].trigger()
    sources = [request.sources for request in imports_of(star).asked(ImportStudies)]  # type: ignore[attr-defined]
    assert sources == [(study,), (min(study.iterdir()),)]
    assert "1 was there already" in star.window.studies_banners.messages[0]


def test_files_are_linked_where_the_preferences_say_so(qtbot: QtBot, star: StarApp, study: Path) -> None:
    page = star.importing.open_preferences().studies
    assert page.copy_choice.isChecked()
    page.link_choice.setChecked(True)
    _import(qtbot, star, study)
    assert [request.link for request in imports_of(star).asked(ImportStudies)] == [True]  # type: ignore[attr-defined]
    assert not list((archive_folder() / "files").iterdir())


# --------------------------------------------------------------------------- what came of it


def test_what_failed_is_listed_with_the_reasons_and_can_be_copied(qtbot: QtBot, star: StarApp, study: Path) -> None:
    (study / "cut.dcm").write_bytes(min(study.glob("*.dcm")).read_bytes()[:200])
    _import(qtbot, star, study)
    assert "1 could not be imported" in star.window.studies_banners.messages[0]
    _buttons(star)["Which and why"].click()
    (dialog,) = star.window.findChildren(ImportReportDialog)
    assert not dialog.isModal()
    item = dialog.table.item(0, 0)
    assert item is not None
    assert item.text().endswith("cut.dcm")
    dialog.copy()
    assert "cut.dcm\t" in QGuiApplication.clipboard().text()


def test_a_full_disk_is_told_before_anything_is_copied(
    qtbot: QtBot, star: StarApp, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "SPARE_BYTES", 1 << 60)
    with qtbot.waitSignal(star.shelf.import_failed):
        star.importing.import_sources((study,))
    assert "GB free" in star.window.studies_banners.messages[0]
    assert not list((archive_folder() / "files").iterdir())


@pytest.fixture
def interrupted(study: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An import that ended after its first file."""

    def stop(done: int, total: int) -> None:
        if done:
            raise CancelledError("stopped")

    monkeypatch.setattr(importer, "FILES_PER_BATCH", 1)
    monkeypatch.setattr(importer, "REPORTS_PER_S", 1e9)
    with api.open_archive() as archive, pytest.raises(CancelledError):
        api.import_studies(archive, [study], progress=stop)
    return study


def test_an_interrupted_import_is_offered_at_the_start_and_goes_on(
    qtbot: QtBot, interrupted: Path, open_app: OpenApp
) -> None:
    star = open_app()
    qtbot.waitUntil(lambda: bool(star.window.studies_banners.messages))
    assert star.window.studies_banners.messages == ("The import of stick was interrupted after 1 file.",)
    with qtbot.waitSignal(star.shelf.imported):
        _buttons(star)["Go on"].click()
    assert star.window.studies_banners.messages[0].startswith("3 files imported")


def test_the_tab_key_goes_from_the_studies_to_what_is_offered(
    qtbot: QtBot, interrupted: Path, open_app: OpenApp
) -> None:
    star = open_app()
    qtbot.waitUntil(lambda: bool(star.window.studies_banners.messages))
    tree, go_on = star.window.local.tree, _buttons(star)["Go on"]
    qtbot.waitUntil(go_on.isVisible)
    tree.setFocus()
    seen: list[QWidget] = [tree]
    while len(seen) < 6 and not go_on.hasFocus():
        qtbot.keyClick(seen[-1], Qt.Key.Key_Tab)
        seen.append(QApplication.focusWidget())
    assert go_on.hasFocus(), seen
    with qtbot.waitSignal(star.shelf.imported):
        qtbot.keyClick(go_on, Qt.Key.Key_Space)


def test_an_interrupted_import_can_be_forgotten(qtbot: QtBot, interrupted: Path, open_app: OpenApp) -> None:
    star = open_app()
    qtbot.waitUntil(lambda: bool(star.window.studies_banners.messages))
    with qtbot.waitSignal(star.shelf.studies_found):
        _buttons(star)["Forget it"].click()
    with api.open_archive() as archive:
        assert archive.unfinished_imports() == ()
    assert star.window.studies_banners.messages == ()


# --------------------------------------------------------------------------- while it runs


def test_the_strip_tells_how_far_it_is_and_holds_it(qtbot: QtBot, star: StarApp, tmp_path: Path) -> None:
    runner, strip = imports_of(star), star.window.local.strip
    request = ImportStudies(sources=(tmp_path / "a", tmp_path / "b"))
    assert not star.window.star_actions["import_stop"].isEnabled()
    runner.started.emit(request)
    runner.progressed.emit(request, 1280, 5000)
    assert strip.isVisible()
    assert strip.text.text() == "Importing a and 1 more\n1,280 of 5,000 files"
    assert (strip.bar.value(), strip.bar.maximum()) == (1280, 5000)
    assert star.window.star_actions["import_stop"].isEnabled()
    runner.paused.emit(True)
    assert strip.pause_button.text() == "Go on"
    runner.paused.emit(False)
    assert strip.pause_button.text() == "Pause"
    runner.idle.emit()
    assert not strip.isVisible()


def test_a_stopped_import_is_offered_again(qtbot: QtBot, interrupted: Path, open_app: OpenApp) -> None:
    star = open_app()
    qtbot.waitUntil(lambda: bool(star.window.studies_banners.messages))
    star.window.studies_banners.clear()
    imports_of(star).cancelled.emit(ImportStudies(sources=(interrupted,)))
    qtbot.waitUntil(lambda: bool(star.window.studies_banners.messages))
    assert "Go on" in _buttons(star)


def test_what_comes_in_is_shown_while_more_is_coming(qtbot: QtBot, star: StarApp, study: Path) -> None:
    with api.open_archive() as archive:
        api.import_studies(archive, [study])
    star.shelf._since_refresh.invalidate()
    imports_of(star).progressed.emit(ImportStudies(sources=(study,)), 1, 2)
    qtbot.waitUntil(lambda: star.window.local.model.rowCount() == 1)


# --------------------------------------------------------------------------- preferences


def test_the_archive_moves_and_is_found_where_it_went(
    qtbot: QtBot, star: StarApp, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _import(qtbot, star, study)
    page = star.importing.open_preferences().studies
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(tmp_path / "disk"))
    with qtbot.waitSignal(star.shelf.moved):
        qtbot.mouseClick(page.move_button, Qt.MouseButton.LeftButton)
    assert archive_folder() == tmp_path / "disk"
    assert page.folder.text() == str(tmp_path / "disk")
    qtbot.waitUntil(lambda: star.window.local.model.rowCount() == 1)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(tmp_path / "other"))
    with qtbot.waitSignal(star.shelf.moved):
        qtbot.mouseClick(page.use_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: star.window.local.model.rowCount() == 0)


def test_a_move_that_is_refused_is_told(qtbot: QtBot, star: StarApp, tmp_path: Path) -> None:
    def refuse(_: Request) -> object:
        raise StorageError("The new disk has 0.1 GB free.", remedy="Choose another disk.")

    imports_of(star).replace_answers = {MoveArchive: refuse}
    with qtbot.waitSignal(star.shelf.troubled):
        star.shelf.move(tmp_path / "disk")
    assert star.window.studies_banners.messages[0].startswith("Moving the archive: The new disk")


def test_preferences_tell_the_bin_and_take_other_pages(qtbot: QtBot, star: StarApp, study: Path) -> None:
    _import(qtbot, star, study)
    dialog = star.importing.open_preferences()
    assert not dialog.studies.purge_button.isEnabled()
    star.shelf.delete([star.window.local.model.rows[0].id] if star.window.local.model.rows else [1])
    qtbot.waitUntil(dialog.studies.purge_button.isEnabled)
    assert "1 deleted studies" in dialog.studies.bin_text.text()
    dialog.studies.purge_asked.emit()
    assert imports_of(star).asked(PurgeDeletions) == []  # asked first
    dialog.add_page("More", QPushButton())
    titles = [dialog.pages.tabText(page) for page in range(dialog.pages.count())]
    assert titles == ["Studies", "Looks", "Servers", "Receiver", "Grey windows", "More"]


def test_the_colours_are_chosen_in_the_preferences(star: StarApp, tmp_path: Path) -> None:
    star.window.star_actions["preferences"].trigger()
    (dialog,) = star.window.findChildren(PreferencesDialog)
    looks = dialog.looks.theme
    looks.setCurrentIndex(looks.findData(Theme.LIGHT))
    looks.activated.emit(looks.currentIndex())
    assert SettingsStore(tmp_path / "settings.json").settings.theme is Theme.LIGHT
