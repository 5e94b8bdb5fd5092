"""Blocking work on the network, watched: progress is told while it runs, and cancelling ends it within a second."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from star_core.types import ProgressCallback

_T = TypeVar("_T")
POLL_S = 0.1
FAREWELL_S = 0.6


def watch(
    work: Callable[[], _T],
    *,
    progress: ProgressCallback,
    count: Callable[[], tuple[int, int]],
    stop: Callable[[], None],
) -> _T:
    """Run ``work`` in a thread and tell ``progress`` what ``count`` says, ten times a second.

    Whatever ``progress`` raises, CancelledError or the keyboard's interrupt, calls ``stop`` and comes out of here; work
    that still hangs then is left to its own time limits and brings nothing any more.
    """
    results: list[_T] = []
    failures: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            failures.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=run, name="network", daemon=True)
    thread.start()
    try:
        while not done.wait(POLL_S):
            progress(*count())
    except BaseException:
        stop()
        thread.join(FAREWELL_S)
        raise
    if failures:
        raise failures[0]
    progress(*count())
    return results[0]
