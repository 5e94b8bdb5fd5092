"""Patients without scans whose hazards follow a known law, for the models of the record."""

from __future__ import annotations

import numpy as np

from star_core.cohort.manifest import ManifestPatient
from star_core.types import CAUSES, ClinicalRecord, CohortForecast, Outcome, Sex

RATES_PER_YEAR = (0.15, 0.12, 0.03)


def draw_patients(n: int, seed: int = 0, *, effect: float = 0.7) -> list[ManifestPatient]:
    """Draw patients: risk rises by ``effect`` per spread of log size and log CEA; the other fields do nothing."""
    generator = np.random.default_rng(seed)
    return [_draw_patient(index, generator, effect) for index in range(n)]


def _draw_patient(index: int, generator: np.random.Generator, effect: float) -> ManifestPatient:
    size, cea = generator.normal(size=2)
    risk = np.exp(effect * (size + cea))
    waits_months = generator.exponential(12.0 / (np.array(RATES_PER_YEAR) * risk))
    cause = int(waits_months.argmin())
    event_months, censored_months = float(waits_months.min()), float(generator.uniform(12.0, 140.0))
    later_death_months = event_months + float(generator.exponential(30.0))
    death_months = event_months if cause == 2 else later_death_months
    record = ClinicalRecord(
        age_years=float(generator.uniform(30.0, 85.0)),
        sex=Sex.MALE if generator.random() < 0.5 else Sex.FEMALE,
        largest_tumour_cm=round(float(np.expm1(1.4 + 0.5 * size).clip(0.1, 30.0)), 1),
        cea_ng_ml=None if generator.random() < 0.1 else round(float(np.expm1(2.4 + 1.5 * cea).clip(0.1, 5000.0)), 1),
        node_positive_primary=bool(generator.random() < 0.4),
        synchronous_metastases=bool(generator.random() < 0.5),
        multiple_metastases=bool(generator.random() < 0.5),
        extrahepatic_disease=bool(generator.random() < 0.1),
    )
    outcome = Outcome(
        event_months=round(min(event_months, censored_months), 1),
        cause=CAUSES[cause] if event_months < censored_months else None,
        survival_months=round(min(death_months, censored_months), 1),
        died=death_months < censored_months,
    )
    return ManifestPatient(patient_id=f"P{index:04d}", input_sha256="0" * 64, clinical=record, outcome=outcome)


def assert_possible(forecast: CohortForecast) -> None:
    """Curves are probabilities, move one way only, and do not contradict each other."""
    falling = (forecast.overall_survival, forecast.event_free_survival)
    rising = (forecast.any_recurrence, forecast.liver_recurrence)
    for curve in (*falling, *rising):
        assert ((curve >= -1e-12) & (curve <= 1.0 + 1e-12)).all()
    for curve in falling:
        assert (np.diff(curve, axis=1) <= 1e-12).all()
    for curve in rising:
        assert (np.diff(curve, axis=1) >= -1e-12).all()
    assert (forecast.any_recurrence <= 1.0 - forecast.event_free_survival + 1e-9).all()
    assert (forecast.liver_recurrence <= forecast.any_recurrence + 1e-12).all()
    assert (forecast.overall_survival >= forecast.event_free_survival).all()
