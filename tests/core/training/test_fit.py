"""Training and fine-tuning on twenty phantoms: a bundle with an honest card comes out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from star_core import api
from star_core.cohort.manifest import MANIFEST_FILE, Manifest
from star_core.errors import CohortError, StorageError, TrainingError
from star_core.model.bundle import ModelCard, read_bundle
from star_core.training.data import CohortDataset, collate, count_at_risk
from star_core.training.run import EpochReport, TrainingSettings
from star_core.types import Outcome
from tests.core.conftest import build_config

QUICK = TrainingSettings(epochs=1, seed=3, elastic_mm=0.0)


@pytest.fixture(scope="module")
def trained(cohort: Manifest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ModelCard, list[EpochReport]]:
    out = tmp_path_factory.mktemp("trained") / "first-model"
    reports: list[EpochReport] = []
    return out, api.train(cohort.folder, out, QUICK, on_epoch=reports.append), reports


def test_training_gives_a_bundle_whose_card_says_what_it_is(
    trained: tuple[Path, ModelCard, list[EpochReport]], cohort: Manifest
) -> None:
    out, card, reports = trained
    assert read_bundle(out).card == card
    assert card.name == "first-model"
    assert card.demonstration
    assert card.cohort.synthetic
    assert card.cohort.patients == len(cohort.patients)
    assert card.cohort.split == {"train": 16, "validation": 2, "test": 2}
    assert card.training["seed"] == 3
    assert len(card.at_risk) == 12
    assert [report.epoch for report in reports] == [1]
    assert np.isfinite(reports[0].train_loss)


def test_fine_tuning_moves_the_heads_only_and_names_the_parent(
    trained: tuple[Path, ModelCard, list[EpochReport]], cohort: Manifest, tmp_path: Path
) -> None:
    parent_folder, parent, _ = trained
    settings = QUICK.model_copy(update={"batch_size": 4, "epochs": 2})
    card = api.fine_tune(str(parent_folder), cohort.folder, tmp_path / "not-yet-there" / "ours", settings)
    assert card.parent_id == parent.model_id
    before, after = read_bundle(parent_folder).weights, read_bundle(tmp_path / "not-yet-there" / "ours").weights
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved <= {"integrator", "projector"}
    assert "projector" in moved


def test_stopping_before_the_first_epoch_leaves_nothing(cohort: Manifest, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="stopped before its first epoch"):
        api.train(cohort.folder, tmp_path / "out", QUICK, should_stop=lambda: True)
    assert list(tmp_path.glob("out*")) == []


def test_a_small_cohort_is_refused(cohort: Manifest, tmp_path: Path) -> None:
    folder = tmp_path / "cohort"
    shutil.copytree(cohort.folder, folder)
    content = json.loads((folder / MANIFEST_FILE).read_text())
    content["patients"] = content["patients"][:19]
    (folder / MANIFEST_FILE).write_text(json.dumps(content))
    with pytest.raises(CohortError, match="19 patients, expected at least 20"):
        api.train(folder, tmp_path / "out", QUICK)


def test_a_cohort_without_events_is_refused(cohort: Manifest, tmp_path: Path) -> None:
    folder = tmp_path / "cohort"
    shutil.copytree(cohort.folder, folder)
    content = json.loads((folder / MANIFEST_FILE).read_text())
    for patient in content["patients"]:
        patient["outcome"] |= {"cause": None, "site_lps_mm": None}
    (folder / MANIFEST_FILE).write_text(json.dumps(content))
    with pytest.raises(CohortError, match="no patient with an event"):
        api.train(folder, tmp_path / "out", QUICK)


def test_an_existing_model_is_never_written_over(cohort: Manifest, tmp_path: Path) -> None:
    (tmp_path / "keep.txt").write_text("keep")
    with pytest.raises(StorageError, match="not empty"):
        api.train(cohort.folder, tmp_path, QUICK)


def test_a_batch_of_patients_has_the_promised_shapes(cohort: Manifest) -> None:
    dataset = CohortDataset(cohort, cohort.patients[:3], build_config(), QUICK, training=True)
    batch = collate([dataset[0], dataset[2]])
    assert batch.star.channels.shape == (2, 8, 40, 128, 128)
    assert batch.member_weights.shape == (2, 16)
    assert batch.outcome.site_ml is not None
    assert batch.outcome.site_ml.shape == (2, 40, 128, 128)
    assert batch.patient_ids == (cohort.patients[0].patient_id, cohort.patients[2].patient_id)


def test_patients_at_risk_are_counted_at_the_start_of_each_year() -> None:
    outcomes = [Outcome(event_months=m, cause=None, survival_months=m, died=False) for m in (6.0, 12.0, 30.0)]
    assert count_at_risk(outcomes)[:4] == (3, 1, 1, 0)
