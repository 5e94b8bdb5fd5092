"""How the window holds a running job."""

from __future__ import annotations

import threading
from multiprocessing import Pipe
from typing import Any

from star_core.types import ProgressCallback
from star_viewer.jobs.requests import ListModels, Request
from star_viewer.jobs.worker import Asked, Failed, Reins, _do

TIMEOUT_S = 20.0


class Stepper:
    """Reports three steps and tells how far it came."""

    def __init__(self) -> None:
        self.steps = 0
        self.at_first = threading.Event()
        self.pipe = Pipe()

    def answer(self, request: Request, progress: ProgressCallback) -> object:
        for step in range(3):
            self.at_first.set()
            progress(step, 3)
            self.steps += 1
        return self.steps


def _start(stepper: Stepper, reins: Any) -> tuple[threading.Thread, list[Any]]:
    theirs = stepper.pipe[1]
    replies: list[Any] = []
    asked = Asked(1, ListModels())
    thread = threading.Thread(target=lambda: replies.append(_do(stepper, asked, theirs, reins)))
    thread.start()
    assert stepper.at_first.wait(TIMEOUT_S)
    return thread, replies


def _reins() -> Any:
    return Reins(threading.Event(), threading.Event())  # type: ignore[arg-type]


def test_a_paused_job_sleeps_until_it_may_go_on(monkeypatch: Any) -> None:
    monkeypatch.setattr("star_viewer.jobs.worker._PARENT_CHECK_S", TIMEOUT_S)
    stepper, reins = Stepper(), _reins()
    thread, replies = _start(stepper, reins)
    assert (stepper.steps, replies) == (0, [])
    reins.going.set()
    thread.join(TIMEOUT_S)
    assert replies[0].answer == 3


def test_a_paused_job_ends_with_a_window_that_was_killed(monkeypatch: Any) -> None:
    monkeypatch.setattr("star_viewer.jobs.worker._PARENT_CHECK_S", 0.01)
    stepper = Stepper()
    thread, replies = _start(stepper, _reins())  # this process has no parent that it belongs to
    thread.join(TIMEOUT_S)
    assert isinstance(replies[0], Failed)
    assert replies[0].cancelled
    assert stepper.steps == 0
