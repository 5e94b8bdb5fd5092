"""What the worker process of de-identified copies does for each request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from star_core import api
from star_core.errors import StorageError
from star_core.types import ProgressCallback
from star_viewer.jobs.copy_requests import CopiedSeries, CopyDeidentified, LookAtSource
from star_viewer.jobs.requests import Request

if TYPE_CHECKING:
    from star_core.archive.archive import Archive


class CopyTasks:
    """Answers requests about de-identified copies; opens the archive anew for each."""

    def answer(self, request: Request, progress: ProgressCallback) -> object:
        """Return the answer to a request."""
        match request:
            case LookAtSource():
                folder = request.source.folder
                return _look_into_archive(request.source.studies) if folder is None else _look_into(folder, progress)
            case CopyDeidentified(source=source) if source.folder is not None:
                return api.deidentify([source.folder], request.out, request.options, progress)
            case CopyDeidentified(source=source):
                with api.open_archive() as archive:
                    return api.deidentify_studies(archive, source.studies, request.out, request.options, progress)
        raise ValueError(f"unknown request {type(request).__name__}")


def _look_into_archive(studies: tuple[int, ...]) -> tuple[CopiedSeries, ...]:
    with api.open_archive() as archive:
        found = tuple(row for study in studies for row in _series_of(archive, study))
    if not found:
        raise StorageError("These studies are no longer in the archive.", remedy="Choose others.")
    return found


def _series_of(archive: Archive, study: int) -> tuple[CopiedSeries, ...]:
    return tuple(
        CopiedSeries(study=str(study), title=row.description, modality=row.modality, files=row.instance_count)
        for row in archive.series_of_study(study)
    )


def _look_into(folder: Path, progress: ProgressCallback) -> tuple[CopiedSeries, ...]:
    return tuple(
        CopiedSeries(
            study=series.study_uid, title=series.description, modality=series.modality, files=series.slice_count
        )
        for series in api.list_series(folder, progress)
    )
