"""The views as a person sees and handles them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from star_viewer.scene.benchmark import measure_turning_fps, measure_year_change_ms
from star_viewer.scene.four_views import FourViews
from star_viewer.scene.hover import HoverReading
from star_viewer.scene.pane import Pane
from star_viewer.scene.slice_pane import DragTool, SlicePane
from star_viewer.scene.state import Frame
from star_viewer.session import IncidenceMode, OverlayStyle, Session, WindowLevel
from tests.viewer.scene.conftest import coloured, grab_pixels
from tests.viewer.scene.factory import (
    HOT_MM,
    LATE_MM,
    MARK_MM,
    build_assessment,
    build_case,
    build_geometry,
    tilt,
    turn,
)

BuildViews = Callable[..., FourViews]
GRID = build_geometry()


def _position_of(pane: SlicePane, session: Session, point_mm: tuple[float, float, float]) -> tuple[int, int]:
    assert session.volume is not None
    plane = pane._plane
    assert plane is not None
    u_mm, v_mm = plane.to_screen_mm(np.array(point_mm))
    x, y = pane.screen_map(plane).to_pixel(float(u_mm), float(v_mm))
    return round(x), round(y)


def _wheel(pane: Pane, steps: int, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    middle = QPointF(pane.width() / 2, pane.height() / 2)
    event = QWheelEvent(
        middle,
        QPointF(pane.mapToGlobal(middle.toPoint())),
        QPoint(),
        QPoint(0, 120 * steps),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(pane, event)


def _drag(pane: Pane, button: Qt.MouseButton, by: QPoint) -> None:
    start = QPoint(pane.width() // 2, pane.height() // 2)
    QTest.mousePress(pane, button, pos=start)
    end = QPointF(start + by)
    move = QMouseEvent(
        QEvent.Type.MouseMove, end, pane.mapToGlobal(end), button, button, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(pane, move)
    QTest.mouseRelease(pane, button, pos=start + by)


@pytest.mark.parametrize(
    "geometry",
    [GRID, turn(GRID, (0,)), turn(GRID, (1, 2)), turn(GRID, (0, 2), (2, 1, 0)), turn(GRID, (), (1, 2, 0))],
    ids=["plain", "reversed-slices", "turned-in-plane", "sagittal-slices", "coronal-slices"],
)
def test_a_mark_in_the_patients_left_appears_on_the_right(
    build_views: BuildViews, session: Session, geometry: object
) -> None:
    views = build_views(build_case(geometry, with_masks=False))  # type: ignore[arg-type]
    session.set_crosshair((60.0, -35.0, 0.0))
    views.wait_until_drawn()
    pixels = grab_pixels(views.axial).astype(int)
    x, y = _position_of(views.axial, session, MARK_MM)
    assert x > views.axial.width() / 2
    assert y < views.axial.height() / 2
    assert pixels[y, x].min() > 240
    x, y = _position_of(views.axial, session, (-MARK_MM[0], MARK_MM[1], MARK_MM[2]))
    assert pixels[y, x].max() < 200


def test_an_oblique_scan_shows_the_mark_at_its_place(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case(tilt(GRID, 15.0), with_masks=False))
    session.set_crosshair((60.0, -35.0, 0.0))
    session.set_crosshair(MARK_MM)
    views.wait_until_drawn()
    for pane in (views.axial, views.coronal, views.sagittal):
        x, y = _position_of(pane, session, MARK_MM)
        assert grab_pixels(pane)[y + 4, x + 4].min() > 240


def test_the_risk_shows_inside_the_liver_only_and_at_its_place(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case(with_masks=False))
    session.set_assessment(build_assessment())
    session.set_year(12)
    session.set_crosshair((HOT_MM[0] + 15, HOT_MM[1] + 15, HOT_MM[2]))
    views.wait_until_drawn()
    pixels = grab_pixels(views.axial)
    x, y = _position_of(views.axial, session, HOT_MM)
    assert coloured(pixels)[y, x]
    left, top = _position_of(views.axial, session, (-98.0, -62.0, 5.0))
    right, bottom = _position_of(views.axial, session, (56.0, 50.0, 5.0))
    outside = coloured(pixels)
    outside[top - 2 : bottom + 2, left - 2 : right + 2] = False
    # The writing and the crosshair's lines are coloured too, and lie nowhere near.
    x, y = _position_of(views.axial, session, session.crosshair_mm)
    outside[:40], outside[:, x - 2 : x + 3], outside[y - 2 : y + 3] = False, False, False
    assert not outside[:, : round(views.axial.width() * 0.9)].any()


def test_a_change_of_year_changes_all_four_views_in_one_frame(
    build_views: BuildViews, session: Session, qtbot: QtBot
) -> None:
    views = build_views(build_case())
    session.set_assessment(build_assessment())
    session.set_crosshair(LATE_MM)
    views.wait_until_drawn()
    before = [grab_pixels(pane) for pane in views._panes]

    def is_year_12(frame: Frame) -> bool:
        return frame.state.year == 12

    with qtbot.waitSignal(views.frame_shown, check_params_cb=is_year_12) as shown:
        session.set_year(12)
    assert len(shown.args[0].patches) == 4
    for pane, old in zip(views._panes, before, strict=True):
        assert (grab_pixels(pane) != old).any()


def test_drawing_only_the_changed_part_gives_the_whole_picture(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case())
    session.set_assessment(build_assessment())
    session.set_crosshair(LATE_MM)
    session.set_year(9)
    views.wait_until_drawn()
    session.set_year(10)
    views.wait_until_drawn()
    in_part = [grab_pixels(pane) for pane in views._panes]
    views.resize(801, 640)
    views.wait_until_drawn()
    views.resize(800, 640)
    views.wait_until_drawn()
    for pane, part in zip(views._panes, in_part, strict=True):
        difference = np.abs(grab_pixels(pane).astype(int) - part.astype(int)).max(axis=-1)
        # A line on the border of two pixels may fall to either.
        assert np.mean(difference > 24) < 0.002


def test_annual_mode_and_overlay_style_change_the_picture(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case(with_masks=False))
    session.set_assessment(build_assessment())
    session.set_crosshair((HOT_MM[0] + 15, HOT_MM[1] + 15, HOT_MM[2]))
    session.set_year(12)
    views.wait_until_drawn()
    x, y = _position_of(views.axial, session, HOT_MM)
    assert coloured(grab_pixels(views.axial))[y, x]
    session.set_incidence_mode(IncidenceMode.ANNUAL)
    views.wait_until_drawn()
    assert not coloured(grab_pixels(views.axial))[y, x]
    session.set_incidence_mode(IncidenceMode.CUMULATIVE)
    session.set_overlay(OverlayStyle(visible=False))
    views.wait_until_drawn()
    assert not coloured(grab_pixels(views.axial))[y, x]
    session.set_overlay(OverlayStyle(opacity=1.0))
    views.wait_until_drawn()
    assert coloured(grab_pixels(views.axial))[y, x]


def test_a_withdrawn_assessment_leaves_grey_slices(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case(with_masks=False))
    session.set_assessment(build_assessment())
    session.set_crosshair((HOT_MM[0] + 15, HOT_MM[1] + 15, HOT_MM[2]))
    session.set_year(12)
    views.wait_until_drawn()
    session.set_assessment(None)
    views.wait_until_drawn()
    x, y = _position_of(views.axial, session, HOT_MM)
    assert not coloured(grab_pixels(views.axial))[y, x]


def test_outlines_lie_on_the_structures_edge(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case())
    session.set_crosshair((-65.0, 10.0, -10.0))
    views.wait_until_drawn()
    x, y = _position_of(views.axial, session, (-65.0 + 14 * 0.7071, 10.0 + 14 * 0.7071, -10.0))
    assert coloured(grab_pixels(views.axial))[y - 3 : y + 4, x - 3 : x + 4].any()


def test_the_3d_view_shows_the_structures_in_their_colours(build_views: BuildViews) -> None:
    views = build_views(build_case())
    pixels = grab_pixels(views.solid).astype(int)
    green = (pixels[..., 1] > pixels[..., 0] + 15) & (pixels[..., 1] > pixels[..., 2] + 15)
    assert green.any()
    # Seen from the front the tumour, in the patient's right, lies on the left.
    assert np.flatnonzero(green.any(axis=0)).mean() < views.solid.width() / 2


def test_the_wheel_and_keys_step_through_slices(build_views: BuildViews, session: Session, qtbot: QtBot) -> None:
    views = build_views(build_case())
    session.set_crosshair((0.0, 0.0, 2.5))
    _wheel(views.axial, 2)
    assert session.crosshair_mm == pytest.approx((0.0, 0.0, 12.5))
    qtbot.keyClick(views.axial, Qt.Key.Key_Down)
    assert session.crosshair_mm == pytest.approx((0.0, 0.0, 7.5))
    qtbot.keyClick(views.axial, Qt.Key.Key_PageUp)
    assert session.crosshair_mm == pytest.approx((0.0, 0.0, 57.5))
    qtbot.keyClick(views.coronal, Qt.Key.Key_Up)
    assert session.crosshair_mm[1] < -1


def test_keys_of_the_window_are_left_to_it(build_views: BuildViews, session: Session, qtbot: QtBot) -> None:
    views = build_views(build_case())
    start_mm = session.crosshair_mm
    for pane in views._panes:
        qtbot.keyClick(pane, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
        qtbot.keyClick(pane, Qt.Key.Key_Space)
        qtbot.keyClick(pane, Qt.Key.Key_3)
    assert session.crosshair_mm == start_mm
    assert views.maximised is None


def test_a_click_aims_and_a_drag_follows(build_views: BuildViews, session: Session, qtbot: QtBot) -> None:
    views = build_views(build_case())
    x, y = _position_of(views.axial, session, MARK_MM)
    qtbot.mouseClick(views.axial, Qt.MouseButton.LeftButton, pos=QPoint(x, y))
    assert session.crosshair_mm[0] == pytest.approx(MARK_MM[0], abs=1.0)
    assert session.crosshair_mm[1] == pytest.approx(MARK_MM[1], abs=1.0)
    _drag(views.axial, Qt.MouseButton.LeftButton, QPoint(30, 0))
    assert session.crosshair_mm[0] > 5


def test_a_click_outside_the_scan_aims_at_its_edge(build_views: BuildViews, session: Session, qtbot: QtBot) -> None:
    views = build_views(build_case())
    qtbot.mouseClick(views.axial, Qt.MouseButton.LeftButton, pos=QPoint(1, 1))
    assert session.volume is not None
    index = session.volume.geometry.lps_to_index(np.array(session.crosshair_mm))
    assert (index >= -1e-6).all()


def test_right_drag_changes_the_window(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case())
    before = session.window_level
    _drag(views.sagittal, Qt.MouseButton.RightButton, QPoint(40, -20))
    assert session.window_level.width_hu > before.width_hu
    assert session.window_level.centre_hu > before.centre_hu


def test_the_window_tool_takes_the_left_button(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case())
    before_mm = session.crosshair_mm
    views.set_tool(DragTool.WINDOW_LEVEL)
    _drag(views.axial, Qt.MouseButton.LeftButton, QPoint(40, 0))
    assert session.crosshair_mm == before_mm
    assert session.window_level.width_hu > 400


def test_a_narrower_window_brightens_the_liver(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case(with_masks=False))
    session.set_crosshair((-20.0, 15.0, 0.0))
    views.wait_until_drawn()
    x, y = _position_of(views.axial, session, (-50.0, -10.0, 0.0))
    before = int(grab_pixels(views.axial)[y, x, 0])
    session.set_window_level(WindowLevel(40, 100))
    views.wait_until_drawn()
    assert int(grab_pixels(views.axial)[y, x, 0]) > before + 30


def test_ctrl_wheel_zooms_middle_drag_pans_and_r_resets(
    build_views: BuildViews, session: Session, qtbot: QtBot
) -> None:
    views = build_views(build_case())
    start_mm = session.crosshair_mm
    _wheel(views.axial, 3, Qt.KeyboardModifier.ControlModifier)
    assert views.axial.camera.zoom > 1.3
    assert session.crosshair_mm == start_mm
    _drag(views.axial, Qt.MouseButton.MiddleButton, QPoint(25, 0))
    assert views.axial.camera.pan_mm[0] < 0
    qtbot.keyClick(views.axial, Qt.Key.Key_R)
    assert views.axial.camera.zoom == 1.0
    assert views.axial.camera.pan_mm == (0.0, 0.0)


def test_turning_the_model_changes_the_picture_and_ends_sharp(
    build_views: BuildViews, session: Session, qtbot: QtBot
) -> None:
    views = build_views(build_case())
    session.set_assessment(build_assessment())
    views.wait_until_drawn()
    before = grab_pixels(views.solid)
    with qtbot.waitSignal(views.frame_shown, check_params_cb=lambda frame: frame.state.draft):
        _drag(views.solid, Qt.MouseButton.LeftButton, QPoint(60, 20))
    with qtbot.waitSignal(views.frame_shown, check_params_cb=lambda frame: not frame.state.draft):
        pass
    assert (grab_pixels(views.solid) != before).any()


def test_a_double_click_fills_the_space_and_does_not_aim(
    build_views: BuildViews, session: Session, qtbot: QtBot
) -> None:
    views = build_views(build_case())
    aimed_mm = session.crosshair_mm
    qtbot.mouseClick(views.axial, Qt.MouseButton.LeftButton, pos=QPoint(90, 90))
    session.set_crosshair(aimed_mm)
    qtbot.mouseDClick(views.axial, Qt.MouseButton.LeftButton, pos=QPoint(90, 90))
    views.wait_until_drawn()
    assert views.maximised == views.axial.name
    assert views.axial.size() == views.size()
    assert not views.coronal.isVisible()
    assert session.crosshair_mm == pytest.approx(aimed_mm)
    qtbot.keyClick(views.axial, Qt.Key.Key_Escape)
    views.wait_until_drawn()
    assert views.coronal.isVisible()


def test_hovering_reads_hu_risk_and_structure(build_views: BuildViews, session: Session, qtbot: QtBot) -> None:
    views = build_views(build_case())
    session.set_assessment(build_assessment())
    session.set_crosshair((0.0, 0.0, -10.0))
    views.wait_until_drawn()
    x, y = _position_of(views.axial, session, (-65.0, 10.0, -10.0))
    with qtbot.waitSignal(views.hovered, check_params_cb=lambda reading: reading is not None) as told:
        qtbot.mouseMove(views.axial, pos=QPoint(x, y))
    reading = told.args[0]
    assert isinstance(reading, HoverReading)
    assert reading.hu == 105
    assert reading.structure == "tumour"
    assert reading.point_mm[0] == pytest.approx(-65.0, abs=1.0)


def test_without_a_case_nothing_is_drawn_and_a_closed_case_is_cleared(
    build_views: BuildViews, session: Session
) -> None:
    views = build_views()
    assert views._drawer._thread is None
    empty = grab_pixels(views.axial)
    case = build_case()
    session.set_case(case)
    views.wait_until_drawn()
    assert (grab_pixels(views.axial) != empty).any()
    session.set_case(None)
    views.wait_until_drawn()
    assert (grab_pixels(views.solid) == grab_pixels(views.solid)[0, 0]).all()
    session.set_case(case)
    assert views.wait_until_drawn()
    assert (grab_pixels(views.axial) != empty).any()


def test_a_picture_for_export_has_the_widgets_size(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case())
    picture = views.grab_picture()
    assert (picture.width(), picture.height()) == (800, 640)


def test_hidden_views_can_be_pictured(qtbot: QtBot, session: Session) -> None:
    session.set_case(build_case())
    views = FourViews(session)
    qtbot.addWidget(views)
    views.resize(600, 400)
    picture = views.grab_picture()
    views.finalise()
    assert picture.width() == 600
    assert picture.pixelColor(150, 100).lightness() > 60


def test_the_views_also_draw_without_a_thread_of_their_own(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case(), threaded=False)
    x, y = _position_of(views.axial, session, MARK_MM)
    assert views._drawer._thread is None
    assert grab_pixels(views.axial)[y, x].min() > 200


def test_every_view_is_reached_by_tab_and_has_a_name(build_views: BuildViews) -> None:
    views = build_views(build_case())
    names = {pane.accessibleName() for pane in views._panes}
    assert names == {"axial slice view", "sagittal slice view", "coronal slice view", "3D view"}
    assert all(pane.focusPolicy() & Qt.FocusPolicy.TabFocus for pane in views._panes)


def test_nothing_is_asked_for_after_the_end(build_views: BuildViews, session: Session, qtbot: QtBot) -> None:
    views = build_views(build_case())
    views.finalise()
    session.set_year(5)
    session.set_crosshair((1.0, 2.0, 3.0))
    with qtbot.assertNotEmitted(views.frame_shown, wait=60):
        pass


def test_the_measures_of_speed_measure(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case())
    session.set_assessment(build_assessment())
    assert all(0 < duration_ms < 5000 for duration_ms in measure_year_change_ms(views, rounds=1))
    assert measure_turning_fps(views, frames=3) > 0
