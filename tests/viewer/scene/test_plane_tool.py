"""The cutting plane on slices: its line lies where the plane does, and follows hand and keys."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from star_core.imaging.editing.remnant import CuttingPlane
from star_core.types import Case, PointMm
from star_viewer.scene.four_views import FourViews
from star_viewer.scene.plane_line import find_line, flip_plane
from star_viewer.scene.plane_pen import PlanePen
from star_viewer.scene.plane_tool import PlaneTool
from star_viewer.scene.slice_pane import SlicePane
from star_viewer.session import Session
from tests.viewer.scene.factory import build_case
from tests.viewer.scene.test_pen import LEFT, _send, drag

SAGITTAL = CuttingPlane(point_mm=(-20.0, 0.0, 0.0), normal=(-1.0, 0.0, 0.0))
OBLIQUE = CuttingPlane(point_mm=(-20.0, 5.0, 8.0), normal=(-1.0, 0.4, 0.3))
Build = Callable[[Case | None], FourViews]


@pytest.fixture
def views(build_views: Build, session: Session) -> FourViews:
    views = build_views(build_case())
    for pane in views.slice_panes:
        pane.tools.append(PlaneTool(pane))
    session.anatomy.set_plane(SAGITTAL)
    views.axial.setFocus()
    return views


def pixel(pane: SlicePane, point_mm: PointMm) -> tuple[float, float]:
    at = pane.pixel_of(point_mm)
    return at.x(), at.y()


def test_the_line_lies_in_the_plane_and_on_the_slice(views: FourViews, session: Session) -> None:
    views.turn_planes(views.axial.kind, 25.0)
    for pane in views.slice_panes:
        shown = pane.shown_plane()
        assert shown is not None
        line = find_line(OBLIQUE, shown)
        assert line is not None
        for distance_mm in (-40.0, 0.0, 70.0):
            point = np.array(line.at(distance_mm))
            assert (point - OBLIQUE.point_mm) @ OBLIQUE.normal == pytest.approx(0.0, abs=1e-6)
            assert (point - shown.origin_mm) @ shown.normal == pytest.approx(0.0, abs=1e-6)
        assert np.array(line.removed) @ OBLIQUE.normal > 0
        assert find_line(flip_plane(OBLIQUE), shown) is not None


def test_a_plane_along_the_slice_has_no_line_there(views: FourViews) -> None:
    shown = views.sagittal.shown_plane()
    assert shown is not None
    assert find_line(SAGITTAL, shown) is None


def test_the_line_is_dragged_across(views: FourViews, session: Session) -> None:
    x, y = pixel(views.axial, (-20.0, 0.0, 0.0))
    wanted_x, _ = pixel(views.axial, (-45.0, 0.0, 0.0))
    aimed_mm = session.crosshair_mm
    drag(views.axial, (x, y), (x - 3, y), (wanted_x, y))
    plane = session.anatomy.plane
    assert plane is not None
    assert plane.point_mm[0] == pytest.approx(-45.0, abs=1.0)
    assert plane.normal == SAGITTAL.normal
    assert session.crosshair_mm == aimed_mm


def test_an_end_turns_the_plane_about_the_middle(views: FourViews, session: Session) -> None:
    pane = views.axial
    shown = pane.shown_plane()
    assert shown is not None
    line = find_line(SAGITTAL, shown)
    assert line is not None
    end_mm = np.array(line.at(55.0))
    target_mm = np.array(line.point_mm) + np.linalg.norm(end_mm - line.point_mm) * np.array(line.along) @ _turn(30.0)
    drag(pane, pixel(pane, line.at(55.0)), pixel(pane, (*target_mm.tolist(),)))
    plane = session.anatomy.plane
    assert plane is not None
    cosine = float(np.array(plane.normal) @ np.array(SAGITTAL.normal))
    assert np.degrees(np.arccos(cosine)) == pytest.approx(30.0, abs=2.0)
    np.testing.assert_allclose(plane.point_mm, line.point_mm, atol=1e-6)
    assert abs((target_mm - np.array(plane.point_mm)) @ np.array(plane.normal)) < 2.0


def _turn(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


def test_escape_leaves_a_drag_off(views: FourViews, session: Session) -> None:
    x, y = pixel(views.axial, (-20.0, 0.0, 0.0))
    _send(views.axial, QEvent.Type.MouseButtonPress, QPointF(x, y), LEFT)
    _send(views.axial, QEvent.Type.MouseMove, QPointF(x + 40, y), LEFT)
    assert session.anatomy.plane != SAGITTAL
    QTest.keyClick(views.axial, Qt.Key.Key_Escape)
    assert session.anatomy.plane == SAGITTAL


def test_keys_move_turn_and_cut(qtbot: QtBot, views: FourViews, session: Session) -> None:
    session.set_pen(PlanePen.PLANE)
    QTest.keyClick(views.axial, Qt.Key.Key_Left)
    plane = session.anatomy.plane
    assert plane is not None
    assert plane.point_mm[0] == pytest.approx(-22.5)
    QTest.keyClick(views.axial, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    turned = session.anatomy.plane
    assert turned is not None
    cosine = float(np.array(turned.normal) @ np.array(SAGITTAL.normal))
    assert np.degrees(np.arccos(cosine)) == pytest.approx(2.0, abs=0.01)
    with qtbot.waitSignal(session.anatomy.cut_asked):
        QTest.keyClick(views.axial, Qt.Key.Key_Return)
    QTest.keyClick(views.axial, Qt.Key.Key_Escape)
    assert session.pen is None


def test_away_from_the_line_the_slice_takes_the_mouse(views: FourViews, session: Session) -> None:
    x, y = pixel(views.axial, (60.0, 20.0, 0.0))
    drag(views.axial, (x, y))
    assert session.crosshair_mm[0] == pytest.approx(60.0, abs=2.0)
    assert session.anatomy.plane == SAGITTAL
