"""The local archive of studies, and the audit trail of what was done with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from star_core.types import ProgressCallback, ignore_progress

if TYPE_CHECKING:
    from star_core.archive.archive import Archive
    from star_core.archive.audit import AuditReport
    from star_core.archive.importer import ImportReport


def open_archive(folder: Path | None = None) -> Archive:
    """Open the archive in a folder, or this user's own; a new one is made where there is none.

    Raises
    ------
    StorageError
        When the folder cannot be written, or its database is damaged or of a newer version.
    """
    from star_core.archive.archive import Archive
    from star_core.storage import user_folder

    return Archive(folder or user_folder() / "archive")


def import_studies(
    archive: Archive, sources: Sequence[Path], *, link: bool = False, progress: ProgressCallback = ignore_progress
) -> ImportReport:
    """Import folders, files, DICOMDIRs and zip archives; see :func:`star_core.archive.importer.import_studies`."""
    from star_core.archive import importer
    from star_core.archive.audit import AuditAction, to_subject, write_down

    report = importer.import_studies(archive, sources, link=link, progress=progress)
    details = {
        "files": report.imported,
        "duplicates": report.duplicates,
        "failed": len(report.failed),
        "studies": len(report.studies),
    }
    write_down(AuditAction.IMPORT, subject=to_subject(*map(str, sources)), details=details)
    return report


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


def verify_audit(folder: Path | None = None) -> AuditReport:
    """Return whether an audit trail, this user's own if not told, is whole."""
    from star_core.archive.audit import verify_trail
    from star_core.storage import user_folder

    return verify_trail(folder or user_folder())
