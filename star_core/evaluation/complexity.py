"""How many parameters and multiplications the tracker's convolutions take, beside what they stand for.

Counted are the four levels of the encoder for one scan and all years. *Separable* is ours: 3x3x3 within a year, then
width 3 along years, the first level's 3x3x3 once for all years. *Dense* is one 3x3x3x3 convolution a level, *plain* the
3x3x3 alone. Biases, normalisation, attention and decoder are the same for all three and left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from star_core.model.config import StarConfig
from star_core.model.inputs import N_CHANNELS

SPACE_TAPS, YEAR_TAPS = 27, 3
PAPER_SAVING_PERCENT = 41.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvolutionCounts:
    """Weights, and multiplications for one scan and all years."""

    parameters: int
    multiplications: int


def count_separable(config: StarConfig) -> ConvolutionCounts:
    """Return the counts of the network as it is."""
    parameters = multiplications = 0
    for level, (before, after, cells) in enumerate(_levels(config)):
        space = SPACE_TAPS * before * after
        if level == 0:
            years = SPACE_TAPS * config.year_embedding * after
            multiplications += cells * space + config.n_years * years  # the scan once, the years as a table
            parameters += years
        else:
            multiplications += config.n_years * cells * space
        parameters += space
        if level < len(config.channels) - 1:  # attention follows the last level instead
            parameters += YEAR_TAPS * after * after
            multiplications += config.n_years * cells * YEAR_TAPS * after * after
    return ConvolutionCounts(parameters=parameters, multiplications=multiplications)


def count_dense(config: StarConfig) -> ConvolutionCounts:
    """Return the counts with one dense 3x3x3x3 convolution a level on [X; E_t]."""
    return _count_joint(config, SPACE_TAPS * YEAR_TAPS)


def count_plain(config: StarConfig) -> ConvolutionCounts:
    """Return the counts with 3x3x3 convolutions on [X; E_t] in each year and nothing along years."""
    return _count_joint(config, SPACE_TAPS)


def _count_joint(config: StarConfig, taps: int) -> ConvolutionCounts:
    parameters = multiplications = 0
    for level, (before, after, cells) in enumerate(_levels(config)):
        weights = taps * (before + (config.year_embedding if level == 0 else 0)) * after
        parameters += weights
        multiplications += config.n_years * cells * weights
    return ConvolutionCounts(parameters=parameters, multiplications=multiplications)


def _levels(config: StarConfig) -> list[tuple[int, int, int]]:
    """Return channels before and after, and cells of the output, of each level."""
    before = (N_CHANNELS[config.input_channels], *config.channels[:-1])
    shapes = [tuple(-(-size // 2 ** (level + 1)) for size in config.grid_shape) for level in range(len(before))]
    return [(b, a, prod(shape)) for b, a, shape in zip(before, config.channels, shapes, strict=True)]
