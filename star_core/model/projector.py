"""Personalized Prognosis Projector: yearly rates by cause, the liver's as a sum over its voxels (method, section 4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from star_core.model.config import StarConfig
from star_core.model.integrator import FusedFeatures

RATE_SCALE_PER_ML = 1e-4
MIN_RATE = 1e-7
MAX_LOG_RATE = 1.6
_TYPICAL_RATES_PER_YEAR = {"elsewhere": 0.10, "death": 0.02, "overall": 0.08}


@dataclass(frozen=True)
class Rates:
    """Events per year: ``causes`` (B, T, 3) in the order of ``CAUSES``, ``death`` (B, T) from any cause.

    ``liver_per_tissue_ml`` (B, T, D, H, W) is the liver's rate per ml of tissue at risk. ``member_causes``
    (B, M, T, 3) and ``member_death`` (B, M, T) are the same under each bootstrap member.
    """

    causes: Tensor
    death: Tensor
    liver_per_tissue_ml: Tensor
    member_causes: Tensor
    member_death: Tensor


class Projector(nn.Module):
    """Heads of the competing causes and of overall survival, with bootstrap members for intervals.

    Each member multiplies the rates by ``exp`` of a linear function of the fused features. Members learn from
    resampled patients and send no gradient back, so they measure how far the heads move when the cohort does.
    """

    def __init__(self, config: StarConfig) -> None:
        super().__init__()
        self.n_members = config.n_members
        self.liver = nn.Linear(config.width, 1)
        self.others = nn.Linear(config.width, 3)
        self.baseline = nn.Parameter(torch.zeros(config.n_years, 4))
        self.members = nn.Linear(config.width, config.n_members * 4)
        nn.init.normal_(self.members.weight, std=1e-3)
        nn.init.zeros_(self.members.bias)
        with torch.no_grad():
            self.others.bias.copy_(torch.tensor(list(_TYPICAL_RATES_PER_YEAR.values())).log())
            self.others.weight.mul_(0.1)
            self.liver.weight.mul_(0.1)

    def forward(self, fused: FusedFeatures, local_logit: Tensor, at_risk_ml: Tensor) -> Rates:
        """Return the rates.

        Parameters
        ----------
        fused
            Features from the integrator.
        local_logit
            (B, T, d, h, w) from the tracker, at half the model grid's resolution.
        at_risk_ml
            (B, D, H, W) millilitres of tissue at risk in each model voxel.
        """
        global_logit = self.liver(fused.fused)[..., 0] + self.baseline[:, 0]
        logit = F.interpolate(local_logit, size=at_risk_ml.shape[1:], mode="trilinear", align_corners=False)
        per_tissue_ml = F.softplus(logit + global_logit[..., None, None, None]) * RATE_SCALE_PER_ML
        liver = (per_tissue_ml * at_risk_ml[:, None]).sum(dim=(2, 3, 4))
        others = (self.others(fused.fused) + self.baseline[:, 1:]).clamp(max=MAX_LOG_RATE).exp()
        causes = torch.stack([liver, others[..., 0], others[..., 1]], dim=-1) + MIN_RATE
        death = limit_death_rate(others[..., 2] + MIN_RATE, causes.sum(dim=-1))
        factor = self.members(fused.fused.detach()).clamp(-3.0, 3.0).exp()
        factor = factor.reshape(*factor.shape[:2], self.n_members, 4).transpose(1, 2)
        member_causes = causes.detach()[:, None] * factor[..., :3]
        member_death = (others[..., 2] + MIN_RATE).detach()[:, None] * factor[..., 3]
        return Rates(
            causes=causes,
            death=death,
            liver_per_tissue_ml=per_tissue_ml,
            member_causes=member_causes,
            member_death=limit_death_rate(member_death, member_causes.sum(dim=-1)),
        )


def limit_death_rate(death: Tensor, any_event: Tensor) -> Tensor:
    """Return the rate of death (..., T), held so that overall survival never falls below event-free survival.

    Death is itself an event, so its cumulative rate cannot exceed that of any event; the smaller of two rising
    functions rises, so the result is a rate again.
    """
    limited = torch.minimum(death.cumsum(-1), any_event.cumsum(-1))
    first = limited[..., :1]
    return torch.cat([first, limited.diff(dim=-1)], dim=-1).clamp(min=MIN_RATE * 0.1)
