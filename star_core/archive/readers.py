"""A pool of child processes that read foreign headers: one bad file costs itself, not its neighbours."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

from star_core.archive.entry import NOT_DICOM, READ_TASK, Entry
from star_core.isolation import IsolatedWorker, IsolationError

FILES_PER_BATCH = 128
BATCH_TIMEOUT_S = 10.0
FILE_TIMEOUT_S = 5.0
MEMORY_MB = 1_500
_MAX_CHILDREN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFile:
    """What a child made of a file: its entry, or the reason why there is none (empty: it is not DICOM)."""

    path: Path
    entry: Entry | None = None
    reason: str = ""


class HeaderReaders:
    """Children that read headers in batches, several at once; a context manager that ends them."""

    def __init__(self, children: int | None = None) -> None:
        count = children or min(_MAX_CHILDREN, os.cpu_count() or 1)
        self._workers = [IsolatedWorker(timeout_s=BATCH_TIMEOUT_S, memory_mb=MEMORY_MB) for _ in range(count)]
        self._idle: SimpleQueue[IsolatedWorker] = SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._pool = ThreadPoolExecutor(count)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.close()

    @property
    def width(self) -> int:
        """How many batches are read at once."""
        return len(self._workers)

    def submit(self, paths: Sequence[Path]) -> Future[list[ReadFile]]:
        """Read a batch in the background; the answers come in the order of ``paths``."""
        return self._pool.submit(self._read, tuple(paths))

    def _read(self, paths: Sequence[Path]) -> list[ReadFile]:
        worker = self._idle.get()
        try:
            try:
                return _ask(worker, paths)
            except IsolationError:
                return list(self._read_singly(paths))
        finally:
            self._idle.put(worker)

    @staticmethod
    def _read_singly(paths: Sequence[Path]) -> Iterator[ReadFile]:
        """Read each file by itself, to find the one that its batch died of."""
        with IsolatedWorker(timeout_s=FILE_TIMEOUT_S, memory_mb=MEMORY_MB) as worker:
            for path in paths:
                try:
                    yield from _ask(worker, (path,))
                except IsolationError as error:
                    yield ReadFile(path=path, reason=f"reading it was stopped ({error})")


def _ask(worker: IsolatedWorker, paths: Sequence[Path]) -> list[ReadFile]:
    reply, _ = worker.call(READ_TASK, {"paths": [os.fspath(path) for path in paths]})
    answers: list[dict[str, Any]] = reply["answers"]
    return [_to_read_file(path, answer) for path, answer in zip(paths, answers, strict=True)]


def _to_read_file(path: Path, answer: dict[str, Any]) -> ReadFile:
    if "entry" in answer:
        return ReadFile(path=path, entry=Entry(**answer["entry"]))
    return ReadFile(path=path, reason="" if answer["reason"] == NOT_DICOM else str(answer["reason"]))
