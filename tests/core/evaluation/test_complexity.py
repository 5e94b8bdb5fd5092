"""Counts of convolutions agree with the network's own weights and, on a small grid, with multiplications by hand."""

from __future__ import annotations

from torch import nn

from star_core.evaluation.complexity import count_dense, count_plain, count_separable
from star_core.model.config import StarConfig
from star_core.model.tracker import Tracker

CONFIG = StarConfig(n_clinical=14)


def test_parameters_are_those_of_the_network() -> None:
    encoder = Tracker(CONFIG).encoder
    weights = [m.weight.numel() for m in encoder.modules() if isinstance(m, nn.Conv3d | nn.Conv2d)]
    assert count_separable(CONFIG).parameters == sum(weights) + encoder.stem.year.numel()


def test_multiplications_by_hand() -> None:
    config = StarConfig(n_clinical=1, n_years=2, grid_shape=(16, 16, 16), channels=(4, 4, 4, 4), year_embedding=1)
    space, along = 27 * 4 * 4, 3 * 4 * 4
    cells = (8**3, 4**3, 2**3, 1)
    first = cells[0] * 27 * 8 * 4 + 2 * 27 * 4
    expected = first + 2 * sum(cells[1:]) * space + 2 * sum(cells[:3]) * along
    assert count_separable(config).multiplications == expected
    plain = 2 * (cells[0] * 27 * 9 * 4 + sum(cells[1:]) * space)
    assert count_plain(config).multiplications == plain
    assert count_dense(config).multiplications == 3 * plain
