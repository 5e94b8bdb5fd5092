"""How models are compared."""

from __future__ import annotations

from enum import StrEnum


class Protocol(StrEnum):
    """The paper's one split of 157 : 20 : 20, or repeated folds in which every patient is tested."""

    OURS = "ours"
    PAPER = "paper"
