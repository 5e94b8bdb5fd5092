"""Actions about looking change the display and the views, and what is remembered is there at the next start."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from star_viewer.app import StarApp, build_four_views
from star_viewer.dialogs.palette import PaletteDialog
from star_viewer.dialogs.presets_page import PresetsPage
from star_viewer.display import (
    ColourMap,
    Display,
    Interpolation,
    Layout,
    SlabMode,
    SolidPreset,
    WindowLevel,
    default_presets,
)
from star_viewer.scene.four_views import FourViews
from star_viewer.settings import SettingsStore
from tests.viewer.conftest import OpenApp


@pytest.fixture
def seen(qtbot: QtBot, open_app: OpenApp) -> StarApp:
    """The window with the real views and an assessed patient."""
    star = open_app(build_views=build_four_views)
    with qtbot.waitSignal(star.workflow.assessed):
        star.workflow.open_demo()
    assert isinstance(star.window.views, FourViews)
    star.window.views.wait_until_drawn()
    return star


def _settings(tmp_path: Path) -> SettingsStore:
    return SettingsStore(tmp_path / "settings.json")


def test_a_display_tells_a_change_once_and_keeps_quiet_without_one(qtbot: QtBot) -> None:
    display = Display()
    with qtbot.waitSignal(display.changed):
        display.change(layout=Layout.TWO)
    with qtbot.assertNotEmitted(display.changed):
        display.change(layout=Layout.TWO)
    display.change(slab_mm=10_000.0)
    assert display.style.slab_mm == 200.0


@pytest.mark.parametrize("layout", Layout)
def test_a_layout_is_there_at_the_next_start(star: StarApp, tmp_path: Path, layout: Layout) -> None:
    star.window.star_actions[f"layout_{layout.value}"].trigger()
    assert star.session.display.style.layout is layout
    assert _settings(tmp_path).settings.layout is layout


def test_looks_are_remembered(star: StarApp, tmp_path: Path) -> None:
    for name in ("corner_text", "interpolation", "colour_map"):
        star.window.star_actions[name].trigger()
    settings = _settings(tmp_path).settings
    assert not settings.corner_text
    assert settings.interpolation is Interpolation.CUBIC
    assert settings.colour_map is ColourMap.MAGMA


def test_changed_grey_windows_hold_at_once_and_at_the_next_start(
    qtbot: QtBot, star: StarApp, open_app: OpenApp
) -> None:
    dialog = star.importing.open_preferences()
    page = dialog.findChild(PresetsPage)
    page.rows[1][0].setText("Portal")
    page.rows[1][1].setValue(120)
    page.rows[1][2].setValue(220)
    action = star.window.star_actions["window_liver"]
    assert action.iconText() == "Portal"
    star.window.views.setFocus()
    qtbot.keyClick(star.window, Qt.Key.Key_2)
    assert star.session.window_level == WindowLevel(120, 220)
    dialog.close()
    again = open_app()
    assert again.session.display.presets[1].name == "Portal"
    assert again.session.display.presets[2:] == default_presets()[2:]


def test_the_palette_opens_by_its_key_and_runs_what_was_typed(qtbot: QtBot, star: StarApp) -> None:
    qtbot.keyClick(star.window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    palette = star.window.findChild(PaletteDialog)
    assert palette is not None
    qtbot.keyClicks(palette.search, "two views")
    qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    assert star.session.display.style.layout is Layout.TWO


def test_slab_keys_go_through_the_kinds_and_thickness(star: StarApp) -> None:
    actions, display = star.window.star_actions, star.session.display
    kinds = []
    for _ in range(4):
        actions["slab"].trigger()
        kinds.append(display.style.slab_mode)
    assert kinds == [SlabMode.MAXIMUM, SlabMode.MEAN, SlabMode.MINIMUM, SlabMode.THIN]
    actions["slab_thicker"].trigger()
    assert display.style.slab_mode is SlabMode.MAXIMUM
    assert display.style.slab_mm == 12.0


def test_threshold_structures_and_presets_follow_their_actions(star: StarApp) -> None:
    actions, session = star.window.star_actions, star.session
    actions["threshold_more"].trigger()
    assert session.overlay.threshold_fraction == pytest.approx(0.2)
    actions["outlines"].trigger()
    assert not any(style.visible for style in session.display.style.structures.values())
    actions["outlines"].trigger()
    assert all(style.visible for style in session.display.style.structures.values())
    actions["solid_bone"].trigger()
    assert session.display.style.preset is SolidPreset.BONE


def test_the_layers_panel_follows_and_leads(star: StarApp) -> None:
    layers, session = star.window.layers, star.session
    star.window.star_actions["layers"].trigger()
    assert star.window.tabs.currentWidget() is layers
    layers.threshold.setValue(40)
    assert session.overlay.threshold_fraction == pytest.approx(0.4)
    layers.colour_map.setCurrentIndex(layers.colour_map.findData(ColourMap.CIVIDIS))
    layers.colour_map.activated.emit(0)
    assert session.overlay.colour_map is ColourMap.CIVIDIS
    layers.cuts["coronal"].setChecked(True)
    assert session.display.style.clip == {"coronal"}
    session.display.change(clip=frozenset({"axial"}), preset=SolidPreset.RISK, slab_mode=SlabMode.MEAN)
    assert not layers.cuts["coronal"].isChecked()
    assert layers.cuts["axial"].isChecked()
    assert layers.preset.currentData() == SolidPreset.RISK
    assert layers.slab_mm.isEnabled()


def test_flips_turns_and_zoom_go_to_the_view_used_last(qtbot: QtBot, seen: StarApp) -> None:
    actions, views = seen.window.star_actions, seen.window.views
    views.coronal.setFocus()
    for name in ("mirror", "rotate_right", "zoom_in"):
        actions[name].trigger()
    assert views.coronal.camera.turn != (1, 0, 0, 1)
    assert views.coronal.camera.zoom == pytest.approx(1.25)
    assert views.axial.camera.zoom == 1.0
    actions["turn_left"].trigger()
    assert views.is_oblique
    actions["straighten"].trigger()
    assert not views.is_oblique
    actions["reset"].trigger()
    assert views.coronal.camera.turn == (1, 0, 0, 1)


def test_cine_plays_the_slices_and_begins_again_at_the_end(qtbot: QtBot, seen: StarApp) -> None:
    action, session = seen.window.star_actions["cine"], seen.session
    seen.window.views.axial.scroll_by(100_000)
    top_mm = session.crosshair_mm[2]
    with qtbot.waitSignals([session.crosshair_changed, session.crosshair_changed]):
        action.trigger()
    assert session.crosshair_mm[2] < top_mm
    action.trigger()
    with qtbot.assertNotEmitted(session.crosshair_changed, wait=150):
        pass


def test_the_corner_tells_the_pseudonym_and_hides(seen: StarApp) -> None:
    views = seen.window.views
    assert views._corner_lines[0] == "synthetic"
    seen.window.star_actions["corner_text"].trigger()
    assert views._corner_lines == ()
