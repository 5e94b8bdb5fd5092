"""What the window can ask of pictures and films, as frozen values that travel to their worker process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from star_viewer.jobs.requests import Request

GIF, AVI, PNG = ".gif", ".avi", ".png"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFilm(Request):
    """Write frames as one picture (PNG) or one moving picture (GIF, AVI); answered by the path.

    ``frames`` are BMP files of one size, in order; ``frame_ms`` is how long each is shown; ``notice`` is written into
    the file where its format has a place for it; ``subject`` is the pseudonym for the audit trail.
    """

    frames: tuple[Path, ...]
    path: Path
    frame_ms: int
    notice: str
    subject: str

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Writing the picture" if len(self.frames) == 1 else "Writing the film"

    @property
    def supersedes(self) -> bool:
        """Every picture that was asked for is written."""
        return False
