"""What every model of the record must do, and what each does in particular."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sksurv.ensemble import RandomSurvivalForest
from sksurv.util import Surv

from star_core.clinical.scores import ScoreName
from star_core.evaluation.metrics import compute_concordance
from star_core.model.comparators.base import TabularComparator
from star_core.model.comparators.constant import ConstantModel
from star_core.model.comparators.cox import CoxModel, choose_penalty, share_among_causes
from star_core.model.comparators.ensemble import EnsembleModel
from star_core.model.comparators.features import build_columns, learn_preparation
from star_core.model.comparators.forest import SurvivalForest
from star_core.model.comparators.scores import ScoreModel
from star_core.model.comparators.tabular import TabularName, build_tabular
from star_core.types import ClinicalRecord, CohortForecast
from tests.core.model.comparators.factory import assert_possible, draw_patients

BUILDERS: dict[str, Callable[[], TabularComparator]] = {
    "constant": ConstantModel,
    "cox": CoxModel,
    "forest": lambda: SurvivalForest(n_trees=20),
    "ensemble": lambda: EnsembleModel(n_trees=5),
    **{name.value: lambda name=name: ScoreModel(name) for name in ScoreName},
}


def fit_and_forecast(name: str, *, effect: float = 1.5, seed: int = 1) -> CohortForecast:
    model = BUILDERS[name]()
    model.fit(draw_patients(120, effect=effect), seed=seed)
    return model.forecast(draw_patients(60, seed=9, effect=effect))


def risk_concordance(forecast: CohortForecast, *, effect: float = 1.5) -> float:
    outcomes = [patient.outcome for patient in draw_patients(60, seed=9, effect=effect)]
    months = np.array([outcome.event_months for outcome in outcomes])
    event = np.array([outcome.cause is not None for outcome in outcomes])
    return compute_concordance(1.0 - forecast.event_free_survival[:, 4], months, event)


@pytest.mark.parametrize("name", list(BUILDERS))
def test_curves_are_possible(name: str) -> None:
    forecast = fit_and_forecast(name)
    assert BUILDERS[name]().name == name
    assert forecast.patient_ids == tuple(f"P{index:04d}" for index in range(60))
    assert_possible(forecast)


@pytest.mark.parametrize("name", list(BUILDERS))
def test_the_same_seed_gives_the_same_numbers(name: str) -> None:
    first, second = fit_and_forecast(name), fit_and_forecast(name)
    assert (first.overall_survival == second.overall_survival).all()
    assert (first.liver_recurrence == second.liver_recurrence).all()


@pytest.mark.parametrize("name", list(BUILDERS))
def test_a_forecast_reads_no_outcome_and_no_other_patient(name: str) -> None:
    model = BUILDERS[name]()
    model.fit(draw_patients(80), seed=0)
    patients = draw_patients(10, seed=9)
    others = [
        replace(patient, outcome=replace(patient.outcome, cause=None, survival_months=140.0, died=False))
        for patient in patients
    ]
    assert (model.forecast(patients).any_recurrence == model.forecast(others).any_recurrence).all()
    assert model.forecast(patients[3:4]).overall_survival[0] == pytest.approx(
        model.forecast(patients).overall_survival[3], abs=1e-12
    )


@pytest.mark.parametrize("name", list(BUILDERS))
def test_an_empty_record_and_nobody_at_all_are_forecast(name: str) -> None:
    model = BUILDERS[name]()
    model.fit(draw_patients(80), seed=0)
    empty = replace(draw_patients(1)[0], clinical=ClinicalRecord())
    assert_possible(model.forecast([empty]))
    assert model.forecast([]).overall_survival.shape == (0, 12)


@pytest.mark.parametrize("name", list(BUILDERS))
def test_nobody_forecasts_before_fitting(name: str) -> None:
    with pytest.raises(ValueError, match="fit the model"):
        BUILDERS[name]().forecast(draw_patients(1))


@pytest.mark.parametrize("name", ["cox", "forest", "ensemble"])
def test_a_strong_law_is_learnt(name: str) -> None:
    assert risk_concordance(fit_and_forecast(name)) > 0.7


def test_the_constant_curves_are_alike_and_calibrated() -> None:
    patients = draw_patients(200)
    model = ConstantModel()
    model.fit(patients, seed=0)
    forecast = model.forecast(patients)
    assert np.ptp(forecast.any_recurrence, axis=0).max() == 0.0
    # Nobody is censored in the first year, so the curve is the plain share.
    recurred = [p.outcome.cause in ("liver", "elsewhere") and p.outcome.event_months <= 12.0 for p in patients]
    assert forecast.any_recurrence[0, 0] == pytest.approx(np.mean(recurred))


def test_penalties_rise_when_there_is_nothing_to_learn() -> None:
    generator = np.random.default_rng(0)
    x, months = generator.normal(size=(100, 8)), generator.exponential(30.0, 100)
    event = np.ones(100, dtype=bool)
    assert choose_penalty(x, months, event, seed=0) >= 1.0
    strong = generator.exponential(30.0 * np.exp(-1.5 * x[:, 0]))
    assert choose_penalty(x, strong, event, seed=0) <= 0.1
    assert choose_penalty(x, months, np.arange(100) < 5, seed=0) == 3.0


def test_causes_share_the_fall_of_event_free_survival() -> None:
    event_free = np.array([[0.8, 0.6, 0.6]])
    incidence = np.array([[[0.1, 0.3], [0.1, 0.3], [0.2, 0.3]]])
    # Year 1 in shares of 1:3; year 2 saw nothing, so 1:3 up to its end; year 3 does not fall.
    assert share_among_causes(event_free, incidence) == pytest.approx(
        np.array([[[0.05, 0.15], [0.1, 0.3], [0.1, 0.3]]])
    )


def test_gaps_are_marked_once_where_they_come_together() -> None:
    columns = np.array([[1.0, np.nan, 2.0], [3.0, np.nan, 4.0], [5.0, 7.0, 6.0], [7.0, 9.0, 8.0]])
    columns[:, 2] = np.where(np.isnan(columns[:, 1]), np.nan, columns[:, 2])
    preparation = learn_preparation(columns)
    prepared = preparation.apply(columns)
    assert prepared.shape == (4, 4)
    assert prepared.mean(axis=0) == pytest.approx(0.0, abs=1e-12)
    assert prepared.std(axis=0) == pytest.approx(1.0)
    assert preparation.medians.tolist() == [4.0, 8.0, 7.0]


def test_only_preoperative_fields_are_read() -> None:
    patient = draw_patients(1)[0].clinical
    changed = replace(patient, tumour_necrosis_percent=90.0, steatosis=True, nash_score=8)
    assert np.array_equal(build_columns([patient]), build_columns([changed]), equal_nan=True)


def test_the_forest_orders_patients_as_another_survival_forest_does() -> None:
    train, test = draw_patients(150, effect=1.5), draw_patients(80, seed=9, effect=1.5)
    model = SurvivalForest(n_trees=60)
    model.fit(train, seed=0)
    preparation = learn_preparation(build_columns([p.clinical for p in train]))
    theirs = RandomSurvivalForest(n_estimators=60, min_samples_leaf=12, max_features=0.4, random_state=0).fit(
        preparation.apply(build_columns([p.clinical for p in train])),
        Surv.from_arrays([p.outcome.died for p in train], [max(p.outcome.survival_months, 0.1) for p in train]),
    )
    expected = theirs.predict(preparation.apply(build_columns([p.clinical for p in test])))
    found = -np.log(model.forecast(test).overall_survival[:, 4])
    assert np.corrcoef(found, np.log(expected))[0, 1] > 0.85


def test_equal_scores_have_equal_curves() -> None:
    patients = draw_patients(100)
    model = ScoreModel("konopke")
    model.fit(patients, seed=0)
    forecast = model.forecast(patients)
    assert len(np.unique(forecast.overall_survival[:, 4].round(12))) <= 6


def test_a_score_never_turns_its_order_round() -> None:
    # The law is reversed: large tumours do better, so the score says nothing.
    model = ScoreModel("tbs")
    model.fit(draw_patients(150, effect=-1.0), seed=0)
    forecast = model.forecast(draw_patients(30, seed=9))
    assert np.ptp(forecast.event_free_survival, axis=0).max() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("name", list(TabularName))
def test_every_name_on_the_command_line_builds_its_model(name: TabularName) -> None:
    assert build_tabular(name).name == name.value
