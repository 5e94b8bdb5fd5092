"""A cohort on a coarser model grid, made from its prepared scans: for studies that must end on a small machine."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from star_core.cohort.journal import Prepared, open_partial
from star_core.cohort.manifest import Manifest, manifest_sha256, read_input, read_manifest, require_scan, write_input
from star_core.errors import CohortError
from star_core.imaging.geometry import join_blocks, join_grid
from star_core.imaging.preprocess import PreprocessConfig
from star_core.types import ProgressCallback, ignore_progress


def coarsen_cohort(
    folder: Path, out: Path, *, reduce: int, workers: int = 1, progress: ProgressCallback = ignore_progress
) -> Manifest:
    """Write a cohort whose cells are blocks of ``reduce`` (2 or 4) cells of another's; records and outcomes stay.

    The scans are those that preparing with this ``reduce`` would give, up to the rounding of stored ones.

    Raises
    ------
    StorageError
        When the cohort cannot be read, or ``out`` is not empty or cannot be written.
    CohortError
        When the cohort is on a coarser grid already, or has a patient without a scan.
    """
    manifest = read_manifest(folder)
    config = PreprocessConfig.model_validate(manifest.preprocessing)
    if config.reduce != 1 or reduce not in (2, 4):
        raise CohortError(
            f"Cohort {manifest.name!r} is on a grid reduced by {config.reduce} and cannot be reduced by {reduce}.",
            remedy="Start from a cohort on the full grid, and choose 2 or 4.",
        )
    preprocessing = {**config.model_dump(mode="json"), "reduce": reduce}
    identity = {"coarsened": manifest_sha256(manifest), "reduce": reduce}
    with open_partial(out, identity) as begun:
        work = partial(_coarsen, manifest, reduce)
        prepared = begun.prepare(range(len(manifest.patients)), work, workers=workers, progress=progress)
        return begun.finish(
            replace(
                manifest,
                folder=out,
                created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
                preprocessing=preprocessing,
                patients=tuple(result.patient for result in prepared if result.patient is not None),
            )
        )


def _coarsen(manifest: Manifest, reduce: int, folder: Path, number: int) -> Prepared:
    patient = manifest.patients[number]
    require_scan(patient)
    fine = read_input(manifest.folder, patient)
    coarse = replace(
        fine,
        image=join_blocks(fine.image, reduce),
        fractions=join_blocks(fine.fractions, reduce),
        geometry=join_grid(fine.geometry, reduce),
    )
    return Prepared(patient_id=patient.patient_id, patient=replace(patient, input_sha256=write_input(folder, coarse)))
