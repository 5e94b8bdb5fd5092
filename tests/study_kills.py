"""The recorded study of kills: `python -m tests.study_kills --n 50 --seed 1`.

An import of copies is ended by SIGKILL at random moments, again and again. After each kill the archive is opened anew:
every file in it must be equal to its source byte for byte, and nothing else may be seen. At the end the import goes on
to its end, and everything must be there.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom

from star_core.archive.archive import FILES_FOLDER, INCOMING_FOLDER, Archive
from star_core.archive.importer import continue_import
from tests.core.dicom.factory import build_geometry, build_volume, write_series

SERIES, SLICES = 6, 40
_IMPORT = """
import sys
from pathlib import Path
from star_core.archive import importer
from star_core.archive.archive import Archive
importer.FILES_PER_BATCH = 8
with Archive(Path(sys.argv[1])) as archive:
    print("begins", flush=True)
    importer.import_studies(archive, [Path(sys.argv[2])])
"""


@dataclass(slots=True)
class Tally:
    """What the kills of a study met."""

    before_the_end: int = 0
    after_the_end: int = 0
    seen: list[int] = field(default_factory=list)
    not_equal: int = 0
    lost: int = 0
    without_row: int = 0
    left_over: int = 0


def main() -> None:
    """Run the study and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        tally = run(asked.n, asked.seed, Path(work))
    rows = {
        "kills": asked.n,
        "of them while the import ran": tally.before_the_end,
        f"files in the archive after a kill, of {SERIES * SLICES}": f"{min(tally.seen)} to {max(tally.seen)}",
        "files that differ from their source": tally.not_equal,
        "files missing after going on to the end": tally.lost,
        "copies without a row after that": tally.without_row,
        "files and folders left in `incoming` after that": tally.left_over,
    }
    print("\n".join(("| what | how many |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items()))))


def run(kills: int, seed: int, work: Path) -> Tally:
    """Kill imports at moments drawn by seed; an archive that is complete is followed by a new one."""
    rng, tally, number = np.random.default_rng(seed), Tally(), 0
    sources = write_sources(work / "files")
    longest_s = _time_import(work / "whole", work / "files")
    for kill in range(kills):
        folder = work / f"archive-{number}"
        _kill_import(folder, work / "files", float(rng.uniform(0.0, 0.5 * longest_s)), tally)
        tally.seen.append(count_seen(folder, sources, tally))
        if kill % 5 == 4 or kill == kills - 1:  # five kills of one import, then it goes on to its end
            _finish(folder, sources, tally)
            number += 1
    return tally


def write_sources(folder: Path) -> dict[str, Path]:
    """Write series and return their files by SOP Instance UID."""
    for number in range(SERIES):

        def tell(dataset: pydicom.Dataset, index: int, number: int = number) -> None:
            dataset.StudyInstanceUID = f"2.25.77{number}"

        volume = build_volume(build_geometry((SLICES, 40, 48)), series_uid=f"2.25.99{number}")
        write_series(folder / str(number), tell, volume)
    return {str(pydicom.dcmread(path).SOPInstanceUID): path for path in sorted(folder.rglob("*.dcm"))}


def _start(folder: Path, files: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _IMPORT, os.fspath(folder), os.fspath(files)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    return child


def _time_import(folder: Path, files: Path) -> float:
    child, start = _start(folder, files), time.perf_counter()
    child.communicate()
    return time.perf_counter() - start


def _kill_import(folder: Path, files: Path, after_s: float, tally: Tally) -> None:
    child = _start(folder, files)
    time.sleep(after_s)
    if child.poll() is None:
        tally.before_the_end += 1
        child.send_signal(signal.SIGKILL)
    else:
        tally.after_the_end += 1
    child.communicate()


def count_seen(folder: Path, sources: dict[str, Path], tally: Tally) -> int:
    """Return how many files the archive shows; each is compared with its source."""
    seen = 0
    with Archive(folder) as archive:
        for study in archive.find_studies():
            counted = 0
            for series in archive.series_of_study(study.id):
                paths = archive.paths_of_series(series.id)
                counted += len(paths)
                tally.not_equal += series.instance_count != len(paths)
                for path in paths:
                    uid = str(pydicom.dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)
                    tally.not_equal += not filecmp.cmp(path, sources[uid], shallow=False)
            tally.not_equal += study.instance_count != counted
            seen += counted
    return seen


def _finish(folder: Path, sources: dict[str, Path], tally: Tally) -> None:
    with Archive(folder) as archive:
        for number in archive.unfinished_imports():
            continue_import(archive, number)
    tally.lost += len(sources) - count_seen(folder, sources, tally)
    copies = {path.name for path in (folder / FILES_FOLDER).rglob("*") if path.is_file()}
    tally.without_row += len(copies) - len(sources)
    tally.left_over += len(list((folder / INCOMING_FOLDER).rglob("*")))


if __name__ == "__main__":
    main()
