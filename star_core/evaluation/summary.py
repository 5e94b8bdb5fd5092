"""All measures of one model's forecasts of a cohort, with bootstrap intervals, as rows of a table."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from star_core.cohort.manifest import ManifestPatient
from star_core.evaluation.calibration import compute_calibration_slope, compute_d_calibration
from star_core.evaluation.curves import fit_censoring
from star_core.evaluation.discrimination import compute_cause_auc, compute_uno_concordance
from star_core.evaluation.error import compute_integrated_brier, reference_incidence
from star_core.evaluation.metrics import compute_concordance
from star_core.evaluation.year_error import (
    CensoringRule,
    choose_patients,
    compute_year_error,
    find_best_constant,
    to_median_year,
    to_modal_year,
    to_year,
)
from star_core.storage import new_file
from star_core.types import BoolArray, Cause, CohortForecast, DoubleArray

AUC_YEARS = (1, 3, 5)
RISK_YEAR = 5
YEARS = np.arange(1, 13)
C_HARRELL = "C (Harrell), risk at 5 years"
BRIER_GAIN = "integrated Brier score, less that of the reference"

Measures = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One outcome: forecast ``incidence`` (n, 12), ``months`` (n,), ``cause`` (n,) with 1 the outcome, 0 censored.

    ``reference`` (n, 12) is Kaplan-Meier's or Aalen-Johansen's incidence of all judged patients; only patients of one
    ``fold`` (n,) had the same model and are ranked against each other.
    """

    name: str
    incidence: DoubleArray
    reference: DoubleArray
    months: DoubleArray
    cause: NDArray[np.int64]
    fold: NDArray[np.int64]

    @property
    def event(self) -> BoolArray:
        """Whether the outcome itself was seen."""
        event: BoolArray = self.cause == 1
        return event

    def take(self, rows: NDArray[np.int64]) -> Target:
        """Return the target of some patients."""
        return Target(
            name=self.name,
            incidence=self.incidence[rows],
            reference=self.reference[rows],
            months=self.months[rows],
            cause=self.cause[rows],
            fold=self.fold[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRow:
    """A measure of a model on a target with its 95 % bootstrap interval over patients."""

    model: str
    target: str
    measure: str
    value: float
    lower: float
    upper: float
    n: int
    events: int


def build_targets(
    forecast: CohortForecast, patients: Sequence[ManifestPatient], *, fold: NDArray[np.int64] | None = None
) -> tuple[Target, ...]:
    """Return overall and event-free survival, any recurrence and liver recurrence, the last two with other causes."""
    folds = np.zeros(len(patients), np.int64) if fold is None else fold
    outcomes = [patient.outcome for patient in patients]
    survival = np.array([outcome.survival_months for outcome in outcomes])
    months = np.array([outcome.event_months for outcome in outcomes])
    died = np.array([outcome.died for outcome in outcomes], np.int64)
    any_codes = {None: 0, Cause.LIVER: 1, Cause.ELSEWHERE: 1, Cause.DEATH: 2}
    liver_codes = {None: 0, Cause.LIVER: 1, Cause.ELSEWHERE: 2, Cause.DEATH: 2}
    return tuple(
        Target(
            name=name,
            incidence=incidence,
            reference=reference_incidence(at, cause, YEARS, len(patients)),
            months=at,
            cause=cause,
            fold=folds,
        )
        for name, incidence, at, cause in (
            ("os", 1.0 - forecast.overall_survival, survival, died),
            ("efs", 1.0 - forecast.event_free_survival, months, np.array([int(o.cause is not None) for o in outcomes])),
            ("cif_any", forecast.any_recurrence, months, np.array([any_codes[o.cause] for o in outcomes])),
            ("cif_liver", forecast.liver_recurrence, months, np.array([liver_codes[o.cause] for o in outcomes])),
        )
        if np.isfinite(incidence).all()
    )


def measure_target(target: Target, *, year_classes: bool) -> Measures:
    """Return every measure of a target by name; ``nan`` where it does not exist.

    C uses the forecast at year 5; with competing causes whoever had another event first counts as free of this one
    ever after (Wolbers et al. 2009, doi 10.1097/ede.0b013e3181a39056). The Brier score's years end where fewer than
    ten patients or a tenth are still under observation.
    """
    months = np.where(target.cause > 1, max(float(target.months.max()), 144.0) + 1.0, target.months)
    risk = target.incidence[:, RISK_YEAR - 1]
    # After other causes G must stay that of censoring alone, so it is fitted to the true times.
    censoring = fit_censoring(target.months, target.cause > 0)
    years = supported_years(target.months)
    result: Measures = {C_HARRELL: compute_concordance(risk, months, target.event, group=target.fold)}
    result["C (Uno), risk at 5 years"] = compute_uno_concordance(
        risk, months, target.event, until_months=years[-1] * 12.0, censoring=censoring, group=target.fold
    )
    for year in AUC_YEARS:
        result[f"AUC at {year} years"] = compute_cause_auc(
            target.incidence[:, year - 1],
            target.months,
            target.cause,
            year * 12.0,
            of=1,
            censoring=censoring,
            group=target.fold,
        )
    brier = compute_integrated_brier(target.incidence, target.months, target.cause, years, censoring=censoring)
    reference = compute_integrated_brier(target.reference, target.months, target.cause, years, censoring=censoring)
    result |= {"integrated Brier score": brier, "integrated Brier score, Kaplan-Meier or Aalen-Johansen": reference}
    result[BRIER_GAIN] = brier - reference
    result["calibration slope at 5 years"] = compute_calibration_slope(
        risk, target.months, target.event, RISK_YEAR * 12.0
    )[0]
    if target.cause.max(initial=0) <= 1:
        result["D-calibration, p"] = compute_d_calibration(1 - target.incidence, target.months, target.event)[1]
        result |= _measure_years(target, year_classes=year_classes)
    return result


def supported_years(months: DoubleArray) -> NDArray[np.int64]:
    """Return the years, at least the first, at whose end ten patients and a tenth of all are under observation."""
    enough = [year for year in range(1, 13) if (months > year * 12.0).sum() >= max(10, 0.1 * len(months))]
    return np.array(enough or [1])


def _measure_years(target: Target, *, year_classes: bool) -> Measures:
    survival = 1.0 - target.incidence
    forecast = to_modal_year(survival) if year_classes else to_median_year(survival)
    result: Measures = {}
    for rule in CensoringRule:
        chosen = choose_patients(target.months, target.event, rule)
        truth = to_year(target.months[chosen])
        error = compute_year_error(forecast[chosen], truth)
        best = find_best_constant(truth) if len(truth) else {}
        for name in ("taa", "mse", "mae"):
            label = f"{name.upper()}, censored {'as events' if rule is CensoringRule.IGNORED else 'left out'}"
            result[label] = getattr(error, name)
            result[f"{label}, best constant"] = best[name][1] if best else float("nan")
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The measures of one model on one target, and those of resampled patients (equal samples for every model)."""

    model: str
    target: str
    values: Measures
    samples: tuple[Measures, ...]
    n: int
    events: int

    def to_rows(self) -> tuple[SummaryRow, ...]:
        """Return each measure with its percentile interval."""
        rows = []
        for name, value in self.values.items():
            lower, upper = percentile_interval(np.array([sample[name] for sample in self.samples]))
            rows.append(
                SummaryRow(
                    model=self.model,
                    target=self.target,
                    measure=name,
                    value=value,
                    lower=lower,
                    upper=upper,
                    n=self.n,
                    events=self.events,
                )
            )
        return tuple(rows)


def measure_model(
    model: str, targets_of_repeats: Sequence[Sequence[Target]], *, year_classes: bool, seed: int, samples: int = 200
) -> tuple[Measured, ...]:
    """Return the measures of a model on each target: those of each repeat's forecasts, then their mean.

    Forecasts are not averaged over repeats first: that would judge an ensemble which nobody has.
    """
    measured = []
    for repeats in zip(*targets_of_repeats, strict=True):

        def measure(rows: NDArray[np.int64], repeats: tuple[Target, ...] = repeats) -> Measures:
            return _mean([measure_target(target.take(rows), year_classes=year_classes) for target in repeats])

        n = len(repeats[0].months)
        measured.append(
            Measured(
                model=model,
                target=repeats[0].name,
                values=measure(np.arange(n)),
                samples=tuple(bootstrap_measures(measure, n, seed=seed, repeats=samples)),
                n=n,
                events=int(repeats[0].event.sum()),
            )
        )
    return tuple(measured)


def _mean(measures: Sequence[Measures]) -> Measures:
    return {name: float(np.mean([values[name] for values in measures])) for name in measures[0]}


def summarise(
    model: str, targets: Sequence[Target], *, year_classes: bool, seed: int, repeats: int = 200
) -> tuple[SummaryRow, ...]:
    """Return all measures of a model with percentile intervals over resampled patients."""
    measured = measure_model(model, [targets], year_classes=year_classes, seed=seed, samples=repeats)
    return tuple(row for one in measured for row in one.to_rows())


def bootstrap_measures(
    measure: Callable[[NDArray[np.int64]], Measures], n: int, *, seed: int, repeats: int
) -> list[Measures]:
    """Return the measures of ``repeats`` samples of patients; equal ``n`` and ``seed`` give equal samples (pairing)."""
    generator = np.random.default_rng(seed)
    return [measure(generator.integers(0, n, n)) for _ in range(repeats)]


def percentile_interval(values: DoubleArray) -> tuple[float, float]:
    """Return the 2.5 and 97.5 percentiles of the values that exist; ``nan`` where none does."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan")
    lower, upper = np.percentile(finite, [2.5, 97.5])
    return float(lower), float(upper)


def write_table(header: Sequence[str], rows: Sequence[Sequence[object]], path: Path, *, title: str) -> None:
    """Write a table as ``path`` (CSV) and beside it as Markdown under ``title``."""
    texts = [[f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    with new_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *texts])
    lines = [f"# {title}", "", _line(header), _line(["---"] * len(header)), *(_line(row) for row in texts)]
    with new_file(path.with_suffix(".md")) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
