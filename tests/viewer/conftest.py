"""The whole window with stand-ins beneath it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from star_viewer.app import StarApp
from star_viewer.jobs.copy_tasks import CopyTasks
from star_viewer.jobs.film_tasks import FilmTasks
from star_viewer.jobs.runner import JobRunner
from star_viewer.pacs import NetworkRunners
from star_viewer.session import Session
from star_viewer.settings import SettingsStore
from star_viewer.shelf import ArchiveRunners
from tests.viewer.runners import DirectRunner, build_archive_runners, make_quick_tasks
from tests.viewer.servers import build_network_runners

OpenApp = Callable[..., StarApp]


class PlainViews(QWidget):
    """Stands where the four views would."""

    def __init__(self, session: Session) -> None:
        super().__init__()


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def direct_runner() -> DirectRunner:
    return DirectRunner()


@pytest.fixture
def process_runner() -> Iterator[JobRunner]:
    """The real runner with a worker process of its own."""
    runner = JobRunner(make_answerer=make_quick_tasks)
    yield runner
    runner.close()


@pytest.fixture
def open_app(qtbot: QtBot, qapp: QApplication, tmp_path: Path, direct_runner: DirectRunner) -> Iterator[OpenApp]:
    """Opens the program's window, and ends it with its settings and colours after the test."""
    opened: list[StarApp] = []

    def build(
        runner: JobRunner | None = None,
        build_views: Callable[[Session], QWidget] = PlainViews,
        archive_runners: ArchiveRunners | None = None,
        copies_runner: JobRunner | None = None,
        network_runners: NetworkRunners | None = None,
    ) -> StarApp:
        settings = SettingsStore(tmp_path / "settings.json")
        star = StarApp(
            qapp,
            settings=settings,
            runner=runner or direct_runner,
            archive_runners=archive_runners or build_archive_runners(),
            copies_runner=copies_runner or DirectRunner(tasks=CopyTasks()),
            network_runners=network_runners or build_network_runners(),
            film_runner=DirectRunner(tasks=FilmTasks()),
            build_views=build_views,
        )
        opened.append(star)
        qtbot.addWidget(star.window)
        star.show()
        qtbot.waitExposed(star.window)
        star.window.activateWindow()
        qtbot.waitUntil(star.window.isActiveWindow)
        if star.window.model_chooser.count() == 0:
            qtbot.waitSignal(star.workflow.models_listed, timeout=10_000).wait()
        return star

    yield build
    for star in opened:
        star.window.close()
    qapp.setStyleSheet("")


@pytest.fixture
def star(open_app: OpenApp) -> StarApp:
    """The window, empty."""
    return open_app()


@pytest.fixture
def star_with_case(qtbot: QtBot, star: StarApp) -> StarApp:
    """The window with an assessed patient."""
    with qtbot.waitSignal(star.workflow.assessed):
        star.workflow.open_demo()
    return star


def drop(window: QWidget, mime: QMimeData) -> bool:
    """Drop data onto a window as a user does; return whether it took them when they came in."""
    place = window.rect().center()
    action, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    none = Qt.KeyboardModifier.NoModifier
    entering = QDragEnterEvent(place, action, mime, left, none)
    QApplication.sendEvent(window, entering)
    if entering.isAccepted():
        QApplication.sendEvent(window, QDropEvent(QPointF(place), action, mime, left, none))
    return entering.isAccepted()
