"""Undo and redo over everything that a reader makes of a case; how it is looked at is kept, and not undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from PySide6.QtCore import QObject, Signal

from star_core.imaging.annotations import Annotation
from star_core.types import ClinicalRecord

MAX_STEPS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a reader made of a case.

    Parameters
    ----------
    clinical
        The record as it stands in the form.
    annotations
        What was drawn, oldest first.
    edits
        What else was edited, by name ("masks"): the content hash of a file that is kept beside (``Keeper.keep_file``).
    """

    clinical: ClinicalRecord = field(default_factory=ClinicalRecord)
    annotations: tuple[Annotation, ...] = ()
    edits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One change that can be taken back: the fields of :class:`Content` that it changed, before and after."""

    text: str
    about: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    open: bool = False


class Holder(Protocol):
    """What holds the content: the session."""

    @property
    def content(self) -> Content:
        """The content as it stands."""

    def set_content(self, content: Content) -> None:
        """Take over another content, and tell what changed."""


class History(QObject):
    """The changes of one case, in order. A tool makes a change with one line.

    >>> session.history.change("move the distance", annotations=moved)  # doctest: +SKIP
    """

    changed = Signal()  # what can be undone or redone
    stepped = Signal(object)  # Step that was undone or redone

    def __init__(self, holder: Holder, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._holder = holder
        self._done: list[Step] = []
        self._undone: list[Step] = []

    def change(self, text: str, *, about: str = "", merging: bool = False, **values: Any) -> None:
        """Make a change that can be undone.

        Parameters
        ----------
        text
            What is done, as a menu says it: "move the distance".
        about
            What it is done to. A ``merging`` change becomes one step with the one before it, if that was merging and
            about the same and :meth:`seal` was not called since: what is typed into a field, a drag.
        values
            Fields of :class:`Content`.
        """
        content = self._holder.content
        after = {name: value for name, value in values.items() if not _same(value, getattr(content, name))}
        if not after:
            return
        before = {name: getattr(content, name) for name in after}
        last = self._done[-1] if self._done else None
        if merging and last is not None and last.open and last.about == about:
            self._done[-1] = replace(last, before={**before, **last.before}, after={**last.after, **after})
        else:
            self._done = [*self._done, Step(text, about, before, after, merging)][-MAX_STEPS:]
        self._undone.clear()
        self._holder.set_content(replace(content, **after))
        self.changed.emit()

    def seal(self) -> None:
        """End a drag: what comes next is a step of its own."""
        if self._done:
            self._done[-1] = replace(self._done[-1], open=False)

    def drop_last(self) -> None:
        """Take the last change back for good: a drag that was cancelled."""
        if self._done:
            self.undo()
            self._undone.pop()
            self.changed.emit()

    def undo(self) -> None:
        """Take the last change back."""
        if self._done:
            step = replace(self._done.pop(), open=False)
            self._undone.append(step)
            self._go(step, step.before)

    def redo(self) -> None:
        """Do again what was taken back last."""
        if self._undone:
            step = self._undone.pop()
            self._done.append(step)
            self._go(step, step.after)

    def clear(self) -> None:
        """Forget all changes: another case is open."""
        self._done.clear()
        self._undone.clear()
        self.changed.emit()

    @property
    def undo_text(self) -> str:
        """What would be undone, or nothing."""
        return self._done[-1].text if self._done else ""

    @property
    def redo_text(self) -> str:
        """What would be redone, or nothing."""
        return self._undone[-1].text if self._undone else ""

    def _go(self, step: Step, values: Mapping[str, Any]) -> None:
        self._holder.set_content(replace(self._holder.content, **values))
        self.stepped.emit(step)
        self.changed.emit()


def _same(value: object, other: object) -> bool:
    # 1 equals True, and 2 equals 2.0, in Python; in the record they are not the same.
    return value == other and repr(value) == repr(other)
