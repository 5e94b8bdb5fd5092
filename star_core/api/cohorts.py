"""Making cohorts, from public collections, a centre's own folders or a known law."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from star_core.storage import user_folder
from star_core.types import ProgressCallback, ignore_progress

if TYPE_CHECKING:
    from star_core.cohort.fetch import Listing
    from star_core.cohort.manifest import Manifest
    from star_core.cohort.scans import MadeCohort
    from star_core.imaging.preprocess import PreprocessConfig
    from star_core.training.run import PresetName


def preparation(preset: PresetName | None = None, *, reduce: int | None = None) -> PreprocessConfig:
    """Return how a preset wants scans prepared; ``reduce`` (1, 2 or 4) joins cells of the model grid in blocks.

    Raises
    ------
    CohortError
        When ``reduce`` is none of them.
    """
    from star_core.errors import CohortError
    from star_core.imaging.preprocess import PreprocessConfig
    from star_core.training.presets import PRESETS
    from star_core.training.run import PresetName

    wanted = PRESETS[preset or PresetName.STAR].preprocessing
    if reduce is None:
        return wanted
    if reduce not in (1, 2, 4):
        raise CohortError(f"The grid cannot be reduced by {reduce}.", remedy="Choose --reduce 1, 2 or 4.")
    return PreprocessConfig.model_validate({**wanted.model_dump(), "reduce": reduce})


def usual_jobs() -> int:
    """Return how many processes prepare patients when nobody says: as many as there are processors, at most 8."""
    import os

    return min(os.cpu_count() or 1, 8)


def write_phantom_cohort(
    n: int,
    out: Path,
    *,
    seed: int = 0,
    config: PreprocessConfig | None = None,
    jobs: int | None = None,
    progress: ProgressCallback = ignore_progress,
) -> Manifest:
    """Write a cohort of ``n`` synthetic patients with a known law."""
    from star_core.cohort.phantom import write_phantom_cohort as write_cohort

    workers = jobs or (usual_jobs() if n > 8 else 1)
    return write_cohort(n, out, seed=seed, config=config, workers=workers, progress=progress)


def write_twin_cohort(
    clinical: Path,
    out: Path,
    *,
    volumes: Path | None = None,
    seed: int = 0,
    config: PreprocessConfig | None = None,
    jobs: int | None = None,
    progress: ProgressCallback = ignore_progress,
) -> Manifest:
    """Write a cohort of a synthetic twin for each row; see :func:`star_core.cohort.twin.write_twin_cohort`."""
    from star_core.cohort.twin import write_twin_cohort as write_cohort

    return write_cohort(
        clinical, out, volumes=volumes, seed=seed, config=config, workers=jobs or usual_jobs(), progress=progress
    )


def write_tcia_cohort(
    dicom: Path,
    clinical: Path,
    out: Path,
    *,
    skip_problems: bool = False,
    config: PreprocessConfig | None = None,
    jobs: int | None = None,
    progress: ProgressCallback = ignore_progress,
) -> MadeCohort:
    """Write a cohort of the public collection; see :func:`star_core.cohort.tcia.write_tcia_cohort`."""
    from star_core.cohort.tcia import write_tcia_cohort as write_cohort

    return write_cohort(
        dicom,
        clinical,
        out,
        skip_problems=skip_problems,
        config=config,
        cache=_prepared_scans_folder(),
        workers=jobs or usual_jobs(),
        progress=progress,
    )


def write_local_cohort(
    dicom: Path,
    table: Path,
    out: Path,
    *,
    columns: Path | None = None,
    skip_problems: bool = False,
    config: PreprocessConfig | None = None,
    jobs: int | None = None,
    progress: ProgressCallback = ignore_progress,
) -> MadeCohort:
    """Write a cohort of a centre's own patients; see :func:`star_core.cohort.local.write_local_cohort`."""
    from star_core.cohort.local import write_local_cohort as write_cohort

    return write_cohort(
        dicom,
        table,
        out,
        columns=columns,
        skip_problems=skip_problems,
        config=config,
        cache=_prepared_scans_folder(),
        workers=jobs or usual_jobs(),
        progress=progress,
    )


def write_record_cohort(clinical: Path, out: Path) -> int:
    """Write a cohort of a workbook's records without scans and return its number of patients.

    Only models of the record can be trained on it; see :func:`star_core.cohort.records.write_record_cohort`.
    """
    from star_core.cohort.records import write_record_cohort as write_cohort

    return len(write_cohort(clinical, out).patients)


def list_collection(patients: int | None = None) -> Listing:
    """Return what the public collection holds: CT and expert segmentation of each patient, from the local index."""
    from star_core.cohort.fetch import list_collection as list_series

    return list_series(patients)


def fetch_collection(listing: Listing, out: Path, *, progress: ProgressCallback = ignore_progress) -> int:
    """Download what is missing of a listing; see :func:`star_core.cohort.fetch.fetch_collection`."""
    from star_core.cohort.fetch import fetch_collection as fetch

    return fetch(listing, out, progress=progress)


def coarsen_cohort(cohort: Path, out: Path, *, reduce: int, progress: ProgressCallback = ignore_progress) -> Manifest:
    """Copy a cohort to a coarser model grid; see :func:`star_core.cohort.coarsen.coarsen_cohort`."""
    from star_core.cohort.coarsen import coarsen_cohort as coarsen

    return coarsen(cohort, out, reduce=reduce, progress=progress)


def join_cohorts(folders: Sequence[Path], out: Path, *, progress: ProgressCallback = ignore_progress) -> Manifest:
    """Write one cohort of several; see :func:`star_core.cohort.join.join_cohorts`."""
    from star_core.cohort.join import join_cohorts as join

    return join(folders, out, progress)


def _prepared_scans_folder() -> Path:
    return user_folder() / "prepared-scans"
