"""Ranking and error against scikit-survival and lifelines, by hand and by property."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from star_core.evaluation.curves import count_at_risk, fit_aalen_johansen, fit_censoring, fit_kaplan_meier
from star_core.evaluation.discrimination import compute_auc, compute_cause_auc, compute_uno_concordance
from star_core.evaluation.error import (
    compute_brier,
    compute_cause_brier,
    compute_integrated_brier,
    reference_incidence,
)
from star_core.types import BoolArray, DoubleArray


def _draw(seed: int, n: int = 150) -> tuple[DoubleArray, DoubleArray, BoolArray]:
    generator = np.random.default_rng(seed)
    risk = generator.normal(size=n)
    failure = generator.exponential(60 * np.exp(-0.7 * risk))
    lost = generator.exponential(90, n)
    return risk, np.minimum(failure, lost), failure <= lost


def _structured(months: DoubleArray, event: BoolArray) -> object:
    util = pytest.importorskip("sksurv.util")
    return util.Surv.from_arrays(event, months)


def test_kaplan_meier_agrees_with_lifelines() -> None:
    lifelines = pytest.importorskip("lifelines")
    _, months, event = _draw(0)
    months = np.ceil(months)
    fitted = lifelines.KaplanMeierFitter().fit(months, event)
    years = np.arange(1, 13) * 12.0
    assert fit_kaplan_meier(months, event).at(years) == pytest.approx(fitted.predict(years).to_numpy())


def test_aalen_johansen_agrees_with_scikit_survival() -> None:
    nonparametric = pytest.importorskip("sksurv.nonparametric")
    generator = np.random.default_rng(1)
    months, cause = generator.exponential(40, 120), generator.integers(0, 4, 120)
    times, incidence = nonparametric.cumulative_incidence_competing_risks(cause, months)
    for of in (1, 2, 3):
        assert fit_aalen_johansen(months, cause, of).at(times) == pytest.approx(incidence[of])


def test_uno_concordance_agrees_with_scikit_survival() -> None:
    metrics = pytest.importorskip("sksurv.metrics")
    for seed in range(3):
        risk, months, event = _draw(seed)
        outcome = _structured(months, event)
        expected = metrics.concordance_index_ipcw(outcome, outcome, risk, tau=80.0)[0]
        assert compute_uno_concordance(risk, months, event, until_months=80.0) == pytest.approx(expected)


def test_auc_agrees_with_scikit_survival() -> None:
    metrics = pytest.importorskip("sksurv.metrics")
    risk, months, event = _draw(4)
    outcome = _structured(months, event)
    expected, _ = metrics.cumulative_dynamic_auc(outcome, outcome, risk, [12.0, 36.0, 60.0])
    ours = [compute_auc(risk, months, event, at) for at in (12.0, 36.0, 60.0)]
    assert ours == pytest.approx(expected)


def test_brier_agrees_with_scikit_survival() -> None:
    metrics = pytest.importorskip("sksurv.metrics")
    risk, months, event = _draw(5)
    outcome = _structured(months, event)
    years = np.arange(1, 6)
    survival = np.exp(-np.outer(np.exp(risk), years) / 6)
    _, expected = metrics.brier_score(outcome, outcome, survival, years * 12.0)
    ours = [compute_brier(1 - survival[:, y - 1], months, event, y * 12.0) for y in years]
    assert ours == pytest.approx(expected)
    integrated = metrics.integrated_brier_score(outcome, outcome, survival, years * 12.0)
    assert compute_integrated_brier(1 - survival, months, event.astype(int), years) == pytest.approx(integrated)


def test_without_censoring_cause_measures_are_plain_shares() -> None:
    # Four patients, none censored: liver recurrence at 6 and 20 months, death at 8, another event at 30.
    months, cause = np.array([6.0, 8.0, 20.0, 30.0]), np.array([1, 3, 1, 2])
    risk = np.array([0.8, 0.3, 0.9, 0.5])
    # By 12 months the first is a case; the others are controls, and it exceeds two of three.
    assert compute_cause_auc(risk, months, cause, 12.0, of=1) == pytest.approx(2 / 3)
    expected = np.mean((np.array([1, 0, 0, 0]) - risk) ** 2)
    assert compute_cause_brier(risk, months, cause, 12.0, of=1) == pytest.approx(expected)


def test_a_patient_censored_early_hands_its_weight_to_the_others() -> None:
    # The second is lost at 5 months: G = 2/3 after it, so those who stay weigh 3/2 and the event at 2 weighs 1.
    months, event = np.array([2.0, 5.0, 9.0, 20.0]), np.array([True, False, True, False])
    incidence = np.array([0.9, 0.5, 0.6, 0.2])
    assert fit_censoring(months, event).at(5.0) == pytest.approx(2 / 3)
    expected = (0.1**2 + 1.5 * 0.4**2 + 1.5 * 0.2**2) / 4
    assert compute_brier(incidence, months, event, 12.0) == pytest.approx(expected)


def test_the_reference_is_nobodys_own_curve() -> None:
    _, months, event = _draw(6)
    curve = reference_incidence(months, event.astype(int), np.arange(1, 13), 3)
    assert (curve[0] == curve[2]).all()
    assert 1 - curve[0] == pytest.approx(fit_kaplan_meier(months, event).at(np.arange(1, 13) * 12.0))


def test_numbers_at_risk_count_those_still_under_observation() -> None:
    assert count_at_risk(np.array([5.0, 12.0, 40.0]), np.array([0.0, 12.0, 36.0])).tolist() == [3, 2, 1]


@given(st.integers(0, 10_000))
def test_reversed_risk_gives_the_complement(seed: int) -> None:
    risk, months, event = _draw(seed, 40)
    for measure in (
        lambda r: compute_uno_concordance(r, months, event),
        lambda r: compute_auc(r, months, event, 36.0),
    ):
        value = measure(risk)
        assert np.isnan(value) or (0 <= value <= 1 and measure(-risk) == pytest.approx(1 - value))


@given(st.integers(0, 10_000))
def test_causes_and_survival_add_up_to_one(seed: int) -> None:
    generator = np.random.default_rng(seed)
    months, cause = np.ceil(generator.exponential(30, 40)), generator.integers(0, 4, 40)
    at = np.arange(0.0, 150.0, 6.0)
    total = sum(fit_aalen_johansen(months, cause, of).at(at) for of in (1, 2, 3))
    assert total + fit_kaplan_meier(months, cause > 0).at(at) == pytest.approx(np.ones_like(at))
