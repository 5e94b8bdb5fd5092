"""Runners for tests: one that answers in this process, and the real one without the cost of loading a network."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

from PySide6.QtCore import QObject, QTimer

from star_core.errors import StarError
from star_core.types import ignore_progress
from star_viewer.jobs.requests import Request
from star_viewer.jobs.runner import JobRunner
from star_viewer.jobs.tasks import ArchiveTasks
from star_viewer.jobs.worker import Answerer, Failed
from star_viewer.shelf import ArchiveRunners
from tests.viewer.fakes import FakeTasks

Answer = Callable[[Request], object]


def make_quick_tasks() -> FakeTasks:
    """Called in the worker process; what it would load ahead is not needed by any stand-in."""
    sys.modules["star_core.assessment"] = ModuleType("star_core.assessment")
    return FakeTasks()


def build_archive_runners() -> ArchiveRunners:
    """Return runners that work on the real archive of the test's own home, in this process."""
    return ArchiveRunners(*(DirectRunner(tasks=ArchiveTasks()) for _ in range(3)))


class DirectRunner(JobRunner):
    """Takes requests like the real runner and answers in the next turn of the event loop, without a process.

    ``requests`` holds what was asked. ``replace_answers`` maps a type of request to what answers it instead.
    """

    def __init__(self, parent: QObject | None = None, tasks: Answerer | None = None) -> None:
        super().__init__(parent)
        self.requests: list[Request] = []
        self.replace_answers: dict[type[Request], Answer] = {}
        self._tasks = tasks or FakeTasks()

    def start(self) -> None:
        """Nothing has to be started."""

    def submit(self, request: Request) -> int:
        self.requests.append(request)
        QTimer.singleShot(0, self, lambda: self._do(request))
        return len(self.requests)

    def asked(self, kind: type[Request]) -> list[Request]:
        """Return the requests of one type, oldest first."""
        return [request for request in self.requests if type(request) is kind]

    def _do(self, request: Request) -> None:
        if self._closing:
            return
        self.started.emit(request)
        try:
            if type(request) in self.replace_answers:
                answer = self.replace_answers[type(request)](request)
            else:
                answer = self._tasks.answer(request, ignore_progress)
        except StarError as error:
            self.failed.emit(request, Failed(0, error.message, error.remedy, error.details, kind=type(error).__name__))
        except ZeroDivisionError as error:
            self.failed.emit(request, Failed(0, "Something unexpected happened.", "Try again.", repr(error)))
        else:
            self.finished.emit(request, answer)
        self.idle.emit()
