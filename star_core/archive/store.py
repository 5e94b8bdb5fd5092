"""One batch of files into the archive: bytes aside first, then rows and final names in one short transaction."""

from __future__ import annotations

import filecmp
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, func, select, update

from star_core.archive.archive import FILES_FOLDER, now_utc, refresh_counts
from star_core.archive.database import find_row, insert_row, insert_rows, instances, patients, reading, series, studies
from star_core.archive.entry import Entry
from star_core.dicom.names import fold

SAME_UID = "another object with the same SOPInstanceUID is in the archive, and this one differs from it"
_COPY_BYTES = 1 << 20
_COLUMNS = ("series", "sop_uid", "sop_class_uid", "number", "frames", "path", "linked", "size_bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A file to be filed; ``linked`` files stay where they are, and ``place`` is that without symbolic links."""

    entry: Entry
    source: Path
    linked: bool
    size_bytes: int
    place: str = ""


class Stored(NamedTuple):
    """Where an arrival went: its study, and whether it was there before."""

    study: int
    is_new: bool


class _Known(NamedTuple):
    id: int
    series: int
    study: int
    path: str
    deletion: int | None


def copy_aside(engine: Engine, arrivals: Sequence[Arrival], scratch: Path) -> dict[int, Path]:
    """Copy what the archive does not know yet into ``scratch``, safe on disk; return the copies by place in the batch.

    Done before the transaction, so that other programs wait for names and rows only, never for bytes.
    """
    copied = [place for place, arrival in enumerate(arrivals) if not arrival.linked]
    if not copied:
        return {}
    with reading(engine) as connection:
        known = _find_known(connection, [arrivals[place].entry.sop_uid for place in copied])
    aside: dict[int, Path] = {}
    for place in copied:
        arrival = arrivals[place]
        if arrival.entry.sop_uid not in known:
            aside[place] = scratch / f"copy-{place}"
            _copy_synced(arrival.source, aside[place])
    return aside


def file_arrivals(
    connection: Connection,
    folder: Path,
    arrivals: Sequence[Arrival],
    aside: Mapping[int, Path],
    shelves: Shelves | None = None,
) -> list[Stored | str]:
    """Give arrivals their names and rows; each answer tells where it went, or why it cannot be filed.

    ``shelves`` remembers patients, studies and series from one transaction to the next; it is of no use any more when
    a transaction was rolled back.
    """
    known = _find_known(connection, [arrival.entry.sop_uid for arrival in arrivals])
    shelves = shelves or Shelves()
    rows: list[tuple[Any, ...]] = []
    answers: list[Stored | str] = []
    fresh: dict[str, tuple[str, Stored]] = {}
    touched: set[int] = set()
    for place, arrival in enumerate(arrivals):
        uid = arrival.entry.sop_uid
        if uid in fresh:
            path, first = fresh[uid]
            answers.append(Stored(first.study, is_new=False) if _same(arrival.source, folder / path) else SAME_UID)
        elif uid in known:
            answers.append(_meet_again(connection, folder, arrival, known[uid], touched))
        else:
            path = _settle(folder, arrival, aside.get(place))
            shelf, study = shelves.find(connection, arrival.entry)
            touched.add(shelf)
            rows.append(_to_row(arrival, shelf, path))
            fresh[uid] = path, Stored(study, is_new=True)
            answers.append(fresh[uid][1])
    if rows:
        insert_rows(connection, instances, _COLUMNS, rows)
    if touched:
        refresh_counts(connection, touched)
    return answers


def _find_known(connection: Connection, sop_uids: Sequence[str]) -> dict[str, _Known]:
    # One parameter for them all: a statement with a thousand is as dear as what it asks for.
    wanted = func.json_each(json.dumps(sop_uids)).table_valued("value")
    query = (
        select(
            instances.c.sop_uid,
            instances.c.id,
            instances.c.series,
            series.c.study,
            instances.c.path,
            instances.c.deletion,
        )
        .join(series, series.c.id == instances.c.series)
        .where(instances.c.sop_uid.in_(select(wanted.c.value)))
    )
    return {row[0]: _Known(*row[1:]) for row in connection.execute(query)}


def _meet_again(
    connection: Connection, folder: Path, arrival: Arrival, known: _Known, touched: set[int]
) -> Stored | str:
    """Answer for an object that has a row: a duplicate, another object, or one that was deleted or lost."""
    path = folder / known.path
    if path.is_file():
        if not _same(arrival.source, path):
            return SAME_UID
    else:
        changed = _settle(folder, arrival, None)
        connection.execute(
            update(instances).where(instances.c.id == known.id).values(path=changed, linked=arrival.linked)
        )
    if known.deletion is None:
        return Stored(known.study, is_new=False)
    connection.execute(update(instances).where(instances.c.id == known.id).values(deletion=None))
    touched.add(known.series)
    return Stored(known.study, is_new=True)


def _settle(folder: Path, arrival: Arrival, aside: Path | None) -> str:
    """Give a file its final name and return it, relative to the archive; nothing of the header is in it but a hash."""
    if arrival.linked:
        return arrival.place or os.fspath(arrival.source.resolve())
    digest = hashlib.sha256(arrival.entry.sop_uid.encode("utf-8", "surrogateescape")).hexdigest()
    stored = f"{FILES_FOLDER}/{digest[:2]}/{digest}.dcm"
    target = folder / stored
    target.parent.mkdir(exist_ok=True)
    if aside is None:
        aside = target.with_suffix(".partial")
        _copy_synced(arrival.source, aside)
    aside.replace(target)
    return stored


def _copy_synced(source: Path, target: Path) -> None:
    with source.open("rb") as original, target.open("wb") as copy:
        shutil.copyfileobj(original, copy, _COPY_BYTES)
        copy.flush()
        os.fsync(copy.fileno())


def _same(one: Path, other: Path) -> bool:
    return one.samefile(other) or filecmp.cmp(one, other, shallow=False)


def _to_row(arrival: Arrival, shelf: int, path: str) -> tuple[Any, ...]:
    entry = arrival.entry
    about = (shelf, entry.sop_uid, entry.sop_class_uid, entry.instance_number, entry.frames)
    return *about, path, arrival.linked, arrival.size_bytes


class Shelves:
    """Numbers of patients, studies and series, made as they are met; no row of theirs is ever deleted."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, ...], tuple[int, int]] = {}

    def find(self, connection: Connection, entry: Entry) -> tuple[int, int]:
        """Return the numbers of an entry's series and study."""
        patient = (entry.issuer, entry.patient_id, entry.patient_name, entry.birth_date)
        key = (entry.series_uid, entry.study_uid, *patient)
        if key not in self._series:
            study = _find_study(connection, entry, _find_patient(connection, entry))
            about = _about_series(entry)
            shelf = _find_one(connection, series, {"study": study, "series_uid": entry.series_uid}, about)
            self._series[key] = shelf, study
        return self._series[key]


def _find_patient(connection: Connection, entry: Entry) -> int:
    about = {
        "patient_id": entry.patient_id,
        "issuer": entry.issuer,
        "name": entry.patient_name,
        "birth_date": entry.birth_date,
        "sex": entry.sex,
    }
    return _find_one(connection, patients, {"patient_key": to_patient_key(entry)}, about)


def _find_study(connection: Connection, entry: Entry, patient: int) -> int:
    about = {
        "date": entry.study_date,
        "time": entry.study_time,
        "description": entry.study_description,
        "accession": entry.accession,
        "search": "",
        "modalities": "",
        "instance_count": 0,
        "imported_utc": now_utc(),
    }
    return _find_one(connection, studies, {"patient": patient, "study_uid": entry.study_uid}, about)


def _find_one(connection: Connection, table: Any, key: Mapping[str, Any], about: Mapping[str, Any]) -> int:
    """Return the number of the row with this key, a new one where there is none."""
    found = find_row(connection, table, **key)
    return found if found is not None else insert_row(connection, table, **key, **about)


def _about_series(entry: Entry) -> dict[str, Any]:
    return {
        "modality": entry.modality,
        "number": entry.series_number,
        "description": entry.series_description,
        "body_part": entry.body_part,
        "frame_of_reference_uid": entry.frame_of_reference_uid,
        "instance_count": 0,
    }


def to_patient_key(entry: Entry) -> str:
    """Return by what two objects are of one patient: issuer and identifier, else name and date of birth."""
    if entry.patient_id:
        parts: Iterator[str] = iter(("id", entry.issuer.strip().upper(), entry.patient_id.strip()))
    else:
        parts = iter(("name", fold(entry.patient_name), entry.birth_date))
    return "\x1f".join(parts)
