"""Options of the networks, each named as in the method's table of decisions."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from star_core.types import MODEL_GRID_SHAPE, N_YEARS

DROPOUT = 0.1


class Attention(StrEnum):
    """Which cells of the coarsest level attend to each other."""

    SPACE_TIME = "4d"
    TIME = "time"


class Align(StrEnum):
    """Form of the alignment loss: the paper's ratio, or the bounded mean of both cosines."""

    RATIO = "ratio"
    SUM = "sum"


class Disentangle(StrEnum):
    """Form of the disentanglement loss: the paper's equal covariances, or a small cross-covariance."""

    MATCH = "match"
    CROSS = "cross"


class InputChannels(StrEnum):
    """What the network sees: the CT alone as published, the CT with the segmented structures, or the record alone."""

    CT = "ct"
    CT_MASKS = "ct+masks"
    NONE = "none"


class OutcomeModel(StrEnum):
    """How outcomes are modelled: rates of competing causes, or the paper's classes of years (censoring ignored)."""

    COMPETING = "competing"
    YEAR_CLASS = "year_class"


class Part(StrEnum):
    """Parts of the ablation study.

    A is the 4D attention with the temporal convolutions and the year embedding, B the clinical record with the
    cross-modal alignment, C the disentanglement. Without any of them the network is a 3D CNN of the scan.
    """

    A = "A"
    B = "B"
    C = "C"


class NetworkConfig(BaseModel):
    """What every network has; stored in its bundle's card and enough to build it again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_years: int = N_YEARS
    grid_shape: tuple[int, int, int] = MODEL_GRID_SHAPE
    input_channels: InputChannels = InputChannels.CT_MASKS
    n_clinical: int = Field(ge=1)
    width: int = 64
    # Left out of a card at its default: cards are proved by a digest, and those written before it have none.
    dropout: float = Field(default=DROPOUT, ge=0.0, lt=1.0, exclude_if=lambda dropout: dropout == DROPOUT)
    n_members: int = 16
    outcome: OutcomeModel = OutcomeModel.COMPETING

    @property
    def sees_scan(self) -> bool:
        """Whether the network reads the scan; without, it is a model of the record alone."""
        return self.input_channels is not InputChannels.NONE

    @property
    def has_map(self) -> bool:
        """Whether the liver's rate is a sum over voxels; without, it is spread evenly over the tissue at risk."""
        return False


class StarConfig(NetworkConfig):
    """STAR with every option of the method's section 1."""

    network: Literal["star"] = "star"
    parts: tuple[Part, ...] = (Part.A, Part.B, Part.C)
    year_embedding: int = 8
    channels: tuple[int, int, int, int] = (16, 32, 64, 96)
    attention: Attention = Attention.SPACE_TIME
    attention_heads: int = 4
    align: Align = Align.SUM
    disentangle: Disentangle = Disentangle.CROSS

    @field_validator("parts")
    @classmethod
    def _in_order(cls, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        return tuple(part for part in Part if part in parts)

    @model_validator(mode="after")
    def _parts_fit(self) -> StarConfig:
        if Part.C in self.parts and Part.B not in self.parts:
            raise ValueError("part C disentangles the scan from the record, which only part B brings in: add B")
        if self.input_channels is InputChannels.NONE and Part.B not in self.parts:
            raise ValueError("a network without a scan needs the record: add part B")
        return self

    @property
    def has_map(self) -> bool:
        """Whether the liver's rate is a sum over voxels."""
        return self.outcome is OutcomeModel.COMPETING and self.input_channels is not InputChannels.NONE


class ComparatorConfig(NetworkConfig):
    """A network that STAR is compared with: an encoder of the scan, fused with the record, under the same heads."""

    network: Literal["cnn3d", "resnet18", "resnet34", "resnet50", "aminn", "stg", "cox"]
    uses_record: bool = True

    @model_validator(mode="after")
    def _cox_reads_no_scan(self) -> ComparatorConfig:
        if (self.network == "cox") is not (self.input_channels is InputChannels.NONE):
            raise ValueError('"cox", and no other comparator, reads no scan: input_channels = "none"')
        return self


Architecture = Annotated[StarConfig | ComparatorConfig, Field(discriminator="network")]
