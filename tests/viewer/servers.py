"""Servers that exist on paper: a book, a PACS with studies, one that is silent; and what stands for their answers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from star_core.dicom.network.query import SeriesMatch, StudyMatch
from star_core.dicom.network.servers import Server
from star_core.errors import NetworkError
from star_core.types import ProgressCallback
from star_viewer.jobs.network_requests import (
    FindMatches,
    ListMatchSeries,
    ListServers,
    Matches,
    ReceiveStudies,
    RemoveServer,
    RetrieveStudy,
    SaveServer,
    SendStudies,
    TestServer,
)
from star_viewer.jobs.requests import Request
from star_viewer.pacs import NetworkRunners
from tests.viewer.runners import DirectRunner
from tests.viewer.shelves import FakeStudy

HOSPITAL = Server(name="hospital", host="pacs.hospital", called_title="PACS")
SILENT = Server(name="silent", host="pacs.silent", called_title="PACS")
MATCH = StudyMatch(
    study_uid="1.2.1",
    patient_name="Müller, Jérôme",
    patient_id="P1",
    birth_date="1960-02-29",
    sex="M",
    date="2026-01-31",
    time="101500",
    description="CT Abdomen",
    accession="A1",
    modalities=("CT", "SEG"),
    series_count=2,
    instance_count=120,
)
SERIES = SeriesMatch(
    series_uid="1.3.1", modality="CT", number=3, description="Portal venous", body_part="LIVER", instance_count=119
)


def build_matches(count: int) -> tuple[StudyMatch, ...]:
    return tuple(replace(MATCH, study_uid=f"1.2.{number}", patient_id=f"P{number}") for number in range(1, count + 1))


@dataclass(frozen=True)
class FakeRow(FakeStudy):
    """Looks like ``StudyRow``."""

    study_uid: str = "1.2.1"


@dataclass(frozen=True)
class FakeFailure:
    """Looks like ``FailedFile`` and ``UnsentFile``."""

    reason: str
    label: str = "file"
    number: int = 1


@dataclass(frozen=True)
class FakeImport:
    """Looks like ``ImportReport``."""

    failed: tuple[FakeFailure, ...] = ()


@dataclass(frozen=True)
class FakeRetrieval:
    """Looks like ``RetrievalReport``."""

    announced: int = 120
    missing: int = 0
    refused: tuple[str, ...] = ()
    imported: FakeImport = field(default_factory=FakeImport)

    @property
    def is_complete(self) -> bool:
        return not self.missing and not self.imported.failed


@dataclass(frozen=True)
class FakeSending:
    """Looks like ``SendingReport``."""

    sent: int = 120
    failed: tuple[FakeFailure, ...] = ()


class FakeNetworkTasks:
    """Answers like ``jobs.network_tasks.NetworkTasks``; all runners share one, with its book and its studies."""

    def __init__(self, *servers: Server, studies: tuple[StudyMatch, ...] = (MATCH,)) -> None:
        self.servers = list(servers)
        self.passwords: dict[str, str] = {}
        self.studies = studies
        self.keyring = True

    def answer(self, request: Request, progress: ProgressCallback) -> object:
        match request:
            case ListServers():
                return tuple(self.servers)
            case SaveServer():
                return self._save(request)
            case RemoveServer():
                self.servers = [server for server in self.servers if server.name != request.name]
                return tuple(self.servers)
            case ReceiveStudies():
                return 0, 0
        server: Server = request.server  # type: ignore[attr-defined]
        if server.name == SILENT.name:
            raise NetworkError(f"{server.name!r} does not answer.", remedy="Check host and port.", details="timeout")
        match request:
            case TestServer():
                return 0.012
            case FindMatches(offset=offset, limit=limit):
                page = self.studies[offset : offset + limit]
                return Matches(studies=page, has_more=len(self.studies) > offset + limit)
            case ListMatchSeries():
                return (SERIES,)
            case RetrieveStudy():
                return FakeRow(7, study_uid=request.study_uid), FakeRetrieval()
            case SendStudies():
                return FakeSending()
        raise ValueError(type(request).__name__)

    def _save(self, request: SaveServer) -> tuple[Server, ...]:
        if request.password is not None:
            if not self.keyring:
                raise NetworkError("The system's keyring cannot be used.", remedy="Set STAR_PACS_PASSWORD.")
            self.passwords[request.server.name] = request.password
        self.servers = [*(one for one in self.servers if one.name != request.server.name), request.server]
        return tuple(self.servers)


def build_network_runners(tasks: FakeNetworkTasks | None = None) -> NetworkRunners:
    """Return runners that answer in this process and reach no network."""
    shared = tasks or FakeNetworkTasks()
    return NetworkRunners(*(DirectRunner(tasks=shared) for _ in range(4)))
