"""Yearly maps laid out for drawing."""

from __future__ import annotations

import numpy as np
import pytest

from star_core.types import RiskMap
from star_viewer.scene.risk_frames import build_risk_frames, round_up
from star_viewer.session import IncidenceMode
from tests.viewer.scene.factory import RISK_GEOMETRY_SPACING_MM, build_geometry, build_risk_map, turn

GRID = build_geometry(RISK_GEOMETRY_SPACING_MM)


def test_years_add_up_to_the_cumulative_map() -> None:
    frames = build_risk_frames(build_risk_map())
    summed = np.cumsum(frames.percent[IncidenceMode.ANNUAL], axis=0)
    np.testing.assert_allclose(summed, frames.percent[IncidenceMode.CUMULATIVE], rtol=1e-4, atol=1e-6)


def test_nothing_is_lost_by_the_cut() -> None:
    risk_map = build_risk_map()
    frames = build_risk_frames(risk_map)
    total = risk_map.density_per_ml.sum(dtype=np.float64) * 1000
    assert frames.percent[IncidenceMode.CUMULATIVE].sum(dtype=np.float64) == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("flips", [(), (0,), (1, 2), (0, 1, 2)])
def test_turned_grids_give_the_same_frames(order: tuple[int, int, int], flips: tuple[int, ...]) -> None:
    expected = build_risk_frames(build_risk_map())
    frames = build_risk_frames(build_risk_map(turn(GRID, flips, order)))
    np.testing.assert_allclose(frames.geometry.affine_lps, expected.geometry.affine_lps, atol=1e-9)
    for mode in IncidenceMode:
        np.testing.assert_allclose(frames.percent[mode], expected.percent[mode], atol=1e-6)


def test_a_map_of_zeros_is_laid_out_without_warning() -> None:
    density = np.zeros((12, 4, 5, 6), np.float32)
    geometry = build_geometry((40.0, 40.0, 40.0))
    frames = build_risk_frames(RiskMap(density_per_ml=density[:, :, :5, :6], geometry=geometry))
    assert frames.top[IncidenceMode.CUMULATIVE] == 1.0


@pytest.mark.parametrize(("value", "top"), [(0.33, 0.4), (1.0, 1.0), (1.01, 1.5), (7, 8.0), (0.0, 1.0), (0.11, 0.15)])
def test_scales_end_on_a_round_number(value: float, top: float) -> None:
    assert round_up(value) == top
