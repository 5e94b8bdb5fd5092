"""The MSKCC workbook's rows as records and outcomes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import openpyxl
import pytest

from star_core.clinical.tables import outcome_from_mapping, read_workbook, read_workbook_record
from star_core.errors import ClinicalRecordError, StorageError
from star_core.types import Cause, Outcome
from tests.conftest import real_data

ALIVE = {
    "overall_survival_months": 60.0,
    "vital_status": 0,
    "progression_or_recurrence": 0,
    "months_to_DFS_progression": 60.0,
    "vital_status_DFS": 0,
    "progression_or_recurrence_liveronly": 0,
    "months_to_liver_DFS_progression": 60.0,
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Outcome(event_months=60.0, cause=None, survival_months=60.0, died=False)),
        (
            {
                "progression_or_recurrence": 1,
                "months_to_DFS_progression": 13.8,
                "progression_or_recurrence_liveronly": 1,
                "months_to_liver_DFS_progression": 13.8,
            },
            Outcome(event_months=13.8, cause=Cause.LIVER, survival_months=60.0, died=False),
        ),
        (
            # Elsewhere first, in the liver later: the first event counts.
            {
                "progression_or_recurrence": 1,
                "months_to_DFS_progression": 9.0,
                "progression_or_recurrence_liveronly": 1,
                "months_to_liver_DFS_progression": 20.0,
            },
            Outcome(event_months=9.0, cause=Cause.ELSEWHERE, survival_months=60.0, died=False),
        ),
        (
            {"vital_status": 1, "vital_status_DFS": 1},
            Outcome(event_months=60.0, cause=Cause.DEATH, survival_months=60.0, died=True),
        ),
    ],
)
def test_the_first_event_follows_the_rule(changes: dict[str, float], expected: Outcome) -> None:
    assert outcome_from_mapping(ALIVE | changes) == expected


def test_an_event_after_the_end_of_follow_up_is_refused() -> None:
    with pytest.raises(ClinicalRecordError, match=r"80.*60"):
        outcome_from_mapping(ALIVE | {"months_to_DFS_progression": 80.0})


def test_a_row_without_follow_up_has_no_outcome() -> None:
    assert outcome_from_mapping({"age": 60}) is None


def test_the_real_workbook_is_read_whole() -> None:
    (path,) = real_data("tcia-crlm").glob("*.xlsx")
    rows = read_workbook(path)
    assert len(rows) == 157
    causes = Counter(row.outcome.cause for row in rows if row.outcome is not None)
    assert causes == {Cause.LIVER: 49, Cause.ELSEWHERE: 56, Cause.DEATH: 5, None: 47}
    assert sum(row.record.cea_ng_ml is None for row in rows) == 20
    assert read_workbook_record(path, rows[7].patient_id) == rows[7].record


def write_workbook(path: Path, rows: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_a_bad_value_names_the_patient(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "t.xlsx", [["Patient-ID", "age"], ["P1", 60], ["P2", 7]])
    with pytest.raises(ClinicalRecordError, match=r"Patient P2.*Age"):
        read_workbook(path)


def test_a_patient_who_is_not_there_is_told(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "t.xlsx", [["Patient-ID", "age"], ["P1", 60]])
    with pytest.raises(ClinicalRecordError, match=r"'P9' is not in 't\.xlsx'"):
        read_workbook_record(path, "P9")


def test_a_workbook_of_something_else_is_told(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "t.xlsx", [["name", "price"], ["tea", 2]])
    with pytest.raises(ClinicalRecordError, match="Patient-ID"):
        read_workbook(path)
    (tmp_path / "text.xlsx").write_text("not a workbook")
    with pytest.raises(StorageError, match="cannot be read as a workbook"):
        read_workbook(tmp_path / "text.xlsx")
