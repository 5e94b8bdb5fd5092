"""Likelihoods by hand, by finite differences and against lifelines."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from star_core.model.config import Align, Disentangle
from star_core.training.losses import (
    CENSORED,
    OutcomeBatch,
    alignment_loss,
    competing_nll,
    cumulative_rate,
    disentanglement_loss,
    reconstruction_loss,
    survival_nll,
    year_class_nll,
    year_index,
)


def outcome(months: float, cause: int, survival_months: float | None = None, died: bool = False) -> OutcomeBatch:
    return OutcomeBatch(
        event_months=torch.tensor([months], dtype=torch.float64),
        cause=torch.tensor([cause]),
        survival_months=torch.tensor([survival_months or months], dtype=torch.float64),
        died=torch.tensor([died]),
    )


RATES = torch.tensor([[[0.2, 0.1], [0.3, 0.05], [0.1, 0.1]]], dtype=torch.float64)


def test_an_event_in_the_second_year_by_hand() -> None:
    # 18 months: the whole first year at 0.3, half of the second at 0.35; then the log of the cause's own rate.
    expected = 0.3 + 0.5 * 0.35 - np.log(0.3)
    assert competing_nll(RATES, outcome(18.0, 0)).item() == pytest.approx(expected)


def test_a_censored_patient_counts_the_time_only() -> None:
    assert competing_nll(RATES, outcome(18.0, CENSORED)).item() == pytest.approx(0.475)
    beyond = competing_nll(RATES, outcome(200.0, 1)).item()
    assert beyond == pytest.approx(0.3 + 0.35 + 0.2)  # after the last year: as censored there


def test_a_recorded_site_stands_for_the_livers_rate() -> None:
    site_rate = torch.tensor([[0.01, 0.02, 0.03]], dtype=torch.float64)
    at_site = competing_nll(RATES, outcome(18.0, 0), site_rate).item()
    assert at_site == pytest.approx(0.475 - np.log(0.02))
    elsewhere = competing_nll(RATES, outcome(18.0, 1), site_rate).item()
    assert elsewhere == pytest.approx(0.475 - np.log(0.05))


@pytest.mark.parametrize(("months", "year"), [(0.0, 0), (0.5, 0), (12.0, 0), (12.1, 1), (24.0, 1), (24.5, 2)])
def test_years_end_with_their_twelfth_month(months: float, year: int) -> None:
    assert year_index(torch.tensor(months)).item() == year


def test_the_cumulative_rate_is_the_integral() -> None:
    rate = torch.tensor([0.1, 0.2, 0.4], dtype=torch.float64)
    for months in np.linspace(0, 40, 9):
        grid = np.arange(0, min(months, 36), 0.001)
        numeric = np.array([0.1, 0.2, 0.4])[np.minimum(grid // 12, 2).astype(int)].sum() * 0.001 / 12
        assert cumulative_rate(rate, torch.tensor(months)).item() == pytest.approx(numeric, abs=2e-4)


def test_gradients_agree_with_finite_differences() -> None:
    rates = RATES.clone().requires_grad_(True)
    image, clinical = (torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    recon = torch.randn(2, 3, 4, dtype=torch.float64)

    def nll(r: Tensor) -> Tensor:
        return competing_nll(r, outcome(18.0, 0)) + survival_nll(r[..., 0], torch.tensor([30.0]), torch.tensor([True]))

    assert torch.autograd.gradcheck(nll, rates)
    logits = torch.randn(2, 13, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: year_class_nll(x, torch.tensor([18.0, 200.0])), logits)
    assert torch.autograd.gradcheck(lambda a: reconstruction_loss(a, recon), image)
    for align in Align:
        assert torch.autograd.gradcheck(lambda a, b, k=align: alignment_loss(a, b, recon, k), (image, clinical))
    for kind in Disentangle:
        assert torch.autograd.gradcheck(lambda a, b, k=kind: disentanglement_loss(a, b, k), (image, clinical))


def test_the_best_constant_rates_are_those_of_lifelines() -> None:
    lifelines = pytest.importorskip("lifelines")
    generator = np.random.default_rng(0)
    months = np.minimum(generator.exponential(40.0, 300), generator.uniform(6, 36, 300))
    died = generator.random(300) < 0.7
    fitter = lifelines.PiecewiseExponentialFitter(breakpoints=[12.0, 24.0]).fit(months, died)
    rate = (12.0 / np.asarray(fitter.params_)).astype(np.float64)
    log_rate = torch.tensor(np.log(rate))[None].repeat(300, 1).requires_grad_(True)
    loss = survival_nll(log_rate.exp(), torch.tensor(months), torch.tensor(died)).sum()
    loss.backward()
    assert log_rate.grad is not None
    np.testing.assert_allclose(log_rate.grad.sum(dim=0), 0.0, atol=0.05)
    expected = -fitter.log_likelihood_ - died.sum() * np.log(12.0)  # per month there, per year here
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_causes_with_censoring_are_those_of_lifelines() -> None:
    lifelines = pytest.importorskip("lifelines")
    generator = np.random.default_rng(1)
    months = generator.uniform(0.5, 35.5, 200)
    causes = generator.integers(-1, 2, 200)
    batch = OutcomeBatch(
        event_months=torch.tensor(months),
        cause=torch.tensor(causes),
        survival_months=torch.tensor(months),
        died=torch.tensor(causes == 1),
    )
    # Causes that share no rate have likelihoods that factorise: each is a survival fit with the other cause censored.
    fits = [
        lifelines.PiecewiseExponentialFitter(breakpoints=[12.0, 24.0]).fit(months, causes == cause) for cause in (0, 1)
    ]
    rates = torch.tensor(np.stack([12.0 / np.asarray(fit.params_) for fit in fits], axis=-1))[None].repeat(200, 1, 1)
    expected = -sum(fit.log_likelihood_ for fit in fits) - (causes >= 0).sum() * np.log(12.0)
    assert competing_nll(rates, batch).sum().item() == pytest.approx(expected, rel=1e-6)


def test_year_classes_by_hand() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.2, 0.3]]))
    for months, p in ((3.0, 0.5), (12.0, 0.5), (12.5, 0.2), (24.0, 0.2), (25.0, 0.3), (300.0, 0.3)):
        assert year_class_nll(logits, torch.tensor([months])).item() == pytest.approx(-np.log(p), rel=1e-6)


def test_reconstruction_is_the_mean_absolute_difference() -> None:
    recon = torch.tensor([[[[[1.0, -1.0]]]]])
    assert reconstruction_loss(recon, torch.zeros(1, 1, 1, 1, 2)).item() == pytest.approx(1.0)


def test_alignment_by_hand() -> None:
    a = torch.tensor([[[1.0, 0.0]]])
    b = torch.tensor([[[0.0, 1.0]]])
    assert alignment_loss(a, a, a, Align.SUM).item() == pytest.approx(-1.0)
    assert alignment_loss(a, b, a, Align.SUM).item() == pytest.approx(-0.5)
    assert alignment_loss(a, a, -a, Align.RATIO).item() == pytest.approx(-10.0)  # guarded at 0.1


def test_disentanglement_by_hand() -> None:
    image = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]])  # covariance [[2, 0], [0, 0]]
    clinical = torch.tensor([[[0.0, 2.0], [0.0, -2.0]]])  # [[0, 0], [0, 8]], together [[0, 4], [0, 0]]
    assert disentanglement_loss(image, clinical, Disentangle.MATCH).item() == pytest.approx(np.sqrt(4 + 64) / 4)
    assert disentanglement_loss(image, clinical, Disentangle.CROSS).item() == pytest.approx(4 / 4)


def test_equal_features_are_matched_and_independent_ones_are_not_entangled() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(400, 12, 3), torch.randn(400, 12, 3)
    assert disentanglement_loss(a, a, Disentangle.MATCH).item() == pytest.approx(0.0, abs=1e-6)
    assert disentanglement_loss(a, b, Disentangle.CROSS).item() < 0.02
    assert disentanglement_loss(a, a, Disentangle.CROSS).item() > 0.15
