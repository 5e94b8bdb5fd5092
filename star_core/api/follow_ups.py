"""Later CTs of a patient: reading one, aligning it with the first, laying it on the first one's grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from star_core.api.cases import NIFTI_SUFFIXES, choose_ct
from star_core.errors import OtherPatientError, RegistrationError, StorageError
from star_core.types import Case, ProgressCallback, Registration, RegistrationKind, Volume, ignore_progress

if TYPE_CHECKING:
    from star_core.archive.archive import Archive
    from star_core.archive.rows import StudyRow
    from star_core.dicom.discover import SeriesFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterScan:
    """A later CT as it was read, and its date where the header has one."""

    volume: Volume
    acquired_on: date | None = None


def open_follow_up(
    path: Path,
    *,
    series_uid: str | None = None,
    interpolate_gaps: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> LaterScan:
    """Read a later CT from a folder, or a NIfTI file; arguments and errors as for :func:`star_core.api.open_case`."""
    from star_core.dicom.discover import discover_series
    from star_core.imaging.nifti import read_nifti_volume

    if path.name.lower().endswith(NIFTI_SUFFIXES):
        return LaterScan(volume=read_nifti_volume(path))
    return _read(choose_ct(discover_series(path), series_uid), interpolate_gaps, progress)


def open_archived_follow_up(
    archive: Archive, series_id: int, *, interpolate_gaps: bool = False, progress: ProgressCallback = ignore_progress
) -> LaterScan:
    """Read a later CT from the archive by its series' number there; errors as for :func:`open_archived_case`."""
    from star_core.dicom.discover import discover_files

    scan = choose_ct(discover_files(archive.paths_of_series(series_id)), None)
    return _read(scan, interpolate_gaps, progress)


def list_other_studies(archive: Archive, study: int) -> tuple[StudyRow, ...]:
    """Return the other studies of a study's patient that hold a CT, oldest first."""
    from sqlalchemy import select

    from star_core.archive.database import reading, studies

    with reading(archive.engine) as connection:
        patient = connection.execute(select(studies.c.patient).where(studies.c.id == study)).scalar_one_or_none()
    rows = () if patient is None else archive.studies_of_patient(patient)
    return tuple(row for row in rows if row.id != study and "CT" in row.modalities)


def _read(series: SeriesFiles, interpolate_gaps: bool, progress: ProgressCallback) -> LaterScan:
    from star_core.dicom.header import read_acquisition_date
    from star_core.dicom.read import read_volume
    from star_core.dicom.scan import BrokenDicomError, NotDicomError

    volume = read_volume(series, progress, interpolate_gaps=interpolate_gaps)
    try:
        acquired_on = read_acquisition_date(series.paths[0])
    except (BrokenDicomError, NotDicomError):
        acquired_on = None
    return LaterScan(volume=volume, acquired_on=acquired_on)


def check_follow_up(later: Volume, first: Volume, *, accept_other_patient: bool = False) -> None:
    """Refuse a scan that is no later scan of the same patient, as far as headers tell.

    Raises
    ------
    RegistrationError
        When it is the first scan itself.
    OtherPatientError
        When the headers name two patients and that was not accepted.
    """
    if later.series_uid == first.series_uid:
        raise RegistrationError(
            "This is the first CT itself, not a follow-up.", remedy="Choose a CT that was made after the operation."
        )
    keys = later.acquisition.patient_key, first.acquisition.patient_key
    if all(keys) and keys[0] != keys[1] and not accept_other_patient:
        raise OtherPatientError(
            "The headers of this CT and of the first one name two patients.",
            remedy="Choose a CT of this patient; accept it only if you know that both are of one person.",
        )


def align_follow_up(
    later: Volume,
    first: Volume,
    kind: RegistrationKind = RegistrationKind.RIGID,
    *,
    progress: ProgressCallback = ignore_progress,
) -> Registration:
    """Return how a later CT lies on the first; see :func:`star_core.imaging.registration.align.register`."""
    from star_core.imaging.registration.align import register

    return register(later, first, kind, progress=progress)


def lay_on_first(later: Volume, registration: Registration, first: Volume) -> Volume:
    """Return the later CT on the first one's grid; see :func:`star_core.imaging.registration.resample`."""
    from star_core.imaging.registration.resample import resample_later

    return resample_later(later, registration, first.geometry)


def align_follow_ups(case: Case, kind: RegistrationKind) -> Case:
    """Return a case whose later scans are all registered to the first in one way.

    Raises
    ------
    RegistrationError
        When one cannot be aligned, or is of another patient.
    """
    first, later = case.baseline_scan, sorted(case.scans)[1:]
    for year in later:
        check_follow_up(case.scans[year], first)
    return replace(case, registrations={year: align_follow_up(case.scans[year], first, kind) for year in later})


def add_follow_ups(case: Case, follow_ups: Mapping[int, tuple[Volume, Registration]]) -> Case:
    """Return a case with later scans by their postoperative year, and how each lies on the first."""
    if any(year in case.scans for year in follow_ups):
        raise StorageError("A year of this case has a scan already.", remedy="Leave one of them out.")
    return replace(
        case,
        scans={**case.scans, **{year: scan for year, (scan, _) in follow_ups.items()}},
        registrations={**case.registrations, **{year: found for year, (_, found) in follow_ups.items()}},
    )
