"""The tracker: its exact shortcut and its shapes."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from star_core.model.config import Attention, Part, StarConfig
from star_core.model.tracker import RECON_POOL, SpaceTimeAttention, Tracker, YearStem, coarse_cells
from tests.oracle.first_layer import convolve_each_year

SMALL = StarConfig(n_clinical=3, grid_shape=(16, 32, 32), channels=(4, 8, 8, 8), attention_heads=2)
ONE_SCAN = torch.tensor([[0] * 12, [1] * 12])


@pytest.mark.parametrize("size", [(9, 12, 15), (8, 16, 16)])
def test_the_shortcut_equals_the_plain_convolution(size: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    stem = YearStem(3, 5, 7)
    scans, years = torch.randn(2, 3, *size), torch.randn(12, 5)
    slots = torch.tensor([[0] * 12, [1] * 12])
    plain = convolve_each_year(stem, scans, slots, years)
    torch.testing.assert_close(stem(scans, slots, years), plain, rtol=1e-5, atol=1e-5)


def test_the_shortcut_holds_where_years_see_different_scans() -> None:
    torch.manual_seed(0)
    stem = YearStem(2, 4, 3)
    scans, years = torch.randn(4, 2, 8, 8, 8), torch.randn(12, 4)
    slots = torch.tensor([[0] * 3 + [1] * 4 + [2] * 5, [3] * 12])
    plain = convolve_each_year(stem, scans, slots, years)
    torch.testing.assert_close(stem(scans, slots, years), plain, rtol=1e-5, atol=1e-5)


def test_features_have_one_entry_for_each_year() -> None:
    torch.manual_seed(0)
    for parts in ((), (Part.A,), (Part.A, Part.B)):
        config = SMALL.model_copy(update={"parts": parts})
        features = Tracker(config)(torch.randn(2, 8, 16, 32, 32), ONE_SCAN, keep_recon=True)
        assert features.pooled.shape == (2, 12, 8)
        assert features.recon.shape == (2, 12, 16, 32, 32)
        assert features.local_logit.shape == (2, 12, 8, 16, 16)


def test_block_means_of_the_reconstruction_need_no_reconstruction() -> None:
    torch.manual_seed(0)
    features = Tracker(SMALL)(torch.randn(2, 8, 16, 32, 32), ONE_SCAN, keep_recon=True)
    torch.testing.assert_close(features.recon_pooled, F.avg_pool3d(features.recon, RECON_POOL), rtol=1e-4, atol=1e-5)


def test_years_differ_by_part_a_alone() -> None:
    torch.manual_seed(0)
    scans = torch.randn(2, 8, 16, 32, 32)
    for parts, differ in (((), False), ((Part.A,), True)):
        pooled = Tracker(SMALL.model_copy(update={"parts": parts}))(scans, ONE_SCAN).pooled
        assert (not torch.equal(pooled[:, 0], pooled[:, 5])) is differ


def test_a_follow_up_scan_changes_what_its_years_see() -> None:
    torch.manual_seed(0)
    tracker = Tracker(SMALL.model_copy(update={"parts": ()}))
    scans = torch.randn(2, 8, 16, 32, 32)
    slots = torch.tensor([[0] * 4 + [1] * 8])
    pooled = tracker(scans, slots).pooled[0]
    alone = tracker(scans, ONE_SCAN).pooled
    torch.testing.assert_close(pooled[:4], alone[0, :4])
    torch.testing.assert_close(pooled[4:], alone[1, 4:])


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
