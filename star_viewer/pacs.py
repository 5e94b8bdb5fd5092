"""Servers as the window sees them: four workers, so that asking, moving and receiving never wait for each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from PySide6.QtCore import QObject, Signal

from star_viewer.jobs.network_requests import (
    FindMatches,
    ListMatchSeries,
    ListServers,
    ReceiverPlan,
    ReceiveStudies,
    RemoteWanted,
    RemoveServer,
    RetrieveStudy,
    SaveServer,
    SendStudies,
    TestServer,
)
from star_viewer.jobs.requests import Request
from star_viewer.jobs.runner import JobRunner
from star_viewer.jobs.worker import Failed, make_loaded_network_tasks, make_network_tasks

if TYPE_CHECKING:
    from star_core.dicom.network.servers import Server

_NOTHING_AHEAD = "star_core"


@dataclass(frozen=True, slots=True)
class NetworkRunners:
    """``book`` keeps and tests them, ``queries`` asks, ``transfers`` moves, ``receiver`` listens."""

    book: JobRunner
    queries: JobRunner
    transfers: JobRunner
    receiver: JobRunner

    @classmethod
    def build(cls, parent: QObject) -> Self:
        """Return runners with a worker process each, which start with their first request."""
        makers = (make_network_tasks, make_loaded_network_tasks, make_network_tasks, make_network_tasks)
        return cls(*(JobRunner(parent, make, ahead=_NOTHING_AHEAD) for make in makers))

    def close(self) -> None:
        """End the workers; what has come of a study is kept, and the next retrieval goes on."""
        for runner in (self.book, self.queries, self.transfers, self.receiver):
            runner.close()


class Pacs(QObject):
    """Asks servers for what the window wants of them; brings everything back by signals."""

    servers_listed = Signal(object)  # tuple of Server
    saved = Signal(str)  # name
    cannot_save = Signal(object)  # Failed
    tested = Signal(object, float)  # Server, seconds
    cannot_reach = Signal(object, object)  # Server, Failed
    found = Signal(object, int)  # Matches, offset
    cannot_find = Signal(object)  # Failed
    series_listed = Signal(str, object)  # study_uid, tuple of SeriesMatch
    cannot_list_series = Signal(str, object)  # study_uid, Failed
    retrieved = Signal(object, object, object)  # RetrieveStudy, StudyRow | None, RetrievalReport
    cannot_retrieve = Signal(object, object)  # RetrieveStudy, Failed
    sent = Signal(object, object)  # SendStudies, SendingReport
    cannot_send = Signal(object, object)  # SendStudies, Failed
    receiving = Signal(int, int)  # files imported, files that came
    received = Signal(int, int)
    cannot_receive = Signal(object)  # Failed
    troubled = Signal(object, object)  # Request, Failed

    def __init__(self, runners: NetworkRunners, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.runners = runners
        self.servers: tuple[Server, ...] = ()
        self.was_listed = False
        self._asked: FindMatches | None = None
        self._next = 0
        for runner in (runners.book, runners.queries, runners.transfers, runners.receiver):
            runner.finished.connect(self._take)
            runner.failed.connect(self._fail)
        runners.receiver.progressed.connect(lambda request, done, total: self.receiving.emit(done, total))

    # ------------------------------------------------------------------ the book

    def list_servers(self) -> None:
        """Ask for the saved servers, and let the worker load that will ask them."""
        self.runners.queries.start()
        self.runners.book.submit(ListServers())

    def save(self, server: Server, password: str | None) -> None:
        """Keep a server, and its user's password in the keyring when one is given."""
        self.runners.book.submit(SaveServer(server=server, password=password))

    def remove(self, name: str) -> None:
        """Forget a server and its password."""
        self.runners.book.submit(RemoveServer(name=name))

    def test(self, server: Server, password: str | None = None) -> None:
        """Ask whether a server answers."""
        self.runners.book.submit(TestServer(server=server, password=password))

    # ------------------------------------------------------------------ asking

    @property
    def asked_server(self) -> Server | None:
        """The server that was asked last, which the studies that were found lie on."""
        return None if self._asked is None else self._asked.server

    def find(self, server: Server, wanted: RemoteWanted) -> None:
        """Look for studies; what was asked for before no longer matters."""
        self._asked = FindMatches(server=server, wanted=wanted)
        self.runners.queries.submit(self._asked)

    def find_more(self) -> None:
        """Look for the next page of what was asked for last."""
        if self._asked is not None:
            self.runners.queries.submit(replace(self._asked, offset=self._next))

    def list_series(self, server: Server, study_uid: str) -> None:
        """Ask for the series of a study."""
        self.runners.queries.submit(ListMatchSeries(server=server, study_uid=study_uid))

    # ------------------------------------------------------------------ moving studies

    def retrieve(self, request: RetrieveStudy) -> None:
        """Retrieve a study into the archive, after those that wait."""
        self.runners.transfers.submit(request)

    def send(self, server: Server, studies: Sequence[int]) -> None:
        """Send studies of the archive to a server, after what waits."""
        self.runners.transfers.submit(SendStudies(server=server, studies=tuple(studies)))

    def receive(self, plan: ReceiverPlan) -> None:
        """Receive what servers send until told to stop."""
        self.runners.receiver.submit(ReceiveStudies(plan=plan))

    # ------------------------------------------------------------------ what comes back

    def _take(self, request: Request, answer: Any) -> None:
        match request:
            case ListServers() | SaveServer() | RemoveServer():
                self.servers, self.was_listed = answer, True
                self.servers_listed.emit(answer)
                if isinstance(request, SaveServer):
                    self.saved.emit(request.server.name)
            case TestServer():
                self.tested.emit(request.server, answer)
            case FindMatches():
                self._next = request.offset + request.limit
                self.found.emit(answer, request.offset)
            case ListMatchSeries():
                self.series_listed.emit(request.study_uid, answer)
            case RetrieveStudy():
                self.retrieved.emit(request, *answer)
            case SendStudies():
                self.sent.emit(request, answer)
            case ReceiveStudies():
                self.received.emit(*answer)

    def _fail(self, request: Request, failure: Failed) -> None:
        match request:
            case SaveServer():
                self.cannot_save.emit(failure)
            case TestServer():
                self.cannot_reach.emit(request.server, failure)
            case FindMatches():
                self.cannot_find.emit(failure)
            case ListMatchSeries():
                self.cannot_list_series.emit(request.study_uid, failure)
            case RetrieveStudy():
                self.cannot_retrieve.emit(request, failure)
            case SendStudies():
                self.cannot_send.emit(request, failure)
            case ReceiveStudies():
                self.cannot_receive.emit(failure)
            case _:
                self.troubled.emit(request, failure)
