"""A pool of child processes that read foreign headers: one bad file costs itself, not its neighbours."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from star_core.archive.entry import NOT_DICOM, READ_TASK, Entry, to_entry
from star_core.dicom.children import dicom_children
from star_core.isolation import IsolationError

FILES_PER_BATCH = 128
BATCH_TIMEOUT_S = 10.0
FILE_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFile:
    """What a child made of a file: its entry, or the reason why there is none (empty: it is not DICOM)."""

    path: Path
    entry: Entry | None = None
    reason: str = ""


class HeaderReaders:
    """Headers read in batches by this process's children, several at once; a context manager."""

    def __init__(self) -> None:
        self._children = dicom_children()
        self._threads = ThreadPoolExecutor(self._children.width)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(cancel_futures=True)

    @property
    def width(self) -> int:
        """How many batches are read at once."""
        return self._children.width

    def submit(self, paths: Sequence[Path]) -> Future[list[ReadFile]]:
        """Read a batch in the background; the answers come in the order of ``paths``."""
        return self._threads.submit(self._read, tuple(paths))

    def _read(self, paths: Sequence[Path]) -> list[ReadFile]:
        try:
            return self._ask(paths, BATCH_TIMEOUT_S)
        except IsolationError:
            return list(self._read_singly(paths))

    def _read_singly(self, paths: Sequence[Path]) -> Iterator[ReadFile]:
        """Read each file by itself, to find the one that its batch died of."""
        for path in paths:
            try:
                yield from self._ask((path,), FILE_TIMEOUT_S)
            except IsolationError as error:
                yield ReadFile(path=path, reason=f"reading it was stopped ({error})")

    def _ask(self, paths: Sequence[Path], timeout_s: float) -> list[ReadFile]:
        options = {"paths": [os.fspath(path) for path in paths]}
        reply, _ = self._children.call(READ_TASK, options, timeout_s=timeout_s)
        answers: list[dict[str, Any]] = reply["answers"]
        return [_to_read_file(path, answer) for path, answer in zip(paths, answers, strict=True)]


def _to_read_file(path: Path, answer: dict[str, Any]) -> ReadFile:
    if "entry" in answer:
        return ReadFile(path=path, entry=to_entry(answer["entry"]))
    return ReadFile(path=path, reason="" if answer["reason"] == NOT_DICOM else str(answer["reason"]))
