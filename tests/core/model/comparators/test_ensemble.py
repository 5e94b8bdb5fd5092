"""The stacked index: expected effects as a start, calibrated on patients set aside."""

from __future__ import annotations

import numpy as np
import pytest

from star_core.clinical.fields import FIELD_BY_NAME, KnownFrom
from star_core.model.comparators.curves import read_outcomes
from star_core.model.comparators.ensemble import ESTABLISHED_FIELDS, _read_columns, fit_stacked
from star_core.model.comparators.proportional import fit_proportional_hazards, fit_towards
from tests.core.model.comparators.factory import draw_patients


def test_few_patients_leave_the_expected_effects_and_many_overrule_them() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(400, 2))
    months = generator.exponential(30.0 * np.exp(-1.0 * x[:, 0]))
    event = np.ones(400, dtype=bool)
    expected = np.array([0.2, 0.2])
    firm = fit_towards(x[:5], months[:5], event[:5], 1e6, expected)
    assert firm.coefficients == pytest.approx(expected, abs=1e-3)
    loose = fit_towards(x, months, event, 1e-6, expected)
    assert loose.coefficients[0] == pytest.approx(
        fit_proportional_hazards(x, months, event, 0.0).coefficients[0], abs=0.05
    )


def test_no_effect_turns_round() -> None:
    generator = np.random.default_rng(1)
    x = generator.normal(size=(200, 1))
    months = generator.exponential(30.0 * np.exp(x[:, 0]))  # more is better, against what is known
    model = fit_towards(x, months, np.ones(200, dtype=bool), 0.01, np.array([0.3]))
    assert model.coefficients[0] == 0.0


def test_noise_is_given_a_small_slope_though_trees_know_their_patients() -> None:
    patients = draw_patients(120, effect=0.0)
    outcomes = read_outcomes(patients, "test")
    stacked = fit_stacked(_read_columns(patients), outcomes.survival_months, outcomes.died, seed=0, n_trees=10)
    known_by_heart = fit_proportional_hazards(
        stacked.index(_read_columns(patients)), outcomes.survival_months, outcomes.died, 0.0
    )
    assert abs(stacked.hazard.coefficients[0]) < 0.3 < known_by_heart.coefficients[0]


def test_members_read_preoperative_fields_only() -> None:
    assert all(FIELD_BY_NAME[name].known_from is KnownFrom.PREOPERATIVE for name in ESTABLISHED_FIELDS)
