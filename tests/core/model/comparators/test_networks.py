"""Comparators behind STAR's interface: the same heads, losses, curves and bundles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from star_core.model.build import build_network
from star_core.model.comparators.networks import AminnEncoder, ComparatorNetwork
from star_core.model.config import ComparatorConfig, OutcomeModel
from star_core.model.predict import predict
from star_core.model.star import build_batch
from star_core.training.module import StarTask
from star_core.training.run import TrainingSettings
from star_core.types import CAUSES, ModelInput
from tests.core.conftest import SMALL_GRID, build_training_batch

NETWORKS = ("cnn3d", "resnet18", "resnet34", "resnet50", "aminn", "stg")


def build(network: str, **options: object) -> ComparatorNetwork:
    torch.manual_seed(0)
    config = ComparatorConfig.model_validate(
        {"network": network, "n_clinical": 14, "grid_shape": SMALL_GRID, "width": 16, "n_members": 4, **options}
    )
    built = build_network(config)
    assert isinstance(built, ComparatorNetwork)
    return built


@pytest.mark.parametrize("network", NETWORKS)
def test_a_comparator_learns_a_step_and_forecasts_as_star_does(network: str, small_input: ModelInput) -> None:
    built = build(network)
    task = StarTask(built, TrainingSettings(), 10)
    task.log = lambda *args, **kwargs: None  # type: ignore[method-assign]
    task.training_step(build_training_batch(built, [small_input]), 0).backward()
    assert all(torch.isfinite(weight.grad).all() for weight in built.parameters() if weight.grad is not None)
    prediction = predict(built.eval(), small_input, (50,) * 12)
    curves = prediction.forecast
    total = curves.event_free_survival + sum(curves.cumulative_incidence[cause] for cause in CAUSES)
    np.testing.assert_allclose(total, 1.0, atol=1e-9)
    per_tissue = prediction.risk_map.density_per_ml[0][small_input.at_risk_fraction > 0.5]
    tissue = small_input.at_risk_fraction[small_input.at_risk_fraction > 0.5]
    np.testing.assert_allclose(per_tissue / tissue, (per_tissue / tissue)[0], rtol=1e-4)  # no map: spread evenly


def test_a_comparator_can_go_without_the_record_and_with_year_classes(small_input: ModelInput) -> None:
    other = replace(small_input, clinical=small_input.clinical + 1.0)
    built = build("cnn3d", uses_record=False, outcome=OutcomeModel.YEAR_CLASS).eval()
    first, second = (predict(built, x, (50,) * 12).forecast.overall_survival for x in (small_input, other))
    np.testing.assert_array_equal(first, second)


def test_without_years_of_its_own_a_network_can_still_tell_early_from_late(small_input: ModelInput) -> None:
    torch.manual_seed(0)
    other = replace(small_input, clinical=small_input.clinical + 3.0)
    built = build("cnn3d", outcome=OutcomeModel.YEAR_CLASS).eval()
    logits = []
    for patient in (small_input, other):
        batch = build_batch(patient, built.config)
        rates, _ = built.project(built.track(batch), batch)
        assert rates.years is not None
        logits.append(rates.years.survival[0, :-1])
    assert (logits[1] - logits[0]).std() > 1e-3  # not the same shift in every year


def test_aminn_weighs_lesions_whatever_their_order_and_ignores_empty_places() -> None:
    torch.manual_seed(0)
    built = build("aminn").eval()
    encoder = built.encoder
    assert isinstance(encoder, AminnEncoder)
    features, present = torch.randn(1, 8, 64), torch.tensor([[1.0, 1, 1, 0, 0, 0, 0, 0]])
    encoder.standardise(features, present)
    assert torch.isfinite(encoder.mean).all()
    order = torch.tensor([2, 0, 1, 7, 6, 5, 4, 3])

    def pooled(f: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
        from star_core.model.star import NodeBatch, StarBatch

        empty = torch.zeros(1, 0)
        batch = StarBatch(empty, empty, empty, empty, empty, NodeBatch(f, p, torch.zeros(1, 8, 3)))
        result: torch.Tensor = encoder(batch).pooled
        return result

    torch.testing.assert_close(pooled(features, present), pooled(features[:, order], present[:, order]))
    filled = features.clone()
    filled[:, 3:] = 100.0
    torch.testing.assert_close(pooled(features, present), pooled(filled, present))
