"""What the window can ask about de-identified copies, as frozen values that travel to their worker process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from star_core.dicom.deidentify.options import DeidentifyOptions
from star_viewer.jobs.requests import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class CopySource:
    """What is copied: studies of the archive by their numbers, or a folder (or file) that is open."""

    studies: tuple[int, ...] = ()
    folder: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedSeries:
    """A series that will be copied; ``study`` tells series of one study from those of another."""

    study: str
    title: str
    modality: str
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtSource(Request):
    """Count what will be copied; answered by a tuple of :class:`CopiedSeries`."""

    source: CopySource

    @property
    def text(self) -> str:
        """What the dialog says."""
        return "Counting what will be copied"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyDeidentified(Request):
    """Write de-identified copies into a new folder; answered by the ``DeidentificationReport``."""

    source: CopySource
    out: Path
    options: DeidentifyOptions

    @property
    def text(self) -> str:
        """What the dialog says."""
        return "De-identifying"

    @property
    def supersedes(self) -> bool:
        """Every copy that was asked for is written."""
        return False
