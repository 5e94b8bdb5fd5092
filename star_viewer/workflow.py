"""One patient's way through the window: open, assess, export; asks jobs and puts what they bring into the session."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from star_core.errors import BundleError
from star_core.types import Assessment, Case, Volume
from star_viewer.jobs.follow_up_requests import ListOtherStudies, OpenFollowUp
from star_viewer.jobs.requests import (
    ActivateModel,
    ArchivedScan,
    AssessCase,
    CaseEdits,
    CaseSource,
    InstallModel,
    ListModels,
    ListSeries,
    OpenCase,
    Request,
    WriteReport,
    WriteSegments,
)
from star_viewer.jobs.runner import JobRunner
from star_viewer.jobs.worker import Failed
from star_viewer.session import Session

EDITS_PAUSE_MS = 1200


class Workflow(QObject):
    """Knows which source is open and which request comes next."""

    case_opened = Signal(object)  # CaseSource
    assessed = Signal()
    series_listed = Signal(object)  # tuple of SeriesInfo
    models_listed = Signal(object)  # tuple of ModelInfo
    report_written = Signal(str)
    segments_written = Signal(str)
    refused = Signal(object)  # Failed: the user's input cannot be used
    troubled = Signal(object, object)  # Request, Failed: something else went wrong

    def __init__(self, session: Session, runner: JobRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._runner = session, runner
        self.source: CaseSource | None = None
        self.refused_source: CaseSource | None = None
        self.edits = CaseEdits()
        self._listed_folder: Path | None = None
        self._edits_pause = QTimer(self, singleShot=True, interval=EDITS_PAUSE_MS)
        self._edits_pause.timeout.connect(self.assess)
        runner.finished.connect(self._take)
        runner.failed.connect(self._fail)

    # ------------------------------------------------------------------ what the user asks

    def open_folder(self, folder: Path, *, segmentation: Path | None = None, clinical: Path | None = None) -> None:
        """List the series of a folder and open its CT."""
        if folder.is_dir():
            self._runner.submit(ListSeries(folder=folder))
        self._open(CaseSource(folder=folder, segmentation=segmentation, clinical=clinical))

    def open_series(self, series_uid: str) -> None:
        """Open another series of the folder that was listed last; its first choice may have been refused."""
        if self._listed_folder is not None:
            self._open(CaseSource(folder=self._listed_folder, series_uid=series_uid))

    def open_archived(self, scan: ArchivedScan) -> None:
        """Open a scan of the archive."""
        self._open(CaseSource(archived=scan))

    def open_source(self, source: CaseSource) -> None:
        """Open what was open before."""
        if source.folder is not None and source.folder.is_dir():
            self._runner.submit(ListSeries(folder=source.folder))
        self._open(source)

    @property
    def volume(self) -> Volume | None:
        """The CT of the open case."""
        return self._session.volume

    def open_with_filled_gaps(self) -> None:
        """Open what was refused last, with missing slices interpolated."""
        if self.refused_source is not None:
            self._open(replace(self.refused_source, interpolate_gaps=True))

    def open_demo(self) -> None:
        """Open the synthetic patient."""
        self._open(CaseSource(folder=None))

    def assess(self) -> None:
        """Assess the open case with the record as it stands in the form."""
        if self.source is not None and self._session.volume is not None:
            self._edits_pause.stop()
            clinical, model = self._session.clinical, self._model()
            self._runner.submit(AssessCase(source=self.source, clinical=clinical, model=model, edits=self.edits))

    def take_edits(self, edits: CaseEdits) -> None:
        """Take over what the reader made of the case; it is assessed anew once the hand rests."""
        if edits != self.edits:
            self.edits = edits
            self._edits_pause.start()

    def write_report(self, path: Path) -> None:
        """Write the PDF of the open case."""
        if self.source is not None and self._session.assessment is not None:
            clinical, model = self._session.clinical, self._model()
            self._runner.submit(
                WriteReport(source=self.source, clinical=clinical, model=model, path=path, edits=self.edits)
            )

    def write_segments(self, path: Path) -> None:
        """Write Couinaud's segments of the open case."""
        if self.source is not None and self._session.volume is not None:
            self._runner.submit(WriteSegments(source=self.source, path=path, edits=self.edits))

    def list_models(self) -> None:
        """Ask for the models at hand."""
        self._runner.submit(ListModels())

    def choose_model(self, name: str) -> None:
        """Use another model from now on, and for the open case at once."""
        if name != self._session.model_name:
            self._runner.submit(ActivateModel(name=name))

    def install_model(self, folder: Path) -> None:
        """Install a new bundle and use it."""
        self._runner.submit(InstallModel(folder=folder))

    def _open(self, source: CaseSource) -> None:
        self._runner.submit(OpenCase(source=source))

    def _model(self) -> str | None:
        return self._session.model_name or None

    # ------------------------------------------------------------------ what jobs bring

    def _take(self, request: Request, answer: Any) -> None:
        match request:
            case OpenCase():
                self._take_case(request.source, answer)
            case AssessCase():
                self._take_assessment(request, answer)
            case ListSeries():
                self._listed_folder = request.folder
                self.series_listed.emit(answer)
            case ListModels() | ActivateModel() | InstallModel():
                self._take_models(answer)
            case WriteReport():
                self.report_written.emit(str(request.path))
            case WriteSegments():
                self.segments_written.emit(str(request.path))

    def _take_case(self, source: CaseSource, case: Case) -> None:
        self.source, self.edits = source, CaseEdits()
        self._edits_pause.stop()
        self._session.set_case(case)
        self.case_opened.emit(source)
        self.assess()

    def _take_assessment(self, request: AssessCase, assessment: Assessment) -> None:
        is_newest = request.clinical == self._session.clinical and request.edits == self.edits
        if request.source == self.source and is_newest:
            self._session.set_assessment(assessment)
            self.assessed.emit()

    def _take_models(self, models: tuple[Any, ...]) -> None:
        active = next((model.name for model in models if model.is_active), "")
        changed = active != self._session.model_name
        self._session.set_model_name(active)
        self.models_listed.emit(models)
        if changed:
            self.assess()

    def _fail(self, request: Request, failure: Failed) -> None:
        asked_by_user = isinstance(request, OpenCase | InstallModel | ActivateModel | WriteReport | WriteSegments)
        if asked_by_user or failure.kind == BundleError.__name__:
            self.refused_source = request.source if isinstance(request, OpenCase) else None
            self.refused.emit(failure)
        elif isinstance(request, OpenFollowUp | ListOtherStudies):
            return  # ``following`` tells these
        elif not isinstance(request, ListSeries):  # the case of the same folder is opened next and tells the reason
            self.troubled.emit(request, failure)
