"""Painting and clicking structures on slices, with mouse and keys."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from star_core.types import Case, Structure
from star_viewer.mask_tools import MaskTool, Stroke
from star_viewer.scene.four_views import FourViews
from star_viewer.scene.orientation import SliceKind
from star_viewer.scene.slice_pane import SlicePane
from star_viewer.session import Session
from tests.viewer.scene.conftest import coloured, grab_pixels
from tests.viewer.scene.factory import build_case

LEFT, RIGHT, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton, Qt.MouseButton.NoButton
SHIFT, PLAIN = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.NoModifier
Build = Callable[[Case | None], FourViews]


@pytest.fixture
def views(build_views: Build, session: Session) -> FourViews:
    return build_views(build_case())


@pytest.fixture
def axial(views: FourViews) -> SlicePane:
    views.axial.setFocus()
    return views.axial


@pytest.fixture
def strokes(session: Session) -> list[Stroke]:
    drawn: list[Stroke] = []
    session.mask_tools.drawn.connect(drawn.append)
    return drawn


def _send(pane: SlicePane, kind: QEvent.Type, place: tuple[float, float], button: Qt.MouseButton, shift: bool) -> None:
    point = QPointF(*place)
    down = NONE if kind is QEvent.Type.MouseButtonRelease else button
    what = NONE if kind is QEvent.Type.MouseMove else button
    event = QMouseEvent(kind, point, pane.mapToGlobal(point), what, down, SHIFT if shift else PLAIN)
    QApplication.sendEvent(pane, event)


def paint(
    pane: SlicePane,
    *places: tuple[float, float],
    button: Qt.MouseButton = LEFT,
    shift: bool = False,
    hold: bool = False,
) -> None:
    """Press at the first place, go over the others, let go at the last unless the hand holds."""
    _send(pane, QEvent.Type.MouseButtonPress, places[0], button, shift)
    for place in places[1:]:
        _send(pane, QEvent.Type.MouseMove, place, button, shift)
    if not hold:
        _send(pane, QEvent.Type.MouseButtonRelease, places[-1], button, shift)


def test_a_stroke_is_handed_over_when_the_hand_lets_go(
    axial: SlicePane, session: Session, strokes: list[Stroke]
) -> None:
    session.set_pen(MaskTool.BRUSH)
    before = session.crosshair_mm
    paint(axial, (100, 100), (130, 100), (160, 120), hold=True)
    assert strokes == []
    assert axial.mask_pen.stroke is not None
    _send(axial, QEvent.Type.MouseButtonRelease, (160, 120), LEFT, False)
    (stroke,) = strokes
    assert stroke.tool is MaskTool.BRUSH
    assert stroke.slice_axis == 0
    assert stroke.path_mm[0] == pytest.approx(axial.point_at(QPointF(100, 100)))
    assert stroke.path_mm[-1] == pytest.approx(axial.point_at(QPointF(160, 120)))
    assert session.crosshair_mm == before
    assert session.pen is MaskTool.BRUSH


@pytest.mark.parametrize(("button", "shift"), [(RIGHT, False), (LEFT, True)], ids=["right button", "Shift"])
def test_the_brush_erases_with(
    axial: SlicePane, session: Session, strokes: list[Stroke], button: Qt.MouseButton, shift: bool
) -> None:
    session.set_pen(MaskTool.BRUSH)
    window = session.window_level
    paint(axial, (100, 100), (130, 100), button=button, shift=shift)
    assert [stroke.tool for stroke in strokes] == [MaskTool.ERASER]
    assert session.window_level == window


def test_the_trail_is_seen_at_once_and_stays_until_it_is_part_of_the_structure(
    axial: SlicePane, session: Session
) -> None:
    session.set_pen(MaskTool.BRUSH)
    session.mask_tools.change(structure=Structure.TUMOUR, radius_mm=10.0)
    before = coloured(grab_pixels(axial)).sum()
    paint(axial, (60, 60), (110, 60), hold=True)
    held = coloured(grab_pixels(axial)).sum()
    assert held > before + 500
    _send(axial, QEvent.Type.MouseButtonRelease, (110, 60), LEFT, False)
    assert coloured(grab_pixels(axial)).sum() > before + 500
    session.mask_tools.settle()
    assert coloured(grab_pixels(axial)).sum() < before + 500


def test_a_click_tool_takes_a_click(axial: SlicePane, session: Session, strokes: list[Stroke]) -> None:
    session.set_pen(MaskTool.ADD_LIVER)
    paint(axial, (120, 130))
    (stroke,) = strokes
    assert stroke.structure is Structure.LIVER
    assert stroke.path_mm == (pytest.approx(axial.point_at(QPointF(120, 130))),)


def test_keys_move_the_crosshair_dab_and_lay_the_tool_down(
    qtbot: QtBot, axial: SlicePane, session: Session, strokes: list[Stroke]
) -> None:
    session.set_pen(MaskTool.BRUSH)
    before = np.array(session.crosshair_mm)
    qtbot.keyClick(axial, Qt.Key.Key_Right)
    moved = np.array(session.crosshair_mm) - before
    assert abs(moved[0]) == pytest.approx(2.5, abs=0.01)
    qtbot.keyClick(axial, Qt.Key.Key_Return)
    qtbot.keyClick(axial, Qt.Key.Key_Return, SHIFT)
    assert [stroke.tool for stroke in strokes] == [MaskTool.BRUSH, MaskTool.ERASER]
    assert strokes[0].path_mm[0] == pytest.approx(session.crosshair_mm, abs=0.01)
    qtbot.keyClick(axial, Qt.Key.Key_Escape)
    assert session.pen is None


def test_shift_and_the_wheel_change_the_brush_and_the_wheel_alone_scrolls(axial: SlicePane, session: Session) -> None:
    session.set_pen(MaskTool.BRUSH)

    def turn(modifiers: Qt.KeyboardModifier) -> None:
        place = QPointF(100, 100)
        QApplication.sendEvent(
            axial,
            QWheelEvent(
                place, axial.mapToGlobal(place), QPoint(), QPoint(0, 120), NONE, modifiers,
                Qt.ScrollPhase.NoScrollPhase, False,
            ),
        )  # fmt: skip

    radius_mm, crosshair_mm = session.mask_tools.style.radius_mm, session.crosshair_mm
    turn(SHIFT)
    assert session.mask_tools.style.radius_mm > radius_mm
    assert session.crosshair_mm == crosshair_mm
    turn(PLAIN)
    assert session.crosshair_mm != crosshair_mm


def test_a_stroke_across_the_grid_keeps_its_slice_by_the_normal(
    views: FourViews, axial: SlicePane, session: Session, strokes: list[Stroke]
) -> None:
    views.turn_planes(SliceKind.SAGITTAL, 20.0)
    session.set_pen(MaskTool.BRUSH)
    paint(axial, (100, 100), (130, 100))
    (stroke,) = strokes
    assert stroke.slice_axis is None
    assert abs(float(np.array(stroke.plane.normal)[2])) == pytest.approx(np.cos(np.deg2rad(20.0)), abs=1e-3)


def test_another_tool_drops_what_is_being_painted(axial: SlicePane, session: Session, strokes: list[Stroke]) -> None:
    session.set_pen(MaskTool.BRUSH)
    paint(axial, (100, 100), (130, 100), hold=True)
    session.set_pen(None)
    _send(axial, QEvent.Type.MouseButtonRelease, (130, 100), LEFT, False)
    assert strokes == []
