"""Foreign files are decoded in a child process that may die."""

from __future__ import annotations

import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from star_core import isolation
from star_core.isolation import IsolatedWorker, IsolationError, WorkerPool

HERE = "star_core.isolation"


def test_an_unknown_module_is_not_run() -> None:
    with IsolatedWorker() as worker, pytest.raises(IsolationError, match="not a module of star_core"):
        worker.call("os:system", {"command": "true"})


def test_what_a_task_raises_comes_back_as_text_and_the_child_lives_on() -> None:
    with IsolatedWorker() as worker:
        for _ in range(2):
            with pytest.raises(IsolationError, match="AttributeError"):
                worker.call(f"{HERE}:no_such_task", {})


def test_a_child_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(bytes(200))
    endless = {"paths": [str(tmp_path / "other")] * 1_000_000}
    with IsolatedWorker(timeout_s=0.1) as worker:
        for _ in range(2):
            with pytest.raises(IsolationError, match="no answer within"):
                worker.call("star_core.archive.entry:read_entries_task", endless)


def test_a_child_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "worker_command", lambda: [sys.executable, "-c", "raise SystemExit(3)"])
    with IsolatedWorker() as worker, pytest.raises(IsolationError, match="ended unexpectedly"):
        worker.call(f"{HERE}:serve", {})


@pytest.mark.skipif(sys.platform == "win32", reason="Windows offers no limit on memory")
def test_a_child_that_wants_too_much_memory_is_told_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    dataset.PixelData = b""
    dataset.save_as(path)
    data = path.read_bytes()
    place = data.rindex(b"\xe0\x7f\x10\x00OW") + 8
    with path.open("r+b") as file:
        file.seek(place)
        file.write(struct.pack("<I", 1 << 30))
        file.truncate(1 << 30)  # holes take no space on the disk
    with IsolatedWorker(memory_mb=600) as worker:
        for _ in range(2):
            with pytest.raises(IsolationError, match="not enough memory"):
                worker.call("star_core.dicom.pixels:inflate_task", {"path": str(path), "most_bytes": 10})


def test_a_pool_serves_more_threads_than_it_has_children() -> None:
    with WorkerPool(2, timeout_s=10.0, memory_mb=1_000) as pool, ThreadPoolExecutor(6) as threads:
        jobs = [threads.submit(pool.call, f"{HERE}:no_such_task", {}) for _ in range(12)]
        assert all("no_such_task" in str(job.exception()) for job in jobs)
    with pytest.raises(IsolationError):
        pool.call(f"{HERE}:no_such_task", {})  # a closed pool starts anew
    pool.close()
