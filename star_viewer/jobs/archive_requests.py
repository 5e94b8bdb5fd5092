"""What the window can ask of the archive, as frozen values that travel to the worker processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from star_viewer.jobs.requests import Request

if TYPE_CHECKING:
    from star_core.archive.rows import Bin, Facets, StudyRow, UnfinishedImport
    from star_core.imaging.annotations import Annotation

PAGE_ROWS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which studies are wanted; looks like the archive's ``StudyFilter`` and loads no database library."""

    text: str = ""
    modality: str = ""
    body_part: str = ""
    date_from: str = ""
    date_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What stands around the list: values to filter by, recent studies, imports that did not end, the bin."""

    facets: Facets
    recent: tuple[StudyRow, ...]
    unfinished: tuple[UnfinishedImport, ...]
    bin: Bin
    studies: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FindStudies(Request):
    """Find studies, newest first, a page of them."""

    wanted: Wanted = field(default_factory=Wanted)
    offset: int = 0
    limit: int = PAGE_ROWS

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Looking for studies"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Each(Request):
    """Base of requests that are all done when asked again."""

    @property
    def supersedes(self) -> bool:
        """Every one that was asked for is done."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPatientStudies(Request):
    """List all studies of one patient in time."""

    patient: int

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Looking for the patient's studies"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListContents(_Each):
    """List the series and results of a study."""

    study: int

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Looking into the study"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAnnotations(_Each):
    """Keep what was drawn on a scan with it; the study's largest CT where ``series`` is ``None``."""

    study: int
    series: int | None
    series_uid: str
    annotations: tuple[Annotation, ...]

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Keeping annotations"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAnnotations(_Each):
    """Read what was drawn on a scan; answered by the annotations."""

    study: int
    series: int | None
    series_uid: str

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Reading annotations"


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAround(Request):
    """Ask for what stands around the list; answered by :class:`Surroundings`."""

    recent: int = 6

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Looking into the archive"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteStudies(_Each):
    """Take studies out of the archive; answered by the number of the deletion."""

    studies: tuple[int, ...]

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Deleting"


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoDeletion(_Each):
    """Bring back what a deletion, the last one if not told, took away."""

    deletion: int | None = None

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Bringing studies back"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeDeletions(_Each):
    """Remove the files of deleted studies for good."""

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Emptying the bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetImport(_Each):
    """Give up an import that did not end."""

    number: int

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Forgetting the import"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadThumbnail(_Each):
    """Draw the small picture of a series."""

    series: int

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Drawing small pictures"


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeSeries(Request):
    """Look at a series, pixels included."""

    series: int

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Looking at the series"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportStudies(_Each):
    """Import folders, files, DICOMDIRs and zip archives."""

    sources: tuple[Path, ...]
    link: bool = False

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Importing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinueImport(_Each):
    """Go on with an import that did not end."""

    number: int

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Going on importing"


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveArchive(_Each):
    """Move the archive to a new folder."""

    folder: Path

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Moving the archive"


@dataclass(frozen=True, slots=True, kw_only=True)
class UseArchive(_Each):
    """Use the archive in another folder."""

    folder: Path

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Opening the archive"
