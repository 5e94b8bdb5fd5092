"""The facade: everything that a program or a person can ask of the library, one function each.

Importing this module is cheap; torch, pydicom and the rest load inside the function that needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from star_core.errors import ClinicalRecordError, NotCtError, SegmentationError, StorageError
from star_core.model.registry import ModelInfo, activate_model, find_model, list_models, user_folder, user_models_folder
from star_core.types import (
    N_YEARS,
    Assessment,
    Case,
    ClinicalRecord,
    Finding,
    ProgressCallback,
    Volume,
    ignore_progress,
)

if TYPE_CHECKING:
    from star_core.assessment import Assessor, Attention
    from star_core.cohort.fetch import Listing
    from star_core.cohort.manifest import Manifest
    from star_core.cohort.scans import MadeCohort
    from star_core.dicom.discover import Discovery, SeriesFiles
    from star_core.dicom.summary import FolderSummary
    from star_core.evaluation.benchmark import BenchmarkResult
    from star_core.evaluation.compare import ComparisonPlan
    from star_core.evaluation.maps import MapRow, Patients
    from star_core.evaluation.summary import SummaryRow
    from star_core.imaging.preprocess import PreprocessConfig
    from star_core.model.bundle import ModelCard
    from star_core.training.presets import Preset
    from star_core.training.run import EpochCallback, PresetName, TrainingSettings

__all__ = [
    "ModelInfo",
    "SeriesInfo",
    "activate_model",
    "assess",
    "check_maps",
    "demo_case",
    "explain_attention",
    "fetch_collection",
    "fine_tune",
    "inspect_folder",
    "install_model",
    "join_cohorts",
    "list_collection",
    "list_models",
    "list_series",
    "load_assessor",
    "open_case",
    "preparation",
    "run_benchmarks",
    "train",
    "write_assessment",
    "write_attention",
    "write_demo",
    "write_local_cohort",
    "write_phantom_cohort",
    "write_record_cohort",
    "write_report",
    "write_tcia_cohort",
    "write_twin_cohort",
]

CLINICAL_FILE = "clinical.json"
NIFTI_SUFFIXES = (".nii", ".nii.gz")
WORKBOOK_SUFFIXES = (".xlsx", ".xlsm")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesInfo:
    """One series of a folder, as a browser shows it."""

    series_uid: str
    study_uid: str
    modality: str
    description: str
    series_number: int | None
    slice_count: int
    patient_key: str
    findings: tuple[Finding, ...]
    folder: Path


# --------------------------------------------------------------------------- looking and opening


def inspect_folder(folder: Path, progress: ProgressCallback = ignore_progress) -> FolderSummary:
    """Return every series of a folder with its geometry, HU range, segments and findings (``star info``)."""
    from star_core.dicom.summary import summarise_folder

    return summarise_folder(folder, progress)


def list_series(folder: Path, progress: ProgressCallback = ignore_progress) -> tuple[SeriesInfo, ...]:
    """Return the series of a folder without reading their pixels."""
    from star_core.dicom.discover import discover_series

    return tuple(
        SeriesInfo(
            series_uid=series.series_uid,
            study_uid=series.study_uid,
            modality=series.modality,
            description=series.description,
            series_number=series.series_number,
            slice_count=len(series.paths),
            patient_key=series.patient_key,
            findings=series.findings,
            folder=folder,
        )
        for series in discover_series(folder, progress).series
    )


def open_case(
    folder: Path,
    *,
    series_uid: str | None = None,
    segmentation: Path | None = None,
    clinical: Path | None = None,
    patient_id: str | None = None,
    follow_ups: Mapping[int, Path] | None = None,
    interpolate_gaps: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> Case:
    """Read one patient: the CT, its expert segmentation where there is one, and the clinical record.

    Parameters
    ----------
    folder
        Folder (or file) with the CT, or a NIfTI file for research use. A ``clinical.json`` in it is taken over.
    series_uid
        The CT series to open; the one with most slices when not given.
    segmentation
        DICOM SEG file or folder; searched in ``folder`` when not given.
    clinical
        Clinical record as JSON, or a workbook with a row for ``patient_id``.
    patient_id
        The patient's name in the workbook.
    follow_ups
        Later CTs of the patient: postoperative year (1 to 12, months since surgery / 12 rounded up) to folder.
    interpolate_gaps
        Whether missing or uneven slices are filled between their neighbours instead of refused.
    progress
        Called with slices read and their total.

    Raises
    ------
    StorageError, DicomError, SegmentationError, ClinicalRecordError
        With a message that says what is wrong and what to do.
    """
    record_file = clinical or _record_beside(folder)
    record = ClinicalRecord() if record_file is None else _read_record(record_file, patient_id)
    if folder.name.lower().endswith(NIFTI_SUFFIXES):
        case = _open_nifti(folder, segmentation, record)
    else:
        case = _open_dicom(folder, series_uid, segmentation, record, progress, interpolate_gaps=interpolate_gaps)
    later = {year: _open_follow_up(path, year, interpolate_gaps) for year, path in (follow_ups or {}).items()}
    return replace(case, scans={**case.scans, **later})


def _open_follow_up(path: Path, year: int, interpolate_gaps: bool) -> Volume:
    from star_core.dicom.discover import discover_series
    from star_core.dicom.read import read_volume
    from star_core.imaging.nifti import read_nifti_volume

    if not 1 <= year <= N_YEARS:
        raise StorageError(
            f"The follow-up in {path.name!r} is of year {year}; expected a postoperative year from 1 to {N_YEARS}.",
            remedy="Divide the months since surgery by 12 and round up.",
        )
    if path.name.lower().endswith(NIFTI_SUFFIXES):
        return read_nifti_volume(path)
    return read_volume(_choose_ct(discover_series(path), None), interpolate_gaps=interpolate_gaps)


def _record_beside(folder: Path) -> Path | None:
    for candidate in (folder / CLINICAL_FILE, folder.parent / CLINICAL_FILE):
        if candidate.is_file():
            return candidate
    return None


def _read_record(path: Path, patient_id: str | None) -> ClinicalRecord:
    from star_core.clinical.record import read_record_json
    from star_core.clinical.tables import read_workbook_record

    if path.suffix.lower() not in WORKBOOK_SUFFIXES:
        return read_record_json(path)
    if patient_id is None:
        raise ClinicalRecordError(
            f"The workbook {path.name!r} holds many patients.", remedy="Say which one (option --patient)."
        )
    return read_workbook_record(path, patient_id)


def _open_nifti(path: Path, segmentation: Path | None, record: ClinicalRecord) -> Case:
    from star_core.imaging.nifti import read_nifti_volume

    if segmentation is not None:
        raise SegmentationError(
            "A segmentation cannot be joined with a NIfTI image: NIfTI carries no frame of reference.",
            remedy="Open the CT as DICOM, or leave the segmentation out.",
        )
    volume = read_nifti_volume(path)
    return Case(case_id=to_pseudonym(volume), scans={0: volume}, clinical=record)


def _open_dicom(
    folder: Path,
    series_uid: str | None,
    segmentation: Path | None,
    record: ClinicalRecord,
    progress: ProgressCallback,
    *,
    interpolate_gaps: bool,
) -> Case:
    from star_core.dicom.discover import discover_series
    from star_core.dicom.read import read_volume
    from star_core.dicom.seg import choose_segmentation, read_masks

    found = discover_series(folder)
    volume = read_volume(_choose_ct(found, series_uid), progress, interpolate_gaps=interpolate_gaps)
    source = choose_segmentation(found if segmentation is None else discover_series(segmentation), volume)
    if source is None and segmentation is not None:
        raise SegmentationError(
            f"No DICOM segmentation was found in {segmentation.name!r}.",
            remedy="Choose a DICOM SEG file that was drawn on this CT.",
        )
    masks = None if source is None else read_masks(source, volume)
    return Case(case_id=to_pseudonym(volume), scans={0: volume}, masks=masks, clinical=record)


def _choose_ct(found: Discovery, series_uid: str | None) -> SeriesFiles:
    scans = found.by_modality("CT")
    if series_uid is not None:
        for series in found.series:
            if series.series_uid == series_uid:
                return series
        raise StorageError("The chosen series is no longer in its folder.", remedy="Open the folder again.")
    if not scans:
        others = ", ".join(sorted({series.modality or "unknown" for series in found.series})) or "no DICOM series"
        raise NotCtError(f"There is no CT series in this folder; found: {others}.", remedy="Choose a folder with a CT.")
    return max(scans, key=lambda series: len(series.paths))


def to_pseudonym(volume: Volume) -> str:
    """Return a case's pseudonym: the same for the same series, and no way back to the patient."""
    import hashlib

    return "CASE-" + hashlib.sha256(volume.series_uid.encode()).hexdigest()[:8].upper()


def demo_case() -> Case:
    """Return the built-in demonstration patient, who is synthetic."""
    from star_core.cohort.demo import draw_demo_patient

    return draw_demo_patient()


def write_demo(out: Path) -> None:
    """Write the demonstration patient into a new folder: CT series and SEG as DICOM, ``clinical.json``.

    Raises
    ------
    StorageError
        When the folder exists and is not empty or cannot be written.
    """
    from star_core.clinical.record import write_record_json
    from star_core.dicom.export import write_ct_series, write_segmentation
    from star_core.storage import new_folder

    case = demo_case()
    with new_folder(out) as folder:
        write_ct_series(
            case.baseline_scan, folder / "ct", patient_id=case.case_id, patient_name="DEMONSTRATION^SYNTHETIC"
        )
        if case.masks is not None:
            write_segmentation(
                case.masks,
                case.baseline_scan,
                folder / "segmentation.dcm",
                patient_id=case.case_id,
                patient_name="DEMONSTRATION^SYNTHETIC",
            )
        write_record_json(case.clinical, folder / CLINICAL_FILE)


# --------------------------------------------------------------------------- assessing


def load_assessor(model: str | None = None, *, device: str = "auto") -> Assessor:
    """Return an assessor for a model by name or folder, the active one by default.

    It keeps the features of the last scan, so that a changed clinical record costs a fraction of the first run.
    """
    from star_core.assessment import Assessor
    from star_core.model.bundle import read_bundle

    return Assessor(read_bundle(find_model(model)), device=device)


def assess(
    case: Case, model: str | None = None, *, device: str = "auto", progress: ProgressCallback = ignore_progress
) -> Assessment:
    """Prepare, predict and explain one case."""
    return load_assessor(model, device=device).assess(case, progress=progress)


def write_assessment(case: Case, assessment: Assessment, out: Path) -> None:
    """Write ``forecast.json``, ``riskmap.nii.gz`` and ``report.pdf`` into a new folder, all or nothing.

    Raises
    ------
    StorageError
        When the folder exists and is not empty, cannot be written, or the disk is full.
    """
    from star_core.assessment import write_forecast_json
    from star_core.imaging.nifti import write_nifti_series
    from star_core.storage import new_folder

    with new_folder(out) as folder:
        write_forecast_json(assessment, folder / "forecast.json")
        write_nifti_series(assessment.risk_map.density_per_ml, assessment.risk_map.geometry, folder / "riskmap.nii.gz")
        write_report(case, assessment, folder / "report.pdf")


def explain_attention(
    case: Case, year: int, outcome: str, model: str | None = None, *, device: str = "auto"
) -> Attention:
    """Return where a model looks for a forecast by the end of a year: Grad-CAM and its shares by organ.

    Parameters
    ----------
    case
        The patient.
    year
        Postoperative year, 1 to 12.
    outcome
        ``recurrence`` (anywhere, as first event) or ``death`` (from any cause).
    model
        Model by name or folder; the active one by default.
    device
        auto, cpu or cuda.

    Raises
    ------
    BundleError
        When the model has no encoder of the scan to look at, or there is no such outcome or year.
    """
    from star_core.errors import BundleError
    from star_core.explain.gradcam import ExplainedOutcome

    try:
        explained = ExplainedOutcome(outcome)
    except ValueError as error:
        known = ", ".join(ExplainedOutcome)
        raise BundleError(f"There is no outcome {outcome!r} to explain.", remedy=f"Choose one of: {known}.") from error
    return load_assessor(model, device=device).explain_attention(case, year, explained)


def write_attention(attention: Attention, out: Path) -> None:
    """Write ``heatmap.nii.gz`` (one volume, 0 to 1) and ``shares.json`` into a new folder, all or nothing.

    Raises
    ------
    StorageError
        When the folder exists and is not empty, cannot be written, or the disk is full.
    """
    from star_core.assessment import write_shares_json
    from star_core.imaging.nifti import write_nifti_series
    from star_core.storage import new_folder

    heatmap = attention.heatmap
    with new_folder(out) as folder:
        write_nifti_series(heatmap.heat[None], heatmap.geometry, folder / "heatmap.nii.gz")
        write_shares_json(attention, folder / "shares.json")


def write_report(case: Case, assessment: Assessment, path: Path) -> None:
    """Write the PDF report of an assessment."""
    from star_core.report.pdf import write_report as write_pdf

    write_pdf(case, assessment, path)


def run_benchmarks(ct: Path | None = None, segmentation: Path | None = None) -> list[BenchmarkResult]:
    """Measure the promised figures, each beside its peer; on the demonstration patient when no CT is given."""
    import tempfile

    from star_core.evaluation.benchmark import measure_all

    with tempfile.TemporaryDirectory() as folder:
        if ct is None:
            write_demo(Path(folder) / "demo")
            ct, segmentation = Path(folder) / "demo" / "ct", Path(folder) / "demo" / "segmentation.dcm"
        return measure_all(ct, segmentation, Path(folder))


# --------------------------------------------------------------------------- training


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


def write_record_cohort(clinical: Path, out: Path) -> int:
    """Write a cohort of a workbook's records without scans and return its number of patients.

    Only models of the record can be trained on it; see :func:`star_core.cohort.records.write_record_cohort`.
    """
    from star_core.cohort.records import write_record_cohort as write_cohort

    return len(write_cohort(clinical, out).patients)


def train(
    cohort: Path,
    out: Path,
    preset: Preset | None = None,
    *,
    name: str | None = None,
    title: str = "",
    resume: bool = False,
    progress: ProgressCallback = ignore_progress,
    on_epoch: EpochCallback | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> ModelCard:
    """Train a new model on a cohort; see :func:`star_core.training.fit.train`."""
    from star_core.training.fit import train as fit
    from star_core.training.presets import PRESETS
    from star_core.training.run import PresetName, ignore_epoch, never_stop

    return fit(
        cohort,
        out,
        preset or PRESETS[PresetName.STAR],
        name=name or _to_model_name(out),
        title=title,
        resume=resume,
        progress=progress,
        on_epoch=on_epoch or ignore_epoch,
        should_stop=should_stop or never_stop,
    )


def fine_tune(
    model: str | None,
    cohort: Path,
    out: Path,
    settings: TrainingSettings | None = None,
    *,
    heads_only: bool = True,
    name: str | None = None,
    progress: ProgressCallback = ignore_progress,
    on_epoch: EpochCallback | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> ModelCard:
    """Fine-tune a model on a cohort; see :func:`star_core.training.finetune.fine_tune`."""
    from star_core.training.finetune import HEADS, WHOLE
    from star_core.training.finetune import fine_tune as fit
    from star_core.training.run import ignore_epoch, never_stop

    return fit(
        find_model(model),
        cohort,
        out,
        settings or (HEADS if heads_only else WHOLE),
        heads_only=heads_only,
        name=name or _to_model_name(out),
        progress=progress,
        on_epoch=on_epoch or ignore_epoch,
        should_stop=should_stop or never_stop,
    )


def evaluate_model(
    model: str | None,
    cohort: Path,
    out: Path,
    *,
    patients: Patients = "test",
    seed: int | None = None,
    device: str = "auto",
    progress: ProgressCallback = ignore_progress,
) -> tuple[SummaryRow, ...]:
    """Measure a model on a cohort; see :func:`star_core.evaluation.evaluate.evaluate`."""
    from star_core.evaluation.evaluate import evaluate

    return evaluate(find_model(model), cohort, out, patients=patients, seed=seed, device=device, progress=progress)


def compare_models(
    cohort: Path,
    plan: ComparisonPlan,
    out: Path,
    *,
    device: str = "auto",
    progress: ProgressCallback = ignore_progress,
) -> tuple[SummaryRow, ...]:
    """Fit and measure models on identical folds; see :func:`star_core.evaluation.compare.compare`."""
    from star_core.evaluation.compare import compare

    return compare(cohort, plan, out, device=device, progress=progress)


def check_maps(
    cohort: Path,
    models: Sequence[str],
    out: Path,
    *,
    patients: Patients = "test",
    seed: int = 0,
    device: str = "auto",
    progress: ProgressCallback = ignore_progress,
) -> tuple[MapRow, ...]:
    """Check models' maps at recorded sites of recurrence; see :func:`star_core.evaluation.maps.check_maps`."""
    from star_core.evaluation.maps import check_maps as check

    folders = [find_model(model) for model in models]
    return check(cohort, folders, out, patients=patients, seed=seed, device=device, progress=progress)


def install_model(folder: Path) -> ModelInfo:
    """Copy a bundle into the user's models, so that it can be chosen by name; returns how it is listed.

    Raises
    ------
    BundleError
        When the bundle is damaged, or another model of its name is installed.
    StorageError
        When it cannot be copied.
    """
    from star_core.errors import BundleError
    from star_core.model.bundle import read_bundle, write_bundle

    bundle = read_bundle(folder)
    name = bundle.card.name
    for info in list_models():
        if info.name == name and Path(info.path) != folder:
            raise BundleError(
                f"A model called {name!r} is already installed.", remedy="Give the new model another name."
            )
    target = user_models_folder() / name
    if target != folder:
        write_bundle(bundle.card, bundle.weights, target)
    return next(info for info in list_models() if info.name == name)


def _to_model_name(folder: Path) -> str:
    kept = "".join(letter if letter.isalnum() else "-" for letter in folder.name.lower() if letter.isascii())
    return kept.strip("-")[:64] or "model"
