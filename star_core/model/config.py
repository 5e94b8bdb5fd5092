"""Options of the network, each named as in the method's table of decisions."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from star_core.types import MODEL_GRID_SHAPE, N_YEARS


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
    """What the network sees: the CT alone as published, or the CT with the segmented structures."""

    CT = "ct"
    CT_MASKS = "ct+masks"


class StarConfig(BaseModel):
    """Architecture of one network; stored in its bundle's card and enough to build it again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_years: int = N_YEARS
    grid_shape: tuple[int, int, int] = MODEL_GRID_SHAPE
    input_channels: InputChannels = InputChannels.CT_MASKS
    n_clinical: int = Field(ge=1)
    year_embedding: int = 8
    channels: tuple[int, int, int, int] = (16, 32, 64, 96)
    attention: Attention = Attention.SPACE_TIME
    attention_heads: int = 4
    width: int = 64
    n_members: int = 16
    align: Align = Align.SUM
    disentangle: Disentangle = Disentangle.CROSS
