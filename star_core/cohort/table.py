"""Tables of patients, workbook or CSV, in the collection's columns or a centre's own; every problem told by patient."""

from __future__ import annotations

import csv
import difflib
import json
import math
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from star_core.clinical.fields import FIELDS
from star_core.clinical.record import MISSING_CODE, record_from_mapping
from star_core.clinical.tables import MAX_ROWS, NOTES_COLUMN, PATIENT_COLUMN, outcome_from_mapping
from star_core.cohort.journal import Problem
from star_core.errors import ClinicalRecordError, CohortError, StorageError
from star_core.types import Cause, ClinicalRecord, Outcome

PATIENT = "patient_id"
FOLDER = "folder"
SITE_COLUMNS = ("site_left_mm", "site_posterior_mm", "site_superior_mm")
OWN_OUTCOME = ("event_months", "event", "survival_months", "died")
WORKBOOK_OUTCOME = (
    "overall_survival_months",
    "vital_status",
    "progression_or_recurrence",
    "months_to_DFS_progression",
    "vital_status_DFS",
    "progression_or_recurrence_liveronly",
    "months_to_liver_DFS_progression",
    "vital_status_liver_DFS",
)
_PASSED_OVER = ("De-identify Scout Name", NOTES_COLUMN)
_KNOWN = {
    name.lower(): name
    for name in (
        *(PATIENT, FOLDER, *SITE_COLUMNS, *OWN_OUTCOME, *WORKBOOK_OUTCOME, *_PASSED_OVER),
        *(field.name for field in FIELDS),
        *(field.workbook_column for field in FIELDS),
    )
} | {PATIENT_COLUMN.lower(): PATIENT}
_EVENTS: dict[str, Cause | None] = {cause.value: cause for cause in Cause} | dict.fromkeys(("none", "censored", ""))
_YES, _NO = {"1", "1.0", "yes", "true", "y"}, {"0", "0.0", "no", "false", "n"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortRow:
    """One usable row: who, where the scan lies (a folder's name), what is known and what happened."""

    patient_id: str
    folder: str
    record: ClinicalRecord
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortTable:
    """The usable rows of a table and what is wrong with the others."""

    rows: tuple[CohortRow, ...]
    problems: tuple[Problem, ...]


def read_column_map(path: Path) -> dict[str, str | None]:
    """Read which of our columns each of the table's is, ``null`` for those to be passed over, from a JSON object.

    Raises
    ------
    StorageError
        When the file cannot be read.
    CohortError
        When it is no such object, or names a column that there is not.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise StorageError(f"The map of columns {path.name!r} cannot be read.", remedy="Choose a JSON file.") from error
    except ValueError as error:
        raise CohortError(f"The map of columns {path.name!r} is not JSON: {error}.", remedy="Correct it.") from error
    if not isinstance(content, dict) or not all(value is None or isinstance(value, str) for value in content.values()):
        raise CohortError(
            f"The map of columns {path.name!r} holds something else than names.",
            remedy='Write it as {"Age (y)": "age_years", "Remarks": null}.',
        )
    if unknown := [value for value in content.values() if value is not None and value.lower() not in _KNOWN]:
        raise CohortError(
            f"The map of columns {path.name!r} leads to {unknown[0]!r}, which is no column of ours.",
            remedy=_suggest(unknown[0]),
        )
    return content


def read_cohort_table(path: Path, columns: Mapping[str, str | None] | None = None) -> CohortTable:
    """Read a table of patients.

    Parameters
    ----------
    path
        A workbook (.xlsx; the first sheet with a column for the patient) or a CSV file in UTF-8.
    columns
        What the table's columns are called here; ``None`` passes a column over.

    Raises
    ------
    StorageError
        When the file cannot be read.
    CohortError
        When there is no column for the patient, or no row.
    """
    mappings, unknown = _rename(_read_mappings(path, dict(columns or {})), dict(columns or {}))
    problems = [
        Problem(
            patient_id="",
            message=f"The table has a column {name!r} that is not known.",
            remedy=f"{_suggest(name)} Or map it to null (--columns).",
        )
        for name in unknown
    ]
    named = [(_text(mapping.get(PATIENT)), mapping) for mapping in mappings]
    named = [(name, mapping) for name, mapping in named if name or any(_text(value) for value in mapping.values())]
    rows: list[CohortRow] = []
    for name, mapping in named:
        try:
            rows.append(_to_row(name, mapping))
        except (ClinicalRecordError, CohortError) as error:
            problems.append(Problem(patient_id=name or "(no name)", message=error.message, remedy=error.remedy))
    # Of two rows nobody can tell which is right: neither is used.
    times = Counter(name for name, _ in named if name)
    twice = [name for name, count in times.items() if count > 1]
    problems += [
        Problem(patient_id=name, message="stands in the table twice.", remedy="Keep one row a patient.")
        for name in twice
    ]
    rows = [row for row in rows if row.patient_id not in twice]
    if not rows and not problems:
        raise CohortError(f"Table {path.name!r} has no patient.", remedy="Add a row for each patient.")
    return CohortTable(rows=tuple(rows), problems=tuple(problems))


def _to_row(name: str, mapping: Mapping[str, Any]) -> CohortRow:
    folder = _text(mapping.get(FOLDER)) or name
    if not name:
        raise CohortError("a row names no patient.", remedy="Fill in the column of the patient.")
    if len(name) > 64 or any(part in ("", ".", "..") for part in folder.replace("\\", "/").split("/")):
        raise CohortError(
            "its name or folder cannot be used.", remedy="Use at most 64 letters, and a folder inside the given one."
        )
    outcome_columns = {*OWN_OUTCOME, *WORKBOOK_OUTCOME, *SITE_COLUMNS}
    clinical = {key: value for key, value in mapping.items() if key not in {PATIENT, FOLDER, *outcome_columns}}
    record = record_from_mapping(clinical)
    if any(column in mapping for column in OWN_OUTCOME):
        outcome = _own_outcome(mapping)
    else:
        found = outcome_from_mapping(mapping)
        if found is None:
            raise CohortError("there is no follow-up.", remedy="Fill in the months of event and of survival.")
        outcome = found
    return CohortRow(patient_id=name, folder=folder, record=record, outcome=outcome)


def _own_outcome(mapping: Mapping[str, Any]) -> Outcome:
    event_months, survival_months = (_months(mapping, name) for name in ("event_months", "survival_months"))
    if not 0.0 <= event_months <= survival_months + 0.05:
        raise CohortError(
            f"the first event is at {event_months:g} months and follow-up ends at {survival_months:g} months, "
            "expected 0 <= event <= end.",
            remedy="Correct the months.",
        )
    event, died = _text(mapping.get("event")).lower(), _text(mapping.get("died")).lower()
    if event not in _EVENTS:
        raise CohortError(f"event is {event!r}.", remedy="Write liver, elsewhere, death or none.")
    if died not in _YES | _NO:
        raise CohortError(f"died is {died!r}.", remedy="Write yes or no.")
    cause = _EVENTS[event]
    if cause is Cause.DEATH and died in _NO:
        raise CohortError("the first event is death, but died says no.", remedy="Correct one of them.")
    return Outcome(
        event_months=event_months,
        cause=cause,
        survival_months=max(survival_months, event_months),
        died=died in _YES,
        site_lps_mm=_site(mapping, cause),
    )


def _site(mapping: Mapping[str, Any], cause: Cause | None) -> tuple[float, float, float] | None:
    given = [_number(mapping, name) for name in SITE_COLUMNS]
    if all(value is None for value in given):
        return None
    left, posterior, superior = given
    if left is None or posterior is None or superior is None:
        raise CohortError("the site of recurrence is incomplete.", remedy=f"Fill in {', '.join(SITE_COLUMNS)}.")
    if cause is not Cause.LIVER:
        raise CohortError("a site is given without a liver recurrence.", remedy="Clear the site or correct the event.")
    return left, posterior, superior


def _months(mapping: Mapping[str, Any], name: str) -> float:
    value = _number(mapping, name)
    if value is None:
        raise CohortError(f"{name} is missing.", remedy="Fill in the months of event and of survival.")
    if not 0.0 <= value <= 1200.0:
        raise CohortError(f"{name} is {value:g}, expected 0 to 1200 months.", remedy="Correct the months.")
    return value


def _number(mapping: Mapping[str, Any], name: str) -> float | None:
    text = _text(mapping.get(name)).replace(",", ".")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise CohortError(f"{name} is {text!r}, expected a number.", remedy="Correct the table.") from error
    if not math.isfinite(value):
        raise CohortError(f"{name} is {text!r}, expected a number.", remedy="Correct the table.")
    return None if value == MISSING_CODE else value


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


# --------------------------------------------------------------------------- columns


def _suggest(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), list(_KNOWN), n=3)
    hint = f"Did you mean {', '.join(_KNOWN[key] for key in near)}? " if near else ""
    return f"{hint}Name columns as the schema or the collection's workbook does, or map them with --columns."


def _rename(
    mappings: list[dict[str, Any]], columns: Mapping[str, str | None]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rows under our names, and the columns that have none."""
    ours: dict[str, str] = {}
    unknown = []
    for name in dict.fromkeys(key for mapping in mappings for key in mapping):
        if name in columns and columns[name] is None:
            continue
        known = _KNOWN.get(str(columns.get(name) or name).lower())
        if known is None:
            unknown.append(name)
        elif known not in _PASSED_OVER:
            ours[name] = known
    if mappings and PATIENT not in ours.values():
        raise CohortError(
            "The table has no column for the patient.",
            remedy=f"Call it {PATIENT} or {PATIENT_COLUMN}, or map it with --columns.",
        )
    if twice := [name for name in set(ours.values()) if list(ours.values()).count(name) > 1]:
        raise CohortError(f"Two columns of the table mean {twice[0]}.", remedy="Map one of them to null (--columns).")
    return [{ours[key]: value for key, value in row.items() if key in ours} for row in mappings], unknown


def _read_mappings(path: Path, columns: Mapping[str, str | None]) -> list[dict[str, Any]]:
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        return _read_workbook(path, columns)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(
            f"The table {path.name!r} cannot be read.",
            remedy="Choose a workbook (.xlsx), or a CSV file in UTF-8.",
            details=str(error),
        ) from error
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    rows = list(csv.reader(text.splitlines(), delimiter=delimiter))
    return [_to_mapping(rows[0], row) for row in rows[1 : MAX_ROWS + 1]] if rows else []


def _read_workbook(path: Path, columns: Mapping[str, str | None]) -> list[dict[str, Any]]:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, InvalidFileException) as error:
        raise StorageError(
            f"The table {path.name!r} cannot be read as a workbook.",
            remedy="Choose an Excel file (.xlsx) or a CSV file.",
            details=str(error),
        ) from error
    try:
        for sheet in book.worksheets:
            rows = sheet.iter_rows(values_only=True, max_row=MAX_ROWS)
            header = [_text(cell) for cell in next(rows, ())]
            if any(_KNOWN.get(str(columns.get(name) or name).lower()) == PATIENT for name in header):
                return [_to_mapping(header, row) for row in rows]
    finally:
        book.close()
    raise CohortError(
        f"No sheet of {path.name!r} has a column for the patient.",
        remedy=f"Call it {PATIENT} or {PATIENT_COLUMN}, or map it with --columns.",
    )


def _to_mapping(header: list[str], row: list[str] | tuple[Any, ...]) -> dict[str, Any]:
    return {name.strip(): value for name, value in zip(header, row, strict=False) if name.strip()}
