"""What was done on one case, on disk: a journal of checked lines, files beside it by their hash, a lock.

Nothing here names a patient: folders are named by hashes of the series, journals hold the pseudonym. Where a folder
that was not imported lies stands only in a mark below ``open``, which goes when the case is closed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from star_core.errors import StorageError
from star_core.imaging.editing.chain import HEAD_BYTES, parent_of
from star_core.storage import new_file, storage_error
from star_core.types import ClinicalRecord
from star_viewer.history import Content
from star_viewer.workspace import FORMAT, Entry, Replay, Workspace, to_entry

WORKSPACES_FOLDER, OPEN_FOLDER = "workspaces", "open"
JOURNAL_FILE, LOCK_FILE, FILES_FOLDER = "journal.jsonl", "lock", "files"
COMPACT_BYTES = 1 << 20
MAX_BYTES = 64 << 20
MAX_ASIDE = 3
_CHECK_DIGITS = 16


def key_of(series_uid: str) -> str:
    """Return the name of a series' folder: a hash, so that no text of a header becomes a path."""
    return hashlib.sha256(f"workspace\x1f{series_uid}".encode("utf-8", "surrogateescape")).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a journal held: ``workspace`` is ``None`` where nothing was kept, ``base`` the record as it was opened.

    ``problems`` are said to the reader; ``is_newer`` tells that a newer program wrote it, and nothing may be written.
    """

    workspace: Workspace | None = None
    has_view: bool = False
    base: ClinicalRecord | None = None
    problems: tuple[str, ...] = ()
    is_newer: bool = False


class Journal:
    """The journal of one case; one program at a time may write to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / JOURNAL_FILE
        self._lock = FileLock(folder / LOCK_FILE)
        self._file: BinaryIO | None = None
        self._written: Workspace | None = None
        self._head: Entry = {}
        self._size = 0

    def acquire(self) -> bool:
        """Take the lock; tell whether no other window has it.

        Raises
        ------
        StorageError
            When the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        except OSError as error:
            raise storage_error(self.folder, error) from error
        return True

    def read(self) -> Kept:
        """Return what was kept; lines that are damaged are left out and told, a torn last line is dropped."""
        try:
            if self._path.stat().st_size > MAX_BYTES:
                return Kept(problems=("everything, because the file is too large to be one of this program",))
            data = self._path.read_bytes()
        except FileNotFoundError:
            return Kept()
        except OSError as error:
            return Kept(problems=(f"everything, because the file cannot be read ({error.strerror})",))
        *lines, _ = data.split(b"\n")  # what stands behind the last line end was torn by a kill
        replay, damaged = Replay(), 0
        for line in lines:
            entry = _parse(line)
            if entry is None:
                damaged += 1
            elif isinstance(entry.get("format"), int) and entry["format"] > FORMAT:
                return Kept(is_newer=True)
            else:
                replay.take(entry)
        workspace = replay.workspace()
        problems = list(dict.fromkeys(replay.problems))
        if damaged:
            problems.insert(0, "1 damaged line" if damaged == 1 else f"{damaged} damaged lines")
        return Kept(workspace=workspace, has_view=replay.has_view, base=replay.base, problems=tuple(problems))

    def set_aside(self) -> None:
        """Keep a copy of a damaged journal beside it; the newest three are kept."""
        with suppress(OSError):
            name = f"damaged-{self._path.stat().st_mtime_ns:x}.jsonl"
            try:
                os.link(self._path, self.folder / name)
            except OSError:
                shutil.copyfile(self._path, self.folder / name)
        with suppress(OSError):
            aside = sorted(self.folder.glob("damaged-*.jsonl"), key=lambda path: path.stat().st_mtime)
            for old in aside[:-MAX_ASIDE]:
                old.unlink()

    def begin(self, workspace: Workspace, *, case_id: str, base: ClinicalRecord) -> None:
        """Begin to write from a state on, which takes the place of all earlier lines.

        Raises
        ------
        StorageError
            When it cannot be written.
        """
        base_entry = to_entry(Workspace(content=Content(clinical=base)))["clinical"]
        self._head = {"format": FORMAT, "case": case_id, "base": base_entry}
        self._compact(workspace)

    def write(self, workspace: Workspace) -> bool:
        """Append what has changed; tell whether there was anything. A change of the content is safe on the disk then.

        Raises
        ------
        StorageError
            When it cannot be written; the next call writes all that is missing.
        """
        entry = to_entry(workspace, self._written)
        if not entry:
            return False
        line = _to_line(entry)
        if self._file is None or self._written is None or self._size + len(line) > COMPACT_BYTES:
            self._compact(workspace)
            return True
        try:
            self._file.write(line)
            self._file.flush()
            if set(entry) != {"view"}:
                os.fsync(self._file.fileno())
        except OSError as error:
            self._let_go()  # half a line may stand there: the next call writes a whole file
            raise storage_error(self._path, error) from error
        self._written = workspace
        self._size += len(line)
        return True

    def close(self) -> None:
        """Let go of the file and the lock, and remove files that nothing names any more."""
        if self._written is not None:
            with suppress(StorageError, OSError):
                self._compact(self._written)
                self._remove_unnamed(set(self._written.content.edits.values()))
        self._let_go()
        self._lock.release()

    def _compact(self, workspace: Workspace) -> None:
        self._let_go()
        line = _to_line({**self._head, **to_entry(workspace)})
        with new_file(self._path) as partial:
            write_safely(partial, line)
        try:
            self._file = self._path.open("ab")
        except OSError as error:
            raise storage_error(self._path, error) from error
        self._written = workspace
        # A long record may exceed the bound by itself; it grows by as much before it is written anew.
        self._size = len(line) if len(line) < COMPACT_BYTES // 2 else 0

    def _let_go(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        self._file, self._written = None, None

    # ------------------------------------------------------------------ files beside

    def write_file(self, digest: str, data: bytes) -> None:
        """Write a file beside the journal under the hash of its content, compressed.

        Raises
        ------
        StorageError
            When it cannot be written.
        """
        target = self.folder / FILES_FOLDER / f"{digest}.z"
        if target.exists():
            return
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(target, error) from error
        with new_file(target) as partial:
            write_safely(partial, zlib.compress(data, 1))

    def _remove_unnamed(self, named: set[str]) -> None:
        """Remove files that are neither named nor rested on by one that is."""
        files = {path.stem: path for path in (self.folder / FILES_FOLDER).glob("*.z")}
        wanted: set[str] = set()
        for name in named:
            while name in files and name not in wanted:
                wanted.add(name)
                name = parent_of(_read_head(files[name]))
        for name, path in files.items():
            if name not in wanted:
                path.unlink(missing_ok=True)


def digest_of(data: bytes) -> str:
    """Return the hash by which a file is kept beside a journal."""
    return hashlib.sha256(data).hexdigest()


def read_kept_file(folder: Path, digest: str, *, max_bytes: int) -> bytes:
    """Return a file that was kept beside a journal.

    Raises
    ------
    StorageError
        When it is gone, altered, or larger than ``max_bytes``.
    """
    path = folder / FILES_FOLDER / f"{digest}.z"
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(path.read_bytes(), max_bytes + 1)
    except (OSError, zlib.error, ValueError) as error:
        raise StorageError("An edit of this case is gone or damaged.", remedy="Make it again.") from error
    if len(data) > max_bytes or digest_of(data) != digest:
        raise StorageError("An edit of this case was altered.", remedy="Make it again.")
    return data


def _read_head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return zlib.decompressobj().decompress(file.read(4 * HEAD_BYTES), HEAD_BYTES)
    except (OSError, zlib.error):
        return b""


def write_safely(path: Path, data: bytes) -> None:
    """Write a file so that it outlives a power cut once it stands."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


# --------------------------------------------------------------------------- lines


def _to_line(entry: Mapping[str, Any]) -> bytes:
    text = json.dumps(entry, ensure_ascii=True, separators=(",", ":")).encode()
    return _check(text) + b" " + text + b"\n"


def _check(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:_CHECK_DIGITS].encode()


def _parse(line: bytes) -> Entry | None:
    check, _, text = line.partition(b" ")
    if check != _check(text):
        return None
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


# --------------------------------------------------------------------------- marks of what is open


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A case that a program had open: the key of its journal, where it came from, and when it was last written to."""

    key: str
    source: Mapping[str, Any]
    last_utc_s: float


def write_mark(home: Path, key: str, source: Mapping[str, Any]) -> None:
    """Note that a case is open.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    target = home / OPEN_FOLDER / f"{key}.json"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(target, error) from error
    with new_file(target) as partial:
        write_safely(partial, json.dumps({"format": FORMAT, "source": source}).encode())


def remove_mark(home: Path, key: str) -> None:
    """Note that a case is closed."""
    with suppress(OSError):
        (home / OPEN_FOLDER / f"{key}.json").unlink(missing_ok=True)


def forget_cases(home: Path, keys: Iterable[str]) -> None:
    """Remove what was kept of cases, and their marks; a case that a window holds stays."""
    for key in keys:
        folder = home / key
        if folder.is_dir() and _is_free(folder):
            remove_mark(home, key)
            shutil.rmtree(folder, ignore_errors=True)


def find_killed(home: Path, *, most: int = 3) -> tuple[Mark, ...]:
    """Return the cases that were open when their programs ended without closing them, newest first."""
    found = [mark for mark in _read_marks(home) if _is_free(home / mark.key)]
    return tuple(sorted(found, key=lambda mark: -mark.last_utc_s)[:most])


def _read_marks(home: Path) -> Iterator[Mark]:
    for path in sorted((home / OPEN_FOLDER).glob("*.json"))[:100]:
        try:
            raw = json.loads(path.read_bytes()) if path.stat().st_size < 1 << 16 else None
            journal = home / path.stem / JOURNAL_FILE
            if isinstance(raw, dict) and isinstance(raw.get("source"), dict):
                yield Mark(key=path.stem, source=raw["source"], last_utc_s=journal.stat().st_mtime)
        except (OSError, ValueError, RecursionError):
            continue  # it marks nothing that could be offered; the journal itself comes back with its case


def _is_free(folder: Path) -> bool:
    with suppress(OSError, Timeout), _held(folder):
        return True
    return False


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    with FileLock(folder / LOCK_FILE, timeout=0):
        yield
