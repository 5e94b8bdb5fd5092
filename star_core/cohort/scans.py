"""From the DICOM files of one patient to a prepared scan, or to what is wrong with them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from star_core.cohort.cache import CachedScan, fetch_cached, hash_sources, keep_cached
from star_core.cohort.journal import Facts, Prepared, Problem, open_partial
from star_core.cohort.manifest import (
    Kind,
    LeftOut,
    Manifest,
    ManifestPatient,
    read_input,
    require_scan,
    write_input,
)
from star_core.cohort.prepare import build_model_input
from star_core.cohort.table import CohortRow
from star_core.errors import CohortError, DicomError, StorageError
from star_core.imaging.preprocess import PreprocessConfig
from star_core.types import ClinicalRecord, ProgressCallback, Severity, Structure, ignore_progress

if TYPE_CHECKING:
    from star_core.dicom.discover import Discovery, SeriesFiles

MIN_PATIENTS = 20
SITE_REACH_MM = 10.0
_MIN_SLICES = 5
_NO_LIVER = {"seg-without-liver", "seg-empty-liver"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientScan:
    """A row and the folder of its scans; ``None`` where there is none."""

    row: CohortRow
    folder: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRules:
    """How scans are read; ``experts_only`` refuses segmentations made by programs, as public copies have them."""

    config: PreprocessConfig
    experts_only: bool
    cache: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeCohort:
    """A cohort as it was written, with what a reader should know of its patients: (name, note)."""

    manifest: Manifest
    notes: tuple[tuple[str, str], ...]


def write_scan_cohort(
    patients: Sequence[PatientScan],
    folder: Path,
    *,
    kind: Kind,
    name: str,
    rules: ScanRules,
    problems: Sequence[Problem] = (),
    skip_problems: bool = False,
    workers: int = 1,
    progress: ProgressCallback = ignore_progress,
) -> MadeCohort:
    """Prepare every patient's scan and write the cohort.

    Problems stop it after the last patient, all at once; what was prepared is kept for the next run. With
    ``skip_problems`` the cohort is written without these patients, and its manifest lists them.

    Raises
    ------
    CohortError
        With every problem by patient and its remedy.
    StorageError
        When the folder is not empty or cannot be written.
    """
    config = rules.config
    identity = {"kind": kind, "experts_only": rules.experts_only, "preprocessing": config.model_dump(mode="json")}
    by_name = {patient.row.patient_id: patient for patient in patients}
    # Files that were replaced since a run was killed are prepared again.
    keys = [f"{name}/{_stamp_files(patient.folder)}" for name, patient in by_name.items()]
    with open_partial(folder, identity) as begun:
        work = partial(_prepare_key, by_name, rules)
        prepared = begun.prepare(keys, work, workers=workers, progress=progress)
        usable = tuple(_with_row(result.patient, by_name) for result in prepared if result.patient is not None)
        found = [*problems, *(problem for result in prepared for problem in result.problems)]
        found += [*find_shared_scans(usable), *find_misplaced_sites(usable, begun.folder)]
        refused = {problem.patient_id for problem in found}
        taken = tuple(patient for patient in usable if patient.patient_id not in refused)
        found += check_cohort(taken)
        if found and not (skip_problems and taken):
            raise to_error(found, name, len(taken))
        manifest = begun.finish(
            Manifest(
                folder=folder,
                kind=kind,
                name=name,
                created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
                seed=None,
                preprocessing=config.model_dump(mode="json"),
                patients=taken,
                left_out=tuple(LeftOut(patient_id=entry.patient_id, reason=entry.message) for entry in found),
            )
        )
    notes = tuple((result.patient_id, note) for result in prepared for note in result.notes)
    return MadeCohort(manifest=manifest, notes=notes)


def check_cohort(patients: Sequence[ManifestPatient]) -> list[Problem]:
    """Return what makes a cohort as a whole useless for training: too few patients, or one outcome only."""
    problems = []
    if len(patients) < MIN_PATIENTS:
        problems.append(
            Problem(
                patient_id="",
                message=f"The cohort has {len(patients)} usable patients, expected at least {MIN_PATIENTS}.",
                remedy="Add patients: fewer cannot tell learning from chance.",
            )
        )
    causes = {patient.outcome.cause for patient in patients}
    if len(causes) == 1:
        only = causes.pop()
        told = "no event (censored)" if only is None else f"first event {only.value}"
        problems.append(
            Problem(
                patient_id="",
                message=f"All {len(patients)} patients have the same outcome: {told}.",
                remedy="Check the outcome columns: there is nothing to tell apart.",
            )
        )
    return problems


def find_shared_scans(patients: Sequence[ManifestPatient]) -> list[Problem]:
    """Return a problem for each patient whose scan is another's too: nobody can tell whose it is."""
    owners: dict[str, list[str]] = {}
    for patient in patients:
        owners.setdefault(require_scan(patient), []).append(patient.patient_id)
    return [
        Problem(
            patient_id=name,
            message=f"its scan is also the scan of {', '.join(other for other in names if other != name)}.",
            remedy="Give each patient a folder of its own.",
        )
        for names in owners.values()
        if len(names) > 1
        for name in names
    ]


def find_misplaced_sites(patients: Sequence[ManifestPatient], folder: Path) -> list[Problem]:
    """Return a problem for each patient whose recurrence is said to lie away from the tissue that was left."""
    return [
        Problem(
            patient_id=patient.patient_id,
            message=f"the site of recurrence {patient.outcome.site_lps_mm} mm lies more than {SITE_REACH_MM:g} mm from "
            "the liver that was left.",
            remedy="Give it in the LPS millimetres of this CT, or clear it.",
        )
        for patient in patients
        if patient.outcome.site_lps_mm is not None and _distance_to_tissue_mm(patient, folder) > SITE_REACH_MM
    ]


def _distance_to_tissue_mm(patient: ManifestPatient, folder: Path) -> float:
    model_input = read_input(folder, patient)
    tissue = model_input.geometry.index_to_lps(np.argwhere(model_input.at_risk_fraction > 0.0).astype(np.float64))
    if len(tissue) == 0:
        return float("inf")
    return float(np.linalg.norm(tissue - np.array(patient.outcome.site_lps_mm), axis=1).min())


def to_error(problems: Sequence[Problem], name: str, usable: int) -> CohortError:
    """Return the error that lists every problem by patient."""
    lines = "\n".join(f"  {problem}" for problem in problems)
    return CohortError(
        f"{len(problems)} problems in {name} ({usable} patients are usable):\n{lines}\n",
        remedy="Mend them and run the command again (what was prepared is kept), or leave these patients out with "
        "--skip-problems; the manifest then lists them.",
    )


def _with_row(patient: ManifestPatient, by_name: dict[str, PatientScan]) -> ManifestPatient:
    """Return a patient with the table's present values: they may have been corrected since the scan was prepared."""
    row = by_name[patient.patient_id].row
    return ManifestPatient(
        patient_id=patient.patient_id, input_sha256=patient.input_sha256, clinical=row.record, outcome=row.outcome
    )


def _stamp_files(folder: Path | None) -> str:
    """Return a short digest of names, sizes and times of a folder's files."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")) if folder is not None else ():
        if path.is_file():
            facts = path.stat()
            digest.update(f"{path}|{facts.st_size}|{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _prepare_key(by_name: dict[str, PatientScan], rules: ScanRules, folder: Path, key: str) -> Prepared:
    return prepare_patient(by_name[key.rpartition("/")[0]], rules, folder)


def prepare_patient(patient: PatientScan, rules: ScanRules, folder: Path) -> Prepared:
    """Return a patient's prepared scan in the cohort's ``folder``, or the problem with it."""
    name = patient.row.patient_id

    def problem(message: str, remedy: str) -> Prepared:
        return Prepared(
            patient_id=name, patient=None, problems=(Problem(patient_id=name, message=message, remedy=remedy),)
        )

    if patient.folder is None:
        return problem("there is no folder with its CT.", "Download or copy it, or remove the row.")
    try:
        scan = _prepare_scan(patient.folder, rules, folder)
    except (DicomError, CohortError, StorageError) as error:
        return problem(error.message, error.remedy)
    row = patient.row
    return Prepared(
        patient_id=name,
        patient=ManifestPatient(
            patient_id=name, input_sha256=scan.input_sha256, clinical=row.record, outcome=row.outcome
        ),
        notes=scan.notes,
        facts=scan.facts,
    )


def _prepare_scan(source: Path, rules: ScanRules, folder: Path) -> CachedScan:
    from star_core.dicom.discover import discover_series

    found = discover_series(source)
    ct, seg, notes = choose_series(found, experts_only=rules.experts_only)
    key = hash_sources((*ct.paths, *seg.paths), rules.config)
    cached = fetch_cached(rules.cache, key, folder)
    if cached is None:
        sha256, told, facts = _read_and_write(ct, seg, rules.config, folder)
        cached = CachedScan(input_sha256=sha256, notes=told, facts=facts)
        keep_cached(rules.cache, key, folder, cached)
    return CachedScan(input_sha256=cached.input_sha256, notes=(*notes, *cached.notes), facts=cached.facts)


def _read_and_write(
    ct: SeriesFiles, seg: SeriesFiles, config: PreprocessConfig, folder: Path
) -> tuple[str, tuple[str, ...], Facts]:
    from star_core.dicom.read import read_volume
    from star_core.dicom.seg import read_masks

    volume = read_volume(ct)
    masks = read_masks(seg, volume)
    if refused := [finding for finding in masks.findings if finding.code in _NO_LIVER]:
        raise CohortError(refused[0].message, remedy="Outline the liver, or choose another segmentation.")
    # The record is joined when the scan is loaded; it has no part in the prepared tensors.
    model_input = build_model_input(volume, masks, ClinicalRecord(), config=config)
    findings = (*volume.findings, *masks.findings, *model_input.findings)
    facts = {
        f"{str(structure.name).lower()}_ml": round(masks.volume_ml(structure), 1)
        for structure in Structure
        if masks.known & structure
    }
    told = tuple(finding.message for finding in findings if finding.severity is not Severity.NOTE)
    return write_input(folder, model_input), told, facts


def choose_series(found: Discovery, *, experts_only: bool) -> tuple[SeriesFiles, SeriesFiles, tuple[str, ...]]:
    """Return the CT and the segmentation of one patient, with what was odd about the choice.

    The experts' segmentation (series 100, or called "Segmentation") is taken before others, and the CT that it names
    before larger ones.

    Raises
    ------
    CohortError
        When there is no CT, no segmentation, none by experts, or scans of several patients.
    """
    from star_core.dicom.seg import EXPERT_DESCRIPTION, EXPERT_SERIES_NUMBER

    scans = [series for series in found.by_modality("CT") if series.image_count >= _MIN_SLICES]
    if not scans:
        others = ", ".join(sorted({series.modality or "unknown" for series in found.series})) or "nothing"
        raise CohortError(
            f"there is no CT series in its folder; found: {others}.", remedy="Download or copy the CT again."
        )
    if len({series.patient_key for series in scans if series.patient_key}) > 1:
        raise CohortError("its folder holds CTs of several patients.", remedy="Keep one patient a folder.")

    def is_expert(series: SeriesFiles) -> bool:
        called = series.description.strip().lower() == EXPERT_DESCRIPTION
        return series.series_number == EXPERT_SERIES_NUMBER or called

    drawn = found.by_modality("SEG")
    experts = [series for series in drawn if is_expert(series)]
    if not drawn or (experts_only and not experts):
        made = f"; {len(drawn)} by programs were passed over" if drawn else ""
        raise CohortError(
            f"there is no {'expert ' if experts_only else ''}segmentation in its folder{made}.",
            remedy="Download or copy the DICOM SEG of its CT.",
        )
    candidates = experts or list(drawn)
    named = [ct for ct in scans if any(ct.series_uid in seg.referenced_series_uids for seg in candidates)]
    ct = max(named or scans, key=lambda series: (series.image_count, series.series_uid))
    seg = _choose_drawn(candidates, ct)
    return ct, seg, _tell_choice(scans, drawn, ct, seg)


def _choose_drawn(candidates: Sequence[SeriesFiles], ct: SeriesFiles) -> SeriesFiles:
    """Return the segmentation that names the CT; else one that names none, else any; series 100 first among equals."""
    from star_core.dicom.seg import EXPERT_SERIES_NUMBER

    def rank(series: SeriesFiles) -> tuple[bool, bool, bool, str]:
        names_it = ct.series_uid in series.referenced_series_uids
        other_number = series.series_number != EXPERT_SERIES_NUMBER
        return not names_it, bool(series.referenced_series_uids), other_number, series.series_uid

    return min(candidates, key=rank)


def _tell_choice(
    scans: Sequence[SeriesFiles], drawn: Sequence[SeriesFiles], ct: SeriesFiles, seg: SeriesFiles
) -> tuple[str, ...]:
    notes = []
    if len(scans) > 1:
        notes.append(f"{len(scans)} CT series; taken: {ct.label}, {len(ct.paths)} slices.")
    if len(drawn) > 1:
        notes.append(f"{len(drawn)} segmentations; taken: {seg.label}.")
    return tuple(notes)
