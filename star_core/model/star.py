"""STAR: tracker, integrator and projector as one network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from star_core.model.config import StarConfig
from star_core.model.inputs import build_channels
from star_core.model.integrator import FusedFeatures, Integrator
from star_core.model.projector import Projector, Rates
from star_core.model.tracker import ImageFeatures, Tracker
from star_core.types import ModelInput


@dataclass(frozen=True)
class StarBatch:
    """B patients: channels (B, C, D, H, W), record and its gaps (B, F), tissue at risk in ml (B, D, H, W)."""

    channels: Tensor
    clinical: Tensor
    missing: Tensor
    at_risk_ml: Tensor

    def to(self, device: torch.device) -> StarBatch:
        """Return the batch on another device."""
        return StarBatch(
            self.channels.to(device), self.clinical.to(device), self.missing.to(device), self.at_risk_ml.to(device)
        )


class Star(nn.Module):
    """The whole network. ``track`` sees only the scan; ``project`` adds the record and is cheap to repeat."""

    def __init__(self, config: StarConfig) -> None:
        super().__init__()
        self.config = config
        self.tracker = Tracker(config)
        self.integrator = Integrator(config)
        self.projector = Projector(config)

    def track(self, batch: StarBatch, *, keep_recon: bool = False) -> ImageFeatures:
        """Return the features of the scan."""
        features: ImageFeatures = self.tracker(batch.channels, keep_recon=keep_recon)
        return features

    def project(self, features: ImageFeatures, batch: StarBatch) -> tuple[Rates, FusedFeatures]:
        """Return the rates and the fused features of a scan's features with a record."""
        fused = self.integrator(features, batch.clinical, batch.missing)
        return self.projector(fused, features.local_logit, batch.at_risk_ml), fused


def build_batch(model_input: ModelInput, config: StarConfig) -> StarBatch:
    """Return the batch of one patient."""
    volume_ml = model_input.geometry.voxel_volume_ml
    return StarBatch(
        channels=torch.from_numpy(build_channels(model_input, config.input_channels).copy())[None],
        clinical=torch.from_numpy(model_input.clinical.copy())[None],
        missing=torch.from_numpy(model_input.clinical_missing.copy())[None],
        at_risk_ml=torch.from_numpy(model_input.at_risk_fraction * volume_ml)[None],
    )
