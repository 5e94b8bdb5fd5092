"""Recurrence Risk Integrator: the paper's Algorithm 1, with missing clinical values masked instead of imputed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from star_core.model.config import StarConfig
from star_core.model.tracker import ImageFeatures

DROPOUT = 0.1


@dataclass(frozen=True)
class FusedFeatures:
    """The modalities' encodings and their gated sum, each (B, T, d)."""

    image: Tensor
    clinical: Tensor
    recon: Tensor
    fused: Tensor


class ReconEncoder(nn.Module):
    """From the block means of a year's reconstruction to one vector."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(1, 8, 3, stride=2, padding=1)
        self.conv2 = nn.Conv3d(8, 16, 3, stride=2, padding=1)
        self.out = nn.Linear(16, width)

    def forward(self, recon_pooled: Tensor) -> Tensor:
        """Return (B, T, d) from (B, T, D, H, W)."""
        batch = recon_pooled.shape[0]
        x = F.gelu(self.conv1(recon_pooled.flatten(0, 1)[:, None]))
        x = F.gelu(self.conv2(x)).mean(dim=(2, 3, 4))
        encoded: Tensor = self.out(x)
        return encoded.reshape(batch, -1, encoded.shape[-1])


class Integrator(nn.Module):
    """Encode the record and the reconstruction, let years attend to each other, add what the gates let through."""

    def __init__(self, config: StarConfig) -> None:
        super().__init__()
        width = config.width
        self.image = nn.Sequential(nn.LayerNorm(config.channels[3]), nn.Linear(config.channels[3], width))
        self.clinical = nn.Sequential(
            nn.Linear(2 * config.n_clinical, width), nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(width, width)
        )
        self.recon = ReconEncoder(width)
        self.years = nn.Parameter(torch.randn(config.n_years, width) * 0.02)
        self.transformer = nn.TransformerEncoderLayer(
            width, nhead=4, dim_feedforward=2 * width, dropout=DROPOUT, activation="gelu", batch_first=True
        )
        self.gates = nn.Parameter(torch.zeros(2, width))

    def forward(self, features: ImageFeatures, clinical: Tensor, missing: Tensor) -> FusedFeatures:
        """Return the fused features of ``clinical`` and ``missing`` (B, F) with the image's."""
        image = self.image(features.pooled)
        record = torch.cat([clinical * (1.0 - missing), missing], dim=-1)
        encoded = self.clinical(record)[:, None].expand(-1, image.shape[1], -1)
        recon = self.transformer(self.recon(features.recon_pooled) + self.years)
        gate_image, gate_recon = torch.sigmoid(self.gates)
        return FusedFeatures(image, encoded, recon, gate_image * image + gate_recon * recon + encoded)
