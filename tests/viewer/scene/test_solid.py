"""What the 3D view shows: presets, paint, cuts, and pictures of other years kept ready."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from scipy.interpolate import RegularGridInterpolator

from star_core.types import Structure
from star_viewer.display import SolidPreset
from star_viewer.scene.benchmark import measure_year_change_ms
from star_viewer.scene.body import AIR_HU, build_coarse_ct
from star_viewer.scene.four_views import FourViews
from star_viewer.scene.kept_pictures import KeptPictures, Needs
from star_viewer.scene.risk_frames import PAINT_DEPTHS_MM, build_risk_frames, build_risk_paint
from star_viewer.scene.state import Frame, Patch, Rect
from star_viewer.scene.surfaces import build_mask_surfaces
from star_viewer.session import IncidenceMode, OverlayStyle, Session
from tests.viewer.scene.conftest import Pixels, coloured
from tests.viewer.scene.factory import build_assessment, build_case, build_geometry, build_masks, build_volume, turn

BuildViews = Callable[..., FourViews]


def _solid(views: FourViews) -> Pixels:
    assert views.wait_until_drawn()
    assert views.solid._picture is not None
    return views.solid._picture[..., :3].copy()


@pytest.fixture
def views(build_views: BuildViews, session: Session) -> FourViews:
    views = build_views(build_case())
    session.set_assessment(build_assessment())
    session.set_year(12)
    views.wait_until_drawn()
    return views


def test_every_preset_shows_another_picture(views: FourViews, session: Session) -> None:
    pictures = []
    for preset in SolidPreset:
        session.display.change(preset=preset)
        pictures.append(_solid(views))
    for number, picture in enumerate(pictures):
        shown = np.abs(picture.astype(int) - picture[0, 0].astype(int)).max(axis=-1) > 10
        assert shown.mean() > 0.02
        assert all((picture != other).any() for other in pictures[:number])


@pytest.mark.parametrize("preset", SolidPreset)
def test_the_year_moves_every_preset(views: FourViews, session: Session, preset: SolidPreset) -> None:
    session.display.change(preset=preset)
    late = _solid(views)
    session.set_year(2)
    assert (_solid(views) != late).any()


def test_paint_is_the_map_beneath_each_vertex() -> None:
    frames = build_risk_frames(build_assessment().risk_map)
    liver = next(one for one in build_mask_surfaces(build_masks()) if one.name == Structure.LIVER.name)
    paint = build_risk_paint(frames, liver.mesh.points_mm, liver.mesh.normals)
    axes = [np.arange(size) for size in frames.geometry.shape]
    for mode in IncidenceMode:
        read = RegularGridInterpolator(axes, frames.percent[mode][8], bounds_error=False, fill_value=0.0)
        beneath = [
            read(frames.geometry.lps_to_index(liver.mesh.points_mm - depth_mm * liver.mesh.normals))
            for depth_mm in PAINT_DEPTHS_MM
        ]
        inside = np.isfinite(beneath).all(axis=0)
        np.testing.assert_allclose(paint.percent[mode][8][inside], np.max(beneath, axis=0)[inside], atol=1e-4)
        assert paint.percent[mode][8].max() > 0.2 * frames.top[mode]


def test_the_painted_liver_shows_the_risks_colours(views: FourViews, session: Session) -> None:
    session.display.change(preset=SolidPreset.PAINTED)
    for structure in (Structure.HEPATIC_VEINS, Structure.PORTAL_VEINS, Structure.TUMOUR):
        session.display.change_structure(structure, visible=False)
    painted = _solid(views)
    session.set_overlay(OverlayStyle(visible=False))
    bare = _solid(views)
    assert coloured(painted).sum() > coloured(bare).sum() + 500


def test_a_cut_takes_away_the_readers_side_and_the_far_side(views: FourViews, session: Session) -> None:
    session.set_crosshair((-40.0, -5.0, 5.0))
    session.display.change(preset=SolidPreset.PAINTED)
    whole = _solid(views)
    background = whole[0, 0].astype(int)

    def filled(picture: Pixels) -> np.ndarray:
        shown: np.ndarray = np.abs(picture.astype(int) - background).max(axis=-1) > 8
        return shown

    session.display.change(clip=frozenset({"sagittal"}))
    right_part = filled(_solid(views))
    session.display.change(clip_far=True)
    left_part = filled(_solid(views))
    # Seen from the front the patient's right is at the left.
    assert np.argwhere(right_part)[:, 1].mean() < np.argwhere(left_part)[:, 1].mean()
    assert right_part.sum() < filled(whole).sum()
    assert (right_part | left_part).sum() > 0.9 * filled(whole).sum()
    session.display.change(clip=frozenset(), clip_far=False)
    assert np.mean(np.abs(_solid(views).astype(int) - whole.astype(int)).max(axis=-1) > 8) < 0.01


@pytest.mark.parametrize("geometry", [build_geometry((5.0, 1.0, 1.0)), turn(build_geometry((5.0, 1.0, 1.0)), (0, 2))])
def test_the_coarse_ct_keeps_its_place(geometry: object) -> None:
    volume = build_volume(geometry)  # type: ignore[arg-type]
    coarse = build_coarse_ct(volume)
    assert coarse is not None
    assert coarse.hu.size < volume.voxels_hu.size
    for point_mm, hu in (((-40.0, -5.0, 5.0), 105), ((75.0, -20.0, 0.0), 900), ((0.0, 60.0, 30.0), 500)):
        index = np.round(coarse.geometry.lps_to_index(np.array(point_mm))).astype(int)
        assert coarse.hu[tuple(index)] == hu


def test_the_liver_alone_has_air_about_it() -> None:
    volume, masks = build_volume(), build_masks()
    coarse = build_coarse_ct(volume, masks)
    assert coarse is not None
    assert set(np.unique(coarse.hu[coarse.hu < 0])) == {AIR_HU}
    index = np.round(coarse.geometry.lps_to_index(np.array([-40.0, -5.0, 5.0]))).astype(int)
    assert coarse.hu[tuple(index)] == 105


# --------------------------------------------------------------------------- pictures kept ready


def test_prepared_years_are_the_pictures_that_drawing_gives(views: FourViews, session: Session, qtbot: QtBot) -> None:
    assert views.wait_until_prepared()
    frames: list[Frame] = []
    views.frame_shown.connect(frames.append)
    session.set_year(4)
    views.wait_until_drawn()
    prepared = [pane._picture.copy() for pane in views._panes]  # type: ignore[union-attr]
    assert len(frames[0].patches) == 4
    assert frames[0].patches["solid"].pixels.shape[:2] == (views.solid.height(), views.solid.width())
    views.resize(801, 640)
    views.wait_until_drawn()
    views.resize(800, 640)
    views.wait_until_drawn()
    for pane, picture in zip(views._panes, prepared, strict=True):
        assert pane._picture is not None
        difference = np.abs(pane._picture.astype(int) - picture.astype(int)).max(axis=-1)
        # A line on the border of two pixels may fall to either.
        assert np.mean(difference > 24) < 0.002


def test_a_turned_model_does_not_show_a_kept_picture(views: FourViews, session: Session) -> None:
    views.wait_until_prepared()
    session.set_year(5)
    before = _solid(views)
    views.solid.turn(40.0, 0.0)
    views.wait_until_drawn()
    session.set_year(6)
    turned = _solid(views)
    session.set_year(5)
    assert np.mean(_solid(views) != before) > 0.02
    assert (turned != before).any()


def test_prepared_changes_are_measured(views: FourViews) -> None:
    durations_ms = measure_year_change_ms(views, rounds=1, prepared=True)
    assert len(durations_ms) >= 11


def _patch(value: int) -> Patch:
    return Patch(0, 0, np.full((10, 10, 4), value, np.uint8))


def test_kept_pictures_stay_within_their_bytes() -> None:
    kept = KeptPictures(most_bytes=1000)
    for year in range(1, 13):
        kept.keep("solid", Needs((year,), ("camera",)), Rect(0, 0, 10, 10), _patch(year))
    assert kept.find("solid", Needs((12,), ("camera",))) is not None
    assert kept.find("solid", Needs((1,), ("camera",))) is None
    assert kept.years_ahead(6, 400) == (6, 7)


def test_drafts_and_pictures_of_another_place_are_not_kept() -> None:
    kept = KeptPictures()
    kept.keep("solid", Needs((1,), ("camera",)), Rect(0, 0, 10, 10), _patch(1))
    kept.keep("solid", Needs((2,), ("camera",), draft=True), Rect(0, 0, 10, 10), _patch(2))
    assert kept.find("solid", Needs((1,), ("camera",))) is not None
    assert kept.find("solid", Needs((2,), ("camera",))) is None
    kept.keep("solid", Needs((1,), ("elsewhere",), draft=True), Rect(0, 0, 10, 10), _patch(3))
    assert kept.find("solid", Needs((1,), ("camera",))) is None


def test_only_the_part_in_which_years_differ_is_kept() -> None:
    kept = KeptPictures()
    kept.keep("solid", Needs((1,), ("camera",)), Rect(2, 3, 4, 5), _patch(1))
    found = kept.find("solid", Needs((1,), ("camera",)))
    assert found is not None
    assert (found.x, found.y, *found.pixels.shape) == (2, 3, 5, 4, 4)
