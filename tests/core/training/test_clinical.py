"""STAR's clinical path learns from records without scans, end to end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch

from star_core import api
from star_core.cohort.manifest import Manifest, load_input, write_manifest
from star_core.errors import CohortError
from star_core.model.bundle import read_bundle
from star_core.model.predict import predict
from star_core.training.presets import PRESETS
from star_core.training.run import PresetName
from tests.core.model.comparators.factory import draw_patients


@pytest.fixture
def records(tmp_path: Path) -> Manifest:
    folder = tmp_path / "records"
    folder.mkdir()
    manifest = Manifest(
        folder=folder,
        kind="tcia",
        name="40 records without scans",
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=None,
        preprocessing={},
        patients=tuple(replace(patient, input_sha256=None) for patient in draw_patients(40)),
    )
    write_manifest(manifest)
    return manifest


def test_the_clinical_path_trains_on_records_and_forecasts_them(records: Manifest, tmp_path: Path) -> None:
    preset = PRESETS[PresetName.CLINICAL].with_options({"epochs": 2})
    card = api.train(records.folder, tmp_path / "model", preset)
    assert not card.demonstration
    assert card.cohort.kind == "tcia"
    network = read_bundle(tmp_path / "model").build_network()
    first, second = (load_input(records, patient, with_scan=False) for patient in records.patients[:2])
    forecast = predict(network, first, card.at_risk).forecast
    assert forecast.overall_survival.shape == (12,)
    total = sum(forecast.cumulative_incidence.values()) + forecast.event_free_survival
    assert total == pytest.approx(1.0)
    assert not (forecast.overall_survival == predict(network, second, card.at_risk).forecast.overall_survival).all()


def test_training_that_reads_scans_names_the_patient_without_one(records: Manifest, tmp_path: Path) -> None:
    torch.manual_seed(0)
    with pytest.raises(CohortError, match=r"Patient P\d{4} has a record but no scan.*preset clinical"):
        api.train(records.folder, tmp_path / "model", PRESETS[PresetName.STAR])
    assert not (tmp_path / "model").exists()


def test_lesion_networks_name_the_patient_too(records: Manifest, tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="has a record but no scan"):
        api.train(records.folder, tmp_path / "model", PRESETS[PresetName.AMINN])
