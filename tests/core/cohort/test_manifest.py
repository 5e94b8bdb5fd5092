"""The manifest's door: what is wrong with a cohort is told by patient."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from star_core.cohort.manifest import MANIFEST_FILE, Manifest, load_input, read_manifest
from star_core.cohort.splits import split_patients
from star_core.errors import CohortError, StorageError

Change = Callable[[dict[str, Any]], None]


def set_cause_after_end(content: dict[str, Any]) -> None:
    content["patients"][1]["outcome"] |= {"event_months": 30.0, "survival_months": 20.0}


def list_twice(content: dict[str, Any]) -> None:
    content["patients"].append(content["patients"][0])


def lose_scan(content: dict[str, Any]) -> None:
    content["patients"][2]["input_sha256"] = "0" * 64


def set_age(content: dict[str, Any]) -> None:
    content["patients"][3]["clinical"]["age_years"] = 7


def add_path(content: dict[str, Any]) -> None:
    content["patients"][0]["input_sha256"] = "../../secret"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_cause_after_end, "PHANTOM-0005-00001.*20.0 months"),
        (list_twice, "PHANTOM-0005-00000"),
        (lose_scan, "PHANTOM-0005-00002.*scan is missing"),
        (set_age, "PHANTOM-0005-00003.*Age"),
        (add_path, "does not follow the schema"),
    ],
)
def test_an_impossible_patient_is_named(cohort: Manifest, tmp_path: Path, change: Change, words: str) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(cohort.folder, folder)
    content = json.loads((folder / MANIFEST_FILE).read_text())
    change(content)
    (folder / MANIFEST_FILE).write_text(json.dumps(content))
    with pytest.raises(CohortError, match=words):
        read_manifest(folder)


def test_a_folder_without_a_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"manifest\.json"):
        read_manifest(tmp_path)


def test_an_altered_scan_is_refused_by_name(cohort: Manifest, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(cohort.folder, folder)
    patient = cohort.patients[0]
    (path,) = (folder / "inputs").glob(f"{patient.input_sha256[:24]}*")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CohortError, match=f"{patient.patient_id}.*altered"):
        load_input(read_manifest(folder), patient)


def test_a_split_is_repeated_by_its_seed_and_covers_everyone(cohort: Manifest) -> None:
    uses = split_patients(cohort, seed=1)
    assert uses == split_patients(cohort, seed=1)
    assert uses != split_patients(cohort, seed=2)
    assert set(uses) == {patient.patient_id for patient in cohort.patients}
    assert sorted(uses.values()).count("test") == 2
    assert sorted(uses.values()).count("validation") == 2
