"""A centre's own patients: a folder of patient folders, and a table with records and outcomes."""

from __future__ import annotations

from pathlib import Path

from star_core.cohort.scans import MadeCohort, PatientScan, ScanRules, write_scan_cohort
from star_core.cohort.table import read_cohort_table, read_column_map
from star_core.cohort.tcia import tell_unlisted
from star_core.errors import StorageError
from star_core.imaging.preprocess import PreprocessConfig
from star_core.types import ProgressCallback, ignore_progress


def write_local_cohort(
    dicom: Path,
    table: Path,
    folder: Path,
    *,
    columns: Path | None = None,
    skip_problems: bool = False,
    config: PreprocessConfig | None = None,
    cache: Path | None = None,
    workers: int = 1,
    progress: ProgressCallback = ignore_progress,
) -> MadeCohort:
    """Write a cohort of a centre's patients; see :func:`star_core.cohort.scans.write_scan_cohort`.

    Parameters
    ----------
    dicom
        Folder with a folder a patient, called as in the table (its column ``folder``, else ``patient_id``).
    table
        CSV or workbook; see :func:`star_core.cohort.table.read_cohort_table`.
    columns
        JSON object from the table's columns to ours.
    cache
        Folder of scans prepared before; ``None`` keeps none.

    Raises
    ------
    StorageError, CohortError
        When files cannot be read or written; with every problem by patient.
    """
    if not dicom.is_dir():
        raise StorageError(f"There is no folder {dicom.name!r}.", remedy="Choose the folder of the patients' folders.")
    content = read_cohort_table(table, None if columns is None else read_column_map(columns))
    patients = [
        PatientScan(row=row, folder=place if (place := dicom / row.folder).is_dir() else None) for row in content.rows
    ]
    listed = {row.folder.replace("\\", "/").split("/")[0] for row in content.rows}
    listed |= {problem.patient_id for problem in content.problems}
    present = {path.name for path in dicom.iterdir() if path.is_dir() and not path.name.startswith(".")}
    return write_scan_cohort(
        patients,
        folder,
        kind="local",
        name=f"local cohort, {len(content.rows)} rows",
        rules=ScanRules(config=config or PreprocessConfig(), experts_only=False, cache=cache),
        problems=[*content.problems, *tell_unlisted(sorted(present - listed))],
        skip_problems=skip_problems,
        workers=workers,
        progress=progress,
    )
