"""What the worker process does about structures."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from star_core import api
from star_core.types import Case, ProgressCallback
from star_viewer.jobs.mask_requests import ExportSegmentation, FindLiver, FoundLiver
from star_viewer.jobs.requests import CaseSource


def find_liver(case: Case, request: FindLiver, progress: ProgressCallback) -> FoundLiver:
    """Return the liver of a case.

    Raises
    ------
    SegmentationError
        When none that can be used was found, or another program fails.
    """
    from star_core.imaging.editing.patch import build_patch
    from star_core.types import Structure

    method: Literal["classical", "totalsegmentator"] = (
        "totalsegmentator" if request.method == "totalsegmentator" else "classical"
    )
    found = api.find_usable_liver(case.baseline_scan, method=method, progress=progress)
    patch = build_patch(Structure.LIVER, (0, 0, 0), found.mask & False, found.mask)
    return FoundLiver(liver=patch, volume_ml=found.volume_ml, findings=found.findings)


def export_segmentation(opened: Case, edited: Case, request: ExportSegmentation) -> Path:
    """Write the structures of a case, as it was opened and edited, and return the file."""
    from star_core.imaging.editing.chain import unpack_edit

    by_program = opened.masks is None and all(unpack_edit(edit).is_automatic for edit in request.edits.mask_edits)
    api.export_segmentation(edited, request.path, ct_file=_find_ct_file(request.source), automatic=by_program)
    return request.path


def _find_ct_file(source: CaseSource) -> Path | None:
    """Return a file of the CT, ``None`` for the demonstration patient."""
    if source.archived is not None:
        with api.open_archive() as archive:
            series = source.archived.series or api.find_scan(archive, source.archived.study)
            return archive.paths_of_series(series)[0]
    return None if source.folder is None else api.find_ct_file(source.folder, source.series_uid)
