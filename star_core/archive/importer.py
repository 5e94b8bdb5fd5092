"""Files into the archive: read in children, copied whole or not at all, journaled so that a killed import goes on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import select, update

from star_core.archive.archive import INCOMING_FOLDER, Archive, now_utc
from star_core.archive.database import import_files, imports, insert_row, insert_rows, reading, writing
from star_core.archive.entry import Entry
from star_core.archive.readers import FILES_PER_BATCH, HeaderReaders, PendingRead, ReadFile
from star_core.archive.sources import Candidate, list_candidates, unpack_entry
from star_core.archive.store import Arrival, Shelves, copy_aside, file_arrivals
from star_core.errors import StorageError
from star_core.storage import storage_error
from star_core.types import ProgressCallback, ignore_progress

REPORTS_PER_S = 10.0
SPARE_BYTES = 256 << 20
LINKS_PER_TRANSACTION = 640
_READ_AHEAD, _GATHER_S = 4, 0.1
_SCRATCH, _LOCK = "import-", ".lock"
_LOCK_TIMEOUT_S = 10.0
_COLUMNS = ("import", "path", "label", "fingerprint", "outcome", "reason")
_Note = tuple[int, str, str, str, str, str]


class Outcome(StrEnum):
    """What became of a file."""

    IMPORTED = "imported"
    DUPLICATE = "duplicate"
    FAILED = "failed"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedFile:
    """A file that was not imported; ``label`` names it within what was given, ``reason`` says why not."""

    label: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of an import's files; ``ignored`` are those that are not DICOM."""

    imported: int = 0
    duplicates: int = 0
    ignored: int = 0
    failed: tuple[FailedFile, ...] = ()
    studies: tuple[int, ...] = ()


def import_studies(
    archive: Archive,
    sources: Sequence[Path],
    *,
    link: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> ImportReport:
    """Import folders, files, DICOMDIRs and zip archives.

    An import that was killed or cancelled goes on where it was when the same sources are given again.

    Parameters
    ----------
    link
        Whether files stay where they are; else they are copied. What lies in a zip archive is always copied.
    progress
        Called with files done and their total, at most ten times a second; raises CancelledError to stop: what was
        finished stays in the archive.

    Raises
    ------
    StorageError
        When a source is missing, or the disk has not enough space: before anything is copied, where it can be known.
    """
    candidates, unusable = list_candidates(sources)
    if not link or any(candidate.zip_entry is not None for candidate in candidates):
        _require_space(archive.folder, candidates, link=link)
    number = _begin(archive, sources, link=link)
    run = _Import(archive, number, link=link, progress=_throttled(progress))
    run.tally.failed += [FailedFile(label=one.label, reason=one.reason) for one in unusable]
    run.work_through(candidates)
    with writing(archive.engine) as connection:
        connection.execute(update(imports).where(imports.c.id == number).values(finished_utc=now_utc()))
    return run.tally.to_report()


def continue_import(archive: Archive, number: int, *, progress: ProgressCallback = ignore_progress) -> ImportReport:
    """Go on with an import that was killed or cancelled.

    Raises
    ------
    StorageError
        When there is no such import, or as :func:`import_studies`.
    """
    with reading(archive.engine) as connection:
        row = connection.execute(
            select(imports.c.sources, imports.c.linked).where(imports.c.id == number, imports.c.finished_utc.is_(None))
        ).one_or_none()
    if row is None:
        raise StorageError(f"There is no import {number} to go on with.", remedy="Import the folder again.")
    sources = [Path(source) for source in json.loads(row.sources)]
    return import_studies(archive, sources, link=row.linked, progress=progress)


@dataclass(slots=True)
class _Tally:
    imported: int = 0
    duplicates: int = 0
    ignored: int = 0
    failed: list[FailedFile] = field(default_factory=list)
    studies: set[int] = field(default_factory=set)

    def to_report(self) -> ImportReport:
        return ImportReport(
            imported=self.imported,
            duplicates=self.duplicates,
            ignored=self.ignored,
            failed=tuple(self.failed),
            studies=tuple(sorted(self.studies)),
        )


class _Import:
    """One run of an import: batches are read ahead in children and filed one transaction each."""

    def __init__(self, archive: Archive, number: int, *, link: bool, progress: ProgressCallback) -> None:
        self._archive, self._number, self._link, self._progress = archive, number, link, progress
        self._scratch = archive.folder / INCOMING_FOLDER / f"{_SCRATCH}{number}-{os.getpid()}"
        self._damaged: dict[Path, str] = {}
        self._shelves = Shelves()
        self.tally = _Tally()

    def work_through(self, candidates: Sequence[Candidate]) -> None:
        done_before = self._done_before()
        waiting = list(candidates)
        if done_before:
            waiting = [one for one in candidates if done_before.get(_key(one)) != one.fingerprint]
        total, done = len(candidates), len(candidates) - len(waiting)
        try:
            with _own_scratch(self._scratch), HeaderReaders() as readers:
                self._progress(done, total)
                for batch, read in self._read_ahead(readers, waiting):
                    self._file(batch, read)
                    done += len(batch)
                    self._progress(done, total)
        except OSError as error:
            raise storage_error(self._archive.folder, error) from error

    def _done_before(self) -> dict[str, str]:
        """Return what a killed run of this import has finished, and count it."""
        mine = select(import_files).where(import_files.c["import"] == self._number)
        found: dict[str, str] = {}
        with reading(self._archive.engine) as connection:
            for row in connection.execute(mine):
                found[row.path] = row.fingerprint
                self._count(row.outcome, row.label, row.reason)
        return found

    def _read_ahead(
        self, readers: HeaderReaders, waiting: Iterable[Candidate]
    ) -> Iterator[tuple[list[Candidate], list[ReadFile]]]:
        """Give batches with their headers in order, while the next ones are being read."""
        pending: deque[tuple[list[Candidate], list[Path], PendingRead]] = deque()
        rest = iter(waiting)
        while True:
            while len(pending) <= _READ_AHEAD * readers.width and (batch := list(islice(rest, FILES_PER_BATCH))):
                paths = [self._reachable(candidate) for candidate in batch]
                pending.append((batch, paths, readers.submit(paths)))
            if not pending:
                return
            batch, paths, future = pending.popleft()
            read = future.result()
            # Links are filed faster than they are read: what is ready in a moment goes into one transaction.
            until = time.monotonic() + _GATHER_S
            while self._link and pending and len(batch) < LINKS_PER_TRANSACTION:
                if not pending[0][2].is_ready_within(max(0.0, until - time.monotonic())):
                    break
                more = pending.popleft()
                batch, paths, read = batch + more[0], paths + more[1], read + more[2].result()
            yield batch, read
            for candidate, path in zip(batch, paths, strict=True):
                if candidate.zip_entry is not None:
                    path.unlink(missing_ok=True)

    def _reachable(self, candidate: Candidate) -> Path:
        """Return where a candidate's bytes are; an entry of a zip archive is unpacked under a name of our own."""
        if candidate.zip_entry is None:
            return candidate.path
        target = self._scratch / hashlib.sha256(_key(candidate).encode("utf-8", "surrogateescape")).hexdigest()
        try:
            unpack_entry(candidate, target)
        except StorageError as error:
            target.unlink(missing_ok=True)
            self._damaged[target] = error.message
        return target

    def _file(self, batch: Sequence[Candidate], read: Sequence[ReadFile]) -> None:
        """File one batch: bytes aside first, then names, rows and journal together."""
        journal: list[_Note] = []
        coming: list[tuple[Candidate, Arrival]] = []
        for candidate, answer in zip(batch, read, strict=True):
            if answer.entry is not None:
                coming.append((candidate, self._to_arrival(candidate, answer.path, answer.entry)))
            else:
                reason = self._damaged.pop(answer.path, answer.reason)
                journal.append(self._note(candidate, Outcome.FAILED if reason else Outcome.IGNORED, reason))
        arrivals = [arrival for _, arrival in coming]
        aside = copy_aside(self._archive.engine, arrivals, self._scratch)
        with writing(self._archive.engine) as connection:
            answers = file_arrivals(connection, self._archive.folder, arrivals, aside, self._shelves)
            for (candidate, _), stored in zip(coming, answers, strict=True):
                if isinstance(stored, str):
                    journal.append(self._note(candidate, Outcome.FAILED, stored))
                else:
                    self.tally.studies.add(stored.study)
                    journal.append(self._note(candidate, Outcome.IMPORTED if stored.is_new else Outcome.DUPLICATE, ""))
            if journal:
                insert_rows(connection, import_files, _COLUMNS, journal)
        for _, _, label, _, outcome, reason in journal:
            self._count(outcome, label, reason)

    def _to_arrival(self, candidate: Candidate, path: Path, entry: Entry) -> Arrival:
        linked = self._link and candidate.zip_entry is None
        return Arrival(entry=entry, source=path, linked=linked, size_bytes=candidate.size_bytes, place=candidate.place)

    def _note(self, candidate: Candidate, outcome: Outcome, reason: str) -> _Note:
        return self._number, _key(candidate), candidate.label, candidate.fingerprint, outcome.value, reason

    def _count(self, outcome: str, label: str, reason: str) -> None:
        match Outcome(outcome):
            case Outcome.IMPORTED:
                self.tally.imported += 1
            case Outcome.DUPLICATE:
                self.tally.duplicates += 1
            case Outcome.IGNORED:
                self.tally.ignored += 1
            case Outcome.FAILED:
                self.tally.failed.append(FailedFile(label=label, reason=reason))


@contextmanager
def _own_scratch(folder: Path) -> Iterator[None]:
    """Make a scratch folder that is gone at the end, and clear away those of imports that were killed.

    A lock that its holder's death lets go of tells the dead from those at work in another program.
    """
    for other in folder.parent.glob(f"{_SCRATCH}*{_LOCK}"):
        with suppress(Timeout, OSError), FileLock(other, timeout=0):
            shutil.rmtree(other.with_suffix(""), ignore_errors=True)
            other.unlink(missing_ok=True)
    lock = folder.with_suffix(_LOCK)
    try:
        with FileLock(lock, timeout=_LOCK_TIMEOUT_S):
            folder.mkdir(exist_ok=True)
            try:
                yield
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock.unlink(missing_ok=True)


def _key(candidate: Candidate) -> str:
    return os.fspath(candidate.path) + ("" if candidate.zip_entry is None else f"#{candidate.zip_entry}")


def _begin(archive: Archive, sources: Sequence[Path], *, link: bool) -> int:
    """Return the number of this import: of one of the same sources that did not end, or a new one."""
    told = json.dumps([os.fspath(source.absolute()) for source in sources])
    same = (imports.c.sources == told, imports.c.linked == link, imports.c.finished_utc.is_(None))
    with writing(archive.engine) as connection:
        found = connection.execute(select(imports.c.id).where(*same)).scalars().first()
        if found is not None:
            return int(found)
        return insert_row(connection, imports, started_utc=now_utc(), linked=link, sources=told)


def _require_space(folder: Path, candidates: Sequence[Candidate], *, link: bool) -> None:
    needed = sum(one.size_bytes for one in candidates if not link or one.zip_entry is not None)
    free = shutil.disk_usage(folder).free
    if needed + SPARE_BYTES > free:
        raise StorageError(
            f"The archive's disk has {free / 1e9:.1f} GB free; this import needs {needed / 1e9:.1f} GB and some more.",
            remedy="Free space, move the archive to another disk, or leave the files where they are (link them).",
        )


def _throttled(progress: ProgressCallback) -> ProgressCallback:
    """Return a callback that is asked often and tells seldom: first, last, and at most ten times a second between."""
    last = -1.0

    def tell(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done >= total or now - last >= 1.0 / REPORTS_PER_S:
            last = now
            progress(done, total)

    return tell
