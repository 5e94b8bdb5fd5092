"""One network for every option: each builds, learns a step, and gives curves that are probabilities."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from star_core.errors import BundleError
from star_core.model.build import build_network
from star_core.model.config import Align, Attention, Disentangle, InputChannels, OutcomeModel, Part, StarConfig
from star_core.model.predict import predict
from star_core.model.projector import to_yearly_rates
from star_core.model.star import Star, build_batch
from star_core.training.module import StarTask
from star_core.training.run import TrainingSettings
from star_core.types import CAUSES, FollowUpInput, ModelInput
from tests.core.conftest import SMALL_GRID, build_training_batch

CHANNELS = (4, 8, 8, 8)
OPTIONS: list[dict[str, Any]] = [
    {},
    {"attention": Attention.TIME},
    {"align": Align.RATIO, "disentangle": Disentangle.MATCH},
    {"outcome": OutcomeModel.YEAR_CLASS},
    {"input_channels": InputChannels.CT},
    {"input_channels": InputChannels.NONE, "parts": (Part.B,)},
    {"parts": ()},
    {"parts": (Part.B,)},
    {"parts": (Part.A, Part.B)},
    {"parts": (Part.B, Part.C)},
]


def build_star(**options: Any) -> Star:
    torch.manual_seed(0)
    config = StarConfig(n_clinical=14, grid_shape=SMALL_GRID, channels=CHANNELS, width=16, n_members=4, **options)
    network = build_network(config)
    assert isinstance(network, Star)
    return network


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_option_forecasts_probabilities_whose_map_adds_up(
    options: dict[str, Any], small_input: ModelInput
) -> None:
    prediction = predict(build_star(**options).eval(), small_input, (50,) * 12)
    forecast = prediction.forecast
    total = forecast.event_free_survival + sum(forecast.cumulative_incidence[cause] for cause in CAUSES)
    np.testing.assert_allclose(total, 1.0, atol=1e-9)
    assert (np.diff(forecast.overall_survival) <= 0).all()
    integral = prediction.risk_map.density_per_ml.sum(axis=(1, 2, 3), dtype=np.float64)
    integral *= small_input.geometry.voxel_volume_ml
    np.testing.assert_allclose(integral, forecast.cumulative_incidence[CAUSES[0]], rtol=1e-5)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_option_learns_each_of_its_weights(options: dict[str, Any], small_input: ModelInput) -> None:
    network = build_star(**options)
    task = StarTask(network, TrainingSettings(reconstruction_weight=0.05), 10)
    task.log = lambda *args, **kwargs: None  # type: ignore[method-assign]
    task.training_step(build_training_batch(network, [small_input] * 2), 0).backward()
    idle = {name for name, weight in network.named_parameters() if weight.grad is None}
    assert not idle
    assert all(torch.isfinite(weight.grad).all() for weight in network.parameters() if weight.grad is not None)


def test_without_part_b_the_record_does_not_count(small_input: ModelInput) -> None:
    other = replace(small_input, clinical=small_input.clinical + 1.0)
    for parts, counts in (((Part.A,), False), ((Part.A, Part.B), True)):
        network = build_star(parts=parts).eval()
        first, second = (predict(network, x, (50,) * 12).forecast.overall_survival for x in (small_input, other))
        assert (not np.array_equal(first, second)) is counts


def test_a_follow_up_scan_moves_the_forecast(small_input: ModelInput) -> None:
    later = FollowUpInput(year=3, image=-small_input.image, fractions=small_input.fractions, known=small_input.known)
    network = build_star().eval()
    alone = predict(network, small_input, (50,) * 12).forecast
    followed = predict(network, replace(small_input, follow_ups=(later,)), (50,) * 12).forecast
    assert not np.array_equal(alone.overall_survival, followed.overall_survival)
    batch = build_batch(replace(small_input, follow_ups=(later,)), network.config)
    assert batch.scans.shape[0] == 2
    assert batch.slots.tolist() == [[0, 0] + [1] * 10]


def test_half_the_tissue_alone_does_not_halve_the_risk(small_input: ModelInput) -> None:
    network = build_star(parts=()).eval()
    batch = build_batch(small_input, network.config)
    half = replace(batch, at_risk_ml=batch.at_risk_ml * 0.5)
    with torch.no_grad():
        features = network.track(batch)
        (whole, _), (halved, _) = network.project(features, batch), network.project(features, half)
    torch.testing.assert_close(halved.causes, whole.causes)
    torch.testing.assert_close(halved.liver_per_tissue_ml, whole.liver_per_tissue_ml * 2)


def test_impossible_parts_are_refused() -> None:
    with pytest.raises(ValidationError, match="add B"):
        StarConfig(n_clinical=3, parts=(Part.C,))
    with pytest.raises(ValidationError, match="add part B"):
        StarConfig(n_clinical=3, parts=(Part.A,), input_channels=InputChannels.NONE)


def test_a_scan_on_another_grid_is_refused(small_input: ModelInput) -> None:
    config = StarConfig(n_clinical=14)
    with pytest.raises(BundleError, match="40 x 128 x 128, found a scan on 10 x 32 x 32"):
        build_batch(small_input, config)


def test_year_classes_and_their_rates_mean_the_same() -> None:
    logits = torch.randn(5, 13, dtype=torch.float64)
    survival = torch.exp(-to_yearly_rates(logits.float()).cumsum(-1))
    torch.testing.assert_close(survival, 1.0 - F.softmax(logits.float(), dim=-1)[:, :-1].cumsum(-1))
