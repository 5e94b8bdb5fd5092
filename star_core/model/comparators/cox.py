"""Penalised Cox models of the clinical record: survival, first event, and the causes of the first event."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from star_core.cohort.manifest import ManifestPatient
from star_core.model.comparators.curves import (
    YEAR_ENDS_MONTHS,
    OutcomeArrays,
    build_cohort_forecast,
    combine_hazards,
    read_outcomes,
)
from star_core.model.comparators.features import ALL_FIELDS, Preparation, build_columns, learn_preparation
from star_core.model.comparators.proportional import (
    ProportionalHazards,
    fit_proportional_hazards,
    partial_log_likelihood,
)
from star_core.types import CAUSES, BoolArray, CohortForecast, DoubleArray

PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
INNER_FOLDS = 5


class CoxModel:
    """Ridge-penalised Cox with Breslow's baseline; each penalty is chosen within the training patients.

    Survival, first event and each cause have a model of their own. The causes' models say how the first event's
    incidence of each year is shared among the causes, so that incidences and event-free survival sum to 1.
    """

    def __init__(self, name: str = "cox", fields: Sequence[str] = ALL_FIELDS) -> None:
        self._name, self._fields = name, tuple(fields)
        self._preparation: Preparation | None = None
        self._hazards: CohortHazards | None = None

    @property
    def name(self) -> str:
        """Name on the command line."""
        return self._name

    def fit(self, patients: Sequence[ManifestPatient], *, seed: int) -> None:
        """Fit to the training patients; see :class:`TabularComparator`."""
        outcomes = read_outcomes(patients, self.name)
        columns = build_columns([patient.clinical for patient in patients], self._fields)
        self._preparation = learn_preparation(columns)
        self._hazards = CohortHazards(self._preparation.apply(columns), outcomes, seed=seed)

    def forecast(self, patients: Sequence[ManifestPatient]) -> CohortForecast:
        """Return the curves of patients."""
        if self._preparation is None or self._hazards is None:
            raise ValueError("fit the model before it forecasts")
        columns = build_columns([patient.clinical for patient in patients], self._fields)
        return self._hazards.forecast(patients, self._preparation.apply(columns))


class CohortHazards:
    """The five proportional hazards models of one cohort on prepared features (n, p)."""

    def __init__(self, features: DoubleArray, outcomes: OutcomeArrays, *, seed: int) -> None:
        def fit(months: DoubleArray, event: BoolArray) -> ProportionalHazards:
            penalty = choose_penalty(features, months, event, seed=seed)
            return fit_proportional_hazards(features, months, event, penalty)

        self.death = fit(outcomes.survival_months, outcomes.died)
        self.first_event = fit(outcomes.event_months, outcomes.any_event)
        self.causes = [fit(outcomes.event_months, outcomes.cause == index) for index in range(len(CAUSES))]

    def forecast(self, patients: Sequence[ManifestPatient], features: DoubleArray) -> CohortForecast:
        """Return the curves of patients with prepared features (n, p)."""
        return forecast_hazards(
            patients,
            death=(self.death, features),
            first_event=(self.first_event, features),
            causes=[(model, features) for model in self.causes],
        )


Hazard = tuple[ProportionalHazards, DoubleArray]
"""A model and the features (n, p) of the patients that it reads."""


def forecast_hazards(
    patients: Sequence[ManifestPatient], *, death: Hazard, first_event: Hazard, causes: Sequence[Hazard]
) -> CohortForecast:
    """Return the curves of patients; the causes' hazards are combined after Aalen and Johansen for their shares."""
    event_free = np.exp(-first_event[0].cumulative_hazard(first_event[1], YEAR_ENDS_MONTHS))
    times = np.unique(np.concatenate([model.jump_months for model, _ in causes]))
    by_cause = [model.cumulative_hazard(features, times) for model, features in causes]
    hazards = np.stack([np.diff(hazard, axis=1, prepend=0.0) for hazard in by_cause], axis=-1)
    _, incidence = combine_hazards(times, hazards, YEAR_ENDS_MONTHS)
    return build_cohort_forecast(
        patients,
        overall_survival=np.exp(-death[0].cumulative_hazard(death[1], YEAR_ENDS_MONTHS)),
        event_free_survival=event_free,
        incidence=share_among_causes(event_free, incidence),
    )


def share_among_causes(event_free: DoubleArray, incidence: DoubleArray) -> DoubleArray:
    """Return incidences (n, T, causes) in the shares of ``incidence`` that sum to ``1 - event_free`` (n, T).

    Each year's fall of event-free survival is shared as the causes' incidence of that year; a year in which the
    causes' models see nothing takes the shares up to its end, or equal ones.
    """
    falls = -np.diff(event_free, axis=1, prepend=1.0)
    yearly = np.diff(incidence, axis=1, prepend=0.0)
    yearly = np.where(yearly.sum(axis=-1, keepdims=True) > 0.0, yearly, incidence)
    total = yearly.sum(axis=-1, keepdims=True)
    shares = np.where(total > 0.0, yearly / np.where(total > 0.0, total, 1.0), 1.0 / incidence.shape[-1])
    shared: DoubleArray = np.cumsum(falls[..., None] * shares, axis=1)
    return shared


def choose_penalty(features: DoubleArray, months: DoubleArray, event: BoolArray, *, seed: int) -> float:
    """Return the penalty of the highest cross-validated partial likelihood among patients (n, p).

    Each part adds the likelihood of everybody less that of those it was fitted to (Verweij and van Houwelingen 1993,
    doi 10.1002/sim.4780122407), which is defined where a part holds few events. Without enough events for every part,
    the largest penalty is chosen.
    """
    if int(event.sum()) < 2 * INNER_FOLDS:
        return max(PENALTIES)
    parts = deal_out(event, np.random.default_rng(seed), INNER_FOLDS)
    gains = []
    for penalty in PENALTIES:
        gain = 0.0
        for part in range(INNER_FOLDS):
            kept = parts != part
            model = fit_proportional_hazards(features[kept], months[kept], event[kept], penalty)
            gain += partial_log_likelihood(model, features, months, event)
            gain -= partial_log_likelihood(model, features[kept], months[kept], event[kept])
        gains.append(gain)
    return PENALTIES[int(np.argmax(gains))]


def deal_out(event: BoolArray, generator: np.random.Generator, folds: int) -> NDArray[np.int64]:
    """Return the part (n,) of each patient, 0 to ``folds - 1``, events and censored dealt out evenly."""
    parts = np.zeros(len(event), dtype=np.int64)
    for kind in (True, False):
        members = generator.permutation(np.flatnonzero(event == kind))
        parts[members] = np.arange(len(members)) % folds
    return parts
