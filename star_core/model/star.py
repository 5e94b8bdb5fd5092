"""STAR: tracker, integrator and projector as one network."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from star_core.errors import BundleError
from star_core.model.comparators.nodes import NODE_NETWORKS, Nodes, build_nodes
from star_core.model.config import ComparatorConfig, InputChannels, StarConfig
from star_core.model.inputs import build_channels, find_slots
from star_core.model.integrator import FusedFeatures, Integrator
from star_core.model.projector import Projector, Rates
from star_core.model.tracker import ImageFeatures, Tracker
from star_core.types import ModelInput


@dataclass(frozen=True)
class NodeBatch:
    """Lesions and regions of B patients: features (B, N, F), present (B, N), places in LPS mm (B, N, 3)."""

    features: Tensor
    present: Tensor
    places_mm: Tensor

    def to(self, device: torch.device) -> NodeBatch:
        """Return the nodes on another device."""
        return NodeBatch(self.features.to(device), self.present.to(device), self.places_mm.to(device))


@dataclass(frozen=True)
class StarBatch:
    """B patients with N scans in all.

    ``scans`` (N, C, D, H, W), of which year t of patient b sees ``slots[b, t]``; record and its gaps (B, F); tissue at
    risk in ml (B, D, H, W); ``nodes`` only for the networks that see nodes instead of voxels.
    """

    scans: Tensor
    slots: Tensor
    clinical: Tensor
    missing: Tensor
    at_risk_ml: Tensor
    nodes: NodeBatch | None = None

    def to(self, device: torch.device) -> StarBatch:
        """Return the batch on another device."""
        return StarBatch(
            self.scans.to(device),
            self.slots.to(device),
            self.clinical.to(device),
            self.missing.to(device),
            self.at_risk_ml.to(device),
            None if self.nodes is None else self.nodes.to(device),
        )


class Network(nn.Module):
    """What training, prediction and evaluation ask of a network; STAR and its comparators follow it.

    ``track`` sees only the scans; ``project`` adds the record and is cheap to repeat.
    """

    config: StarConfig | ComparatorConfig
    projector: Projector

    @abstractmethod
    def track(self, batch: StarBatch, *, keep_recon: bool = False) -> ImageFeatures:
        """Return the features of the scans."""

    @abstractmethod
    def project(self, features: ImageFeatures, batch: StarBatch) -> tuple[Rates, FusedFeatures]:
        """Return the rates and the fused features of scans' features with records."""


class Star(Network):
    """The whole network."""

    def __init__(self, config: StarConfig) -> None:
        super().__init__()
        self.config: StarConfig = config
        self.tracker = None if config.input_channels is InputChannels.NONE else Tracker(config)
        self.integrator = Integrator(config)
        self.projector = Projector(config)

    def track(self, batch: StarBatch, *, keep_recon: bool = False) -> ImageFeatures:
        """Return the features of the scans."""
        if self.tracker is None:
            return ImageFeatures(pooled=batch.clinical.new_zeros(len(batch.slots), self.config.n_years, 0))
        features: ImageFeatures = self.tracker(batch.scans, batch.slots, keep_recon=keep_recon)
        return features

    def project(self, features: ImageFeatures, batch: StarBatch) -> tuple[Rates, FusedFeatures]:
        """Return the rates and the fused features of scans' features with records."""
        fused = self.integrator(features, batch.clinical, batch.missing)
        return self.projector(fused.fused, features.local_logit, batch.at_risk_ml), fused


def build_batch(
    model_input: ModelInput, config: StarConfig | ComparatorConfig, nodes: Nodes | None = None
) -> StarBatch:
    """Return the batch of one patient; ``nodes`` are computed where the network sees some and none are given.

    Raises
    ------
    BundleError
        When the scan was prepared on another grid than the network was built for.
    """
    grid = model_input.geometry.shape
    if grid != config.grid_shape and config.input_channels is not InputChannels.NONE:
        raise BundleError(
            f"The network was built for a grid of {_times(config.grid_shape)}, found a scan on {_times(grid)}.",
            remedy="Prepare the scan as the model's card says.",
        )
    if nodes is None and config.network in NODE_NETWORKS:
        nodes = build_nodes(model_input, config.network)
    volume_ml = model_input.geometry.voxel_volume_ml
    return StarBatch(
        scans=torch.from_numpy(build_channels(model_input, config.input_channels).copy()),
        slots=torch.from_numpy(find_slots(model_input, config.n_years))[None],
        clinical=torch.from_numpy(model_input.clinical.copy())[None],
        missing=torch.from_numpy(model_input.clinical_missing.copy())[None],
        at_risk_ml=torch.from_numpy(model_input.at_risk_fraction * volume_ml)[None],
        nodes=None if nodes is None else _to_batch(nodes),
    )


def _to_batch(nodes: Nodes) -> NodeBatch:
    return NodeBatch(
        torch.from_numpy(nodes.features.copy())[None],
        torch.from_numpy(nodes.present.copy())[None],
        torch.from_numpy(nodes.places_mm.copy())[None],
    )


def _times(shape: tuple[int, int, int]) -> str:
    return " x ".join(str(size) for size in shape)
