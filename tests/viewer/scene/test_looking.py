"""Layouts, flips, turns, slabs and styles as a person sees them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from star_core.types import Structure
from star_viewer.display import ColourMap, Interpolation, Layout, SlabMode
from star_viewer.scene.four_views import FourViews
from star_viewer.scene.slice_pane import SlicePane
from star_viewer.session import OverlayStyle, Session
from tests.viewer.scene.conftest import Pixels, coloured, grab_pixels
from tests.viewer.scene.factory import HOT_MM, MARK_MM, build_assessment, build_case

BuildViews = Callable[..., FourViews]
BESIDE_MM = (60.0, -35.0, 0.0)


def _place(pane: SlicePane, point_mm: tuple[float, float, float]) -> tuple[int, int]:
    plane = pane._plane
    assert plane is not None
    u_mm, v_mm = plane.to_screen_mm(np.array(point_mm))
    x, y = pane.screen_map(plane).to_pixel(float(u_mm), float(v_mm))
    return round(x), round(y)


def _picture(views: FourViews, pane: SlicePane) -> Pixels:
    """What VTK drew, without what Qt wrote over it."""
    views.wait_until_drawn()
    assert pane._picture is not None
    return pane._picture[..., :3].copy()


@pytest.mark.parametrize(
    ("layout", "shown"),
    [
        (Layout.ONE, {"axial"}),
        (Layout.TWO, {"axial", "solid"}),
        (Layout.FOUR, {"axial", "sagittal", "coronal", "solid"}),
        (Layout.SOLID, {"solid"}),
    ],
)
def test_a_layout_shows_its_views_and_one_legend(
    build_views: BuildViews, session: Session, layout: Layout, shown: set[str]
) -> None:
    views = build_views(build_case())
    session.display.change(layout=layout)
    views.wait_until_drawn()
    assert {str(pane.name) for pane in views._panes if pane.isVisible()} == shown
    assert sum(pane.shows_legend for pane in views._panes if pane.isVisible()) == 1
    area = sum(pane.width() * pane.height() for pane in views._panes if pane.isVisible())
    assert area > 0.98 * views.width() * views.height()


def test_the_view_used_last_is_the_one_that_stays(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case())
    views.activateWindow()
    views.coronal.activated.emit(views.coronal.name)
    session.display.change(layout=Layout.TWO)
    assert {str(pane.name) for pane in views._panes if pane.isVisible()} == {"coronal", "solid"}
    views.solid.activated.emit(views.solid.name)
    session.display.change(layout=Layout.ONE)
    assert views.solid.isVisible()
    assert not views.coronal.isVisible()


@pytest.mark.parametrize(
    ("change", "turned"),
    [
        (lambda camera: camera.mirrored(), lambda pixels: pixels[:, ::-1]),
        (lambda camera: camera.flipped(), lambda pixels: pixels[::-1]),
        (lambda camera: camera.rotated(2), lambda pixels: pixels[::-1, ::-1]),
    ],
    ids=["left and right", "top and bottom", "half a turn"],
)
def test_flips_really_flip_every_layer(
    build_views: BuildViews, session: Session, change: Callable[..., object], turned: Callable[[Pixels], Pixels]
) -> None:
    views = build_views(build_case())
    session.set_assessment(build_assessment())
    session.set_year(12)
    session.set_crosshair((HOT_MM[0] + 15, HOT_MM[1] + 15, HOT_MM[2]))
    before = _picture(views, views.axial)
    assert coloured(before).any()
    views.change_camera(change)  # type: ignore[arg-type]
    after = _picture(views, views.axial)
    difference = np.abs(after.astype(int) - turned(before).astype(int)).max(axis=-1)
    assert np.mean(difference > 40) < 0.01  # outlines may fall to the neighbouring pixel


def test_a_quarter_turn_takes_the_mark_from_the_right_to_the_bottom(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case(with_masks=False))
    session.set_crosshair(BESIDE_MM)
    views.change_camera(lambda camera: camera.rotated(1))
    pixels = _picture(views, views.axial)
    x, y = _place(views.axial, MARK_MM)
    assert y > 0.7 * views.axial.height()
    assert x > views.axial.width() / 2  # it lay above the middle, which is the right now
    assert pixels[y, x].min() > 240


def test_a_click_on_a_turned_view_aims_where_it_points(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case())
    views.change_camera(lambda camera: camera.rotated(1).mirrored())
    views.wait_until_drawn()
    QTest.mouseClick(views.axial, Qt.MouseButton.LeftButton, pos=QPoint(*_place(views.axial, MARK_MM)))
    assert session.crosshair_mm[0] == pytest.approx(MARK_MM[0], abs=1.5)
    assert session.crosshair_mm[1] == pytest.approx(MARK_MM[1], abs=1.5)


def test_inverted_greys_are_the_complement(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case(with_masks=False))
    before = _picture(views, views.coronal).astype(int)
    session.display.change(inverted=True)
    after = _picture(views, views.coronal).astype(int)
    rows, columns = slice(200, 240), slice(150, 250)
    np.testing.assert_allclose(after[rows, columns], 255 - before[rows, columns], atol=3)


def test_a_mip_shows_a_mark_that_lies_beside_the_slice(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case(with_masks=False))
    session.set_crosshair((BESIDE_MM[0], BESIDE_MM[1], 22.5))
    x, y = _place(views.axial, MARK_MM)
    assert _picture(views, views.axial)[y, x].max() < 200
    session.display.change(slab_mode=SlabMode.MAXIMUM, slab_mm=40.0)
    assert _picture(views, views.axial)[y, x].min() > 240
    session.display.change(slab_mode=SlabMode.MINIMUM)
    assert _picture(views, views.axial)[y, x].max() < 200


@pytest.mark.parametrize("interpolation", [Interpolation.NEAREST, Interpolation.CUBIC])
def test_interpolation_changes_edges_and_nothing_else(
    build_views: BuildViews, session: Session, interpolation: Interpolation
) -> None:
    views = build_views(build_case(with_masks=False))
    linear = _picture(views, views.axial).astype(int)
    session.display.change(interpolation=interpolation)
    other = _picture(views, views.axial).astype(int)
    changed = np.abs(other - linear).max(axis=-1) > 6
    assert 0 < changed.mean() < 0.2
    height, width = changed.shape
    assert not changed[height // 2 - 20 : height // 2 - 10, width // 3 : width // 3 + 10].any()


def test_nearest_shows_voxels_as_blocks(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case(with_masks=False))
    session.set_crosshair(BESIDE_MM)
    session.display.change(interpolation=Interpolation.NEAREST)
    assert len(np.unique(_picture(views, views.axial))) <= 7  # rim of three channels, air, body, liver, spine and mark
    session.display.change(interpolation=Interpolation.LINEAR)
    assert len(np.unique(_picture(views, views.axial))) > 20


def test_a_drag_at_a_handle_turns_the_other_planes(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case())
    session.set_assessment(build_assessment())
    views.wait_until_drawn()
    pane = views.axial
    assert pane._state is not None
    x, y, _ = next(one for one in pane._handles(pane._state) if one[0] > pane.width() / 2 + 20)
    crosshair_mm = session.crosshair_mm
    QTest.mousePress(pane, Qt.MouseButton.LeftButton, pos=QPoint(round(x), round(y)))
    end = QPointF(round(x), round(y) - 60)
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(pane, QMouseEvent(QEvent.Type.MouseMove, end, pane.mapToGlobal(end), left, left, none))
    QTest.mouseRelease(pane, Qt.MouseButton.LeftButton, pos=end.toPoint())
    assert session.crosshair_mm == crosshair_mm
    assert views.is_oblique
    views.wait_until_drawn()
    dx, dy = pane._lines(pane._state)[0][0]
    assert min(abs(dx), abs(dy)) > 0.2
    views.reset_views()
    assert not views.is_oblique


def test_oblique_planes_show_the_mark_the_risk_and_the_outline_at_their_places(
    build_views: BuildViews, session: Session
) -> None:
    views = build_views(build_case())
    session.set_assessment(build_assessment())
    session.set_year(12)
    session.set_crosshair(MARK_MM)
    views.turn_planes(views.axial.kind, 35.0)
    views.turn_planes(views.coronal.kind, -20.0)
    for pane in (views.coronal, views.sagittal, views.axial):
        x, y = _place(pane, MARK_MM)
        assert _picture(views, pane)[y, x].min() > 240
    session.set_crosshair(HOT_MM)
    for pane in (views.coronal, views.sagittal, views.axial):
        x, y = _place(pane, HOT_MM)
        assert coloured(_picture(views, pane))[y - 2 : y + 3, x - 2 : x + 3].all()
    tumour_edge_mm = (-65.0, 10.0, -10.0)
    session.set_crosshair(tumour_edge_mm)
    session.set_overlay(OverlayStyle(visible=False))
    assert coloured(_picture(views, views.coronal)).any()


def test_letters_name_both_directions_of_an_oblique_plane(build_views: BuildViews) -> None:
    views = build_views(build_case())
    views.turn_planes(views.axial.kind, 30.0)
    assert views._planes[views.coronal.kind].letters == ("RP", "LA", "S", "I")
    views.align_planes()
    assert views._planes[views.coronal.kind].letters == ("R", "L", "S", "I")


def test_a_hidden_structure_has_no_outline_and_no_surface(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case())
    session.set_crosshair((-65.0, 10.0, -10.0))

    def greens(pixels: Pixels) -> int:
        red, green, blue = np.moveaxis(pixels.astype(int), -1, 0)
        return int(((green > red + 25) & (green > blue + 25)).sum())

    views.wait_until_drawn()
    assert greens(_picture(views, views.axial)) > 10
    assert greens(grab_pixels(views.solid)) > 10
    session.display.change_structure(Structure.TUMOUR, visible=False)
    assert greens(_picture(views, views.axial)) == 0
    views.wait_until_drawn()
    assert views.solid._picture is not None
    assert greens(views.solid._picture[..., :3]) == 0


def test_a_fainter_outline_is_darker(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case())
    session.set_crosshair((-65.0, 10.0, -10.0))
    strong = coloured(_picture(views, views.axial)).sum()
    for structure in Structure:
        session.display.change_structure(structure, opacity=0.1)
    assert coloured(_picture(views, views.axial)).sum() < strong / 2


@pytest.mark.parametrize("colour_map", ColourMap)
def test_every_colour_map_colours_slices_and_volume(
    build_views: BuildViews, session: Session, colour_map: ColourMap
) -> None:
    views = build_views(build_case(with_masks=False))
    session.set_assessment(build_assessment())
    session.set_year(12)
    session.set_crosshair((HOT_MM[0] + 15, HOT_MM[1] + 15, HOT_MM[2]))
    session.set_overlay(OverlayStyle(opacity=1.0, colour_map=colour_map))
    pixels = _picture(views, views.axial)
    x, y = _place(views.axial, HOT_MM)
    red, green, blue = pixels[y, x].astype(int)
    warm = colour_map in (ColourMap.INFERNO, ColourMap.MAGMA)
    assert red > green if warm else green > blue


def test_corner_lines_are_written_and_go(build_views: BuildViews, session: Session) -> None:
    views = build_views(build_case())
    before = grab_pixels(views.axial)
    views.show_corner_lines(("patient 17", "CT 3 portal venous"))
    views.wait_until_drawn()
    after = grab_pixels(views.axial)
    changed = np.argwhere((after != before).any(axis=-1))
    assert len(changed) > 100
    assert changed[:, 1].min() > views.axial.width() / 2
    assert changed[:, 0].max() < 70
    views.show_corner_lines(())
    views.wait_until_drawn()
    assert (grab_pixels(views.axial) == before).all()
