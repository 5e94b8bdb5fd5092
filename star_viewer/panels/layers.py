"""What is shown over the CT and in 3D: the risk map, each structure, slab, interpolation, preset and cut."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from star_core.types import STRUCTURES, Structure
from star_viewer.display import (
    STRUCTURE_COLOURS,
    STRUCTURE_NAMES,
    THICKEST_SLAB_MM,
    THINNEST_SLAB_MM,
    ColourMap,
    DisplayStyle,
    Interpolation,
    SlabMode,
    SolidPreset,
)
from star_viewer.panels.choice_box import ChoiceBox
from star_viewer.session import OverlayStyle, Session
from star_viewer.theme import GRID

_PLANES = ("axial", "coronal", "sagittal")


class LayersPanel(QScrollArea):
    """Follows the session's overlay and display, and changes them."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._display = session, session.display
        self.setWidgetResizable(True)
        self.setAccessibleName("Layers")
        self._build_risk()
        self._build_structures()
        self._build_views()
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(GRID, GRID, GRID, GRID)
        for part in (self._risk_form, self._structure_grid, self._view_form):
            layout.addLayout(part)
            layout.addSpacing(GRID)
        layout.addStretch(1)
        self.setWidget(page)
        session.overlay_changed.connect(self._show_overlay)
        self._display.changed.connect(self._show_style)
        self._show_overlay(session.overlay)
        self._show_style(self._display.style)

    # ------------------------------------------------------------------ building

    def _build_risk(self) -> None:
        self.risk_visible = QCheckBox("Risk map")
        self.risk_visible.toggled.connect(lambda on: self._change_overlay(visible=on))
        self.opacity = _slider("Opacity of the risk map", 100)
        self.opacity.valueChanged.connect(lambda percent: self._change_overlay(opacity=percent / 100))
        self.threshold = _slider("Threshold of the risk map", 95)
        self.threshold.valueChanged.connect(lambda percent: self._change_overlay(threshold_fraction=percent / 100))
        self.colour_map = _choice("Colour map of the risk", ColourMap)
        self.colour_map.activated.connect(
            lambda _: self._change_overlay(colour_map=ColourMap(self.colour_map.currentData()))
        )
        self._risk_form = _form()
        self._risk_form.addRow(self.risk_visible)
        for label, widget in (
            ("Opacity", self.opacity),
            ("Hide below", self.threshold),
            ("Colours", self.colour_map),
        ):
            self._risk_form.addRow(label, widget)

    def _build_structures(self) -> None:
        self._structure_grid = QGridLayout()
        self.structures: dict[Structure, tuple[QCheckBox, QSlider]] = {}
        for row, structure in enumerate(STRUCTURES):
            swatch = QPixmap(GRID + 4, GRID + 4)
            swatch.fill(QColor(*STRUCTURE_COLOURS[structure]))
            colour, name = QLabel(), STRUCTURE_NAMES[structure]
            colour.setPixmap(swatch)
            shown, opacity = QCheckBox(name), _slider(f"Opacity: {name}", 100)
            shown.toggled.connect(lambda on, one=structure: self._display.change_structure(one, visible=on))
            opacity.valueChanged.connect(
                lambda percent, one=structure: self._display.change_structure(one, opacity=percent / 100)
            )
            for column, widget in enumerate((colour, shown, opacity)):
                self._structure_grid.addWidget(widget, row, column)
            self.structures[structure] = (shown, opacity)
        self.segments = QCheckBox("Couinaud segments")
        self.segments.setToolTip("Colour the segments on the slices (Ctrl+Alt+S)")
        self.segments.toggled.connect(lambda on: self._display.change_segments(visible=on))
        self.segments_opacity = _slider("Opacity: Couinaud segments", 100)
        self.segments_opacity.valueChanged.connect(lambda percent: self._display.change_segments(opacity=percent / 100))
        self._structure_grid.addWidget(self.segments, len(STRUCTURES), 1)
        self._structure_grid.addWidget(self.segments_opacity, len(STRUCTURES), 2)
        self._structure_grid.setColumnStretch(2, 1)

    def _build_views(self) -> None:
        display = self._display
        self.slab = _choice("Slab", SlabMode)
        self.slab.activated.connect(lambda _: display.change(slab_mode=SlabMode(self.slab.currentData())))
        self.slab_mm = QDoubleSpinBox()
        self.slab_mm.setRange(THINNEST_SLAB_MM, THICKEST_SLAB_MM)
        self.slab_mm.setDecimals(0)
        self.slab_mm.setSuffix(" mm")
        self.slab_mm.setAccessibleName("Thickness of the slab")
        self.slab_mm.valueChanged.connect(lambda mm: display.change(slab_mm=mm))
        self.interpolation = _choice("Interpolation", Interpolation)
        self.interpolation.activated.connect(
            lambda _: display.change(interpolation=Interpolation(self.interpolation.currentData()))
        )
        self.preset = _choice("3D view", SolidPreset)
        self.preset.activated.connect(lambda _: display.change(preset=SolidPreset(self.preset.currentData())))
        self.cuts: dict[str, QCheckBox] = {}
        cuts = QHBoxLayout()
        for plane in _PLANES:
            cut = QCheckBox(plane)
            cut.setToolTip(f"Cut the 3D view open where the {plane} slice lies")
            cut.toggled.connect(lambda on, one=plane: self._cut(one, on))
            cuts.addWidget(cut)
            self.cuts[plane] = cut
        self.far = QCheckBox("keep the other side")
        self.far.toggled.connect(lambda on: display.change(clip_far=on))
        slab = QHBoxLayout()
        slab.addWidget(self.slab, 1)
        slab.addWidget(self.slab_mm)
        self._view_form = _form()
        self._view_form.addRow("Slab", slab)
        self._view_form.addRow("Interpolation", self.interpolation)
        self._view_form.addRow("3D", self.preset)
        self._view_form.addRow("Cut at", cuts)
        self._view_form.addRow("", self.far)

    # ------------------------------------------------------------------ changing and following

    def _change_overlay(self, **values: Any) -> None:
        overlay = self._session.overlay
        changed = replace(overlay, **values)
        # Sliders hold whole per cents: what they cannot show is not a change made by hand.
        if _in_percent(changed) != _in_percent(overlay):
            self._session.set_overlay(changed)

    def _cut(self, plane: str, on: bool) -> None:
        clip = self._display.style.clip
        self._display.change(clip=clip | {plane} if on else clip - {plane})

    def _show_overlay(self, overlay: OverlayStyle) -> None:
        self.risk_visible.setChecked(overlay.visible)
        self.opacity.setValue(round(100 * overlay.opacity))
        self.threshold.setValue(round(100 * overlay.threshold_fraction))
        self.colour_map.setCurrentIndex(self.colour_map.findData(overlay.colour_map))

    def _show_style(self, style: DisplayStyle) -> None:
        for structure, (shown, opacity) in self.structures.items():
            shown.setChecked(style.structures[structure].visible)
            opacity.setValue(round(100 * style.structures[structure].opacity))
        self.segments.setChecked(style.segments.visible)
        self.segments_opacity.setValue(round(100 * style.segments.opacity))
        self.slab.setCurrentIndex(self.slab.findData(style.slab_mode))
        self.slab_mm.setValue(style.slab_mm)
        self.slab_mm.setEnabled(style.slab_mode is not SlabMode.THIN)
        self.interpolation.setCurrentIndex(self.interpolation.findData(style.interpolation))
        self.preset.setCurrentIndex(self.preset.findData(style.preset))
        for plane, cut in self.cuts.items():
            cut.setChecked(plane in style.clip)
        self.far.setChecked(style.clip_far)
        self.far.setEnabled(bool(style.clip))


def _in_percent(overlay: OverlayStyle) -> tuple[object, ...]:
    return (
        overlay.visible,
        round(100 * overlay.opacity),
        round(100 * overlay.threshold_fraction),
        overlay.colour_map,
    )


def _slider(name: str, most: int) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(0, most)
    slider.setAccessibleName(name)
    slider.setToolTip(name)
    return slider


def _choice(name: str, choices: type[StrEnum]) -> ChoiceBox:
    box = ChoiceBox()
    box.setAccessibleName(name)
    box.setToolTip(name)
    box.setSizeAdjustPolicy(ChoiceBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    for choice in choices:
        box.addItem(choice.value, choice)
    return box


def _form() -> QFormLayout:
    form = QFormLayout()
    form.setVerticalSpacing(GRID // 2)
    form.setHorizontalSpacing(GRID)
    return form
