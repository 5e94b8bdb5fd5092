"""The automatic liver."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from star_core.api import open_case
from star_core.cohort.demo import draw_demo_patient
from star_core.errors import CancelledError
from star_core.imaging.liver import Phase, segment_liver
from star_core.types import BoolArray, Case, Geometry, Severity, Structure, Volume


def dice(a: BoolArray, b: BoolArray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def codes(volume: Volume) -> set[str]:
    return {finding.code for finding in segment_liver(volume).findings}


@pytest.fixture(scope="module")
def demo() -> Case:
    return draw_demo_patient()


@pytest.fixture(scope="module")
def demo_liver(demo: Case) -> BoolArray:
    assert demo.masks is not None
    return demo.masks.mask_of(Structure.LIVER)


def test_the_demonstration_patients_liver_is_found(demo: Case, demo_liver: BoolArray) -> None:
    found = segment_liver(demo.baseline_scan)
    assert dice(found.mask, demo_liver) > 0.9
    assert found.findings[0].code == "liver-estimated"
    assert found.volume_ml == pytest.approx(found.mask.sum() * demo.baseline_scan.geometry.voxel_volume_ml)
