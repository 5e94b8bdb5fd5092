"""One batch of files into the archive: bytes aside first, then rows and final names in one short transaction."""

from __future__ import annotations

import filecmp
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, insert, select, update

from star_core.archive.archive import FILES_FOLDER, now_utc, refresh_counts
from star_core.archive.database import insert_row, instances, patients, reading, series, studies
from star_core.archive.entry import Entry
from star_core.archive.names import fold

SAME_UID = "another object with the same SOPInstanceUID is in the archive, and this one differs from it"
_COPY_BYTES = 1 << 20
_REMEMBERED_FOLDERS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A file to be filed; ``linked`` files stay where they are."""

    entry: Entry
    source: Path
    linked: bool
    size_bytes: int


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
    connection: Connection, folder: Path, arrivals: Sequence[Arrival], aside: Mapping[int, Path]
) -> list[Stored | str]:
    """Give arrivals their names and rows; each answer tells where it went, or why it cannot be filed."""
    known = _find_known(connection, [arrival.entry.sop_uid for arrival in arrivals])
    shelves = _Shelves(connection)
    rows: list[dict[str, Any]] = []
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
            shelf, study = shelves.find(arrival.entry)
            touched.add(shelf)
            rows.append(_to_row(arrival, shelf, path))
            fresh[uid] = path, Stored(study, is_new=True)
            answers.append(fresh[uid][1])
    if rows:
        connection.execute(insert(instances), rows)
    if touched:
        refresh_counts(connection, touched)
    return answers


def _find_known(connection: Connection, sop_uids: Sequence[str]) -> dict[str, _Known]:
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
        .where(instances.c.sop_uid.in_(sop_uids))
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
        return _resolve(arrival.source)
    digest = hashlib.sha256(arrival.entry.sop_uid.encode("utf-8", "surrogateescape")).hexdigest()
    stored = f"{FILES_FOLDER}/{digest[:2]}/{digest}.dcm"
    target = folder / stored
    target.parent.mkdir(exist_ok=True)
    if aside is None:
        aside = target.with_suffix(".partial")
        _copy_synced(arrival.source, aside)
    aside.replace(target)
    return stored


def _resolve(path: Path) -> str:
    """Return where a file really lies; its folder is asked for once."""
    if path.is_symlink():
        return os.fspath(path.resolve())
    return os.fspath(_resolve_folder(path.parent) / path.name)


@lru_cache(_REMEMBERED_FOLDERS)
def _resolve_folder(folder: Path) -> Path:
    return folder.resolve()


def _copy_synced(source: Path, target: Path) -> None:
    with source.open("rb") as original, target.open("wb") as copy:
        shutil.copyfileobj(original, copy, _COPY_BYTES)
        copy.flush()
        os.fsync(copy.fileno())


def _same(one: Path, other: Path) -> bool:
    return one.samefile(other) or filecmp.cmp(one, other, shallow=False)


def _to_row(arrival: Arrival, shelf: int, path: str) -> dict[str, Any]:
    entry = arrival.entry
    return {
        "series": shelf,
        "sop_uid": entry.sop_uid,
        "sop_class_uid": entry.sop_class_uid,
        "number": entry.instance_number,
        "frames": entry.frames,
        "path": path,
        "linked": arrival.linked,
        "size_bytes": arrival.size_bytes,
        "deletion": None,
    }


class _Shelves:
    """Numbers of patients, studies and series, made as they are met; valid within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._series: dict[tuple[str, str, str], tuple[int, int]] = {}

    def find(self, entry: Entry) -> tuple[int, int]:
        """Return the numbers of an entry's series and study."""
        key = (to_patient_key(entry), entry.study_uid, entry.series_uid)
        if key not in self._series:
            patient = self._patient(entry, key[0])
            study = self._study(entry, patient)
            shelf = self._one(series, {"study": study, "series_uid": entry.series_uid}, _about_series(entry))
            self._series[key] = shelf, study
        return self._series[key]

    def _patient(self, entry: Entry, key: str) -> int:
        about = {
            "patient_id": entry.patient_id,
            "issuer": entry.issuer,
            "name": entry.patient_name,
            "birth_date": entry.birth_date,
            "sex": entry.sex,
        }
        return self._one(patients, {"patient_key": key}, about)

    def _study(self, entry: Entry, patient: int) -> int:
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
        return self._one(studies, {"patient": patient, "study_uid": entry.study_uid}, about)

    def _one(self, table: Any, key: Mapping[str, Any], about: Mapping[str, Any]) -> int:
        condition = [table.c[name] == value for name, value in key.items()]
        found = self._connection.execute(select(table.c.id).where(*condition)).scalar_one_or_none()
        if found is not None:
            return int(found)
        return insert_row(self._connection, table, **key, **about)


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
