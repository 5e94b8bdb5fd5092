"""What is asked of a server and what it answers, in whatever character set (PS3.4 C.2.2, PS3.18 10.6)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from star_core.errors import NetworkError

MOST_MODALITIES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyQuery:
    """Which studies are wanted; what is empty does not matter.

    ``patient_name`` is part of a name in any script, as "Müller", "Müller, Jérôme", or a DICOM pattern with ``*``,
    ``?`` or ``^``. ``date_from`` and ``date_to`` are ISO dates, both included.
    """

    patient_name: str = ""
    patient_id: str = ""
    date_from: str = ""
    date_to: str = ""
    modality: str = ""
    accession: str = ""
    description: str = ""
    study_uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyMatch:
    """One study that a server has; texts tidied, dates ISO or empty, counts ``None`` where it does not tell."""

    study_uid: str
    patient_name: str
    patient_id: str
    birth_date: str
    sex: str
    date: str
    time: str
    description: str
    accession: str
    modalities: tuple[str, ...]
    series_count: int | None
    instance_count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesMatch:
    """One series of a study that a server has."""

    series_uid: str
    modality: str
    number: int | None
    description: str
    body_part: str
    instance_count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceMatch:
    """One object of a series that a server has; ``sop_class_uid`` is empty where it does not tell."""

    sop_uid: str
    sop_class_uid: str


STUDY_KEYS = (
    *("StudyInstanceUID", "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"),
    *("StudyDescription", "AccessionNumber", "ModalitiesInStudy"),
    *("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"),
)
SERIES_KEYS = (
    *("SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription", "BodyPartExamined"),
    "NumberOfSeriesRelatedInstances",
)
INSTANCE_KEYS = ("SOPInstanceUID", "SOPClassUID")


def to_matching(query: StudyQuery) -> dict[str, str]:
    """Return the keys that a query matches, by keyword, with DICOM's wildcards and ranges.

    Raises
    ------
    NetworkError
        When a date is none.
    """
    matching = {
        "PatientName": to_name_pattern(query.patient_name),
        "PatientID": query.patient_id.strip(),
        "StudyDate": to_date_range(query.date_from, query.date_to),
        "ModalitiesInStudy": query.modality.strip().upper(),
        "AccessionNumber": query.accession.strip(),
        "StudyDescription": _around(query.description.strip()),
        "StudyInstanceUID": query.study_uid.strip(),
    }
    return {keyword: value.replace("\\", "") for keyword, value in matching.items() if value}


def to_name_pattern(text: str) -> str:
    """Return a person's name as a server matches it.

    The pattern is open at both ends, so that it also finds the ideographic and phonetic groups of a name (PS3.5 6.2.1).
    """
    text = " ".join(text.split())
    if not text or any(sign in text for sign in "*?^="):
        return text
    family, comma, given = (part.strip() for part in text.partition(","))
    return f"*{family}*^*{given}*" if comma and given else _around(family)


def to_plain_pattern(pattern: str) -> str:
    """Return a wider pattern without the characters that some servers do not decode from a URL."""
    return re.sub(r"\*{2,}", "*", re.sub(r"[^A-Za-z0-9._~-]+", "*", pattern))


def fits_pattern(pattern: str, text: str) -> bool:
    """Tell whether a text has every piece of a pattern, without regard to case and accents."""
    from star_core.dicom.names import fold

    return all(fold(piece) in fold(text) for piece in re.split(r"[*?^=]", pattern))


def _around(text: str) -> str:
    return text if not text or "*" in text or "?" in text else f"*{text}*"


def to_date_range(date_from: str, date_to: str) -> str:
    """Return a range of dates as PS3.4 C.2.2.2.5 writes it; empty when both are.

    Raises
    ------
    NetworkError
        When one is no date.
    """
    first, last = _to_digits(date_from), _to_digits(date_to)
    if not first and not last:
        return ""
    return first if first == last else f"{first}-{last}"


def _to_digits(iso: str) -> str:
    from datetime import date

    try:
        return date.fromisoformat(iso.strip()).strftime("%Y%m%d") if iso.strip() else ""
    except ValueError as error:
        raise NetworkError(f"{iso!r} is not a date.", remedy="Write it as 2026-01-31.") from error


# --------------------------------------------------------------------------- answers

Answer = Mapping[str, str]
"""Decoded, tidied values of one answer by keyword; several values are parted by backslashes."""


def to_study_match(answer: Answer) -> StudyMatch:
    """Return an answer at study level."""
    modalities = answer.get("ModalitiesInStudy", "").split("\\")[:MOST_MODALITIES]
    return StudyMatch(
        study_uid=answer.get("StudyInstanceUID", ""),
        patient_name=answer.get("PatientName", ""),
        patient_id=answer.get("PatientID", ""),
        birth_date=to_iso_date(answer.get("PatientBirthDate", "")),
        sex=answer.get("PatientSex", "")[:1].upper(),
        date=to_iso_date(answer.get("StudyDate", "")),
        time=answer.get("StudyTime", "")[:6],
        description=answer.get("StudyDescription", ""),
        accession=answer.get("AccessionNumber", ""),
        modalities=tuple(sorted({one.strip()[:16] for one in modalities if one.strip()})),
        series_count=to_count(answer.get("NumberOfStudyRelatedSeries", "")),
        instance_count=to_count(answer.get("NumberOfStudyRelatedInstances", "")),
    )


def to_series_match(answer: Answer) -> SeriesMatch:
    """Return an answer at series level."""
    return SeriesMatch(
        series_uid=answer.get("SeriesInstanceUID", ""),
        modality=answer.get("Modality", "")[:16],
        number=_to_whole(answer.get("SeriesNumber", "")),
        description=answer.get("SeriesDescription", ""),
        body_part=answer.get("BodyPartExamined", "").upper()[:32],
        instance_count=to_count(answer.get("NumberOfSeriesRelatedInstances", "")),
    )


def to_instance_match(answer: Answer) -> InstanceMatch:
    """Return an answer at the level of single objects."""
    return InstanceMatch(sop_uid=answer.get("SOPInstanceUID", ""), sop_class_uid=answer.get("SOPClassUID", ""))


def to_iso_date(text: str) -> str:
    """Return a DICOM date as ISO writes it; empty when it is none."""
    digits = text.replace(".", "").replace("-", "")[:8]
    if len(digits) != 8 or not digits.isascii() or not digits.isdigit():
        return ""
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"


def to_count(text: str) -> int | None:
    """Return a number of things; ``None`` when the text is none."""
    number = _to_whole(text)
    return number if number is not None and number >= 0 else None


def _to_whole(text: str) -> int | None:
    try:
        number = int(float(text.split("\\")[0]))
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 1 << 31 else None


# --------------------------------------------------------------------------- decoding


def decode_dimse(dataset: Any, keywords: tuple[str, ...]) -> dict[str, str]:
    """Return the values of a C-FIND answer by keyword, decoded by its own character set (PS3.5 6.1).

    Parameters
    ----------
    dataset
        pydicom's data set, its elements still raw.
    """
    from pydicom.datadict import tag_for_keyword

    from star_core.dicom.names import decode_name, decode_text, find_encodings, tidy

    encodings = find_encodings(_raw_text(dataset, int(tag_for_keyword("SpecificCharacterSet") or 0)))
    values: dict[str, str] = {}
    for keyword in keywords:
        raw = _raw_value(dataset, int(tag_for_keyword(keyword) or 0))
        if isinstance(raw, bytes):
            values[keyword] = decode_name(raw, encodings) if keyword == "PatientName" else decode_text(raw, encodings)
        else:
            values[keyword] = tidy(raw)
    return values


def _raw_value(dataset: Any, tag: int) -> bytes | str:
    element = dataset.get_item(tag)
    value = None if element is None else element.value
    if value is None or isinstance(value, bytes):
        return value or b""
    return "\\".join(map(str, value)) if isinstance(value, list | tuple) or hasattr(value, "append") else str(value)


def _raw_text(dataset: Any, tag: int) -> str:
    raw = _raw_value(dataset, tag)
    return raw.decode("latin-1").strip(" \0") if isinstance(raw, bytes) else raw


def decode_web(entry: Any, keywords: tuple[str, ...]) -> dict[str, str]:
    """Return the values of a QIDO answer by keyword (DICOM JSON, PS3.18 F.2); what is malformed counts as empty."""
    from pydicom.datadict import tag_for_keyword

    from star_core.dicom.names import tidy

    values: dict[str, str] = {}
    for keyword in keywords:
        element = entry.get(f"{int(tag_for_keyword(keyword) or 0):08X}") if isinstance(entry, dict) else None
        found = element.get("Value") if isinstance(element, dict) else None
        texts = [_json_text(one) for one in found[:MOST_MODALITIES]] if isinstance(found, list) else []
        values[keyword] = tidy("\\".join(texts))
    return values


def _json_text(value: Any) -> str:
    if isinstance(value, dict):  # a person's name by its groups
        groups = [value.get(group) for group in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(group if isinstance(group, str) else "" for group in groups).rstrip("=")
    return str(value) if isinstance(value, str | int | float) else ""
