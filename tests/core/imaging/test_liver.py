"""The liver estimate for a CT without segmentation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from star_core.api import open_case
from star_core.cohort.demo import draw_demo_patient
from star_core.imaging.liver import estimate_liver
from star_core.types import Geometry, Severity, Structure, Volume


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def test_the_demonstration_patients_liver_is_found() -> None:
    case = draw_demo_patient()
    assert case.masks is not None
    mask, findings = estimate_liver(case.baseline_scan)
    assert dice(mask, case.masks.mask_of(Structure.LIVER)) > 0.8
    assert findings[0].code == "liver-estimated"


def test_a_scan_without_a_liver_is_told() -> None:
    geometry = Geometry(shape=(20, 64, 64), affine_lps=np.diag([5.0, 5.0, 5.0, 1.0]))
    air = Volume(voxels_hu=np.full(geometry.shape, -1000, np.int16), geometry=geometry, series_uid="1")
    mask, findings = estimate_liver(air)
    assert not mask.any()
    assert [finding.severity for finding in findings] == [Severity.WARNING, Severity.REFUSAL]


def test_a_real_liver_is_found(ircad_folder: Path) -> None:
    case = open_case(ircad_folder)
    assert case.masks is not None
    mask, _ = estimate_liver(case.baseline_scan)
    assert dice(mask, case.masks.mask_of(Structure.LIVER)) > 0.85
