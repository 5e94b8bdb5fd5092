"""Outcome mathematics: by hand, by property, and against lifelines' Aalen-Johansen on drawn patients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from star_core.model.incidence import (
    compute_cumulative_incidence,
    compute_event_free_survival,
    compute_risk_density,
    compute_survival,
)
from star_core.types import DoubleArray
from tests.strategies import yearly_rates


def test_one_cause_by_hand() -> None:
    incidence = compute_cumulative_incidence(np.full((2, 1), np.log(2.0)))
    np.testing.assert_allclose(incidence[:, 0], [0.5, 0.75])


def test_two_causes_share_the_incidence_by_their_rates() -> None:
    incidence = compute_cumulative_incidence(np.array([[0.3, 0.1]]))
    lost = 1 - np.exp(-0.4)
    np.testing.assert_allclose(incidence[0], [0.75 * lost, 0.25 * lost])


@given(yearly_rates())
def test_incidences_and_survival_sum_to_one(rates: DoubleArray) -> None:
    total = compute_cumulative_incidence(rates).sum(axis=-1) + compute_event_free_survival(rates)
    np.testing.assert_allclose(total, 1.0, atol=1e-12)


@given(yearly_rates())
def test_incidence_never_falls_and_survival_never_rises(rates: DoubleArray) -> None:
    assert (np.diff(compute_cumulative_incidence(rates), axis=0) >= 0).all()
    assert (np.diff(compute_survival(rates[:, 0])) <= 0).all()


@given(yearly_rates())
def test_the_map_integrates_to_the_incidence(rates: DoubleArray) -> None:
    share = np.random.default_rng(0).random((12, 4, 5, 6))
    share /= share.sum(axis=(1, 2, 3), keepdims=True)
    voxel_ml = 0.031
    rate_per_ml = (rates[:, 0, None, None, None] * share / voxel_ml).astype(np.float32)
    rates = rates.copy()
    rates[:, 0] = rate_per_ml.sum(axis=(1, 2, 3), dtype=np.float64) * voxel_ml
    density = compute_risk_density(rate_per_ml, rates)
    integral = density.sum(axis=(1, 2, 3), dtype=np.float64) * voxel_ml
    np.testing.assert_allclose(integral, compute_cumulative_incidence(rates)[:, 0], rtol=1e-5, atol=1e-12)


def test_incidence_agrees_with_an_aalen_johansen_estimate() -> None:
    lifelines = pytest.importorskip("lifelines")
    generator = np.random.default_rng(1)
    rates = np.array([[0.2, 0.1], [0.1, 0.15], [0.05, 0.02]])
    months, cause = [], []
    for _ in range(6000):
        year, time = 0, 3.0
        while year < 3:
            wait = generator.exponential(1 / rates[year].sum())
            if wait < 1:
                time = year + wait
                break
            year += 1
        months.append(time)
        cause.append(0 if year == 3 else 1 + int(generator.random() > rates[year, 0] / rates[year].sum()))
    fitter = lifelines.AalenJohansenFitter(calculate_variance=False)
    fitter.fit(np.array(months), np.array(cause), event_of_interest=1)
    estimate = fitter.predict(2.999)
    assert compute_cumulative_incidence(rates)[2, 0] == pytest.approx(estimate, abs=0.02)
