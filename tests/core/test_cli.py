"""The ``star`` command as a person and as a program meet it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from star_core import cli

COMMANDS = (
    ["info"],
    ["demo"],
    ["assess"],
    ["train"],
    ["finetune"],
    ["bench"],
    ["maps"],
    ["gradcam"],
    ["model", "list"],
    ["model", "activate"],
    ["cohort", "phantom"],
    ["cohort", "twin"],
    ["cohort", "tcia"],
    ["cohort", "local"],
    ["cohort", "fetch"],
    ["cohort", "join"],
    ["cohort", "records"],
    ["pacs", "echo"],
    ["pacs", "find"],
    ["pacs", "get"],
    ["pacs", "move"],
    ["pacs", "store"],
    ["pacs", "serve"],
    ["pacs", "servers"],
    ["pacs", "add"],
    ["pacs", "remove"],
)


def run_star(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, as a shell does."""
    return subprocess.run(
        [sys.executable, "-m", "star_core.cli", *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_of_every_command_shows_an_example_or_options(command: list[str]) -> None:
    result = CliRunner().invoke(cli.app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Example: star" in " ".join(result.output.split())


def test_asking_for_help_loads_no_heavy_library() -> None:
    code = (
        "import sys, star_core.cli; "
        "heavy = ('torch', 'pydicom', 'pynetdicom', 'requests', 'SimpleITK', 'pandas', 'matplotlib', 'scipy'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"


def test_info_lists_series_for_people_and_programs(demo_folder: Path) -> None:
    text = CliRunner().invoke(cli.app, ["info", str(demo_folder)])
    assert text.exit_code == 0
    content = json.loads(CliRunner().invoke(cli.app, ["info", str(demo_folder), "--json"]).output)
    by_modality = {series["modality"]: series for series in content["series"]}
    ct = by_modality["CT"]
    assert ct["shape"][1:] == [384, 384]
    assert ct["spacing_mm"][0] == pytest.approx(3.0)
    assert len(ct["affine_lps"]) == 4
    assert ct["hu_range"][0] >= -1024
    assert ct["transfer_syntax"]
    for segment in by_modality["SEG"]["segments"]:
        assert segment["voxel_count"] > 0
        assert segment["volume_ml"] > 0


def test_assess_prints_the_years_and_writes_three_files(
    demo_folder: Path, untrained_bundle: Path, tmp_path: Path
) -> None:
    arguments = ["assess", "--ct", str(demo_folder), "--model", str(untrained_bundle), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 0, result.output
    assert "synthetic" in result.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "forecast.json",
        "report.pdf",
        "riskmap.nii.gz",
    ]


# --------------------------------------------------------------------------- bad input


def make_bad_input(kind: str, folder: Path, demo_folder: Path, bundle: Path) -> list[str | Path]:
    """Return the arguments of ``star assess`` with one thing wrong."""
    ct = folder / "ct"
    if kind == "missing":
        return ["--ct", ct]
    if kind == "empty":
        ct.mkdir()
        return ["--ct", ct]
    if kind == "text":
        ct.mkdir()
        (ct / "a.dcm").write_text("not DICOM")
        return ["--ct", ct]
    shutil.copytree(demo_folder / "ct", ct)
    slices = sorted(ct.iterdir())
    match kind:
        case "half-copied":
            slices[10].write_bytes(slices[10].read_bytes()[:2000])
        case "truncated-pixels":
            slices[10].write_bytes(slices[10].read_bytes()[:-5000])
        case "slice-lost":
            slices[20].unlink()
        case "out-of-range":
            (folder / "record.json").write_text('{"age_years": 7}')
            return ["--ct", ct, "--clinical", folder / "record.json"]
        case "wrong-type":
            (folder / "record.json").write_text('{"cea_ng_ml": "much"}')
            return ["--ct", ct, "--clinical", folder / "record.json"]
        case "altered-model":
            shutil.copytree(bundle, folder / "model")
            weights = bytearray((folder / "model" / "weights.safetensors").read_bytes())
            weights[-1] ^= 1
            (folder / "model" / "weights.safetensors").write_bytes(weights)
            return ["--ct", ct, "--model", folder / "model"]
        case "no-model":
            return ["--ct", ct, "--model", "nobody"]
        case "seg-is-no-seg":
            return ["--ct", ct, "--seg", slices[0]]
    return ["--ct", ct]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "no file or folder 'ct'"),
        ("empty", "no DICOM"),
        ("text", "no DICOM"),
        ("half-copied", ""),
        ("truncated-pixels", ""),
        ("slice-lost", "gap"),
        ("out-of-range", "expected 18 to 110"),
        ("wrong-type", "not a number"),
        ("altered-model", "weights differ"),
        ("no-model", "no model 'nobody'"),
        ("seg-is-no-seg", "segmentation"),
    ],
)
def test_bad_input_costs_one_message_and_leaves_no_folder(
    kind: str, words: str, tmp_path: Path, demo_folder: Path, untrained_bundle: Path
) -> None:
    arguments = make_bad_input(kind, tmp_path, demo_folder, untrained_bundle)
    result = run_star("assess", *arguments, "--out", tmp_path / "out")
    assert result.returncode == 2, result.stdout + result.stderr
    assert result.stderr.startswith("star: ")
    assert words.lower() in " ".join(result.stderr.split()).lower()
    assert "Traceback" not in result.stderr
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


def test_a_full_disk_leaves_nothing_half_written(demo_folder: Path, untrained_bundle: Path, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    assert resource is not None
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); "
        "from star_core import cli; sys.argv[0] = 'star'; cli.main()"
    )
    arguments = ["assess", "--ct", demo_folder, "--model", untrained_bundle, "--out", tmp_path / "out"]
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 2, result.stderr
    assert "cannot be written" in result.stderr
    assert not (tmp_path / "out").exists()


def test_errors_speak_json_to_programs(tmp_path: Path) -> None:
    result = run_star("info", tmp_path / "missing", "--json")
    assert result.returncode == 2
    assert json.loads(result.stdout)["event"] == "error"
