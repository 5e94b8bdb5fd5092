"""What the window can ask about follow-up CTs."""

from __future__ import annotations

from dataclasses import dataclass

from star_core.types import RegistrationKind
from star_viewer.follow_ups import FollowUpSource
from star_viewer.jobs.requests import CaseSource, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFollowUp(Request):
    """Read a later CT and align it with the first one of an open case."""

    case: CaseSource
    source: FollowUpSource
    kind: RegistrationKind

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Aligning the follow-up CT"

    @property
    def supersedes(self) -> bool:
        """Every follow-up that was asked for is aligned."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOtherStudies(Request):
    """List the other studies with a CT of the patient that an archived study belongs to."""

    study: int

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Looking for other studies"
