"""Synthetic patients with a known law."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from star_core.cohort.law import BASELINE_RATES, TumourBurden, compute_rates, draw_outcome
from star_core.cohort.manifest import Manifest, load_input
from star_core.cohort.phantom import Phantom, draw_phantom, write_phantom_cohort
from star_core.errors import CohortError, StorageError
from star_core.types import Cause, Structure


def test_the_same_seed_gives_the_same_patient(phantom: Phantom) -> None:
    again = draw_phantom(3)
    np.testing.assert_array_equal(again.model_input.image, phantom.model_input.image)
    assert again.outcome == phantom.outcome
    assert again.clinical == phantom.clinical


def test_structures_lie_where_anatomy_puts_them(phantom: Phantom) -> None:
    fraction = phantom.model_input.fraction_of
    liver = fraction(Structure.LIVER)
    volume_ml = phantom.model_input.geometry.voxel_volume_ml
    assert 700 < liver.sum() * volume_ml < 3000
    assert fraction(Structure.REMNANT).sum() < liver.sum()
    # Every tumour cell lies in or at the liver.
    assert fraction(Structure.TUMOUR)[liver == 0].sum() < 0.02 * fraction(Structure.TUMOUR).sum()


def test_where_adds_up_to_one_and_stays_in_the_tissue_at_risk(phantom: Phantom) -> None:
    np.testing.assert_allclose(phantom.law.where.sum(axis=(1, 2, 3), dtype=np.float64), 1.0, rtol=1e-4)
    assert (phantom.law.where[:, phantom.model_input.at_risk_fraction == 0] == 0).all()


def burden(**changes: object) -> TumourBurden:
    values: dict[str, object] = {
        "number": 1,
        "largest_cm": 3.0,
        "bilobar": False,
        "cea_ng_ml": 10.0,
        "steatosis": False,
        "node_positive": False,
        "synchronous": False,
        "extrahepatic": False,
        "age_years": 60.0,
        "comorbidity": False,
    }
    return TumourBurden(**(values | changes))  # type: ignore[arg-type]


def test_more_tumours_raise_the_livers_rate_and_age_that_of_death() -> None:
    plain = compute_rates(burden())
    assert plain.shape == (12, 3)
    assert (compute_rates(burden(number=8))[:, 0] > plain[:, 0]).all()
    assert (compute_rates(burden(number=8))[:, 2] == plain[:, 2]).all()
    # By hand: one standard deviation of age multiplies the rate of death by exp(0.6).
    np.testing.assert_allclose(compute_rates(burden(age_years=72.0))[:, 2], plain[:, 2] * np.exp(0.6))
    assert len(BASELINE_RATES[Cause.LIVER]) == 12


def test_outcomes_follow_the_law(phantom: Phantom) -> None:
    generator = np.random.default_rng(0)
    outcomes = [draw_outcome(phantom.law, phantom.model_input, generator) for _ in range(1500)]
    followed = [o for o in outcomes if o.event_months > 12.0 or o.cause is not None]
    in_first_year = np.mean([o.cause is not None and o.event_months <= 12.0 for o in followed])
    expected = 1 - np.exp(-phantom.law.rates[0].sum())
    assert in_first_year == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / len(followed)) + 0.01)
    for outcome in outcomes:
        assert 0 < outcome.event_months <= outcome.survival_months + 1e-9
        assert (outcome.site_lps_mm is not None) == (outcome.cause is Cause.LIVER)
        assert outcome.cause is not Cause.DEATH or outcome.died


def test_a_written_cohort_is_read_with_scans_records_and_outcomes(cohort: Manifest) -> None:
    assert len(cohort.patients) == 20
    first = cohort.patients[0]
    model_input = load_input(cohort, first)
    expected = draw_phantom(5 * 1_000_003)
    assert first.outcome == expected.outcome
    np.testing.assert_allclose(model_input.image, expected.model_input.image, atol=1e-3)
    np.testing.assert_allclose(model_input.fractions, expected.model_input.fractions, atol=1 / 500)


def test_an_interrupted_cohort_goes_on_where_it_stopped(tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    def kill_after_first(done: int, total: int) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        write_phantom_cohort(2, tmp_path / "c", seed=1, progress=kill_after_first)
    with pytest.raises(CohortError, match="seed 1"):
        write_phantom_cohort(2, tmp_path / "c", seed=2)
    asked: list[int] = []
    manifest = write_phantom_cohort(2, tmp_path / "c", seed=1, progress=lambda done, total: asked.append(done))
    assert asked == [2]
    assert len(manifest.patients) == 2


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(StorageError, match="not empty"):
        write_phantom_cohort(1, tmp_path)
