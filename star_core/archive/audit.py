"""The audit trail: who did nothing secretly. Append-only lines, each holding the hash of the one before.

A trail is ``audit.jsonl``, beside it ``audit.head.json`` with the number of entries and the last hash, so that a trail
that lost its end is recognised too. Subjects are pseudonyms and hashes; a patient's name is never written.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from star_core.errors import StorageError
from star_core.storage import new_file, storage_error, user_folder

TRAIL_FILE, HEAD_FILE, LOCK_FILE = "audit.jsonl", "audit.head.json", "audit.lock"
FIRST_HASH = "0" * 64
LOCK_TIMEOUT_S = 10.0
_log = logging.getLogger(__name__)


class AuditAction(StrEnum):
    """What is written down."""

    IMPORT = "import"
    EXPORT = "export"
    ASSESSMENT = "assessment"
    OPENING = "opening"
    RETRIEVAL = "retrieval"
    DELETION = "deletion"
    PURGE = "purge"
    UNDONE_DELETION = "undone deletion"
    MENDED = "mended"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """Whether a trail is whole: its entries, the last hash, and what is wrong in the order of the entries."""

    entries: int
    last_hash: str
    problems: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether nothing was altered, taken out, moved or cut off."""
        return not self.problems


class AuditTrail:
    """The trail in a folder; several programs may write to it at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path, self._head = folder / TRAIL_FILE, folder / HEAD_FILE

    def record(self, action: AuditAction, *, subject: str, details: Mapping[str, str | int] | None = None) -> None:
        """Append one entry, safe on disk.

        Parameters
        ----------
        subject
            Pseudonym or hash of what it was done to.
        details
            Counts, versions and digests; nothing that identifies a patient.

        Raises
        ------
        StorageError
            When the trail cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self._folder / LOCK_FILE, timeout=LOCK_TIMEOUT_S), self._path.open("a+b") as file:
                number, last = self._find_end(file)
                entry = _seal(number + 1, last, action, subject, details or {})
                _append(file, entry)
                self._write_head(entry)
        except Timeout as error:
            raise StorageError("Another program holds the audit trail.", remedy="Try again.") from error
        except OSError as error:
            raise storage_error(self._path, error) from error

    def _find_end(self, file: BinaryIO) -> tuple[int, str]:
        """Return number and hash of the last entry; a line that a kill has torn is closed by an entry that says so."""
        last, torn = _read_last(file)
        number, last_hash = (int(last["number"]), str(last["hash"])) if last else (0, FIRST_HASH)
        if torn:
            details = {"torn_line_sha256": hashlib.sha256(torn).hexdigest()}
            file.write(b"\n")
            entry = _seal(number + 1, last_hash, AuditAction.MENDED, "audit trail", details)
            _append(file, entry)
            self._write_head(entry)
            return int(entry["number"]), str(entry["hash"])
        return number, last_hash

    def _write_head(self, entry: Mapping[str, Any]) -> None:
        with new_file(self._head) as partial:
            partial.write_text(json.dumps({"entries": entry["number"], "hash": entry["hash"]}), encoding="utf-8")


def write_down(action: AuditAction, *, subject: str, details: Mapping[str, str | int] | None = None) -> None:
    """Record in this user's own trail; one that cannot be written is warned of and costs no work."""
    try:
        AuditTrail(user_folder()).record(action, subject=subject, details=details)
    except StorageError as error:
        _log.warning("The audit trail could not be written: %s", error)


def to_subject(*texts: str) -> str:
    """Return the pseudonym by which the trail knows a study or a path: a hash, the same for the same texts."""
    return hashlib.sha256("\x1f".join(texts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def verify_trail(folder: Path) -> AuditReport:
    """Check every entry of a trail against the one before, and its end against the head.

    Raises
    ------
    StorageError
        When there is no trail, or it cannot be read.
    """
    path = folder / TRAIL_FILE
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise StorageError(
            f"There is no audit trail to verify ({error.strerror}).", remedy="Choose the folder that holds audit.jsonl."
        ) from error
    problems: list[str] = []
    entries, last, torn = 0, FIRST_HASH, b""
    for place, line in enumerate(lines, start=1):
        if not line:
            continue
        entry = _parse(line)
        if entry is None:
            if torn:
                problems.append(f"line {place - 1}: it is no entry")
            torn = line
            continue
        if torn and not _mends(entry, torn):
            problems.append(f"line {place - 1}: it is no entry, and nothing says why")
        torn = b""
        entries += 1
        problems += _check(place, entry, entries, last)
        last = str(entry.get("hash", ""))
    problems += _check_end(folder, entries, last)
    return AuditReport(entries=entries, last_hash=last, problems=tuple(problems))


def _check(place: int, entry: Mapping[str, Any], number: int, previous: str) -> list[str]:
    found = []
    if entry.get("hash") != _hash(entry):
        found.append(f"line {place}: the entry was altered")
    if entry.get("previous") != previous or entry.get("number") != number:
        found.append(f"line {place}: an entry before it was altered, removed or moved")
    return found


def _check_end(folder: Path, entries: int, last: str) -> list[str]:
    try:
        head = json.loads((folder / HEAD_FILE).read_text(encoding="utf-8"))
        told, told_hash = int(head["entries"]), str(head["hash"])
    except (OSError, ValueError, KeyError, TypeError):
        return ["the head file is missing or damaged: entries may be missing at the end"]
    # A program that was killed between both files leaves the head one or two entries behind, never ahead.
    if told > entries or (told == entries and told_hash != last):
        return [f"entries are missing at the end: {entries} found, {told} expected"]
    if entries - told > 2:
        return [f"{entries - told} entries were added by something else than this program"]
    return []


def _seal(
    number: int, previous: str, action: AuditAction, subject: str, details: Mapping[str, str | int]
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "number": number,
        "utc": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "action": str(action),
        "subject": subject,
        "details": dict(details),
        "previous": previous,
    }
    return {**entry, "hash": _hash(entry)}


def _hash(entry: Mapping[str, Any]) -> str:
    content = {name: value for name, value in entry.items() if name != "hash"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _append(file: BinaryIO, entry: Mapping[str, Any]) -> None:
    file.write(json.dumps(entry, ensure_ascii=True).encode() + b"\n")
    file.flush()
    os.fsync(file.fileno())


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "hash" in entry else None


def _mends(entry: Mapping[str, Any], torn: bytes) -> bool:
    told = entry.get("details")
    digest = hashlib.sha256(torn).hexdigest()
    return (
        entry.get("action") == AuditAction.MENDED and isinstance(told, dict) and told.get("torn_line_sha256") == digest
    )


def _read_last(file: BinaryIO, chunk: int = 1 << 16) -> tuple[dict[str, Any] | None, bytes]:
    """Return the last whole entry, and the bytes behind it that a kill has torn."""
    size = file.seek(0, os.SEEK_END)
    start = size
    while start > 0:
        start = max(0, start - chunk)
        file.seek(start)
        *lines, rest = file.read(size - start).split(b"\n")
        whole = lines if start == 0 else lines[1:]
        for line in reversed(whole):
            if (entry := _parse(line)) is not None:
                return entry, rest
        chunk *= 2
    return None, rest if size else b""
