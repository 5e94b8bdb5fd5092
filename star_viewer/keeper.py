"""Keeps what is done, as it happens, in a thread of its own: the window never waits for a disk."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot

from star_core.errors import StorageError
from star_core.storage import user_folder
from star_core.types import ClinicalRecord
from star_viewer.journal import (
    WORKSPACES_FOLDER,
    Journal,
    Kept,
    digest_of,
    find_killed,
    forget_cases,
    remove_mark,
    write_mark,
)
from star_viewer.workspace import Workspace

CLOSE_WAIT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A case that was opened: the key of its journal, its pseudonym, its record as opened, and where it came from."""

    key: str
    case_id: str
    base: ClinicalRecord
    source: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What was kept of a case; ``is_held`` says that another window keeps it, and this one does not."""

    opening: Opening
    kept: Kept
    is_held: bool = False

    @property
    def writable(self) -> bool:
        """Whether this window keeps the case."""
        return not self.is_held and not self.kept.is_newer


class Keeper(QObject):
    """Takes states and writes what differs; states that come while the disk is slow are written as one."""

    opened = Signal(object)  # Opened
    kept = Signal(int)  # version of the newest state that is on the disk
    troubled = Signal(object, str)  # Opening | None, why it cannot be kept
    found = Signal(object)  # tuple of Mark, newest first
    _told = Signal(object)  # from the thread: what is to be emitted here

    def __init__(self, parent: QObject | None = None, home: Path | None = None) -> None:
        super().__init__(parent)
        self.home = home or user_folder() / WORKSPACES_FOLDER
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._files: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._journal: Journal | None = None
        self._opening: Opening | None = None
        self._newest: tuple[int, Workspace] = (0, Workspace())
        self._begun = self._closed = False
        # Emitted by a thread, a signal can reach listeners that have gone meanwhile: all are told in the window's.
        self._told.connect(self._pass_on, Qt.ConnectionType.QueuedConnection)

    @Slot(object)
    def _pass_on(self, emit: Callable[[], None]) -> None:
        emit()

    def look_for_killed(self) -> None:
        """Look for cases that were open when their programs were killed."""
        self._do(lambda: self._tell(self.found, find_killed(self.home)))

    def open(self, opening: Opening) -> None:
        """Let go of the case before, and read what was kept of this one."""
        self._do(lambda: self._open(opening))

    def begin(self, workspace: Workspace, version: int) -> None:
        """Keep the opened case from this state on."""
        self._newest = (version, workspace)
        self._do(self._begin)

    def write(self, workspace: Workspace, version: int) -> None:
        """Keep a state; :attr:`kept` tells when it, or a newer one, is on the disk."""
        self._newest = (version, workspace)
        self._do(self._write)

    def keep_file(self, data: bytes) -> str:
        """Keep a file beside the journal, before anything that is told later, and return its hash."""
        digest = digest_of(data)
        self._files.put((digest, data))
        self._do(self._keep_files)
        return digest

    def forget(self, keys: Iterable[str]) -> None:
        """Remove what was kept of cases for good; one that is open in any window stays."""
        wanted = tuple(keys)
        self._do(lambda: forget_cases(self.home, wanted))

    def close(self) -> None:
        """Write what is left, let go of the case, and end the thread."""
        if self._thread is None or self._closed:
            return
        self._do(self._leave)
        self._closed = True
        self._work.put(None)
        self._thread.join(CLOSE_WAIT_S)

    # ------------------------------------------------------------------ in the thread

    def _do(self, work: Callable[[], None]) -> None:
        if self._closed:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name="star-keeper")
            self._thread.start()
        self._work.put(work)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            except StorageError as error:
                self._tell(self.troubled, self._opening, f"{error.message} {error.remedy}".strip())
            except OSError as error:
                self._tell(self.troubled, self._opening, f"{error.strerror or error}.")

    def _tell(self, signal: Any, *values: object) -> None:
        with suppress(RuntimeError):  # the window is gone
            self._told.emit(partial(signal.emit, *values))

    def _open(self, opening: Opening) -> None:
        self._leave()
        self._opening = opening
        journal = Journal(self.home / opening.key)
        is_held = not journal.acquire()
        opened = Opened(opening=opening, kept=journal.read(), is_held=is_held)
        if opened.writable:
            self._journal = journal
            if opened.kept.problems:
                journal.set_aside()
        elif not is_held:
            journal.close()
        self._tell(self.opened, opened)

    def _begin(self) -> None:
        if self._journal is None or self._opening is None:
            return
        version, workspace = self._newest
        self._keep_files()
        self._begun = True
        self._journal.begin(workspace, case_id=self._opening.case_id, base=self._opening.base)
        write_mark(self.home, self._opening.key, self._opening.source)
        self._tell(self.kept, version)

    def _write(self) -> None:
        if self._journal is None or not self._begun:
            return
        version, workspace = self._newest
        self._keep_files()  # the newest state may name files that were given after this call was
        self._journal.write(workspace)
        self._tell(self.kept, version)

    def _keep_files(self) -> None:
        with suppress(queue.Empty):
            while True:
                digest, data = self._files.get_nowait()
                if self._journal is not None:
                    self._journal.write_file(digest, data)

    def _leave(self) -> None:
        if self._journal is not None and self._opening is not None:
            self._journal.close()
            if self._begun:
                remove_mark(self.home, self._opening.key)
        self._journal, self._opening, self._begun = None, None, False
