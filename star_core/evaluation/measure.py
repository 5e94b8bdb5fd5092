"""Measures of a network on patients it has not seen, for its card."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from star_core.cohort.manifest import Manifest, ManifestPatient, load_input
from star_core.cohort.splits import Split, fold_patients
from star_core.evaluation.maps import compute_distance_auc, compute_map_auc, find_site
from star_core.evaluation.metrics import bootstrap_interval, compute_concordance
from star_core.model.bundle import Measure
from star_core.model.predict import choose_device, predict
from star_core.model.star import Network
from star_core.types import N_YEARS, BoolArray, DoubleArray, ProgressCallback, ignore_progress

FIVE_YEARS = 4
FOLDS = 5
FEWEST_TO_MEASURE = 10


def measure_network(
    network: Network,
    manifest: Manifest,
    patients: Sequence[ManifestPatient],
    at_risk: tuple[int, ...],
    *,
    split: str,
    seed: int,
    device: str = "auto",
    progress: ProgressCallback = ignore_progress,
) -> tuple[Measure, ...]:
    """Return C for first event and survival (risk at five years), and how well the map finds known sites.

    A figure on fewer than ten patients or sites is left out: its interval would say less than nothing.
    """
    event_risk, death_risk = [], []
    map_auc: list[float] = []
    distance_auc: list[float] = []
    for done, patient in enumerate(patients):
        model_input = load_input(manifest, patient, with_scan=network.config.sees_scan)
        prediction = predict(network, model_input, at_risk, device=choose_device(device))
        event_risk.append(1.0 - prediction.forecast.event_free_survival[FIVE_YEARS])
        death_risk.append(1.0 - prediction.forecast.overall_survival[FIVE_YEARS])
        site = find_site(patient.outcome, model_input)
        if site is not None:
            map_auc.append(compute_map_auc(prediction.risk_map, model_input, site, patient.outcome))
            distance_auc.append(compute_distance_auc(model_input, site))
        progress(done + 1, len(patients))
    outcomes = [patient.outcome for patient in patients]
    events = np.array([outcome.cause is not None for outcome in outcomes])
    deaths = np.array([outcome.died for outcome in outcomes])
    months = np.array([outcome.event_months for outcome in outcomes])
    survival = np.array([outcome.survival_months for outcome in outcomes])
    measures = [
        _concordance("C, first event, risk at 5 years", np.array(event_risk), months, events, split, seed),
        _concordance("C, overall survival, risk at 5 years", np.array(death_risk), survival, deaths, split, seed),
    ]
    if map_auc:
        measures.append(_mean("voxel AUC of the map at recorded sites", np.array(map_auc), split, seed))
        measures.append(_mean("voxel AUC of tumour distance at these sites", np.array(distance_auc), split, seed))
    return tuple(
        measure
        for measure in measures
        if measure.n >= FEWEST_TO_MEASURE and np.isfinite([measure.value, measure.lower, measure.upper]).all()
    )


def measure_folds(
    fit: Callable[[Split], Network], manifest: Manifest, *, seed: int, device: str = "auto"
) -> tuple[Measure, ...]:
    """Return C for first event and survival of every patient by a network that has not seen them.

    Each of five folds is forecast by ``fit`` of the others, and patients are ranked within their fold: cheap for
    models of the record, and far more certain than a tenth of few patients.
    """
    event_risk, death_risk, folds, outcomes = [], [], [], []
    for number, split in enumerate(fold_patients(manifest, folds=FOLDS, repeat=0, seed=seed)):
        network = fit(split)
        for patient in split.test:
            model_input = load_input(manifest, patient, with_scan=network.config.sees_scan)
            forecast = predict(network, model_input, (0,) * N_YEARS, device=choose_device(device)).forecast
            event_risk.append(1.0 - forecast.event_free_survival[FIVE_YEARS])
            death_risk.append(1.0 - forecast.overall_survival[FIVE_YEARS])
            folds.append(number)
            outcomes.append(patient.outcome)
    events = np.array([outcome.cause is not None for outcome in outcomes])
    deaths = np.array([outcome.died for outcome in outcomes])
    months = np.array([outcome.event_months for outcome in outcomes])
    survival = np.array([outcome.survival_months for outcome in outcomes])
    group = np.array(folds)
    use = f"{FOLDS} folds"
    return (
        _concordance("C, first event, risk at 5 years", np.array(event_risk), months, events, use, seed, group=group),
        _concordance(
            "C, overall survival, risk at 5 years", np.array(death_risk), survival, deaths, use, seed, group=group
        ),
    )


def _concordance(
    name: str,
    risk: DoubleArray,
    months: DoubleArray,
    event: BoolArray,
    split: str,
    seed: int,
    *,
    group: NDArray[np.int64] | None = None,
) -> Measure:
    groups = np.zeros(len(risk), np.int64) if group is None else group

    def concordance(rows: NDArray[np.int64]) -> float:
        return compute_concordance(risk[rows], months[rows], event[rows], group=groups[rows])

    value = concordance(np.arange(len(risk)))
    if not np.isfinite(value):
        return Measure(name=name, value=value, lower=value, upper=value, n=len(risk), split=split)
    lower, upper = bootstrap_interval(concordance, len(risk), seed=seed, repeats=500)
    return Measure(name=name, value=value, lower=lower, upper=upper, n=len(risk), split=split)


def _mean(name: str, values: DoubleArray, split: str, seed: int) -> Measure:
    lower, upper = bootstrap_interval(lambda i: float(values[i].mean()), len(values), seed=seed)
    return Measure(name=name, value=float(values.mean()), lower=lower, upper=upper, n=len(values), split=split)
