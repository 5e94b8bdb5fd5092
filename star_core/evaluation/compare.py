"""Several models on identical folds, journaled so that a killed comparison goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from star_core.cohort.manifest import Manifest, ManifestPatient, manifest_sha256, read_manifest
from star_core.cohort.splits import Split, fold_patients
from star_core.errors import StorageError
from star_core.evaluation.contestants import Contestant, average_forecasts, find_contestant
from star_core.evaluation.predictions import (
    OUTCOMES_FILE,
    PREDICTIONS_FILE,
    PredictionSet,
    read_predictions,
    write_outcomes,
    write_predictions,
)
from star_core.evaluation.protocol import Protocol
from star_core.evaluation.summary import (
    Measured,
    SummaryRow,
    Target,
    build_targets,
    measure_model,
    percentile_interval,
    write_table,
)
from star_core.storage import new_file
from star_core.types import CohortForecast, ProgressCallback, ignore_progress

JOURNAL = "journal"
PLAN_FILE = "plan.json"
SUMMARY_HEADER = ("model", "target", "measure", "value", "lower 95 %", "upper 95 %", "patients", "events")
DIFFERENCE_HEADER = ("model", "against", "target", "measure", "difference", "lower 95 %", "upper 95 %", "differs")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonPlan:
    """What is compared: models by name, folds and repeats, trainings averaged per fold (``seeds``), first seed.

    The paper's ``protocol`` is one split of 157 : 20 : 20 instead of folds. ``options`` are given to every network.
    """

    models: tuple[str, ...]
    folds: int = 5
    repeats: int = 1
    seeds: int = 1
    seed: int = 0
    protocol: Protocol = Protocol.OURS
    options: Mapping[str, Any] = field(default_factory=dict)


def compare(
    cohort: Path,
    plan: ComparisonPlan,
    out: Path,
    *,
    device: str = "auto",
    progress: ProgressCallback = ignore_progress,
) -> tuple[SummaryRow, ...]:
    """Fit and judge every model on the same folds; a folder with the same plan goes on where it stopped.

    A patient's curves are averaged over ``seeds`` trainings (a deep ensemble). Measures are those of each repeat and
    then averaged; intervals resample patients with the fitted models as they are, so they leave out the chance of
    training.

    Raises
    ------
    StarError
        When a model is unknown, the cohort cannot be cut, or ``out`` holds another comparison.
    """
    manifest = read_manifest(cohort)
    contestants = [find_contestant(name, plan.options) for name in plan.models]
    splits = _plan_splits(manifest, plan)
    _begin(out, manifest, plan)
    jobs = [(c, place, s) for place in splits for c in contestants for s in range(plan.seeds if _has_seeds(c) else 1)]
    for done, (contestant, place, number) in enumerate(jobs):
        progress(done, len(jobs))
        path = _journal_path(out, contestant.name, place, number)
        if not path.is_file():
            forecast = contestant.fit_forecast(
                manifest,
                splits[place],
                seed=plan.seed + number,
                scratch=path.with_suffix(""),
                device=device,
            )
            write_predictions([PredictionSet(forecast=forecast)], path, with_keys=False)
    progress(len(jobs), len(jobs))
    sets = [_gather(out, c, place, plan) for c in contestants for place in splits]
    write_predictions(sets, out / PREDICTIONS_FILE)
    write_outcomes(manifest.patients, out / OUTCOMES_FILE)
    return write_comparison(manifest, contestants, sets, plan, out)


def write_comparison(
    manifest: Manifest,
    contestants: Sequence[Contestant],
    sets: Sequence[PredictionSet],
    plan: ComparisonPlan,
    out: Path,
) -> tuple[SummaryRow, ...]:
    """Write the tables and the figure of a comparison and return the rows of its summary."""
    from star_core.evaluation.figures import draw_comparison

    kind = "synthetic cohort" if manifest.is_synthetic else "cohort"
    title = f"Comparison on {kind} {manifest.name!r}: {_describe(plan)}"
    measured = {
        c.name: measure_model(
            c.name, _targets_of(c.name, sets, manifest.patients), year_classes=c.year_classes, seed=plan.seed
        )
        for c in contestants
    }
    rows = [row for by_target in measured.values() for one in by_target for row in one.to_rows()]
    cells = [(r.model, r.target, r.measure, r.value, r.lower, r.upper, r.n, r.events) for r in rows]
    write_table(SUMMARY_HEADER, cells, out / "summary.csv", title=title)
    first = contestants[0].name
    differences = [
        row
        for contestant in contestants[1:]
        for one in measured[contestant.name]
        for other in measured[first]
        if one.target == other.target
        for row in _differences(one, other)
    ]
    write_table(DIFFERENCE_HEADER, differences, out / "differences.csv", title=f"{title}; paired with {first}")
    with new_file(out / "comparison.png") as partial:
        draw_comparison(rows, title).savefig(partial, format="png")
    return tuple(rows)


def _describe(plan: ComparisonPlan) -> str:
    cut = (
        "one split 157 : 20 : 20" if plan.protocol is Protocol.PAPER else f"{plan.folds} folds, {plan.repeats} repeats"
    )
    return f"{cut}, {plan.seeds} trainings averaged, seed {plan.seed}"


def _differences(one: Measured, other: Measured) -> list[tuple[object, ...]]:
    """Return the paired differences of two models on the same resampled patients."""
    rows: list[tuple[object, ...]] = []
    for name, value in one.values.items():
        samples = np.array([a[name] - b[name] for a, b in zip(one.samples, other.samples, strict=True)])
        lower, upper = percentile_interval(samples)
        differs = "yes" if lower > 0 or upper < 0 else "no"
        rows.append((one.model, other.model, one.target, name, value - other.values[name], lower, upper, differs))
    return rows


def _targets_of(
    name: str, sets: Sequence[PredictionSet], patients: Sequence[ManifestPatient]
) -> list[tuple[Target, ...]]:
    """Return a model's targets of all tested patients, once for each repeat."""
    by_repeat: dict[int, dict[str, tuple[PredictionSet, int]]] = {}
    for part in sets:
        if part.model == name:
            places = {patient: (part, row) for row, patient in enumerate(part.forecast.patient_ids)}
            by_repeat.setdefault(part.repeat, {}).update(places)
    tested = [patient for patient in patients if patient.patient_id in by_repeat[0]]
    targets = []
    for found in by_repeat.values():
        rows = [found[patient.patient_id] for patient in tested]
        folds = np.array([part.fold for part, _ in rows], np.int64)
        targets.append(build_targets(_rows_of(rows), tested, fold=folds))
    return targets


def _rows_of(found: Sequence[tuple[PredictionSet, int]]) -> CohortForecast:
    names = ("overall_survival", "event_free_survival", "any_recurrence", "liver_recurrence")
    curves = {name: np.array([getattr(part.forecast, name)[row] for part, row in found]) for name in names}
    return CohortForecast(patient_ids=tuple(part.forecast.patient_ids[row] for part, row in found), **curves)


def _plan_splits(manifest: Manifest, plan: ComparisonPlan) -> dict[tuple[int, int], Split]:
    if plan.protocol is Protocol.PAPER:
        from star_core.training.fit import split_cohort

        return {(0, 0): split_cohort(manifest, plan.seed)}
    return {
        (repeat, fold): split
        for repeat in range(plan.repeats)
        for fold, split in enumerate(fold_patients(manifest, folds=plan.folds, repeat=repeat, seed=plan.seed))
    }


def _has_seeds(contestant: Contestant) -> bool:
    from star_core.evaluation.contestants import NetworkContestant

    return isinstance(contestant, NetworkContestant)


def _begin(out: Path, manifest: Manifest, plan: ComparisonPlan) -> None:
    """Make the folder, or check that it holds the same comparison; models may be added to it."""
    identity = {"cohort_sha256": manifest_sha256(manifest), "folds": plan.folds, "seed": plan.seed}
    identity |= {"protocol": plan.protocol, "options": dict(plan.options)}
    path = out / PLAN_FILE
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != identity:
            raise StorageError(
                f"Folder {out.name!r} holds a comparison of another cohort, number of folds, seed, protocol or option.",
                remedy="Choose a new folder, or repeat the command that began it.",
            )
        return
    (out / JOURNAL).mkdir(parents=True, exist_ok=True)
    with new_file(path) as partial:
        partial.write_text(json.dumps(identity), encoding="utf-8")


def _journal_path(out: Path, name: str, place: tuple[int, int], number: int) -> Path:
    key = hashlib.sha256(name.encode()).hexdigest()[:16]
    return out / JOURNAL / f"{key}-{place[0]}-{place[1]}-{number}.csv"


def _gather(out: Path, contestant: Contestant, place: tuple[int, int], plan: ComparisonPlan) -> PredictionSet:
    numbers = range(plan.seeds if _has_seeds(contestant) else 1)
    read = [read_predictions(_journal_path(out, contestant.name, place, number))[0].forecast for number in numbers]
    return PredictionSet(forecast=average_forecasts(read), model=contestant.name, repeat=place[0], fold=place[1])
