"""Foreign files, in a process of their own.

A codec or a parser can crash, hang or fill the memory on a damaged file. Here it does so in a child process with
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
START_TIMEOUT_S = 60.0
_MAX_CHILDREN = 4
_NO_MEMORY = "not enough memory"
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
    modules
        Modules of ``star_core`` that the child imports before its first task, so that no task's time pays for them.
    """

    def __init__(
        self,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        memory_mb: int = DEFAULT_MEMORY_MB,
        modules: Sequence[str] = (),
    ) -> None:
        self._timeout_s = timeout_s
        self._memory_mb = memory_mb
        self._modules = tuple(modules)
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(
        self, task: str, options: Mapping[str, Any], payload: Buffer = b"", *, timeout_s: float | None = None
    ) -> tuple[dict[str, Any], bytearray]:
        """Run one task in the child.

        Parameters
        ----------
        task
            "star_core.module:function".
        options
            Values that JSON can hold.
        payload
            Bytes handed over as they are.
        timeout_s
            Longest time for this task, where it differs from the worker's.

        Raises
        ------
        IsolationError
            The task did not come back with an answer.
        """
        if self._child is None:
            self._start()
        answer, data = self._ask({"task": task, "options": dict(options)}, payload, timeout_s or self._timeout_s)
        if "error" in answer:
            if answer["error"] == _NO_MEMORY:
                self.close()  # a fresh child starts with all of its memory
            raise IsolationError(str(answer["error"]))
        return answer, data

    def _ask(
        self, request: Mapping[str, Any] | None, payload: Buffer, timeout_s: float
    ) -> tuple[dict[str, Any], bytearray]:
        """Send a request, or none to hear that the child is ready, and wait for the answer."""
        child = self._child
        assert child is not None
        assert child.stdin is not None
        assert child.stdout is not None
        timed_out = threading.Event()
        watchdog = threading.Timer(timeout_s, _stop_late_child, (child, timed_out))
        watchdog.daemon = True
        watchdog.start()
        try:
            if request is not None:
                _send(child.stdin, request, payload)
            return _receive(child.stdout)
        except (OSError, EOFError, ValueError) as error:
            self._kill()
            if timed_out.is_set():
                raise IsolationError(f"no answer within {timeout_s:g} s") from error
            raise IsolationError(f"the decoding process ended unexpectedly ({child.returncode})") from error
        except BaseException:
            self._kill()
            raise
        finally:
            watchdog.cancel()
            watchdog.join()

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

    def _start(self) -> None:
        self._child = subprocess.Popen(
            [*worker_command(), str(self._memory_mb), *self._modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._ask(None, b"", START_TIMEOUT_S)

    def _kill(self) -> None:
        if self._child is not None:
            self._child.kill()
        self.close()


class WorkerPool:
    """Children that run tasks for any number of threads; each starts when it is needed and stays for the next task.

    The one that worked last is asked first, so that a single thread starts a single child.

    Parameters
    ----------
    children
        How many children at most; one a core, and not more than four, if not told.
    timeout_s, memory_mb, modules
        As of :class:`IsolatedWorker`.
    """

    def __init__(
        self, children: int | None = None, *, timeout_s: float, memory_mb: int, modules: Sequence[str] = ()
    ) -> None:
        count = children or min(_MAX_CHILDREN, os.cpu_count() or 1)
        self._workers = [
            IsolatedWorker(timeout_s=timeout_s, memory_mb=memory_mb, modules=modules) for _ in range(count)
        ]
        self._idle: LifoQueue[IsolatedWorker] = LifoQueue()
        for worker in self._workers:
            self._idle.put(worker)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def width(self) -> int:
        """How many tasks run at once."""
        return len(self._workers)

    def call(
        self, task: str, options: Mapping[str, Any], payload: Buffer = b"", *, timeout_s: float | None = None
    ) -> tuple[dict[str, Any], bytearray]:
        """Run one task in a child that is free, waiting for one if need be; see :meth:`IsolatedWorker.call`."""
        worker = self._idle.get()
        try:
            return worker.call(task, options, payload, timeout_s=timeout_s)
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """End the children; a later call starts new ones."""
        for worker in self._workers:
            worker.close()


class BatchPool:
    """Works on batches of items in children, several at once; a context manager that ends what is under way.

    A batch whose child dies or takes too long is done again item by item, so that the item it died of costs itself
    only. The task's options hold the batch under ``items_name``; its answer holds ``answers``, one for each item.

    Parameters
    ----------
    children
        Who work; they stay when this pool is left.
    batch_timeout_s, item_timeout_s
        Longest time for a batch, and for an item that is tried by itself, in seconds.
    """

    def __init__(
        self, children: WorkerPool, *, batch_timeout_s: float, item_timeout_s: float, items_name: str = "items"
    ) -> None:
        self._children, self._items_name = children, items_name
        self._batch_timeout_s, self._item_timeout_s = batch_timeout_s, item_timeout_s
        self._threads = ThreadPoolExecutor(children.width)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(cancel_futures=True)

    @property
    def width(self) -> int:
        """How many batches are worked on at once."""
        return self._children.width

    def submit(
        self, task: str, items: Sequence[Any], options: Mapping[str, Any] | None = None
    ) -> Future[list[dict[str, Any]]]:
        """Work on a batch in the background.

        The answers come in the order of ``items``; an item that ended its child is answered by ``stopped``, the reason.
        """
        return self._threads.submit(self._work, task, tuple(items), dict(options or {}))

    def _work(self, task: str, items: Sequence[Any], options: dict[str, Any]) -> list[dict[str, Any]]:
        try:
            return self._ask(task, items, options, self._batch_timeout_s)
        except IsolationError:
            return list(self._work_singly(task, items, options))

    def _work_singly(self, task: str, items: Sequence[Any], options: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Do each item by itself, to find the one that its batch died of."""
        for item in items:
            try:
                yield from self._ask(task, (item,), options, self._item_timeout_s)
            except IsolationError as error:
                yield {"stopped": str(error)}

    def _ask(self, task: str, items: Sequence[Any], options: dict[str, Any], timeout_s: float) -> list[dict[str, Any]]:
        request = {**options, self._items_name: list(items)}
        reply, _ = self._children.call(task, request, timeout_s=timeout_s)
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
    """Say that this child is ready, and answer tasks from standard input until it ends."""
    source, sink = _private_pipes()
    memory_mb, *modules = sys.argv[2 if WORKER_FLAG in sys.argv[1:2] else 1 :]
    _limit_memory(int(memory_mb))
    for name in modules:
        importlib.import_module(name)
    _send(sink, {}, b"")
    while True:
        try:
            request, payload = _receive(source)
        except EOFError:
            return
        try:
            answer, data = _find_task(request["task"])(request["options"], bytes(payload))
        except MemoryError:
            answer, data = {"error": _NO_MEMORY}, b""
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
