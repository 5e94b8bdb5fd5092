"""Results that were computed of archived scans: figures in a row to be listed, everything else in a JSON file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, exists, select, update

from star_core.archive.database import insert_row, instances, reading, results, series, writing
from star_core.archive.rows import ResultKind, ResultRow
from star_core.errors import StorageError
from star_core.storage import new_file, storage_error

if TYPE_CHECKING:
    from star_core.archive.archive import Archive

RESULTS_FOLDER = "results"


def keep_result(
    archive: Archive,
    series_id: int,
    *,
    kind: ResultKind,
    model_name: str,
    model_id: str,
    inputs: str,
    summary: Mapping[str, float],
    payload: Mapping[str, Any],
    replaces: int | None = None,
) -> int:
    """Keep a result with its series and return its number.

    Parameters
    ----------
    inputs
        Digest of everything that the result follows from: one of the same inputs takes the place of the earlier one.
    payload
        The whole result, as JSON can hold it; written whole below ``results`` under its own hash.
    replaces
        A result that this one takes the place of, such as that of the same patient before a field was corrected.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    stored = _write_payload(archive, payload)
    values = {
        "model_name": model_name,
        "model_id": model_id,
        "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "summary": json.dumps(dict(summary)),
        "payload": stored,
    }
    same = (results.c.series == series_id, results.c.kind == kind, results.c.inputs == inputs)
    with writing(archive.engine) as connection:
        found = connection.execute(select(results.c.id, results.c.payload).where(*same)).one_or_none()
        outdated = _payload_of(connection, replaces)
        if found is None and outdated is not None:
            number = int(replaces or 0)
            connection.execute(update(results).where(results.c.id == number).values(inputs=inputs, **values))
        elif found is None:
            number = insert_row(connection, results, series=series_id, kind=kind, inputs=inputs, **values)
        else:
            number = int(found.id)
            connection.execute(update(results).where(results.c.id == number).values(**values))
        used = set(connection.execute(select(results.c.payload)).scalars())
    for earlier in (outdated, None if found is None else found.payload):
        if earlier is not None and earlier not in used:
            (archive.folder / earlier).unlink(missing_ok=True)
    return number


def list_results(archive: Archive, study: int) -> tuple[ResultRow, ...]:
    """Return the results of a study's scans, newest first; those of deleted scans are not among them."""
    query = (
        select(results)
        .join(series, series.c.id == results.c.series)
        .where(series.c.study == study, series.c.instance_count > 0)
        .order_by(results.c.created_utc.desc(), results.c.id.desc())
    )
    with reading(archive.engine) as connection:
        return tuple(_to_result(row) for row in connection.execute(query))


def read_result(archive: Archive, number: int) -> tuple[ResultRow, dict[str, Any]]:
    """Return a result with its payload.

    Raises
    ------
    StorageError
        When there is no such result, or its file is gone or altered.
    """
    with reading(archive.engine) as connection:
        row = connection.execute(select(results).where(results.c.id == number)).one_or_none()
    if row is None:
        raise StorageError("This result is no longer in the archive.", remedy="Assess the scan again.")
    try:
        data = (archive.folder / row.payload).read_bytes()
        payload = json.loads(data) if _to_name(data) == row.payload else None
    except (OSError, ValueError):
        payload = None
    if not isinstance(payload, dict):
        raise StorageError("The file of this result is gone or was altered.", remedy="Assess the scan again.")
    return _to_result(row), payload


def delete_results_without_scan(connection: Connection) -> tuple[str, ...]:
    """Delete results whose scans are gone for good; return their files, relative to the archive."""
    orphaned = ~exists().where(instances.c.series == results.c.series)
    payloads = tuple(connection.execute(select(results.c.payload).where(orphaned)).scalars())
    connection.execute(delete(results).where(orphaned))
    return payloads


def _payload_of(connection: Connection, number: int | None) -> str | None:
    if number is None:
        return None
    found = connection.execute(select(results.c.payload).where(results.c.id == number)).scalar_one_or_none()
    return None if found is None else str(found)


def _write_payload(archive: Archive, payload: Mapping[str, Any]) -> str:
    data = json.dumps(payload, indent=1).encode()
    stored = _to_name(data)
    target = archive.folder / stored
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(target, error) from error
    with new_file(target) as partial:
        partial.write_bytes(data)
    return stored


def _to_name(data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    return f"{RESULTS_FOLDER}/{digest[:2]}/{digest}.json"


def _to_result(row: Row[Any]) -> ResultRow:
    return ResultRow(
        id=row.id,
        series=row.series,
        kind=ResultKind(row.kind),
        model_name=row.model_name,
        model_id=row.model_id,
        created_utc=row.created_utc,
        summary={str(name): float(value) for name, value in json.loads(row.summary).items()},
    )
