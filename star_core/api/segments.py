"""Couinaud's segments of a case, written as DICOM."""

from __future__ import annotations

from pathlib import Path

from star_core.errors import SegmentationError, StorageError
from star_core.types import Case


def write_segments(case: Case, out: Path, *, ct: Path | None = None) -> None:
    """Write Couinaud's segments of a case as a DICOM Segmentation.

    Parameters
    ----------
    case
        The case with its structures, and its landmarks where a reader placed them.
    out
        New file.
    ct
        One file of the case's CT, whose patient and study the object takes over; ``None`` for a CT that was made here.

    Raises
    ------
    StorageError
        When the file exists or cannot be written.
    DicomError
        When the CT's header cannot be read.
    SegmentationError
        When there is no liver, or the landmarks are out of order.
    """
    from star_core.dicom.couinaud import write_couinaud
    from star_core.dicom.study import read_study_header
    from star_core.imaging.couinaud.segments import segment_couinaud
    from star_core.storage import new_file

    if out.exists():
        raise StorageError(f"File {out.name!r} already exists.", remedy="Choose a new file.")
    if case.masks is None:
        raise SegmentationError("There is no liver to cut into segments.", remedy="Segment the liver first.")
    segments = segment_couinaud(case.masks, case.landmarks)
    study = None if ct is None else read_study_header(ct)
    with new_file(out) as partial:
        write_couinaud(segments, case.baseline_scan, partial, patient_id=case.case_id, study=study)
