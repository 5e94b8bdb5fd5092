"""Native code on foreign files, in a process of its own.

A codec or a file library written in C can crash or hang on a damaged file. Here it does so in a child process with
a limit on time and memory, and the caller gets one :class:`IsolationError`.

The child is a fresh interpreter, never a fork. Both sides speak a length-prefixed JSON header followed by raw bytes,
so nothing that comes back from the child is unpickled. Tasks are named "module:function" within ``star_core`` and
have the signature ``task(options, payload) -> (answer, payload)``.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import LifoQueue
from types import TracebackType
from typing import Any, BinaryIO, Self

Buffer = bytes | bytearray | memoryview
Task = Callable[[Mapping[str, Any], bytes], tuple[Mapping[str, Any], Buffer]]

WORKER_FLAG = "--star-isolated-worker"
DEFAULT_TIMEOUT_S = 120.0
DEFAULT_MEMORY_MB = 6_000
_LENGTHS = struct.Struct("<QQ")
_PACKAGE_ROOT = str(Path(__file__).resolve().parents[1])
_EXIT_WAIT_S = 5.0
_MAX_CHILDREN = 4


class IsolationError(Exception):
    """The child crashed, ran out of time or memory, or its task raised; the text says which."""


class IsolatedWorker:
    """A child process that runs named tasks one after another; started with the first one.

    Use it as a context manager; leaving it ends the child. After an :class:`IsolationError` of a crash or a timeout
    the next call starts a fresh child.

    Parameters
    ----------
    timeout_s
        Longest time for one task in seconds; the child is killed when it is over.
    memory_mb
        Most memory of the child in MB (address space); held where the system offers it (not on Windows).
    """

    def __init__(self, *, timeout_s: float = DEFAULT_TIMEOUT_S, memory_mb: int = DEFAULT_MEMORY_MB) -> None:
        self._timeout_s = timeout_s
        self._memory_mb = memory_mb
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(self, task: str, options: Mapping[str, Any], payload: Buffer = b"") -> tuple[dict[str, Any], bytearray]:
        """Run one task in the child.

        Parameters
        ----------
        task
            "star_core.module:function".
        options
            Values that JSON can hold.
        payload
            Bytes handed over as they are.

        Raises
        ------
        IsolationError
            The task did not come back with an answer.
        """
        child = self._running_child()
        timed_out = threading.Event()
        watchdog = threading.Timer(self._timeout_s, _stop_late_child, (child, timed_out))
        watchdog.daemon = True
        watchdog.start()
        try:
            assert child.stdin is not None
            assert child.stdout is not None
            _send(child.stdin, {"task": task, "options": dict(options)}, payload)
            answer, data = _receive(child.stdout)
        except (OSError, EOFError, ValueError) as error:
            self._kill()
            if timed_out.is_set():
                raise IsolationError(f"no answer within {self._timeout_s:g} s") from error
            raise IsolationError(f"the decoding process ended unexpectedly ({child.returncode})") from error
        except BaseException:
            self._kill()
            raise
        finally:
            watchdog.cancel()
            watchdog.join()
        if "error" in answer:
            raise IsolationError(str(answer["error"]))
        return answer, data

    def close(self) -> None:
        """End the child, if there is one."""
        child, self._child = self._child, None
        if child is None:
            return
        assert child.stdin is not None
        assert child.stdout is not None
        with contextlib.suppress(OSError):
            child.stdin.close()  # the end of its input tells the child to leave
        try:
            child.wait(_EXIT_WAIT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()

    def _running_child(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            self._child = subprocess.Popen(
                [*worker_command(), str(self._memory_mb)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        return self._child

    def _kill(self) -> None:
        if self._child is not None:
            self._child.kill()
        self.close()


class BatchPool:
    """Children that work on batches of items, several at once; a context manager that ends them.

    A batch whose child dies or takes too long is done again item by item, so that the item it died of costs itself
    only. The task's options hold the batch under ``items_name``; its answer holds ``answers``, one for each item.

    Parameters
    ----------
    batch_timeout_s, item_timeout_s
        Longest time for a batch, and for an item that is tried by itself, in seconds.
    memory_mb
        Most memory of a child in MB.
    children
        How many; as many as there are processors, four at most, if not told.
    """

    def __init__(
        self,
        *,
        batch_timeout_s: float,
        item_timeout_s: float,
        memory_mb: int,
        children: int | None = None,
        items_name: str = "items",
    ) -> None:
        count = children or min(_MAX_CHILDREN, os.cpu_count() or 1)
        self._item_timeout_s, self._memory_mb, self._items_name = item_timeout_s, memory_mb, items_name
        self._workers = [IsolatedWorker(timeout_s=batch_timeout_s, memory_mb=memory_mb) for _ in range(count)]
        self._idle: LifoQueue[IsolatedWorker] = LifoQueue()  # the child that worked last is warm
        for worker in self._workers:
            self._idle.put(worker)
        self._pool = ThreadPoolExecutor(count)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.close()

    @property
    def width(self) -> int:
        """How many batches are worked on at once."""
        return len(self._workers)

    def submit(
        self, task: str, items: Sequence[Any], options: Mapping[str, Any] | None = None
    ) -> Future[list[dict[str, Any]]]:
        """Work on a batch in the background.

        The answers come in the order of ``items``; an item that ended its child is answered by ``stopped``, the reason.
        """
        return self._pool.submit(self._work, task, tuple(items), dict(options or {}))

    def _work(self, task: str, items: Sequence[Any], options: dict[str, Any]) -> list[dict[str, Any]]:
        worker = self._idle.get()
        try:
            try:
                return self._ask(worker, task, items, options)
            except IsolationError:
                return list(self._work_singly(task, items, options))
        finally:
            self._idle.put(worker)

    def _work_singly(self, task: str, items: Sequence[Any], options: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Do each item by itself, to find the one that its batch died of."""
        with IsolatedWorker(timeout_s=self._item_timeout_s, memory_mb=self._memory_mb) as worker:
            for item in items:
                try:
                    yield from self._ask(worker, task, (item,), options)
                except IsolationError as error:
                    yield {"stopped": str(error)}

    def _ask(
        self, worker: IsolatedWorker, task: str, items: Sequence[Any], options: dict[str, Any]
    ) -> list[dict[str, Any]]:
        reply, _ = worker.call(task, {**options, self._items_name: list(items)})
        answers: list[dict[str, Any]] = reply["answers"]
        return answers


def worker_command() -> list[str]:
    """Return the command that starts a child; a packaged program starts itself with ``WORKER_FLAG``."""
    if getattr(sys, "frozen", False):
        return [sys.executable, WORKER_FLAG]
    start = f"import sys; sys.path.insert(0, {_PACKAGE_ROOT!r}); from star_core.isolation import serve; serve()"
    return [sys.executable, "-c", start]


def star_command() -> tuple[str, ...]:
    """Return the start of a command line that runs ``star`` from this very installation."""
    if getattr(sys, "frozen", False):
        return (str(Path(sys.executable).with_name("star.exe" if sys.platform == "win32" else "star")),)
    return sys.executable, "-m", "star_core.cli"


def serve_if_asked() -> None:
    """Become the child when the command line asks for it; packaged programs call this before anything else."""
    if WORKER_FLAG in sys.argv[1:2]:
        serve()
        raise SystemExit(0)


def _stop_late_child(child: subprocess.Popen[bytes], timed_out: threading.Event) -> None:
    timed_out.set()
    child.kill()


# --------------------------------------------------------------------------------------------- the child's side


def serve() -> None:
    """Answer tasks from standard input until it ends."""
    source, sink = _private_pipes()
    _limit_memory(int(sys.argv[-1]))
    while True:
        try:
            request, payload = _receive(source)
        except EOFError:
            return
        try:
            answer, data = _find_task(request["task"])(request["options"], bytes(payload))
        except MemoryError:
            answer, data = {"error": "not enough memory"}, b""
        except Exception as error:  # noqa: BLE001 - whatever a library raises goes back as the answer
            answer, data = {"error": f"{type(error).__name__}: {error}"[:500]}, b""
        _send(sink, answer, data)


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take standard input and output for ourselves, so that a library's print cannot disturb the answers."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 0)
    os.dup2(silence, 1)
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(source.fileno(), os.O_BINARY)
        msvcrt.setmode(sink.fileno(), os.O_BINARY)
    return source, sink


def _limit_memory(memory_mb: int) -> None:
    if sys.platform != "win32":
        import resource

        # Some systems refuse an address-space limit; the time limit still holds there.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _find_task(name: str) -> Task:
    module_name, _, function_name = name.partition(":")
    if not module_name.startswith("star_core."):
        raise ValueError(f"{module_name} is not a module of star_core")
    task: Task = getattr(importlib.import_module(module_name), function_name)
    return task


# --------------------------------------------------------------------------------------------- the wire


def _send(stream: Any, header: Mapping[str, Any], payload: Buffer) -> None:
    text = json.dumps(header).encode()
    data = memoryview(payload).cast("B")
    stream.write(_LENGTHS.pack(len(text), data.nbytes) + text)
    stream.write(data)
    stream.flush()


def _receive(stream: Any) -> tuple[dict[str, Any], bytearray]:
    text_length, data_length = _LENGTHS.unpack(_read_exactly(stream, _LENGTHS.size))
    header: dict[str, Any] = json.loads(_read_exactly(stream, text_length))
    return header, _read_exactly(stream, data_length)


def _read_exactly(stream: Any, length: int) -> bytearray:
    data = bytearray(length)
    view = memoryview(data)
    filled = 0
    while filled < length:
        count = stream.readinto(view[filled:])
        if not count:
            raise EOFError
        filled += count
    return data
