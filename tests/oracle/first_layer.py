"""The tracker's first layer as the paper writes it: a strided convolution on [X_t; E_t], year by year."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from star_core.model.tracker import YearStem


def convolve_each_year(stem: YearStem, scans: Tensor, slots: Tensor, years: Tensor) -> Tensor:
    """Return (B, C, T, d, h, w) from ``scans`` (N, C_in, D, H, W), ``slots`` (B, T) and ``years`` (T, E)."""
    weight = torch.cat([stem.image.weight, stem.year], dim=1)
    patients = []
    for by_year in slots:
        outputs = []
        for slot, year in zip(by_year, years, strict=True):
            constant = year[:, None, None, None].expand(-1, *scans.shape[2:])
            both = torch.cat([scans[slot], constant])[None]
            outputs.append(F.conv3d(both, weight, stem.image.bias, stride=2, padding=1)[0])
        patients.append(torch.stack(outputs, dim=1))
    return torch.stack(patients)
