"""Edits of the structures: in order, beside the window, along the history, and back after a kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from star_core.errors import SegmentationError, StarError, StorageError
from star_core.imaging.editing.patch import MaskPatch
from star_core.types import Masks, Structure, Volume
from star_viewer.app import StarApp
from star_viewer.jobs.requests import AssessCase
from star_viewer.journal import digest_of
from star_viewer.session import Session
from star_viewer.structures import Structures
from tests.viewer.runners import DirectRunner
from tests.viewer.scene.factory import build_case

REMNANT = Structure.REMNANT


class KeptFiles:
    """Keeps files in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def keep_file(self, data: bytes) -> str:
        digest = digest_of(data)
        self.files[digest] = data
        return digest

    def read_file(self, digest: str, *, max_bytes: int) -> bytes:
        if digest not in self.files:
            raise StorageError("An edit of this case is gone.", remedy="Make it again.")
        return self.files[digest]


@pytest.fixture
def files() -> KeptFiles:
    return KeptFiles()


@pytest.fixture
def structures(session: Session, files: KeptFiles) -> Iterator[Structures]:
    structures = Structures(session, files)
    session.set_case(build_case())
    yield structures
    structures.close()


def cube(at: int, structure: Structure = REMNANT) -> Callable[[Masks, Volume], MaskPatch]:
    """A tool that flips a small cube whose place is ``at``."""
    return lambda masks, volume: MaskPatch(structure=structure, start=(at, 2, 2), toggled=np.ones((1, 3, 3), bool))


def leave(masks: Masks, volume: Volume) -> MaskPatch:
    return MaskPatch(structure=REMNANT, start=(0, 0, 0), toggled=np.zeros((0, 0, 0), bool))


def refuse(masks: Masks, volume: Volume) -> MaskPatch:
    raise SegmentationError("There is no liver to cut.", remedy="Segment the liver first.")


def make(qtbot: QtBot, structures: Structures, *tools: Callable[[Masks, Volume], MaskPatch]) -> None:
    with qtbot.waitSignal(structures.settled):
        for number, tool in enumerate(tools):
            structures.edit(f"edit {number}", tool)


def size(session: Session) -> int:
    masks = session.masks
    return 0 if masks is None else int(masks.mask_of(REMNANT).sum())


def test_edits_are_made_in_order_and_undone_one_by_one(qtbot: QtBot, structures: Structures, session: Session) -> None:
    base, before = session.masks, size(session)
    make(qtbot, structures, cube(2), cube(4))
    after = session.masks
    assert abs(size(session) - before) == 18
    assert session.history.undo_text == "edit 1"
    with qtbot.waitSignal(structures.settled):
        session.history.undo()
    assert abs(size(session) - before) == 9
    with qtbot.waitSignal(structures.settled):
        session.history.undo()
    assert session.masks is base
    assert structures.packed_edits == ()
    with qtbot.waitSignal(structures.settled):
        session.history.redo()
        session.history.redo()
    assert session.masks is not None
    assert after is not None
    np.testing.assert_array_equal(session.masks.bits, after.bits)
    assert len(structures.packed_edits) == 2


def test_what_is_undone_while_an_edit_is_worked_out_stays_undone(
    qtbot: QtBot, structures: Structures, session: Session
) -> None:
    before = size(session)
    make(qtbot, structures, cube(2))
    with qtbot.waitSignal(structures.settled):
        structures.edit("another", cube(4))
        session.history.undo()
    assert abs(size(session) - before) == 9
    assert len(structures.packed_edits) == 1
    assert session.history.undo_text == "another"


def test_an_edit_that_changes_nothing_is_no_step(qtbot: QtBot, structures: Structures, session: Session) -> None:
    with qtbot.waitSignal(structures.unchanged) as told:
        structures.edit(
            "smooth",
            lambda masks, volume: MaskPatch(structure=REMNANT, start=(0, 0, 0), toggled=np.zeros((0, 0, 0), bool)),
        )
    assert told.args == ["smooth"]
    assert session.history.undo_text == ""


def test_an_edit_that_cannot_be_made_says_why_and_the_next_one_is_made(
    qtbot: QtBot, structures: Structures, session: Session
) -> None:
    errors: list[StarError] = []
    structures.refused.connect(errors.append)
    structures.edit("cut", refuse)
    make(qtbot, structures, cube(2))
    assert [error.message for error in errors] == ["There is no liver to cut."]
    assert session.history.undo_text == "edit 0"


def test_a_scan_without_structures_gets_them_by_an_edit_and_has_none_after_its_undo(
    qtbot: QtBot, session: Session, structures: Structures
) -> None:
    session.set_case(replace(build_case(), masks=None))
    make(qtbot, structures, cube(2, Structure.LIVER))
    assert session.masks is not None
    assert session.masks.known == Structure.LIVER
    with qtbot.waitSignal(structures.settled):
        session.history.undo()
    assert session.masks is None


def test_edits_of_another_case_stay_with_it(qtbot: QtBot, session: Session, structures: Structures) -> None:
    structures.edit("late", cube(2))
    other = build_case()
    session.set_case(other)
    qtbot.waitUntil(lambda: not structures.is_busy)
    assert session.masks is other.masks
    assert session.edits == {}


def test_kept_edits_are_read_when_a_case_comes_back(
    qtbot: QtBot, structures: Structures, session: Session, files: KeptFiles
) -> None:
    make(qtbot, structures, cube(2), cube(4))
    edits, masks = dict(session.edits), session.masks
    session.set_case(build_case())
    with qtbot.waitSignal(structures.settled):
        session.set_edits(edits)
    assert session.masks is not None
    assert masks is not None
    np.testing.assert_array_equal(session.masks.bits, masks.bits)
    assert len(structures.packed_edits) == 2


def test_edits_that_are_gone_are_told_and_the_structures_are_those_of_the_case(
    qtbot: QtBot, structures: Structures, session: Session, files: KeptFiles
) -> None:
    make(qtbot, structures, cube(2), cube(4))
    edits, case = dict(session.edits), build_case()
    first = next(digest for digest in files.files if digest != edits["masks"])
    del files.files[first]
    session.set_case(case)
    with qtbot.waitSignal(structures.lost):
        session.set_edits(edits)
    assert session.masks is case.masks
    assert session.edits == {}


# --------------------------------------------------------------------------- in the window


def test_the_model_sees_the_edited_structures(
    qtbot: QtBot, star_with_case: StarApp, direct_runner: DirectRunner
) -> None:
    star = star_with_case
    with qtbot.waitSignal(star.workflow.assessed, timeout=10_000):
        star.editing.structures.edit("cut", cube(2))
    asked = direct_runner.asked(AssessCase)[-1]
    assert isinstance(asked, AssessCase)
    assert len(asked.edits.mask_edits) == 1
    assert asked.edits.mask_edits == star.editing.structures.packed_edits
