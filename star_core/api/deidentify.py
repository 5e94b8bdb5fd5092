"""De-identified copies of studies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from star_core.types import ProgressCallback, ignore_progress

if TYPE_CHECKING:
    from star_core.archive.archive import Archive
    from star_core.dicom.deidentify.options import DeidentifyOptions
    from star_core.dicom.deidentify.report import DeidentificationReport


def deidentify(
    sources: Sequence[Path],
    out: Path,
    options: DeidentifyOptions | None = None,
    progress: ProgressCallback = ignore_progress,
) -> DeidentificationReport:
    """Write de-identified copies of all DICOM files below folders, or of files, into a new folder.

    Every file is read back element by element; one that still holds something of its source is not delivered. Pixels
    are not cleaned. See :func:`star_core.dicom.deidentify.run.deidentify_folders`.
    """
    return _write_copies(sources, out, options, progress, subject=tuple(map(str, sources)))


def deidentify_studies(
    archive: Archive,
    studies: Sequence[int],
    out: Path,
    options: DeidentifyOptions | None = None,
    progress: ProgressCallback = ignore_progress,
) -> DeidentificationReport:
    """Write de-identified copies of studies of an archive into a new folder, as :func:`deidentify` does.

    Raises
    ------
    StorageError
        When the studies are no longer there, files of them are gone, or the folder would lie in the archive.
    """
    from star_core.errors import StorageError

    if out.resolve().is_relative_to(archive.folder.resolve()):
        raise StorageError("The output folder would lie in the archive.", remedy="Choose a folder outside of it.")
    series = [row.id for study in studies for row in archive.series_of_study(study)]
    paths = [path for one in series for path in archive.paths_of_series(one)]
    if not paths:
        raise StorageError("These studies are no longer in the archive.", remedy="Choose others.")
    return _write_copies(paths, out, options, progress, subject=(str(archive.folder), *map(str, studies)))


def _write_copies(
    sources: Sequence[Path],
    out: Path,
    options: DeidentifyOptions | None,
    progress: ProgressCallback,
    *,
    subject: Sequence[str],
) -> DeidentificationReport:
    from star_core.archive.audit import AuditAction, to_subject, write_down
    from star_core.dicom.deidentify.options import DeidentifyOptions
    from star_core.dicom.deidentify.run import deidentify_folders

    options = options or DeidentifyOptions()
    report = deidentify_folders(sources, out, options, progress=progress)
    details: dict[str, str | int] = {
        "kind": "de-identified copy",
        "files": report.files,
        "patients": report.patients,
        "left_out": len(report.left_out),
        "leaks": report.leaks,
        "codes": " ".join(code.value for code in report.codes),
    }
    write_down(AuditAction.EXPORT, subject=to_subject(*subject), details=details)
    return report
