"""``predictions.csv`` and ``outcomes.csv``: what was forecast and what happened, for anyone's own program."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from star_core.cohort.manifest import ManifestPatient
from star_core.errors import StorageError
from star_core.storage import new_file
from star_core.types import N_YEARS, CohortForecast, DoubleArray

PREDICTIONS_FILE = "predictions.csv"
OUTCOMES_FILE = "outcomes.csv"
CURVES = {
    "os": "overall_survival",
    "cif_any": "any_recurrence",
    "cif_liver": "liver_recurrence",
    "efs": "event_free_survival",
}
KEYS = ("model", "repeat", "fold")


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionSet:
    """Forecasts of the patients tested in one fold; ``model`` empty and both numbers 0 outside of comparisons."""

    forecast: CohortForecast
    model: str = ""
    repeat: int = 0
    fold: int = 0


def write_predictions(sets: Sequence[PredictionSet], path: Path, *, with_keys: bool = True) -> None:
    """Write one row a patient (and model, repeat, fold); probabilities as fractions, empty where a model gives none.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    columns = [f"{name}_{year}" for name in CURVES for year in range(1, N_YEARS + 1)]
    with new_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["patient_id", *(KEYS if with_keys else ()), *columns])
        for part in sets:
            curves = np.concatenate([getattr(part.forecast, field) for field in CURVES.values()], axis=1)
            keys = [part.model, part.repeat, part.fold] if with_keys else []
            for patient_id, row in zip(part.forecast.patient_ids, curves, strict=True):
                writer.writerow([patient_id, *keys, *("" if np.isnan(value) else f"{value:.8g}" for value in row)])


def read_predictions(path: Path) -> tuple[PredictionSet, ...]:
    """Read predictions, one set for each model, repeat and fold in the order of the file.

    Raises
    ------
    StorageError
        When the file cannot be read or lacks columns.
    """
    rows: dict[tuple[str, int, int], list[tuple[str, list[float]]]] = {}
    columns = [f"{name}_{year}" for name in CURVES for year in range(1, N_YEARS + 1)]
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                key = (row.get("model", ""), int(row.get("repeat", 0)), int(row.get("fold", 0)))
                values = [float(row[column] or "nan") for column in columns]
                rows.setdefault(key, []).append((row["patient_id"], values))
    except (OSError, UnicodeDecodeError, KeyError, ValueError) as error:
        raise StorageError(
            f"{path.name} holds no readable predictions.",
            remedy="Write it again with `star evaluate` or `star compare`.",
            details=repr(error),
        ) from error
    return tuple(
        PredictionSet(forecast=_to_forecast(found), model=model, repeat=repeat, fold=fold)
        for (model, repeat, fold), found in rows.items()
    )


def _to_forecast(rows: Sequence[tuple[str, list[float]]]) -> CohortForecast:
    values: DoubleArray = np.array([curves for _, curves in rows], np.float64).reshape(len(rows), len(CURVES), N_YEARS)
    curves = {field: values[:, place].copy() for place, field in enumerate(CURVES.values())}
    return CohortForecast(patient_ids=tuple(name for name, _ in rows), **curves)


def write_outcomes(patients: Sequence[ManifestPatient], path: Path) -> None:
    """Write what happened to each patient; ``cause`` is empty where no event was seen until ``event_months``.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    with new_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["patient_id", "event_months", "cause", "survival_months", "died"])
        for patient in patients:
            outcome = patient.outcome
            cause = outcome.cause.value if outcome.cause else ""
            months = (f"{outcome.event_months:.6g}", cause, f"{outcome.survival_months:.6g}")
            writer.writerow([patient.patient_id, *months, int(outcome.died)])
