"""Receiving a CT over loopback beside dcmtk's storescp: the same sender, the same files, whole on disk in the end."""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from star_core.evaluation.benchmark import REPEATS, SERIES_SLICES, BenchmarkResult

TITLE = "BENCH"
START_TIMEOUT_S = 10.0
# Without it dcmtk's tools wait 40 ms a file for an acknowledgement that is delayed, and any receiver would beat them.
_ENVIRONMENT = os.environ | {"TCP_NODELAY": "1"}


def measure_receiving(series: Path, work: Path) -> BenchmarkResult:
    """Measure storescu sending a series to our receiver and to storescp; ours alone where dcmtk is not installed.

    Parameters
    ----------
    series
        Folder of the slices.
    work
        Folder for what is received.
    """
    from star_core.dicom.network.intake import Intake
    from star_core.dicom.network.receiver import Receiver

    figure = f"receiving {SERIES_SLICES} slices over loopback"
    intake = Intake(work / "ours")
    with Receiver(intake, title=TITLE) as receiver:
        if shutil.which("storescp") is None or shutil.which("storescu") is None:
            ours_s = _time_own_sender(series, receiver.port)
            missing = "dcmtk's storescp, the peer, is not installed"
            return BenchmarkResult(figure=figure, ours=ours_s, peer=None, peer_name="", unit="s", goal=missing)
        (work / "peer").mkdir()
        with _run_storescp(work / "peer") as port:
            ports = {receiver.port: intake.whole_folder, port: work / "peer"}
            ours_s, peer_s = _time_in_turns(series, ports)
    return BenchmarkResult(
        figure=figure, ours=ours_s, peer=peer_s, peer_name="dcmtk storescp", unit="s", goal="ratio at most 1"
    )


def _time_in_turns(series: Path, ports: Mapping[int, Path]) -> list[float]:
    """Return the median time of sending to each port, after one run each to warm up; files are new in every run."""
    times: dict[int, list[float]] = {port: [] for port in ports}
    for _ in range(REPEATS + 1):
        for port, folder in ports.items():
            start = time.perf_counter()
            _send(series, port)
            times[port].append(time.perf_counter() - start)
            for path in folder.iterdir():
                path.unlink()
    return [statistics.median(measured[1:]) for measured in times.values()]


def _send(series: Path, port: int) -> None:
    command = ["storescu", "+sd", "-aec", TITLE, "127.0.0.1", str(port), str(series)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_ENVIRONMENT)


def _time_own_sender(series: Path, port: int) -> float:
    from star_core.dicom.network.sending import send_files
    from star_core.dicom.network.servers import build_server

    start = time.perf_counter()
    server = build_server(name="own", host="127.0.0.1", port=port, called_title=TITLE)
    send_files(server, sorted(series.iterdir()))
    return time.perf_counter() - start


@contextmanager
def _run_storescp(out: Path) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = ["storescp", "-aet", TITLE, "-od", str(out), str(port)]
    silent = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=silent, stderr=silent, env=_ENVIRONMENT) as process:
        try:
            end = time.monotonic() + START_TIMEOUT_S
            while time.monotonic() < end:
                with socket.socket() as trial:
                    if trial.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()
