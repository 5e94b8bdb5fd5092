"""The ridge partial likelihood against lifelines, and worked by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter

from star_core.model.comparators.proportional import fit_proportional_hazards, partial_log_likelihood


def draw(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, 3))
    x = (x - x.mean(axis=0)) / x.std(axis=0, ddof=1)
    months = generator.exponential(30.0 * np.exp(-x @ [0.8, -0.4, 0.0]))
    return x, np.minimum(months, 60.0 + generator.random(n)), months < 60.0


@pytest.mark.parametrize("penalty", [0.0, 0.1, 1.0])
def test_coefficients_and_baseline_are_those_of_lifelines(penalty: float) -> None:
    x, months, event = draw(120, seed=1)
    ours = fit_proportional_hazards(x, months, event, penalty)
    frame = pd.DataFrame(x, columns=["a", "b", "c"]).assign(months=months, event=event)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = CoxPHFitter(penalizer=penalty).fit(frame, "months", "event")
    assert ours.coefficients == pytest.approx(theirs.params_.to_numpy(), abs=2e-4)
    expected = theirs.predict_cumulative_hazard(frame.iloc[:5])
    found = ours.cumulative_hazard(x[:5], expected.index.to_numpy())
    assert found == pytest.approx(expected.to_numpy().T, rel=1e-3, abs=1e-9)


def test_two_patients_by_hand() -> None:
    # One pair: log PL = b - log(exp(b) + exp(-b)); with penalty k its maximum solves 1 - tanh(b) = 2 k b.
    x, months, event = np.array([[1.0], [-1.0]]), np.array([1.0, 2.0]), np.array([True, False])
    model = fit_proportional_hazards(x, months, event, 0.25)
    (b,) = model.coefficients
    assert 1.0 - np.tanh(b) == pytest.approx(2 * 0.25 * b, abs=1e-6)
    assert partial_log_likelihood(model, x, months, event) == pytest.approx(b - np.log(np.exp(b) + np.exp(-b)))
    assert model.cumulative_hazard(np.zeros((1, 1)), np.array([0.5, 1.0])) == pytest.approx(
        np.array([[0.0, 1.0 / (np.exp(b) + np.exp(-b))]])
    )


def test_a_large_penalty_leaves_the_nelson_aalen_curve() -> None:
    x, months, event = draw(60, seed=2)
    model = fit_proportional_hazards(x, months, event, 1e9)
    at_risk = np.array([(months >= time).sum() for time in np.sort(months[event])])
    assert model.jumps == pytest.approx(1.0 / at_risk, rel=1e-6)


def test_nobody_with_an_event_has_no_hazard() -> None:
    x, months, _ = draw(20, seed=3)
    model = fit_proportional_hazards(x, months, np.zeros(20, dtype=bool), 0.1)
    assert not model.coefficients.any()
    assert not model.cumulative_hazard(x, np.array([12.0, 144.0])).any()


def test_separated_patients_stay_finite() -> None:
    months = np.arange(1.0, 21.0)
    x = -(months[:, None] - 10.5) / 5.77
    model = fit_proportional_hazards(x, months, np.ones(20, dtype=bool), 0.0)
    assert np.isfinite(model.coefficients).all()
    assert np.isfinite(model.cumulative_hazard(x, np.array([12.0]))).all()
