"""The structures as the reader edited them: worked out in a thread of their own, in the order they were asked for.

What was edited is part of the history: undo and redo walk along the edits, and a kill loses none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from PySide6.QtCore import QObject, Qt, Signal, Slot

from star_core.errors import SegmentationError, StarError
from star_core.imaging.editing.chain import (
    MaskEdit,
    describe_edited,
    empty_masks,
    pack_edit,
    toggle,
    unpack_edit,
)
from star_core.imaging.editing.patch import MaskPatch
from star_core.types import Masks, Volume
from star_viewer.session import Session

EDITS_NAME = "masks"
MAX_EDIT_BYTES = 1 << 28

Answer = Callable[[], None]
Work = Callable[[], Answer]
Compute = Callable[[Masks, Volume], MaskPatch]
"""What a tool changes of the structures as they stand; called outside of the window's thread."""


class Files(Protocol):
    """Keeps what was edited beside the case: :class:`star_viewer.keeping.Keeping`."""

    def keep_file(self, data: bytes) -> str:
        """Keep a file and return its hash."""

    def read_file(self, digest: str, *, max_bytes: int) -> bytes:
        """Return a file that was kept."""


@dataclass(frozen=True, slots=True)
class _Link:
    """An edit as it is kept and as it is applied."""

    data: bytes
    edit: MaskEdit


@dataclass(slots=True)
class _Held:
    """What the thread has worked out for one case: the structures after the edit ``head``."""

    volume: Volume
    base: Masks
    is_bare: bool
    masks: Masks
    head: str = ""


class Structures(QObject):
    """Makes edits, and follows the history to where undo, redo or a restored case lead."""

    settled = Signal()  # the session's structures are what its edits say
    refused = Signal(object)  # StarError: an edit that cannot be made
    unchanged = Signal(str)  # text of an edit that changed nothing
    lost = Signal(str)  # why kept edits are left out
    busy_changed = Signal(bool)
    _done = Signal(object)  # from the thread: what is to be done in the window's

    def __init__(self, session: Session, files: Files, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._files = session, files
        self._links: dict[str, _Link] = {}
        self._held: _Held | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._unanswered = 0
        self._settled_at = ""
        # Answered in the window's thread, or a listener that has gone could be reached.
        self._done.connect(self._answer, Qt.ConnectionType.QueuedConnection)
        session.volume_changed.connect(self._take_volume)
        session.edits_changed.connect(self._follow)
        self._take_volume(session.volume)

    # ------------------------------------------------------------------ for tools

    def edit(self, text: str, compute: Compute, *, is_automatic: bool = False) -> None:
        """Change the structures by what ``compute`` returns for them as they stand; one step of the history."""
        if self._held is not None:
            self._submit(partial(self._make, self._held, text, compute, is_automatic))

    @property
    def is_busy(self) -> bool:
        """Whether an edit is still worked out."""
        return self._unanswered > 0

    @property
    def is_settled(self) -> bool:
        """Whether the session's structures are what its edits say."""
        return not self.is_busy and self._settled_at == self._head

    @property
    def packed_edits(self) -> tuple[bytes, ...]:
        """The edits up to now, oldest first, as the worker process applies them; empty until :attr:`is_settled`."""
        return tuple(self._links[name].data for name in self._known_chain(self._head))

    def close(self) -> None:
        """Wait for what is worked out and take no more."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
        self._held = None

    # ------------------------------------------------------------------ in the window's thread

    @property
    def _head(self) -> str:
        return self._session.edits.get(EDITS_NAME, "")

    def _take_volume(self, volume: Volume | None) -> None:
        self._links.clear()
        self._settled_at = ""
        base = self._session.masks
        if volume is None:
            self._held = None
        else:
            start = base or empty_masks(volume)
            self._held = _Held(volume, start, base is None, start)

    def _follow(self, _: Mapping[str, str]) -> None:
        if self._held is not None and self._head != self._settled_at:
            self._submit(partial(self._bring, self._held, self._head))

    def _take_edit(self, held: _Held, edit: MaskEdit, data: bytes, again: Work) -> None:
        if held is not self._held:
            return
        if edit.parent != self._head:  # something was undone or redone meanwhile: it is made on what stands now
            self._submit(again)
            return
        digest = self._files.keep_file(data)
        self._links[digest] = _Link(data, edit)
        self._session.history.change(edit.text, edits={**self._session.edits, EDITS_NAME: digest})

    def _take_masks(self, held: _Held, head: str, masks: Masks | None) -> None:
        if held is self._held and head == self._head:
            self._settled_at = head
            self._session.set_masks(masks)

    def _lose(self, held: _Held, head: str, error: StarError) -> None:
        if held is not self._held or head != self._head:
            return
        self._session.set_edits({name: kept for name, kept in self._session.edits.items() if name != EDITS_NAME})
        self.lost.emit(f"{error.message} {error.remedy}".strip())

    def _submit(self, work: Work) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="star-structures")
        self._unanswered += 1
        if self._unanswered == 1:
            self.busy_changed.emit(True)
        self._pool.submit(self._run, work)

    @Slot(object)
    def _answer(self, answer: Answer) -> None:
        try:
            answer()
        finally:
            self._unanswered -= 1
            if not self._unanswered:
                self.busy_changed.emit(False)
                if self._settled_at == self._head:
                    self.settled.emit()

    def _known_chain(self, head: str) -> list[str]:
        """Return the hashes from the first edit to ``head``, as far as they were read."""
        names: list[str] = []
        while head in self._links:
            names.append(head)
            head = self._links[head].edit.parent
        return names[::-1]

    # ------------------------------------------------------------------ in the thread

    def _run(self, work: Work) -> None:
        try:
            answer = work()
        except StarError as error:
            answer = partial(self.refused.emit, error)
        except (ArithmeticError, LookupError, TypeError, ValueError, MemoryError) as error:
            failed = SegmentationError("An edit could not be made.", remedy="Nothing was changed.", details=repr(error))
            answer = partial(self.refused.emit, failed)
        with suppress(RuntimeError):  # the window is gone
            self._done.emit(answer)

    def _make(self, held: _Held, text: str, compute: Compute, is_automatic: bool) -> Answer:
        patch = compute(held.masks, held.volume)
        if patch.is_empty:
            return partial(self.unchanged.emit, text)
        edit = MaskEdit(patch=patch, text=text, is_automatic=is_automatic, parent=held.head)
        again = partial(self._make, held, text, compute, is_automatic)
        return partial(self._take_edit, held, edit, pack_edit(edit), again)

    def _bring(self, held: _Held, head: str) -> Answer:
        """Work out the structures after the edit ``head`` from those that are held."""
        try:
            target, now = self._read_chain(head), self._read_chain(held.head)
            apart = [name for name in (*target, *now) if (name in target) != (name in now)]
            bits = toggle(held.masks.bits, held.masks.geometry, [self._links[name].edit.patch for name in apart])
        except StarError as error:
            return partial(self._lose, held, head, error)
        edits = [self._links[name].edit for name in target]
        held.masks, held.head = describe_edited(held.base, bits, edits), head
        return partial(self._take_masks, held, head, None if held.is_bare and not target else held.masks)

    def _read_chain(self, head: str) -> dict[str, None]:
        """Return the hashes from ``head`` to the first edit, read where they are not known yet."""
        names: dict[str, None] = {}
        while head and head not in names:
            if head not in self._links:
                data = self._files.read_file(head, max_bytes=MAX_EDIT_BYTES)
                self._links[head] = _Link(data, unpack_edit(data))
            names[head] = None
            head = self._links[head].edit.parent
        return dict.fromkeys(reversed(names))
