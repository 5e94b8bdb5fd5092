"""Personalized Prognosis Projector: yearly rates by cause, the liver's as a sum over its voxels (method, section 4).

The same heads serve every network: with a map the liver's rate is a sum over voxels, without it is one number a year
that is spread evenly over the tissue at risk. Year classes are the paper's own outcome, kept for comparison.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from star_core.model.config import NetworkConfig, OutcomeModel
from star_core.types import CAUSES

LIVER_RATE_SCALE_PER_YEAR = 0.15
MIN_RATE = 1e-7
MAX_LOG_RATE = 1.6
_TYPICAL_RATES_PER_YEAR = {"liver": 0.12, "elsewhere": 0.10, "death": 0.02, "overall": 0.08}


@dataclass(frozen=True)
class YearLogits:
    """Logits of the year of recurrence and of death, each (B, T + 1); the last class is "beyond year T"."""

    recurrence: Tensor
    survival: Tensor


@dataclass(frozen=True)
class Rates:
    """Events per year: ``causes`` (B, T, 3) in the order of ``CAUSES``, ``death`` (B, T) from any cause.

    ``liver_per_tissue_ml`` (B, T, D, H, W) is the liver's rate per ml of tissue at risk; its spatial sizes are 1 where
    the rate is spread evenly. ``member_causes`` (B, M, T, 3) and ``member_death`` (B, M, T) are the same under each
    bootstrap member. ``years`` are the logits that the rates come from where outcomes are year classes.
    """

    causes: Tensor
    death: Tensor
    liver_per_tissue_ml: Tensor
    member_causes: Tensor
    member_death: Tensor
    years: YearLogits | None = None


class Projector(nn.Module):
    """Heads of the competing causes and of overall survival, with bootstrap members for intervals.

    Each member multiplies the rates by ``exp`` of a linear function of the fused features. Members learn from
    resampled patients and send no gradient back, so they measure how far the heads move when the cohort does.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.n_members = config.n_members
        self.heads: VoxelHeads | TotalHeads | YearHeads
        if config.outcome is OutcomeModel.YEAR_CLASS:
            self.heads = YearHeads(config)
        else:
            self.heads = VoxelHeads(config) if config.has_map else TotalHeads(config)
        self.members = nn.Linear(config.width, config.n_members * 4)
        nn.init.normal_(self.members.weight, std=1e-3)
        nn.init.zeros_(self.members.bias)

    def forward(self, fused: Tensor, local_logit: Tensor | None, at_risk_ml: Tensor) -> Rates:
        """Return the rates.

        Parameters
        ----------
        fused
            (B, T, d) from the integrator.
        local_logit
            (B, T, d, h, w) from the tracker, at half the model grid's resolution; ``None`` without a map.
        at_risk_ml
            (B, D, H, W) millilitres of tissue at risk in each model voxel.
        """
        found = self.heads(fused, local_logit, at_risk_ml)
        causes = found.causes + MIN_RATE
        death = limit_death_rate(found.death + MIN_RATE, causes.sum(dim=-1))
        factor = self.members(fused.detach()).clamp(-3.0, 3.0).exp()
        factor = factor.reshape(*factor.shape[:2], self.n_members, 4).transpose(1, 2)
        member_causes = causes.detach()[:, None] * factor[..., :3]
        member_death = (found.death + MIN_RATE).detach()[:, None] * factor[..., 3]
        return Rates(
            causes=causes,
            death=death,
            liver_per_tissue_ml=found.liver_per_tissue_ml,
            member_causes=member_causes,
            member_death=limit_death_rate(member_death, member_causes.sum(dim=-1)),
            years=found.years,
        )


@dataclass(frozen=True)
class HeadRates:
    """What heads give before rates are held in bounds; shapes as in :class:`Rates`."""

    causes: Tensor
    death: Tensor
    liver_per_tissue_ml: Tensor
    years: YearLogits | None = None


class VoxelHeads(nn.Module):
    """Competing causes with a map: Lambda_L(t) = sum_v lambda_t(v) dV.

    lambda_t(v) = softplus(local logit + global logit) / V with V the tissue at risk in ml, times a constant. Without V
    a patient's rate would begin in proportion to the liver that is left, which the network could hardly unlearn.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.liver = nn.Linear(config.width, 1)
        self.others = nn.Linear(config.width, 3)
        self.baseline = nn.Parameter(torch.zeros(config.n_years, 4))
        _start_at(self.others, [_TYPICAL_RATES_PER_YEAR[name] for name in ("elsewhere", "death", "overall")])
        with torch.no_grad():
            self.liver.weight.mul_(0.1)

    def forward(self, fused: Tensor, local_logit: Tensor, at_risk_ml: Tensor) -> HeadRates:
        """Return the rates of fused features and of the local logit."""
        global_logit = self.liver(fused)[..., 0] + self.baseline[:, 0]
        logit = F.interpolate(local_logit, size=at_risk_ml.shape[1:], mode="trilinear", align_corners=False)
        scale = LIVER_RATE_SCALE_PER_YEAR / at_risk_ml.sum(dim=(1, 2, 3)).clamp(min=1.0)
        per_tissue_ml = F.softplus(logit + global_logit[..., None, None, None]) * scale[:, None, None, None, None]
        liver = (per_tissue_ml * at_risk_ml[:, None]).sum(dim=(2, 3, 4))
        others = (self.others(fused) + self.baseline[:, 1:]).clamp(max=MAX_LOG_RATE).exp()
        return HeadRates(torch.stack([liver, others[..., 0], others[..., 1]], dim=-1), others[..., 2], per_tissue_ml)


class TotalHeads(nn.Module):
    """Competing causes without a map."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.rates = nn.Linear(config.width, 4)
        self.baseline = nn.Parameter(torch.zeros(config.n_years, 4))
        _start_at(self.rates, list(_TYPICAL_RATES_PER_YEAR.values()))

    def forward(self, fused: Tensor, local_logit: Tensor | None, at_risk_ml: Tensor) -> HeadRates:
        """Return the rates of fused features."""
        rates = (self.rates(fused) + self.baseline).clamp(max=MAX_LOG_RATE).exp()
        return HeadRates(rates[..., :3], rates[..., 3], spread_evenly(rates[..., 0], at_risk_ml))


class YearHeads(nn.Module):
    """The paper's outcome: softmax over years and "beyond" for recurrence and for survival.

    Each year weighs its features by itself: a network without years, whose features are the same in all of them, can
    still tell an early recurrence from a late one. Classes know no causes, so the causes' shares are those of the
    training cohort's first events, set before training; they change no loss of the paper.
    """

    cause_shares: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.each_year = nn.Parameter(torch.randn(config.n_years, config.width, 2) * (3 * config.width) ** -0.5)
        self.beyond = nn.Linear(config.width, 2)
        self.baseline = nn.Parameter(torch.zeros(config.n_years + 1, 2))
        self.register_buffer("cause_shares", torch.full((len(CAUSES),), 1.0 / len(CAUSES)))

    def forward(self, fused: Tensor, local_logit: Tensor | None, at_risk_ml: Tensor) -> HeadRates:
        """Return the logits of fused features and the rates that mean the same."""
        beyond = self.beyond(fused.mean(dim=1))[:, None]
        logits = torch.cat([torch.einsum("btd,tdk->btk", fused, self.each_year), beyond], dim=1) + self.baseline
        rates = to_yearly_rates(logits.transpose(1, 2))
        causes = rates[:, 0, :, None] * self.cause_shares
        return HeadRates(
            causes=causes,
            death=rates[:, 1],
            liver_per_tissue_ml=spread_evenly(causes[..., 0], at_risk_ml),
            years=YearLogits(logits[..., 0], logits[..., 1]),
        )


def _start_at(head: nn.Linear, rates_per_year: list[float]) -> None:
    """Let a log-rate head begin near typical rates, so that the first steps do not have to find their size."""
    with torch.no_grad():
        head.bias.copy_(torch.tensor(rates_per_year).log())
        head.weight.mul_(0.1)


def to_yearly_rates(logits: Tensor) -> Tensor:
    """Return rates (..., T) whose survival equals that of year classes: ``-log(S(t) / S(t - 1))``, logits (..., T+1).

    ``S(t) = sum_{s>t} p(s)``, summed from the end so that small survivals keep their digits.
    """
    log_p = torch.log_softmax(logits.float(), dim=-1)
    log_survival = torch.logcumsumexp(log_p.flip(-1), dim=-1).flip(-1)
    return log_survival[..., :-1] - log_survival[..., 1:]


def spread_evenly(liver: Tensor, at_risk_ml: Tensor) -> Tensor:
    """Return (B, T, 1, 1, 1): the liver's rate (B, T) per ml of tissue at risk (B, D, H, W)."""
    tissue_ml = at_risk_ml.sum(dim=(1, 2, 3)).clamp(min=1e-6)
    return (liver / tissue_ml[:, None])[..., None, None, None]


def limit_death_rate(death: Tensor, any_event: Tensor) -> Tensor:
    """Return the rate of death (..., T), held so that overall survival never falls below event-free survival.

    Death is itself an event, so its cumulative rate cannot exceed that of any event; the smaller of two rising
    functions rises, so the result is a rate again.
    """
    limited = torch.minimum(death.cumsum(-1), any_event.cumsum(-1))
    first = limited[..., :1]
    return torch.cat([first, limited.diff(dim=-1)], dim=-1).clamp(min=MIN_RATE * 0.1)
