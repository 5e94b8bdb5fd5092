"""Landmarks on slices: taken hold of near the slice, placed by a click or by keys, left off by Esc."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtTest import QTest

from star_core.types import Case, Landmark, PointMm
from star_viewer.scene.four_views import FourViews
from star_viewer.scene.landmark_tool import LandmarkTool
from star_viewer.scene.segment_names import SegmentNames
from star_viewer.scene.slice_pane import SlicePane
from star_viewer.session import Session
from tests.viewer.scene.conftest import grab_pixels
from tests.viewer.scene.factory import build_case, build_landmarks
from tests.viewer.scene.test_pen import LEFT, _send, click, drag

FORK = Landmark.BIFURCATION
Build = Callable[[Case | None], FourViews]


@pytest.fixture
def axial(build_views: Build, session: Session) -> SlicePane:
    session.anatomy.set_landmarks(None)
    views = build_views(build_case())
    views.axial.tools += [SegmentNames(views.axial), LandmarkTool(views.axial)]
    session.anatomy.set_landmarks(build_landmarks())
    session.display.change(landmarks=True)
    session.set_crosshair(build_landmarks().points_mm[FORK])
    views.wait_until_drawn()
    views.axial.setFocus()
    return views.axial


@pytest.fixture
def asked(session: Session) -> list[tuple[Landmark, PointMm]]:
    moves: list[tuple[Landmark, PointMm]] = []
    session.anatomy.move_asked.connect(lambda name, point_mm: moves.append((name, point_mm)))
    return moves


def place_of(pane: SlicePane, name: Landmark = FORK) -> tuple[float, float]:
    at = pane.pixel_of(build_landmarks().points_mm[name])
    return at.x(), at.y()


def test_a_landmark_is_dragged_to_where_the_hand_lets_go(
    axial: SlicePane, session: Session, asked: list[tuple[Landmark, PointMm]]
) -> None:
    x, y = place_of(axial)
    aimed_mm = session.crosshair_mm
    drag(axial, (x, y), (x + 10, y), (x + 20, y + 12))
    assert len(asked) == 1
    name, point_mm = asked[0]
    assert name is FORK
    np.testing.assert_allclose(point_mm, axial.point_at(QPointF(x + 20, y + 12)))
    assert session.crosshair_mm == aimed_mm


def test_escape_leaves_a_drag_off(axial: SlicePane, session: Session, asked: list[tuple[Landmark, PointMm]]) -> None:
    x, y = place_of(axial)
    _send(axial, QEvent.Type.MouseButtonPress, QPointF(x, y), LEFT)
    _send(axial, QEvent.Type.MouseMove, QPointF(x + 30, y), LEFT)
    assert session.anatomy.landmarks != build_landmarks()
    QTest.keyClick(axial, Qt.Key.Key_Escape)
    _send(axial, QEvent.Type.MouseButtonRelease, QPointF(x + 30, y), Qt.MouseButton.NoButton)
    assert session.anatomy.landmarks == build_landmarks()
    assert asked == []


def test_landmarks_are_painted_near_the_slice_and_not_far_from_it(axial: SlicePane, session: Session) -> None:
    x, y = (round(value) for value in place_of(axial))
    shown = grab_pixels(axial)[y - 2 : y + 3, x - 2 : x + 3]
    assert (shown[..., 0] > 200).any()
    x_mm, y_mm, _ = session.crosshair_mm
    session.set_crosshair((x_mm, y_mm, -50.0))
    drag(axial, place_of(axial), (5.0, 5.0))
    assert session.anatomy.landmarks == build_landmarks()


def test_hidden_landmarks_are_not_taken_hold_of(
    axial: SlicePane, session: Session, asked: list[tuple[Landmark, PointMm]]
) -> None:
    session.display.change(landmarks=False)
    x, y = place_of(axial)
    drag(axial, (x, y), (x + 20, y))
    assert asked == []


def test_a_click_places_the_landmark_that_was_chosen(
    axial: SlicePane, session: Session, asked: list[tuple[Landmark, PointMm]]
) -> None:
    session.set_pen(Landmark.LEFT_PORTAL)
    click(axial, 120.0, 130.0)
    assert [name for name, _ in asked] == [Landmark.LEFT_PORTAL]
    np.testing.assert_allclose(asked[0][1], axial.point_at(QPointF(120.0, 130.0)))
    assert session.pen is None


def test_keys_move_the_crosshair_and_enter_places(
    axial: SlicePane, session: Session, asked: list[tuple[Landmark, PointMm]]
) -> None:
    session.set_pen(FORK)
    start_mm = np.array(session.crosshair_mm)
    for _ in range(3):
        QTest.keyClick(axial, Qt.Key.Key_Left)
    QTest.keyClick(axial, Qt.Key.Key_Return)
    assert [name for name, _ in asked] == [FORK]
    moved_mm = np.array(asked[0][1]) - start_mm
    assert moved_mm[0] == pytest.approx(-7.5, abs=0.1)  # three pixels of 2.5 mm to the patient's right
    session.set_pen(FORK)
    QTest.keyClick(axial, Qt.Key.Key_Escape)
    assert session.pen is None
    assert len(asked) == 1
