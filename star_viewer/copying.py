"""Connects de-identified copies, by hand: what is chosen, the dialog, the worker, and what a killed worker left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from star_core.dicom.deidentify.options import DeidentifyOptions
from star_core.storage import archive_folder, remove_partial_folder
from star_core.types import Severity
from star_viewer.browser.nodes import Kind
from star_viewer.browser.study_tree import studies_of
from star_viewer.dialogs.deidentify import DeidentifyDialog
from star_viewer.jobs.copy_requests import CopyDeidentified, CopySource, LookAtSource
from star_viewer.jobs.requests import Request
from star_viewer.jobs.runner import JobRunner
from star_viewer.jobs.worker import Failed, make_copy_tasks
from star_viewer.main_window import MainWindow
from star_viewer.workflow import Workflow

PATIENCE_MS = 60_000
NOTHING_CHOSEN = "Choose the studies to copy first, or open a folder."
SYNTHETIC = "The demonstration patient is synthetic: there is nothing to take out. Choose a study first."


def build_copies_runner(parent: QObject | None) -> JobRunner:
    """Return a runner with a worker process of its own; a batch of files that is under way may end before it stops."""
    ahead = "star_core.dicom.deidentify.options"
    return JobRunner(parent, make_copy_tasks, ahead=ahead, patience_ms=PATIENCE_MS)


class Copying(QObject):
    """Knows the dialog and what it waits for; one copy is written at a time."""

    def __init__(
        self,
        window: MainWindow,
        workflow: Workflow,
        runner: JobRunner,
        open_dialog: Callable[[QWidget], None],
        import_sources: Callable[[tuple[Path, ...]], None],
    ) -> None:
        super().__init__(window)
        self._window, self._workflow, self.runner = window, workflow, runner
        self._open_dialog, self._import_sources = open_dialog, import_sources
        self._source = CopySource()
        self._written: tuple[Path, int] | None = None
        self.dialog: DeidentifyDialog | None = None
        window.star_actions["deidentify"].triggered.connect(lambda: self.ask())
        runner.started.connect(self._note_started)
        runner.progressed.connect(self._show_progress)
        runner.finished.connect(self._take)
        runner.failed.connect(self._fail)
        runner.cancelled.connect(self._show_stopped)

    def close(self) -> None:
        """End the worker; of a copy that is not whole nothing remains."""
        self.runner.close()
        self._remove_rest()

    def ask(self) -> DeidentifyDialog | None:
        """Open the dialog for what is chosen; while a copy is written, show that one."""
        if self.dialog is not None and self.dialog.running:
            self._raise()
            return self.dialog
        source = self._chosen()
        if source is None:
            demo = self._workflow.source is not None and self._workflow.source.is_demo
            self._window.studies_banners.tell(SYNTHETIC if demo else NOTHING_CHOSEN, severity=Severity.NOTE)
            return None
        if self.dialog is not None:
            self.dialog.close()
        self._source = source
        self.dialog = DeidentifyDialog(archive_folder(), original=source.folder, parent=self._window)
        self.dialog.start_asked.connect(self._start)
        self.dialog.cancel_asked.connect(self.runner.cancel)
        self.dialog.import_asked.connect(self._import)
        self._open_dialog(self.dialog)
        self.runner.submit(LookAtSource(source=source))
        return self.dialog

    def _chosen(self) -> CopySource | None:
        """Return the studies that are chosen; else the folder, or the study of the archive, that is open."""
        chosen = self._window.local.tree.chosen()
        if studies := studies_of(chosen):
            return CopySource(studies=studies)
        for node in chosen:
            listed = [one for one in (node, *node.children) if one.kind is Kind.FILE_SERIES]
            if listed:
                return CopySource(folder=listed[0].data.folder)
        opened = self._workflow.source
        if opened is not None and opened.archived is not None:
            return CopySource(studies=(opened.archived.study,))
        return None if opened is None or opened.folder is None else CopySource(folder=opened.folder)

    def _start(self, out: Path, options: DeidentifyOptions) -> None:
        self.runner.submit(CopyDeidentified(source=self._source, out=out, options=options))

    def _import(self, out: Path) -> None:
        """Import the studies of a copy; the reports beside them are none."""
        self._import_sources(tuple(sorted(path for path in out.glob("study-*") if path.is_dir())))

    # ------------------------------------------------------------------ what comes back

    def _note_started(self, request: Request) -> None:
        if isinstance(request, CopyDeidentified) and self.runner.pid is not None:
            self._written = (request.out, self.runner.pid)

    def _show_progress(self, request: Request, done: int, total: int) -> None:
        if self.dialog is not None and isinstance(request, CopyDeidentified):
            self.dialog.show_progress(done, total)

    def _take(self, request: Request, answer: Any) -> None:
        if self.dialog is None:
            return
        if isinstance(request, LookAtSource):
            if request.source == self._source:
                self.dialog.show_contents(answer)
            return
        self._written = None
        self.dialog.show_result(answer)
        if not self.dialog.isActiveWindow():
            show = ("Show", self._raise)
            self._window.studies_banners.tell(
                "The de-identified copy is done.", severity=Severity.NOTE, buttons=(show,)
            )

    def _fail(self, request: Request, failure: Failed) -> None:
        self._remove_rest()
        if self.dialog is None:
            return
        message = f"{failure.message} {failure.remedy}".strip()
        if isinstance(request, LookAtSource):
            self.dialog.show_cannot_count(message)
        else:
            self.dialog.show_failure(message, failure.details)

    def _show_stopped(self, request: Request) -> None:
        self._remove_rest()
        if self.dialog is None:
            return
        if isinstance(request, LookAtSource):
            self.dialog.show_cannot_count("Counting was stopped.")
        if self.dialog.running:  # a copy that still waited behind the counting is forgotten with it
            self.dialog.show_stopped()

    def _remove_rest(self) -> None:
        if self._written is not None:
            remove_partial_folder(*self._written)
            self._written = None

    def _raise(self) -> None:
        if self.dialog is not None:
            self.dialog.show()
            self.dialog.raise_()
            self.dialog.activateWindow()
