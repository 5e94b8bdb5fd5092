"""Measures by hand and against lifelines."""

from __future__ import annotations

import numpy as np
import pytest

from star_core.evaluation.metrics import bootstrap_interval, compute_concordance


def test_concordance_by_hand() -> None:
    # Usable pairs: (1, 2), (1, 3), (1, 4), (3, 4); the risk orders three of them rightly.
    months = np.array([1.0, 2.0, 3.0, 4.0])
    event = np.array([True, False, True, False])
    risk = np.array([0.9, 0.5, 0.2, 0.3])
    assert compute_concordance(risk, months, event) == pytest.approx(3 / 4)


def test_concordance_agrees_with_lifelines() -> None:
    utils = pytest.importorskip("lifelines.utils")
    generator = np.random.default_rng(0)
    for _ in range(5):
        months = generator.integers(1, 30, 80).astype(float)
        event = generator.random(80) < 0.6
        risk = np.round(generator.normal(size=80) - 0.05 * months, 1)
        expected = utils.concordance_index(months, -risk, event)
        assert compute_concordance(risk, months, event) == pytest.approx(expected, abs=1e-12)


def test_without_events_there_is_no_concordance() -> None:
    assert np.isnan(compute_concordance(np.ones(3), np.ones(3), np.zeros(3, bool)))


def test_the_interval_holds_the_mean_of_a_sample() -> None:
    values = np.random.default_rng(0).normal(size=400)
    lower, upper = bootstrap_interval(lambda i: float(values[i].mean()), 400, seed=1)
    assert lower < values.mean() < upper
    assert upper - lower == pytest.approx(2 * 1.96 / 20, rel=0.15)


def test_patients_of_different_folds_are_not_ranked_against_each_other() -> None:
    generator = np.random.default_rng(3)
    months, event = generator.exponential(30.0, 60), generator.random(60) < 0.7
    group = np.repeat([0, 1, 2], 20)
    level = np.array([0.1, 0.2, 0.3])[group]  # a constant model has another level in each fold
    assert compute_concordance(level, months, event, group=group) == pytest.approx(0.5)
    risk = generator.random(60)
    by_hand = [
        ((risk[i] > risk[j]) + 0.5 * (risk[i] == risk[j]))
        for i in range(60)
        for j in range(60)
        if i != j and group[i] == group[j] and event[i] and months[i] < months[j]
    ]
    assert compute_concordance(risk, months, event, group=group) == pytest.approx(np.mean(by_hand))
