"""The actions about how the case is looked at; what they do is connected in ``viewing.py``."""

from __future__ import annotations

from star_viewer.action_spec import ActionSpec
from star_viewer.display import WINDOW_PRESETS

_LAYERS, _FIT = "mdi6.layers-outline", "mdi6.fit-to-page-outline"

_NAMES = tuple((name, name.capitalize()) for name in WINDOW_PRESETS)
PRESET_NAMES = tuple(f"window_{name}" for name in WINDOW_PRESETS)
"""The actions of the number keys, in their order."""

_VIEW = (
    *(
        ActionSpec(
            f"window_{name}",
            "View",
            f"{name.capitalize()} window",
            f"Grey window: {name}",
            key,
            short=name.capitalize(),
        )
        for name, key in zip(WINDOW_PRESETS, "123456", strict=True)
    ),
    ActionSpec("invert", "View", "Invert greys", "Show bright as dark and dark as bright", "I", checkable=True),
    ActionSpec("layout_one", "View", "One view", "Show the view used last alone", "Alt+1"),
    ActionSpec("layout_two", "View", "Two views", "Show a slice beside the 3D view", "Alt+2"),
    ActionSpec("layout_four", "View", "Four views", "Show three slices and the 3D view", "Alt+3"),
    ActionSpec("layout_3d", "View", "3D view alone", "Show the 3D view alone", "Alt+4"),
    ActionSpec("zoom_in", "View", "Nearer", "Zoom the view used last in", "Ctrl++"),
    ActionSpec("zoom_out", "View", "Farther", "Zoom the view used last out", "Ctrl+-"),
    ActionSpec("reset", "View", "Reset the views", "Show each view whole and upright", "R", _FIT, short="Reset"),
    ActionSpec("corner_text", "View", "Patient and series", "Show or hide the corner text", "Ctrl+Shift+T", "", True),
    ActionSpec("picture_view", "View", "Picture of a view…", "Keep the view used last as PNG", "Ctrl+P"),
    ActionSpec("picture_all", "View", "Picture of all views…", "Keep all views as one PNG", "Ctrl+Alt+P"),
    ActionSpec("film", "View", "Film of the years…", "Keep the twelve years as a moving picture", "Ctrl+Alt+V"),
)
_SLICES = (
    ActionSpec("cine", "Slices", "Play the slices", "Play or pause the slices of the view used last", "C", "", True),
    ActionSpec("mirror", "Slices", "Flip left and right", "Exchange left and right; the letters follow", "X"),
    ActionSpec("flip", "Slices", "Flip top and bottom", "Exchange top and bottom; the letters follow", "V"),
    ActionSpec("rotate_right", "Slices", "Rotate right", "Rotate by 90 degrees clockwise", "."),
    ActionSpec("rotate_left", "Slices", "Rotate left", "Rotate by 90 degrees counter-clockwise", ","),
    ActionSpec("slab", "Slices", "Next slab", "Thin slice, MIP, mean, MinIP in turn", "B"),
    ActionSpec("slab_thicker", "Slices", "Thicker slab", "Show 2 mm more together", "Ctrl+]"),
    ActionSpec("slab_thinner", "Slices", "Thinner slab", "Show 2 mm less together", "Ctrl+["),
    ActionSpec("interpolation", "Slices", "Next interpolation", "Linear, cubic, nearest in turn", "N"),
    ActionSpec("turn_left", "Slices", "Turn planes left", "Turn the other planes about the crosshair", "Alt+Left"),
    ActionSpec("turn_right", "Slices", "Turn planes right", "Turn the other planes about the crosshair", "Alt+Right"),
    ActionSpec("straighten", "Slices", "Straighten the planes", "Lay the planes along the scan again", "Alt+R"),
)
_LAYER_ACTIONS = (
    ActionSpec("layers", "Layers", "Show the layers", "Open the panel of layers", "Ctrl+Shift+L"),
    ActionSpec("overlay", "Layers", "Show the risk map", "Show or hide the risk map", "O", _LAYERS, True, "Risk map"),
    ActionSpec("overlay_less", "Layers", "Risk map fainter", "Make the risk map fainter", "["),
    ActionSpec("overlay_more", "Layers", "Risk map stronger", "Make the risk map stronger", "]"),
    ActionSpec("threshold_less", "Layers", "Show lower risk", "Lower the threshold of the risk map", "{"),
    ActionSpec("threshold_more", "Layers", "Hide lower risk", "Raise the threshold of the risk map", "}"),
    ActionSpec("colour_map", "Layers", "Next colour map", "Inferno, magma, viridis, cividis in turn", "Ctrl+M"),
    ActionSpec("outlines", "Layers", "Show the structures", "Show or hide all structures", "Shift+O", "", True),
)
_SOLID = (
    ActionSpec("solid_structures", "3D", "Structures and risk", "Liver, vessels, tumours, risk", "Ctrl+Alt+1"),
    ActionSpec("solid_risk", "3D", "Risk alone", "The risk as a cloud in the liver's outline", "Ctrl+Alt+2"),
    ActionSpec("solid_painted", "3D", "Risk on the liver", "The risk on the liver's surface", "Ctrl+Alt+3"),
    ActionSpec("solid_liver", "3D", "CT, liver only", "The CT of the liver as a volume", "Ctrl+Alt+4"),
    ActionSpec("solid_vessels", "3D", "CT, vessels", "The CT's bright vessels and soft tissue", "Ctrl+Alt+5"),
    ActionSpec("solid_bone", "3D", "CT, bone", "The CT's bones as a volume", "Ctrl+Alt+6"),
    ActionSpec("clip", "3D", "Cut open", "Cut the 3D view where the slice view used last lies", "K", checkable=True),
    ActionSpec("clip_far", "3D", "Cut the other side", "Keep the other side of the cut", "Shift+K", checkable=True),
)
VIEW_SPECS = (*_VIEW, *_SLICES, *_LAYER_ACTIONS, *_SOLID)
