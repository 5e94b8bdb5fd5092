"""What was noticed about an input."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters: a note, a reason for caution, a reason to refuse."""

    NOTE = "note"
    WARNING = "warning"
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something noticed about the input that the reader of a result must know.

    ``code`` is stable and short ("slice-gap", "liver-estimated"); ``message`` says what, where, expected and found.
    """

    code: str
    severity: Severity
    message: str
