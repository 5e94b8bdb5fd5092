"""Colours of the scene: calm greys, one colour for each plane and structure, and the map kept for risk alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from star_viewer.display import STRUCTURE_COLOURS as STRUCTURE_COLOURS
from star_viewer.display import ColourMap
from star_viewer.display import Rgb as Rgb
from star_viewer.scene.orientation import SliceKind

BACKGROUND: Rgb = (11, 13, 16)
FRAME: Rgb = (38, 43, 51)
FOCUS: Rgb = (90, 140, 190)
TEXT: Rgb = (205, 212, 220)
FAINT_TEXT: Rgb = (142, 151, 163)
MARK: Rgb = (238, 242, 246)
SELECTED_MARK: Rgb = (118, 190, 250)

LANDMARK: Rgb = (246, 214, 140)
CUT: Rgb = (240, 240, 240)

PLANE_COLOURS: dict[SliceKind, Rgb] = {
    SliceKind.AXIAL: (94, 174, 230),
    SliceKind.CORONAL: (98, 190, 142),
    SliceKind.SAGITTAL: (222, 196, 92),
}

LIVER_SURFACE: Rgb = (206, 176, 158)
BONE: Rgb = (214, 208, 196)

# Samples of matplotlib's maps (CC0), inferno and magma from a fifth of their way up, so that none is as dark as the CT.
# All are uniform in lightness and safe for colour-blind readers.
_RISK_ANCHORS: dict[ColourMap, tuple[Rgb, ...]] = {
    ColourMap.INFERNO: (
        (66, 10, 104),
        (106, 23, 110),
        (147, 38, 103),
        (188, 55, 84),
        (221, 81, 58),
        (243, 120, 25),
        (252, 165, 10),
        (246, 215, 70),
        (252, 255, 164),
    ),
    ColourMap.MAGMA: (
        (59, 15, 112),
        (89, 21, 126),
        (117, 33, 129),
        (145, 43, 129),
        (174, 52, 123),
        (204, 63, 113),
        (231, 82, 99),
        (246, 110, 92),
        (252, 144, 101),
        (254, 178, 122),
        (254, 211, 149),
        (252, 244, 182),
    ),
    ColourMap.VIRIDIS: (
        (68, 1, 84),
        (72, 32, 113),
        (67, 61, 132),
        (57, 86, 140),
        (46, 110, 142),
        (37, 131, 142),
        (31, 152, 139),
        (39, 173, 129),
        (74, 193, 109),
        (124, 210, 80),
        (184, 222, 41),
        (241, 229, 29),
    ),
    ColourMap.CIVIDIS: (
        (0, 34, 78),
        (0, 49, 113),
        (46, 65, 109),
        (71, 81, 108),
        (93, 97, 110),
        (113, 114, 116),
        (132, 130, 121),
        (154, 147, 118),
        (177, 165, 112),
        (201, 185, 101),
        (226, 205, 84),
        (252, 226, 54),
    ),
}


# ColorBrewer's RdBu (Apache 2.0) without its darkest ends: blue and red are told apart by colour-blind readers.
_DIFFERENCE_ANCHORS: tuple[Rgb, ...] = (
    (33, 102, 172),
    (67, 147, 195),
    (146, 197, 222),
    (209, 229, 240),
    (247, 247, 247),
    (253, 219, 199),
    (244, 165, 130),
    (214, 96, 77),
    (178, 24, 43),
)


def build_difference_table(size: int = 255) -> NDArray[np.uint8]:
    """Return the (size, 3) colours of a difference from most negative (blue) over none (white) to positive (red)."""
    return _interpolate(_DIFFERENCE_ANCHORS, size)


def build_risk_table(size: int = 256, colour_map: ColourMap = ColourMap.INFERNO) -> NDArray[np.uint8]:
    """Return the (size, 3) risk colours from none to the highest."""
    return _interpolate(_RISK_ANCHORS[colour_map], size)


def _interpolate(colours: tuple[Rgb, ...], size: int) -> NDArray[np.uint8]:
    anchors = np.array(colours, dtype=np.float64)
    position = np.linspace(0, len(anchors) - 1, size)
    known = np.arange(len(anchors))
    channels = [np.interp(position, known, anchors[:, channel]) for channel in range(3)]
    return np.round(np.stack(channels, axis=1)).astype(np.uint8)


def build_overlay_table(
    opacity: float, threshold_fraction: float, size: int = 256, colour_map: ColourMap = ColourMap.INFERNO
) -> NDArray[np.uint8]:
    """Return the (size, 4) risk colours with alpha: nothing below the threshold, ``opacity`` above it."""
    table = np.empty((size, 4), dtype=np.uint8)
    table[:, :3] = build_risk_table(size, colour_map)
    shown = np.linspace(0, 1, size) >= threshold_fraction
    shown[0] = False
    table[:, 3] = np.where(shown, round(255 * opacity), 0)
    return table
