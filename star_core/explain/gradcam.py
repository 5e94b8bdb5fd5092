"""Grad-CAM: which places of the scan speak for a forecast, and how their heat is shared among the organs.

Heat says where a network looks, not where recurrence will arise: that is the risk map. It is computed at the encoder's
third level, not at the coarsest: there a cell is 80 x 48 x 48 mm, too coarse to tell liver from spine, and attention
has already carried features from place to place. A cell of the third level is 40 x 24 x 24 mm, and everything that
reaches a forecast passes it or a finer skip.
Source: Selvaraju et al. 2020, doi 10.1007/s11263-019-01228-7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from star_core.errors import BundleError
from star_core.imaging.preprocess import PreprocessConfig
from star_core.types import FloatArray, Geometry, ModelInput, Structure

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from star_core.model.projector import Rates
    from star_core.model.star import Network, StarBatch

LEVEL = 3
CELL_VOXELS = 2**LEVEL
BONE_HU = 200.0
ORGANS = ("liver", "tumour", "bone", "rest")
BONE_RULE = (
    f"cells outside of every segmented structure whose prepared grey value is at least that of {BONE_HU:.0f} HU; "
    "the image is clipped and its contrast equalised slice by slice before, so the limit is one of grey value, and "
    "the aorta or kidneys may pass it"
)


class ExplainedOutcome(StrEnum):
    """What is explained: recurrence anywhere as first event by the end of a year, or death from any cause."""

    RECURRENCE = "recurrence"
    DEATH = "death"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heatmap:
    """Grad-CAM of one forecast: ``heat`` float32 (D, H, W) in [0, 1] on the model grid ``geometry``, its peak 1.

    All 0 where nothing at the third level speaks for the outcome.
    """

    heat: FloatArray
    geometry: Geometry
    year: int
    outcome: ExplainedOutcome

    def __post_init__(self) -> None:
        view = self.heat.view()
        view.flags.writeable = False
        object.__setattr__(self, "heat", view)


def compute_gradcam(
    network: Network,
    model_input: ModelInput,
    year: int,
    outcome: ExplainedOutcome,
    *,
    device: torch.device | None = None,
) -> Heatmap:
    """Return the Grad-CAM heatmap of one patient's forecast.

    The score is the cumulative incidence of recurrence, or the probability of death, by the end of ``year``. Features
    of each year are channels of their own: heat = ReLU(sum over channels k and years t of mean(dScore / dA_kt) A_kt).

    Parameters
    ----------
    network
        In evaluation mode.
    model_input
        The prepared scan and record.
    year
        Postoperative year, 1 to the network's last.
    outcome
        What is explained.
    device
        Where to run; the processor by default.

    Raises
    ------
    BundleError
        When the network has no such year, or no encoder of the scan with levels to look at.
    """
    import torch

    from star_core.model.star import build_batch

    level = _find_level(network)
    if not 1 <= year <= network.config.n_years:
        raise BundleError(
            f"The model forecasts years 1 to {network.config.n_years}, asked was year {year}.",
            remedy="Choose one of these years.",
        )
    device = device or torch.device("cpu")
    network.to(device)
    batch = build_batch(model_input, network.config).to(device)
    cells = _weigh_cells(network, level, batch, year, outcome)
    return Heatmap(
        heat=_spread_to_grid(cells, model_input.geometry.shape),
        geometry=model_input.geometry,
        year=year,
        outcome=outcome,
    )


def _find_level(network: Network) -> nn.Module:
    """Return the layer whose output is the encoder's third level."""
    from star_core.model.star import Star

    if not isinstance(network, Star) or network.tracker is None:
        raise BundleError(
            f"Grad-CAM needs an encoder of the scan with levels, which a network {network.config.network!r} "
            f"of {network.config.input_channels.value!r} inputs does not have.",
            remedy="Choose a model of the network star that sees the scan.",
        )
    encoder = network.tracker.encoder
    return encoder.time3 if encoder.has_years else encoder.down3


def _weigh_cells(
    network: Network, level: nn.Module, batch: StarBatch, year: int, outcome: ExplainedOutcome
) -> FloatArray:
    """Return the heat (d, h, w) of the level's cells, before scaling."""
    import torch

    kept: list[Tensor] = []
    hook = level.register_forward_hook(lambda module, inputs, output: kept.append(output))
    try:
        with torch.enable_grad():
            rates, _ = network.project(network.track(batch), batch)
    finally:
        hook.remove()
    (gradient,) = torch.autograd.grad(_score(rates, year, outcome), kept[0], allow_unused=True)
    if gradient is None:
        raise BundleError(
            "The forecast of this model does not depend on what its encoder sees.",
            remedy="Choose a model of the network star that sees the scan.",
        )
    weight = gradient.mean(dim=(3, 4, 5), keepdim=True)
    heat: FloatArray = torch.relu((weight * kept[0]).sum(dim=(1, 2)))[0].detach().float().cpu().numpy()
    return heat


def _score(rates: Rates, year: int, outcome: ExplainedOutcome) -> Tensor:
    """Return the probability that is explained; as :mod:`star_core.model.incidence`, but with gradients."""
    import torch

    if outcome is ExplainedOutcome.DEATH:
        return -torch.expm1(-rates.death[0, :year].sum())
    by_cause = rates.causes[0, :year]
    total = by_cause.sum(dim=-1)
    before = torch.exp(-(total.cumsum(dim=0) - total))
    return (before * by_cause[:, :2].sum(dim=-1) / total * -torch.expm1(-total)).sum()


def _spread_to_grid(cells: FloatArray, shape: tuple[int, int, int]) -> FloatArray:
    """Return cells (d, h, w) on the model grid by trilinear interpolation, scaled to a peak of 1.

    Each strided convolution (width 3, stride 2, padding 1) centres its cell i on voxel 2i, so three put it on 8i.
    """
    from scipy.ndimage import map_coordinates

    peak = float(cells.max(initial=0.0))
    if not peak > 0.0:
        return np.zeros(shape, dtype=np.float32)
    places = np.meshgrid(*(np.arange(size) / CELL_VOXELS for size in shape), indexing="ij")
    heat: FloatArray = map_coordinates(cells / peak, places, order=1, mode="nearest").astype(np.float32)
    return np.clip(heat, 0.0, 1.0)


def share_by_organ(
    heatmap: Heatmap, model_input: ModelInput, config: PreprocessConfig | None = None
) -> Mapping[str, float]:
    """Return the shares of the heat in liver without tumours, tumours, bone and the rest; they sum to 1.

    A cell's heat is divided by the shares of the cell that each structure fills; what neither liver nor tumour fills
    is bone where the cell is bright (``BONE_RULE``), else rest. All shares are 0 where there is no heat.

    Parameters
    ----------
    heatmap
        On the grid of ``model_input``.
    model_input
        The prepared scan.
    config
        How it was prepared: its lowest and highest HU; the defaults when not given.
    """
    config = config or PreprocessConfig()
    tumour = model_input.fraction_of(Structure.TUMOUR)
    organs = np.maximum(model_input.fraction_of(Structure.LIVER), tumour)
    bone_grey = 2.0 * (BONE_HU - config.lowest_hu) / (config.highest_hu - config.lowest_hu) - 1.0
    outside = ~model_input.fractions.any(axis=0)
    bone = (outside & (model_input.image[0] >= bone_grey)).astype(np.float32)
    parts: tuple[FloatArray, ...] = (organs - tumour, tumour, bone, 1.0 - organs - bone)
    heat = heatmap.heat.astype(np.float64)
    total = max(float(heat.sum()), np.finfo(np.float64).tiny)
    return {name: float((heat * part).sum()) / total for name, part in zip(ORGANS, parts, strict=True)}
