"""The runner: one worker process, a queue, progress, cancel; stale answers are dropped, a crash costs one message."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from PySide6.QtCore import QObject, QTimer, Signal

from star_viewer.jobs.requests import Request
from star_viewer.jobs.wire import receive, send
from star_viewer.jobs.worker import Answered, Answerer, Asked, Failed, Progressed, Reins, make_tasks, serve

KILL_AFTER_MS = 2000
KILL_SUPERSEDED_AFTER_MS = 10_000
LISTENER_WAIT_S = 2.0


class JobRunner(QObject):
    """Gives requests to the worker one at a time and brings back what came of them."""

    started = Signal(object)  # Request
    progressed = Signal(object, int, int)  # Request, done, total
    finished = Signal(object, object)  # Request, answer
    failed = Signal(object, object)  # Request, Failed
    cancelled = Signal(object)  # Request
    paused = Signal(bool)
    idle = Signal()
    _received = Signal(object, int)  # reply or None when the worker is gone, generation

    def __init__(
        self,
        parent: QObject | None = None,
        make_answerer: Callable[[], Answerer] = make_tasks,
        *,
        ahead: str = "star_core.assessment",
        patience_ms: int = KILL_AFTER_MS,
    ) -> None:
        super().__init__(parent)
        self._patience_ms = patience_ms
        self._make_answerer, self._ahead = make_answerer, ahead
        self._context = get_context("spawn")
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._listener: threading.Thread | None = None
        self._reins = self._make_reins()
        self._ids = itertools.count(1)
        self._queue: list[Asked] = []
        self._running: Asked | None = None
        self._unwanted = False
        self._generation = 0
        self._closing = False
        self._killer = QTimer(self, singleShot=True)
        self._killer.timeout.connect(self._kill)
        self._received.connect(self._take)

    @property
    def busy(self) -> bool:
        """Whether anything runs or waits."""
        return self._running is not None or bool(self._queue)

    @property
    def pid(self) -> int | None:
        """The worker process, while there is one."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the worker process ahead of the first request."""
        if self._process is not None or self._closing:
            return
        ours, theirs = self._context.Pipe()
        self._reins = self._make_reins()
        self._process = self._context.Process(
            target=serve,
            args=(theirs, self._reins, self._make_answerer, self._ahead),
            daemon=True,
            name="star-worker",
        )
        self._process.start()
        theirs.close()
        self._connection = ours
        self._generation += 1
        self._listener = threading.Thread(
            target=self._listen, args=(ours, self._generation), daemon=True, name="star-listener"
        )
        self._listener.start()

    def submit(self, request: Request) -> int:
        """Queue a request and return its id; older ones that it supersedes are dropped."""
        asked = Asked(next(self._ids), request)
        if request.supersedes:
            self._queue = [waiting for waiting in self._queue if type(waiting.request) is not type(request)]
            if self._running is not None and type(self._running.request) is type(request):
                self._unwanted = True
                self._reins.cancelled.set()
                self._killer.start(KILL_SUPERSEDED_AFTER_MS)
                self.resume()
        self._queue.append(asked)
        self._next()
        return asked.job_id

    def cancel(self) -> None:
        """Stop what runs and forget what waits; the worker is ended when it does not stop in time."""
        self._queue.clear()
        if self._running is not None:
            self._reins.cancelled.set()
            self._killer.start(self._patience_ms)
            self.resume()

    def pause(self) -> None:
        """Let what runs wait at its next report of progress; the worker sleeps until then."""
        if self._running is not None and self._reins.going.is_set():
            self._reins.going.clear()
            self.paused.emit(True)

    def resume(self) -> None:
        """Let what was paused go on."""
        if not self._reins.going.is_set():
            self._reins.going.set()
            self.paused.emit(False)

    def _make_reins(self) -> Reins:
        reins = Reins(self._context.Event(), self._context.Event())
        reins.going.set()
        return reins

    def close(self) -> None:
        """End the worker; nothing is delivered any more."""
        self._closing = True
        self._queue.clear()
        self._end_process()

    # ------------------------------------------------------------------ inside

    def _next(self) -> None:
        if self._running is not None or self._closing:
            return
        if not self._queue:
            self.idle.emit()
            return
        self.start()
        self._running, self._unwanted = self._queue.pop(0), False
        self._reins.cancelled.clear()
        self.started.emit(self._running.request)
        try:
            if self._connection is not None:
                send(self._connection, self._running)
        except OSError:
            self._take(None, self._generation)

    def _listen(self, connection: Connection, generation: int) -> None:
        while True:
            try:
                reply = receive(connection)
            except (EOFError, OSError):
                reply = None
            try:
                self._received.emit(reply, generation)
            except RuntimeError:
                return  # the window is gone
            if reply is None:
                return

    def _take(self, reply: object, generation: int) -> None:
        if generation != self._generation or self._closing:
            return
        if reply is None:
            self._take_crash()
            return
        running = self._running
        if running is None or getattr(reply, "job_id", None) != running.job_id:
            return
        match reply:
            case Progressed(_, done, total):
                if not self._unwanted:
                    self.progressed.emit(running.request, done, total)
                return
            case Answered(_, answer) if not self._unwanted:
                self._settle()
                self.finished.emit(running.request, answer)
            case Failed() as failure if not self._unwanted and not failure.cancelled:
                self._settle()
                self.failed.emit(running.request, failure)
            case _:
                unwanted = self._unwanted
                self._settle()
                if not unwanted:
                    self.cancelled.emit(running.request)
        self._next()

    def _settle(self) -> None:
        self._running = None
        self._killer.stop()
        self.resume()

    def _take_crash(self) -> None:
        running = self._running
        self._end_process()
        self._settle()
        if running is not None:
            failure = Failed(
                running.job_id,
                "The worker process ended unexpectedly while doing this.",
                "Nothing that was open is lost. Try again; if it happens again, choose another series.",
            )
            self.failed.emit(running.request, failure)
        self._next()

    def _kill(self) -> None:
        running, unwanted = self._running, self._unwanted
        self._end_process()
        self._settle()
        if running is not None and not unwanted:
            self.cancelled.emit(running.request)
        self._next()

    def _end_process(self) -> None:
        self._generation += 1
        process, connection, listener = self._process, self._connection, self._listener
        self._process = self._connection = self._listener = None
        if process is not None:
            process.terminate()
            process.join(1.0)
            if process.is_alive():
                process.kill()
                process.join(1.0)
            process.close()
        if listener is not None:
            # It sees the end of the pipe now. Were it to outlive this object, Qt would be torn down in its thread.
            listener.join(LISTENER_WAIT_S)
        if connection is not None:
            connection.close()
