"""Looking into folders and opening one patient's case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from star_core.errors import ClinicalRecordError, NotCtError, SegmentationError, StorageError
from star_core.types import (
    N_YEARS,
    Case,
    ClinicalRecord,
    CouinaudLandmarks,
    Finding,
    ProgressCallback,
    Volume,
    ignore_progress,
)

if TYPE_CHECKING:
    from star_core.archive.archive import Archive
    from star_core.dicom.discover import Discovery, SeriesFiles
    from star_core.dicom.summary import FolderSummary

CLINICAL_FILE = "clinical.json"
NIFTI_SUFFIXES = (".nii", ".nii.gz")
WORKBOOK_SUFFIXES = (".xlsx", ".xlsm")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesInfo:
    """One series of a folder, as a browser shows it."""

    series_uid: str
    study_uid: str
    modality: str
    description: str
    series_number: int | None
    slice_count: int
    patient_key: str
    findings: tuple[Finding, ...]
    folder: Path


def inspect_folder(folder: Path, progress: ProgressCallback = ignore_progress) -> FolderSummary:
    """Return every series of a folder with its geometry, HU range, segments and findings (``star info``)."""
    from star_core.dicom.summary import summarise_folder

    return summarise_folder(folder, progress)


def list_series(folder: Path, progress: ProgressCallback = ignore_progress) -> tuple[SeriesInfo, ...]:
    """Return the series of a folder without reading their pixels."""
    from star_core.dicom.discover import discover_series

    return tuple(
        SeriesInfo(
            series_uid=series.series_uid,
            study_uid=series.study_uid,
            modality=series.modality,
            description=series.description,
            series_number=series.series_number,
            slice_count=series.image_count,
            patient_key=series.patient_key,
            findings=series.findings,
            folder=folder,
        )
        for series in discover_series(folder, progress).series
    )


def open_case(
    folder: Path,
    *,
    series_uid: str | None = None,
    segmentation: Path | None = None,
    clinical: Path | None = None,
    patient_id: str | None = None,
    follow_ups: Mapping[int, Path] | None = None,
    interpolate_gaps: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> Case:
    """Read one patient: the CT, its expert segmentation where there is one, and the clinical record.

    Parameters
    ----------
    folder
        Folder (or file) with the CT, or a NIfTI file for research use. A ``clinical.json`` in it is taken over.
    series_uid
        The CT series to open; the one with most slices when not given.
    segmentation
        DICOM SEG file or folder; searched in ``folder`` when not given.
    clinical
        Clinical record as JSON, or a workbook with a row for ``patient_id``.
    patient_id
        The patient's name in the workbook.
    follow_ups
        Later CTs of the patient: postoperative year (1 to 12, months since surgery / 12 rounded up) to folder.
    interpolate_gaps
        Whether missing or uneven slices are filled between their neighbours instead of refused.
    progress
        Called with slices read and their total.

    Raises
    ------
    StorageError, DicomError, SegmentationError, ClinicalRecordError
        With a message that says what is wrong and what to do.
    """
    record_file = clinical or _record_beside(folder)
    record = ClinicalRecord() if record_file is None else _read_record(record_file, patient_id)
    if folder.name.lower().endswith(NIFTI_SUFFIXES):
        case = _open_nifti(folder, segmentation, record)
    else:
        case = _open_dicom(folder, series_uid, segmentation, record, progress, interpolate_gaps=interpolate_gaps)
    later = {year: _open_follow_up(path, year, interpolate_gaps) for year, path in (follow_ups or {}).items()}
    return replace(case, scans={**case.scans, **later})


def edit_case(case: Case, *, mask_edits: Sequence[bytes] = (), landmarks: CouinaudLandmarks | None = None) -> Case:
    """Return a case with what a reader made of it.

    Parameters
    ----------
    case
        The case as it was opened.
    mask_edits
        Packed edits of the structures (:mod:`star_core.imaging.editing.chain`), oldest first.
    landmarks
        Landmarks of Couinaud's segments that were placed by hand; ``None`` leaves them to be found.

    Raises
    ------
    SegmentationError
        When an edit is damaged or was made on another scan.
    """
    from star_core.imaging.editing.chain import apply_edits, empty_masks, unpack_edit

    masks = case.masks
    if mask_edits:
        base = masks or empty_masks(case.baseline_scan)
        masks = apply_edits(base, [unpack_edit(packed) for packed in mask_edits])
    return replace(case, masks=masks, landmarks=landmarks or case.landmarks)


def open_archived_case(
    archive: Archive,
    series_id: int,
    *,
    segmentation: int | None = None,
    result: int | None = None,
    interpolate_gaps: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> Case:
    """Read one patient from the archive, where the files lie: the CT, its expert segmentation, the record as it was.

    Parameters
    ----------
    archive
        The archive.
    series_id
        The CT series, by its number in the archive.
    segmentation
        The segmentation's series; chosen among those of this CT when not given.
    result
        An earlier result whose clinical record is taken over; the newest one of this series when not given.
    interpolate_gaps, progress
        As for :func:`open_case`.

    Raises
    ------
    StorageError, DicomError, SegmentationError
        With a message that says what is wrong and what to do.
    """
    from star_core.archive.audit import AuditAction, write_down
    from star_core.archive.catalogue import find_segmentations, find_study
    from star_core.dicom.discover import discover_files

    study, _ = find_study(archive, series_id)
    drawings = find_segmentations(archive, series_id) if segmentation is None else (segmentation,)
    drawn = discover_files([path for drawing in drawings for path in archive.paths_of_series(drawing)])
    scan = choose_ct(discover_files(archive.paths_of_series(series_id)), None)
    record = _record_of_result(archive, study, series_id, result)
    case = _read_case(scan, drawn, record, progress, interpolate_gaps=interpolate_gaps)
    archive.mark_opened(study)
    write_down(AuditAction.OPENING, subject=case.case_id, details={"result": result or 0})
    return case


def _record_of_result(archive: Archive, study: int, series_id: int, result: int | None) -> ClinicalRecord:
    """Return the record that an earlier result of this series was computed with; empty where there is none."""
    from star_core.archive.results import list_results, read_result
    from star_core.archive.rows import ResultKind
    from star_core.clinical.record import record_from_mapping

    if result is None:
        of_series = (
            row.id
            for row in list_results(archive, study)
            if row.series == series_id and row.kind is ResultKind.ASSESSMENT
        )
        result = next(of_series, None)
        if result is None:
            return ClinicalRecord()
    _, payload = read_result(archive, result)
    return record_from_mapping(payload.get("provenance", {}).get("clinical_inputs", {}))


def _open_follow_up(path: Path, year: int, interpolate_gaps: bool) -> Volume:
    from star_core.api.follow_ups import open_follow_up

    if not 1 <= year <= N_YEARS:
        raise StorageError(
            f"The follow-up in {path.name!r} is of year {year}; expected a postoperative year from 1 to {N_YEARS}.",
            remedy="Divide the months since surgery by 12 and round up.",
        )
    return open_follow_up(path, interpolate_gaps=interpolate_gaps).volume


def _record_beside(folder: Path) -> Path | None:
    for candidate in (folder / CLINICAL_FILE, folder.parent / CLINICAL_FILE):
        if candidate.is_file():
            return candidate
    return None


def _read_record(path: Path, patient_id: str | None) -> ClinicalRecord:
    from star_core.clinical.record import read_record_json
    from star_core.clinical.tables import read_workbook_record

    if path.suffix.lower() not in WORKBOOK_SUFFIXES:
        return read_record_json(path)
    if patient_id is None:
        raise ClinicalRecordError(
            f"The workbook {path.name!r} holds many patients.", remedy="Say which one (option --patient)."
        )
    return read_workbook_record(path, patient_id)


def _open_nifti(path: Path, segmentation: Path | None, record: ClinicalRecord) -> Case:
    from star_core.imaging.nifti import read_nifti_volume

    if segmentation is not None:
        raise SegmentationError(
            "A segmentation cannot be joined with a NIfTI image: NIfTI carries no frame of reference.",
            remedy="Open the CT as DICOM, or leave the segmentation out.",
        )
    volume = read_nifti_volume(path)
    return Case(case_id=to_pseudonym(volume), scans={0: volume}, clinical=record)


def _open_dicom(
    folder: Path,
    series_uid: str | None,
    segmentation: Path | None,
    record: ClinicalRecord,
    progress: ProgressCallback,
    *,
    interpolate_gaps: bool,
) -> Case:
    from star_core.dicom.discover import discover_series

    found = discover_series(folder)
    drawn = found if segmentation is None else discover_series(segmentation)
    if segmentation is not None and not drawn.by_modality("SEG"):
        raise SegmentationError(
            f"No DICOM segmentation was found in {segmentation.name!r}.",
            remedy="Choose a DICOM SEG file that was drawn on this CT.",
        )
    return _read_case(choose_ct(found, series_uid), drawn, record, progress, interpolate_gaps=interpolate_gaps)


def _read_case(
    scan: SeriesFiles, drawn: Discovery, record: ClinicalRecord, progress: ProgressCallback, *, interpolate_gaps: bool
) -> Case:
    from star_core.dicom.read import read_volume
    from star_core.dicom.seg import choose_segmentation, read_masks

    volume = read_volume(scan, progress, interpolate_gaps=interpolate_gaps)
    source = choose_segmentation(drawn, volume)
    masks = None if source is None else read_masks(source, volume)
    return Case(case_id=to_pseudonym(volume), scans={0: volume}, masks=masks, clinical=record)


def choose_ct(found: Discovery, series_uid: str | None) -> SeriesFiles:
    """Return the CT series that was asked for, or the one with most slices."""
    scans = found.by_modality("CT")
    if series_uid is not None:
        for series in found.series:
            if series.series_uid == series_uid:
                return series
        raise StorageError("The chosen series is no longer in its folder.", remedy="Open the folder again.")
    if not scans:
        others = ", ".join(sorted({series.modality or "unknown" for series in found.series})) or "no DICOM series"
        raise NotCtError(f"There is no CT series in this folder; found: {others}.", remedy="Choose a folder with a CT.")
    return max(scans, key=lambda series: series.image_count)


def to_pseudonym(volume: Volume) -> str:
    """Return a case's pseudonym: the same for the same series, and no way back to the patient."""
    import hashlib

    return "CASE-" + hashlib.sha256(volume.series_uid.encode()).hexdigest()[:8].upper()


def demo_case() -> Case:
    """Return the built-in demonstration patient, who is synthetic."""
    from star_core.cohort.demo import draw_demo_patient

    return draw_demo_patient()


def write_demo(out: Path) -> None:
    """Write the demonstration patient into a new folder: CT series and SEG as DICOM, ``clinical.json``.

    Raises
    ------
    StorageError
        When the folder exists and is not empty or cannot be written.
    """
    from star_core.clinical.record import write_record_json
    from star_core.dicom.export import write_ct_series, write_segmentation
    from star_core.storage import new_folder

    case = demo_case()
    with new_folder(out) as folder:
        write_ct_series(
            case.baseline_scan, folder / "ct", patient_id=case.case_id, patient_name="DEMONSTRATION^SYNTHETIC"
        )
        if case.masks is not None:
            write_segmentation(
                case.masks,
                case.baseline_scan,
                folder / "segmentation.dcm",
                patient_id=case.case_id,
                patient_name="DEMONSTRATION^SYNTHETIC",
            )
        write_record_json(case.clinical, folder / CLINICAL_FILE)
