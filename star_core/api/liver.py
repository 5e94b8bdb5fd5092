"""The automatic liver: found, mended by clicks, written as DICOM."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from star_core.errors import SegmentationError, StorageError
from star_core.types import Case, ProgressCallback, Volume, ignore_progress

if TYPE_CHECKING:
    from star_core.imaging.liver import Click, LiverSegmentation

_NO_STUDY = "A segmentation of a NIfTI image cannot be written as DICOM: it names no patient and no study."

LiverMethod = Literal["classical", "totalsegmentator"]


def find_liver(
    volume: Volume, *, method: LiverMethod = "classical", progress: ProgressCallback = ignore_progress
) -> LiverSegmentation:
    """Return the liver of a CT; see :func:`star_core.imaging.liver.segment_liver`.

    Raises
    ------
    SegmentationError
        When another program was asked for that is not installed or fails.
    """
    if method == "totalsegmentator":
        from star_core.imaging.liver.external import segment_with_totalsegmentator

        return segment_with_totalsegmentator(volume)
    from star_core.imaging.liver import segment_liver

    return segment_liver(volume, progress=progress)


def find_usable_liver(
    volume: Volume, *, method: LiverMethod = "classical", progress: ProgressCallback = ignore_progress
) -> LiverSegmentation:
    """Return the liver of a CT, if it may be used.

    Raises
    ------
    SegmentationError
        When none was found or it is too small or large for a liver, and as for :func:`find_liver`.
    """
    from star_core.types import Severity

    found = find_liver(volume, method=method, progress=progress)
    refusals = [finding.message for finding in found.findings if finding.severity is Severity.REFUSAL]
    if refusals:
        raise SegmentationError(" ".join(refusals))
    return found


def list_liver_methods() -> tuple[LiverMethod, ...]:
    """Return the ways in which a liver can be found on this computer."""
    from star_core.imaging.liver.external import find_totalsegmentator

    try:
        find_totalsegmentator()
    except SegmentationError:
        return ("classical",)
    return ("classical", "totalsegmentator")


def mend_liver(volume: Volume, found: LiverSegmentation, clicks: Sequence[Click]) -> LiverSegmentation:
    """Return a liver corrected by clicks; see :func:`star_core.imaging.liver.refine_liver`."""
    from star_core.imaging.liver import mend_liver as mend

    return mend(volume, found, clicks)


def segment_folder(
    ct: Path,
    out: Path,
    *,
    clicks: Sequence[Click] = (),
    method: LiverMethod = "classical",
    interpolate_gaps: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> LiverSegmentation:
    """Find the liver of a folder's CT and write it as a DICOM Segmentation of that CT (``star segment``).

    Parameters
    ----------
    ct
        Folder with the CT as DICOM; the series with most slices is taken.
    out
        New file.
    clicks
        Corrections, one after the other.
    interpolate_gaps
        Whether missing or uneven slices are filled.

    Raises
    ------
    StorageError
        When the file exists or cannot be written.
    DicomError
        When the CT cannot be read.
    SegmentationError
        When no liver was found; nothing is written.
    """
    from star_core.api.cases import NIFTI_SUFFIXES, choose_ct
    from star_core.dicom.discover import discover_series
    from star_core.dicom.read import read_volume

    if out.exists():
        raise StorageError(f"File {out.name!r} already exists.", remedy="Choose a new file.")
    if ct.name.lower().endswith(NIFTI_SUFFIXES):
        raise SegmentationError(
            _NO_STUDY,
            remedy="Give the CT as DICOM.",
        )
    series = choose_ct(discover_series(ct), None)
    volume = read_volume(series, interpolate_gaps=interpolate_gaps)
    found = find_liver(volume, method=method, progress=progress)
    if clicks:
        found = mend_liver(volume, found, clicks)
    _require_usable(found)
    _write(found, volume, series.paths[0], out, automatic=not clicks)
    return found


def find_ct_file(folder: Path, series_uid: str | None = None) -> Path:
    """Return a DICOM file of a folder's CT: of the series that is named, or of the one with most slices.

    Raises
    ------
    SegmentationError
        For a NIfTI image, which names no patient and no study.
    StorageError, DicomError
        When there is no CT.
    """
    from star_core.api.cases import NIFTI_SUFFIXES, choose_ct
    from star_core.dicom.discover import discover_series

    if folder.name.lower().endswith(NIFTI_SUFFIXES):
        raise SegmentationError(_NO_STUDY, remedy="Open the CT as DICOM.")
    return choose_ct(discover_series(folder), series_uid).paths[0]


def export_segmentation(case: Case, out: Path, *, ct_file: Path | None = None, automatic: bool = False) -> None:
    """Write a case's structures as a new DICOM Segmentation of its first CT.

    Parameters
    ----------
    case
        The case, as it was edited.
    out
        New file.
    ct_file
        A file of the CT, whose patient and study the segmentation gets; without one it gets the case's pseudonym.
    automatic
        Whether a program drew all of it and no reader changed it.

    Raises
    ------
    StorageError
        When the file exists or cannot be written.
    SegmentationError
        When no structure is drawn.
    DicomError
        When the CT's header cannot be read.
    """
    from dataclasses import replace

    from star_core.archive.audit import AuditAction, write_down
    from star_core.dicom.export import write_segmentation
    from star_core.dicom.study import read_study_header
    from star_core.storage import new_file

    masks = case.masks
    if masks is None or not masks.bits.any():
        raise SegmentationError("There is nothing to export: no structure is drawn.", remedy="Draw or find one first.")
    if out.exists():
        raise StorageError(f"File {out.name!r} already exists.", remedy="Choose a new file.")
    study = None if ct_file is None else read_study_header(ct_file)
    with new_file(out) as partial:
        # A series of its own: what was read from another one was edited since.
        write_segmentation(
            replace(masks, series_uid=""),
            case.baseline_scan,
            partial,
            patient_id=case.case_id,
            study=study,
            automatic=automatic,
        )
    write_down(AuditAction.EXPORT, subject=case.case_id, details={"what": "segmentation"})


def _require_usable(found: LiverSegmentation) -> None:
    from star_core.types import Severity

    for finding in found.findings:
        if finding.severity is Severity.REFUSAL:
            raise SegmentationError(
                f"Nothing was written. {finding.message}", remedy="A click inside the liver is --click x,y,z."
            )


def _write(found: LiverSegmentation, volume: Volume, source: Path, out: Path, *, automatic: bool) -> None:
    import numpy as np

    from star_core.dicom.export import write_segmentation
    from star_core.dicom.study import read_study_header
    from star_core.storage import new_file
    from star_core.types import Masks, Structure

    masks = Masks(bits=found.mask.astype(np.uint8), geometry=volume.geometry, known=Structure.LIVER)
    study = read_study_header(source)
    with new_file(out) as partial:
        write_segmentation(masks, volume, partial, patient_id="", study=study, automatic=automatic)
