"""The promised figures, each measured beside its peer in the same run; ratios travel between machines, seconds do not.

Source of each goal: docs/results.
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from star_core.isolation import star_command

REPEATS = 5
SERIES_SLICES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResult:
    """One figure: ours and the peer's in ``unit``, and the goal in words."""

    figure: str
    ours: float
    peer: float | None
    peer_name: str
    unit: str
    goal: str

    def to_row(self) -> tuple[str, str, str, str, str]:
        """Return the figure as a row of text."""
        peer = "" if self.peer is None else f"{self.peer:.3g} {self.unit} ({self.peer_name})"
        ratio = "" if self.peer is None else f"{self.ours / self.peer:.2f}"
        return self.figure, f"{self.ours:.3g} {self.unit}", peer, ratio, self.goal

    def to_json(self) -> dict[str, object]:
        """Return the figure for programs."""
        return asdict(self)


def measure_all(ct: Path, segmentation: Path | None, work: Path) -> list[BenchmarkResult]:
    """Measure reading, network, archive, assessing, training and window; ``work`` is an existing folder for files."""
    from star_core.evaluation.archive_benchmark import measure_archive
    from star_core.evaluation.network_benchmark import measure_network_figures
    from star_core.evaluation.receiving_benchmark import measure_receiving

    return [
        measure_reading(work / "series"),
        measure_receiving(work / "series", work),
        *measure_archive(work / "archive"),
        *measure_assess(ct, segmentation, work / "assessment"),
        *measure_network_figures(),
        *measure_window(work / "window.json"),
    ]


def measure_reading(folder: Path) -> BenchmarkResult:
    """Measure discovery and reading of 200 slices with all checks beside SimpleITK's series reader."""
    import SimpleITK as sitk  # noqa: N813

    from star_core.dicom.discover import discover_series
    from star_core.dicom.read import read_volume

    _write_series(folder)

    def ours() -> None:
        read_volume(discover_series(folder).by_modality("CT")[0])

    def peer() -> None:
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
        reader.Execute()

    ours_s, peer_s = median_of_both(ours, peer)
    return BenchmarkResult(
        figure=f"reading {SERIES_SLICES} slices with all checks",
        ours=ours_s,
        peer=peer_s,
        peer_name="SimpleITK",
        unit="s",
        goal="ratio at most 1",
    )


def _write_series(folder: Path) -> None:
    from star_core.dicom.export import write_ct_series
    from star_core.types import Geometry, Volume

    generator = np.random.default_rng(0)
    voxels = generator.integers(-1000, 1000, (SERIES_SLICES, 512, 512), dtype=np.int16)
    affine = np.array([[0, 0, 0.7, -180], [0, 0.7, 0, -180], [1.5, 0, 0, 0], [0, 0, 0, 1]], dtype=np.float64)
    volume = Volume(
        voxels_hu=voxels, geometry=Geometry(shape=voxels.shape, affine_lps=affine), series_uid="2.25.200200200"
    )
    write_ct_series(volume, folder, patient_id="BENCHMARK")


def measure_assess(ct: Path, segmentation: Path | None, out: Path) -> list[BenchmarkResult]:
    """Measure ``star assess`` from a cold start: wall time and peak memory of the process and its children."""
    command = [*star_command(), "assess", "--ct", str(ct), "--out", str(out)]
    if segmentation is not None:
        command += ["--seg", str(segmentation)]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall_s = time.perf_counter() - start
    peak_gb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", _LEAST_ASSESS, *_slices_of(ct)], check=True, stdout=subprocess.DEVNULL)
    least_s = time.perf_counter() - start
    return [
        BenchmarkResult(
            figure="star assess, cold start",
            ours=wall_s,
            peer=least_s,
            peer_name="importing torch and reading by SimpleITK alone",
            unit="s",
            goal="at most 15 s on 2 cores",
        ),
        BenchmarkResult(
            figure="star assess, peak memory",
            ours=peak_gb,
            peer=None,
            peer_name="",
            unit="GB",
            goal="below 2.5 GB",
        ),
    ]


def _slices_of(ct: Path) -> list[str]:
    from star_core.dicom.discover import discover_series
    from star_core.dicom.stack import arrange_slices

    series = max(discover_series(ct).by_modality("CT"), key=lambda found: found.image_count)
    return [str(header.path) for header in arrange_slices(series).headers]


def measure_window(file: Path) -> list[BenchmarkResult]:
    """Let the window measure itself on the demonstration patient; nothing where there is no screen or no window."""
    if importlib.util.find_spec("star_viewer") is None:
        return []
    command = [sys.executable, "-m", "star_viewer", "--demo", "--measure", str(file)]
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        if shutil.which("xvfb-run") is None:
            return []
        command = ["xvfb-run", "-a", "-s", "-screen 0 2400x1400x24", *command]
    environment = os.environ | {"STAR_STARTED_AT": repr(time.time())}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    return [BenchmarkResult(**figure) for figure in json.loads(file.read_text(encoding="utf-8"))]


_LEAST_ASSESS = """
import sys
import SimpleITK as sitk
import torch
torch.zeros(1)
reader = sitk.ImageSeriesReader()
reader.SetFileNames(sys.argv[1:])
reader.Execute()
"""


def median_of_both(ours: Callable[[], object], peer: Callable[[], object]) -> tuple[float, float]:
    """Return the median times of both, taken in turns after one run of each to warm up."""
    ours()
    peer()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(REPEATS):
        for work, measured in zip((ours, peer), times, strict=True):
            start = time.perf_counter()
            work()
            measured.append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])
