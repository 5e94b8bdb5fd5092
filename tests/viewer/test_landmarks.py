"""Landmarks along the history: moved, undone, kept by hash, given to the model; segments and volumes follow."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from star_core.errors import StorageError
from star_core.types import Landmark, LandmarkOrigin, Segment
from star_viewer.app import StarApp
from star_viewer.jobs.requests import AssessCase
from star_viewer.landmarks import Landmarks, pack_landmarks, unpack_landmarks
from star_viewer.segments import Segments
from star_viewer.session import PointMm, Session
from tests.viewer.runners import DirectRunner
from tests.viewer.scene.factory import build_assessment, build_case, build_landmarks
from tests.viewer.test_structures import KeptFiles

FORK = Landmark.BIFURCATION
MOVED_MM: PointMm = (2.0, -30.0, 12.0)


@pytest.fixture
def files() -> KeptFiles:
    return KeptFiles()


@pytest.fixture
def landmarks(session: Session, files: KeptFiles) -> Iterator[Landmarks]:
    landmarks = Landmarks(session, files)
    session.set_case(build_case())
    session.set_assessment(build_assessment())
    yield landmarks
    landmarks.close()


def test_landmarks_come_back_from_their_file() -> None:
    moved = build_landmarks().with_moved(FORK, MOVED_MM)
    assert unpack_landmarks(pack_landmarks(moved)) == moved


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"[]",
        pack_landmarks(build_landmarks()).replace(b'"version": 1', b'"version": 9'),
        pack_landmarks(build_landmarks()).replace(b"vena cava", b"vena porta"),
        pack_landmarks(build_landmarks()).replace(b"40.0", b"NaN"),
        pack_landmarks(build_landmarks()).replace(b"40.0", b"4e9"),
        json.dumps({"version": 1, "landmarks": {}}).encode(),
    ],
)
def test_damaged_landmarks_are_refused(damage: bytes) -> None:
    with pytest.raises(StorageError, match="damaged"):
        unpack_landmarks(damage)


def test_landmarks_are_those_found_until_the_reader_moves_one(session: Session, landmarks: Landmarks) -> None:
    found = build_assessment().landmarks
    assert session.anatomy.landmarks == found
    assert landmarks.placed is None
    session.anatomy.move_asked.emit(FORK, MOVED_MM)
    assert landmarks.placed == session.anatomy.landmarks == found.with_moved(FORK, MOVED_MM)
    assert session.history.undo_text == "move the portal bifurcation"
    session.history.undo()
    assert session.anatomy.landmarks == found
    assert landmarks.placed is None
    session.history.redo()
    assert landmarks.placed == found.with_moved(FORK, MOVED_MM)


def test_a_drag_that_is_left_off_moves_nothing(session: Session, landmarks: Landmarks) -> None:
    session.anatomy.drag(FORK, MOVED_MM)
    assert session.anatomy.landmarks is not None
    assert session.anatomy.landmarks.points_mm[FORK] == MOVED_MM
    session.anatomy.drop()
    assert session.anatomy.landmarks == build_assessment().landmarks
    assert session.edits == {}


def test_what_a_model_was_given_is_not_taken_for_found(session: Session, landmarks: Landmarks) -> None:
    landmarks.move(FORK, MOVED_MM)
    placed = landmarks.placed
    assert placed is not None
    assessment = build_assessment()
    object.__setattr__(assessment, "landmarks", placed)
    session.set_assessment(assessment)
    session.history.undo()
    assert session.anatomy.landmarks == build_landmarks()


def test_kept_landmarks_come_back_with_their_case(
    qtbot: QtBot, session: Session, landmarks: Landmarks, files: KeptFiles
) -> None:
    landmarks.move(FORK, MOVED_MM)
    placed, edits = landmarks.placed, dict(session.edits)
    session.set_case(build_case())
    assert session.anatomy.landmarks is None
    with qtbot.waitSignal(landmarks.settled):
        session.set_edits(edits)
    assert session.anatomy.landmarks == landmarks.placed == placed


def test_damaged_landmarks_are_told_and_left_out(
    qtbot: QtBot, session: Session, landmarks: Landmarks, files: KeptFiles
) -> None:
    digest = files.keep_file(b"{}")
    with qtbot.waitSignal(landmarks.lost) as told:
        session.set_edits({"landmarks": digest, "other": "x"})
    assert "damaged" in told.args[0]
    assert session.edits == {"other": "x"}
    assert session.anatomy.landmarks == build_landmarks()


def test_segments_follow_a_landmark(qtbot: QtBot, session: Session, landmarks: Landmarks) -> None:
    segments = Segments(session)
    qtbot.waitUntil(lambda: session.anatomy.segments is not None)
    before = session.anatomy.segments
    assert before is not None
    landmarks.move(FORK, (0.0, -35.0, 25.0))
    qtbot.waitUntil(lambda: session.anatomy.segments is not before and not segments.is_busy)
    after = session.anatomy.segments
    assert after is not None
    assert after.volumes_ml()[Segment.V] > before.volumes_ml()[Segment.V]
    np.testing.assert_array_equal(after.labels > 0, before.labels > 0)
    segments.close()


def test_planes_out_of_order_are_told_until_they_are_mended(
    qtbot: QtBot, session: Session, landmarks: Landmarks
) -> None:
    segments, told = Segments(session), []
    segments.refused.connect(told.append)
    landmarks.move(Landmark.LEFT_VEIN, (-90.0, 5.0, 20.0))
    qtbot.waitUntil(lambda: any("out of order" in why for why in told))
    assert session.anatomy.segments is None
    session.history.undo()
    qtbot.waitUntil(lambda: session.anatomy.segments is not None)
    assert told[-1] == ""
    segments.close()


def test_the_model_sees_the_landmarks(qtbot: QtBot, star_with_case: StarApp, direct_runner: DirectRunner) -> None:
    star = star_with_case
    with qtbot.waitSignal(star.workflow.assessed, timeout=10_000):
        star.session.anatomy.move_asked.emit(FORK, MOVED_MM)
    asked = direct_runner.asked(AssessCase)[-1]
    assert isinstance(asked, AssessCase)
    assert asked.edits.landmarks is not None
    assert asked.edits.landmarks.points_mm[FORK] == MOVED_MM
    assert asked.edits.landmarks.origins[FORK] is LandmarkOrigin.READER
    with qtbot.waitSignal(star.workflow.assessed, timeout=10_000):
        star.session.history.undo()
    asked = direct_runner.asked(AssessCase)[-1]
    assert isinstance(asked, AssessCase)
    assert asked.edits.landmarks is None
