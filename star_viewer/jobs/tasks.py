"""What the worker process does for each request; modules of tasks alone import :mod:`star_core.api`."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from star_core import api
from star_core.errors import StorageError
from star_core.storage import archive_folder
from star_core.types import Assessment, Case, Finding, ProgressCallback, Severity
from star_viewer.jobs import mask_tasks
from star_viewer.jobs.archive_requests import (
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
    Surroundings,
    UndoDeletion,
    UseArchive,
)
from star_viewer.jobs.follow_up_requests import ListOtherStudies, OpenFollowUp
from star_viewer.jobs.follow_up_tasks import FollowUpTasks
from star_viewer.jobs.mask_requests import ExportSegmentation, FindLiver, ListLiverMethods
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

if TYPE_CHECKING:
    from star_core.archive.archive import Archive
    from star_core.assessment import Assessor


class Tasks:
    """Answers requests; keeps the open case, the model and the newest assessment between them."""

    def __init__(self) -> None:
        self._source: CaseSource | None = None
        self._case: Case | None = None
        self._edited: tuple[CaseEdits, Case] | None = None
        self._model: str | None = None
        self._assessor: Assessor | None = None
        self._kept: dict[str, int] = {}
        self._follow_ups = FollowUpTasks()

    def answer(self, request: Request, progress: ProgressCallback) -> object:
        """Return the answer to a request."""
        match request:
            case OpenFollowUp():
                return self._follow_ups.open(self._open(request.case, progress), request, progress)
            case ListOtherStudies():
                with api.open_archive() as archive:
                    return api.list_other_studies(archive, request.study)
            case ListSeries():
                return api.list_series(request.folder, progress)
            case OpenCase():
                return self._open(request.source, progress)
            case AssessCase():
                return self._keep(request.source, self._assess(request, progress))
            case WriteReport():
                api.write_report(self._case_of(request, progress), self._assess(request, progress), request.path)
                return request.path
            case WriteSegments():
                case = self._edit(request.source, request.edits, progress)
                api.write_segments(case, request.path, ct=_find_ct_file(request.source))
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
            case ListLiverMethods():
                return api.list_liver_methods()
            case FindLiver():
                return mask_tasks.find_liver(self._open(request.source, progress), request, progress)
            case ExportSegmentation():
                opened = self._open(request.source, progress)
                return mask_tasks.export_segmentation(
                    opened, self._edit(request.source, request.edits, progress), request
                )
        raise ValueError(f"unknown request {type(request).__name__}")

    def _open(self, source: CaseSource, progress: ProgressCallback) -> Case:
        if self._case is None or source != self._source:
            self._case = self._read(source, progress)
            self._source = source
            self._kept.clear()
            self._follow_ups.clear()
            self._edited = (CaseEdits(), self._case)
        return self._case

    def _edit(self, source: CaseSource, edits: CaseEdits, progress: ProgressCallback) -> Case:
        """Return a case as the reader edited it; the same value while neither changes, by which scans are known."""
        case = self._open(source, progress)
        if self._edited is None or self._edited[0] != edits:
            case = api.edit_case(case, mask_edits=edits.mask_edits, landmarks=edits.landmarks)
            self._edited = (edits, self._follow_ups.add_to(case, edits.follow_ups, progress))
        return self._edited[1]

    def _case_of(self, request: AssessCase | WriteReport, progress: ProgressCallback) -> Case:
        return replace(self._edit(request.source, request.edits, progress), clinical=request.clinical)

    @staticmethod
    def _read(source: CaseSource, progress: ProgressCallback) -> Case:
        if source.archived is not None:
            return _read_archived(source, source.archived, progress)
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
        case = self._case_of(request, progress)
        if self._assessor is None or request.model != self._model:
            self._assessor = api.load_assessor(request.model)
            self._model = request.model
        return self._assessor.assess(case, progress=progress)

    def _keep(self, source: CaseSource, assessment: Assessment) -> Assessment:
        """Keep what was found about an archived scan; one result a model while the scan stays open.

        Each field that is filled in assesses anew: the result of the record as it stands takes the place of the last.
        A result that cannot be kept is still a result, and says so.
        """
        if source.archived is None:
            return assessment
        model = assessment.provenance.model_id
        try:
            with api.open_archive() as archive:
                series = source.archived.series or api.find_scan(archive, source.archived.study)
                number = api.keep_assessment(archive, series, assessment, replaces=self._kept.get(model))
        except StorageError as error:
            message = f"This result was not kept in the archive: {error.message}"
            finding = Finding(code="not-kept", severity=Severity.WARNING, message=message)
            return replace(assessment, findings=(*assessment.findings, finding))
        if number is not None:
            self._kept[model] = number
        return assessment


def _find_ct_file(source: CaseSource) -> Path | None:
    """Return one file of the CT of a case, ``None`` for the demonstration patient's."""
    if source.archived is not None:
        with api.open_archive() as archive:
            series = source.archived.series or api.find_scan(archive, source.archived.study)
            return archive.paths_of_series(series)[0]
    return None if source.folder is None else api.find_ct_file(source.folder, source.series_uid)


def _read_archived(source: CaseSource, scan: ArchivedScan, progress: ProgressCallback) -> Case:
    with api.open_archive() as archive:
        return api.open_archived_case(
            archive,
            scan.series or api.find_scan(archive, scan.study),
            segmentation=scan.segmentation,
            result=scan.result,
            interpolate_gaps=source.interpolate_gaps,
            progress=progress,
        )


class ArchiveTasks:
    """Answers requests about the archive; opens it anew when it was moved, by whichever program."""

    def __init__(self) -> None:
        self._archive: Archive | None = None

    def answer(self, request: Request, progress: ProgressCallback) -> object:
        """Return the answer to a request."""
        match request:
            case UseArchive():
                api.use_archive(request.folder)
                return request.folder
            case MoveArchive():
                self._let_go()
                api.move_archive(request.folder, progress)
                return request.folder
        return self._answer(self._open(), request, progress)

    def _answer(self, archive: Archive, request: Request, progress: ProgressCallback) -> object:
        match request:
            case FindStudies():
                from star_core.archive.rows import StudyFilter

                wanted = StudyFilter(**asdict(request.wanted))
                return archive.find_studies(wanted, limit=request.limit, offset=request.offset)
            case ListPatientStudies():
                return archive.studies_of_patient(request.patient)
            case ListContents():
                return api.list_contents(archive, request.study)
            case LookAround():
                return Surroundings(
                    facets=api.list_facets(archive),
                    recent=archive.recent_studies(request.recent),
                    unfinished=api.list_unfinished_imports(archive),
                    bin=api.count_deleted(archive),
                    studies=archive.count_studies(),
                )
            case DeleteStudies():
                return api.delete_studies(archive, request.studies)
            case UndoDeletion():
                return api.undo_deletion(archive, request.deletion)
            case PurgeDeletions():
                return api.purge_deletions(archive)
            case ForgetImport():
                archive.forget_import(request.number)
                return request.number
            case ReadThumbnail():
                return api.thumbnail(archive, request.series)
            case DescribeSeries():
                return api.describe_series(archive, request.series, progress)
            case KeepAnnotations():
                series = request.series or api.find_scan(archive, request.study)
                return api.keep_annotations(archive, series, request.series_uid, request.annotations)
            case ReadAnnotations():
                series = request.series or api.find_scan(archive, request.study)
                return api.read_annotations(archive, series, request.series_uid)
            case ImportStudies():
                return api.import_studies(archive, request.sources, link=request.link, progress=progress)
            case ContinueImport():
                return api.continue_import(archive, request.number, progress=progress)
        raise ValueError(f"unknown request {type(request).__name__}")

    def _open(self) -> Archive:
        folder = archive_folder()
        if self._archive is None or self._archive.folder != folder:
            self._let_go()
            self._archive = api.open_archive(folder)
        return self._archive

    def _let_go(self) -> None:
        if self._archive is not None:
            self._archive.close()
            self._archive = None
