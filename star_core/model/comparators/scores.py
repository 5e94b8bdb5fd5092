"""Published scores as forecasts: Cox models of the score alone turn it into curves of the training patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from star_core.clinical.scores import ScoreName, compute_score
from star_core.cohort.manifest import ManifestPatient
from star_core.model.comparators.cox import forecast_hazards
from star_core.model.comparators.curves import read_outcomes
from star_core.model.comparators.features import Preparation
from star_core.model.comparators.proportional import ProportionalHazards, fit_towards
from star_core.types import CAUSES, CohortForecast, DoubleArray

SMALL_PENALTY = 1e-3


class ScoreModel:
    """One score, recalibrated by Cox models of the score alone; where it is a range, its estimate counts.

    The published order of patients is kept: where a score means nothing in the training patients, the curves are
    constant, and never turned round. A record from which the score cannot be told has the training patients' median.
    Patients with the same score have the same curves.
    """

    def __init__(self, score: ScoreName | str) -> None:
        self._score = ScoreName(score)
        self._preparation: Preparation | None = None
        self._hazards: list[ProportionalHazards] = []

    @property
    def name(self) -> str:
        """Name on the command line."""
        return self._score.value

    def fit(self, patients: Sequence[ManifestPatient], *, seed: int) -> None:
        """Fit to the training patients; see :class:`TabularComparator`."""
        outcomes = read_outcomes(patients, self.name)
        values = self._read_scores(patients)
        known = values[~np.isnan(values)]
        spread = float(known.std()) if known.size else 0.0
        self._preparation = Preparation(
            medians=np.array([float(np.median(known)) if known.size else 0.0]),
            marks=np.zeros((0, 1), dtype=np.bool_),
            mean=np.array([float(known.mean()) if known.size else 0.0]),
            spread=np.array([spread if spread > 1e-9 else 1.0]),
        )
        features = self._preparation.apply(values)
        targets = [(outcomes.survival_months, outcomes.died), (outcomes.event_months, outcomes.any_event)]
        targets += [(outcomes.event_months, outcomes.cause == index) for index in range(len(CAUSES))]
        self._hazards = [fit_towards(features, months, event, SMALL_PENALTY, np.zeros(1)) for months, event in targets]

    def forecast(self, patients: Sequence[ManifestPatient]) -> CohortForecast:
        """Return the curves of patients."""
        if self._preparation is None:
            raise ValueError("fit the model before it forecasts")
        features = self._preparation.apply(self._read_scores(patients))
        death, first_event, *causes = ((hazard, features) for hazard in self._hazards)
        return forecast_hazards(patients, death=death, first_event=first_event, causes=causes)

    def _read_scores(self, patients: Sequence[ManifestPatient]) -> DoubleArray:
        estimates = [compute_score(self._score, patient.clinical).estimate for patient in patients]
        values: DoubleArray = np.array([np.nan if value is None else value for value in estimates], dtype=np.float64)
        return values[:, None]
