"""The interface that every comparator without images has: fit on records and outcomes, forecast the same curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from star_core.cohort.manifest import ManifestPatient
from star_core.types import CohortForecast


class TabularComparator(Protocol):
    """A model of the clinical record alone."""

    @property
    def name(self) -> str:
        """Name on the command line and in tables, such as ``cox``."""
        ...

    def fit(self, patients: Sequence[ManifestPatient], *, seed: int) -> None:
        """Fit to the records and outcomes of the training patients; their scans are not read.

        Raises
        ------
        TrainingError
            When the patients do not suffice, such as without an event.
        """
        ...

    def forecast(self, patients: Sequence[ManifestPatient]) -> CohortForecast:
        """Return the curves of patients, in their order; only their records are read."""
        ...
