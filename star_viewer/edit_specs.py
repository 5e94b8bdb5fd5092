"""The actions about structures; what they do is connected in ``segmenting.py``."""

from __future__ import annotations

from star_viewer.action_spec import ActionSpec
from star_viewer.mask_tools import MaskTool

_FIND, _BRUSH, _ERASER = "mdi6.auto-fix", "mdi6.brush", "mdi6.eraser"
_ADD, _TAKE, _GROW = "mdi6.plus-circle-outline", "mdi6.minus-circle-outline", "mdi6.target"
_MENU = "Structures"

TOOL_NAMES = {
    MaskTool.BRUSH: "mask_brush",
    MaskTool.ERASER: "mask_eraser",
    MaskTool.ADD_LIVER: "liver_add",
    MaskTool.TAKE_LIVER: "liver_take",
    MaskTool.GROW_TUMOUR: "tumour_grow",
}
SHAPE_NAMES = (
    "mask_fill_between",
    "mask_smooth",
    "mask_largest",
    "mask_keep_here",
    "mask_islands",
    "mask_holes",
    "mask_erase",
)
"""The actions on the structure that is edited, in the order of their buttons."""

_TOOLS = (
    ActionSpec("mask_brush", _MENU, "Brush", "Paint the chosen structure; Shift erases", "P", _BRUSH, True),
    ActionSpec("mask_eraser", _MENU, "Eraser", "Rub the chosen structure out", "Shift+P", _ERASER, True),
    ActionSpec(
        *("liver_add", _MENU, "Add to the liver here", "Click a missed part: all of it is added", "G"),
        *(_ADD, True, "Add a part"),
    ),
    ActionSpec(
        *("liver_take", _MENU, "Take from the liver here", "Click a wrong part: all of it goes", "Shift+G"),
        *(_TAKE, True, "Take a part"),
    ),
    ActionSpec(
        *("tumour_grow", _MENU, "Tumour here", "Click a tumour: its outline is found", "U"),
        *(_GROW, True, "Tumour"),
    ),
)
_SHAPES = tuple(
    ActionSpec(name, _MENU, text, tooltip, key, short=short)
    for name, text, tooltip, key, short in (
        ("mask_fill_between", "Fill between slices", "Fill the slices between those drawn", "L", "Fill between"),
        ("mask_smooth", "Smooth", "Round the structure off; its volume stays", "Shift+L", "Smooth"),
        ("mask_largest", "Keep the largest piece", "Remove all but the largest", "Ctrl+Alt+G", "Keep largest"),
        ("mask_keep_here", "Keep the piece here", "Remove all but what is at the crosshair", "Ctrl+Alt+J", "Keep here"),
        ("mask_islands", "Remove small islands", "Remove pieces below 1 ml", "Ctrl+Alt+I", "No islands"),
        ("mask_holes", "Fill holes", "Fill what is closed in within a slice", "Ctrl+Alt+H", "Fill holes"),
        ("mask_erase", "Erase the structure", "Remove all of the structure", "Ctrl+Alt+Backspace", "Erase all"),
    )
)
EDIT_SPECS = (
    ActionSpec("structures", _MENU, "Show the structures' tools", "Open the panel of structures", "Ctrl+Shift+J"),
    ActionSpec("find_liver", _MENU, "Find the liver", "Let the program draw the liver", "F6", _FIND),
    ActionSpec(
        "find_liver_ts", _MENU, "Find the liver with TotalSegmentator", "Let TotalSegmentator draw it", "Shift+F6"
    ),
    *_TOOLS,
    ActionSpec("brush_smaller", _MENU, "Smaller brush", "Make the brush smaller ([ while it is in hand)"),
    ActionSpec("brush_larger", _MENU, "Larger brush", "Make the brush larger (] while it is in hand)"),
    *_SHAPES,
    ActionSpec("export_masks", _MENU, "Export segmentation…", "Write the structures as DICOM", "Ctrl+Shift+E"),
)
