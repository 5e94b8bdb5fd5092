"""A later scan reaches the model's grid as its registration says: shifted, scaled and bent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from star_core.cohort.phantom import draw_scan
from star_core.imaging.follow_up import describe_follow_ups, prepare_follow_up
from star_core.types import (
    Case,
    Deformation,
    DoubleArray,
    FloatArray,
    Geometry,
    Registration,
    RegistrationKind,
    RegistrationQuality,
    Severity,
    Volume,
)

QUALITY = RegistrationQuality(similarity_before=0.5, similarity_after=0.9, overlap_share=1.0)


@pytest.fixture(scope="module")
def case() -> Case:
    drawn = draw_scan(np.random.default_rng(4), slice_mm=5.0, in_plane=96)
    return Case(case_id="phantom", scans={0: drawn.volume}, masks=drawn.masks)


@pytest.fixture(scope="module")
def grid(case: Case) -> Geometry:
    middle = case.baseline_scan.geometry.index_to_lps((np.array(case.baseline_scan.geometry.shape) - 1) / 2)
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = 5.0, 6.0, 6.0, 1.0
    shape = (16, 32, 32)
    affine[:3, 3] = middle - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Geometry(shape=shape, affine_lps=affine)


def elsewhere(volume: Volume, motion: DoubleArray) -> Volume:
    return replace(
        volume, geometry=Geometry(shape=volume.geometry.shape, affine_lps=motion @ volume.geometry.affine_lps)
    )


def prepared(case: Case, volume: Volume, grid: Geometry, registration: Registration | None) -> FloatArray:
    assert case.masks is not None
    masks = replace(case.masks, geometry=volume.geometry)
    follow_up = prepare_follow_up(volume, masks, year=2, grid=grid, registration=registration)
    return np.concatenate([follow_up.image, follow_up.fractions])


def test_a_scan_that_lies_elsewhere_and_is_larger_gives_the_same_as_the_first(case: Case, grid: Geometry) -> None:
    motion = np.diag([1.1, 1.05, 0.95, 1.0])
    motion[:3, 3] = [12.0, -7.0, 20.0]
    later = elsewhere(case.baseline_scan, motion)
    found = Registration(kind=RegistrationKind.AFFINE, to_later_lps=motion, quality=QUALITY)
    expected = prepared(case, case.baseline_scan, grid, None)
    got = prepared(case, later, grid, found)
    assert np.corrcoef(got.ravel(), expected.ravel())[0, 1] > 0.98
    assert np.corrcoef(prepared(case, later, grid, None).ravel(), expected.ravel())[0, 1] < 0.9


def test_the_scan_of_another_patient_that_was_accepted_is_a_warning(case: Case) -> None:
    own, other = (
        replace(case.baseline_scan, acquisition=replace(case.baseline_scan.acquisition, patient_key=key))
        for key in ("a", "b")
    )
    found = describe_follow_ups(replace(case, scans={0: own, 2: own, 4: other}), {})
    assert [(finding.code, finding.severity) for finding in found] == [
        ("other-patient", Severity.WARNING),
        ("follow-up", Severity.NOTE),
        ("follow-up", Severity.NOTE),
    ]
    assert "year 4" in found[0].message


def test_a_bending_and_a_readers_adjustment_count(case: Case, grid: Geometry) -> None:
    scan = case.baseline_scan
    displacement = np.zeros((*scan.geometry.shape, 3), dtype=np.float32)
    displacement[..., 2] = 10.0
    bending = Deformation(displacement_mm=displacement, geometry=scan.geometry)
    bent = Registration(kind=RegistrationKind.B_SPLINE, to_later_lps=np.eye(4), quality=QUALITY, deformation=bending)
    shifted = np.eye(4)
    shifted[2, 3] = 10.0
    as_body = Registration(kind=RegistrationKind.RIGID, to_later_lps=shifted, quality=QUALITY)
    by_bending, by_shift = prepared(case, scan, grid, bent), prepared(case, scan, grid, as_body)
    np.testing.assert_allclose(by_bending[:, 4:-4], by_shift[:, 4:-4], atol=1e-3)
    back = bent.adjusted((0.0, 0.0, 10.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    assert back.is_adjusted
    assert back.in_words().endswith("adjusted by hand")
    np.testing.assert_allclose(
        prepared(case, scan, grid, back)[:, 4:-4], prepared(case, scan, grid, None)[:, 4:-4], atol=1e-3
    )
