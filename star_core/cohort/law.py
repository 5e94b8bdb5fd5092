"""The known law of phantoms: who recurs, when, why and where. Constants are invented, sizes follow the MSKCC table.

Yearly rates of liver recurrence, recurrence elsewhere and death without recurrence are log-linear in the record;
liver recurrence arises in the remnant, near where tumours were and along portal veins, early recurrences nearer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt

from star_core.types import (
    CAUSES,
    N_YEARS,
    Cause,
    ClinicalRecord,
    DoubleArray,
    FloatArray,
    ModelInput,
    Outcome,
    Structure,
)

BASELINE_RATES = {
    Cause.LIVER: np.array([0.20, 0.16, 0.10, 0.06, 0.04, 0.03, 0.02, 0.015, 0.012, 0.01, 0.01, 0.01]),
    Cause.ELSEWHERE: np.array([0.17, 0.14, 0.09, 0.06, 0.04, 0.03, 0.02, 0.015, 0.012, 0.01, 0.01, 0.01]),
    Cause.DEATH: np.linspace(0.010, 0.032, N_YEARS),
}
EFFECTS: dict[Cause, dict[str, float]] = {
    Cause.LIVER: {"log_number": 0.45, "log_size": 0.35, "bilobar": 0.40, "log_cea": 0.18, "steatosis": 0.25},
    Cause.ELSEWHERE: {"node_positive": 0.60, "extrahepatic": 0.80, "log_cea": 0.15, "synchronous": 0.25},
    Cause.DEATH: {"age": 0.60, "comorbidity": 0.70},
}
DEATH_AFTER_RECURRENCE_PER_YEAR = 0.21
TUMOUR_REACH_MM = 18.0
PORTAL_REACH_MM = 8.0
# Chosen so that maps can be told apart: over the years of recurrence the law itself has a voxel AUC of 0.70 at its own
# sites, the nearness to tumours 0.60.
BACKGROUND, NEAR_TUMOUR, NEAR_PORTAL, NEARNESS_FADES_YEARS = 0.05, 2.5, 2.0, 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TumourBurden:
    """What was drawn, before any value was lost from the record."""

    number: int
    largest_cm: float
    bilobar: bool
    cea_ng_ml: float
    steatosis: bool
    node_positive: bool
    synchronous: bool
    extrahepatic: bool
    age_years: float
    comorbidity: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomLaw:
    """The truth about one phantom: rates (T, 3) and where, (T, D, H, W) summing to 1 over each year's tissue."""

    rates: DoubleArray
    where: FloatArray


def compute_rates(burden: TumourBurden) -> DoubleArray:
    """Return the true yearly rates (T, 3) in the order of ``CAUSES``."""
    covariates = {
        "log_number": np.log(burden.number) - 0.5,
        "log_size": np.log(max(burden.largest_cm, 0.3)) - 1.1,
        "bilobar": burden.bilobar - 0.4,
        "log_cea": np.log1p(burden.cea_ng_ml) - 2.4,
        "steatosis": burden.steatosis - 0.4,
        "node_positive": burden.node_positive - 0.6,
        "synchronous": burden.synchronous - 0.55,
        "extrahepatic": burden.extrahepatic - 0.1,
        "age": (burden.age_years - 60.0) / 12.0,
        "comorbidity": burden.comorbidity - 0.5,
    }
    columns = []
    for cause in CAUSES:
        score = sum(effect * float(covariates[name]) for name, effect in EFFECTS[cause].items())
        columns.append(BASELINE_RATES[cause] * np.exp(score))
    return np.stack(columns, axis=-1)


def compute_where(model_input: ModelInput) -> FloatArray:
    """Return float32 (T, D, H, W): the share of each year's liver rate in each model voxel."""
    spacing_mm = model_input.geometry.spacing_mm
    tissue = model_input.at_risk_fraction
    tumour = _fading(model_input.fraction_of(Structure.TUMOUR), spacing_mm, TUMOUR_REACH_MM)
    portal = _fading(model_input.fraction_of(Structure.PORTAL_VEINS), spacing_mm, PORTAL_REACH_MM)
    years = np.arange(N_YEARS, dtype=np.float32)[:, None, None, None]
    nearness = NEAR_TUMOUR * np.exp(-years / NEARNESS_FADES_YEARS)
    where = tissue * (BACKGROUND + nearness * tumour + NEAR_PORTAL * portal)
    share: FloatArray = where / np.maximum(where.sum(axis=(1, 2, 3), keepdims=True), 1e-9)
    return share.astype(np.float32)


def _fading(fraction: FloatArray, spacing_mm: tuple[float, float, float], reach_mm: float) -> FloatArray:
    inside = fraction > 0.0
    if not inside.any():
        return np.zeros_like(fraction)
    distance_mm = distance_transform_edt(~inside, sampling=spacing_mm)
    fading: FloatArray = np.exp(-distance_mm / reach_mm).astype(np.float32)
    return fading


def draw_outcome(law: PhantomLaw, model_input: ModelInput, generator: np.random.Generator) -> Outcome:
    """Draw first event, site and survival under the law, then censor: follow-up of 2 to 12 years, some lost."""
    event_years, cause = _draw_first_event(law.rates, generator)
    death_years = event_years
    if cause is not Cause.DEATH:
        death_years = event_years + generator.exponential(1.0 / DEATH_AFTER_RECURRENCE_PER_YEAR)
    followed = min(generator.uniform(2.5, 12.5), generator.exponential(40.0) + 0.3)
    seen = event_years <= followed and cause is not None
    died = death_years <= followed
    site = None
    if seen and cause is Cause.LIVER:
        site = draw_site(law.where[min(int(event_years), N_YEARS - 1)], model_input, generator)
    return Outcome(
        event_months=round(12.0 * max(min(event_years, followed), 1 / 24), 2),
        cause=cause if seen else None,
        survival_months=round(12.0 * max(min(death_years, followed), 1 / 24), 2),
        died=died,
        site_lps_mm=site,
    )


def _draw_first_event(rates: DoubleArray, generator: np.random.Generator) -> tuple[float, Cause | None]:
    for year, by_cause in enumerate(rates):
        total = float(by_cause.sum())
        wait = generator.exponential(1.0 / total)
        if wait < 1.0:
            return year + wait, CAUSES[int(generator.choice(len(CAUSES), p=by_cause / total))]
    return float(N_YEARS), None


def draw_site(
    where: FloatArray, model_input: ModelInput, generator: np.random.Generator
) -> tuple[float, float, float] | None:
    """Draw the LPS mm of a recurrence from one year's shares (D, H, W), ``None`` where there is no tissue."""
    total = float(where.sum(dtype=np.float64))
    if total <= 0.0:
        return None
    flat = int(np.searchsorted(np.cumsum(where.ravel(), dtype=np.float64), generator.random() * total))
    index = np.array(np.unravel_index(min(flat, where.size - 1), where.shape), dtype=np.float64)
    x, y, z = model_input.geometry.index_to_lps(index)
    return float(x), float(y), float(z)


def draw_record(burden: TumourBurden, generator: np.random.Generator) -> ClinicalRecord:
    """Return the record of a drawn burden; other fields follow the table's marginals, and some values are lost."""
    from star_core.types import Sex

    def keep(share_lost: float = 0.02) -> bool:
        return bool(generator.random() >= share_lost)

    score = sum(
        (
            burden.node_positive,
            burden.synchronous,
            burden.number > 1,
            burden.cea_ng_ml > 200.0,
            burden.largest_cm > 5.0,
        )
    )
    cea_known = keep(0.13)
    return ClinicalRecord(
        age_years=round(burden.age_years) if keep() else None,
        sex=Sex.MALE if generator.random() < 0.6 else Sex.FEMALE,
        major_comorbidity=burden.comorbidity if keep() else None,
        body_mass_index_kg_m2=round(float(np.clip(generator.normal(27.5, 5.0), 17.0, 45.0)), 1) if keep() else None,
        node_positive_primary=burden.node_positive if keep() else None,
        synchronous_metastases=burden.synchronous if keep() else None,
        multiple_metastases=burden.number > 1,
        clinical_risk_score=int(score) if cea_known else None,
        clinical_risk_score_high=bool(score >= 3) if cea_known else None,
        cea_ng_ml=round(burden.cea_ng_ml, 1) if cea_known else None,
        largest_tumour_cm=round(burden.largest_cm, 1) if keep() else None,
        bilobar_disease=burden.bilobar if keep() else None,
        extrahepatic_disease=burden.extrahepatic if keep() else None,
        preoperative_chemotherapy=bool(generator.random() < 0.6),
        portal_vein_embolisation=bool(generator.random() < 0.08),
        steatosis=burden.steatosis,
    )
