"""From a network to probabilities and a map that adds up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from star_core.cohort.phantom import Phantom
from star_core.errors import DeviceError
from star_core.model.bundle import read_bundle
from star_core.model.predict import Prediction, choose_device, lay_out, predict
from star_core.model.projector import limit_death_rate
from star_core.model.star import Star
from star_core.types import CAUSES, Cause

AT_RISK = tuple(range(120, 0, -10))


@pytest.fixture(scope="module")
def network(untrained_bundle: Path) -> Star:
    return read_bundle(untrained_bundle).build_network()


@pytest.fixture(scope="module")
def prediction(network: Star, phantom: Phantom) -> Prediction:
    return predict(network, phantom.model_input, AT_RISK)


def test_incidences_sum_with_survival_to_one(prediction: Prediction) -> None:
    forecast = prediction.forecast
    total = sum(forecast.cumulative_incidence[cause] for cause in CAUSES) + forecast.event_free_survival
    np.testing.assert_allclose(total, 1.0, atol=1e-12)


def test_the_map_integrates_to_the_livers_incidence(prediction: Prediction) -> None:
    risk_map = prediction.risk_map
    integral = risk_map.density_per_ml.sum(axis=(1, 2, 3), dtype=np.float64) * risk_map.geometry.voxel_volume_ml
    expected = prediction.forecast.cumulative_incidence[Cause.LIVER]
    np.testing.assert_allclose(integral, expected, rtol=1e-5)


def test_resected_tissue_carries_no_risk(prediction: Prediction, phantom: Phantom) -> None:
    assert (prediction.risk_map.density_per_ml[:, phantom.model_input.at_risk_fraction == 0] == 0).all()


def test_nobody_is_event_free_and_dead(prediction: Prediction) -> None:
    forecast = prediction.forecast
    assert (forecast.overall_survival >= forecast.event_free_survival - 1e-12).all()
    assert (np.diff(forecast.overall_survival) <= 1e-12).all()


def test_intervals_are_probabilities_about_the_estimate(prediction: Prediction) -> None:
    forecast = prediction.forecast
    for name, interval in forecast.intervals.items():
        if name in ("overall_survival", "event_free_survival"):
            estimate = getattr(forecast, name)
        else:
            estimate = forecast.any_recurrence if name == "any" else forecast.cumulative_incidence[Cause(name)]
        assert (interval.lower <= estimate).all()
        assert (estimate <= interval.upper).all()
        assert interval.lower.min() >= 0
        assert interval.upper.max() <= 1


def test_another_record_on_the_same_scan_reuses_its_features(
    network: Star, phantom: Phantom, prediction: Prediction
) -> None:
    changed = replace(phantom.model_input, clinical=phantom.model_input.clinical + 1.0)
    quick = predict(network, changed, AT_RISK, features=prediction.features)
    full = predict(network, changed, AT_RISK)
    np.testing.assert_allclose(quick.risk_map.density_per_ml, full.risk_map.density_per_ml, rtol=1e-6)
    assert not np.allclose(quick.forecast.overall_survival, prediction.forecast.overall_survival, atol=1e-9)


def test_the_rate_of_death_is_held_by_hand() -> None:
    death = limit_death_rate(torch.tensor([0.5, 0.1, 0.3]), torch.tensor([0.2, 0.6, 0.1]))
    torch.testing.assert_close(death, torch.tensor([0.2, 0.4, 0.3]))


def test_the_device_called_auto_exists() -> None:
    assert choose_device().type in ("cpu", "cuda")


def test_graphics_cards_get_channels_last_and_the_numbers_stay() -> None:
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Conv3d(8, 8, 3), torch.nn.ConvTranspose3d(8, 2, 2, stride=2))
    x = torch.randn(1, 8, 6, 6, 6)
    before = layers(x)
    lay_out(layers, torch.device("cpu"))
    assert layers[0].weight.is_contiguous()
    lay_out(layers, torch.device("cuda"))
    assert layers[0].weight.is_contiguous(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(layers(x), before, rtol=1e-4, atol=1e-5)


def test_a_missing_graphics_card_is_told_plainly() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a graphics card")
    with pytest.raises(DeviceError, match="No graphics card"):
        choose_device("cuda")
    with pytest.raises(DeviceError, match="no device 'abacus'"):
        choose_device("abacus")
