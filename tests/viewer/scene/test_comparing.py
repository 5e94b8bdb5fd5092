"""A later CT beside, over and against the first one, as a person sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt
from pytestqt.qtbot import QtBot

from star_core.imaging.annotations import AnnotationKind
from star_core.types.registration import build_motion
from star_viewer.display import Comparison, Layout
from star_viewer.scene.colours import build_difference_table
from star_viewer.scene.four_views import FourViews
from star_viewer.scene.hover import read_at
from star_viewer.scene.layouts import place_pairs
from star_viewer.scene.orientation import SliceKind
from star_viewer.scene.slice_pane import SlicePane
from star_viewer.scene.state import SOLID, LaterView
from star_viewer.session import LaterScan, Session, WindowLevel
from tests.viewer.scene.factory import HOT_MM, MARK_MM, build_assessment, build_case

BuildViews = Callable[..., FourViews]
INSIDE_MM = (-40.0, -5.0, 5.0)


def build_later(*, brighter_hu: int = 100, motion: NDArray[np.float64] | None = None) -> LaterScan:
    """The first CT with a brighter liver, its mark gone, and nothing in its uppermost part."""
    volume = build_case().baseline_scan
    voxels = volume.voxels_hu.copy()
    voxels[voxels == 105] += brighter_hu
    voxels[voxels == 900] = 20
    voxels[-4:] = -2048
    later = replace(volume, voxels_hu=voxels, series_uid="1.2.5")
    return LaterScan(later, np.eye(4) if motion is None else motion, "2026-01-31, year 2")


def _pixel(pane: SlicePane, point_mm: tuple[float, float, float]) -> list[int]:
    assert pane._picture is not None
    place = pane.pixel_of(point_mm)
    return [int(value) for value in pane._picture[round(place.y()), round(place.x()), :3]]


def _show(views: FourViews, session: Session, comparison: Comparison, **style: object) -> None:
    session.display.change(comparison=comparison, **style)
    assert views.wait_until_drawn()


@pytest.fixture
def views(build_views: BuildViews, session: Session) -> FourViews:
    views = build_views(build_case())
    session.set_window_level(WindowLevel(100, 400))
    session.set_crosshair((90.0, 60.0, 0.0))
    session.set_later(build_later())
    assert views.wait_until_drawn()
    return views


def test_the_later_ct_takes_the_place_of_the_first_and_fades_over_it(views: FourViews, session: Session) -> None:
    _show(views, session, Comparison.FIRST)
    first = _pixel(views.axial, INSIDE_MM)[0]
    _show(views, session, Comparison.LATER)
    later = _pixel(views.axial, INSIDE_MM)[0]
    assert later - first == pytest.approx(100 / 400 * 255, abs=3)
    for fade in (0.0, 0.5, 1.0):
        _show(views, session, Comparison.FADE, fade=fade)
        assert _pixel(views.axial, INSIDE_MM)[0] == pytest.approx(first + fade * (later - first), abs=3)


def test_a_difference_is_red_where_the_later_is_brighter_and_blue_where_it_is_darker(
    views: FourViews, session: Session
) -> None:
    session.set_overlay(replace(session.overlay, visible=True))
    session.set_assessment(build_assessment())
    _show(views, session, Comparison.DIFFERENCE)
    table = build_difference_table(255).astype(int)
    assert _pixel(views.axial, INSIDE_MM) == pytest.approx(table[127 + 64].tolist(), abs=6)
    assert _pixel(views.axial, MARK_MM) == pytest.approx(table[0].tolist(), abs=6)
    assert min(_pixel(views.axial, (0.0, -70.0, 0.0))) > 235
    top_mm = session.volume.geometry.index_to_lps(np.array([31.0, 40.0, 48.0]))  # type: ignore[union-attr]
    session.set_crosshair(tuple(map(float, top_mm)))  # type: ignore[arg-type]
    assert views.wait_until_drawn()
    assert max(_pixel(views.axial, (0.0, 0.0, float(top_mm[2])))) < 40


def test_without_a_later_ct_the_first_is_seen_however_it_is_compared(views: FourViews, session: Session) -> None:
    _show(views, session, Comparison.FIRST)
    first = views.axial._picture.copy()  # type: ignore[union-attr]
    _show(views, session, Comparison.SIDE)
    session.set_later(None)
    assert views.wait_until_drawn()
    assert views.solid.isVisible()
    np.testing.assert_array_equal(views.axial._picture, first)


def test_side_by_side_the_same_place_lies_at_the_same_pixel_of_both(
    views: FourViews, session: Session, qtbot: QtBot
) -> None:
    _show(views, session, Comparison.SIDE)
    later = views._later_panes[0]
    assert {str(pane.name) for pane in views._all_panes if pane.isVisible()} == {
        *map(str, SliceKind),
        *map(str, LaterView),
    }
    assert later.size() == views.axial.size()
    assert _pixel(later, INSIDE_MM)[0] - _pixel(views.axial, INSIDE_MM)[0] == pytest.approx(64, abs=3)
    later.zoom(2.0, QPointF(30, 30))
    assert views.wait_until_drawn()
    assert views.axial.camera == later.camera
    assert later.pixel_of(MARK_MM) == views.axial.pixel_of(MARK_MM)
    middle = QPointF(later.rect().center())
    session.set_pen(AnnotationKind.DISTANCE)
    qtbot.mouseClick(later, Qt.MouseButton.LeftButton, pos=later.rect().center())
    assert session.annotations == ()
    assert later.tools == []
    later._aim(middle)
    assert session.crosshair_mm == pytest.approx(views.axial.point_at(middle))


def test_one_pair_can_fill_the_space(views: FourViews, session: Session) -> None:
    _show(views, session, Comparison.SIDE)
    views._later_panes[2].maximise_asked.emit()
    assert {str(pane.name) for pane in views._all_panes if pane.isVisible()} == {"coronal", "later coronal"}
    views._later_panes[2].maximise_asked.emit()
    assert views.axial.isVisible()
    session.display.change(layout=Layout.TWO)
    assert sum(pane.isVisible() for pane in views._all_panes) == 2


@pytest.mark.parametrize("comparison", [Comparison.LATER, Comparison.DIFFERENCE])
def test_what_is_moved_by_hand_moves_at_once(views: FourViews, session: Session, comparison: Comparison) -> None:
    session.set_later(build_later(brighter_hu=0))
    _show(views, session, comparison)
    still = views.axial._picture.copy()  # type: ignore[union-attr]
    motion = build_motion((20.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    session.set_later(build_later(brighter_hu=0, motion=motion))
    assert views.wait_until_drawn()
    spine = _pixel(views.axial, (20.0, 60.0, 0.0))
    assert spine[0] > 240 if comparison is Comparison.LATER else spine == [178, 24, 43]
    assert (views.axial._picture != still).any()


def test_a_change_of_year_leaves_the_later_ct_as_it_is(views: FourViews, session: Session) -> None:
    session.set_assessment(build_assessment())
    _show(views, session, Comparison.SIDE)
    before = views._later_panes[0]._picture
    assert before is not None
    session.set_year(6)
    assert views.wait_until_prepared()
    np.testing.assert_array_equal(views._later_panes[0]._picture, before)
    assert np.ptp(_pixel(views._later_panes[0], HOT_MM)) == 0
    assert np.ptp(_pixel(views.axial, HOT_MM)) > 40


def test_the_scale_tells_the_difference_in_hu(views: FourViews, session: Session, qtbot: QtBot) -> None:
    _show(views, session, Comparison.DIFFERENCE)
    state = views._shown
    assert state is not None
    assert state.difference_hu == 200
    assert state.shown_text(beside=False) == "later CT, 2026-01-31, year 2, minus first"


def test_the_cursor_reads_both_cts_where_both_are(views: FourViews, session: Session) -> None:
    reading = read_at(session, INSIDE_MM)
    assert (reading.hu, reading.later_hu) == (105, 205)
    assert read_at(session, (0.0, 0.0, 77.0)).later_hu is None
    motion = build_motion((0.0, 0.0, 200.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    session.set_later(build_later(motion=motion))
    assert read_at(session, INSIDE_MM).later_hu is None


def test_pairs_are_of_one_size_and_the_3d_view_alone_stays_alone() -> None:
    for layout in (Layout.ONE, Layout.TWO, Layout.FOUR):
        places = place_pairs(layout, SliceKind.SAGITTAL, (801, 641))
        for kind in SliceKind:
            if kind in places:
                assert places[kind][2:] == places[LaterView[kind.name]][2:]
        assert SOLID not in places
    assert set(place_pairs(Layout.SOLID, SliceKind.AXIAL, (800, 600))) == {SOLID}
