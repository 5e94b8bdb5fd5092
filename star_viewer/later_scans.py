"""The follow-up CTs of the open case: their list along the history, what of it is at hand, and which one is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Protocol

from PySide6.QtCore import QObject, Qt, Signal, Slot

from star_core.errors import StarError
from star_core.types import RegistrationKind, Volume
from star_viewer.follow_ups import EDITS_NAME, MAX_BYTES, Adjustment, AlignedScan, FollowUp, FollowUps, FollowUpSource
from star_viewer.session import LaterScan, Session

MOST_AT_HAND = 6
Key = tuple[FollowUpSource, RegistrationKind]


class Files(Protocol):
    """Keeps what was edited beside the case: :class:`star_viewer.keeping.Keeping`."""

    def keep_file(self, data: bytes) -> str:
        """Keep a file and return its hash."""

    def read_file(self, digest: str, *, max_bytes: int) -> bytes:
        """Return a file that was kept."""


class LaterScans(QObject):
    """Follows the history to where undo, redo or a restored case lead; scans that are missing then are asked for."""

    changed = Signal()  # the list, what is at hand, or which one is chosen
    wanted = Signal(object)  # FollowUp that is in the list and has to be read and aligned
    lost = Signal(str)  # why a kept list is left out
    _done = Signal(object)  # from the thread: what is to be done in the window's

    def __init__(self, session: Session, files: Files, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._files = session, files
        self._plan = FollowUps()
        self._known: dict[str, FollowUps] = {}
        self._head = ""
        self._at_hand: dict[Key, AlignedScan] = {}
        self._problems: dict[Key, str] = {}
        self._asked: set[Key] = set()
        self._chosen = ""
        self._preview: Adjustment | None = None
        self._seen: tuple[object, ...] = ()
        self._pool: ThreadPoolExecutor | None = None
        # Answered in the window's thread, or a listener that has gone could be reached.
        self._done.connect(self._answer, Qt.ConnectionType.QueuedConnection)
        session.volume_changed.connect(self._take_volume)
        session.edits_changed.connect(self._follow)

    def close(self) -> None:
        """Wait for what is read and take no more."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    # ------------------------------------------------------------------ what there is

    @property
    def plan(self) -> FollowUps:
        """The list as it stands."""
        return self._plan

    @property
    def chosen(self) -> FollowUp | None:
        """The follow-up that is seen and that the panel is about."""
        return self._plan.find(self._chosen)

    def at_hand(self, scan: FollowUp) -> AlignedScan | None:
        """Return a follow-up as it was read and aligned, ``None`` until then."""
        return self._at_hand.get((scan.source, scan.kind))

    def problem(self, scan: FollowUp) -> str:
        """Return why a follow-up of the list is not at hand; empty while it is, or is being aligned."""
        return self._problems.get((scan.source, scan.kind), "")

    @property
    def adjustment(self) -> Adjustment:
        """How the chosen follow-up lies by hand, also while it is being moved."""
        chosen = self.chosen
        return self._preview or (Adjustment() if chosen is None else chosen.adjustment)

    # ------------------------------------------------------------------ what is done

    def change(self, text: str, plan: FollowUps) -> None:
        """Change the list; one step of the history."""
        if plan == self._plan:
            return
        digest = self._files.keep_file(plan.to_bytes())
        self._known[digest] = plan
        self._session.history.change(text, edits={**self._session.edits, EDITS_NAME: digest})

    def choose(self, series_uid: str) -> None:
        """See another follow-up of the list."""
        if series_uid != self._chosen:
            self._chosen, self._preview = series_uid, None
            self._settle()

    def preview(self, adjustment: Adjustment) -> None:
        """Let the chosen follow-up lie elsewhere, before that becomes a step of the history."""
        self._preview = adjustment
        self._show()

    def take(self, key: Key, aligned: AlignedScan) -> None:
        """Take over what was read and aligned."""
        self._asked.discard(key)
        self._problems.pop(key, None)
        self._at_hand.pop(key, None)
        self._at_hand[key] = aligned
        listed = {(scan.source, scan.kind) for scan in self._plan.scans} | {key}
        for other in [one for one in self._at_hand if one not in listed][: max(len(self._at_hand) - MOST_AT_HAND, 0)]:
            del self._at_hand[other]
        self._settle()

    def fail(self, key: Key, why: str) -> None:
        """Remember why a follow-up of the list is not at hand."""
        self._asked.discard(key)
        self._problems[key] = why
        self._settle()

    def ask_again(self, scan: FollowUp) -> None:
        """Ask anew for a follow-up that could not be had."""
        self._problems.pop((scan.source, scan.kind), None)
        self._settle()

    # ------------------------------------------------------------------ following the session

    def _take_volume(self, _: Volume | None) -> None:
        for held in (self._known, self._at_hand, self._problems, self._asked):
            held.clear()
        self._take_plan("", FollowUps())

    def _follow(self, edits: Mapping[str, str]) -> None:
        head = edits.get(EDITS_NAME, "")
        if head == self._head:
            return
        self._head = head
        if not head:
            self._take_plan(head, FollowUps())
        elif head in self._known:
            self._take_plan(head, self._known[head])
        else:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="star-follow-ups")
            self._pool.submit(self._read, head)

    def _take_plan(self, head: str, plan: FollowUps) -> None:
        self._head, self._plan, self._preview = head, plan, None
        self._settle()

    def _settle(self) -> None:
        """Choose what is there, show it, and ask for what is missing."""
        if self.chosen is None:
            self._chosen = self._plan.scans[-1].series_uid if self._plan.scans else ""
        self._show()
        self.changed.emit()
        for scan in self._plan.scans:
            key = scan.source, scan.kind
            if key not in self._at_hand and key not in self._asked and key not in self._problems:
                self._asked.add(key)
                self.wanted.emit(scan)

    def _show(self) -> None:
        chosen, first = self.chosen, self._session.volume
        aligned = None if chosen is None else self.at_hand(chosen)
        if chosen is None or aligned is None or first is None:
            self._seen = ()
            self._session.set_later(None)
            return
        year = self._plan.places()[chosen.series_uid].year
        label = chosen.label if year is None else f"{chosen.label}, year {year}"
        seen = (aligned, self.adjustment, label)
        if seen != self._seen:
            self._seen = seen
            self._session.set_later(LaterScan(aligned.volume, self.adjustment.to_motion(first), label))

    # ------------------------------------------------------------------ reading

    def _read(self, head: str) -> None:
        answer: Callable[[], None]
        try:
            plan = FollowUps.from_bytes(self._files.read_file(head, max_bytes=MAX_BYTES))
            answer = partial(self._take_read, head, plan)
        except StarError as error:
            answer = partial(self._lose, head, f"{error.message} {error.remedy}".strip())
        with suppress(RuntimeError):  # the window is gone
            self._done.emit(answer)

    @Slot(object)
    def _answer(self, answer: Callable[[], None]) -> None:
        answer()

    def _take_read(self, head: str, plan: FollowUps) -> None:
        if head == self._head:
            self._known[head] = plan
            self._take_plan(head, plan)

    def _lose(self, head: str, why: str) -> None:
        if head == self._head:
            self._session.set_edits({name: kept for name, kept in self._session.edits.items() if name != EDITS_NAME})
            self.lost.emit(why)
