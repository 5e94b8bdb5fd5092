"""De-identified copies of studies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from star_core.types import ProgressCallback, ignore_progress

if TYPE_CHECKING:
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
    write_down(AuditAction.EXPORT, subject=to_subject(*map(str, sources)), details=details)
    return report
