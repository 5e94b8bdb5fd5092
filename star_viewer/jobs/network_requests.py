"""What the window can ask of servers on the network, as frozen values that travel to the worker processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from star_viewer.jobs.requests import Request

if TYPE_CHECKING:
    from star_core.archive.rows import StudyRow
    from star_core.dicom.network.query import StudyMatch
    from star_core.dicom.network.servers import Server

PAGE_MATCHES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteWanted:
    """Which studies a server is asked for; looks like the core's ``StudyQuery``."""

    patient_name: str = ""
    patient_id: str = ""
    date_from: str = ""
    date_to: str = ""
    modality: str = ""
    accession: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """A page of studies that a server has, whether it has more, and those of them that the archive has too."""

    studies: tuple[StudyMatch, ...]
    has_more: bool
    here: tuple[StudyRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverPlan:
    """How studies are received: our title, where we listen, who may send (empty: nobody), and how much at most."""

    title: str = "STAR"
    port: int = 11112
    bind: str = "127.0.0.1"
    allowed: tuple[str, ...] = ()
    objects: int = 50_000
    total_gb: float = 200.0
    object_gb: float = 4.0

    @property
    def address(self) -> str:
        """Where senders find us, for people."""
        return f"{self.bind}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Each(Request):
    """Base of requests that are all done when asked again."""

    @property
    def supersedes(self) -> bool:
        """Every one that was asked for is done."""
        return False


# --------------------------------------------------------------------------- the book


@dataclass(frozen=True, slots=True, kw_only=True)
class ListServers(Request):
    """List the saved servers; answered by a tuple of ``Server``."""

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Looking for servers"


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveServer(_Each):
    """Keep a server, and its user's password in the keyring when one is given; answered by all servers."""

    server: Server
    password: str | None = field(default=None, repr=False)

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Saving the server"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveServer(_Each):
    """Forget a server and its password; answered by those that are left."""

    name: str

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Removing the server"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestServer(Request):
    """Ask whether a server answers, with a password that is not kept yet when one is given; answered in seconds."""

    __test__ = False  # no test of pytest

    server: Server
    password: str | None = field(default=None, repr=False)

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return "Testing the connection"


# --------------------------------------------------------------------------- asking


@dataclass(frozen=True, slots=True, kw_only=True)
class FindMatches(Request):
    """Ask a server for studies, a page of them; answered by :class:`Matches`."""

    server: Server
    wanted: RemoteWanted = field(default_factory=RemoteWanted)
    offset: int = 0
    limit: int = PAGE_MATCHES

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return f"Asking {self.server.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMatchSeries(_Each):
    """Ask a server for the series of a study; answered by a tuple of ``SeriesMatch``."""

    server: Server
    study_uid: str

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return f"Asking {self.server.name} for series"


# --------------------------------------------------------------------------- moving studies


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrieveStudy(_Each):
    """Retrieve a study into the archive; answered by the archive's row of it and a ``RetrievalReport``."""

    server: Server
    study_uid: str
    label: str
    by_move: bool = False

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return f"Retrieving {self.label}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SendStudies(_Each):
    """Send studies of the archive to a server; answered by a ``SendingReport``."""

    server: Server
    studies: tuple[int, ...]

    @property
    def text(self) -> str:
        """What the progress bar says."""
        what = "a study" if len(self.studies) == 1 else f"{len(self.studies)} studies"
        return f"Sending {what} to {self.server.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveStudies(Request):
    """Receive what servers send into the archive until cancelled.

    Progress begins once objects can be sent: files imported of files that came, so far.
    """

    plan: ReceiverPlan

    @property
    def text(self) -> str:
        """What the progress bar says."""
        return f"Receiving on {self.plan.address}"
