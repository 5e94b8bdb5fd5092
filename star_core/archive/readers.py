"""A pool of child processes that read foreign headers: one bad file costs itself, not its neighbours."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from star_core.archive.entry import NOT_DICOM, READ_TASK, Entry, to_entry
from star_core.dicom.children import dicom_children
from star_core.isolation import BatchPool

FILES_PER_BATCH = 128
BATCH_TIMEOUT_S = 10.0
FILE_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFile:
    """What a child made of a file: its entry, or the reason why there is none (empty: it is not DICOM)."""

    path: Path
    entry: Entry | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PendingRead:
    """A batch that is being read."""

    _paths: tuple[Path, ...]
    _answers: Future[list[dict[str, Any]]]

    def is_ready_within(self, timeout_s: float) -> bool:
        """Wait for the batch, but not longer than this many seconds, and tell whether it was read."""
        return bool(wait((self._answers,), timeout_s).done)

    def result(self) -> list[ReadFile]:
        """Wait for the batch and return what was read, in the order of the paths."""
        return [_to_read_file(path, answer) for path, answer in zip(self._paths, self._answers.result(), strict=True)]


class HeaderReaders:
    """Headers read in batches by this process's children, several at once; a context manager."""

    def __init__(self) -> None:
        self._pool = BatchPool(
            dicom_children(), batch_timeout_s=BATCH_TIMEOUT_S, item_timeout_s=FILE_TIMEOUT_S, items_name="paths"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.__exit__(kind, error, trace)

    @property
    def width(self) -> int:
        """How many batches are read at once."""
        return self._pool.width

    def submit(self, paths: Sequence[Path]) -> PendingRead:
        """Read a batch in the background; the answers come in the order of ``paths``."""
        return PendingRead(tuple(paths), self._pool.submit(READ_TASK, [os.fspath(path) for path in paths]))


def _to_read_file(path: Path, answer: dict[str, Any]) -> ReadFile:
    if "entry" in answer:
        return ReadFile(path=path, entry=to_entry(answer["entry"]))
    if "stopped" in answer:
        return ReadFile(path=path, reason=f"reading it was stopped ({answer['stopped']})")
    return ReadFile(path=path, reason="" if answer["reason"] == NOT_DICOM else str(answer["reason"]))
