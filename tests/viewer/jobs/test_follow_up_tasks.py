"""The worker aligns real follow-ups once, shows them on the first grid, and puts them into the case."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pydicom
import pytest

from star_core import api
from star_core.cohort.phantom import draw_scan
from star_core.dicom.export import write_ct_series
from star_core.errors import CancelledError, OtherPatientError
from star_core.types import Acquisition, Geometry, RegistrationKind, Volume, ignore_progress
from star_core.types.registration import build_motion
from star_viewer.follow_ups import Adjustment, FollowUpSource
from star_viewer.jobs.follow_up_requests import OpenFollowUp
from star_viewer.jobs.requests import CaseEdits, CaseSource, FollowUpEdit, OpenCase
from star_viewer.jobs.tasks import Tasks

RIGID = RegistrationKind.RIGID


@pytest.fixture(scope="module")
def scan() -> Volume:
    return draw_scan(np.random.default_rng(4), slice_mm=5.0, in_plane=96).volume


def write(scan: Volume, folder: Path, *, uid: str, day: str, patient: str = "P1") -> Path:
    named = replace(scan, series_uid=uid, acquisition=Acquisition())
    for path in write_ct_series(named, folder, patient_id=patient):
        dataset = pydicom.dcmread(path)
        dataset.StudyDate = dataset.SeriesDate = day
        dataset.save_as(path)
    return folder


@pytest.fixture
def folders(scan: Volume, tmp_path: Path) -> tuple[CaseSource, FollowUpSource]:
    motion = build_motion((10.0, -12.0, 15.0), (0.0, 0.0, 4.0), (0.0, 0.0, 0.0))
    geometry = Geometry(shape=scan.geometry.shape, affine_lps=motion @ scan.geometry.affine_lps)
    first = write(scan, tmp_path / "first", uid="2.25.11", day="20240101")
    later = write(replace(scan, geometry=geometry), tmp_path / "later", uid="2.25.12", day="20250601")
    return CaseSource(folder=first), FollowUpSource(folder=later)


def test_a_follow_up_is_read_aligned_and_put_into_the_case(
    folders: tuple[CaseSource, FollowUpSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    case_source, source = folders
    tasks = Tasks()
    case = tasks.answer(OpenCase(source=case_source), ignore_progress)
    steps: list[tuple[int, int]] = []
    aligned = tasks.answer(
        OpenFollowUp(case=case_source, source=source, kind=RIGID), lambda done, total: steps.append((done, total))
    )
    first = case.baseline_scan  # type: ignore[attr-defined]
    assert aligned.acquired_on == date(2025, 6, 1)  # type: ignore[attr-defined]
    assert aligned.volume.geometry is first.geometry  # type: ignore[attr-defined]
    assert aligned.quality.similarity_after > 0.95  # type: ignore[attr-defined]
    inside = (slice(8, -8), slice(24, -24), slice(24, -24))
    one, other = (volume.voxels_hu[inside].ravel() for volume in (aligned.volume, first))  # type: ignore[attr-defined]
    assert np.corrcoef(one, other)[0, 1] > 0.95
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert steps[-1] == (100, 100)
    monkeypatch.setattr(api, "align_follow_up", None)  # what was aligned is known
    moved = Adjustment(shift_mm=(0.0, 0.0, 5.0))
    edits = CaseEdits(follow_ups=(FollowUpEdit(source=source, year=2, kind=RIGID, adjustment=moved),))
    edited = tasks._edit(case_source, edits, ignore_progress)
    assert sorted(edited.scans) == [0, 2]
    np.testing.assert_allclose(edited.registrations[2].adjustment_lps, moved.to_motion(first))
    assert tasks._edit(case_source, edits, ignore_progress) is edited


def test_the_scan_of_another_patient_is_refused(
    scan: Volume, folders: tuple[CaseSource, FollowUpSource], tmp_path: Path
) -> None:
    other = write(scan, tmp_path / "other", uid="2.25.13", day="20250601", patient="P2")
    request = OpenFollowUp(case=folders[0], source=FollowUpSource(folder=other), kind=RIGID)
    with pytest.raises(OtherPatientError):
        Tasks().answer(request, ignore_progress)


def test_it_can_be_cancelled_while_it_aligns(folders: tuple[CaseSource, FollowUpSource]) -> None:
    def cancel(done: int, total: int) -> None:
        if total == 100 and done >= 20:
            raise CancelledError("Cancelled.")

    with pytest.raises(CancelledError):
        Tasks().answer(OpenFollowUp(case=folders[0], source=folders[1], kind=RIGID), cancel)
