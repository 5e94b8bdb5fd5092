"""The public collection Colorectal-Liver-Metastases (doi 10.7937/QXK2-QG03) as downloaded.

Layout: a folder a patient, called by its name in the workbook, at any of the first levels (the collection's name, or
a manifest's, may stand above); in it a folder a study and in that a folder a series.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from star_core.cohort.journal import Problem
from star_core.cohort.scans import MadeCohort, PatientScan, ScanRules, write_scan_cohort
from star_core.cohort.table import read_cohort_table
from star_core.errors import StorageError
from star_core.imaging.preprocess import PreprocessConfig
from star_core.types import ProgressCallback, ignore_progress

_DEEPEST = 3


def write_tcia_cohort(
    dicom: Path,
    clinical: Path,
    folder: Path,
    *,
    skip_problems: bool = False,
    config: PreprocessConfig | None = None,
    cache: Path | None = None,
    workers: int = 1,
    progress: ProgressCallback = ignore_progress,
) -> MadeCohort:
    """Write a cohort of the collection's patients; see :func:`star_core.cohort.scans.write_scan_cohort`.

    Parameters
    ----------
    dicom
        Folder of the download.
    clinical
        The collection's workbook.
    cache
        Folder of scans prepared before; ``None`` keeps none.

    Raises
    ------
    StorageError, CohortError
        When files cannot be read or written; with every problem by patient.
    """
    table = read_cohort_table(clinical)
    names = [row.folder for row in table.rows] + [problem.patient_id for problem in table.problems]
    folders, unlisted = find_patient_folders(dicom, names)
    problems = list(table.problems)
    patients = []
    for row in table.rows:
        places = folders.get(row.folder, [])
        if len(places) > 1:
            problems.append(
                Problem(
                    patient_id=row.patient_id,
                    message=f"{len(places)} folders have its name.",
                    remedy="Keep one folder a patient.",
                )
            )
        else:
            patients.append(PatientScan(row=row, folder=places[0] if places else None))
    problems += tell_unlisted(unlisted)
    return write_scan_cohort(
        patients,
        folder,
        kind="tcia",
        name=f"Colorectal-Liver-Metastases, {len(table.rows)} rows",
        rules=ScanRules(config=config or PreprocessConfig(), experts_only=True, cache=cache),
        problems=problems,
        skip_problems=skip_problems,
        workers=workers,
        progress=progress,
    )


def find_patient_folders(dicom: Path, names: Iterable[str]) -> tuple[dict[str, list[Path]], list[str]]:
    """Return the folders called like a patient, and the names of folders beside them that are no patient's.

    Raises
    ------
    StorageError
        When the folder is missing, or none in it is called like a patient.
    """
    wanted = set(names)
    found: dict[str, list[Path]] = {}
    if not dicom.is_dir():
        raise StorageError(f"There is no folder {dicom.name!r}.", remedy="Choose the folder of the download.")
    for parent, children, _ in os.walk(dicom):
        here = Path(parent)
        for child in sorted(children):
            if child in wanted:
                found.setdefault(child, []).append(here / child)
        deep = len(here.relative_to(dicom).parts) + 1 >= _DEEPEST
        children[:] = [] if deep else [child for child in children if child not in wanted]
    if not found:
        raise StorageError(
            f"No folder in {dicom.name!r} is called like a patient of the table.",
            remedy="Choose the folder that holds a folder a patient, as the collection is downloaded.",
        )
    beside = {sibling for places in found.values() for place in places for sibling in _siblings(place)}
    return found, sorted(beside - wanted)


def _siblings(place: Path) -> list[str]:
    return [path.name for path in place.parent.iterdir() if path.is_dir() and not path.name.startswith(".")]


def tell_unlisted(names: Iterable[str]) -> list[Problem]:
    """Return a problem for each folder that the table does not know."""
    return [
        Problem(patient_id=name, message="its folder has no row in the table.", remedy="Add a row, or move the folder.")
        for name in names
    ]
