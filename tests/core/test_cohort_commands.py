"""``star cohort`` as a person meets it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from star_core import api, cli
from star_core.cohort.manifest import load_input, read_manifest
from star_core.errors import CohortError
from star_core.imaging.preprocess import PlaneSpacing
from star_core.training.presets import PRESETS, check_preparation
from star_core.training.run import PresetName
from tests.core.cohort.test_twin import write_workbook


def test_a_preset_says_how_scans_are_prepared() -> None:
    assert api.preparation(PresetName.PAPER).z is PlaneSpacing.SLICES
    assert api.preparation().grid_shape == (40, 128, 128)
    assert api.preparation(PresetName.STAR, reduce=4).grid_shape == (10, 32, 32)
    check_preparation(PRESETS[PresetName.PAPER], api.preparation(PresetName.PAPER, reduce=2), "any")
    with pytest.raises(CohortError, match="--preset"):
        check_preparation(PRESETS[PresetName.PAPER], api.preparation(PresetName.STAR), "any")
    with pytest.raises(CohortError, match="--reduce 1, 2 or 4"):
        api.preparation(reduce=3)


def test_twins_and_phantoms_are_made_for_a_preset_and_joined(tmp_path: Path) -> None:
    table = write_workbook(tmp_path / "table.xlsx", ["CRLM-CT-7"])
    counts = tmp_path / "counts.csv"
    header = "Patient-ID,Liver voxels,Liver Remnant voxels,Hepatic voxels,Portal voxels,Tumor voxels"
    counts.write_text(f"{header}\nCRLM-CT-7,420000,300000,8000,6000,3000\n")
    options = ["--preset", "paper", "--reduce", "4", "--jobs", "1"]
    twins, phantoms, both = (str(tmp_path / name) for name in ("twins", "phantoms", "both"))
    for arguments in (
        ["twin", "--clinical", str(table), "--volumes", str(counts), "--out", twins, *options],
        ["phantom", "--n", "1", "--out", phantoms, *options],
        ["join", twins, phantoms, "--out", both],
    ):
        result = CliRunner().invoke(cli.app, ["cohort", *arguments])
        assert result.exit_code == 0, result.output
        assert "synthetic" in result.output
    manifest = read_manifest(Path(both))
    assert manifest.kind == "synthetic"
    assert manifest.preprocessing["z"] == "slices"
    assert [load_input(manifest, patient).image.shape for patient in manifest.patients] == [(1, 10, 32, 32)] * 2


def test_the_public_collection_is_listed_with_size_and_licence() -> None:
    result = CliRunner().invoke(cli.app, ["cohort", "fetch"])
    assert result.exit_code == 0
    for words in ("197 patients", "394 series", "GB", "CC BY 4.0", "10.7937/QXK2-QG03", "--out"):
        assert words in result.output


def test_problems_of_a_cohort_end_the_command_with_their_list(tmp_path: Path) -> None:
    (tmp_path / "patients" / "A").mkdir(parents=True)
    table = tmp_path / "table.csv"
    table.write_text("patient_id,event_months,event,survival_months,died\nA,50,liver,20,yes\nB,5,none,5,no\n")
    arguments = ["local", "--dicom", str(tmp_path / "patients"), "--table", str(table), "--out", str(tmp_path / "out")]
    for more in ([], ["--skip-problems"]):
        result = CliRunner().invoke(cli.app, ["cohort", *arguments, *more])
        assert isinstance(result.exception, CohortError)
        told = str(result.exception)
        assert "A: the first event is at 50 months" in told
        assert "B: there is no folder with its CT" in told
        assert "0 patients are usable" in told
    assert not (tmp_path / "out").exists()
