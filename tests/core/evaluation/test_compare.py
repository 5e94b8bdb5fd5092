"""Comparisons: identical folds, resuming, tables and predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from star_core.cohort.manifest import Manifest
from star_core.cohort.splits import Split
from star_core.errors import StorageError, TrainingError
from star_core.evaluation import compare as module
from star_core.evaluation.compare import ComparisonPlan, compare
from star_core.evaluation.contestants import find_contestant
from star_core.evaluation.predictions import PREDICTIONS_FILE, read_predictions
from star_core.types import CohortForecast


class Guess:
    """Random curves that depend on the seed of its name."""

    year_classes = False

    def __init__(self, name: str) -> None:
        self.name, self.calls = name, 0

    def fit_forecast(self, manifest: Manifest, split: Split, **_: object) -> CohortForecast:
        self.calls += 1
        generator = np.random.default_rng(len(self.name))
        survival = np.exp(-np.outer(generator.random(len(split.test)) / 3, np.arange(1, 13)))
        return CohortForecast(
            patient_ids=tuple(patient.patient_id for patient in split.test),
            overall_survival=survival,
            event_free_survival=survival**2,
            any_recurrence=(1 - survival**2) * 0.9,
            liver_recurrence=np.full_like(survival, np.nan),
        )


@pytest.fixture
def guesses(monkeypatch: pytest.MonkeyPatch) -> dict[str, Guess]:
    found: dict[str, Guess] = {name: Guess(name) for name in ("one", "other")}
    monkeypatch.setattr(module, "find_contestant", lambda name, options: found[name])
    return found


def test_a_comparison_resumes_and_writes_its_tables(
    small_cohort: Manifest, guesses: dict[str, Guess], tmp_path: Path
) -> None:
    plan = ComparisonPlan(models=("one", "other"), folds=2, repeats=2)
    rows = compare(small_cohort.folder, plan, tmp_path / "out")
    assert guesses["one"].calls == 4
    next((tmp_path / "out" / "journal").glob("*.csv")).unlink()
    assert [row.value for row in compare(small_cohort.folder, plan, tmp_path / "out")] == pytest.approx(
        [row.value for row in rows], nan_ok=True
    )
    assert guesses["one"].calls + guesses["other"].calls == 9
    assert {row.target for row in rows} == {"os", "efs", "cif_any"}
    assert {row.n for row in rows} == {len(small_cohort.patients)}
    assert "synthetic" in (tmp_path / "out" / "summary.md").read_text(encoding="utf-8")
    assert (tmp_path / "out" / "comparison.png").read_bytes().startswith(b"\x89PNG")
    sets = read_predictions(tmp_path / "out" / PREDICTIONS_FILE)
    assert [part.forecast.patient_ids for part in sets[:4]] == [part.forecast.patient_ids for part in sets[4:]]
    with pytest.raises(StorageError, match="another cohort"):
        compare(small_cohort.folder, ComparisonPlan(models=("one",), folds=3), tmp_path / "out")


def test_contestants_are_found_by_name_and_options() -> None:
    assert find_contestant("cox").name == "cox"
    assert not find_contestant("star:parts=AB:reconstruction_weight=0.05").year_classes
    assert find_contestant("paper").year_classes
    with pytest.raises(TrainingError, match="no model"):
        find_contestant("oracle")
    with pytest.raises(TrainingError, match="no value"):
        find_contestant("star:parts")
