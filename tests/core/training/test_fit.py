"""Training and fine-tuning on twenty phantoms: a bundle with an honest card comes out, whatever is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from star_core import api
from star_core.cohort.manifest import MANIFEST_FILE, Manifest
from star_core.errors import CohortError, StorageError, TrainingError
from star_core.model.bundle import ModelCard, read_bundle
from star_core.training.data import CohortDataset, collate, count_at_risk
from star_core.training.presets import PRESETS, Preset
from star_core.training.run import EpochReport, PresetName, TrainingSettings
from star_core.types import Outcome
from tests.core.conftest import SMALL, build_config

QUICK = TrainingSettings(epochs=1, seed=3, elastic_mm=0.0)
QUICK_STAR = Preset(settings=QUICK)
SMALL_STAR = Preset(
    network={"channels": (4, 8, 8, 8), "width": 16},
    preprocessing=SMALL,
    settings=QUICK.model_copy(update={"epochs": 3, "device": "cpu"}),
)


@pytest.fixture(scope="module")
def trained(cohort: Manifest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ModelCard, list[EpochReport]]:
    out = tmp_path_factory.mktemp("trained") / "first-model"
    reports: list[EpochReport] = []
    return out, api.train(cohort.folder, out, QUICK_STAR, on_epoch=reports.append), reports


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
    assert card.name == "ours"
    assert card.parent_id == parent.model_id
    before, after = read_bundle(parent_folder).weights, read_bundle(tmp_path / "not-yet-there" / "ours").weights
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved <= {"integrator", "projector"}
    assert "projector" in moved


def test_stopping_before_the_first_epoch_leaves_nothing(small_cohort: Manifest, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="stopped before its first epoch"):
        api.train(small_cohort.folder, tmp_path / "out", SMALL_STAR, should_stop=lambda: True)
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


KILLED = """
import os, signal, sys
from pathlib import Path
from star_core import api
from star_core.training.presets import Preset
def kill(report):
    if report.epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)
api.train(Path(sys.argv[1]), Path(sys.argv[2]), Preset.model_validate_json(sys.argv[3]), on_epoch=kill)
"""


def test_a_killed_training_resumes_to_the_same_numbers(small_cohort: Manifest, tmp_path: Path) -> None:
    whole: list[EpochReport] = []
    api.train(small_cohort.folder, tmp_path / "whole", SMALL_STAR, name="one", on_epoch=whole.append)
    arguments = [str(small_cohort.folder), str(tmp_path / "killed"), SMALL_STAR.model_dump_json()]
    killed = subprocess.run([sys.executable, "-W", "ignore", "-c", KILLED, *arguments], check=False)
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(TrainingError, match="interrupted training was found"):
        api.train(small_cohort.folder, tmp_path / "killed", SMALL_STAR)
    other = SMALL_STAR.model_copy(update={"settings": QUICK})
    with pytest.raises(TrainingError, match="differs in: settings"):
        api.train(small_cohort.folder, tmp_path / "killed", other, resume=True)
    rest: list[EpochReport] = []
    api.train(small_cohort.folder, tmp_path / "killed", SMALL_STAR, name="one", resume=True, on_epoch=rest.append)
    # The kill came before the second epoch was kept, so the resumed run repeats it.
    assert rest == whole[1:]
    first, second = (read_bundle(tmp_path / name).weights for name in ("whole", "killed"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not list(tmp_path.glob(".*.training"))


def test_there_must_be_something_to_resume(small_cohort: Manifest, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no interrupted training"):
        api.train(small_cohort.folder, tmp_path / "out", SMALL_STAR, resume=True)


def test_two_processes_train_one_model(small_cohort: Manifest, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "star_core.cli", "train", "--cohort", str(small_cohort.folder)]
    command += ["--out", str(tmp_path / "both"), "--epochs", "2", "--elastic-mm", "0", "--device", "cpu"]
    command += ["--devices", "2", "--set", "channels=4,8,8,8", "--set", "width=16", "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    card = read_bundle(tmp_path / "both").card
    assert card.training["devices"] == 2
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["epoch"] for event in events if event["event"] == "epoch"] == [1, 2]
    assert events[-1]["event"] == "finished"


@pytest.mark.parametrize("preset", [PresetName.PAPER, PresetName.CNN3D, PresetName.STG], ids=str)
def test_other_presets_train_too(preset: PresetName, small_cohort: Manifest, tmp_path: Path) -> None:
    options: dict[str, Any] = {"epochs": 1, "elastic_mm": 0.0, "width": 16, "device": "cpu"}
    if preset is PresetName.PAPER:
        options["channels"] = (4, 8, 8, 8)
    chosen = PRESETS[preset].with_options(options).model_copy(update={"preprocessing": SMALL})
    card = api.train(small_cohort.folder, tmp_path / "out", chosen)
    assert card.architecture.network == ("star" if preset is PresetName.PAPER else preset.value)
    assert card.demonstration


def test_scans_prepared_otherwise_are_refused(small_cohort: Manifest, tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="z is millimetres, expected slices"):
        api.train(small_cohort.folder, tmp_path / "out", PRESETS[PresetName.PAPER])


def test_a_loss_that_is_no_number_names_the_patient(small_cohort: Manifest, tmp_path: Path) -> None:
    preset = SMALL_STAR.with_options({"noise_sigma": float("inf")})
    with pytest.raises(TrainingError, match=r"not a number at patient PHANTOM-[0-9-]+"):
        api.train(small_cohort.folder, tmp_path / "out", preset)


def test_too_little_memory_says_what_to_lower(
    small_cohort: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr("star_core.training.module.StarTask.training_step", fail)
    with pytest.raises(TrainingError, match="too little memory") as caught:
        api.train(small_cohort.folder, tmp_path / "out", SMALL_STAR)
    assert "batch_size" in caught.value.remedy


def test_a_small_cohort_is_refused(small_cohort: Manifest, tmp_path: Path) -> None:
    folder = change_manifest(small_cohort, tmp_path, lambda content: content["patients"].pop())
    with pytest.raises(CohortError, match="19 patients, expected at least 20"):
        api.train(folder, tmp_path / "out", SMALL_STAR)


def test_a_cohort_without_events_is_refused(small_cohort: Manifest, tmp_path: Path) -> None:
    def censor(content: dict[str, Any]) -> None:
        for patient in content["patients"]:
            patient["outcome"] |= {"cause": None, "site_lps_mm": None}

    folder = change_manifest(small_cohort, tmp_path, censor)
    with pytest.raises(CohortError, match="no patient with an event"):
        api.train(folder, tmp_path / "out", SMALL_STAR)


def change_manifest(cohort: Manifest, parent: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Return a copy of a cohort whose manifest was changed; scans are linked."""
    folder = parent / "cohort"
    folder.mkdir()
    (folder / "inputs").symlink_to(cohort.folder / "inputs")
    content = json.loads((cohort.folder / MANIFEST_FILE).read_text())
    change(content)
    (folder / MANIFEST_FILE).write_text(json.dumps(content))
    return folder


def test_an_existing_model_is_never_written_over(cohort: Manifest, tmp_path: Path) -> None:
    (tmp_path / "keep.txt").write_text("keep")
    with pytest.raises(StorageError, match="not empty"):
        api.train(cohort.folder, tmp_path, QUICK_STAR)


def test_a_batch_of_patients_has_the_promised_shapes(cohort: Manifest) -> None:
    dataset = CohortDataset(cohort, cohort.patients[:3], build_config(), QUICK, training=True)
    batch = collate([dataset[0], dataset[2]])
    assert batch.star.scans.shape == (2, 8, 40, 128, 128)
    assert batch.star.slots.tolist() == [[0] * 12, [1] * 12]
    assert batch.member_weights.shape == (2, 16)
    assert batch.outcome.site_ml is not None
    assert batch.outcome.site_ml.shape == (2, 40, 128, 128)
    assert batch.patient_ids == (cohort.patients[0].patient_id, cohort.patients[2].patient_id)


def test_patients_at_risk_are_counted_at_the_start_of_each_year() -> None:
    outcomes = [Outcome(event_months=m, cause=None, survival_months=m, died=False) for m in (6.0, 12.0, 30.0)]
    assert count_at_risk(outcomes)[:4] == (3, 1, 1, 0)
