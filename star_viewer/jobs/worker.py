"""The worker process: takes one request after another, reports progress, answers or fails."""

from __future__ import annotations

import importlib
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from typing import Any, Protocol

from star_core.errors import CancelledError, StarError
from star_core.types import ProgressCallback
from star_viewer.jobs.requests import Request
from star_viewer.jobs.wire import receive, send

WORKER_NICENESS = 5
_MIN_REPORT_INTERVAL_S = 0.1
_PARENT_CHECK_S = 1.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on its way to the worker."""

    job_id: int
    request: Request


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far a job is."""

    job_id: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a job."""

    job_id: int
    answer: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a job failed; ``cancelled`` when the user asked for it, ``kind`` names the library's error."""

    job_id: int
    message: str
    remedy: str = ""
    details: str = ""
    cancelled: bool = False
    kind: str = ""


Reply = Progressed | Answered | Failed


class Answerer(Protocol):
    """What does the work: :class:`star_viewer.jobs.tasks.Tasks`, or a stand-in of a test."""

    def answer(self, request: Request, progress: ProgressCallback) -> object:
        """Return the answer to a request."""


def make_tasks() -> Answerer:
    """Return the real work; its imports happen in the worker process only."""
    from star_viewer.jobs.tasks import Tasks

    return Tasks()


def make_copy_tasks() -> Answerer:
    """Return the real work on de-identified copies; its imports happen in the worker process only."""
    from star_viewer.jobs.copy_tasks import CopyTasks

    return CopyTasks()


def make_film_tasks() -> Answerer:
    """Return the real work on pictures and films; its imports happen in the worker process only."""
    from star_viewer.jobs.film_tasks import FilmTasks

    return FilmTasks()


def make_archive_tasks() -> Answerer:
    """Return the real work on the archive; its imports happen in the worker process only."""
    from star_viewer.jobs.tasks import ArchiveTasks

    return ArchiveTasks()


def make_network_tasks() -> Answerer:
    """Return the real work with servers; its imports happen in the worker process only."""
    from star_viewer.jobs.network_tasks import NetworkTasks

    return NetworkTasks()


def make_loaded_network_tasks() -> Answerer:
    """Return the real work with servers, with its libraries loaded before the first request.

    They import each other in circles, which two threads at once get wrong: nothing of them is loaded ahead beside one.
    """
    tasks = make_network_tasks()
    importlib.import_module("star_core.dicom.network.services")
    importlib.import_module("star_core.dicom.network.dimse")
    return tasks


@dataclass(frozen=True, slots=True)
class Reins:
    """How the window holds a running job: ``cancelled`` ends it, a cleared ``going`` lets it wait."""

    cancelled: Event
    going: Event


def serve(connection: Connection, reins: Reins, make_answerer: Callable[[], Answerer], ahead: str) -> None:
    """Run in the worker process until the window is gone; module ``ahead`` loads while nobody waits for it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(WORKER_NICENESS)  # on two cores the window comes first
    answerer = make_answerer()
    threading.Thread(target=importlib.import_module, args=(ahead,), daemon=True).start()
    while True:
        try:
            asked: Asked = receive(connection)
            reply = _do(answerer, asked, connection, reins)
            send(connection, reply)
        except (EOFError, OSError):
            return


def _wait_while_paused(reins: Reins) -> None:
    """Sleep until the window lets the job go on; a window that was killed cannot, and the worker ends with it."""
    parent = parent_process()
    while not reins.going.wait(_PARENT_CHECK_S):
        if parent is None or not parent.is_alive():
            raise CancelledError("Cancelled.")


def _do(answerer: Answerer, asked: Asked, connection: Connection, reins: Reins) -> Reply:
    last = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal last
        if not reins.going.is_set():
            _wait_while_paused(reins)
        if reins.cancelled.is_set():
            raise CancelledError("Cancelled.")
        now = time.monotonic()
        if now - last >= _MIN_REPORT_INTERVAL_S or done == total:
            last = now
            send(connection, Progressed(asked.job_id, done, total))

    try:
        return Answered(asked.job_id, answerer.answer(asked.request, progress))
    except CancelledError:
        return Failed(asked.job_id, "Cancelled.", cancelled=True)
    except StarError as error:
        return Failed(asked.job_id, error.message, error.remedy, error.details, kind=type(error).__name__)
    except MemoryError:
        return Failed(asked.job_id, "There is not enough memory for this.", "Close other programs and try again.")
    except Exception as error:  # noqa: BLE001 -- the one place that catches broadly; it shows what it caught
        return Failed(
            asked.job_id,
            f"Something unexpected happened ({type(error).__name__}).",
            "Try again; if it happens again, report the details.",
            traceback.format_exc(),
        )
