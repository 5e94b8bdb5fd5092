"""The actions about landmarks, segments and the resection; what they do is connected in ``resecting.py``."""

from __future__ import annotations

from star_viewer.action_spec import ActionSpec

_MENU = "Resection"

ANATOMY_SPECS = (
    ActionSpec("landmarks", _MENU, "Landmarks", "List the landmarks and show them on the slices", "Ctrl+Alt+L"),
    ActionSpec(
        "place_landmark",
        _MENU,
        "Place the landmark",
        "Put the chosen landmark at the next click or Enter",
        "Ctrl+Alt+K",
    ),
    ActionSpec(
        "segments", _MENU, "Show the segments", "Colour Couinaud's segments on the slices", "Ctrl+Alt+S", "", True
    ),
    ActionSpec("export_segments", _MENU, "Export the segments…", "Write the segments as DICOM SEG", "Ctrl+Alt+E"),
    ActionSpec("resection", _MENU, "Plan a resection", "Open the panel of the resection", "Ctrl+Alt+N"),
    ActionSpec(
        "cutting_plane",
        _MENU,
        "Move the cutting plane",
        "Arrows move the plane, Shift with Left and Right turns it, Enter cuts",
        "Ctrl+Alt+C",
        "",
        True,
    ),
    ActionSpec("cut", _MENU, "Cut", "Make the remnant what the plane or the chosen segments leave", "Ctrl+Alt+Return"),
)
