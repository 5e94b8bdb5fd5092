"""Risk by region adds up to the liver's."""

from __future__ import annotations

import numpy as np

from star_core.cohort.phantom import Phantom
from star_core.explain.regions import compute_region_risks
from star_core.types import RiskMap


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
