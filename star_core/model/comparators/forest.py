"""Random survival forest on the clinical record, made of trees that split on the full likelihood of hazards.

A tree for relative risks under proportional hazards is a Poisson tree of events on the cumulative baseline hazard that
each patient lived through (LeBlanc and Crowley 1992, doi 10.2307/2532300). Leaves give Kaplan-Meier and Aalen-Johansen
curves of their own bootstrap patients, and the forest their mean (Ishwaran et al. 2008, doi 10.1214/08-AOAS169).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from star_core.cohort.manifest import ManifestPatient
from star_core.model.comparators.curves import (
    YEAR_ENDS_MONTHS,
    build_cohort_forecast,
    compute_aalen_johansen,
    count_process,
    read_outcomes,
)
from star_core.model.comparators.features import ALL_FIELDS, Preparation, build_columns, learn_preparation
from star_core.types import CAUSES, CohortForecast, DoubleArray

if TYPE_CHECKING:
    from sklearn.tree import DecisionTreeRegressor

N_TREES = 300
MIN_LEAF_PATIENTS = 12
MAX_FEATURES = 0.4


class SurvivalForest:
    """Two forests: one grown on death, one on the first event, whose leaves tell its causes apart."""

    def __init__(self, name: str = "forest", fields: Sequence[str] = ALL_FIELDS, *, n_trees: int = N_TREES) -> None:
        self._name, self._fields, self._n_trees = name, tuple(fields), n_trees
        self._preparation: Preparation | None = None
        self._death: list[CurveTree] = []
        self._first_event: list[CurveTree] = []

    @property
    def name(self) -> str:
        """Name on the command line."""
        return self._name

    def fit(self, patients: Sequence[ManifestPatient], *, seed: int) -> None:
        """Fit to the training patients; see :class:`TabularComparator`."""
        outcomes = read_outcomes(patients, self.name)
        columns = build_columns([patient.clinical for patient in patients], self._fields)
        self._preparation = learn_preparation(columns)
        features = self._preparation.apply(columns)
        deaths = outcomes.died.astype(np.int64) - 1
        self._death = _grow(features, outcomes.survival_months, deaths, 1, self._n_trees, seed)
        self._first_event = _grow(
            features, outcomes.event_months, outcomes.cause, len(CAUSES), self._n_trees, seed + 1_000_003
        )

    def forecast(self, patients: Sequence[ManifestPatient]) -> CohortForecast:
        """Return the curves of patients."""
        if self._preparation is None:
            raise ValueError("fit the model before it forecasts")
        features = self._preparation.apply(build_columns([patient.clinical for patient in patients], self._fields))
        overall_survival, _ = _mean_curves(self._death, features)
        event_free, incidence = _mean_curves(self._first_event, features)
        return build_cohort_forecast(
            patients, overall_survival=overall_survival, event_free_survival=event_free, incidence=incidence
        )


class CurveTree:
    """One tree with its leaves' event-free survival (L, T) and cumulative incidence (L, T, causes)."""

    def __init__(
        self,
        features: DoubleArray,
        months: DoubleArray,
        cause: NDArray[np.int64],
        n_causes: int,
        generator: np.random.Generator,
    ) -> None:
        from sklearn.tree import DecisionTreeRegressor

        drawn = np.bincount(generator.integers(0, len(months), len(months)), minlength=len(months)).astype(np.float64)
        lived = _cumulative_hazard_lived(months, cause >= 0, drawn)
        self._tree: DecisionTreeRegressor = DecisionTreeRegressor(
            criterion="poisson",
            max_features=MAX_FEATURES,
            min_samples_leaf=MIN_LEAF_PATIENTS,
            random_state=int(generator.integers(2**31)),
        )
        inside = drawn > 0
        self._tree.fit(features[inside], ((cause >= 0) / lived)[inside], sample_weight=(drawn * lived)[inside])
        place = self._leaves(features)
        weights = np.zeros((self._tree.tree_.node_count, len(months)))
        weights[place, np.arange(len(months))] = drawn
        self._survival, self._incidence = compute_aalen_johansen(
            count_process(months, cause, weights, n_causes), YEAR_ENDS_MONTHS
        )

    def curves(self, features: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
        """Return the curves of the leaves that patients (n, p) fall into: (n, T) and (n, T, causes)."""
        place = self._leaves(features)
        return self._survival[place], self._incidence[place]

    def _leaves(self, features: DoubleArray) -> NDArray[np.int64]:
        if not len(features):
            return np.zeros(0, dtype=np.int64)
        return cast("NDArray[np.int64]", self._tree.apply(features))


def _cumulative_hazard_lived(months: DoubleArray, event: NDArray[np.bool_], weights: DoubleArray) -> DoubleArray:
    """Return Nelson and Aalen's cumulative hazard (n,) at each patient's own end of follow-up, above 0."""
    process = count_process(months, event.astype(np.int64) - 1, weights, 1)
    hazard = np.cumsum(process.events[:, 0] / np.maximum(process.at_risk, 1e-12))
    lived: DoubleArray = hazard[np.searchsorted(process.times, months)]
    # Who is censored before the first event has lived through next to nothing, and weighs next to nothing.
    return np.maximum(lived, 1e-4)


def _grow(
    features: DoubleArray, months: DoubleArray, cause: NDArray[np.int64], n_causes: int, n_trees: int, seed: int
) -> list[CurveTree]:
    generator = np.random.default_rng(seed)
    return [CurveTree(features, months, cause, n_causes, generator) for _ in range(n_trees)]


def _mean_curves(trees: Sequence[CurveTree], features: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    curves = [tree.curves(features) for tree in trees]
    survival: DoubleArray = np.mean([survival for survival, _ in curves], axis=0)
    incidence: DoubleArray = np.mean([incidence for _, incidence in curves], axis=0)
    return survival, incidence
