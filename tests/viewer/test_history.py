"""Undo and redo over everything that is made of a case."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytestqt.qtbot import QtBot

from star_core.imaging.annotations import Annotation, AnnotationKind, AnnotationPlane, build_annotation
from star_core.types import ClinicalRecord
from star_viewer.history import MAX_STEPS, History, Step
from star_viewer.session import Session
from tests.viewer.fakes import RECORD
from tests.viewer.scene.factory import build_case

PLANE = AnnotationPlane(origin_mm=(0.0, 0.0, 0.0), right=(1.0, 0.0, 0.0), up=(0.0, -1.0, 0.0))


@pytest.fixture
def history(session: Session) -> History:
    session.set_case(build_case())
    return session.history


def _draw(history: History, session: Session) -> Annotation:
    drawn = build_annotation(AnnotationKind.DISTANCE, [(0, 0, 0), (10, 0, 0)], PLANE)
    history.change("draw a distance", about=drawn.id, annotations=(*session.annotations, drawn))
    return drawn


def _drag(history: History, drawn: Annotation, to_mm: float) -> None:
    moved = drawn.with_point(1, (to_mm, 0.0, 0.0))
    history.change("move the distance", about=drawn.id, merging=True, annotations=(moved,))


def test_undo_and_redo_go_over_record_annotations_and_edits_in_order(history: History, session: Session) -> None:
    drawn = _draw(history, session)
    history.change("change age", clinical=RECORD)
    history.change("paint the remnant", edits={"masks": "ab"})
    texts = []
    while history.undo_text:
        texts.append(history.undo_text)
        history.undo()
    assert texts == ["paint the remnant", "change age", "draw a distance"]
    assert (session.annotations, session.clinical, session.edits) == ((), ClinicalRecord(), {})
    while history.redo_text:
        history.redo()
    assert (session.annotations, session.clinical, session.edits) == ((drawn,), RECORD, {"masks": "ab"})


def test_a_drag_is_one_step_and_the_next_drag_another(history: History, session: Session) -> None:
    drawn = _draw(history, session)
    for to_mm in (11.0, 12.0, 13.0):
        _drag(history, drawn, to_mm)
    history.seal()
    _drag(history, drawn, 20.0)
    history.undo()
    assert session.annotations[0].points_mm[1] == (13.0, 0.0, 0.0)
    history.undo()
    assert session.annotations == (drawn,)
    assert history.undo_text == "draw a distance"


def test_a_cancelled_drag_leaves_nothing_to_redo(history: History, session: Session) -> None:
    drawn = _draw(history, session)
    _drag(history, drawn, 30.0)
    history.drop_last()
    assert session.annotations == (drawn,)
    assert (history.undo_text, history.redo_text) == ("draw a distance", "")


def test_a_step_takes_back_only_what_it_changed(history: History, session: Session) -> None:
    _draw(history, session)
    session.set_clinical(RECORD)  # such as by a segmentation, not by the reader
    history.undo()
    assert session.clinical == RECORD


def test_something_new_ends_redo(history: History, session: Session) -> None:
    history.change("change age", clinical=RECORD)
    history.undo()
    _draw(history, session)
    assert history.redo_text == ""


def test_no_change_is_no_step(qtbot: QtBot, history: History, session: Session) -> None:
    with qtbot.assertNotEmitted(history.changed):
        history.change("change nothing", clinical=session.clinical)
    assert history.undo_text == ""


def test_yes_and_one_are_not_the_same(history: History, session: Session) -> None:
    session.set_clinical(replace(RECORD, nash_score=1))
    history.change("change", clinical=replace(RECORD, nash_score=True))
    assert history.undo_text == "change"


def test_views_are_not_undone(history: History, session: Session) -> None:
    _draw(history, session)
    session.set_year(7)
    history.undo()
    assert session.year == 7


def test_another_case_begins_anew(history: History, session: Session) -> None:
    drawn = _draw(history, session)
    session.select(drawn.id)
    session.set_case(build_case())
    history.undo()
    assert (session.annotations, session.selected, history.undo_text) == ((), None, "")


def test_steps_are_told_and_bounded(qtbot: QtBot, history: History, session: Session) -> None:
    for age in range(MAX_STEPS + 10):
        history.change("change age", clinical=replace(RECORD, age_years=float(age)))
    with qtbot.waitSignal(history.stepped) as told:
        history.undo()
    assert isinstance(told.args[0], Step)
    count = 1
    while history.undo_text:
        history.undo()
        count += 1
    assert count == MAX_STEPS


def test_undo_of_nothing_does_nothing(history: History) -> None:
    history.undo()
    history.redo()
    history.drop_last()
    history.seal()


def test_a_measurement_is_computed_once(session: Session, monkeypatch: pytest.MonkeyPatch, history: History) -> None:
    drawn = _draw(history, session)
    first = session.measure(drawn)
    assert first.length_mm == 10.0
    assert session.measure(drawn) is first
