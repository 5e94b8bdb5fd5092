"""Risk by region adds up to the liver's."""

from __future__ import annotations

import numpy as np

from star_core.cohort.phantom import Phantom
from star_core.explain.regions import compute_region_risks, compute_segment_risks
from star_core.types import CouinaudLandmarks, Landmark, LandmarkOrigin, RiskMap

LANDMARKS = CouinaudLandmarks(
    points_mm={
        Landmark.VENA_CAVA: (-18.0, 32.0, 50.0),
        Landmark.RIGHT_VEIN: (-100.0, 15.0, 0.0),
        Landmark.MIDDLE_VEIN: (-45.0, -45.0, 0.0),
        Landmark.LEFT_VEIN: (30.0, -40.0, 0.0),
        Landmark.BIFURCATION: (-22.0, 8.0, -8.0),
        Landmark.LEFT_PORTAL: (10.0, -40.0, 16.0),
    },
    origins=dict.fromkeys(Landmark, LandmarkOrigin.VESSEL),
)


def test_parts_are_disjoint_and_cover_the_whole(phantom: Phantom) -> None:
    risk_map = RiskMap(density_per_ml=phantom.law.where * 0.01, geometry=phantom.model_input.geometry)
    whole, *parts = compute_region_risks(risk_map, phantom.model_input)
    assert len(parts) >= 3
    np.testing.assert_allclose(sum(p.cumulative_incidence for p in parts), whole.cumulative_incidence, rtol=1e-6)
    np.testing.assert_allclose(sum(p.volume_ml for p in parts), whole.volume_ml, rtol=1e-4)


def test_the_surroundings_of_tumours_carry_most_of_a_map_drawn_around_them(phantom: Phantom) -> None:
    risk_map = RiskMap(density_per_ml=phantom.law.where * 0.01, geometry=phantom.model_input.geometry)
    density = {
        part.name: part.cumulative_incidence[0] / part.volume_ml
        for part in compute_region_risks(risk_map, phantom.model_input)
    }
    assert density["Within 10 mm of a tumour"] > density["Elsewhere in the tissue at risk"]


def test_couinaud_segments_part_the_same_risk(phantom: Phantom) -> None:
    risk_map = RiskMap(density_per_ml=phantom.law.where * 0.01, geometry=phantom.model_input.geometry)
    whole, *_ = compute_region_risks(risk_map, phantom.model_input)
    segments = compute_segment_risks(risk_map, phantom.model_input, LANDMARKS)
    assert segments[0].name == "Segment I"
    np.testing.assert_allclose(sum(s.cumulative_incidence for s in segments), whole.cumulative_incidence, rtol=1e-6)
    np.testing.assert_allclose(sum(s.volume_ml for s in segments), whole.volume_ml, rtol=1e-4)
