"""Cohorts in the making: killed, started again, in one process and in two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import star_core
from star_core.cohort.journal import JOURNAL_FILE, Prepared, Problem, open_partial
from star_core.cohort.manifest import Manifest, ManifestPatient, read_manifest, write_input
from star_core.cohort.phantom import Phantom
from star_core.errors import CohortError, StorageError
from star_core.types import ModelInput

ROOT = Path(__file__).resolve().parents[3]


class Worker:
    """Writes the same scan for everyone and remembers whom it was asked for; the third patient has a problem."""

    def __init__(self, phantom: Phantom, *, die_at: int | None = None) -> None:
        self.asked: list[int] = []
        self._phantom, self._die_at = phantom, die_at

    def __call__(self, folder: Path, number: int) -> Prepared:
        if number == self._die_at:
            raise KeyboardInterrupt
        self.asked.append(number)
        name = f"P-{number}"
        if number == 3:
            return Prepared(patient_id=name, patient=None, problems=(Problem(patient_id=name, message="", remedy=""),))
        patient = ManifestPatient(
            patient_id=name,
            input_sha256=write_input(folder, tiny(self._phantom.model_input)),
            clinical=self._phantom.clinical,
            outcome=self._phantom.outcome,
        )
        return Prepared(patient_id=name, patient=patient, notes=("prone",), facts={"liver_ml": 1400.5})


def tiny(model_input: ModelInput) -> ModelInput:
    return replace(model_input, image=model_input.image[:, :2], fractions=model_input.fractions[:, :2])


def build_manifest(prepared: list[Prepared]) -> Manifest:
    return Manifest(
        folder=Path(),
        kind="phantom",
        name="made up",
        created_utc="2026-01-01T00:00:00+00:00",
        seed=None,
        preprocessing={},
        patients=tuple(result.patient for result in prepared if result.patient is not None),
    )


def test_a_killed_run_goes_on_with_what_is_left_and_what_had_a_problem(phantom: Phantom, tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    killed = Worker(phantom, die_at=5)
    with pytest.raises(KeyboardInterrupt), open_partial(out, {"seed": 1}) as begun:
        begun.prepare(range(7), killed)
    assert killed.asked == [0, 1, 2, 3, 4]
    assert not out.exists()
    with (tmp_path / ".cohort.partial" / JOURNAL_FILE).open("a") as journal:
        journal.write('{"key": "5", "pati')  # the line that was being written
    again = Worker(phantom)
    seen: list[tuple[int, int]] = []
    with open_partial(out, {"seed": 1}) as begun:
        prepared = begun.prepare(range(7), again, progress=lambda done, total: seen.append((done, total)))
        begun.finish(build_manifest(prepared))
    assert again.asked == [3, 5, 6]
    assert seen == [(5, 7), (6, 7), (7, 7)]
    assert [result.patient_id for result in prepared] == [f"P-{number}" for number in range(7)]
    assert prepared[0].facts == {"liver_ml": 1400.5}
    assert prepared[0].notes == ("prone",)
    assert len(read_manifest(out).patients) == 6
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "home") == ["cohort"]
    assert sorted(path.name for path in out.iterdir()) == ["inputs", "manifest.json"]


def test_a_lost_scan_is_prepared_again(phantom: Phantom, tmp_path: Path) -> None:
    with open_partial(tmp_path / "c", {}) as begun:
        begun.prepare(range(2), Worker(phantom))
    for path in (tmp_path / ".c.partial" / "inputs").iterdir():
        path.unlink()
    again = Worker(phantom)
    with open_partial(tmp_path / "c", {}) as begun:
        begun.prepare(range(2), again)
    assert again.asked == [0, 1]


def test_the_beginning_of_another_cohort_is_left_alone(phantom: Phantom, tmp_path: Path) -> None:
    with open_partial(tmp_path / "c", {"seed": 1, "reduce": 1}) as begun:
        begun.prepare(range(1), Worker(phantom))
    with (
        pytest.raises(CohortError, match="seed 1 instead of 2"),
        open_partial(tmp_path / "c", {"seed": 2, "reduce": 1}),
    ):
        pass
    lines = (tmp_path / ".c.partial" / JOURNAL_FILE).read_text().splitlines()
    assert json.loads(lines[0]) == {"software": star_core.__version__, "seed": 1, "reduce": 1}
    assert len(lines) == 2


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to look for processes")
def test_a_killed_command_leaves_no_process_behind(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from star_core.cohort.journal import open_partial\n"
        "from tests.core.cohort.test_journal import write_own_number\n"
        "if __name__ == '__main__':\n"
        "    with open_partial(Path(sys.argv[1]) / 'c', {}) as begun:\n"
        "        begun.prepare(range(2), write_own_number, workers=2)\n"
    )
    script = tmp_path / "command.py"
    script.write_text(code)
    command = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=os.environ | {"PYTHONPATH": str(ROOT)})
    numbers = tmp_path / ".c.partial"
    wait_until(lambda: len(list(numbers.glob("*.pid"))) == 2)
    command.kill()
    command.wait()
    workers = [int(path.stem) for path in numbers.glob("*.pid")]
    wait_until(lambda: not any(is_alive(number) for number in workers))


def write_own_number(folder: Path, number: int) -> Prepared:
    """Tell the process's number, then work for longer than the test waits."""
    (folder / f"{os.getpid()}.pid").touch()
    time.sleep(120)
    return Prepared(patient_id=str(number), patient=None)


def wait_until(happened: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def is_alive(number: int) -> bool:
    """Tell whether a process runs; one that ended and was not yet taken note of does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{number}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_filled_folder_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(StorageError, match="not empty"), open_partial(tmp_path, {}):
        raise AssertionError
