"""Evaluating one model: tables, figures and predictions that name what is synthetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from star_core import api
from star_core.cohort.manifest import Manifest
from star_core.errors import CohortError, StorageError
from star_core.evaluation.predictions import PREDICTIONS_FILE, read_predictions
from star_core.model.build import build_network
from star_core.model.bundle import write_bundle
from star_core.model.config import StarConfig
from tests.core.conftest import SMALL, SMALL_GRID, build_card


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = StarConfig(n_clinical=14, grid_shape=SMALL_GRID, channels=(4, 8, 8, 8), width=16, n_members=4)
    folder = tmp_path_factory.mktemp("bundle") / "small"
    card = build_card("small").model_copy(
        update={"architecture": config, "preprocessing": SMALL.model_dump(mode="json")}
    )
    write_bundle(card, build_network(config).state_dict(), folder)
    return folder


def test_an_evaluation_writes_tables_figures_and_predictions(
    bundle: Path, small_cohort: Manifest, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    rows = api.evaluate_model(str(bundle), small_cohort.folder, out, patients="all")
    assert {row.target for row in rows} == {"os", "efs", "cif_any", "cif_liver"}
    assert all(row.n == len(small_cohort.patients) for row in rows)
    (written,) = read_predictions(out / PREDICTIONS_FILE)
    assert written.forecast.patient_ids == tuple(patient.patient_id for patient in small_cohort.patients)
    assert np.isfinite(written.forecast.liver_recurrence).all()
    for name in ("calibration", "decision", "incidence", "brier"):
        assert (out / f"{name}.png").stat().st_size > 5000
    for name in ("summary", "calibration", "decision", "incidence"):
        text = (out / f"{name}.md").read_text(encoding="utf-8")
        assert "synthetic patients" in text
        assert "Research use only" in text


def test_too_few_patients_are_not_measured(bundle: Path, small_cohort: Manifest, tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="expected 10 at least"):
        api.evaluate_model(str(bundle), small_cohort.folder, tmp_path / "out", patients="test")


def test_scans_prepared_otherwise_are_refused(untrained_bundle: Path, small_cohort: Manifest, tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="not prepared as model"):
        api.evaluate_model(str(untrained_bundle), small_cohort.folder, tmp_path / "out", patients="all")


def test_a_filled_folder_is_left_alone(bundle: Path, small_cohort: Manifest, tmp_path: Path) -> None:
    (tmp_path / "keep.txt").write_text("keep")
    with pytest.raises(StorageError, match="not empty"):
        api.evaluate_model(str(bundle), small_cohort.folder, tmp_path, patients="all")
