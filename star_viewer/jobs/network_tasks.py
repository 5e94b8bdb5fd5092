"""What the worker processes do for requests about servers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from star_core import api
from star_core.errors import CancelledError, NetworkError, StorageError
from star_core.types import ProgressCallback
from star_viewer.jobs.network_requests import (
    FindMatches,
    ListMatchSeries,
    ListServers,
    Matches,
    ReceiverPlan,
    ReceiveStudies,
    RemoveServer,
    RetrieveStudy,
    SaveServer,
    SendStudies,
    TestServer,
)
from star_viewer.jobs.requests import Request

if TYPE_CHECKING:
    from star_core.archive.importer import ImportReport
    from star_core.archive.rows import StudyRow

_POLL_S = 0.2


class NetworkTasks:
    """Answers requests about servers."""

    def answer(self, request: Request, progress: ProgressCallback) -> object:
        """Return the answer to a request."""
        match request:
            case ListServers():
                return api.list_servers()
            case SaveServer():
                api.save_server(request.server, request.password)
                return api.list_servers()
            case RemoveServer():
                api.remove_server(request.name)
                return api.list_servers()
            case TestServer():
                return _test(request, progress)
            case FindMatches():
                return _find(request, progress)
            case ListMatchSeries():
                return api.find_series(request.server, request.study_uid, progress=progress)
            case RetrieveStudy():
                return _retrieve(request, progress)
            case SendStudies():
                with api.open_archive() as archive:
                    return api.send_studies(archive, request.server, request.studies, progress=progress)
            case ReceiveStudies():
                return _Reception(request.plan, progress).run()
        raise ValueError(f"unknown request {type(request).__name__}")


def _test(request: TestServer, progress: ProgressCallback) -> float:
    start = time.monotonic()
    with _password(request.password):
        api.echo(request.server, progress=progress)
    return time.monotonic() - start


@contextmanager
def _password(password: str | None) -> Iterator[None]:
    """Let a password that is not kept yet stand where the library looks first: in this process's environment."""
    from star_core.dicom.network.servers import PASSWORD_VARIABLE

    before = os.environ.get(PASSWORD_VARIABLE)
    if password is not None:
        os.environ[PASSWORD_VARIABLE] = password
    try:
        yield
    finally:
        os.environ.pop(PASSWORD_VARIABLE, None)
        if before is not None:
            os.environ[PASSWORD_VARIABLE] = before


def _find(request: FindMatches, progress: ProgressCallback) -> Matches:
    from star_core.dicom.names import to_display_name
    from star_core.dicom.network.query import StudyQuery

    query = StudyQuery(**asdict(request.wanted))
    studies, has_more = api.find_studies(
        request.server, query, limit=request.limit, offset=request.offset, progress=progress
    )
    try:
        here = _find_here([study.study_uid for study in studies])
    except StorageError:
        here = ()  # an archive that cannot be read is told of beside the local studies
    studies = tuple(replace(study, patient_name=to_display_name(study.patient_name)) for study in studies)
    return Matches(studies=studies, has_more=has_more, here=here)


def _find_here(study_uids: list[str]) -> tuple[StudyRow, ...]:
    with api.open_archive() as archive:
        return archive.studies_by_uid(study_uids)


def _retrieve(request: RetrieveStudy, progress: ProgressCallback) -> tuple[StudyRow | None, Any]:
    from star_core.dicom.network.retrieval import Method

    method = Method.MOVE if request.by_move else Method.GET
    with api.open_archive() as archive:
        report = api.retrieve_study(archive, request.server, request.study_uid, method=method, progress=progress)
        rows = archive.studies_by_uid([request.study_uid])
    return (rows[0] if rows else None), report


class _Reception:
    """Receives until the window cancels: a thread beside the receiver asks for that, and tells what has come."""

    def __init__(self, plan: ReceiverPlan, progress: ProgressCallback) -> None:
        self._plan, self._progress = plan, progress
        self._stop, self._listening = threading.Event(), threading.Event()
        self._imported = self._came = 0

    def run(self) -> tuple[int, int]:
        """Return how many files were imported, and how many came.

        Raises
        ------
        NetworkError
            When nobody may send, or the port cannot be used.
        """
        from star_core.dicom.network.intake import Limits

        plan = self._plan
        if not plan.allowed:
            raise NetworkError("Nobody may send.", remedy="Name the titles that may, in Preferences, Receiver.")
        watcher = threading.Thread(target=self._watch, name="star-reception", daemon=True)
        watcher.start()
        try:
            with api.open_archive() as archive:
                api.receive_studies(
                    archive,
                    title=plan.title,
                    port=plan.port,
                    stop=self._stop,
                    bind=plan.bind,
                    allowed=plan.allowed,
                    limits=Limits(
                        object_bytes=int(plan.object_gb * 1e9),
                        objects=plan.objects,
                        total_bytes=int(plan.total_gb * 1e9),
                    ),
                    on_start=lambda port: self._listening.set(),
                    on_import=self._count,
                )
        finally:
            self._stop.set()
            watcher.join()
        return self._imported, self._came

    def _count(self, report: ImportReport) -> None:
        self._imported += report.imported
        self._came += report.imported + report.duplicates + len(report.failed)

    def _watch(self) -> None:
        while not self._stop.wait(_POLL_S):
            if self._listening.is_set():
                try:
                    self._progress(self._imported, self._came)
                except (CancelledError, OSError):
                    self._stop.set()
