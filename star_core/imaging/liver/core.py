"""The liver's own tissue: its grey level, and the piece of that level that is the liver."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from star_core.imaging.liver.grid import WorkingGrid, block_factors, build_working_grid
from star_core.imaging.liver.morphology import cut_bridges, fill_holes, grow, largest_piece
from star_core.imaging.liver.surroundings import Surroundings
from star_core.types import BoolArray, FloatArray

_LEVEL_CELL_MM = 6.0
# From a fatty liver without contrast to a bright one in portal venous phase.
_LEVELS_HU = range(10, 220, 5)
_LEVEL_WIDTH_HU = 12.0
_LEVEL_BRIDGE_MM = 9.0
# The liver crosses the middle of the body with its left lobe; its bulk does not.
_BEYOND_SPINE_MM = 24.0
_SMALLEST_LIVER_ML = 80.0
# Half the width of the liver's levels: two and a half deviations, or this where the tissue is very even.
_DEVIATIONS, _LEAST_WIDTH_HU, _LEAST_DEVIATION_HU = 2.5, 15.0, 4.0
# Below the liver's level lies muscle in portal venous phase: the border is half-way, or at most this far down.
_WIDEST_BELOW_HU = 25.0
# Shade by arms and tables changes the level slowly from place to place, by no more than this.
_SHADE_MM, _LARGEST_SHADE_HU = 20.0, 30.0
_ROUNDS = 8
# Necks to muscle, stomach, vena cava and kidney are thinner than twice this; lobes have thin edges of up to the other.
_BRIDGE_MM, _EDGE_MM = 8.0, 9.0
# A darker liver took up no contrast medium; its neighbours then have its grey, and hang on it by more.
ENHANCED_LIVER_HU, _NATIVE_BRIDGE_MM = 80.0, 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LiverCore:
    """Evenly grey liver tissue on a working grid; lesions and large vessels are still missing at its border.

    ``level_hu`` is the liver's level, ``below_hu`` and ``above_hu`` how far its tissue reaches from it.
    """

    mask: BoolArray
    level_hu: float
    below_hu: float
    above_hu: float


def find_core(grid: WorkingGrid, smooth_hu: FloatArray, around: Surroundings) -> LiverCore | None:
    """Return the liver's tissue, or ``None`` where no piece is large and even enough to be a liver."""
    seed = _find_seed(grid, around)
    if np.count_nonzero(seed) * grid.cell_ml < _SMALLEST_LIVER_ML:
        return None
    level = float(np.median(smooth_hu[seed]))
    below = min(_WIDEST_BELOW_HU, (level - around.muscle_hu) / 2)
    width = _width_of(smooth_hu[seed] - level)
    core = LiverCore(mask=seed, level_hu=level, below_hu=max(width, below), above_hu=width)
    core = _take_level(core, smooth_hu, np.full(smooth_hu.shape, level, np.float32), around, grid)
    window = np.zeros(seed.shape, dtype=bool)
    for _ in range(_ROUNDS):
        local = _local_level(core, smooth_hu, grid)
        width = _width_of((smooth_hu - local)[core.mask])
        core = replace(core, below_hu=max(width, below), above_hu=width)
        window = _window(core, smooth_hu, local, around)
        before, core = core, _take_level(core, smooth_hu, local, around, grid)
        if not core.mask.any():
            return None
        if np.count_nonzero(core.mask) < 1.005 * np.count_nonzero(before.mask):
            break
    mask = largest_piece(grow(core.mask, _EDGE_MM, grid.spacing_mm) & window)
    return replace(core, mask=fill_holes(mask))


def _find_seed(grid: WorkingGrid, around: Surroundings) -> BoolArray:
    """Return the largest compact piece of even grey right of the spine, searched on a coarser grid."""
    hidden = np.where(around.possible, grid.hu, -1000.0).astype(np.int16)
    factors = block_factors(hidden.shape, grid.spacing_mm, _LEVEL_CELL_MM)
    coarse = build_working_grid(hidden, grid.spacing_mm, factors=factors)
    right = np.zeros(coarse.hu.shape, dtype=bool)
    middle = around.spine_column / coarse.factors[2] + _BEYOND_SPINE_MM / coarse.spacing_mm[2]
    right[:, :, : max(1, int(middle))] = True
    best = np.zeros(coarse.hu.shape, dtype=bool)
    for level in _LEVELS_HU:
        near = np.abs(coarse.hu - level) < _LEVEL_WIDTH_HU
        piece = largest_piece(cut_bridges(near, _LEVEL_BRIDGE_MM, coarse.spacing_mm) & right)
        if np.count_nonzero(piece) > np.count_nonzero(best):
            best = piece
    seed = np.zeros(grid.hu.shape, dtype=bool)
    fine = best.repeat(coarse.factors[0], 0).repeat(coarse.factors[1], 1).repeat(coarse.factors[2], 2)
    depth, height, width = fine.shape
    seed[:depth, :height, :width] = fine
    return seed


def _width_of(deviations: FloatArray) -> float:
    spread = 1.4826 * float(np.median(np.abs(deviations)))
    return max(_DEVIATIONS * max(spread, _LEAST_DEVIATION_HU), _LEAST_WIDTH_HU)


def _local_level(core: LiverCore, smooth_hu: FloatArray, grid: WorkingGrid) -> FloatArray:
    """Return the level of the liver tissue around each cell; it follows shade into parts not yet taken."""
    sigma = [_SHADE_MM / mm for mm in grid.spacing_mm]
    weight = ndimage.gaussian_filter(core.mask.astype(np.float32), sigma, mode="constant") + 1e-3
    shade = ndimage.gaussian_filter(
        np.where(core.mask, smooth_hu - core.level_hu, 0.0).astype(np.float32), sigma, mode="constant"
    )
    level: FloatArray = core.level_hu + np.clip(shade / weight, -_LARGEST_SHADE_HU, _LARGEST_SHADE_HU)
    return level


def _window(core: LiverCore, smooth_hu: FloatArray, local_hu: FloatArray, around: Surroundings) -> BoolArray:
    difference = smooth_hu - local_hu
    window: BoolArray = around.possible & (difference > -core.below_hu) & (difference < core.above_hu)
    return window


def _take_level(
    core: LiverCore, smooth_hu: FloatArray, local_hu: FloatArray, around: Surroundings, grid: WorkingGrid
) -> LiverCore:
    window = _window(core, smooth_hu, local_hu, around)
    bridge_mm = _BRIDGE_MM if core.level_hu >= ENHANCED_LIVER_HU else _NATIVE_BRIDGE_MM
    return replace(core, mask=largest_piece(cut_bridges(window, bridge_mm, grid.spacing_mm), core.mask))
