"""Fine-tuning beside the window, with a stand-in for the training process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from star_viewer.dialogs.finetune import FineTuneDialog

HEAD = """
import json, sys
out = sys.argv[sys.argv.index("--out") + 1]
def say(**event):
    print(json.dumps(event), flush=True)
def epoch(number):
    say(event="epoch", epoch=number, epochs=3, train_loss=2.0 / number, validation_loss=2.2 / number)
"""
WHOLE = """
say(event="progress", done=4, total=4)
for number in (1, 2, 3):
    epoch(number)
say(event="finished", bundle=out, name="our-model", measures={})
"""
UNTIL_CANCELLED = """
epoch(1)
assert sys.stdin.readline() == "cancel\\n"
say(event="finished", bundle=out, name="our-model", measures={})
"""
REFUSED = """
say(event="error", message="There is no manifest.json in this folder. Choose a cohort's folder.")
sys.exit(2)
"""
DIES_AT_ONCE = "sys.exit(3)\n"
DIES_LATE = "epoch(1)\nsys.exit(3)\n"
KILLED = "import os, signal\nepoch(1)\nos.kill(os.getpid(), signal.SIGKILL)\n"
NOISY = """
print("Some library says hello")
print("[1, 2]")
print("{broken")
say(event="unheard of")
say(event="progress", done="many", total=None)
sys.stdout.write('{"event": "epoch", "epoch": 1, "epo')
sys.stdout.flush()
sys.stdout.write('chs": 3, "train_loss": NaN, "validation_loss": 1.5}\\n')
say(event="finished", bundle=out, name="our-model", measures={})
"""
Build = Callable[[str], FineTuneDialog]


@pytest.fixture
def build(qtbot: QtBot, tmp_path: Path) -> Iterator[Build]:
    opened: list[FineTuneDialog] = []

    def make(body: str) -> FineTuneDialog:
        script = tmp_path / "train.py"
        script.write_text(HEAD + body)
        dialog = FineTuneDialog(("star", "ours"), tmp_path / "trained", command=(sys.executable, "-S", str(script)))
        dialog.cohort.setText(str(tmp_path / "cohort"))
        opened.append(dialog)
        qtbot.addWidget(dialog)
        dialog.show()
        return dialog

    yield make
    for dialog in opened:
        if dialog._process is not None:
            dialog._process.kill()
            dialog._process.waitForFinished()


def _train(qtbot: QtBot, dialog: FineTuneDialog) -> None:
    qtbot.mouseClick(dialog.start_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not dialog.running, timeout=10_000)


def test_a_training_shows_its_losses_and_offers_the_new_model(qtbot: QtBot, build: Build, tmp_path: Path) -> None:
    dialog = build(WHOLE)
    assert not dialog.use_button.isEnabled()
    _train(qtbot, dialog)
    assert [epoch for epoch, _, _ in dialog.chart.points] == [1, 2, 3]
    assert dialog.chart.points[1][1:] == (1.0, 1.1)
    assert "ready" in dialog.status.text()
    expected = str(tmp_path / "trained" / "our-model")
    with qtbot.waitSignal(dialog.bundle_ready, check_params_cb=lambda folder: folder == expected):
        qtbot.mouseClick(dialog.use_button, Qt.MouseButton.LeftButton)


def test_the_command_names_model_cohort_folder_and_epochs(build: Build, tmp_path: Path) -> None:
    dialog = build(WHOLE)
    dialog.model.setCurrentText("ours")
    dialog.name.setText(" liver centre ")
    dialog.epochs.setValue(7)
    command = dialog._arguments()
    assert command[0] == "finetune"
    options = dict(zip(command[1:-1:2], command[2:-1:2], strict=True))
    assert options == {
        "--model": "ours",
        "--cohort": str(tmp_path / "cohort"),
        "--out": str(tmp_path / "trained" / "liver centre"),
        "--name": "liver centre",
        "--epochs": "7",
    }
    assert command[-1] == "--json"


def test_without_a_cohort_nothing_starts(qtbot: QtBot, build: Build) -> None:
    dialog = build(WHOLE)
    dialog.cohort.setText("  ")
    qtbot.mouseClick(dialog.start_button, Qt.MouseButton.LeftButton)
    assert not dialog.running
    assert "cohort" in dialog.status.text()


@pytest.mark.parametrize("name", ["", "  ", "..", "a/b"])
def test_a_model_without_a_name_of_its_own_is_not_trained(qtbot: QtBot, build: Build, name: str) -> None:
    dialog = build(WHOLE)
    dialog.name.setText(name)
    qtbot.mouseClick(dialog.start_button, Qt.MouseButton.LeftButton)
    assert not dialog.running
    assert "name" in dialog.status.text()


def test_stop_keeps_the_best_so_far(qtbot: QtBot, build: Build) -> None:
    dialog = build(UNTIL_CANCELLED)
    qtbot.mouseClick(dialog.start_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(dialog.chart.points), timeout=10_000)
    assert not dialog.start_button.isEnabled()
    qtbot.mouseClick(dialog.cancel_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not dialog.running, timeout=10_000)
    assert dialog.use_button.isEnabled()


def test_closing_asks_a_running_training_to_stop_first(qtbot: QtBot, build: Build) -> None:
    dialog = build(UNTIL_CANCELLED)
    qtbot.mouseClick(dialog.start_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(dialog.chart.points), timeout=10_000)
    dialog.close()
    assert dialog.isVisible()
    qtbot.waitUntil(lambda: not dialog.running, timeout=10_000)
    dialog.close()
    assert not dialog.isVisible()


def test_a_refused_cohort_is_told_in_the_library_s_words(qtbot: QtBot, build: Build) -> None:
    dialog = build(REFUSED)
    _train(qtbot, dialog)
    assert dialog.status.text().startswith("There is no manifest.json")
    assert not dialog.use_button.isEnabled()
    assert dialog.start_button.isEnabled()


@pytest.mark.parametrize("body", [DIES_AT_ONCE, DIES_LATE, KILLED], ids=["at once", "after an epoch", "killed"])
def test_a_training_that_dies_says_so(qtbot: QtBot, build: Build, body: str) -> None:
    dialog = build(body)
    _train(qtbot, dialog)
    assert "ended unexpectedly" in dialog.status.text()
    assert not dialog.use_button.isEnabled()
    assert dialog.start_button.isEnabled()


def test_a_program_that_is_not_there_says_so(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = FineTuneDialog(("star",), tmp_path, command=(str(tmp_path / "nothing"),))
    qtbot.addWidget(dialog)
    dialog.cohort.setText("cohort")
    dialog.start()
    qtbot.waitUntil(lambda: not dialog.running)
    assert "cannot be started" in dialog.status.text()


def test_lines_that_are_no_events_are_passed_over(qtbot: QtBot, build: Build) -> None:
    dialog = build(NOISY)
    _train(qtbot, dialog)
    assert len(dialog.chart.points) == 1
    assert dialog.chart.points[0][2] == 1.5
    assert dialog.use_button.isEnabled()


def test_a_second_training_begins_afresh(qtbot: QtBot, build: Build) -> None:
    dialog = build(WHOLE)
    _train(qtbot, dialog)
    build(DIES_AT_ONCE).close()  # the same script, which now dies
    _train(qtbot, dialog)
    assert dialog.chart.points == []
    assert not dialog.use_button.isEnabled()


def test_the_cohort_is_chosen_by_a_dialog(qtbot: QtBot, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    dialog = build(WHOLE)
    before = dialog.cohort.text()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: "")
    qtbot.mouseClick(dialog.browse, Qt.MouseButton.LeftButton)
    assert dialog.cohort.text() == before
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: "/data/cohort")
    qtbot.mouseClick(dialog.browse, Qt.MouseButton.LeftButton)
    assert dialog.cohort.text() == "/data/cohort"
