"""Augmentation of training inputs."""

from __future__ import annotations

import numpy as np

from star_core.cohort.phantom import Phantom
from star_core.imaging.augment import Augmentation, augment_input
from star_core.training.data import draw_site
from star_core.types import Outcome

NOTHING = Augmentation(elastic_mm=0.0, noise_sigma=0.0, blur_sigma_mm=0.0)


def site_of(phantom: Phantom) -> np.ndarray:
    centre = np.argwhere(phantom.model_input.at_risk_fraction > 0.9).mean(axis=0)
    x, y, z = phantom.model_input.geometry.index_to_lps(centre)
    outcome = Outcome(event_months=1, cause=None, survival_months=1, died=False, site_lps_mm=(x, y, z))
    return draw_site(outcome, phantom.model_input)


def test_zero_strengths_change_nothing(phantom: Phantom) -> None:
    site = site_of(phantom)
    changed, same_site = augment_input(phantom.model_input, site, NOTHING, np.random.default_rng(0))
    np.testing.assert_array_equal(changed.image, phantom.model_input.image)
    np.testing.assert_array_equal(same_site, site)


def test_bending_keeps_volumes_and_moves_the_site_with_the_tissue(phantom: Phantom) -> None:
    site = site_of(phantom)
    augmentation = Augmentation(elastic_mm=5.0, noise_sigma=0.0, blur_sigma_mm=0.0)
    changed, moved = augment_input(phantom.model_input, site, augmentation, np.random.default_rng(1))
    before, after = phantom.model_input.fractions[0], changed.fractions[0]
    assert np.abs(after - before).max() > 0.2
    assert abs(after.sum() / before.sum() - 1) < 0.05
    assert 0.0 <= after.min() <= after.max() <= 1.0
    assert abs(moved.sum() / site.sum() - 1) < 0.3
    shift = np.array(np.argwhere(moved > 0.5).mean(axis=0) - np.argwhere(site > 0.5).mean(axis=0))
    assert np.linalg.norm(shift * phantom.model_input.geometry.spacing_mm) < 10.0


def test_the_same_generator_gives_the_same_copy(phantom: Phantom) -> None:
    site = site_of(phantom)
    augmentation = Augmentation(elastic_mm=0.0)
    first, _ = augment_input(phantom.model_input, site, augmentation, np.random.default_rng(4))
    again, _ = augment_input(phantom.model_input, site, augmentation, np.random.default_rng(4))
    np.testing.assert_array_equal(first.image, again.image)
    assert np.std(first.image - phantom.model_input.image) <= 0.15
