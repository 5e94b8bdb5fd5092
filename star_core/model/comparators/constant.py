"""The constant prediction: everybody has the training patients' own curves. What a model must be better than."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from star_core.cohort.manifest import ManifestPatient
from star_core.model.comparators.curves import (
    YEAR_ENDS_MONTHS,
    build_cohort_forecast,
    compute_aalen_johansen,
    count_process,
    read_outcomes,
)
from star_core.types import CAUSES, CohortForecast, DoubleArray


class ConstantModel:
    """Kaplan-Meier for survival and first event, Aalen-Johansen for its causes."""

    def __init__(self, name: str = "constant") -> None:
        self._name = name
        self._curves: tuple[DoubleArray, DoubleArray, DoubleArray] | None = None

    @property
    def name(self) -> str:
        """Name on the command line."""
        return self._name

    def fit(self, patients: Sequence[ManifestPatient], *, seed: int) -> None:
        """Fit to the outcomes of the training patients; see :class:`TabularComparator`."""
        outcomes = read_outcomes(patients, self.name)
        alike = np.ones(len(patients))
        deaths = count_process(outcomes.survival_months, outcomes.died.astype(np.int64) - 1, alike, 1)
        events = count_process(outcomes.event_months, outcomes.cause, alike, len(CAUSES))
        overall_survival, _ = compute_aalen_johansen(deaths, YEAR_ENDS_MONTHS)
        self._curves = (overall_survival, *compute_aalen_johansen(events, YEAR_ENDS_MONTHS))

    def forecast(self, patients: Sequence[ManifestPatient]) -> CohortForecast:
        """Return the same curves for every patient."""
        if self._curves is None:
            raise ValueError("fit the model before it forecasts")
        overall, event_free, incidence = (np.repeat(curve[None], len(patients), axis=0) for curve in self._curves)
        return build_cohort_forecast(
            patients, overall_survival=overall, event_free_survival=event_free, incidence=incidence
        )
