"""What the window can ask about structures, as frozen values that travel to the worker process."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from star_core.imaging.editing.patch import MaskPatch
from star_core.types import Finding
from star_viewer.jobs.requests import CaseEdits, CaseSource, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLiver:
    """A liver that was found: ``liver`` is the patch that draws it where none is drawn."""

    liver: MaskPatch
    volume_ml: float
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLiverMethods(Request):
    """Find out in which ways a liver can be found on this computer."""

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Looking for programs"


@dataclass(frozen=True, slots=True, kw_only=True)
class FindLiver(Request):
    """Find the liver of an open case."""

    source: CaseSource
    method: str = "classical"

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Finding the liver"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSegmentation(Request):
    """Write the structures of a case, as they were edited, as a new DICOM Segmentation."""

    source: CaseSource
    path: Path
    edits: CaseEdits = field(default_factory=CaseEdits)

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Writing the segmentation"

    @property
    def supersedes(self) -> bool:
        """Every file that was asked for is written."""
        return False
