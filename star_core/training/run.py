"""What a training run is told, and what it tells after each epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class PresetName(StrEnum):
    """Presets by name: ours, the paper to the letter, our clinical path alone, and the networks compared with."""

    STAR = "star"
    PAPER = "paper"
    CLINICAL = "clinical"
    CNN3D = "cnn3d"
    RESNET18 = "resnet18"
    RESNET34 = "resnet34"
    RESNET50 = "resnet50"
    AMINN = "aminn"
    STG = "stg"
    COX = "cox"


class Schedule(StrEnum):
    """How the learning rate moves: one warm-up and cosine decay, or the paper's halving when validation stalls."""

    ONE_CYCLE = "one_cycle"
    PLATEAU = "plateau"


class TrainingSettings(BaseModel):
    """Settings of one run, recorded on the model's card.

    The weights are those of the paper's Eq. 2 and of the method's reconstruction term (0 is Eq. 2 exactly).
    The record is the same in all years, so in a batch of one patient it varies with nothing: part C needs two.
    ``devices`` processes on each of ``nodes`` machines share the work by Lightning's distributed strategy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(default=12, ge=1, le=1000)
    batch_size: int = Field(default=2, ge=1)
    accumulate_batches: int = Field(default=1, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0.0)
    weight_decay: float = Field(default=1e-2, ge=0.0)
    schedule: Schedule = Schedule.ONE_CYCLE
    survival_weight: float = Field(default=1.0, ge=0.0)
    recurrence_weight: float = Field(default=1.0, ge=0.0)
    alignment_weight: float = Field(default=0.02, ge=0.0)
    disentanglement_weight: float = Field(default=0.1, ge=0.0)
    reconstruction_weight: float = Field(default=0.0, ge=0.0)
    learn_sites: bool = True
    hide_structures: float = Field(default=0.15, ge=0.0, le=1.0)
    elastic_mm: float = Field(default=5.0, ge=0.0)
    noise_sigma: float = Field(default=0.1, ge=0.0)
    blur_sigma_mm: float = Field(default=0.5, ge=0.0)
    patience_epochs: int = Field(default=6, ge=1)
    seed: int = 0
    device: str = "auto"
    devices: int = Field(default=1, ge=1)
    nodes: int = Field(default=1, ge=1)

    @property
    def processes(self) -> int:
        """Number of processes that train together."""
        return self.devices * self.nodes


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
