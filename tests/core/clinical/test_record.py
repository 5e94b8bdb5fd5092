"""Ways in and out of the clinical record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from star_core.clinical.fields import FIELD_BY_NAME, FIELDS, MODEL_FIELDS, FieldKind, KnownFrom, encode_record
from star_core.clinical.record import (
    read_record_json,
    record_from_mapping,
    record_to_mapping,
    validate_record,
    write_record_json,
)
from star_core.errors import ClinicalRecordError, StorageError
from star_core.types import ClinicalRecord, Sex

WORKBOOK_ROW = {
    "Patient-ID": "CRLM-CT-0000",
    "age": 63,
    "sex": 2,
    "carcinoembryonic_antigen": -999,
    "max_tumor_size": 4.2,
    "necrosis_percent": 0.25,
    "clinrisk_score": -999,
    "bilobar_disease": 1,
    "overall_survival_months": 26.8,
}


def test_a_workbook_row_is_read_in_its_own_units() -> None:
    record = record_from_mapping(WORKBOOK_ROW)
    assert record.age_years == 63
    assert record.sex is Sex.FEMALE
    assert record.cea_ng_ml is None
    assert record.clinical_risk_score is None
    assert record.tumour_necrosis_percent == 25.0  # the workbook writes fractions
    assert record.bilobar_disease is True


@pytest.mark.parametrize("missing", [None, "", "  ", -999, -999.0, "-999", float("nan")])
def test_every_way_of_saying_nothing_is_missing(missing: object) -> None:
    assert record_from_mapping({"cea_ng_ml": missing}) == ClinicalRecord()


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"age_years": 7}, ["Age", "18", "110"]),
        ({"age_years": "old"}, ["Age", "old"]),
        ({"sex": "x"}, ["Sex", "male or female"]),
        ({"clinical_risk_score": 2.5}, ["2.5"]),
        ({"bilobar_disease": "maybe"}, ["Both lobes", "maybe"]),
        ({"age_yeers": 61}, ["age_yeers", "age_years"]),
        ({"cea_ng_ml": float("inf")}, ["CEA"]),
        ({"cea_ng_ml": [1]}, ["CEA"]),
        ({"cea_ng_ml": "1,234"}, ["1234", "1.234"]),
    ],
)
def test_a_wrong_value_is_refused_with_what_was_expected(entry: dict[str, object], words: list[str]) -> None:
    with pytest.raises(ClinicalRecordError) as caught:
        record_from_mapping(entry)
    for word in words:
        assert word in str(caught.value)


def test_all_problems_come_in_one_message() -> None:
    with pytest.raises(ClinicalRecordError) as caught:
        record_from_mapping({"age_years": 7, "cea_ng_ml": -1})
    assert "Age" in str(caught.value)
    assert "CEA" in str(caught.value)


def records() -> st.SearchStrategy[ClinicalRecord]:
    values = {}
    for field in FIELDS:
        match field.kind:
            case FieldKind.BOOLEAN:
                value = st.booleans()
            case FieldKind.CHOICE:
                value = st.sampled_from(Sex)
            case FieldKind.INTEGER:
                value = st.integers(int(field.minimum or 0), int(field.maximum or 0))
            case FieldKind.NUMBER:
                value = st.floats(field.minimum, field.maximum)
        values[field.name] = st.none() | value
    return st.builds(ClinicalRecord, **values)


@given(records())
def test_a_record_comes_back_from_its_mapping(record: ClinicalRecord) -> None:
    assert record_from_mapping(json.loads(json.dumps(record_to_mapping(record)))) == record


@given(records())
def test_encoding_is_finite_and_marks_every_gap(record: ClinicalRecord) -> None:
    values, missing = encode_record(record)
    for index, field in enumerate(MODEL_FIELDS):
        gap = getattr(record, field.name) is None
        assert missing[index] == gap
        assert abs(values[index]) < 50
        assert not gap or values[index] == 0


def test_the_schema_covers_every_input_and_never_feeds_pathology_to_a_model() -> None:
    assert set(FIELD_BY_NAME) == set(ClinicalRecord.__dataclass_fields__)
    assert all(field.known_from is KnownFrom.PREOPERATIVE for field in MODEL_FIELDS)
    assert len({field.workbook_column for field in FIELDS}) == len(FIELDS) == 25


def test_encoding_by_hand() -> None:
    values, missing = encode_record(ClinicalRecord(age_years=72.0, sex=Sex.FEMALE))
    names = [field.name for field in MODEL_FIELDS]
    assert values[names.index("age_years")] == pytest.approx(1.0)  # (72 - 60) / 12
    assert values[names.index("sex")] == pytest.approx(1.0)  # (1 - 0.5) / 0.5
    assert missing.sum() == len(names) - 2


def test_missing_inputs_are_findings() -> None:
    findings = validate_record(ClinicalRecord(age_years=63.0))
    assert findings
    assert all(finding.message for finding in findings)


def test_a_record_file_is_written_and_read(tmp_path: Path) -> None:
    record = ClinicalRecord(age_years=61.5, sex=Sex.MALE, bilobar_disease=False)
    write_record_json(record, tmp_path / "r.json")
    assert read_record_json(tmp_path / "r.json") == record


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (None, StorageError, "cannot be read"),
        (b"\xff\xfe\x00", StorageError, "cannot be read"),
        (b"{age: 1}", ClinicalRecordError, "not JSON"),
        (b"[1, 2]", ClinicalRecordError, "expected an object"),
    ],
)
def test_a_damaged_record_file_is_told(tmp_path: Path, content: bytes | None, error: type, words: str) -> None:
    path = tmp_path / "r.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=words):
        read_record_json(path)
