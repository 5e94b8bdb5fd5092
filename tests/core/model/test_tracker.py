"""The tracker: its exact shortcut and its shapes."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from star_core.model.config import Attention, StarConfig
from star_core.model.tracker import SpaceTimeAttention, Tracker, YearStem, coarse_cells

SMALL = StarConfig(n_clinical=3, grid_shape=(16, 32, 32), channels=(4, 8, 8, 8), attention_heads=2)


def test_the_shortcut_equals_the_plain_convolution() -> None:
    torch.manual_seed(0)
    stem = YearStem(3, 5, 7)
    scan, years = torch.randn(2, 3, 9, 12, 15), torch.randn(12, 5)
    weight = torch.cat([stem.image.weight, stem.year], dim=1)
    plain = []
    for year in years:
        constant = year[None, :, None, None, None].expand(2, -1, 9, 12, 15)
        plain.append(F.conv3d(torch.cat([scan, constant], 1), weight, stem.image.bias, stride=2, padding=1))
    torch.testing.assert_close(stem(scan, years), torch.stack(plain, dim=2), rtol=1e-5, atol=1e-5)


def test_features_have_one_entry_for_each_year() -> None:
    torch.manual_seed(0)
    features = Tracker(SMALL)(torch.randn(2, 8, 16, 32, 32), keep_recon=True)
    assert features.pooled.shape == (2, 12, 8)
    assert features.recon is not None
    assert features.recon.shape == (2, 12, 16, 32, 32)
    assert features.local_logit.shape == (2, 12, 8, 16, 16)


def test_attention_in_space_and_time_reaches_other_cells_and_time_only_does_not() -> None:
    for kind, reaches in ((Attention.SPACE_TIME, True), (Attention.TIME, False)):
        torch.manual_seed(0)
        config = SMALL.model_copy(update={"attention": kind})
        attention = SpaceTimeAttention(8, 4, (2, 2, 2), config)
        x, years = torch.randn(1, 8, 12, 2, 2, 2), torch.randn(12, 4)
        moved = x.clone()
        moved[:, :, :, 0, 0, 0] += torch.randn(1, 8, 12)
        change = (attention(moved, years) - attention(x, years))[:, :, :, 1, 1, 1].abs().max().item()
        assert (change > 1e-6) is reaches


def test_coarse_tokens_stay_below_the_papers_limit() -> None:
    depth, height, width = coarse_cells((40, 128, 128))
    assert 12 * depth * height * width <= 2400
