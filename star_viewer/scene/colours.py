"""Colours of the scene: calm greys, one colour for each plane and structure, and the map kept for risk alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from star_core.types import Structure
from star_viewer.scene.orientation import SliceKind

Rgb = tuple[int, int, int]

BACKGROUND: Rgb = (11, 13, 16)
FRAME: Rgb = (38, 43, 51)
FOCUS: Rgb = (90, 140, 190)
TEXT: Rgb = (205, 212, 220)
FAINT_TEXT: Rgb = (142, 151, 163)
MARK: Rgb = (238, 242, 246)
SELECTED_MARK: Rgb = (118, 190, 250)

PLANE_COLOURS: dict[SliceKind, Rgb] = {
    SliceKind.AXIAL: (94, 174, 230),
    SliceKind.CORONAL: (98, 190, 142),
    SliceKind.SAGITTAL: (222, 196, 92),
}

STRUCTURE_COLOURS: dict[Structure, Rgb] = {
    Structure.LIVER: (122, 214, 208),
    Structure.REMNANT: (190, 200, 208),
    Structure.HEPATIC_VEINS: (82, 146, 226),
    Structure.PORTAL_VEINS: (172, 146, 232),
    Structure.TUMOUR: (152, 222, 104),
}
LIVER_SURFACE: Rgb = (206, 176, 158)
BONE: Rgb = (214, 208, 196)

# Inferno from a fifth of its way up: uniform in lightness, safe for colour-blind readers, and never as dark as the CT.
_RISK_ANCHORS = np.array(
    [
        [66, 10, 104],
        [106, 23, 110],
        [147, 38, 103],
        [188, 55, 84],
        [221, 81, 58],
        [243, 120, 25],
        [252, 165, 10],
        [246, 215, 70],
        [252, 255, 164],
    ],
    dtype=np.float64,
)


def build_risk_table(size: int = 256) -> NDArray[np.uint8]:
    """Return the (size, 3) risk colours from none to the highest."""
    position = np.linspace(0, len(_RISK_ANCHORS) - 1, size)
    known = np.arange(len(_RISK_ANCHORS))
    channels = [np.interp(position, known, _RISK_ANCHORS[:, channel]) for channel in range(3)]
    return np.round(np.stack(channels, axis=1)).astype(np.uint8)


def build_overlay_table(opacity: float, threshold_fraction: float, size: int = 256) -> NDArray[np.uint8]:
    """Return the (size, 4) risk colours with alpha: nothing below the threshold, ``opacity`` above it."""
    table = np.empty((size, 4), dtype=np.uint8)
    table[:, :3] = build_risk_table(size)
    shown = np.linspace(0, 1, size) >= threshold_fraction
    shown[0] = False
    table[:, 3] = np.where(shown, round(255 * opacity), 0)
    return table
