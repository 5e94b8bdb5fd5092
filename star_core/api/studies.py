"""The local archive of studies, and the audit trail of what was done with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from star_core.types import Assessment, ProgressCallback, ignore_progress

if TYPE_CHECKING:
    from star_core.archive.archive import Archive
    from star_core.archive.audit import AuditReport
    from star_core.archive.importer import ImportReport
    from star_core.archive.rows import Bin, Facets, Purge, StudyContents, UnfinishedImport
    from star_core.dicom.summary import SeriesDetails

SUMMARY_YEARS = (1, 3, 5)


def open_archive(folder: Path | None = None) -> Archive:
    """Open the archive in a folder, or this user's own; a new one is made where there is none.

    Raises
    ------
    StorageError
        When the folder cannot be written, or its database is damaged or of a newer version.
    """
    from star_core.archive.archive import Archive
    from star_core.storage import archive_folder

    return Archive(folder or archive_folder())


def import_studies(
    archive: Archive, sources: Sequence[Path], *, link: bool = False, progress: ProgressCallback = ignore_progress
) -> ImportReport:
    """Import folders, files, DICOMDIRs and zip archives; see :func:`star_core.archive.importer.import_studies`."""
    from star_core.archive import importer

    report = importer.import_studies(archive, sources, link=link, progress=progress)
    _write_down_import(report, *map(str, sources))
    return report


def continue_import(archive: Archive, number: int, *, progress: ProgressCallback = ignore_progress) -> ImportReport:
    """Go on with an import that did not end; see :func:`star_core.archive.importer.continue_import`."""
    from star_core.archive import importer

    report = importer.continue_import(archive, number, progress=progress)
    _write_down_import(report, str(archive.folder), str(number))
    return report


def _write_down_import(report: ImportReport, *subject: str) -> None:
    from star_core.archive.audit import AuditAction, to_subject, write_down

    details = {
        "files": report.imported,
        "duplicates": report.duplicates,
        "failed": len(report.failed),
        "studies": len(report.studies),
    }
    write_down(AuditAction.IMPORT, subject=to_subject(*subject), details=details)


def delete_studies(archive: Archive, studies: Sequence[int]) -> int:
    """Take studies out of an archive and return the number of the deletion, by which it can be undone."""
    from star_core.archive.audit import AuditAction, to_subject, write_down

    number = archive.delete_studies(studies)
    write_down(
        AuditAction.DELETION,
        subject=to_subject(str(archive.folder), *map(str, studies)),
        details={"studies": len(studies), "deletion": number},
    )
    return number


def undo_deletion(archive: Archive, number: int | None = None) -> int:
    """Bring back what a deletion, the last one if not told, took away; return how many files came back."""
    from star_core.archive.audit import AuditAction, to_subject, write_down

    count = archive.undo_deletion(number)
    write_down(AuditAction.UNDONE_DELETION, subject=to_subject(str(archive.folder)), details={"files": count})
    return count


def purge_deletions(archive: Archive) -> Purge:
    """Remove the copied files of deleted studies for good, with their pictures and results."""
    from star_core.archive.audit import AuditAction, to_subject, write_down

    purge = archive.purge_deletions()
    write_down(AuditAction.PURGE, subject=to_subject(str(archive.folder)), details={"files": purge.files})
    return purge


def list_facets(archive: Archive) -> Facets:
    """Return the modalities and body parts that studies can be filtered by."""
    from star_core.archive import catalogue

    return catalogue.list_facets(archive)


def list_contents(archive: Archive, study: int) -> StudyContents:
    """Return a study's series and results, each segmentation told to which CT it belongs."""
    from star_core.archive import catalogue

    return catalogue.list_contents(archive, study)


def list_unfinished_imports(archive: Archive) -> tuple[UnfinishedImport, ...]:
    """Return the imports that were killed or cancelled and can go on."""
    from star_core.archive import catalogue

    return catalogue.list_unfinished(archive)


def count_deleted(archive: Archive) -> Bin:
    """Return how much :func:`purge_deletions` would remove."""
    from star_core.archive import catalogue

    return catalogue.count_deleted(archive)


def find_scan(archive: Archive, study: int) -> int:
    """Return the CT series of a study that has most images; StorageError where there is none."""
    from star_core.archive import catalogue

    return catalogue.find_scan(archive, study)


def thumbnail(archive: Archive, series_id: int) -> bytes:
    """Return a PNG of a series' middle slice, empty where there is no picture."""
    from star_core.archive.thumbnails import read_thumbnail

    return read_thumbnail(archive, series_id)


def describe_series(archive: Archive, series_id: int, progress: ProgressCallback = ignore_progress) -> SeriesDetails:
    """Return geometry, HU range, scanner, segments and every finding of a series; reads its pixels.

    Raises
    ------
    StorageError, DicomError
        When its files are gone or no longer DICOM.
    """
    from star_core.dicom.summary import describe_files

    return describe_files(archive.paths_of_series(series_id), progress)


def keep_assessment(
    archive: Archive, series_id: int, assessment: Assessment, *, replaces: int | None = None
) -> int | None:
    """Keep an assessment with its CT and return its number; ``replaces`` is one that it takes the place of.

    Nothing is kept, and ``None`` returned, where the archive's series is not the one that was assessed.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    from star_core.archive.audit import to_subject
    from star_core.archive.catalogue import find_study
    from star_core.archive.results import keep_result
    from star_core.archive.rows import ResultKind
    from star_core.assessment import to_forecast_json

    provenance, recurrence = assessment.provenance, assessment.forecast.any_recurrence
    _, series_uid = find_study(archive, series_id)
    if series_uid != provenance.series_uid:
        return None
    record = [f"{name}={value}" for name, value in sorted(provenance.clinical_inputs.items())]
    digest = to_subject(provenance.model_id, provenance.card_sha256, provenance.segmentation_uid or "", *record)
    return keep_result(
        archive,
        series_id,
        kind=ResultKind.ASSESSMENT,
        model_name=provenance.model_name,
        model_id=provenance.model_id,
        inputs=digest,
        summary={f"any_recurrence_year_{year}": float(recurrence[year - 1]) for year in SUMMARY_YEARS},
        payload=to_forecast_json(assessment),
        replaces=replaces,
    )


def use_archive(folder: Path) -> None:
    """Make another archive, or an empty folder, this user's own; see :func:`star_core.archive.location.use_archive`."""
    from star_core.archive import location

    location.use_archive(folder)


def move_archive(target: Path, progress: ProgressCallback = ignore_progress) -> None:
    """Move this user's archive to a new folder; see :func:`star_core.archive.location.move_archive`."""
    from star_core.archive import location
    from star_core.storage import archive_folder

    location.move_archive(archive_folder(), target, progress)


def verify_audit(folder: Path | None = None) -> AuditReport:
    """Return whether an audit trail, this user's own if not told, is whole."""
    from star_core.archive.audit import verify_trail
    from star_core.storage import user_folder

    return verify_trail(folder or user_folder())
