"""The archive as the window sees it: three workers, so that looking never waits for reading or importing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from PySide6.QtCore import QElapsedTimer, QObject, Signal

from star_viewer.jobs.archive_requests import (
    PAGE_ROWS,
    ContinueImport,
    DeleteStudies,
    DescribeSeries,
    FindStudies,
    ForgetImport,
    ImportStudies,
    KeepAnnotations,
    ListContents,
    ListPatientStudies,
    LookAround,
    MoveArchive,
    PurgeDeletions,
    ReadAnnotations,
    ReadThumbnail,
    UndoDeletion,
    UseArchive,
    Wanted,
)
from star_viewer.jobs.requests import Request
from star_viewer.jobs.runner import JobRunner
from star_viewer.jobs.worker import Failed, make_archive_tasks

REFRESH_MS = 2000
_AHEAD = "star_core.archive.catalogue"


@dataclass(frozen=True, slots=True)
class ArchiveRunners:
    """Who works on the archive: ``lists`` answers in milliseconds, ``files`` reads slices, ``imports`` takes long."""

    lists: JobRunner
    files: JobRunner
    imports: JobRunner

    @classmethod
    def build(cls, parent: QObject) -> Self:
        """Return runners with a worker process each, which start with their first request."""
        return cls(*(JobRunner(parent, make_archive_tasks, ahead=_AHEAD) for _ in range(3)))

    def close(self) -> None:
        """End the workers; an import goes on at the next start."""
        for runner in (self.lists, self.files, self.imports):
            runner.close()


class Shelf(QObject):
    """Asks for what the browser wants to show and does what it is told; brings everything back by signals."""

    studies_found = Signal(object, int, bool)  # rows, offset, whether there are more
    contents_listed = Signal(object)  # StudyContents
    patient_listed = Signal(object)  # tuple of StudyRow
    looked_around = Signal(object)  # Surroundings
    picture_drawn = Signal(int, bytes)
    described = Signal(int, object)  # series, SeriesDetails
    cannot_describe = Signal(int, object)  # series, Failed
    annotations_read = Signal(object, object)  # ReadAnnotations, tuple of Annotation
    deleted = Signal(int, int)  # number of the deletion, studies
    undone = Signal(int)  # files
    purged = Signal(object)  # Purge
    imported = Signal(object)  # ImportReport
    import_failed = Signal(object)  # Failed
    import_stopped = Signal(object)  # Request
    moved = Signal(object)  # Path
    troubled = Signal(object, object)  # Request, Failed

    def __init__(self, runners: ArchiveRunners, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.runners = runners
        self._wanted = Wanted()
        self._shown = PAGE_ROWS
        self._since_refresh = QElapsedTimer()
        for runner in (runners.lists, runners.files, runners.imports):
            runner.finished.connect(self._take)
            runner.failed.connect(self._fail)
        runners.imports.progressed.connect(self._refresh_now_and_then)
        runners.imports.cancelled.connect(self._stop)

    # ------------------------------------------------------------------ looking

    def find(self, wanted: Wanted) -> None:
        """Look for studies; what was asked for before no longer matters."""
        self._wanted, self._shown = wanted, PAGE_ROWS
        self.runners.lists.submit(FindStudies(wanted=wanted))

    def find_more(self, offset: int) -> None:
        """Look for the next page of what was asked for last."""
        self._shown = offset + PAGE_ROWS
        self.runners.lists.submit(FindStudies(wanted=self._wanted, offset=offset))

    def refresh(self) -> None:
        """Look again for what is shown, and for what stands around it."""
        self._since_refresh.restart()
        self.runners.lists.submit(FindStudies(wanted=self._wanted, limit=self._shown))
        self.look_around()

    def look_around(self) -> None:
        """Ask for values to filter by, recent studies, imports that did not end, and the bin."""
        self.runners.lists.submit(LookAround())

    def list_contents(self, study: int) -> None:
        """Ask for the series and results of a study."""
        self.runners.lists.submit(ListContents(study=study))

    def list_patient(self, patient: int) -> None:
        """Ask for all studies of a patient."""
        self.runners.lists.submit(ListPatientStudies(patient=patient))

    def draw_picture(self, series: int) -> None:
        """Ask for the small picture of a series."""
        self.runners.files.submit(ReadThumbnail(series=series))

    def describe(self, series: int) -> None:
        """Ask for everything about a series; only the last one asked for matters."""
        self.runners.files.submit(DescribeSeries(series=series))

    def ask_annotations(self, request: KeepAnnotations | ReadAnnotations) -> None:
        """Keep, or read, what was drawn on a scan."""
        self.runners.lists.submit(request)

    # ------------------------------------------------------------------ doing

    def import_sources(self, sources: Sequence[Path], *, link: bool) -> None:
        """Import folders, files, DICOMDIRs and zip archives."""
        self.runners.imports.submit(ImportStudies(sources=tuple(sources), link=link))

    def continue_import(self, number: int) -> None:
        """Go on with an import that did not end."""
        self.runners.imports.submit(ContinueImport(number=number))

    def forget_import(self, number: int) -> None:
        """Give up an import that did not end."""
        self.runners.lists.submit(ForgetImport(number=number))

    def delete(self, studies: Sequence[int]) -> None:
        """Take studies out of the archive."""
        if studies:
            self.runners.lists.submit(DeleteStudies(studies=tuple(studies)))

    def undo(self, deletion: int | None = None) -> None:
        """Bring back what a deletion took away."""
        self.runners.lists.submit(UndoDeletion(deletion=deletion))

    def purge(self) -> None:
        """Remove the files of deleted studies for good."""
        self.runners.imports.submit(PurgeDeletions())

    def move(self, folder: Path) -> None:
        """Move the archive; waits until an import has ended."""
        self.runners.imports.submit(MoveArchive(folder=folder))

    def use(self, folder: Path) -> None:
        """Use the archive in another folder."""
        self.runners.imports.submit(UseArchive(folder=folder))

    # ------------------------------------------------------------------ what comes back

    def _take(self, request: Request, answer: Any) -> None:
        match request:
            case FindStudies():
                self.studies_found.emit(answer, request.offset, len(answer) == request.limit)
            case ListContents():
                self.contents_listed.emit(answer)
            case ListPatientStudies():
                self.patient_listed.emit(answer)
            case LookAround():
                self.looked_around.emit(answer)
            case ReadThumbnail():
                self.picture_drawn.emit(request.series, answer)
            case DescribeSeries():
                self.described.emit(request.series, answer)
            case ReadAnnotations():
                self.annotations_read.emit(request, answer)
            case KeepAnnotations():
                self.list_contents(request.study)
            case _:
                self._take_change(request, answer)

    def _take_change(self, request: Request, answer: Any) -> None:
        match request:
            case DeleteStudies():
                self.deleted.emit(answer, len(request.studies))
            case UndoDeletion():
                self.undone.emit(answer)
            case PurgeDeletions():
                self.purged.emit(answer)
            case ImportStudies() | ContinueImport():
                self.imported.emit(answer)
            case MoveArchive() | UseArchive():
                self.moved.emit(answer)
        self.refresh()

    def _fail(self, request: Request, failure: Failed) -> None:
        match request:
            case ReadThumbnail():
                self.picture_drawn.emit(request.series, b"")
            case DescribeSeries():
                self.cannot_describe.emit(request.series, failure)
            case ImportStudies() | ContinueImport():
                self.import_failed.emit(failure)
                self.refresh()
            case _:
                self.troubled.emit(request, failure)

    def _stop(self, request: Request) -> None:
        self.import_stopped.emit(request)
        self.refresh()

    def _refresh_now_and_then(self, request: Request, *_: object) -> None:
        """Show what has come in while more is coming."""
        importing = isinstance(request, ImportStudies | ContinueImport)
        if importing and (not self._since_refresh.isValid() or self._since_refresh.elapsed() > REFRESH_MS):
            self._since_refresh.restart()
            self.runners.lists.submit(replace(FindStudies(wanted=self._wanted), limit=self._shown))
