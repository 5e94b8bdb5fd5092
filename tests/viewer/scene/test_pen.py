"""Drawing on slices with mouse and keys: what is drawn lies where the hand was, and every change can be undone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from star_core.imaging.annotations import AnnotationKind
from star_core.imaging.measure import compute_measurement
from star_core.types import Case
from star_viewer.scene.four_views import FourViews
from star_viewer.scene.pen import LabelEditor
from star_viewer.scene.slice_pane import SlicePane
from star_viewer.session import Session
from tests.viewer.scene.conftest import grab_pixels
from tests.viewer.scene.factory import build_case, build_geometry, tilt

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
Build = Callable[[Case | None], FourViews]


@pytest.fixture
def views(build_views: Build, session: Session) -> FourViews:
    return build_views(build_case())


@pytest.fixture
def axial(views: FourViews) -> SlicePane:
    views.axial.setFocus()
    return views.axial


def drag(pane: SlicePane, *places: tuple[float, float]) -> None:
    """Press at the first place, go over the others, let go at the last."""
    points = [QPointF(*place) for place in places]
    _send(pane, QEvent.Type.MouseButtonPress, points[0], LEFT)
    for point in points[1:]:
        _send(pane, QEvent.Type.MouseMove, point, LEFT)
    _send(pane, QEvent.Type.MouseButtonRelease, points[-1], Qt.MouseButton.NoButton)


def _send(pane: SlicePane, kind: QEvent.Type, point: QPointF, down: Qt.MouseButton) -> None:
    button = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseMove else LEFT
    QApplication.sendEvent(pane, QMouseEvent(kind, point, pane.mapToGlobal(point), button, down, NONE))


def click(pane: SlicePane, x: float, y: float) -> None:
    _send(pane, QEvent.Type.MouseMove, QPointF(x, y), Qt.MouseButton.NoButton)
    drag(pane, (x, y))


def mm_between(pane: SlicePane, first: tuple[float, float], second: tuple[float, float]) -> float:
    ends = [np.array(pane.point_at(QPointF(*place))) for place in (first, second)]
    return float(np.linalg.norm(ends[1] - ends[0]))


def draw_distance(pane: SlicePane, session: Session) -> None:
    session.set_pen(AnnotationKind.DISTANCE)
    drag(pane, (100, 100), (130, 120), (160, 140))


def test_a_distance_is_dragged_from_end_to_end(axial: SlicePane, session: Session) -> None:
    before = session.crosshair_mm
    draw_distance(axial, session)
    (drawn,) = session.annotations
    assert session.measure(drawn).length_mm == pytest.approx(mm_between(axial, (100, 100), (160, 140)), abs=1e-3)
    assert session.crosshair_mm == before
    assert session.pen is None
    assert session.selected is drawn
    assert session.history.undo_text == "draw the distance"


def test_a_distance_is_clicked_from_end_to_end(axial: SlicePane, session: Session) -> None:
    session.set_pen(AnnotationKind.DISTANCE)
    click(axial, 100, 100)
    assert session.annotations == ()
    click(axial, 180, 100)
    (drawn,) = session.annotations
    assert session.measure(drawn).length_mm == pytest.approx(mm_between(axial, (100, 100), (180, 100)), abs=1e-3)


def test_an_angle_takes_three_clicks(axial: SlicePane, session: Session) -> None:
    session.set_pen(AnnotationKind.ANGLE)
    for place in ((160, 100), (100, 100), (100, 160)):
        click(axial, *place)
    (drawn,) = session.annotations
    assert session.measure(drawn).angle_deg == pytest.approx(90.0, abs=1e-3)


def test_an_ellipse_measures_the_slice_that_is_shown(axial: SlicePane, session: Session) -> None:
    session.set_pen(AnnotationKind.ELLIPSE)
    drag(axial, (100, 100), (150, 150))
    (drawn,) = session.annotations
    assert session.volume is not None
    measured = compute_measurement(drawn, session.volume)
    width_mm = mm_between(axial, (100, 100), (150, 100))
    assert measured.area_mm2 == pytest.approx(np.pi / 4 * width_mm**2, rel=1e-3)
    assert measured.hu is not None
    index = session.volume.geometry.lps_to_index(np.array(drawn.centre_mm))
    assert index[0] == pytest.approx(round(index[0]), abs=1e-3)


def test_a_region_is_drawn_freehand_and_closes_by_itself(axial: SlicePane, session: Session) -> None:
    session.set_pen(AnnotationKind.FREEHAND)
    around = [(130 + 40 * np.cos(a), 130 + 40 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 60)]
    drag(axial, *around)
    (drawn,) = session.annotations
    radius_mm = mm_between(axial, (130, 130), (170, 130))
    assert session.measure(drawn).area_mm2 == pytest.approx(np.pi * radius_mm**2, rel=0.02)


def test_an_arrow_points_to_where_it_was_begun(axial: SlicePane, session: Session) -> None:
    session.set_pen(AnnotationKind.ARROW)
    tip = axial.point_at(QPointF(120, 110))
    drag(axial, (120, 110), (180, 60))
    (drawn,) = session.annotations
    assert drawn.points_mm[0] == pytest.approx(tip, abs=1e-3)


def test_text_is_typed_where_it_stands(qtbot: QtBot, axial: SlicePane, session: Session) -> None:
    session.set_pen(AnnotationKind.TEXT)
    click(axial, 140, 120)
    editor = axial.findChild(LabelEditor)
    qtbot.keyClicks(editor, "cyst, segment 4")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    (drawn,) = session.annotations
    assert drawn.label == "cyst, segment 4"
    assert axial.window().focusWidget() is axial


def test_text_without_a_word_is_nothing(qtbot: QtBot, axial: SlicePane, session: Session) -> None:
    session.set_pen(AnnotationKind.TEXT)
    click(axial, 140, 120)
    qtbot.keyClick(axial.findChild(LabelEditor), Qt.Key.Key_Escape)
    assert session.annotations == ()
    assert session.history.undo_text == ""


def test_a_handle_moves_one_point_and_the_line_moves_all(axial: SlicePane, session: Session) -> None:
    draw_distance(axial, session)
    (before,) = session.annotations
    drag(axial, (160, 140), (170, 150), (200, 160))
    (longer,) = session.annotations
    assert longer.points_mm[0] == before.points_mm[0]
    assert longer.points_mm[1] == pytest.approx(axial.point_at(QPointF(200, 160)), abs=1e-3)
    drag(axial, (150, 130), (150, 160))
    (moved,) = session.annotations
    shift = np.subtract(moved.points_mm, longer.points_mm)
    assert shift[0] == pytest.approx(shift[1], abs=1e-3)
    assert np.linalg.norm(shift[0]) == pytest.approx(mm_between(axial, (150, 130), (150, 160)), abs=1e-2)
    session.history.undo()
    assert session.annotations == (longer,)
    session.history.undo()
    assert session.annotations == (before,)


def test_escape_takes_a_drag_back(qtbot: QtBot, axial: SlicePane, session: Session) -> None:
    draw_distance(axial, session)
    before = session.annotations
    _send(axial, QEvent.Type.MouseButtonPress, QPointF(160, 140), LEFT)
    _send(axial, QEvent.Type.MouseMove, QPointF(190, 190), LEFT)
    assert session.annotations != before
    qtbot.keyClick(axial, Qt.Key.Key_Escape)
    _send(axial, QEvent.Type.MouseMove, QPointF(195, 195), LEFT)
    _send(axial, QEvent.Type.MouseButtonRelease, QPointF(195, 195), Qt.MouseButton.NoButton)
    assert session.annotations == before
    assert session.history.undo_text == "draw the distance"


def test_escape_leaves_off_then_lets_go_of_the_pen(qtbot: QtBot, axial: SlicePane, session: Session) -> None:
    session.set_pen(AnnotationKind.ANGLE)
    click(axial, 100, 100)
    assert axial.pen.draft is not None
    qtbot.keyClick(axial, Qt.Key.Key_Escape)
    assert axial.pen.draft is None
    assert session.pen is AnnotationKind.ANGLE
    qtbot.keyClick(axial, Qt.Key.Key_Escape)
    assert session.pen is None


def test_delete_removes_what_is_selected_and_undo_brings_it_back(
    qtbot: QtBot, axial: SlicePane, session: Session
) -> None:
    draw_distance(axial, session)
    before = session.annotations
    qtbot.keyClick(axial, Qt.Key.Key_Delete)
    assert session.annotations == ()
    session.history.undo()
    assert session.annotations == before


def test_a_click_selects_and_one_beside_lets_go(axial: SlicePane, session: Session) -> None:
    draw_distance(axial, session)
    click(axial, 220, 60)
    assert session.selected is None
    before = session.crosshair_mm
    click(axial, 130, 120)
    assert session.selected is not None
    assert session.crosshair_mm == before


def test_a_double_click_renames_in_place(qtbot: QtBot, axial: SlicePane, session: Session) -> None:
    draw_distance(axial, session)
    qtbot.mouseDClick(axial, LEFT, pos=QPoint(130, 120))
    editor = axial.findChild(LabelEditor)
    qtbot.keyClicks(editor, "largest")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert session.annotations[0].label == "largest"
    assert session.history.undo_text == "rename the distance"


def test_everything_is_drawn_by_keys_too(qtbot: QtBot, axial: SlicePane, session: Session) -> None:
    session.set_pen(AnnotationKind.DISTANCE)
    qtbot.keyClick(axial, Qt.Key.Key_Return)
    qtbot.keyClick(axial, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(axial, Qt.Key.Key_Right)
    qtbot.keyClick(axial, Qt.Key.Key_Return)
    (drawn,) = session.annotations
    assert session.measure(drawn).length_mm == pytest.approx(11 * 2.5, abs=1e-2)


def test_a_region_is_drawn_by_keys_and_closed_by_a_second_enter(
    qtbot: QtBot, axial: SlicePane, session: Session
) -> None:
    session.set_pen(AnnotationKind.FREEHAND)
    shift = Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(axial, Qt.Key.Key_Return)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Left):
        qtbot.keyClick(axial, key, shift)
        qtbot.keyClick(axial, Qt.Key.Key_Return)
    qtbot.keyClick(axial, Qt.Key.Key_Return)
    (drawn,) = session.annotations
    assert session.measure(drawn).area_mm2 == pytest.approx(25.0**2, rel=1e-2)


def test_keys_move_what_is_selected_by_a_pixel(qtbot: QtBot, axial: SlicePane, session: Session) -> None:
    draw_distance(axial, session)
    (before,) = session.annotations
    qtbot.keyClick(axial, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    (moved,) = session.annotations
    assert np.subtract(moved.points_mm, before.points_mm) == pytest.approx(np.array([[2.5, 0.0, 0.0]] * 2))


def test_what_is_drawn_shows_on_its_slice_alone(views: FourViews, axial: SlicePane, session: Session) -> None:
    empty = grab_pixels(axial)
    draw_distance(axial, session)
    session.select("")
    drawn = grab_pixels(axial)
    assert (drawn != empty).any()
    axial.scroll_by(1)
    assert views.wait_until_drawn()
    beside = grab_pixels(axial)
    session.set_annotations(())
    assert np.array_equal(grab_pixels(axial), beside)
    assert not views.coronal.shows(axial.shown_plane())  # type: ignore[arg-type]


def test_a_drawing_does_not_go_on_on_another_slice(axial: SlicePane, session: Session) -> None:
    session.set_pen(AnnotationKind.DISTANCE)
    click(axial, 100, 100)
    axial.scroll_by(2)
    click(axial, 150, 100)
    assert session.annotations == ()
    click(axial, 180, 100)
    (drawn,) = session.annotations
    assert axial.shows(drawn.plane)


def test_drawings_lie_right_on_a_tilted_grid(build_views: Build, session: Session) -> None:
    views = build_views(build_case(tilt(build_geometry(), 20.0)))
    session.set_pen(AnnotationKind.ELLIPSE)
    drag(views.axial, (100, 100), (150, 150))
    (drawn,) = session.annotations
    measured = session.measure(drawn)
    assert measured.hu is not None
    assert measured.area_mm2 is not None
    assert measured.hu.pixel_count == pytest.approx(measured.area_mm2 / 2.5**2, rel=0.15)
    pixel = views.axial.pixel_of(drawn.points_mm[0])
    assert (pixel.x(), pixel.y()) == pytest.approx((100, 100), abs=0.01)


def test_another_case_ends_the_drawing(axial: SlicePane, session: Session) -> None:
    session.set_pen(AnnotationKind.ANGLE)
    click(axial, 100, 100)
    session.set_case(build_case())
    assert axial.pen.draft is None
    assert session.pen is None
