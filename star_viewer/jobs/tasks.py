"""What the worker process does for each request; the only importer of :mod:`star_core.api`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from star_core import api
from star_core.types import Assessment, Case, ProgressCallback
from star_viewer.jobs.requests import (
    ActivateModel,
    AssessCase,
    CaseSource,
    InstallModel,
    ListModels,
    ListSeries,
    OpenCase,
    Request,
    WriteReport,
)

if TYPE_CHECKING:
    from star_core.assessment import Assessor


class Tasks:
    """Answers requests; keeps the open case, the model and the newest assessment between them."""

    def __init__(self) -> None:
        self._source: CaseSource | None = None
        self._case: Case | None = None
        self._model: str | None = None
        self._assessor: Assessor | None = None

    def answer(self, request: Request, progress: ProgressCallback) -> object:
        """Return the answer to a request."""
        match request:
            case ListSeries():
                return api.list_series(request.folder, progress)
            case OpenCase():
                return self._open(request.source, progress)
            case AssessCase():
                return self._assess(request, progress)
            case WriteReport():
                case = replace(self._open(request.source, progress), clinical=request.clinical)
                api.write_report(case, self._assess(request, progress), request.path)
                return request.path
            case ListModels():
                return api.list_models()
            case InstallModel():
                info = api.install_model(request.folder)
                api.activate_model(info.name)
                return api.list_models()
            case ActivateModel():
                api.activate_model(request.name)
                return api.list_models()
        raise ValueError(f"unknown request {type(request).__name__}")

    def _open(self, source: CaseSource, progress: ProgressCallback) -> Case:
        if self._case is None or source != self._source:
            self._case = self._read(source, progress)
            self._source = source
        return self._case

    @staticmethod
    def _read(source: CaseSource, progress: ProgressCallback) -> Case:
        if source.folder is None:
            return api.demo_case()
        return api.open_case(
            source.folder,
            series_uid=source.series_uid,
            segmentation=source.segmentation,
            clinical=source.clinical,
            interpolate_gaps=source.interpolate_gaps,
            progress=progress,
        )

    def _assess(self, request: AssessCase | WriteReport, progress: ProgressCallback) -> Assessment:
        case = replace(self._open(request.source, progress), clinical=request.clinical)
        if self._assessor is None or request.model != self._model:
            self._assessor = api.load_assessor(request.model)
            self._model = request.model
        return self._assessor.assess(case, progress=progress)
