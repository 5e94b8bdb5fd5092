"""Frozen value types shared by every room of the house; numpy only.

Arrays are made read-only when a value is built. Axis order is (slice, row, column) = (D, H, W) everywhere, and
world coordinates are DICOM LPS (left, posterior, superior) in millimetres (DICOM PS3.3 C.7.6.2.1.1).
"""

from __future__ import annotations

from star_core.types.basics import (
    MODEL_GRID_SHAPE,
    N_YEARS,
    BoolArray,
    DoubleArray,
    FloatArray,
    ProgressCallback,
    count_values,
    ignore_progress,
)
from star_core.types.couinaud import (
    SEGMENTS,
    CouinaudLandmarks,
    CouinaudSegments,
    Landmark,
    LandmarkOrigin,
    Segment,
)
from star_core.types.findings import Finding, Severity
from star_core.types.images import STRUCTURES, Acquisition, Masks, Structure, Volume
from star_core.types.model_input import CentringRule, FollowUpInput, ModelInput
from star_core.types.patient import CAUSES, Case, Cause, ClinicalRecord, Outcome, Sex
from star_core.types.registration import Deformation, Registration, RegistrationKind, RegistrationQuality
from star_core.types.results import (
    MIN_AT_RISK,
    Assessment,
    CohortForecast,
    Forecast,
    Interval,
    Provenance,
    RegionRisk,
    RiskMap,
)
from star_core.types.space import Geometry, PointMm

__all__ = [
    "CAUSES",
    "MIN_AT_RISK",
    "MODEL_GRID_SHAPE",
    "N_YEARS",
    "SEGMENTS",
    "STRUCTURES",
    "Acquisition",
    "Assessment",
    "BoolArray",
    "Case",
    "Cause",
    "CentringRule",
    "ClinicalRecord",
    "CohortForecast",
    "CouinaudLandmarks",
    "CouinaudSegments",
    "Deformation",
    "DoubleArray",
    "Finding",
    "FloatArray",
    "FollowUpInput",
    "Forecast",
    "Geometry",
    "Interval",
    "Landmark",
    "LandmarkOrigin",
    "Masks",
    "ModelInput",
    "Outcome",
    "PointMm",
    "ProgressCallback",
    "Provenance",
    "RegionRisk",
    "Registration",
    "RegistrationKind",
    "RegistrationQuality",
    "RiskMap",
    "Segment",
    "Severity",
    "Sex",
    "Structure",
    "Volume",
    "count_values",
    "ignore_progress",
]
