"""Kaplan-Meier and Aalen-Johansen against lifelines, with ties, weights and competing causes."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines import AalenJohansenFitter, KaplanMeierFitter

from star_core.errors import TrainingError
from star_core.model.comparators.curves import (
    YEAR_ENDS_MONTHS,
    combine_hazards,
    compute_aalen_johansen,
    count_process,
    read_outcomes,
)
from tests.core.model.comparators.factory import draw_patients


def test_kaplan_meier_is_that_of_lifelines() -> None:
    outcomes = read_outcomes(draw_patients(80), "test")
    process = count_process(outcomes.survival_months, outcomes.died.astype(np.int64) - 1, np.ones(80), 1)
    survival, incidence = compute_aalen_johansen(process, YEAR_ENDS_MONTHS)
    theirs = KaplanMeierFitter().fit(outcomes.survival_months, outcomes.died)
    assert survival == pytest.approx(theirs.predict(YEAR_ENDS_MONTHS).to_numpy(), abs=1e-12)
    assert incidence[:, 0] == pytest.approx(1.0 - survival, abs=1e-12)


@pytest.mark.parametrize("cause", [0, 1, 2])
def test_aalen_johansen_is_that_of_lifelines(cause: int) -> None:
    outcomes = read_outcomes(draw_patients(80, seed=1), "test")
    months = outcomes.event_months + 1e-4 * np.arange(80)  # lifelines breaks ties at random
    _, incidence = compute_aalen_johansen(count_process(months, outcomes.cause, np.ones(80), 3), YEAR_ENDS_MONTHS)
    theirs = AalenJohansenFitter(calculate_variance=False).fit(months, outcomes.cause + 1, event_of_interest=cause + 1)
    assert incidence[:, cause] == pytest.approx(theirs.predict(YEAR_ENDS_MONTHS).to_numpy(), abs=1e-9)


def test_a_weight_of_two_is_the_patient_twice() -> None:
    months, cause = np.array([3.0, 5.0, 5.0, 20.0]), np.array([0, 1, -1, 0])
    weighted = count_process(months, cause, np.array([2.0, 1.0, 1.0, 0.0]), 2)
    repeated = count_process(np.array([3.0, 3.0, 5.0, 5.0]), np.array([0, 0, 1, -1]), np.ones(4), 2)
    for ours, plain in zip(
        compute_aalen_johansen(weighted, YEAR_ENDS_MONTHS),
        compute_aalen_johansen(repeated, YEAR_ENDS_MONTHS),
        strict=True,
    ):
        assert ours == pytest.approx(plain)
    # Two of four at month 3, one of two at month 5.
    assert compute_aalen_johansen(repeated, np.array([4.0, 6.0]))[0] == pytest.approx([0.5, 0.25])


def test_hazards_above_one_end_in_certainty_and_no_further() -> None:
    survival, incidence = combine_hazards(
        np.array([1.0, 2.0]), np.array([[0.5, 0.0], [2.0, 1.0]]), np.array([1.0, 12.0])
    )
    assert survival == pytest.approx([0.5, 0.0])
    assert incidence == pytest.approx(np.array([[0.5, 0.0], [0.5 + 1.0 / 3.0, 0.5 / 3.0]]))


def test_too_few_patients_are_refused_by_the_model_s_name() -> None:
    with pytest.raises(TrainingError, match=r"'cox'.*9 patients.*expected 10"):
        read_outcomes(draw_patients(9), "cox")
