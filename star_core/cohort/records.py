"""A cohort of records without scans: what tabular models and STAR's clinical path need, and nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from star_core.clinical.tables import TableRow, read_workbook
from star_core.cohort.manifest import Manifest, ManifestPatient, write_manifest
from star_core.errors import CohortError
from star_core.storage import new_folder, refuse_filled_folder

_SHOWN = 5


def write_record_cohort(workbook: Path, folder: Path) -> Manifest:
    """Write a cohort of every patient of a workbook in the layout of the MSKCC collection, all or nothing.

    Raises
    ------
    StorageError
        When the workbook cannot be read, or the folder holds something or cannot be written.
    ClinicalRecordError
        When a row's value cannot be used; the message names the patient.
    CohortError
        When a patient is listed twice or has no follow-up, or there is nobody; the message names the patients.
    """
    refuse_filled_folder(folder)
    rows = read_workbook(workbook)
    _refuse_unusable(rows)
    manifest = Manifest(
        folder=folder,
        kind="tcia",
        name=f"{len(rows)} records without scans",
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=None,
        preprocessing={},
        patients=tuple(
            ManifestPatient(patient_id=row.patient_id, input_sha256=None, clinical=row.record, outcome=row.outcome)
            for row in rows
            if row.outcome is not None
        ),
    )
    with new_folder(folder) as partial:
        write_manifest(replace(manifest, folder=partial))
    return manifest


def _refuse_unusable(rows: tuple[TableRow, ...]) -> None:
    if not rows:
        raise CohortError("The table holds no patient.", remedy="Choose the table with one row a patient.")
    counts = Counter(row.patient_id for row in rows)
    problems = [f"{name}: listed {count} times" for name, count in counts.items() if count > 1]
    problems += [f"{row.patient_id}: no follow-up" for row in rows if row.outcome is None]
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise CohortError(
            f"{len(problems)} problems in the table: {'; '.join(problems[:_SHOWN])}{more}.",
            remedy="Mend or remove these rows; nothing is trained silently on less than was given.",
        )
