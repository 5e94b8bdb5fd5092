"""The command line of the window."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

import star_core
import star_viewer.app
from star_viewer.__main__ import main, parse_arguments
from star_viewer.app import StarApp
from star_viewer.jobs.requests import CaseSource, OpenCase
from tests.viewer.conftest import OpenApp
from tests.viewer.runners import DirectRunner


class _StandInApplication:
    """Stands where the second application of this process would; its event loop ends at once."""

    def __init__(self, _: object) -> None: ...

    def setApplicationName(self, _: str) -> None: ...

    def exec(self) -> int:
        return 0


RunMain = Callable[..., StarApp]


@pytest.fixture
def run_main(monkeypatch: pytest.MonkeyPatch, open_app: OpenApp) -> RunMain:
    """Runs ``main`` with the window of these tests and returns it."""

    def run(*arguments: str) -> StarApp:
        star = open_app()
        with monkeypatch.context() as patch:
            patch.setattr("PySide6.QtWidgets.QApplication", _StandInApplication)
            patch.setattr(star_viewer.app, "StarApp", lambda _: star)
            patch.setattr(signal, "signal", lambda *_: None)
            patch.setattr(star, "show", lambda: None)  # it stands already
            assert main(arguments) == 0
        return star

    return run


def test_a_folder_as_argument_is_opened(
    qtbot: QtBot, run_main: RunMain, direct_runner: DirectRunner, tmp_path: Path
) -> None:
    star = run_main(str(tmp_path), "--seg", "seg.dcm", "--clinical", "record.json")
    with qtbot.waitSignal(star.workflow.assessed):
        pass
    source = CaseSource(folder=tmp_path, segmentation=Path("seg.dcm"), clinical=Path("record.json"))
    assert direct_runner.asked(OpenCase) == [OpenCase(source=source)]


def test_demo_opens_the_synthetic_patient(run_main: RunMain, direct_runner: DirectRunner) -> None:
    run_main("--demo")
    assert direct_runner.asked(OpenCase) == [OpenCase(source=CaseSource(folder=None))]


def test_without_arguments_nothing_is_opened(run_main: RunMain, direct_runner: DirectRunner) -> None:
    star = run_main()
    assert star.window.empty_state.isVisible()
    assert direct_runner.asked(OpenCase) == []


def test_version_is_told_without_a_window(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments(["--version"])
    assert ended.value.code == 0
    assert star_core.__version__ in capsys.readouterr().out


def test_help_bears_the_research_notice(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--help"])
    words = capsys.readouterr().out.split()
    assert " ".join(star_core.RESEARCH_NOTICE.split()) in " ".join(words)


def test_an_unknown_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments(["--holograms"])
    assert ended.value.code == 2
    assert "--holograms" in capsys.readouterr().err
