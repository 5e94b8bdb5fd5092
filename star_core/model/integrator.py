"""Recurrence Risk Integrator: the paper's Algorithm 1, with missing clinical values masked instead of imputed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from star_core.model.config import InputChannels, Part, StarConfig
from star_core.model.tracker import ImageFeatures

# Before it has learnt anything from scans, a network should say what the record says: gates begin nearly closed.
GATES_START = -2.0


@dataclass(frozen=True)
class FusedFeatures:
    """The modalities' encodings and their sum, each (B, T, d); ``None`` where a network does not have them."""

    fused: Tensor
    image: Tensor | None = None
    clinical: Tensor | None = None
    recon: Tensor | None = None


class ClinicalEncoder(nn.Module):
    """From the record and its gaps to one vector."""

    def __init__(self, n_clinical: int, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * n_clinical, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, width)
        )

    def forward(self, clinical: Tensor, missing: Tensor) -> Tensor:
        """Return (B, d) from ``clinical`` and ``missing`` (B, F); a missing value counts only as missing."""
        encoded: Tensor = self.layers(torch.cat([clinical * (1.0 - missing), missing], dim=-1))
        return encoded


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
    """Encode the record and the reconstruction, let years attend to each other, add what the gates let through.

    Without part B the record and the reconstruction are left out; without a scan only the record remains.
    """

    def __init__(self, config: StarConfig) -> None:
        super().__init__()
        width = config.width
        self.sees_scan = config.input_channels is not InputChannels.NONE
        self.fuses = Part.B in config.parts
        self.n_years = config.n_years
        if self.sees_scan:
            self.image = nn.Sequential(nn.LayerNorm(config.channels[3]), nn.Linear(config.channels[3], width))
        if self.fuses:
            self.clinical = ClinicalEncoder(config.n_clinical, width, config.dropout)
        if self.fuses and self.sees_scan:
            self.recon = ReconEncoder(width)
            self.years = nn.Parameter(torch.randn(config.n_years, width) * 0.02)
            self.transformer = nn.TransformerEncoderLayer(
                width, nhead=4, dim_feedforward=2 * width, dropout=config.dropout, activation="gelu", batch_first=True
            )
            self.gates = nn.Parameter(torch.full((2, width), GATES_START))

    def forward(self, features: ImageFeatures, clinical: Tensor, missing: Tensor) -> FusedFeatures:
        """Return the fused features of ``clinical`` and ``missing`` (B, F) with the image's."""
        image = self.image(features.pooled) if self.sees_scan else None
        if not self.fuses and image is not None:
            return FusedFeatures(image, image=image)
        encoded = self.clinical(clinical, missing)[:, None].expand(-1, self.n_years, -1)
        if image is None:
            return FusedFeatures(encoded, clinical=encoded)
        recon = self.transformer(self.recon(features.recon_pooled) + self.years)
        gate_image, gate_recon = torch.sigmoid(self.gates)
        fused = gate_image * image + gate_recon * recon + encoded
        return FusedFeatures(fused, image=image, clinical=encoded, recon=recon)
