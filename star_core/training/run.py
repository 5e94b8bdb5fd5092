"""What a training run is told, and what it tells after each epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field


class TrainingSettings(BaseModel):
    """Settings of one run, recorded on the model's card.

    The weights are those of the paper's Eq. 2 and of the method's reconstruction term.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(default=12, ge=1, le=1000)
    batch_size: int = Field(default=1, ge=1)
    accumulate_batches: int = Field(default=2, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0.0)
    weight_decay: float = Field(default=1e-2, ge=0.0)
    alignment_weight: float = Field(default=0.02, ge=0.0)
    disentanglement_weight: float = Field(default=0.1, ge=0.0)
    reconstruction_weight: float = Field(default=0.05, ge=0.0)
    learn_sites: bool = True
    hide_structures: float = Field(default=0.15, ge=0.0, le=1.0)
    elastic_mm: float = Field(default=5.0, ge=0.0)
    noise_sigma: float = Field(default=0.1, ge=0.0)
    blur_sigma_mm: float = Field(default=0.5, ge=0.0)
    patience_epochs: int = Field(default=6, ge=1)
    seed: int = 0
    device: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochReport:
    """Losses after one epoch, ``epoch`` counted from 1."""

    epoch: int
    epochs: int
    train_loss: float
    validation_loss: float


STOPPED_EARLY = "Training was stopped before its first epoch ended, so there is no model to keep."
EpochCallback = Callable[[EpochReport], None]


def ignore_epoch(report: EpochReport) -> None:
    """Do nothing with a report."""


def never_stop() -> bool:
    """Return False: the question "should I stop?" of a caller who never cancels."""
    return False
