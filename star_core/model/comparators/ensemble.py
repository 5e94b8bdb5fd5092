"""An ensemble for few patients: a Cox model that starts from expected effects, boosted trees and a forest.

For each outcome the members' log hazards are brought to mean 0 and spread 1 and averaged. The slope and the baseline
of that index come from patients that the members were not fitted to (stacking within the training patients, Wolpert
1992, doi 10.1016/S0893-6080(05)80023-1), so that curves are calibrated although trees know their patients by heart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from star_core.cohort.manifest import ManifestPatient
from star_core.model.comparators.cox import deal_out, forecast_hazards
from star_core.model.comparators.curves import count_process, read_outcomes
from star_core.model.comparators.features import build_columns, learn_preparation
from star_core.model.comparators.proportional import ProportionalHazards, fit_proportional_hazards, fit_towards
from star_core.types import CAUSES, BoolArray, CohortForecast, DoubleArray

EXPECTED_LOG_HAZARD = {
    # Per spread of the field, set by hand: the fields and directions are those of the published scores
    # (clinical.scores), the sizes are a judgement made with the MSKCC records at hand and come from no table.
    # Chemotherapy before surgery is given for worse disease and has no effect that could be expected.
    "clinical_risk_score": 0.25,
    "cea_ng_ml": 0.15,
    "largest_tumour_cm": 0.15,
    "extrahepatic_disease": 0.15,
    "node_positive_primary": 0.10,
    "multiple_metastases": 0.10,
    "synchronous_metastases": 0.05,
    "bilobar_disease": 0.05,
    "preoperative_chemotherapy": 0.0,
}
ESTABLISHED_FIELDS = tuple(EXPECTED_LOG_HAZARD)
EXPECTED_WEIGHT = 0.3
INDEX_PENALTY, RARE_PENALTY = 0.01, 1.0
N_TREES = 100
INNER_FOLDS = 5
FEWEST_EVENTS = 20
_SMALLEST_LIVED = 1e-3

Scorer = Callable[[DoubleArray, DoubleArray], DoubleArray]
"""Log hazards (n,) of columns of all fields and of established ones."""


class EnsembleModel:
    """Three members' mean for death, first event and each cause with events enough; rarer causes follow any event."""

    name = "ensemble"

    def __init__(self, *, n_trees: int = N_TREES) -> None:
        self._n_trees = n_trees
        self._death: StackedHazard | None = None
        self._first_event: StackedHazard | None = None
        self._causes: list[StackedHazard] = []

    def fit(self, patients: Sequence[ManifestPatient], *, seed: int) -> None:
        """Fit to the training patients; see :class:`TabularComparator`."""
        outcomes = read_outcomes(patients, self.name)
        columns = _read_columns(patients)
        self._death = fit_stacked(columns, outcomes.survival_months, outcomes.died, seed, self._n_trees)
        self._first_event = fit_stacked(columns, outcomes.event_months, outcomes.any_event, seed + 1, self._n_trees)
        self._causes = []
        for index in range(len(CAUSES)):
            event = outcomes.cause == index
            if int(event.sum()) >= FEWEST_EVENTS:
                self._causes.append(fit_stacked(columns, outcomes.event_months, event, seed + 2 + index, self._n_trees))
            else:
                self._causes.append(self._first_event.fit_again(outcomes.event_months, event))

    def forecast(self, patients: Sequence[ManifestPatient]) -> CohortForecast:
        """Return the curves of patients."""
        if self._death is None or self._first_event is None:
            raise ValueError("fit the model before it forecasts")
        columns = _read_columns(patients)
        return forecast_hazards(
            patients,
            death=(self._death.hazard, self._death.index(columns)),
            first_event=(self._first_event.hazard, self._first_event.index(columns)),
            causes=[(cause.hazard, cause.index(columns)) for cause in self._causes],
        )


@dataclass(frozen=True)
class _Columns:
    every: DoubleArray
    established: DoubleArray

    def take(self, patients: BoolArray) -> _Columns:
        return _Columns(self.every[patients], self.established[patients])


def _read_columns(patients: Sequence[ManifestPatient]) -> _Columns:
    records = [patient.clinical for patient in patients]
    return _Columns(build_columns(records), build_columns(records, ESTABLISHED_FIELDS))


@dataclass(frozen=True)
class StackedHazard:
    """Members fitted to all training patients, and the hazard of their index learnt on patients set aside.

    ``aside`` (n, 1) is the index of each training patient under members that were fitted without that patient.
    """

    members: tuple[Member, ...]
    aside: DoubleArray
    hazard: ProportionalHazards

    def index(self, columns: _Columns) -> DoubleArray:
        """Return the members' mean (n, 1) of patients."""
        return _mean_score(self.members, columns)

    def fit_again(self, months: DoubleArray, event: BoolArray) -> StackedHazard:
        """Return the same index with the hazard of another outcome of the same training patients."""
        return StackedHazard(
            self.members, self.aside, fit_proportional_hazards(self.aside, months, event, RARE_PENALTY)
        )


@dataclass(frozen=True)
class Member:
    """One member's log hazard, and its mean and spread in the patients it was fitted to."""

    score: Scorer
    mean: float
    spread: float


def fit_stacked(
    columns: _Columns, months: DoubleArray, event: BoolArray, seed: int, n_trees: int = N_TREES
) -> StackedHazard:
    """Return the stacked hazard of one outcome, from inner folds and then from everybody."""
    parts = deal_out(event, np.random.default_rng(seed), INNER_FOLDS)
    aside = np.zeros((len(months), 1))
    for part in range(INNER_FOLDS):
        kept = parts != part
        inner = _fit_members(columns.take(kept), months[kept], event[kept], seed, n_trees)
        aside[~kept] = _mean_score(inner, columns.take(~kept))
    members = _fit_members(columns, months, event, seed, n_trees)
    return StackedHazard(members, aside, fit_proportional_hazards(aside, months, event, INDEX_PENALTY))


def _mean_score(members: Sequence[Member], columns: _Columns) -> DoubleArray:
    scores = [(member.score(columns.every, columns.established) - member.mean) / member.spread for member in members]
    mean: DoubleArray = np.mean(scores, axis=0)
    return mean[:, None]


def _fit_members(
    columns: _Columns, months: DoubleArray, event: BoolArray, seed: int, n_trees: int
) -> tuple[Member, ...]:
    lived = _hazard_lived(months, event)
    scorers = (
        _fit_expected_cox(columns.established, months, event),
        _fit_boosting(columns.every, event, lived, seed),
        _fit_forest(columns.established, event, lived, seed, n_trees),
    )
    members = []
    for score in scorers:
        values = score(columns.every, columns.established)
        members.append(Member(score, float(values.mean()), max(float(values.std()), 1e-9)))
    return tuple(members)


def _fit_expected_cox(columns: DoubleArray, months: DoubleArray, event: BoolArray) -> Scorer:
    preparation = learn_preparation(columns)
    features = preparation.apply(columns)
    expected = np.zeros(features.shape[1])
    expected[: len(ESTABLISHED_FIELDS)] = [EXPECTED_LOG_HAZARD[name] for name in ESTABLISHED_FIELDS]
    # A mark of missing values may lower the hazard, which fields of this list do not: it is left out.
    used = len(ESTABLISHED_FIELDS)
    model = fit_towards(features[:, :used], months, event, EXPECTED_WEIGHT, expected[:used])
    return lambda every, established: model.log_hazard(preparation.apply(established)[:, :used])


def _fit_boosting(columns: DoubleArray, event: BoolArray, lived: DoubleArray, seed: int) -> Scorer:
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(
        loss="poisson",
        learning_rate=0.05,
        max_iter=60,
        max_depth=2,
        min_samples_leaf=15,
        l2_regularization=1.0,
        max_features=0.5,
        early_stopping=False,
        random_state=seed,
    )
    # A column that no training patient has any value in cannot be binned.
    used = ~np.isnan(columns).all(axis=0)
    model.fit(columns[:, used], event / lived, sample_weight=lived)
    return lambda every, established: _log_rate(model.predict(every[:, used]) if len(every) else np.zeros(0))


def _fit_forest(columns: DoubleArray, event: BoolArray, lived: DoubleArray, seed: int, n_trees: int) -> Scorer:
    from sklearn.ensemble import RandomForestRegressor

    preparation = learn_preparation(columns)
    model = RandomForestRegressor(
        n_estimators=n_trees, criterion="poisson", min_samples_leaf=12, max_features=0.4, random_state=seed
    )
    model.fit(preparation.apply(columns), event / lived, sample_weight=lived)
    return lambda every, established: _log_rate(
        model.predict(preparation.apply(established)) if len(established) else np.zeros(0)
    )


def _log_rate(rate: DoubleArray) -> DoubleArray:
    logarithm: DoubleArray = np.log(np.maximum(rate, 1e-6))
    return logarithm


def _hazard_lived(months: DoubleArray, event: BoolArray) -> DoubleArray:
    """Return Nelson and Aalen's cumulative hazard (n,) at each patient's own end: trees of Poisson events grow on it.

    Source: LeBlanc and Crowley 1992, doi 10.2307/2532300.
    """
    process = count_process(months, event.astype(np.int64) - 1, np.ones(len(months)), 1)
    hazard = np.cumsum(process.events[:, 0] / process.at_risk)
    lived: DoubleArray = np.maximum(hazard[np.searchsorted(process.times, months)], _SMALLEST_LIVED)
    return lived
