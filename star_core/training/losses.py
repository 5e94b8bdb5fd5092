"""Losses as plain functions of rates, outcomes and features; each with its formula, shapes and source."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from star_core.model.config import Align, Disentangle

CENSORED = -1
MONTHS_PER_YEAR = 12.0
_SMALLEST = 1e-12


@dataclass(frozen=True)
class OutcomeBatch:
    """Outcomes of B patients: exact months, cause index in ``CAUSES`` or ``CENSORED``, months and fact of death.

    ``site_ml`` (B, D, H, W) holds the millilitres of each model voxel that belong to the recorded site of a liver
    recurrence, all 0 where no site was recorded.
    """

    event_months: Tensor
    cause: Tensor
    survival_months: Tensor
    died: Tensor
    site_ml: Tensor | None = None

    def to(self, device: torch.device) -> OutcomeBatch:
        """Return the outcomes on another device."""
        return OutcomeBatch(
            self.event_months.to(device),
            self.cause.to(device),
            self.survival_months.to(device),
            self.died.to(device),
            None if self.site_ml is None else self.site_ml.to(device),
        )


def cumulative_rate(rate: Tensor, months: Tensor) -> Tensor:
    """Return the integral of a yearly constant rate up to ``months``.

    ``H(m) = sum_t rate_t * clamp(m / 12 - (t - 1), 0, 1)`` with ``rate`` (..., T) and ``months`` (...); time beyond
    year T adds nothing (administrative censoring).
    """
    start = torch.arange(rate.shape[-1], device=rate.device, dtype=rate.dtype)
    exposure = (months[..., None] / MONTHS_PER_YEAR - start).clamp(0.0, 1.0)
    return (rate * exposure).sum(dim=-1)


def year_index(months: Tensor) -> Tensor:
    """Return the zero-based year of an event at ``months``: ceil(months / 12) - 1, at least 0."""
    return ((months / MONTHS_PER_YEAR).ceil().long() - 1).clamp(min=0)


def competing_nll(causes: Tensor, outcome: OutcomeBatch, site_rate: Tensor | None = None) -> Tensor:
    """Negative log-likelihood (B,) of piecewise exponential competing causes.

    ``-log L = H(m) - [event] log Lambda_c(year of m)`` with ``causes`` (B, T, C) events per year. Where ``site_rate``
    (B, T) is positive for a liver recurrence, the rate at the recorded site stands for the liver's.
    Source: Kalbfleisch and Prentice, ch. 8, doi 10.1002/9781118032985.
    """
    hazard = cumulative_rate(causes.sum(dim=-1), outcome.event_months)
    year = year_index(outcome.event_months)
    seen = (outcome.cause != CENSORED) & (year < causes.shape[1])
    year = year.clamp(max=causes.shape[1] - 1)
    patient = torch.arange(len(year), device=causes.device)
    rate = causes[patient, year, outcome.cause.clamp(min=0)]
    if site_rate is not None:
        at_site = site_rate[patient, year]
        rate = torch.where((outcome.cause == 0) & (at_site > 0), at_site, rate)
    return hazard - torch.where(seen, (rate + _SMALLEST).log(), torch.zeros_like(rate))


def survival_nll(death: Tensor, months: Tensor, died: Tensor) -> Tensor:
    """Negative log-likelihood (B,) of the piecewise exponential rate of death (B, T)."""
    year = year_index(months)
    seen = died & (year < death.shape[1])
    rate = death.gather(1, year.clamp(max=death.shape[1] - 1)[:, None])[:, 0]
    return cumulative_rate(death, months) - torch.where(seen, (rate + _SMALLEST).log(), torch.zeros_like(rate))


def year_class_nll(logits: Tensor, months: Tensor) -> Tensor:
    """Cross-entropy (B,) of the year of an event, logits (B, T + 1) with the class "beyond year T" last.

    ``-log softmax(logits)[min(ceil(months / 12), T + 1)]``; as in the paper (Eq. 2), a censored time counts as the
    time of an event.
    """
    year = year_index(months).clamp(max=logits.shape[1] - 1)
    return F.cross_entropy(logits, year, reduction="none")


def reconstruction_loss(recon: Tensor, scans: Tensor) -> Tensor:
    """Mean absolute difference of the reconstructions (B, T, D, H, W) and the scans (B, T, D, H, W) in their slots."""
    return (recon - scans).abs().mean()


def alignment_loss(image: Tensor, clinical: Tensor, recon: Tensor, kind: Align) -> Tensor:
    """Alignment of modalities, features (B, T, d).

    ``ratio`` is the paper's ``-mean cos(img, clin) / mean cos(img, recon)`` with the denominator kept at least 0.1;
    ``sum`` is ``-(mean cos(img, clin) + mean cos(img, recon)) / 2``.
    """
    with_clinical = F.cosine_similarity(image, clinical, dim=-1).mean()
    with_recon = F.cosine_similarity(image, recon, dim=-1).mean()
    if kind is Align.RATIO:
        return -with_clinical / with_recon.clamp(min=0.1)
    return -(with_clinical + with_recon) / 2


def disentanglement_loss(image: Tensor, clinical: Tensor, kind: Disentangle) -> Tensor:
    """Disentanglement of modalities over years x batch, features (B, T, d).

    ``match`` is the paper's ``norm(Cov(img) - Cov(clin))_F / d^2``; ``cross`` is ``norm(Cov(img, clin))_F / d^2``.
    """
    width = image.shape[-1]
    a = image.reshape(-1, width)
    b = clinical.reshape(-1, width)
    a = a - a.mean(dim=0)
    b = b - b.mean(dim=0)
    n = max(len(a) - 1, 1)
    covariance = (a.T @ a - b.T @ b) / n if kind is Disentangle.MATCH else (a.T @ b) / n
    norm: Tensor = torch.linalg.norm(covariance + _SMALLEST)
    return norm / width**2
