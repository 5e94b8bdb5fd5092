"""Calibration, net benefit and year classes by hand, against statistics libraries and by property."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from star_core.evaluation.calibration import (
    compute_calibration_curve,
    compute_calibration_slope,
    compute_d_calibration,
    survival_at_months,
)
from star_core.evaluation.decision import compute_net_benefit
from star_core.evaluation.year_error import (
    CensoringRule,
    choose_patients,
    compute_year_error,
    find_best_constant,
    to_median_year,
    to_modal_year,
    to_year,
    wilson_interval,
)
from star_core.types import BoolArray, DoubleArray


def _draw(seed: int, n: int = 4000) -> tuple[DoubleArray, DoubleArray, BoolArray]:
    """Return yearly hazards, times and events of patients with constant hazards and random censoring."""
    generator = np.random.default_rng(seed)
    hazard = 0.15 * np.exp(generator.normal(0, 0.6, n))
    failure, lost = generator.exponential(12 / hazard), generator.exponential(100, n)
    return hazard, np.minimum(failure, lost), failure <= lost


def _survival(hazard: DoubleArray) -> DoubleArray:
    return np.exp(-np.outer(hazard, np.arange(1, 13)))


def test_the_true_law_has_slope_one_and_twice_the_spread_half() -> None:
    hazard, months, event = _draw(0)
    slope, intercept = compute_calibration_slope(1 - np.exp(-3 * hazard), months, event, 36.0)
    assert slope == pytest.approx(1, abs=0.08)
    assert intercept == pytest.approx(0, abs=0.1)
    extreme = 3 * hazard**2 / 0.15
    assert compute_calibration_slope(1 - np.exp(-extreme), months, event, 36.0)[0] == pytest.approx(slope / 2, abs=0.01)


def test_slope_agrees_with_scikit_learns_poisson_regression() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    hazard, months, event = _draw(1, 500)
    seen, exposure = event & (months <= 36), np.minimum(months, 36) / 36
    model = linear_model.PoissonRegressor(alpha=0, tol=1e-10, max_iter=1000)
    model.fit(np.log(3 * hazard)[:, None], seen / exposure, sample_weight=exposure)
    slope, intercept = compute_calibration_slope(1 - np.exp(-3 * hazard), months, event, 36.0)
    assert slope == pytest.approx(model.coef_[0], abs=1e-3)
    assert intercept == pytest.approx(model.intercept_, abs=1e-3)


def test_equal_forecasts_have_no_slope() -> None:
    _, months, event = _draw(2, 50)
    assert np.isnan(compute_calibration_slope(np.full(50, 0.3), months, event, 36.0)[0])


def test_groups_of_the_true_law_lie_on_the_diagonal() -> None:
    hazard, months, event = _draw(3)
    groups = compute_calibration_curve(1 - np.exp(-3 * hazard), months, event.astype(int), 36.0)
    assert sum(group.n for group in groups) == 4000
    assert [group.observed for group in groups] == pytest.approx([group.forecast for group in groups], abs=0.04)


def test_the_true_law_is_d_calibrated_and_a_gloomy_one_is_not() -> None:
    hazard, months, event = _draw(4, 1000)
    share, p = compute_d_calibration(_survival(hazard), months, event)
    assert share.sum() == pytest.approx(1)
    assert p > 0.01
    assert compute_d_calibration(_survival(2 * hazard), months, event)[1] < 1e-6


def test_d_calibration_spreads_a_censored_patient_below_its_survival() -> None:
    # S(12 months) = 0.5: an event falls into bin (0.4, 0.6]; a censored one is spread over [0, 0.5].
    survival = np.full((2, 12), 0.5)
    share, _ = compute_d_calibration(survival, np.array([12.0, 12.0]), np.array([True, False]))
    assert share == pytest.approx(np.array([0.4, 0.4, 0.2 + 1.0, 0, 0]) / 2)


def test_between_years_survival_falls_by_a_constant_hazard() -> None:
    survival = np.tile([0.8, 0.5] + [0.5] * 10, (3, 1))
    at = survival_at_months(survival, np.array([6.0, 18.0, 200.0]))
    assert at == pytest.approx([0.8**0.5, (0.8 * 0.5) ** 0.5, 0.5])


def test_net_benefit_by_hand() -> None:
    months, event = np.array([6.0, 20.0, 30.0, 40.0]), np.array([1, 0, 1, 1])
    # At 0.5 the first two are treated: one of them has the event by 12 months.
    risk = np.array([0.9, 0.6, 0.2, 0.1])
    benefit = compute_net_benefit(risk, months, event, 12.0, np.array([0.2, 0.5, 0.95]))
    assert benefit == pytest.approx([3 / 4 * (1 / 3 - 2 / 3 * 0.25), 0.5 * (0.5 - 0.5), 0.0])


def test_months_become_years() -> None:
    assert to_year(np.array([0.0, 0.1, 12.0, 12.1, 144.0, 144.1])).tolist() == [1, 1, 1, 2, 12, 13]


def test_median_and_mode_of_a_curve() -> None:
    survival = np.array([np.linspace(0.9, 0.6, 12), [0.7, 0.65, 0.5] + [0.45] * 9])
    assert to_median_year(survival).tolist() == [13, 3]
    assert to_modal_year(survival).tolist() == [13, 13]
    assert to_modal_year(np.array([[0.9, 0.2] + [0.1] * 10])).tolist() == [2]


def test_year_errors_by_hand_under_both_rules() -> None:
    truth, forecast = np.array([1, 3, 5]), np.array([1, 4, 2])
    error = compute_year_error(forecast, truth)
    assert (error.taa, error.mse, error.mae) == pytest.approx((1 / 3, 10 / 3, 4 / 3))
    months, event = np.array([5.0, 30.0, 150.0]), np.array([True, False, False])
    assert choose_patients(months, event, CensoringRule.IGNORED).sum() == 3
    assert choose_patients(months, event, CensoringRule.KNOWN_ONLY).tolist() == [True, False, True]


@given(st.lists(st.integers(1, 13), min_size=1, max_size=40), st.integers(1, 13))
def test_no_constant_beats_the_best(years: list[int], year: int) -> None:
    truth = np.array(years)
    best, error = find_best_constant(truth), compute_year_error(np.full(len(truth), year), truth)
    assert best["taa"][1] >= error.taa
    assert best["mse"][1] <= error.mse
    assert best["mae"][1] <= error.mae


def test_wilson_interval_of_eighteen_in_twenty() -> None:
    assert wilson_interval(18, 20) == pytest.approx((0.699, 0.972), abs=1e-3)
