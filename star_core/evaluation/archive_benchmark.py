"""Figures of the archive: indexing beside SimpleITK's series scan and pydicom's FileSet, and search as it is typed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from star_core.evaluation.benchmark import BenchmarkResult, median_of_both

SERIES, SLICES, SIZE = 40, 125, 64
STUDIES = 20_000
_TYPED = ("mül", "müll", "müller", "müller 2026", "山田", "tanaka", "ct abdo", "pat-0123", "nobody at all", "e")
_SEARCHES = 5
_FILE_SET = 500  # adding grows slower with what is there, so fewer files favour the peer
_NUMBERS = range(1, STUDIES + 1)
_NAMES = ("Müller^Jérôme", "Yamada^Tarou=山田^太郎=やまだ^たろう", "Tanaka^Hanako", "Люкceмбypг^Anna", "Διονυσιος")


def measure_archive(work: Path) -> list[BenchmarkResult]:
    """Measure indexing of 5,000 generated files in 40 series and search among 20,000 studies, below ``work``.

    SimpleITK's scan is its list of series and then the files of each; ours is an import of links. Both are warm.
    """
    _write_files(work / "files")
    return [*_measure_indexing(work / "files", work), *_measure_search(work / "large")]


def _write_files(folder: Path) -> None:
    """Write one series, and copies of it under other UIDs of the same length."""
    import pydicom

    from star_core.dicom.export import write_ct_series
    from star_core.types import Acquisition, Geometry, Volume

    affine = np.array([[0, 0, 0.7, -180], [0, 0.7, 0, -180], [1.5, 0, 0, 0], [0, 0, 0, 1]], dtype=np.float64)
    geometry = Geometry(shape=(SLICES, SIZE, SIZE), affine_lps=affine)
    voxels = np.random.default_rng(0).integers(-1000, 1000, geometry.shape, dtype=np.int16)
    acquisition = Acquisition(study_uid="2.25.10000", frame_of_reference_uid="2.25.2")
    volume = Volume(voxels_hu=voxels, geometry=geometry, series_uid="2.25.30000", acquisition=acquisition)
    for path in write_ct_series(volume, folder / "series-00", patient_id="BENCHMARK-00"):
        dataset = pydicom.dcmread(path)
        dataset.StudyID = "1"  # pydicom's FileSet takes no study without
        dataset.save_as(path)
        data, sop_uid = path.read_bytes(), str(dataset.SOPInstanceUID).encode()
        for number in range(1, SERIES):
            end = f"{number:02}".encode()
            copy = data.replace(sop_uid, sop_uid[:-2] + end)
            for text in (b"2.25.100", b"2.25.300", b"BENCHMARK-"):
                copy = copy.replace(text + b"00", text + end)
            target = folder / f"series-{number:02}" / path.name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(copy)


# --------------------------------------------------------------------------------------------- indexing


def _measure_indexing(files: Path, work: Path) -> list[BenchmarkResult]:
    from star_core.archive.archive import Archive
    from star_core.archive.importer import import_studies

    told: list[float] = []
    memory: list[float] = []
    runs = count()

    def index() -> None:
        told.clear()
        memory.clear()
        with Archive(work / f"index-{next(runs)}") as archive:
            import_studies(archive, [files], link=True, progress=progress)

    def progress(done: int, total: int) -> None:
        told.append(time.perf_counter())
        if done >= total // 5:
            memory.append(_resident_mb())

    total = SERIES * SLICES
    ours_s, scan_s = median_of_both(index, lambda: _scan_with_simpleitk(files))
    some = sorted(files.rglob("*.dcm"))[:_FILE_SET]
    start = time.perf_counter()
    _scan_with_fileset(some)
    set_s = time.perf_counter() - start
    peers = {"SimpleITK": total / scan_s, f"pydicom's FileSet, first {_FILE_SET}": _FILE_SET / set_s}
    return [
        *(
            BenchmarkResult(
                figure=f"indexing {total} files in {SERIES} series",
                ours=total / ours_s,
                peer=rate,
                peer_name=name,
                unit="files/s",
                goal="ratio at least 3",
            )
            for name, rate in peers.items()
        ),
        _alone("indexing, growth of memory from a fifth of the files on", max(memory) - memory[0], "MB", "flat"),
        _alone("indexing, most progress updates in a second", _most_in_a_second(told), "updates/s", "at most 10"),
    ]


def _alone(figure: str, ours: float, unit: str, goal: str) -> BenchmarkResult:
    return BenchmarkResult(figure=figure, ours=ours, peer=None, peer_name="", unit=unit, goal=goal)


def _scan_with_simpleitk(files: Path) -> None:
    import SimpleITK as sitk  # noqa: N813

    for folder in sorted(files.iterdir()):
        for series_uid in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder)):
            sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series_uid)


def _scan_with_fileset(paths: Sequence[Path]) -> None:
    from pydicom.fileset import FileSet

    index = FileSet()
    for path in paths:
        index.add(path)


def _most_in_a_second(told: Sequence[float]) -> float:
    # The first and the last are always told; what is measured is what comes between.
    between = told[1:-1]
    return float(max((sum(start <= other < start + 1.0 for other in between) for start in between), default=0))


def _resident_mb() -> float:
    """Return the memory of this process in MB; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return 0.0
    lines = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines())
    return int(lines["VmRSS"].split()[0]) / 1024


# --------------------------------------------------------------------------------------------- search


def _measure_search(folder: Path) -> list[BenchmarkResult]:
    from star_core.archive.archive import Archive
    from star_core.archive.rows import StudyFilter

    times_ms = []
    with Archive(folder) as archive:
        _fill(archive)
        archive.find_studies(StudyFilter(text="warm"))
        for text in _TYPED * _SEARCHES:
            start = time.perf_counter()
            archive.find_studies(StudyFilter(text=text))
            times_ms.append(1000 * (time.perf_counter() - start))
    slowest = statistics.quantiles(times_ms, n=20)[-1]
    name = f"search among {STUDIES} studies"
    return [
        _alone(f"{name}, median", statistics.median(times_ms), "ms", "within 50 ms"),
        _alone(f"{name}, 95th percentile", slowest, "ms", "within 50 ms"),
    ]


def _fill(archive: Any) -> None:
    """Put studies of names in several scripts straight into the database, with one series of one instance each."""
    from star_core.archive.archive import refresh_counts
    from star_core.archive.database import writing

    rows: dict[str, list[tuple[Any, ...]]] = {
        "patients (id, patient_key, patient_id, issuer, name, birth_date, sex)": [
            (n, str(n), f"PAT-{n:06}", "", f"{_NAMES[n % len(_NAMES)]} {n % 997}", "1950-01-01", "F") for n in _NUMBERS
        ],
        "studies (id, patient, study_uid, date, time, description, accession, search, modalities, instance_count, "
        "imported_utc)": [
            (n, n, f"2.25.{n}", f"20{n % 27:02}-{n % 12 + 1:02}-{n % 28 + 1:02}", "", f"CT {n % 31}", "", "", "", 0, "")
            for n in _NUMBERS
        ],
        "series (id, study, series_uid, modality, number, description, body_part, frame_of_reference_uid, "
        "instance_count)": [(n, n, f"2.25.9{n}", "CT", 1, "portal venous", "LIVER", "", 0) for n in _NUMBERS],
        "instances (series, sop_uid, sop_class_uid, number, frames, path, linked, size_bytes)": [
            (n, f"2.25.8{n}", "", 1, 1, str(n), 1, 0) for n in _NUMBERS
        ],
    }
    with writing(archive.engine) as connection:
        for table, values in rows.items():
            places = ", ".join("?" * len(values[0]))
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({places})", values)
        for first in range(1, STUDIES + 1, 500):
            refresh_counts(connection, range(first, min(first + 500, STUDIES + 1)))
