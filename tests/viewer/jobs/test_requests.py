"""Requests travel as frozen values and say what they do."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import pytest

from star_core.types import ClinicalRecord
from star_viewer.jobs.archive_requests import (
    ContinueImport,
    DeleteStudies,
    DescribeSeries,
    FindStudies,
    ForgetImport,
    ImportStudies,
    ListContents,
    ListPatientStudies,
    LookAround,
    MoveArchive,
    PurgeDeletions,
    ReadThumbnail,
    UndoDeletion,
    UseArchive,
    Wanted,
)
from star_viewer.jobs.requests import (
    ActivateModel,
    ArchivedScan,
    AssessCase,
    CaseSource,
    InstallModel,
    ListModels,
    ListSeries,
    OpenCase,
    Request,
    WriteReport,
)

SOURCE = CaseSource(folder=Path("/data/ct"), series_uid="1.2.3")
RECORD = ClinicalRecord(age_years=63.0)
REQUESTS = (
    ListSeries(folder=Path("/data/ct")),
    OpenCase(source=SOURCE),
    AssessCase(source=SOURCE, clinical=RECORD, model=None),
    WriteReport(source=SOURCE, clinical=RECORD, model="ours", path=Path("/data/report.pdf")),
    ListModels(),
    InstallModel(folder=Path("/data/bundle")),
    ActivateModel(name="ours"),
    FindStudies(wanted=Wanted(text="müller")),
    ListPatientStudies(patient=1),
    ListContents(study=1),
    LookAround(),
    DeleteStudies(studies=(1, 2)),
    UndoDeletion(),
    PurgeDeletions(),
    ForgetImport(number=1),
    ReadThumbnail(series=1),
    DescribeSeries(series=1),
    ImportStudies(sources=(Path("/data/ct"),)),
    ContinueImport(number=1),
    MoveArchive(folder=Path("/data/archive")),
    UseArchive(folder=Path("/data/archive")),
)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_a_request_survives_the_way_to_the_worker(request_: Request) -> None:
    assert pickle.loads(pickle.dumps(request_)) == request_  # noqa: S301 -- our own value


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_a_request_cannot_be_changed_on_its_way(request_: Request) -> None:
    for field in dataclasses.fields(request_):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(request_, field.name, None)


def test_every_request_tells_in_its_own_words_what_runs() -> None:
    texts = [request.text for request in REQUESTS]
    assert len(set(texts)) == len(texts)
    assert Request().text not in texts


def test_what_changes_something_is_done_each_time_and_of_questions_the_last_counts() -> None:
    newest_counts = {type(request) for request in REQUESTS if request.supersedes}
    assert newest_counts >= {FindStudies, DescribeSeries, ListPatientStudies, OpenCase, AssessCase}
    assert not newest_counts & {WriteReport, ImportStudies, DeleteStudies, UndoDeletion, ReadThumbnail, ListContents}


def test_a_source_without_a_folder_is_the_demonstration_patient() -> None:
    assert CaseSource(folder=None).is_demo
    assert not SOURCE.is_demo
    assert not CaseSource(archived=ArchivedScan(study=1)).is_demo
    assert OpenCase(source=CaseSource(folder=None)).text != OpenCase(source=SOURCE).text
