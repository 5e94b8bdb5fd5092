"""What the archive tells of itself, as plain values: a window that reads them loads no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRow:
    """One study as a browser shows it; ``date`` is ISO or empty, ``modalities`` sorted and without repetition."""

    id: int
    study_uid: str
    patient: int
    patient_name: str
    patient_id: str
    birth_date: str
    sex: str
    date: str
    time: str
    description: str
    accession: str
    modalities: tuple[str, ...]
    instance_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRow:
    """One series of a study."""

    id: int
    series_uid: str
    modality: str
    number: int | None
    description: str
    body_part: str
    frame_of_reference_uid: str
    instance_count: int


class ResultKind(StrEnum):
    """What a result is."""

    ASSESSMENT = "assessment"
    MEASUREMENT = "measurement"
    REPORT = "report"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """One result as a browser lists it; ``summary`` holds its few figures by name, units in the names."""

    id: int
    series: int
    kind: ResultKind
    model_name: str
    model_id: str
    created_utc: str
    summary: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFilter:
    """Which studies are wanted: every word of ``text`` somewhere in names, ids and descriptions; the rest exactly.

    ``date_from`` and ``date_to`` are ISO dates, both included.
    """

    text: str = ""
    modality: str = ""
    body_part: str = ""
    date_from: str = ""
    date_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """Modalities and body parts that there are."""

    modalities: tuple[str, ...]
    body_parts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyContents:
    """A study's series and results; ``drawn_on`` maps a segmentation's series to that of its CT, where it is known."""

    study: int
    series: tuple[SeriesRow, ...]
    drawn_on: Mapping[int, int]
    results: tuple[ResultRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedImport:
    """An import that was killed or cancelled: the names of its sources, and how many files were done."""

    number: int
    started_utc: str
    names: tuple[str, ...]
    files_done: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """What deletions took away and a purge would remove."""

    studies: int
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """What a purge removed: copied files, and the series of which nothing is left here."""

    files: int
    series_uids: tuple[str, ...]
