"""Grad-CAM: a heatmap in bounds and in place, its shares, and networks that have none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from star_core import api
from star_core.errors import BundleError
from star_core.explain.gradcam import (
    CELL_VOXELS,
    ORGANS,
    ExplainedOutcome,
    Heatmap,
    _score,
    _spread_to_grid,
    compute_gradcam,
    share_by_organ,
)
from star_core.model.build import build_network
from star_core.model.config import ComparatorConfig, InputChannels, OutcomeModel, Part, StarConfig
from star_core.model.incidence import compute_cumulative_incidence
from star_core.model.predict import predict
from star_core.model.projector import Rates
from star_core.model.star import build_batch
from star_core.types import CentringRule, Geometry, ModelInput, Structure
from tests.core.conftest import SMALL_GRID, build_config

TINY = build_config().model_copy(update={"grid_shape": SMALL_GRID, "channels": (4, 8, 8, 8), "width": 16})
OPTIONS: Sequence[dict[str, object]] = (
    {},
    {"outcome": OutcomeModel.YEAR_CLASS},
    {"parts": ()},
    {"parts": (Part.A,), "input_channels": InputChannels.CT},
)


def build_tiny(**options: object) -> torch.nn.Module:
    torch.manual_seed(2)
    return build_network(StarConfig.model_validate(TINY.model_dump() | options)).eval()


@pytest.mark.parametrize("outcome", ExplainedOutcome)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_heat_lies_between_0_and_1_on_the_model_grid(
    small_input: ModelInput, options: dict[str, object], outcome: ExplainedOutcome
) -> None:
    heatmap = compute_gradcam(build_tiny(**options), small_input, 3, outcome)
    assert heatmap.heat.shape == small_input.geometry.shape
    assert heatmap.heat.dtype == np.float32
    assert heatmap.heat.min() >= 0.0
    assert heatmap.heat.max() in (0.0, 1.0)
    assert heatmap.geometry is small_input.geometry
    shares = share_by_organ(heatmap, small_input)
    assert tuple(shares) == ORGANS
    assert sum(shares.values()) == pytest.approx(float(heatmap.heat.any()))


def test_the_explained_score_is_the_forecast(small_input: ModelInput) -> None:
    network = build_tiny()
    forecast = predict(network, small_input, (0,) * 12).forecast
    rates = Rates(
        causes=torch.tensor(np.stack(list(forecast.rates.values()), axis=-1))[None],
        death=-torch.log(torch.tensor(forecast.overall_survival)).diff(prepend=torch.zeros(1, dtype=torch.float64))[
            None
        ],
        liver_per_tissue_ml=torch.zeros(1),
        member_causes=torch.zeros(1),
        member_death=torch.zeros(1),
    )
    recurrence, death = (float(_score(rates, 5, outcome)) for outcome in ExplainedOutcome)
    assert recurrence == pytest.approx(forecast.any_recurrence[4], rel=1e-6)
    assert death == pytest.approx(1.0 - forecast.overall_survival[4], rel=1e-6)


def test_cells_are_put_where_their_convolutions_are_centred() -> None:
    cells = np.zeros((2, 4, 4), np.float32)
    cells[1, 2, 3] = 5.0
    heat = _spread_to_grid(cells, (10, 32, 32))
    assert heat[CELL_VOXELS, 2 * CELL_VOXELS, 3 * CELL_VOXELS] == 1.0
    assert heat[CELL_VOXELS, 2 * CELL_VOXELS, 2 * CELL_VOXELS + 4] == pytest.approx(0.5)
    assert not _spread_to_grid(np.zeros((2, 4, 4), np.float32), (10, 32, 32)).any()


def test_the_heat_agrees_with_finite_differences(small_input: ModelInput) -> None:
    network = build_tiny(parts=())
    level, batch = network.tracker.encoder.down3, build_batch(small_input, network.config)
    kept: list[torch.Tensor] = []

    def forecast(change: torch.Tensor) -> float:
        def shift(module: object, inputs: object, output: torch.Tensor) -> torch.Tensor:
            kept.append(output.clone())
            return output + change

        hook = level.register_forward_hook(shift)
        with torch.no_grad():
            rates, _ = network.project(network.track(batch), batch)
        hook.remove()
        return float(compute_cumulative_incidence(rates.causes[0].double().numpy())[2, :2].sum())

    weights = []
    for channel in torch.eye(TINY.channels[2]):
        change = 0.05 * channel[None, :, None, None, None, None]
        weights.append((forecast(change) - forecast(-change)) / 0.1)
    levels = kept[0][0, :, 0].double().numpy()
    cells = np.maximum(np.tensordot(np.array(weights), levels, axes=1), 0.0)
    heat = compute_gradcam(network, small_input, 3, ExplainedOutcome.RECURRENCE).heat
    np.testing.assert_allclose(heat, _spread_to_grid(cells, small_input.geometry.shape), atol=0.02)
    assert heat.any()


def test_a_bright_change_of_the_scan_changes_the_heat(small_input: ModelInput) -> None:
    network, outcome = build_tiny(), ExplainedOutcome.RECURRENCE
    image = small_input.image.copy()
    image[0, :, :16] = 1.0
    heat = compute_gradcam(network, small_input, 2, outcome).heat
    changed = compute_gradcam(network, replace(small_input, image=image), 2, outcome).heat
    assert not np.allclose(heat, changed)


def test_shares_by_hand() -> None:
    shape = (1, 2, 2)
    fractions = np.zeros((5, *shape), np.float32)
    fractions[0, 0, 0] = 1.0, 0.5  # liver in the first row
    fractions[4, 0, 0, 0] = 0.25  # a quarter of its first cell is tumour
    image = np.array([[[[0.9, 0.9], [0.85, 0.75]]]], np.float32)  # 200 HU is 0.8
    geometry = Geometry(shape=shape, affine_lps=np.eye(4))
    heatmap = Heatmap(heat=np.ones(shape, np.float32), geometry=geometry, year=1, outcome=ExplainedOutcome.RECURRENCE)
    nothing = np.zeros(0, np.float32)
    model_input = ModelInput(
        image=image,
        fractions=fractions,
        known=Structure.LIVER | Structure.TUMOUR,
        clinical=nothing,
        clinical_missing=nothing,
        geometry=geometry,
        centring_rule=CentringRule.VOLUME_CENTRE,
        centre_index=0.0,
    )
    shares = share_by_organ(heatmap, model_input)
    assert shares == pytest.approx({"liver": 1.25 / 4, "tumour": 0.25 / 4, "bone": 1 / 4, "rest": 1.5 / 4})


@pytest.mark.parametrize("kind", ["comparator", "record"])
def test_networks_without_levels_of_the_scan_are_refused(small_input: ModelInput, kind: str) -> None:
    if kind == "record":
        network = build_tiny(parts=(Part.B,), input_channels=InputChannels.NONE)
    else:
        network = build_network(
            ComparatorConfig(network="cnn3d", n_clinical=TINY.n_clinical, grid_shape=SMALL_GRID, width=16)
        )
    with pytest.raises(BundleError, match="Grad-CAM needs"):
        compute_gradcam(network, small_input, 2, ExplainedOutcome.DEATH)


def test_a_year_beyond_the_last_is_refused(small_input: ModelInput) -> None:
    with pytest.raises(BundleError, match="years 1 to 12"):
        compute_gradcam(build_tiny(), small_input, 13, ExplainedOutcome.DEATH)


def test_attention_of_a_case_is_written_as_nifti_and_json(untrained_bundle: Path, tmp_path: Path) -> None:
    case = api.demo_case()
    attention = api.explain_attention(case, 2, "recurrence", str(untrained_bundle))
    api.write_attention(attention, tmp_path / "out")
    content = json.loads((tmp_path / "out" / "shares.json").read_text(encoding="utf-8"))
    assert content["year"] == 2
    assert "synthetic" in content["model_trained_on"]
    assert "Research use only" in content["notice"]
    assert sum(content["shares"].values()) == pytest.approx(1.0)
    image = (tmp_path / "out" / "heatmap.nii.gz").read_bytes()
    assert image.startswith(b"\x1f\x8b")
