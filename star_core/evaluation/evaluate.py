"""One finished model on the patients of a cohort: tables, figures and every prediction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import star_core
from star_core.cohort.manifest import Manifest, ManifestPatient, read_manifest
from star_core.errors import CohortError
from star_core.evaluation.calibration import CalibrationGroup, compute_calibration_curve
from star_core.evaluation.contestants import forecast_cohort
from star_core.evaluation.curves import count_at_risk, fit_aalen_johansen
from star_core.evaluation.decision import compute_net_benefit
from star_core.evaluation.maps import Patients, choose_patients
from star_core.evaluation.predictions import (
    OUTCOMES_FILE,
    PREDICTIONS_FILE,
    PredictionSet,
    write_outcomes,
    write_predictions,
)
from star_core.evaluation.summary import (
    AUC_YEARS,
    YEARS,
    SummaryRow,
    Target,
    build_targets,
    measure_model,
    write_table,
)
from star_core.model.config import OutcomeModel
from star_core.storage import new_folder, refuse_filled_folder
from star_core.types import ProgressCallback, ignore_progress

if TYPE_CHECKING:
    from star_core.model.bundle import ModelBundle

FEWEST_PATIENTS = 10
THRESHOLDS = np.arange(0.05, 0.96, 0.05)
SUMMARY_HEADER = ("target", "measure", "value", "lower 95 %", "upper 95 %", "patients", "events")
CALIBRATION_HEADER = ("target", "year", "forecast", "observed", "patients")
DECISION_HEADER = ("target", "year", "threshold", "model", "treat all", "treat none")
CAUSES_HEADER = ("target", "year", "mean forecast", "observed", "at risk")


def evaluate(
    bundle_folder: Path,
    cohort: Path,
    out: Path,
    *,
    patients: Patients = "test",
    seed: int | None = None,
    device: str = "auto",
    progress: ProgressCallback = ignore_progress,
) -> tuple[SummaryRow, ...]:
    """Measure a bundle on a cohort and write tables, figures and predictions into ``out``, all or nothing.

    ``patients`` are those of one use in the split by ``seed`` (that of the model's training where not given): on the
    cohort that the model learnt from, ``test`` are those it has not seen; on any other, ``all`` may be asked for.

    Raises
    ------
    StorageError, BundleError
        When model or cohort cannot be read, or ``out`` is not empty.
    CohortError
        When the scans were prepared otherwise than the model wants, or fewer than ten patients are left.
    """
    from star_core.model.bundle import read_bundle

    refuse_filled_folder(out)
    bundle, manifest = read_bundle(bundle_folder), read_manifest(cohort)
    _require_prepared(bundle, manifest)
    drawn_by = int(bundle.card.training.get("seed") or 0) if seed is None else seed
    chosen = choose_patients(manifest, patients, drawn_by)
    if len(chosen) < FEWEST_PATIENTS:
        raise CohortError(
            f"Cohort {manifest.name!r} has {len(chosen)} patients for {patients}, expected {FEWEST_PATIENTS} at least.",
            remedy="Choose other patients (--split), or a larger cohort.",
        )
    forecast = forecast_cohort(bundle.build_network(), manifest, chosen, device=device, progress=progress)
    targets = build_targets(forecast, chosen)
    classes = bundle.card.architecture.outcome is OutcomeModel.YEAR_CLASS
    name = bundle.card.name
    measured = measure_model(name, [targets], year_classes=classes, seed=drawn_by)
    rows = tuple(row for one in measured for row in one.to_rows())
    with new_folder(out) as folder:
        write_predictions([PredictionSet(forecast=forecast)], folder / PREDICTIONS_FILE, with_keys=False)
        write_outcomes(chosen, folder / OUTCOMES_FILE)
        _write_tables(targets, rows, folder, _describe(bundle, manifest, chosen, patients))
        _write_figures(targets, folder, _describe(bundle, manifest, chosen, patients))
    return rows


def _require_prepared(bundle: ModelBundle, manifest: Manifest) -> None:
    from star_core.imaging.preprocess import PreprocessConfig
    from star_core.model.bundle import read_preprocessing

    if not bundle.card.architecture.sees_scan:
        return
    if read_preprocessing(bundle.card) != PreprocessConfig.model_validate(manifest.preprocessing):
        raise CohortError(
            f"The scans of cohort {manifest.name!r} were not prepared as model {bundle.card.name!r} wants them.",
            remedy="Make the cohort again with the model's --preset and --reduce.",
        )


def _describe(bundle: ModelBundle, manifest: Manifest, chosen: Sequence[ManifestPatient], patients: Patients) -> str:
    kind = "synthetic patients" if manifest.is_synthetic else "patients"
    return f"Model {bundle.card.name!r} on {len(chosen)} {kind} ({patients}) of {manifest.name!r}"


def _write_tables(targets: Sequence[Target], rows: Sequence[SummaryRow], folder: Path, title: str) -> None:
    title = f"{title}. {star_core.RESEARCH_NOTICE}"
    summary = [(r.target, r.measure, r.value, r.lower, r.upper, r.n, r.events) for r in rows]
    write_table(SUMMARY_HEADER, summary, folder / "summary.csv", title=title)
    calibration = [
        (target.name, year, group.forecast, group.observed, group.n)
        for target in targets
        for year in AUC_YEARS
        for group in calibrate(target, year)
    ]
    write_table(CALIBRATION_HEADER, calibration, folder / "calibration.csv", title=title)
    decisions = [
        (target.name, year, float(threshold), *(float(benefit) for benefit in at_threshold))
        for target in targets
        for year in AUC_YEARS
        for threshold, at_threshold in zip(THRESHOLDS, weigh_decisions(target, year), strict=True)
    ]
    write_table(DECISION_HEADER, decisions, folder / "decision.csv", title=title)
    causes = [
        (target.name, int(year), forecast, observed, at_risk)
        for target in targets
        for year, forecast, observed, at_risk in follow_incidence(target)
    ]
    write_table(CAUSES_HEADER, causes, folder / "incidence.csv", title=title)


def calibrate(target: Target, year: int) -> tuple[CalibrationGroup, ...]:
    """Return forecast against observed incidence by the end of a year, in fifths of forecast risk."""
    return compute_calibration_curve(target.incidence[:, year - 1], target.months, target.cause, year * 12.0)


def weigh_decisions(target: Target, year: int) -> list[tuple[float, float, float]]:
    """Return net benefit of the model, of treating all and of treating nobody at each of ``THRESHOLDS``."""
    ours, everybody = (
        compute_net_benefit(incidence, target.months, target.cause, year * 12.0, THRESHOLDS)
        for incidence in (target.incidence[:, year - 1], np.ones(len(target.months)))
    )
    return [(float(one), float(other), 0.0) for one, other in zip(ours, everybody, strict=True)]


def follow_incidence(target: Target) -> list[tuple[int, float, float, int]]:
    """Return year, mean forecast incidence, Aalen-Johansen's, and patients still at risk at its end."""
    ends = YEARS.astype(np.float64) * 12.0
    observed = fit_aalen_johansen(target.months, target.cause, 1).at(ends)
    at_risk = count_at_risk(target.months, ends)
    means = target.incidence.mean(axis=0)
    return [(int(y), float(m), float(o), int(n)) for y, m, o, n in zip(YEARS, means, observed, at_risk, strict=True)]


def _write_figures(targets: Sequence[Target], folder: Path, title: str) -> None:
    from star_core.evaluation.figures import draw_calibration, draw_decisions, draw_errors, draw_incidence

    for name, draw in (
        ("calibration.png", draw_calibration),
        ("decision.png", draw_decisions),
        ("incidence.png", draw_incidence),
        ("brier.png", draw_errors),
    ):
        draw(targets, title).savefig(folder / name)
