"""Outcomes as arrays, and the curves that every comparator without images gives of them.

Curves are read at the end of years 1..T. After the last observed time a curve stays where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_core.cohort.manifest import ManifestPatient
from star_core.errors import TrainingError
from star_core.types import CAUSES, N_YEARS, BoolArray, Cause, CohortForecast, DoubleArray

YEAR_ENDS_MONTHS: DoubleArray = 12.0 * np.arange(1, N_YEARS + 1, dtype=np.float64)
FEWEST_PATIENTS = 10


@dataclass(frozen=True)
class OutcomeArrays:
    """Outcomes of n patients: ``cause`` is the index in ``CAUSES``, -1 for censored."""

    event_months: DoubleArray
    cause: NDArray[np.int64]
    survival_months: DoubleArray
    died: BoolArray

    @property
    def any_event(self) -> BoolArray:
        """(n,) whether a first event of any cause was seen."""
        seen: BoolArray = self.cause >= 0
        return seen


def read_outcomes(patients: Sequence[ManifestPatient], name: str) -> OutcomeArrays:
    """Return the outcomes of training patients.

    Raises
    ------
    TrainingError
        When there are fewer than ten patients, or nobody with a first event or nobody who died; ``name`` is the model.
    """
    outcomes = [patient.outcome for patient in patients]
    arrays = OutcomeArrays(
        event_months=np.array([o.event_months for o in outcomes], dtype=np.float64),
        cause=np.array([-1 if o.cause is None else CAUSES.index(o.cause) for o in outcomes], dtype=np.int64),
        survival_months=np.array([o.survival_months for o in outcomes], dtype=np.float64),
        died=np.array([o.died for o in outcomes], dtype=np.bool_),
    )
    if len(outcomes) < FEWEST_PATIENTS or not arrays.any_event.any() or not arrays.died.any():
        raise TrainingError(
            f"Model {name!r} cannot be fitted to {len(outcomes)} patients with {int(arrays.any_event.sum())} first "
            f"events and {int(arrays.died.sum())} deaths: expected {FEWEST_PATIENTS} patients and one of each.",
            remedy="Train on more patients, or in fewer folds.",
        )
    return arrays


@dataclass(frozen=True)
class CountingProcess:
    """Weighted counts at the distinct times (k,): at risk and events by cause, each (..., k) and (..., k, causes)."""

    times: DoubleArray
    at_risk: DoubleArray
    events: DoubleArray


def count_process(
    months: DoubleArray, cause: NDArray[np.int64], weights: DoubleArray, n_causes: int
) -> CountingProcess:
    """Return the counts of patients (n,) under each row of ``weights`` (..., n); cause -1 is censored."""
    times, place = np.unique(months, return_inverse=True)
    leaves = np.zeros((*weights.shape[:-1], len(times)))
    events = np.zeros((*weights.shape[:-1], len(times), n_causes))
    for patient, time in enumerate(place):
        leaves[..., time] += weights[..., patient]
        if cause[patient] >= 0:
            events[..., time, cause[patient]] += weights[..., patient]
    at_risk = np.cumsum(leaves[..., ::-1], axis=-1)[..., ::-1]
    return CountingProcess(times=times, at_risk=at_risk, events=events)


def compute_aalen_johansen(process: CountingProcess, months: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Return event-free survival (..., m) and cumulative incidence (..., m, causes) at ``months`` (m,).

    ``S(t) = prod (1 - dN / Y)`` and ``CIF_c(t) = sum S(s-) dN_c / Y``; with one cause this is Kaplan-Meier.
    Source: Aalen and Johansen 1978, Scand J Statist 5:141-150.
    """
    hazards = process.events / np.maximum(process.at_risk, 1e-12)[..., None]
    return combine_hazards(process.times, hazards, months)


def combine_hazards(times: DoubleArray, hazards: DoubleArray, months: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Return event-free survival and cumulative incidence at ``months`` of hazards (..., k, causes) at ``times`` (k,).

    A model's hazards may add up to more than 1 at a late time for a patient of high risk; they are held at 1.
    """
    total = hazards.sum(axis=-1)
    hazards = hazards / np.maximum(total, 1.0)[..., None]
    survival = np.cumprod(1.0 - np.minimum(total, 1.0), axis=-1)
    before = np.concatenate([np.ones_like(survival[..., :1]), survival[..., :-1]], axis=-1)
    incidence = np.cumsum(before[..., None] * hazards, axis=-2)
    index = np.searchsorted(times, months, side="right")
    survival = np.concatenate([np.ones_like(survival[..., :1]), survival], axis=-1)[..., index]
    incidence = np.concatenate([np.zeros_like(incidence[..., :1, :]), incidence], axis=-2)[..., index, :]
    return survival, incidence


def build_cohort_forecast(
    patients: Sequence[ManifestPatient],
    *,
    overall_survival: DoubleArray,
    event_free_survival: DoubleArray,
    incidence: DoubleArray,
) -> CohortForecast:
    """Return the curves (n, T) of patients; ``incidence`` is (n, T, causes) and sums with event-free survival to 1.

    Nobody is event-free and dead, so overall survival is held at or above event-free survival.
    """
    liver = incidence[..., CAUSES.index(Cause.LIVER)]
    return CohortForecast(
        patient_ids=tuple(patient.patient_id for patient in patients),
        overall_survival=np.maximum(overall_survival, event_free_survival),
        event_free_survival=event_free_survival,
        any_recurrence=liver + incidence[..., CAUSES.index(Cause.ELSEWHERE)],
        liver_recurrence=liver,
    )
