"""Rows of the study tree: patients, studies, series and results, and how each is put into words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

MEASUREMENT = "measurement"
"""The kind of result that holds what was drawn."""


class Kind(StrEnum):
    """What a row is; ``FOLDER`` and ``FILE_SERIES`` are of a folder that is open without being imported."""

    ROOT = "root"
    FOLDER = "folder"
    FILE_SERIES = "series of the folder"
    PATIENT = "patient"
    STUDY = "study"
    SERIES = "series"
    RESULT = "result"


@dataclass(slots=True, eq=False)
class Node:
    """One row; ``data`` is what the archive or the folder told of it, ``key`` by what it is the same row tomorrow."""

    kind: Kind
    key: str
    number: int
    parent: Node | None
    data: Any = None
    children: list[Node] = field(default_factory=list)
    loaded: bool = False
    asked: bool = False

    def place(self) -> int:
        """Return the row's place below its parent."""
        return 0 if self.parent is None else self.parent.children.index(self)

    def above(self, kind: Kind) -> Node | None:
        """Return this row, or the nearest above it, that is of a kind."""
        node: Node | None = self
        while node is not None and node.kind is not kind:
            node = node.parent
        return node

    def below(self, kind: Kind) -> list[Node]:
        """Return all rows of a kind beneath this one."""
        found = [child for child in self.children if child.kind is kind]
        return found + [deeper for child in self.children for deeper in child.below(kind)]


def title_of(node: Node) -> str:
    """Return the first line of a row."""
    row = node.data
    match node.kind:
        case Kind.FOLDER:
            return str(row)
        case Kind.PATIENT:
            return row.patient_name or "No name"
        case Kind.STUDY:
            return " · ".join((row.date or "no date", row.description or "no description"))
        case Kind.SERIES:
            return _series_title(row.modality, row.number, row.description)
        case Kind.FILE_SERIES:
            mark = " ⚠" if row.findings else ""
            return _series_title(row.modality, row.series_number, row.description) + mark
        case Kind.RESULT if row.kind == MEASUREMENT:
            return f"Annotations · {row.summary.get('annotations', 0):.0f}"
        case Kind.RESULT:
            return f"{row.model_name} · {to_figures(row.summary)}"
    return ""


def subtitle_of(node: Node) -> str:
    """Return the second line of a row."""
    row = node.data
    match node.kind:
        case Kind.FOLDER:
            return "open, not in the archive" if node.children else ""
        case Kind.PATIENT:
            born = f"born {row.birth_date}" if row.birth_date else ""
            return " · ".join(filter(None, (row.patient_id, born, row.sex)))
        case Kind.STUDY:
            return f"{' '.join(row.modalities)} · {_count(row.instance_count)}"
        case Kind.SERIES:
            return " · ".join(filter(None, (_count(row.instance_count), row.body_part)))
        case Kind.FILE_SERIES:
            return _count(row.slice_count)
        case Kind.RESULT:
            return f"{row.kind} of {to_local_time(row.created_utc)}"
    return ""


def tooltip_of(node: Node) -> str:
    """Return what a row says when the pointer rests on it."""
    lines = [title_of(node), subtitle_of(node)]
    if node.kind is Kind.FILE_SERIES:
        lines += [finding.message for finding in node.data.findings]
    if node.kind in (Kind.SERIES, Kind.FILE_SERIES) and node.data.modality == "CT":
        lines.append("Double-click to open")
    if node.kind is Kind.SERIES and node.data.modality == "SEG":
        lines.append("Double-click to open its CT with it")
    if node.kind is Kind.RESULT and node.data.kind == MEASUREMENT:
        lines.append("Double-click to open the case with its annotations")
    elif node.kind is Kind.RESULT:
        lines.append("Double-click to open the case with this model and record")
    return "\n".join(filter(None, lines))


def to_figures(summary: Any) -> str:
    """Return the figures of a result in words: "5-year recurrence 63 %"."""
    words = [
        f"{name.removeprefix(_YEARLY)}-year recurrence {100 * value:.0f} %"
        for name, value in summary.items()
        if name.startswith(_YEARLY)
    ]
    return words[-1] if words else "no figures"


_YEARLY = "any_recurrence_year_"


def to_local_time(utc: str) -> str:
    """Return a time of the archive as the wall clock shows it."""
    try:
        return datetime.fromisoformat(utc).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return utc


def _series_title(modality: str, number: int | None, description: str) -> str:
    return " · ".join(filter(None, (modality, "" if number is None else str(number), description or "no description")))


def _count(images: int) -> str:
    return "1 image" if images == 1 else f"{images:,} images"
