"""What a model says about a patient, where in the liver, and where that came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from star_core.types.basics import N_YEARS, BoolArray, DoubleArray, FloatArray, freeze_arrays
from star_core.types.couinaud import CouinaudLandmarks
from star_core.types.findings import Finding
from star_core.types.model_input import ModelInput
from star_core.types.patient import Cause
from star_core.types.space import Geometry


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Lower and upper bound, each (T,)."""

    lower: DoubleArray
    upper: DoubleArray

    def __post_init__(self) -> None:
        freeze_arrays(self, "lower", "upper")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Yearly forecast; all arrays float64 (T,), year t at index t - 1.

    ``rates`` are events per year within the year. ``cumulative_incidence`` is the probability that the first event
    was of that cause and happened by the end of the year; with ``event_free_survival`` they sum to 1.
    ``intervals`` holds 90 % model-uncertainty bounds for "any", "liver", "elsewhere", "death", "overall_survival" and
    "event_free_survival". ``at_risk`` is the number of training patients still observed at the start of the year.
    """

    rates: Mapping[Cause, DoubleArray]
    cumulative_incidence: Mapping[Cause, DoubleArray]
    event_free_survival: DoubleArray
    overall_survival: DoubleArray
    intervals: Mapping[str, Interval]
    at_risk: NDArray[np.int64]

    @property
    def years(self) -> NDArray[np.int64]:
        """Postoperative years 1..T."""
        return np.arange(1, len(self.overall_survival) + 1)

    @property
    def any_recurrence(self) -> DoubleArray:
        """Cumulative incidence of recurrence anywhere, (T,)."""
        return self.cumulative_incidence[Cause.LIVER] + self.cumulative_incidence[Cause.ELSEWHERE]

    @property
    def supported(self) -> BoolArray:
        """(T,) True for years with at least ``MIN_AT_RISK`` training patients at risk."""
        return self.at_risk >= MIN_AT_RISK


MIN_AT_RISK = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortForecast:
    """Forecasts of n patients by one model, as ``predictions.csv`` holds them; all curves float64 (n, T).

    ``any_recurrence`` and ``liver_recurrence`` are cumulative incidences, ``event_free_survival`` the probability of
    neither recurrence nor death. A curve that a model does not give is ``nan`` throughout.
    """

    patient_ids: tuple[str, ...]
    overall_survival: DoubleArray
    event_free_survival: DoubleArray
    any_recurrence: DoubleArray
    liver_recurrence: DoubleArray

    def __post_init__(self) -> None:
        curves = ("overall_survival", "event_free_survival", "any_recurrence", "liver_recurrence")
        if any(getattr(self, name).shape != (len(self.patient_ids), N_YEARS) for name in curves):
            raise ValueError(f"every curve must be ({len(self.patient_ids)}, {N_YEARS})")
        freeze_arrays(self, *curves)


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskMap:
    """Where in the liver recurrence is likely.

    ``density_per_ml`` is float32 (T, D, H, W): cumulative incidence of liver recurrence by the end of year t per
    millilitre of model-grid space; summed times the voxel volume it gives ``Forecast.cumulative_incidence[LIVER]``.
    """

    density_per_ml: FloatArray
    geometry: Geometry

    def __post_init__(self) -> None:
        freeze_arrays(self, "density_per_ml")

    def annual_density_per_ml(self) -> FloatArray:
        """Return (T, D, H, W): the part of the incidence that each single year adds."""
        annual: FloatArray = np.diff(self.density_per_ml, axis=0, prepend=np.float32(0.0)).astype(
            np.float32, copy=False
        )
        return annual


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionRisk:
    """Risk of one region: its volume and (T,) cumulative incidence of liver recurrence inside it, as probability."""

    name: str
    volume_ml: float
    cumulative_incidence: DoubleArray

    def __post_init__(self) -> None:
        freeze_arrays(self, "cumulative_incidence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Everything needed to say where a result came from and to run it again."""

    model_name: str
    model_id: str
    card_sha256: str
    model_cohort: str
    software_version: str
    series_uid: str
    segmentation_uid: str | None
    preprocessing: Mapping[str, str | float | int]
    clinical_inputs: Mapping[str, str | float | int | bool | None]
    created_utc: str
    follow_up_series_uids: Mapping[int, str] = field(default_factory=dict)
    follow_up_registrations: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The result for one case under one model.

    ``regions`` part the tissue at risk by distance to tumours and vessels, ``segments`` by Couinaud's planes through
    ``landmarks``.
    """

    case_id: str
    forecast: Forecast
    risk_map: RiskMap
    regions: tuple[RegionRisk, ...]
    segments: tuple[RegionRisk, ...]
    landmarks: CouinaudLandmarks
    model_input: ModelInput
    findings: tuple[Finding, ...]
    provenance: Provenance
