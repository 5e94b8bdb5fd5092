"""Foreign files are decoded in a child process that may die."""

from __future__ import annotations

import pytest

from star_core.isolation import IsolatedWorker, IsolationError

HERE = "star_core.isolation"


def test_an_unknown_module_is_not_run() -> None:
    with IsolatedWorker() as worker, pytest.raises(IsolationError, match="not a module of star_core"):
        worker.call("os:system", {"command": "true"})


def test_what_a_task_raises_comes_back_as_text_and_the_child_lives_on() -> None:
    with IsolatedWorker() as worker:
        for _ in range(2):
            with pytest.raises(IsolationError, match="AttributeError"):
                worker.call(f"{HERE}:no_such_task", {})


def test_a_child_that_takes_too_long_is_ended() -> None:
    # A fresh interpreter needs longer than this to start, so the limit strikes for certain.
    with IsolatedWorker(timeout_s=0.005) as worker:
        for _ in range(2):
            with pytest.raises(IsolationError, match="no answer within"):
                worker.call(f"{HERE}:serve", {})
