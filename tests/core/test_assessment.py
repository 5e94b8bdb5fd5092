"""An assessor remembers the scan and minds the record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from star_core import api
from star_core.assessment import Assessor, to_forecast_json
from star_core.errors import BundleError
from star_core.model.bundle import ModelBundle, read_bundle
from star_core.types import (
    Assessment,
    Case,
    CentringRule,
    Landmark,
    Registration,
    RegistrationKind,
    RegistrationQuality,
)


def test_a_changed_record_changes_the_forecast_and_keeps_the_scan(untrained_bundle: Path) -> None:
    case = api.demo_case()
    assessor = Assessor(read_bundle(untrained_bundle))
    steps: list[tuple[int, int]] = []
    first = assessor.assess(case, progress=lambda done, total: steps.append((done, total)))
    assert steps[0] == (0, 4)
    assert steps[-1] == (4, 4)
    older = replace(case, clinical=replace(case.clinical, age_years=85.0))
    second = assessor.assess(older)
    assert second.model_input.image is first.model_input.image or np.shares_memory(
        second.model_input.image, first.model_input.image
    )
    assert not np.allclose(second.forecast.overall_survival, first.forecast.overall_survival, atol=1e-9)
    again = assessor.assess(case)
    np.testing.assert_allclose(again.forecast.overall_survival, first.forecast.overall_survival)


def test_the_models_planes_follow_a_bifurcation_that_a_reader_moved(untrained_bundle: Path) -> None:
    case, assessor = api.demo_case(), Assessor(read_bundle(untrained_bundle))
    first = assessor.assess(case)
    point_mm = first.landmarks.points_mm[Landmark.BIFURCATION]
    moved_mm = (point_mm[0], point_mm[1], point_mm[2] + 12.0)
    moved = assessor.assess(replace(case, landmarks=first.landmarks.with_moved(Landmark.BIFURCATION, moved_mm)))
    assert moved.model_input.centring_rule is CentringRule.USER
    index = case.baseline_scan.geometry.lps_to_index(np.array(moved_mm))
    assert moved.model_input.centre_index == pytest.approx(float(index[0]))
    assert moved.segments != first.segments
    again = assessor.assess(replace(case, landmarks=first.landmarks))
    assert again.model_input.centring_rule is first.model_input.centring_rule
    assert again.model_input.centre_index == first.model_input.centre_index


def test_a_demonstration_model_says_so_in_every_result(demo_assessed: tuple[Case, Assessment]) -> None:
    content = to_forecast_json(demo_assessed[1])
    codes = {entry["code"] for entry in content["quality"]}  # type: ignore[index, attr-defined]
    assert "demonstration-model" in codes
    assert "esearch" in str(content["notice"])


def test_a_model_of_other_fields_is_refused(untrained_bundle: Path) -> None:
    bundle = read_bundle(untrained_bundle)
    other = ModelBundle(card=bundle.card.model_copy(update={"fields": ("age_years",)}), weights=bundle.weights)
    with pytest.raises(BundleError, match="other clinical fields"):
        Assessor(other)


def test_a_scan_is_prepared_as_the_model_was_trained(untrained_bundle: Path) -> None:
    bundle = read_bundle(untrained_bundle)
    card = bundle.card.model_copy(update={"preprocessing": {"z": "slices"}})
    assessment = Assessor(ModelBundle(card=card, weights=bundle.weights)).assess(api.demo_case())
    assert assessment.model_input.geometry.spacing_mm[0] == pytest.approx(3.0)  # the demonstration CT's own slices
    unknown = bundle.card.model_copy(update={"preprocessing": {"z": "spirals"}})
    with pytest.raises(BundleError, match="prepared in a way"):
        Assessor(ModelBundle(card=unknown, weights=bundle.weights))


def lie(*, shifted_mm: float) -> Registration:
    """A later scan that lies to the left of where the first one does."""
    to_later = np.eye(4)
    to_later[0, 3] = shifted_mm
    quality = RegistrationQuality(similarity_before=0.5, similarity_after=0.9, overlap_share=1.0)
    return Registration(kind=RegistrationKind.AFFINE, to_later_lps=to_later, quality=quality)


def test_a_follow_up_in_the_first_scans_space_fills_its_year(untrained_bundle: Path) -> None:
    case = api.demo_case()
    darker = replace(case.baseline_scan, voxels_hu=case.baseline_scan.voxels_hu - np.int16(40), series_uid="2.25.7")
    followed = replace(case, scans={**case.scans, 2: darker})
    assessor = Assessor(read_bundle(untrained_bundle))
    alone = assessor.assess(case)
    assessment = assessor.assess(followed)
    (later,) = assessment.model_input.follow_ups
    assert later.year == 2
    assert later.image.shape == assessment.model_input.image.shape
    assert later.image.mean() < assessment.model_input.image.mean()
    assert assessment.provenance.follow_up_series_uids == {2: "2.25.7"}
    assert not np.array_equal(assessment.forecast.overall_survival, alone.forecast.overall_survival)
    elsewhere = replace(case, scans={**case.scans, 3: darker}, registrations={3: lie(shifted_mm=30.0)})
    assessment = assessor.assess(elsewhere)
    (moved,) = assessment.model_input.follow_ups
    assert moved.year == 3
    assert not np.array_equal(moved.image, later.image)
    assert "year 3" in next(finding.message for finding in assessment.findings if finding.code == "follow-up")
    words = assessment.provenance.follow_up_registrations[3]
    assert words == "affine, grey values agree by 0.90 (0.50 as they lay), 100 % covered"
    assert to_forecast_json(assessment)["provenance"]["follow_up_registrations"] == {3: words}  # type: ignore[index]
