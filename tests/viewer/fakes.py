"""Stand-ins for the library: an answerer that runs in the worker process and never loads a network."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import numpy as np

from star_core.errors import NotCtError, OtherPatientError, RegistrationError
from star_core.imaging.editing.patch import build_patch
from star_core.types import (
    CAUSES,
    Assessment,
    Case,
    Cause,
    ClinicalRecord,
    DoubleArray,
    Finding,
    Forecast,
    Interval,
    ProgressCallback,
    RegionRisk,
    RegistrationKind,
    RegistrationQuality,
    Severity,
    Sex,
    Structure,
)
from star_viewer.follow_ups import AlignedScan
from star_viewer.jobs.follow_up_requests import ListOtherStudies, OpenFollowUp
from star_viewer.jobs.mask_requests import ExportSegmentation, FindLiver, FoundLiver, ListLiverMethods
from star_viewer.jobs.requests import (
    ActivateModel,
    AssessCase,
    InstallModel,
    ListModels,
    ListSeries,
    OpenCase,
    Request,
    WriteReport,
    WriteSegments,
)
from tests.viewer.scene.factory import T, build_assessment, build_case

RECORD = ClinicalRecord(
    age_years=63.0,
    sex=Sex.MALE,
    node_positive_primary=True,
    synchronous_metastases=True,
    multiple_metastases=True,
    largest_tumour_cm=4.2,
    cea_ng_ml=18.0,
    clinical_risk_score=3,
)


@dataclass(frozen=True)
class FakeSeries:
    """Looks like ``api.SeriesInfo``."""

    series_uid: str
    modality: str = "CT"
    description: str = "Portal venous 5.0"
    series_number: int | None = 3
    slice_count: int = 119
    study_uid: str = "1.2"
    patient_key: str = "p"
    findings: tuple[Finding, ...] = ()
    folder: Path = field(default_factory=Path)


@dataclass(frozen=True)
class FakeModel:
    """Looks like ``api.ModelInfo``."""

    name: str
    title: str = "STAR (synthetic patients)"
    is_demonstration: bool = True
    is_active: bool = True
    cohort: str = "phantom"
    path: str = ""


def build_forecast(risk: float = 1.0) -> Forecast:
    """A plausible forecast; ``risk`` scales all rates."""
    years = np.arange(1, T + 1)
    yearly = {
        Cause.LIVER: 0.16 * risk * np.exp(-((years - 1.6) ** 2) / 9) + 0.004,
        Cause.ELSEWHERE: 0.13 * risk * np.exp(-((years - 2.0) ** 2) / 12) + 0.006,
        Cause.DEATH: 0.012 + 0.002 * years,
    }
    total: DoubleArray = np.sum(list(yearly.values()), axis=0)
    event_free = np.exp(-np.cumsum(total))
    start = np.concatenate([[1.0], event_free[:-1]])
    incidence = {cause: np.cumsum(start * yearly[cause] / total * (1 - np.exp(-total))) for cause in CAUSES}
    overall = np.exp(-np.cumsum(0.05 + 0.006 * years))
    spread = 0.02 + 0.009 * years
    curves = {
        "any": incidence[Cause.LIVER] + incidence[Cause.ELSEWHERE],
        "liver": incidence[Cause.LIVER],
        "elsewhere": incidence[Cause.ELSEWHERE],
        "death": incidence[Cause.DEATH],
        "overall_survival": overall,
        "event_free_survival": event_free,
    }
    return Forecast(
        rates=yearly,
        cumulative_incidence=incidence,
        event_free_survival=event_free,
        overall_survival=overall,
        intervals={
            name: Interval(lower=np.clip(curve - spread, 0, 1), upper=np.clip(curve + spread, 0, 1))
            for name, curve in curves.items()
        },
        at_risk=np.array([197, 150, 118, 94, 76, 58, 41, 27, 16, 8, 4, 2]),
    )


def build_full_assessment(case: Case) -> Assessment:
    """An assessment whose risk follows the patient's age, so that a changed record is seen."""
    forecast = build_forecast((case.clinical.age_years or 60.0) / 60.0)
    liver = forecast.cumulative_incidence[Cause.LIVER]
    return replace(
        build_assessment(),
        case_id=case.case_id,
        forecast=forecast,
        regions=(
            RegionRisk(name="Liver remnant", volume_ml=1120.0, cumulative_incidence=liver),
            RegionRisk(name="Within 10 mm of a tumour", volume_ml=60.0, cumulative_incidence=0.45 * liver),
            RegionRisk(name="10 to 30 mm from a tumour", volume_ml=210.0, cumulative_incidence=0.3 * liver),
            RegionRisk(name="Elsewhere in the remnant", volume_ml=850.0, cumulative_incidence=0.25 * liver),
        ),
        findings=(
            Finding(
                code="clinical-missing",
                severity=Severity.NOTE,
                message="5 of 16 clinical inputs are missing: Body mass index, Both lobes involved.",
            ),
            Finding(
                code="demonstration-model",
                severity=Severity.WARNING,
                message="The model was trained on synthetic patients; its numbers say nothing about a real patient.",
            ),
        ),
    )


def build_found_liver(case: Case) -> FoundLiver:
    """The left two thirds of the liver that is drawn."""
    assert case.masks is not None
    liver = case.masks.mask_of(Structure.LIVER)
    liver[:, :, : liver.shape[2] // 3] = False
    patch = build_patch(Structure.LIVER, (0, 0, 0), np.zeros_like(liver), liver)
    estimated = Finding(code="liver-estimated", severity=Severity.WARNING, message="The liver was found by a program.")
    return FoundLiver(liver=patch, volume_ml=900.0, findings=(estimated,))


class FakeTasks:
    """Answers like ``jobs.tasks.Tasks``; some folder names make it misbehave in the worker."""

    def __init__(self) -> None:
        self._case = replace(build_case(), clinical=RECORD)

    def answer(self, request: Request, progress: ProgressCallback) -> object:
        match request:
            case ListSeries():
                return (
                    FakeSeries(self._case.baseline_scan.series_uid, folder=request.folder),
                    FakeSeries("1.9", description="", series_number=2, slice_count=40),
                    FakeSeries("1.8", "SEG", "Segmentation", 100, 1),
                )
            case OpenCase():
                return self._open(request, progress)
            case OpenFollowUp():
                return self._follow(request)
            case ListOtherStudies():
                return ()
            case AssessCase():
                assessment = build_full_assessment(replace(self._case, clinical=request.clinical))
                return replace(assessment, landmarks=request.edits.landmarks or assessment.landmarks)
            case WriteReport():
                request.path.write_bytes(b"%PDF-1.7")
                return request.path
            case WriteSegments():
                request.path.write_bytes(b"DICM")
                return request.path
            case ListModels():
                return (FakeModel("star"), FakeModel("ours", "Ours", False, False, "local"))
            case ActivateModel() | InstallModel():
                return (FakeModel("star", is_active=False), FakeModel("ours", "Ours", False, True, "local"))
            case ListLiverMethods():
                return ("classical",)
            case FindLiver():
                return build_found_liver(self._case)
            case ExportSegmentation():
                request.path.write_bytes(b"DICM")
                return request.path
        raise ValueError(type(request).__name__)

    def _follow(self, request: OpenFollowUp) -> AlignedScan:
        """A later CT by the name of its folder: its date, or what is wrong with it."""
        name = request.source.folder.name if request.source.folder else "2026-01-31"
        if name == "diverges":
            raise RegistrationError(
                "The follow-up CT could not be aligned with the first one: it would be turned by 90 degrees.",
                remedy="Leave it out.",
            )
        if name == "stranger" and not request.source.accept_other_patient:
            raise OtherPatientError("The headers of this CT and of the first one name two patients.")
        first = self._case.baseline_scan
        later = replace(first, voxels_hu=first.voxels_hu + np.int16(50), series_uid=f"1.2.9.{name}")
        day = date.fromisoformat(name) if name[:1].isdigit() else None
        after = {RegistrationKind.RIGID: 0.7, RegistrationKind.AFFINE: 0.8, RegistrationKind.B_SPLINE: 0.9}
        quality = RegistrationQuality(similarity_before=0.5, similarity_after=after[request.kind], overlap_share=0.97)
        return AlignedScan(volume=later, acquired_on=day, quality=quality)

    def _open(self, request: OpenCase, progress: ProgressCallback) -> Case:
        match request.source.folder.name if request.source.folder else "":
            case "another":
                scan = replace(self._case.baseline_scan, series_uid="1.2.77")
                return replace(self._case, scans={0: scan})
            case "refused":
                raise NotCtError(
                    "There is no CT series in this folder; found: MR.", remedy="Choose a folder with a CT."
                )
            case "crash":
                os._exit(3)
            case "slow":
                for step in range(1000):
                    progress(step, 1000)
                    time.sleep(0.01)
            case "deaf":
                time.sleep(60)
            case "bug":
                raise ZeroDivisionError("division by zero")
        progress(1, 1)
        return self._case


def make_fake_tasks() -> FakeTasks:
    """Called in the worker process."""
    return FakeTasks()
