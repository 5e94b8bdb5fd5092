"""Lesions in the liver: darker tissue that liver surrounds, also where the lesion reaches the liver's surface."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from star_core.imaging.liver.core import LiverCore
from star_core.imaging.liver.grid import WorkingGrid
from star_core.imaging.liver.morphology import (
    box_around,
    close_gaps,
    cut_bridges,
    depth_mm,
    fill_holes,
    grow,
    largest_piece,
)
from star_core.imaging.liver.surroundings import Surroundings
from star_core.types import BoolArray, FloatArray

# Bile and fluid are darker; cysts count only where liver encloses them.
_DARKEST_HU = 20.0
_REACH_MM = 40.0
_LARGEST_ML = 500.0
# A lesion is separated from what is beside it at one of these depths of grey and by one of these openings.
_DEPTHS, _OPENINGS_MM = (1.0, 1.6, 2.2), (4.0, 7.0, 10.0)
# The shell that is asked: beyond the blurred rim, and thin enough to belong to the neighbour.
_SHELL_MM = (3.5, 8.0)
# More than half of what lies around a lesion, lung and heart aside, is liver.
_LEAST_ENCLOSED = 0.5
_RIM_MM = 7.0
_SEAM_MM = 4.0
# A wide vena cava measures 25 mm.
_VESSEL_MM = 12.5
_ROUNDS = 3


def add_lesions(core: LiverCore, grid: WorkingGrid, smooth_hu: FloatArray, around: Surroundings) -> BoolArray:
    """Return the liver with lesions at its border, and without bumps thinner than 8 mm.

    Parameters
    ----------
    core
        The liver's own tissue on ``grid``.
    smooth_hu
        float32 (d, h, w) from :func:`star_core.imaging.liver.grid.smooth_within_edges`.
    """
    box = box_around(core.mask, _REACH_MM + _RIM_MM, grid.spacing_mm)
    liver, hu, spacing = core.mask[box], smooth_hu[box], grid.spacing_mm
    possible, silent = around.possible[box], around.silent[box]
    for _ in range(_ROUNDS):
        soft = possible & ~liver & (hu > _DARKEST_HU) & (hu < core.level_hu + core.above_hu)
        lesions = np.zeros(liver.shape, dtype=bool)
        near = soft & grow(liver, _REACH_MM, spacing)
        for side, piece in _candidates(near, hu, core, grid):
            if not _mostly(lesions[side], piece) and _is_enclosed(piece, liver[side], silent[side], grid):
                lesions[side] |= piece
        added = grow(lesions, _RIM_MM, spacing) & soft
        seam = soft & grow(liver, _SEAM_MM, spacing)
        grown = fill_holes(close_gaps(liver | added, _SEAM_MM, spacing) & (liver | added | seam))
        settled = np.count_nonzero(grown) < 1.002 * np.count_nonzero(liver)
        liver = grown
        if settled:
            break
    whole = np.zeros(core.mask.shape, dtype=bool)
    whole[box] = _cut_vessels(cut_bridges(liver, _SEAM_MM, spacing), around.before_spine[box], grid)
    return whole


def _cut_vessels(liver: BoolArray, before_spine: BoolArray, grid: WorkingGrid) -> BoolArray:
    """Return the liver without tongues before the spine: vena cava, aorta and crura of the liver's own grey."""
    bulk = grow(cut_bridges(liver, _VESSEL_MM, grid.spacing_mm), _SEAM_MM, grid.spacing_mm)
    return largest_piece(liver & ~(before_spine & ~bulk)) if bulk.any() else largest_piece(liver)


def _candidates(
    near: BoolArray, hu: FloatArray, core: LiverCore, grid: WorkingGrid
) -> Iterator[tuple[tuple[slice, slice, slice], BoolArray]]:
    """Give pieces of darker tissue with the box around each and its shell."""
    margins = [int(np.ceil(_SHELL_MM[1] / mm)) + 1 for mm in grid.spacing_mm]
    for share in _DEPTHS:
        dark = near & (hu < core.level_hu - share * core.below_hu)
        depth = depth_mm(dark, grid.spacing_mm)
        for opening_mm in _OPENINGS_MM:
            inner = depth > opening_mm
            labels, _ = ndimage.label(grow(inner, opening_mm, grid.spacing_mm))
            for number, sides in enumerate(ndimage.find_objects(labels), start=1):
                z, y, x = (
                    slice(max(0, side.start - margin), side.stop + margin)
                    for side, margin in zip(sides, margins, strict=True)
                )
                piece = labels[z, y, x] == number
                if np.count_nonzero(piece) * grid.cell_ml <= _LARGEST_ML:
                    yield (z, y, x), piece


def _mostly(known: BoolArray, piece: BoolArray) -> bool:
    return bool(2 * np.count_nonzero(known & piece) > np.count_nonzero(piece))


def _is_enclosed(piece: BoolArray, liver: BoolArray, silent: BoolArray, grid: WorkingGrid) -> bool:
    distance = depth_mm(~piece, grid.spacing_mm)
    shell = (distance > _SHELL_MM[0]) & (distance <= _SHELL_MM[1]) & ~silent
    asked = np.count_nonzero(shell)
    return bool(asked > 0 and np.count_nonzero(shell & liver) > _LEAST_ENCLOSED * asked)
