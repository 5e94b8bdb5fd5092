"""The local archive of studies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from star_core.types import ProgressCallback, ignore_progress

if TYPE_CHECKING:
    from star_core.archive.archive import Archive
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

    return importer.import_studies(archive, sources, link=link, progress=progress)
