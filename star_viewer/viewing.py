"""Connects how the case is looked at, by hand: layouts, turns, slabs, layers, 3D presets, grey windows, settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget

from star_core.types import Volume
from star_viewer.dialogs.keys import KeysDialog
from star_viewer.dialogs.palette import PaletteDialog
from star_viewer.dialogs.preferences import PreferencesDialog
from star_viewer.dialogs.presets_page import PresetsPage
from star_viewer.display import (
    ColourMap,
    DisplayStyle,
    Layout,
    SlabMode,
    SolidPreset,
    WindowLevel,
    WindowPreset,
    default_presets,
)
from star_viewer.main_window import MainWindow
from star_viewer.session import Session
from star_viewer.settings import SettingsStore, WindowPresetSettings

if TYPE_CHECKING:
    from star_viewer.scene.four_views import FourViews

Choice = TypeVar("Choice", bound=StrEnum)
CINE_INTERVAL_MS = 90
ZOOM_STEP, TURN_DEG, SLAB_STEP_MM, THRESHOLD_STEP = 1.25, 5.0, 2.0, 0.05
_SOLIDS = {
    "structures": SolidPreset.STRUCTURES,
    "risk": SolidPreset.RISK,
    "painted": SolidPreset.PAINTED,
    "liver": SolidPreset.LIVER,
    "vessels": SolidPreset.VESSELS,
    "bone": SolidPreset.BONE,
}


class Viewing(QObject):
    """Lets actions change the display's style and the views, and remembers what outlives the program."""

    def __init__(
        self, window: MainWindow, session: Session, settings: SettingsStore, open_dialog: Callable[[QWidget], None]
    ) -> None:
        super().__init__(window)
        self._window, self._session, self._settings = window, session, settings
        self._open_dialog = open_dialog
        self._display = session.display
        self._cine = QTimer(self, interval=CINE_INTERVAL_MS)
        self._cine.timeout.connect(self._play_on)
        self._apply_settings()
        self._connect_style_actions()
        self._connect_view_actions()
        self._display.changed.connect(self._follow)
        self._display.presets_changed.connect(self._remember_presets)
        session.overlay_changed.connect(lambda style: settings.change(colour_map=style.colour_map))
        session.volume_changed.connect(self._take_volume)
        window.star_actions.name_presets(self._display.presets)
        self._follow(self._display.style)

    # ------------------------------------------------------------------ settings

    def _apply_settings(self) -> None:
        settings = self._settings.settings
        self._display.change(
            layout=settings.layout, corner_text=settings.corner_text, interpolation=settings.interpolation
        )
        self._session.set_overlay(replace(self._session.overlay, colour_map=settings.colour_map))
        kept = tuple(
            WindowPreset(one.name, WindowLevel(one.centre_hu, one.width_hu)) for one in settings.window_presets
        )
        defaults = default_presets()
        self._display.set_presets((*kept, *defaults[len(kept) :])[: len(defaults)])

    def _remember_presets(self, presets: tuple[WindowPreset, ...]) -> None:
        self._settings.change(
            window_presets=tuple(
                WindowPresetSettings(
                    name=one.name, centre_hu=one.window_level.centre_hu, width_hu=one.window_level.width_hu
                )
                for one in presets
            )
        )

    def add_page(self, dialog: PreferencesDialog) -> None:
        """Add the page of grey windows to the preferences."""
        page = PresetsPage(self._display.presets)
        page.changed.connect(self._display.set_presets)
        dialog.add_page("Grey windows", page)

    # ------------------------------------------------------------------ actions

    def _on(self, name: str, do: Callable[[], object]) -> None:
        self._window.star_actions[name].triggered.connect(lambda _=False: do())

    def _connect_style_actions(self) -> None:
        display = self._display
        for layout in Layout:
            self._on(f"layout_{layout.value}", partial(self._lay_out, layout))
        for name, preset in _SOLIDS.items():
            self._on(f"solid_{name}", partial(display.change, preset=preset))
        self._on("invert", lambda: display.change(inverted=not display.style.inverted))
        self._on("corner_text", lambda: display.change(corner_text=not display.style.corner_text))
        self._on("interpolation", lambda: display.change(interpolation=_next(display.style.interpolation)))
        self._on("slab", lambda: display.change(slab_mode=_next(display.style.slab_mode)))
        self._on("slab_thicker", lambda: self._thicken(SLAB_STEP_MM))
        self._on("slab_thinner", lambda: self._thicken(-SLAB_STEP_MM))
        self._on("threshold_less", lambda: self._change_threshold(-THRESHOLD_STEP))
        self._on("threshold_more", lambda: self._change_threshold(THRESHOLD_STEP))
        self._on("colour_map", lambda: self._set_colour_map(_next(self._session.overlay.colour_map)))
        self._on("outlines", self._toggle_structures)
        self._on("clip", self._toggle_clip)
        self._on("clip_far", lambda: display.change(clip_far=not display.style.clip_far))
        self._on("layers", lambda: self._window.tabs.setCurrentWidget(self._window.layers))
        self._on("palette", self._open_palette)
        self._on("keys", lambda: self._open_dialog(KeysDialog(self._window.star_actions.listed(), self._window)))

    def _connect_view_actions(self) -> None:
        views = self._views
        if views is None:
            return
        self._on("zoom_in", lambda: views.zoom(ZOOM_STEP))
        self._on("zoom_out", lambda: views.zoom(1 / ZOOM_STEP))
        self._on("mirror", lambda: views.change_camera(lambda camera: camera.mirrored()))
        self._on("flip", lambda: views.change_camera(lambda camera: camera.flipped()))
        self._on("rotate_right", lambda: views.change_camera(lambda camera: camera.rotated(1)))
        self._on("rotate_left", lambda: views.change_camera(lambda camera: camera.rotated(-1)))
        self._on("turn_left", lambda: views.turn_planes(views.leading_slice.kind, TURN_DEG))
        self._on("turn_right", lambda: views.turn_planes(views.leading_slice.kind, -TURN_DEG))
        self._on("straighten", views.align_planes)
        self._window.star_actions["cine"].toggled.connect(self._play)

    @property
    def _views(self) -> FourViews | None:
        views: Any = self._window.views
        return views if hasattr(views, "turn_planes") else None

    def _lay_out(self, layout: Layout) -> None:
        self._display.change(layout=layout)
        if self._views is not None:
            self._views.restore()

    def _thicken(self, by_mm: float) -> None:
        style = self._display.style
        mode = SlabMode.MAXIMUM if style.slab_mode is SlabMode.THIN else style.slab_mode
        self._display.change(slab_mode=mode, slab_mm=style.slab_mm + by_mm)

    def _change_threshold(self, by: float) -> None:
        overlay = self._session.overlay
        fraction = round(min(max(overlay.threshold_fraction + by, 0.0), 0.95), 2)
        self._session.set_overlay(replace(overlay, threshold_fraction=fraction))

    def _set_colour_map(self, colour_map: ColourMap) -> None:
        self._session.set_overlay(replace(self._session.overlay, colour_map=colour_map))

    def _toggle_structures(self) -> None:
        styles = self._display.style.structures
        shown = not any(style.visible for style in styles.values())
        self._display.change(structures={one: replace(style, visible=shown) for one, style in styles.items()})

    def _toggle_clip(self) -> None:
        clip = self._display.style.clip
        kind = "axial" if self._views is None else self._views.leading_slice.kind.value
        self._display.change(clip=clip - {kind} if kind in clip else clip | {kind})

    def _open_palette(self) -> None:
        dialog = PaletteDialog(self._window.star_actions.listed(), self._window)
        self._open_dialog(dialog)

    # ------------------------------------------------------------------ following

    def _follow(self, style: DisplayStyle) -> None:
        actions = self._window.star_actions
        actions["invert"].setChecked(style.inverted)
        actions["corner_text"].setChecked(style.corner_text)
        actions["outlines"].setChecked(any(one.visible for one in style.structures.values()))
        actions["clip"].setChecked(bool(style.clip))
        actions["clip_far"].setChecked(style.clip_far)
        remembered = {
            "layout": style.layout,
            "corner_text": style.corner_text,
            "interpolation": style.interpolation,
        }
        settings = self._settings.settings
        if any(getattr(settings, name) != value for name, value in remembered.items()):
            self._settings.change(**remembered)
        self.show_corner_lines()

    def _take_volume(self, _: Volume | None) -> None:
        self._window.star_actions["cine"].setChecked(False)
        self.show_corner_lines()

    def show_corner_lines(self) -> None:
        """Write patient and series into the corners, unless they are hidden."""
        if self._views is not None:
            self._views.show_corner_lines(self.corner_lines() if self._display.style.corner_text else ())

    def corner_lines(self) -> tuple[str, ...]:
        """Return what identifies patient and series: the case's pseudonym and the series' own words."""
        case, volume = self._session.case, self._session.volume
        if case is None or volume is None:
            return ()
        made = volume.acquisition
        number = "" if made.series_number is None else f" {made.series_number}"
        series = f"{made.modality}{number} {made.series_description}".strip()
        return (case.case_id, series)

    # ------------------------------------------------------------------ cine

    def _play(self, playing: bool) -> None:
        if playing and self._session.volume is not None:
            self._cine.start()
        else:
            self._cine.stop()
            self._window.star_actions["cine"].setChecked(False)

    def _play_on(self) -> None:
        if self._views is not None:
            pane = self._views.leading_slice
            before_mm = self._session.crosshair_mm
            pane.scroll_by(1)
            if self._session.crosshair_mm == before_mm:  # at the end: begin again at the other one
                pane.scroll_by(-100_000)


def _next(choice: Choice) -> Choice:
    choices = list(type(choice))
    return choices[(choices.index(choice) + 1) % len(choices)]
