"""Twins: synthetic scans that agree with the rows of a clinical workbook, whose outcomes are the rows' own.

What a network can learn from a twin is what its row holds, and no more. The scan is a phantom drawn to a
:class:`~star_core.cohort.twin_plan.TwinPlan`; sites of liver recurrence are drawn from the phantoms' law.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from star_core.cohort.journal import Prepared, open_partial
from star_core.cohort.law import compute_where, draw_site
from star_core.cohort.manifest import Manifest, ManifestPatient, write_input
from star_core.cohort.prepare import build_model_input
from star_core.cohort.table import CohortRow, read_cohort_table
from star_core.cohort.twin_plan import TwinPlan, VoxelCounts, plan_twin, read_voxel_counts
from star_core.cohort.twin_scan import TwinScan, draw_twin_scan
from star_core.errors import CohortError
from star_core.imaging.preprocess import PreprocessConfig
from star_core.storage import new_file
from star_core.types import N_YEARS, Cause, ProgressCallback, Structure, ignore_progress

TWINS_FILE = "twins.csv"
PREFIX = "TWIN-"
_LONGEST_ID = 64 - len(PREFIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A row's synthetic scan with its plan."""

    plan: TwinPlan
    scan: TwinScan


def draw_twin(row: CohortRow, counts: VoxelCounts | None, *, seed: int) -> Twin:
    """Return the twin of a row; it depends on the row, its counts, its name and ``seed``, not on other rows."""
    name = int.from_bytes(hashlib.sha256(row.patient_id.encode()).digest()[:4], "big")
    generator = np.random.default_rng([seed, name])
    plan = plan_twin(row.record, counts, generator)
    return Twin(plan=plan, scan=draw_twin_scan(plan, generator))


def write_twin_cohort(
    clinical: Path,
    folder: Path,
    *,
    volumes: Path | None = None,
    seed: int = 0,
    config: PreprocessConfig | None = None,
    workers: int = 1,
    progress: ProgressCallback = ignore_progress,
) -> Manifest:
    """Write a cohort of one twin for each row of a workbook, with ``twins.csv``: what was asked and what was drawn.

    A run that was interrupted goes on where it stopped; twins are the same for any number of ``workers``.

    Parameters
    ----------
    clinical
        Workbook in the layout of the MSKCC collection (doi 10.7937/QXK2-QG03).
    volumes
        Table of voxel counts of each patient's segmentation; volumes are drawn where it has no row.

    Raises
    ------
    StorageError
        When a file cannot be read, or the folder is not empty or cannot be written.
    ClinicalRecordError, CohortError
        When a row cannot be used; the message names the patient.
    """
    config = config or PreprocessConfig()
    counts = {} if volumes is None else read_voxel_counts(volumes)
    rows = {row.patient_id: row for row in _read_rows(clinical)}
    identity = {
        "kind": "twin",
        "seed": seed,
        "preprocessing": config.model_dump(mode="json"),
        "clinical": _sha256(clinical),
        "volumes": None if volumes is None else _sha256(volumes),
    }
    with open_partial(folder, identity) as begun:
        work = partial(_write_twin, rows, counts, seed, config)
        prepared = begun.prepare(rows, work, workers=workers, progress=progress)
        _write_facts(prepared, begun.folder / TWINS_FILE)
        return begun.finish(
            Manifest(
                folder=folder,
                kind="twin",
                name=f"{len(rows)} synthetic twins, seed {seed}",
                created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
                seed=seed,
                preprocessing=config.model_dump(mode="json"),
                patients=tuple(result.patient for result in prepared if result.patient is not None),
            )
        )


def _read_rows(clinical: Path) -> tuple[CohortRow, ...]:
    table = read_cohort_table(clinical)
    problems = [str(problem) for problem in table.problems]
    problems += [f"{row.patient_id}: name too long." for row in table.rows if len(row.patient_id) > _LONGEST_ID]
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise CohortError(
            f"{len(problems)} problems in {clinical.name!r}:\n{lines}\n", remedy="Correct the table and try again."
        )
    return table.rows


def _write_twin(
    rows: Mapping[str, CohortRow],
    counts: Mapping[str, VoxelCounts],
    seed: int,
    config: PreprocessConfig,
    folder: Path,
    name: str,
) -> Prepared:
    row = rows[name]
    twin = draw_twin(row, counts.get(name), seed=seed)
    model_input = build_model_input(twin.scan.volume, twin.scan.masks, row.record, config=config)
    outcome = row.outcome
    if outcome.cause is Cause.LIVER:
        year = min(int(outcome.event_months / 12.0), N_YEARS - 1)
        site = draw_site(compute_where(model_input)[year], model_input, twin.scan.generator)
        outcome = replace(outcome, site_lps_mm=site)
    patient = ManifestPatient(
        patient_id=PREFIX + name,
        input_sha256=write_input(folder, model_input),
        clinical=row.record,
        outcome=outcome,
    )
    return Prepared(
        patient_id=patient.patient_id,
        patient=patient,
        notes=twin.plan.contradictions,
        facts={"twin": patient.patient_id, **compare_twin(twin)},
    )


def compare_twin(twin: Twin) -> dict[str, float | int | bool | str]:
    """Return what was asked of a twin beside what was drawn: ml, mm, numbers, HU."""
    plan, scan = twin.plan, twin.scan
    facts: dict[str, float | int | bool | str] = {
        "pixel_mm": round(plan.pixel_mm, 3),
        "slice_mm": plan.slice_mm,
        "tumours": len(plan.tumours),
        "bilobar": plan.bilobar,
        "embolised": plan.embolised,
        "steatosis": plan.steatosis,
    }
    asked = (plan.liver_ml, plan.remnant_ml, plan.hepatic_ml, plan.portal_ml, plan.tumour_ml)
    for structure, asked_ml in zip(Structure, asked, strict=True):
        name = str(structure.name).lower()
        facts[f"{name}_asked_ml"] = round(asked_ml, 3)
        facts[f"{name}_drawn_ml"] = round(scan.masks.volume_ml(structure), 3)
    facts["largest_asked_mm"] = round(plan.largest_mm, 1)
    facts["largest_drawn_mm"] = round(scan.largest_mm, 1)
    liver = scan.masks.mask_of(Structure.LIVER)
    facts["right_share"] = round(float(scan.right[liver].mean()), 3)
    facts["parenchyma_hu"] = round(
        float(np.median(scan.volume.voxels_hu[scan.masks.bits & ~np.uint8(Structure.REMNANT) == Structure.LIVER])), 1
    )
    facts["contradictions"] = "; ".join(plan.contradictions)
    return facts


def _write_facts(prepared: list[Prepared], path: Path) -> None:
    facts = [dict(result.facts) for result in prepared]
    with new_file(path) as partial_file, partial_file.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(facts[0]) if facts else ["twin"])
        writer.writeheader()
        writer.writerows(facts)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
