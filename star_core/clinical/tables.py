"""Clinical tables: rows of the MSKCC workbook (doi 10.7937/QXK2-QG03) as records and outcomes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from star_core.clinical.fields import FIELDS
from star_core.clinical.record import MISSING_CODE, record_from_mapping
from star_core.errors import ClinicalRecordError, StorageError
from star_core.types import Cause, ClinicalRecord, Outcome

PATIENT_COLUMN = "Patient-ID"
NOTES_COLUMN = "relevant_notes"
MAX_ROWS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One patient of a table; ``outcome`` is ``None`` where the table holds no follow-up."""

    patient_id: str
    record: ClinicalRecord
    outcome: Outcome | None
    notes: str = ""


def read_workbook(path: Path) -> tuple[TableRow, ...]:
    """Read every patient of a workbook in the layout of the MSKCC collection.

    The sheet is the first one whose header row names the patients' column.

    Raises
    ------
    StorageError
        When the file cannot be read or is not a workbook.
    ClinicalRecordError
        When no sheet has the expected columns, or a row's value cannot be used; the message names the patient.
    """
    rows = []
    for mapping in _read_rows(path):
        patient_id = str(mapping.get(PATIENT_COLUMN) or "").strip()
        if not patient_id:
            continue
        try:
            record, outcome = record_from_mapping(mapping), outcome_from_mapping(mapping)
        except ClinicalRecordError as error:
            raise ClinicalRecordError(f"Patient {patient_id}: {error.message}", remedy=error.remedy) from error
        notes = mapping.get(NOTES_COLUMN)
        rows.append(TableRow(patient_id=patient_id, record=record, outcome=outcome, notes=str(notes or "").strip()))
    return tuple(rows)


def read_workbook_record(path: Path, patient_id: str) -> ClinicalRecord:
    """Read the record of one patient of a workbook.

    Raises
    ------
    StorageError, ClinicalRecordError
        As :func:`read_workbook`, and when the patient is not in it.
    """
    for mapping in _read_rows(path):
        if str(mapping.get(PATIENT_COLUMN) or "").strip() == patient_id:
            return record_from_mapping(mapping)
    raise ClinicalRecordError(
        f"Patient {patient_id!r} is not in {path.name!r}.", remedy=f"Look up the name in its column {PATIENT_COLUMN!r}."
    )


def outcome_from_mapping(mapping: Mapping[str, Any]) -> Outcome | None:
    """Return a row's outcome: months and cause of the first event, months and state of survival.

    A liver recurrence counts as the first event when its month is the disease-free month; any other recurrence is
    elsewhere; a disease-free status of 1 without recurrence is death (method, section 4).

    Raises
    ------
    ClinicalRecordError
        When a time is negative, not a number, or the first event comes after the end of follow-up.
    """
    columns = {str(name).strip().lower(): value for name, value in mapping.items()}

    def number(name: str) -> float | None:
        value = columns.get(name)
        if value is None or value == MISSING_CODE or (isinstance(value, str) and not value.strip()):
            return None
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            raise ClinicalRecordError(
                f"{name} is {value!r}, expected a number.", remedy="Correct the table and try again."
            ) from error

    event_months, survival_months = number("months_to_dfs_progression"), number("overall_survival_months")
    if event_months is None or survival_months is None:
        return None
    if not 0.0 <= event_months <= survival_months + 0.05:
        # The workbook rounds months to one decimal place.
        raise ClinicalRecordError(
            f"The first event is at {event_months} months and follow-up ends at {survival_months} months, "
            "expected 0 <= event <= end.",
            remedy="Correct the months in the table.",
        )
    cause = None
    if number("progression_or_recurrence") == 1:
        in_liver = number("progression_or_recurrence_liveronly") == 1
        cause = Cause.LIVER if in_liver and number("months_to_liver_dfs_progression") == event_months else None
        cause = cause or Cause.ELSEWHERE
    elif number("vital_status_dfs") == 1:
        cause = Cause.DEATH
    return Outcome(
        event_months=event_months,
        cause=cause,
        survival_months=survival_months,
        died=number("vital_status") == 1,
    )


def _read_rows(path: Path) -> Iterator[dict[str, Any]]:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, InvalidFileException) as error:
        raise StorageError(
            f"The table {path.name!r} cannot be read as a workbook.",
            remedy="Choose an Excel file (.xlsx).",
            details=str(error),
        ) from error
    try:
        for sheet in book.worksheets:
            rows = sheet.iter_rows(values_only=True, max_row=MAX_ROWS)
            header = [str(cell or "").strip() for cell in next(rows, ())]
            if PATIENT_COLUMN in header:
                yield from (_to_mapping(header, row) for row in rows)
                return
    finally:
        book.close()
    raise ClinicalRecordError(
        f"No sheet of {path.name!r} has the column {PATIENT_COLUMN!r}.",
        remedy=f"Name the columns as the MSKCC workbook does: {PATIENT_COLUMN}, {FIELDS[0].workbook_column}, ...",
    )


def _to_mapping(header: list[str], row: tuple[Any, ...]) -> dict[str, Any]:
    return {name: value for name, value in zip(header, row, strict=False) if name}
