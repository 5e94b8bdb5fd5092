"""Later CTs through the facade: read with their date, refused where they are of somebody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pydicom
import pytest

from star_core import api
from star_core.dicom.export import write_ct_series
from star_core.errors import OtherPatientError, RegistrationError, StorageError
from star_core.types import Acquisition, Case, Geometry, Registration, RegistrationKind, RegistrationQuality, Volume


def build_volume(series_uid: str = "2.25.1", patient_key: str = "a") -> Volume:
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = 2.5, 0.8, 0.8, 1.0
    voxels = np.zeros((4, 32, 32), dtype=np.int16)
    voxels[:, 8:24, 8:24] = 100
    return Volume(
        voxels_hu=voxels,
        geometry=Geometry(shape=voxels.shape, affine_lps=affine),
        series_uid=series_uid,
        acquisition=Acquisition(patient_key=patient_key),
    )


def write_dated(folder: Path, **dates: str) -> Path:
    for path in write_ct_series(build_volume(), folder, patient_id="P1"):
        dataset = pydicom.dcmread(path)
        for name in ("StudyDate", "SeriesDate", "AcquisitionDate"):
            setattr(dataset, name, dates.get(name, ""))
        dataset.save_as(path)
    return folder


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ({"AcquisitionDate": "20210304", "StudyDate": "20210301"}, date(2021, 3, 4)),
        ({"StudyDate": "20210301"}, date(2021, 3, 1)),
        ({}, None),
    ],
)
def test_the_date_of_a_later_scan_comes_from_its_header(
    tmp_path: Path, dates: dict[str, str], expected: date | None
) -> None:
    later = api.open_follow_up(write_dated(tmp_path / "ct", **dates))
    assert later.acquired_on == expected
    assert later.volume.geometry.shape == (4, 32, 32)


def test_the_scan_of_another_patient_is_refused_until_it_is_accepted() -> None:
    first, other = build_volume(), build_volume("2.25.2", "b")
    with pytest.raises(OtherPatientError, match="name two patients"):
        api.check_follow_up(other, first)
    api.check_follow_up(other, first, accept_other_patient=True)
    api.check_follow_up(build_volume("2.25.2", ""), first)


def test_the_first_scan_is_no_follow_up_of_itself() -> None:
    with pytest.raises(RegistrationError, match="first CT itself"):
        api.check_follow_up(build_volume(), build_volume(), accept_other_patient=True)


def test_a_case_carries_later_scans_with_how_they_lie_on_the_first() -> None:
    quality = RegistrationQuality(similarity_before=0.5, similarity_after=0.9, overlap_share=1.0)
    found = Registration(kind=RegistrationKind.RIGID, to_later_lps=np.eye(4), quality=quality)
    case, later = Case(case_id="c", scans={0: build_volume()}), build_volume("2.25.2")
    followed = api.add_follow_ups(case, {2: (later, found)})
    assert followed.scans[2] is later
    assert followed.registrations == {2: found}
    with pytest.raises(StorageError, match="has a scan already"):
        api.add_follow_ups(followed, {2: (replace(later, series_uid="2.25.3"), found)})


def test_all_later_scans_are_aligned_in_the_way_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, RegistrationKind]] = []

    def register(later: Volume, first: Volume, kind: RegistrationKind, **_: object) -> str:
        asked.append((later.series_uid, kind))
        return f"{later.series_uid} on {first.series_uid}"

    monkeypatch.setattr("star_core.imaging.registration.align.register", register)
    case = Case(case_id="c", scans={0: build_volume(), 3: build_volume("2.25.3"), 2: build_volume("2.25.2")})
    aligned = api.align_follow_ups(case, RegistrationKind.B_SPLINE)
    assert asked == [("2.25.2", RegistrationKind.B_SPLINE), ("2.25.3", RegistrationKind.B_SPLINE)]
    assert aligned.registrations == {2: "2.25.2 on 2.25.1", 3: "2.25.3 on 2.25.1"}
    other = Case(case_id="c", scans={0: build_volume(), 2: build_volume("2.25.2", "b")})
    with pytest.raises(OtherPatientError):
        api.align_follow_ups(other, RegistrationKind.RIGID)


def test_other_studies_of_the_patient_are_offered(tmp_path: Path) -> None:
    for key, day in (("1", "20200101"), ("2", "20210301")):
        volume = replace(build_volume(f"2.25.1{key}"), acquisition=Acquisition(study_uid=f"2.25.2{key}"))
        for path in write_ct_series(volume, tmp_path / key, patient_id="P1"):
            dataset = pydicom.dcmread(path)
            dataset.StudyDate = day
            dataset.save_as(path)
    with api.open_archive(tmp_path / "archive") as archive:
        first, second = (api.import_studies(archive, [tmp_path / key]).studies[0] for key in ("1", "2"))
        (other,) = api.list_other_studies(archive, first)
        assert (other.id, other.date) == (second, "2021-03-01")
        later = api.open_archived_follow_up(archive, api.find_scan(archive, second))
        assert api.list_other_studies(archive, 77) == ()
    assert later.volume.series_uid == "2.25.12"
