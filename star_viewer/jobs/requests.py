"""What the window can ask for, as frozen values that travel to the worker process."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from star_core.types import ClinicalRecord, CouinaudLandmarks, RegistrationKind
from star_viewer.follow_ups import Adjustment, FollowUpSource


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedScan:
    """A scan in the archive by its numbers there; what is ``None`` is chosen: the largest CT, its segmentation."""

    study: int
    series: int | None = None
    segmentation: int | None = None
    result: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSource:
    """Where a case comes from: a folder or file, the archive, or neither for the demonstration patient."""

    folder: Path | None = None
    archived: ArchivedScan | None = None
    series_uid: str | None = None
    segmentation: Path | None = None
    clinical: Path | None = None
    interpolate_gaps: bool = False

    @property
    def is_demo(self) -> bool:
        """Whether this is the built-in synthetic patient."""
        return self.folder is None and self.archived is None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpEdit:
    """A follow-up CT that fills a postoperative year, as the reader aligned it."""

    source: FollowUpSource
    year: int
    kind: RegistrationKind
    adjustment: Adjustment


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseEdits:
    """What the reader made of a case beside its record.

    Parameters
    ----------
    mask_edits
        Packed edits of the structures, oldest first (``star_core.imaging.editing.chain``).
    landmarks
        Where the reader put the landmarks of Couinaud's segments; ``None`` leaves them to be found.
    follow_ups
        Later CTs that fill a year of the model's sequence, one a year.
    """

    mask_edits: tuple[bytes, ...] = ()
    landmarks: CouinaudLandmarks | None = None
    follow_ups: tuple[FollowUpEdit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Base of all requests; ``supersedes`` says that a newer request of the same type makes an older one pointless."""

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Working"

    @property
    def supersedes(self) -> bool:
        """Whether only the newest request of this type matters."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSeries(Request):
    """Find the series of a folder."""

    folder: Path

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Looking for series"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCase(Request):
    """Read a case."""

    source: CaseSource

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Drawing the demonstration patient" if self.source.is_demo else "Reading slices"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessCase(Request):
    """Assess an open case with the record of the form; the worker keeps the case and the scan's features."""

    source: CaseSource
    clinical: ClinicalRecord
    model: str | None
    edits: CaseEdits = field(default_factory=CaseEdits)

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Assessing"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteReport(Request):
    """Write the PDF of the newest assessment of a case."""

    source: CaseSource
    clinical: ClinicalRecord
    model: str | None
    path: Path
    edits: CaseEdits = field(default_factory=CaseEdits)

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Writing the report"

    @property
    def supersedes(self) -> bool:
        """Every report that was asked for is written."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteSegments(Request):
    """Write Couinaud's segments of a case as a DICOM Segmentation."""

    source: CaseSource
    path: Path
    edits: CaseEdits = field(default_factory=CaseEdits)

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Writing the segments"

    @property
    def supersedes(self) -> bool:
        """Every file that was asked for is written."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListModels(Request):
    """List the models at hand."""

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Looking for models"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallModel(Request):
    """Install a new bundle and make it the one in use."""

    folder: Path

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Installing the model"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivateModel(Request):
    """Make an installed model the one in use."""

    name: str

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Changing the model"
