"""The window and real servers: asked, brought over, shown in the tree, sent back; and received from another program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from star_core import api
from star_core.dicom.network.servers import PASSWORD_VARIABLE
from star_viewer.app import StarApp
from star_viewer.jobs.network_tasks import NetworkTasks
from star_viewer.jobs.runner import JobRunner
from star_viewer.jobs.worker import make_network_tasks
from star_viewer.pacs import NetworkRunners
from star_viewer.settings import ReceiverSettings
from tests.core.dicom.network.conftest import SLICES, write_study
from tests.core.dicom.network.peers import Orthanc, free_port, run_orthanc
from tests.viewer.conftest import OpenApp
from tests.viewer.runners import DirectRunner

TIMEOUT_MS = 60_000
NAME, SHOWN = "Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada, Tarou · 山田, 太郎"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"), "P5", "\\ISO 2022 IR 87", NAME, 5)


@pytest.fixture(scope="module")
def running_orthanc(tmp_path_factory: pytest.TempPathFactory, study: Path) -> Iterator[Orthanc]:
    with run_orthanc(tmp_path_factory.mktemp("orthanc")) as orthanc:
        for path in study.iterdir():
            orthanc.upload(path)
        yield orthanc


@pytest.fixture
def network_runners() -> Iterator[NetworkRunners]:
    """Runners that do the real work: the receiver in a process of its own, the rest in this one."""
    here = (DirectRunner(tasks=NetworkTasks()) for _ in range(3))
    runners = NetworkRunners(*here, JobRunner(None, make_network_tasks, ahead="star_core"))
    yield runners
    runners.close()


@pytest.mark.parametrize("protocol", ["dimse", "web"])
def test_a_study_is_found_brought_over_and_sent_back(
    qtbot: QtBot,
    open_app: OpenApp,
    network_runners: NetworkRunners,
    running_orthanc: Orthanc,
    monkeypatch: pytest.MonkeyPatch,
    protocol: str,
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, running_orthanc.password)
    api.save_server(running_orthanc.dimse if protocol == "dimse" else running_orthanc.web)
    star = open_app(network_runners=network_runners)
    window, tree = star.window, star.window.pacs.tree
    with qtbot.waitSignal(star.pacs.servers_listed):
        qtbot.keyClick(window, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
    window.pacs.form.name.setText("山田")
    with qtbot.waitSignal(star.pacs.found, timeout=TIMEOUT_MS):
        qtbot.keyClick(window.pacs.form.name, Qt.Key.Key_Return)
    assert [study.patient_name for study in tree.chosen()] == [SHOWN]

    with qtbot.waitSignal(star.pacs.retrieved, timeout=TIMEOUT_MS):
        qtbot.keyClick(tree, Qt.Key.Key_Return)
    assert tree.here_text("2.25.5005") == "here"
    qtbot.waitUntil(lambda: window.local.model.rowCount() == 1)
    (row,) = window.local.model.rows
    assert (row.patient_name, row.instance_count) == (SHOWN, SLICES)

    running_orthanc.clear()
    with qtbot.waitSignal(star.pacs.sent, timeout=TIMEOUT_MS):
        star.pacs.send(star.pacs.servers[0], (row.id,))
    assert running_orthanc.count_instances() == SLICES


def test_what_another_program_sends_appears_in_the_tree(
    qtbot: QtBot, open_app: OpenApp, network_runners: NetworkRunners, study: Path
) -> None:
    star: StarApp = open_app(network_runners=network_runners)
    port = free_port()
    star.settings.change(receiver=ReceiverSettings(port=port, allowed=("PACS",)))
    with qtbot.waitSignal(star.pacs.receiving, timeout=TIMEOUT_MS):
        star.window.star_actions["receive"].trigger()
    us = {"name": "us", "host": "127.0.0.1", "port": port, "called_title": "STAR"}
    api.send_files(api.build_server(**us, calling_title="PACS"), [study])
    qtbot.waitUntil(lambda: star.window.local.model.rowCount() == 1, timeout=TIMEOUT_MS)
    assert star.window.receiving.text() == f"receiving on 127.0.0.1:{port} · {SLICES} files"
    with qtbot.waitSignal(star.pacs.received, timeout=TIMEOUT_MS):
        star.window.star_actions["receive"].trigger()
    assert not star.window.receiving.isVisible()
