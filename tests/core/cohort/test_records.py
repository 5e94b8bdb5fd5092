"""A cohort of records: written whole, refused by patient, and of no use to a network that reads scans."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from star_core import api
from star_core.clinical.fields import encode_record
from star_core.clinical.tables import read_workbook
from star_core.cohort.manifest import load_input, read_manifest
from star_core.cohort.records import write_record_cohort
from star_core.errors import CohortError, StorageError
from tests.conftest import real_data

HEADER = [
    "Patient-ID",
    "age",
    "overall_survival_months",
    "vital_status",
    "months_to_DFS_progression",
    "vital_status_DFS",
]


def write_workbook(path: Path, rows: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    for row in [HEADER, *rows]:
        book.active.append(row)
    book.save(path)
    return path


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    return write_workbook(tmp_path / "t.xlsx", [["P1", 60, 40.0, 1, 20.0, 1], ["P2", 70, 90.0, 0, 90.0, 0]])


def test_records_become_a_cohort_without_scans(workbook: Path, tmp_path: Path) -> None:
    written = write_record_cohort(workbook, tmp_path / "cohort")
    manifest = read_manifest(tmp_path / "cohort")
    assert manifest == written
    assert manifest.kind == "tcia"
    assert [patient.patient_id for patient in manifest.patients] == ["P1", "P2"]
    assert not any(patient.has_scan for patient in manifest.patients)
    rows = read_workbook(workbook)
    assert [(p.clinical, p.outcome) for p in manifest.patients] == [(row.record, row.outcome) for row in rows]


def test_a_network_without_images_gets_the_record_alone(workbook: Path, tmp_path: Path) -> None:
    manifest = write_record_cohort(workbook, tmp_path / "cohort")
    patient = manifest.patients[1]
    model_input = load_input(manifest, patient, with_scan=False)
    values, missing = encode_record(patient.clinical)
    assert (model_input.clinical == values).all()
    assert (model_input.clinical_missing == missing).all()
    assert not model_input.at_risk_fraction.any()


def test_a_scan_that_is_not_there_is_told_by_patient(workbook: Path, tmp_path: Path) -> None:
    manifest = write_record_cohort(workbook, tmp_path / "cohort")
    with pytest.raises(CohortError, match=r"P2 has a record but no scan.*preset clinical"):
        load_input(manifest, manifest.patients[1])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["P1", 60, 40.0, 1, 20.0, 1], ["P1", 61, 40.0, 1, 20.0, 1]], "P1: listed 2 times"),
        ([["P1", 60, 40.0, 1, 20.0, 1], ["P2", 61, None, 1, None, 1]], "P2: no follow-up"),
        ([], "no patient"),
    ],
)
def test_unusable_tables_are_told_and_leave_nothing(rows: list[list[object]], words: str, tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=words):
        write_record_cohort(write_workbook(tmp_path / "t.xlsx", rows), tmp_path / "cohort")
    assert not (tmp_path / "cohort").exists()


def test_a_filled_folder_is_refused(workbook: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="not empty"):
        write_record_cohort(workbook, tmp_path)


def test_the_real_workbook_becomes_a_cohort(tmp_path: Path) -> None:
    (path,) = real_data("tcia-crlm").glob("*.xlsx")
    assert api.write_record_cohort(path, tmp_path / "cohort") == 157
