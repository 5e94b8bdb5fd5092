"""The real tasks on the real archive: cases open from it, and their results are kept with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from star_core import api
from star_core.dicom.couinaud import read_couinaud
from star_core.errors import StorageError
from star_core.imaging.couinaud.landmarks import find_landmarks
from star_core.imaging.couinaud.segments import segment_couinaud
from star_core.types import Assessment, Case, Landmark, Provenance, ignore_progress
from star_viewer.jobs.archive_requests import FindStudies, ImportStudies, ListContents, MoveArchive, Wanted
from star_viewer.jobs.requests import ArchivedScan, AssessCase, CaseEdits, CaseSource, OpenCase, WriteSegments
from star_viewer.jobs.tasks import ArchiveTasks, Tasks
from tests.viewer.fakes import RECORD, build_full_assessment
from tests.viewer.shelves import PEOPLE, write_study


@pytest.fixture
def study(tmp_path: Path) -> int:
    """The number of a study in the user's archive."""
    write_study(tmp_path / "ct", PEOPLE[1], "20260131", "20", "CT")
    with api.open_archive() as archive:
        return api.import_studies(archive, [tmp_path / "ct"]).studies[0]


class QuickTasks(Tasks):
    """Assesses without a network."""

    def _assess(self, request: object, progress: object) -> Assessment:
        assert isinstance(request, AssessCase)
        case = replace(self._open(request.source, ignore_progress), clinical=request.clinical)
        provenance = Provenance(
            model_name="star",
            model_id="ab" * 32,
            card_sha256="cd" * 32,
            model_cohort="phantom",
            software_version="0",
            series_uid=case.baseline_scan.series_uid,
            segmentation_uid=None,
            preprocessing={},
            clinical_inputs={"age_years": request.clinical.age_years},
            created_utc="2026-01-01T00:00:00+00:00",
        )
        return replace(build_full_assessment(case), provenance=provenance)


def _results(study: int) -> list[float]:
    with api.open_archive() as archive:
        return [row.summary["any_recurrence_year_5"] for row in api.list_contents(archive, study).results]


def test_a_result_is_kept_with_its_scan_and_follows_the_record(study: int) -> None:
    tasks, source = QuickTasks(), CaseSource(archived=ArchivedScan(study=study))
    tasks.answer(OpenCase(source=source), ignore_progress)
    for age in (63.0, 64.0, 65.0):
        record = replace(RECORD, age_years=age)
        answer = tasks.answer(AssessCase(source=source, clinical=record, model=None), ignore_progress)
        assert isinstance(answer, Assessment)
        assert _results(study) == [pytest.approx(answer.forecast.any_recurrence[4])]
    again = tasks.answer(
        OpenCase(source=replace(source, archived=ArchivedScan(study=study, result=1))), ignore_progress
    )
    assert again.clinical.age_years == 65.0  # type: ignore[attr-defined]
    tasks.answer(AssessCase(source=source, clinical=RECORD, model=None), ignore_progress)
    assert len(_results(study)) == 2


def test_a_result_that_cannot_be_kept_is_still_shown_and_says_so(study: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise StorageError("The archive's disk is full.")

    tasks, source = QuickTasks(), CaseSource(archived=ArchivedScan(study=study))
    monkeypatch.setattr(api, "keep_assessment", refuse)
    answer = tasks.answer(AssessCase(source=source, clinical=RECORD, model=None), ignore_progress)
    assert isinstance(answer, Assessment)
    assert answer.findings[-1].code == "not-kept"


def test_the_archive_is_found_after_a_move_by_another_worker(study: int, tmp_path: Path) -> None:
    looking, moving = ArchiveTasks(), ArchiveTasks()
    assert looking.answer(FindStudies(), ignore_progress)
    moving.answer(MoveArchive(folder=tmp_path / "disk"), ignore_progress)
    (row,) = looking.answer(FindStudies(wanted=Wanted(text="διον")), ignore_progress)  # type: ignore[misc]
    assert row.id == study
    assert looking.answer(ListContents(study=study), ignore_progress).series  # type: ignore[attr-defined]
    report = looking.answer(ImportStudies(sources=(tmp_path / "ct",)), ignore_progress)
    assert report.duplicates == 3  # type: ignore[attr-defined]


def test_segments_are_written_as_the_reader_placed_the_landmarks(tmp_path: Path) -> None:
    tasks = Tasks()
    case = tasks.answer(OpenCase(source=CaseSource()), ignore_progress)
    assert isinstance(case, Case)
    assert case.masks is not None
    landmarks = find_landmarks(case.masks).with_moved(Landmark.BIFURCATION, (-20.0, -10.0, 10.0))
    request = WriteSegments(source=CaseSource(), path=tmp_path / "seg.dcm", edits=CaseEdits(landmarks=landmarks))
    assert tasks.answer(request, ignore_progress) == request.path
    expected = segment_couinaud(case.masks, landmarks).labels
    np.testing.assert_array_equal(read_couinaud(request.path, case.baseline_scan), expected)
    with pytest.raises(StorageError, match="already exists"):
        tasks.answer(request, ignore_progress)
