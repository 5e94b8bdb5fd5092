"""Ways in and out of the clinical record: mappings, JSON and the form; every value is checked at this door."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from star_core.clinical.fields import FIELD_BY_NAME, FIELDS, MODEL_FIELDS, ClinicalField, FieldKind, FieldValue
from star_core.errors import ClinicalRecordError, StorageError
from star_core.storage import new_file
from star_core.types import ClinicalRecord, Finding, Severity, Sex

MISSING_CODE = -999
_FIELD_BY_COLUMN = {field.workbook_column.lower(): field for field in FIELDS}
_TRUE, _FALSE = {"yes", "true", "1", "y"}, {"no", "false", "0", "n"}
_AMBIGUOUS = re.compile(r"[1-9]\d{0,2},\d{3}")
_IGNORED_KEYS = {"patient-id", "patient_id", "de-identify scout name", "relevant_notes", "notice"}
_OUTCOME_COLUMNS = {
    "overall_survival_months",
    "vital_status",
    "progression_or_recurrence",
    "months_to_dfs_progression",
    "vital_status_dfs",
    "progression_or_recurrence_liveronly",
    "months_to_liver_dfs_progression",
    "vital_status_liver_dfs",
}


def record_from_mapping(mapping: Mapping[str, Any]) -> ClinicalRecord:
    """Build a record from the schema's names (schema units) or the workbook's column names (workbook units).

    Blanks, ``null`` and -999 are missing. Identifiers and outcomes of a workbook row are passed over.

    Raises
    ------
    ClinicalRecordError
        When a name is unknown or a value is of the wrong type or out of range; all problems in one message.
    """
    values: dict[str, FieldValue | None] = {}
    problems: list[str] = []
    for key, raw in mapping.items():
        name = str(key).strip()
        if name.lower() in _IGNORED_KEYS | _OUTCOME_COLUMNS:
            continue
        field = FIELD_BY_NAME.get(name)
        scale = 1.0
        if field is None and (field := _FIELD_BY_COLUMN.get(name.lower())) is not None:
            scale = field.workbook_scale
        if field is None:
            problems.append(_unknown(name))
            continue
        try:
            values[field.name] = to_value(field, raw, scale=scale)
        except ClinicalRecordError as error:
            problems.append(error.message)
    if problems:
        raise ClinicalRecordError(
            "The clinical record cannot be used: " + " ".join(problems), remedy="Correct these values and try again."
        )
    return ClinicalRecord(**values)  # type: ignore[arg-type]


def record_to_mapping(record: ClinicalRecord) -> dict[str, float | int | bool | str | None]:
    """Return all fields by the schema's names; missing ones as ``None``."""
    values = {field.name: getattr(record, field.name) for field in FIELDS}
    return {name: value.value if isinstance(value, Sex) else value for name, value in values.items()}


def read_record_json(path: Path) -> ClinicalRecord:
    """Read a record from a JSON object of names and values.

    Raises
    ------
    StorageError
        When the file cannot be read.
    ClinicalRecordError
        When it is not a JSON object, or as :func:`record_from_mapping`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(
            f"The clinical record {path.name!r} cannot be read.", remedy="Choose a JSON text file.", details=str(error)
        ) from error
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ClinicalRecordError(
            f"The clinical record {path.name!r} is not JSON: {error}.", remedy="Correct the file."
        ) from error
    if not isinstance(content, dict):
        raise ClinicalRecordError(
            f"The clinical record {path.name!r} holds a {type(content).__name__}, expected an object.",
            remedy='Write it as {"age_years": 63, ...}.',
        )
    return record_from_mapping(content)


def write_record_json(record: ClinicalRecord, path: Path) -> None:
    """Write a record as a JSON object of the schema's names.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    with new_file(path) as partial:
        partial.write_text(json.dumps(record_to_mapping(record), indent=1) + "\n", encoding="utf-8")


def to_value(field: ClinicalField, raw: Any, *, scale: float = 1.0) -> FieldValue | None:
    """Return a raw value as the field's own type, ``None`` when it is missing.

    Raises
    ------
    ClinicalRecordError
        When it is of the wrong type or out of range.
    """
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        return None
    if isinstance(raw, float) and math.isnan(raw):
        return None
    if not isinstance(raw, bool) and _is_missing_code(raw):
        return None
    match field.kind:
        case FieldKind.CHOICE:
            return _to_sex(field, raw)
        case FieldKind.BOOLEAN:
            return _to_boolean(field, raw)
        case FieldKind.NUMBER | FieldKind.INTEGER:
            return _to_number(field, raw, scale)


def _is_missing_code(raw: Any) -> bool:
    try:
        return float(raw) == MISSING_CODE
    except (TypeError, ValueError):
        return False


def _to_sex(field: ClinicalField, raw: Any) -> Sex:
    text = str(raw).strip().lower()
    text = text[:-2] if text.endswith(".0") else text
    match text:
        case "1" | "male" | "m":
            return Sex.MALE
        case "2" | "female" | "f":
            return Sex.FEMALE
    raise ClinicalRecordError(f"{field.label}: {raw!r}, expected male or female.")


def _to_boolean(field: ClinicalField, raw: Any) -> bool:
    text = str(raw).strip().lower()
    text = text[:-2] if text.endswith(".0") else text
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ClinicalRecordError(f"{field.label}: {raw!r}, expected yes or no.")


def _to_number(field: ClinicalField, raw: Any, scale: float) -> float | int:
    if _AMBIGUOUS.fullmatch(str(raw).strip()):
        plain, decimal = str(raw).strip().replace(",", ""), str(raw).strip().replace(",", ".")
        raise ClinicalRecordError(f"{field.label}: {raw!r} can be {plain} or {decimal}; write it without the comma.")
    try:
        if isinstance(raw, bool):
            raise ValueError
        number = float(str(raw).strip().replace(",", ".")) * scale
    except ValueError as error:
        raise ClinicalRecordError(f"{field.label}: {raw!r} is not a number.") from error
    low = -math.inf if field.minimum is None else field.minimum
    high = math.inf if field.maximum is None else field.maximum
    if not low <= number <= high:
        unit = f" {field.unit}" if field.unit else ""
        raise ClinicalRecordError(f"{field.label}: {number:g}{unit}, expected {low:g} to {high:g}{unit}.")
    if field.kind is FieldKind.INTEGER:
        if number != round(number):
            raise ClinicalRecordError(f"{field.label}: {number:g}, expected a whole number.")
        return round(number)
    # A fraction of the workbook times 100 carries the last digits of binary arithmetic.
    return number if scale == 1.0 else round(number, 6)


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, [*FIELD_BY_NAME, *_FIELD_BY_COLUMN], n=3)
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    return f"There is no field {name!r}.{hint}"


# --------------------------------------------------------------------------- the form


def parse_entry(field: ClinicalField, text: str) -> FieldValue | None:
    """Return what was typed into the form as a value; empty is missing, a decimal comma is understood.

    Raises
    ------
    ClinicalRecordError
        With the range, told while typing.
    """
    return to_value(field, text)


def format_entry(field: ClinicalField, value: FieldValue | None) -> str:
    """Return a value as the form shows it; missing is empty."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Sex():
            return value.value
        case _:
            return f"{value:.6g}"


def validate_record(record: ClinicalRecord) -> tuple[Finding, ...]:
    """Return what a reader should know of a record: missing inputs of the model, values that contradict each other."""
    findings = []
    missing = [field.label for field in MODEL_FIELDS if getattr(record, field.name) is None]
    if missing:
        many = len(missing) > len(MODEL_FIELDS) // 2
        findings.append(
            Finding(
                code="clinical-missing",
                severity=Severity.WARNING if many else Severity.NOTE,
                message=f"{len(missing)} of {len(MODEL_FIELDS)} clinical inputs are missing: {', '.join(missing)}.",
            )
        )
    score, high = record.clinical_risk_score, record.clinical_risk_score_high
    if score is not None and high is not None and high != (score >= 3):
        findings.append(
            Finding(
                code="clinical-contradiction",
                severity=Severity.WARNING,
                message=f"Clinical risk score {score} and 'score 3 to 5: {'yes' if high else 'no'}' contradict.",
            )
        )
    return tuple(findings)
