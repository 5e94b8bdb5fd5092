"""Assessing a case with a model, explaining it, and writing down what was found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from star_core.model.registry import find_model
from star_core.types import Assessment, Case, ProgressCallback, ignore_progress

if TYPE_CHECKING:
    from star_core.assessment import Assessor, Attention


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
        _write_pdf(case, assessment, folder / "report.pdf")
    _write_down_export(assessment.case_id, "assessment")


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
    _write_down_export(attention.case_id, "attention")


def write_report(case: Case, assessment: Assessment, path: Path) -> None:
    """Write the PDF report of an assessment."""
    _write_pdf(case, assessment, path)
    _write_down_export(assessment.case_id, "report")


def _write_pdf(case: Case, assessment: Assessment, path: Path) -> None:
    from star_core.report.pdf import write_report as write_pdf

    write_pdf(case, assessment, path)


def _write_down_export(case_id: str, what: str) -> None:
    from star_core.archive.audit import AuditAction, write_down

    write_down(AuditAction.EXPORT, subject=case_id, details={"what": what})
