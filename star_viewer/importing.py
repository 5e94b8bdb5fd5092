"""Connects imports and the archive's place, by hand: sources, progress, pause, what failed, what was interrupted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from star_core.storage import archive_folder
from star_core.types import Severity
from star_viewer.dialogs.import_report import ImportReportDialog
from star_viewer.dialogs.preferences import PreferencesDialog
from star_viewer.jobs.archive_requests import ImportStudies, MoveArchive, Surroundings
from star_viewer.jobs.requests import Request
from star_viewer.jobs.worker import Failed
from star_viewer.main_window import MainWindow
from star_viewer.settings import SettingsStore
from star_viewer.shelf import Shelf

OpenDialog = Callable[[QWidget], None]


class Importing(QObject):
    """Asks what to import, shows how far it is, and tells at the end what did not come in."""

    theme_chosen = Signal(object)  # Theme
    preferences_opened = Signal(object)  # PreferencesDialog, before it is shown: others add their pages

    def __init__(self, window: MainWindow, shelf: Shelf, settings: SettingsStore, open_dialog: OpenDialog) -> None:
        super().__init__(window)
        self._window, self._shelf, self._settings, self._open_dialog = window, shelf, settings, open_dialog
        self._strip, self._banners = window.local.strip, window.studies_banners
        self._offers_due = True
        self._running: Request | None = None
        self._paused = False
        self._preferences: PreferencesDialog | None = None
        self._bin = (0, 0)
        self._connect_actions()
        self._connect_shelf()

    def _connect_actions(self) -> None:
        actions, runner = self._window.star_actions, self._shelf.runners.imports
        for name, slot in (
            ("import_folder", self._ask_folder),
            ("import_files", self._ask_files),
            ("import_pause", self._pause_or_go_on),
            ("import_stop", runner.cancel),
            ("preferences", self.open_preferences),
        ):
            actions[name].triggered.connect(lambda _=False, do=slot: do())
        self._strip.pause_asked.connect(self._pause_or_go_on)
        self._strip.cancel_asked.connect(runner.cancel)
        self._window.local.dropped.connect(self.import_sources)
        self._enable()

    def _connect_shelf(self) -> None:
        shelf, runner = self._shelf, self._shelf.runners.imports
        runner.started.connect(self._show_started)
        runner.progressed.connect(lambda request, done, total: self._strip.show_job(_in_words(request), done, total))
        runner.paused.connect(self._show_paused)
        runner.idle.connect(self._show_idle)
        shelf.imported.connect(self._tell_imported)
        shelf.import_failed.connect(self._tell_failed)
        shelf.import_stopped.connect(self._note_stopped)
        shelf.looked_around.connect(self._look_around)
        shelf.moved.connect(self._tell_moved)

    # ------------------------------------------------------------------ what the user asks

    def import_sources(self, sources: tuple[Path, ...]) -> None:
        """Import folders, files, DICOMDIRs and zip archives, as the preferences say."""
        self._shelf.import_sources(sources, link=self._settings.settings.import_by_link)

    def _ask_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self._window, "Import a folder with studies")
        if folder:
            self.import_sources((Path(folder),))

    def _ask_files(self) -> None:
        files, _ = QFileDialog.getOpenFileNames(self._window, "Import DICOM files, a DICOMDIR or zip archives")
        if files:
            self.import_sources(tuple(map(Path, files)))

    def _pause_or_go_on(self) -> None:
        runner = self._shelf.runners.imports
        runner.resume() if self._paused else runner.pause()

    # ------------------------------------------------------------------ how far it is

    def _show_started(self, request: Request) -> None:
        self._running = request
        self._strip.show_job(_in_words(request))
        self._enable()

    def _show_paused(self, paused: bool) -> None:
        self._paused = paused
        self._strip.show_paused(paused)

    def _show_idle(self) -> None:
        self._running = None
        self._strip.show_job("")
        self._enable()

    def _enable(self) -> None:
        for name in ("import_pause", "import_stop"):
            self._window.star_actions[name].setEnabled(self._running is not None)

    # ------------------------------------------------------------------ what came of it

    def _tell_imported(self, report: Any) -> None:
        files = _counted(report.imported, "file", "files")
        parts = [f"{files} imported in {_counted(len(report.studies), 'study', 'studies')}"]
        if report.duplicates:
            parts.append(_counted(report.duplicates, "was there already", "were there already"))
        if report.ignored:
            parts.append(_counted(report.ignored, "is not DICOM", "are not DICOM"))
        if not report.failed:
            self._banners.tell("; ".join(parts) + ".", severity=Severity.NOTE)
            return
        parts.append(f"{len(report.failed):,} could not be imported")
        show = ("Which and why", lambda: self._open_dialog(ImportReportDialog(report.failed, self._window)))
        self._banners.tell("; ".join(parts) + ".", severity=Severity.WARNING, buttons=(show,))

    def _tell_failed(self, failure: Failed) -> None:
        message = f"{failure.message} {failure.remedy}".strip()
        self._banners.tell(message, severity=Severity.REFUSAL, details=failure.details)
        self._offers_due = True  # a disk that filled leaves an import that can go on

    def _note_stopped(self, request: Request) -> None:
        if isinstance(request, MoveArchive):
            self._banners.tell("The archive was not moved; it lies where it was.", severity=Severity.NOTE)
        self._offers_due = True

    def _look_around(self, around: Surroundings) -> None:
        self._bin = (around.bin.studies, around.bin.size_bytes)
        if self._preferences is not None:
            self._preferences.studies.show_bin(*self._bin)
        if self._offers_due and self._running is None:
            self._offers_due = False
            for unfinished in around.unfinished:
                self._offer(unfinished)

    def _offer(self, unfinished: Any) -> None:
        """Offer to go on with an import that was stopped or killed."""
        names = ", ".join(unfinished.names[:2]) + ("…" if len(unfinished.names) > 2 else "")
        done = _counted(unfinished.files_done, "file", "files")
        self._banners.tell(
            f"The import of {names} was interrupted after {done}.",
            severity=Severity.WARNING,
            buttons=(
                ("Go on", lambda: self._shelf.continue_import(unfinished.number)),
                ("Forget it", lambda: self._shelf.forget_import(unfinished.number)),
            ),
        )

    # ------------------------------------------------------------------ preferences and the archive's place

    def open_preferences(self) -> PreferencesDialog:
        """Show the preferences with the pages that other parts of the program add to them."""
        dialog = PreferencesDialog(self._settings.settings, archive_folder(), self._window)
        page = dialog.studies
        page.show_bin(*self._bin)
        page.move_asked.connect(self._shelf.move)
        page.use_asked.connect(self._shelf.use)
        page.purge_asked.connect(self._window.star_actions["purge"].trigger)
        page.link_changed.connect(lambda link: self._settings.change(import_by_link=link))
        dialog.looks.theme_changed.connect(self.theme_chosen)
        dialog.finished.connect(lambda _: self._forget_preferences(dialog))
        self._preferences = dialog
        self.preferences_opened.emit(dialog)
        self._open_dialog(dialog)
        return dialog

    def _forget_preferences(self, dialog: PreferencesDialog) -> None:
        if self._preferences is dialog:
            self._preferences = None

    def _tell_moved(self, folder: Path) -> None:
        if self._preferences is not None:
            self._preferences.studies.show_folder(folder)
        self._banners.tell(f"The archive lies in {folder} now.", severity=Severity.NOTE)


def _in_words(request: Request) -> str:
    if isinstance(request, ImportStudies):
        names = [source.name for source in request.sources]
        return f"{request.text} {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
    return request.text


def _counted(number: int, one: str, many: str) -> str:
    return f"1 {one}" if number == 1 else f"{number:,} {many}"
