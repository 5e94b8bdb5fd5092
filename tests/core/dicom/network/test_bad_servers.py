"""Servers that are silent, refuse, send garbage or half a study: told in words, in time, and nothing is lost."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
)

from star_core.archive.archive import Archive
from star_core.archive.retrieve import retrieve_study
from star_core.dicom.network.intake import Intake
from star_core.dicom.network.query import StudyQuery
from star_core.dicom.network.receiver import Receiver
from star_core.dicom.network.retrieval import Method
from star_core.dicom.network.servers import Server, build_server
from star_core.dicom.network.services import echo, find_studies, send_files
from star_core.dicom.network.wire import BoundedSocket
from star_core.errors import CancelledError, NetworkError
from tests.core.dicom.network.conftest import SLICES
from tests.core.dicom.network.peers import Orthanc, build_web, free_port, running_peer, running_proxy

SLACK_S = 2.0
"""What a busy machine may add; the servers hang for much longer."""


def dimse(port: int, **change: Any) -> Server:
    return build_server(
        **{"name": "bad", "host": "127.0.0.1", "port": port, "called_title": "ORTHANC", "timeout_s": 1.0, **change}
    )


def hang(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass


def say_garbage(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200)


def say_endless_pdu(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.sendall(struct.pack(">BxL", 2, 0xFFFFFFF0))
    while True:
        connection.sendall(b"\0" * 65_536)


def hang_up(connection: socket.socket) -> None:
    connection.recv(65_536)


def reject(result: int, source: int, reason: int) -> Callable[[socket.socket], None]:
    def behave(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(struct.pack(">BxLxBBB", 3, 4, result, source, reason))
        connection.recv(1)

    return behave


def abort(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.sendall(struct.pack(">BxLxxBB", 7, 4, 0, 0))
    connection.recv(1)


@pytest.mark.parametrize(
    ("behave", "told"),
    [
        (hang, "has not answered for 1 s"),
        (say_garbage, "not DICOM"),
        (say_endless_pdu, "not DICOM"),
        (hang_up, "closed the connection"),
        (reject(1, 1, 3), "does not know the title 'STAR'"),
        (reject(1, 1, 7), "does not call itself 'ORTHANC'"),
        (reject(2, 3, 1), "too many connections"),
        (abort, "aborted the association"),
    ],
)
def test_what_a_server_does_instead_of_answering_is_told(behave: Callable[[socket.socket], None], told: str) -> None:
    with running_peer(behave) as port:
        server = dimse(port, timeout_s=1.0 if behave is hang else 20.0)
        start = time.monotonic()
        with pytest.raises(NetworkError, match=told):
            echo(server)
        assert time.monotonic() - start < 10


def test_a_rejection_that_comes_before_anybody_looks_is_told_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            came = super().wait(timeout)
            time.sleep(0.2)
            return came

    begin = BoundedSocket.__init__

    def begin_late(self: BoundedSocket, *arguments: Any, **options: Any) -> None:
        begin(self, *arguments, **options)
        self._ready = Late()

    monkeypatch.setattr(BoundedSocket, "__init__", begin_late)
    with running_peer(reject(1, 1, 7)) as port, pytest.raises(NetworkError, match="does not call itself"):
        echo(dimse(port))


def test_a_large_file_may_take_longer_than_a_server_may_be_silent(tmp_path: Path, studies: dict[str, Path]) -> None:
    large = pydicom.dcmread(min(studies["latin"].iterdir()))
    large.PixelData = bytes(16 << 20)
    large.save_as(tmp_path / "large.dcm")
    intake = Intake(tmp_path / "intake")
    with (
        Receiver(intake, title="ORTHANC") as receiver,
        running_proxy(receiver.port, cut_after=1 << 40, pause=0.02) as port,
    ):
        start = time.monotonic()
        assert send_files(dimse(port, timeout_s=3.0), [tmp_path / "large.dcm"]).sent == 1
        assert time.monotonic() - start > 3.0


def test_nobody_there_is_told() -> None:
    for server in (dimse(free_port()), build_web(free_port())):
        with pytest.raises(NetworkError, match="cannot be reached"):
            echo(server)


def cancel_after(seconds: float) -> Callable[[int, int], None]:
    start = time.monotonic()

    def progress(done: int, total: int) -> None:
        if time.monotonic() - start > seconds:
            raise CancelledError("Cancelled.")

    return progress


@pytest.mark.parametrize("kind", [dimse, build_web])
def test_cancelling_takes_less_than_a_second_where_the_server_hangs(kind: Callable[..., Server]) -> None:
    with running_peer(hang) as port:
        start = time.monotonic()
        with pytest.raises(CancelledError):
            find_studies(kind(port, timeout_s=30), StudyQuery(), progress=cancel_after(0.3))
        assert time.monotonic() - start < 0.3 + 1.0 + SLACK_S


# --------------------------------------------------------------------------- in the middle of a retrieval


def through(server: Server, port: int, timeout_s: float = 20.0) -> Server:
    return Server.model_validate(server.model_dump() | {"port": port, "timeout_s": timeout_s})


@pytest.mark.parametrize(("pause", "told"), [(0.0, "closed the connection"), (60.0, "has not answered for 2 s")])
def test_what_came_before_a_break_is_kept_but_is_no_study_yet(
    pacs: Orthanc, archive: Archive, pause: float, told: str
) -> None:
    with (
        running_proxy(pacs.dicom_port, cut_after=9_000, hang=pause, from_server=True) as port,
        pytest.raises(NetworkError, match=told) as caught,
    ):
        retrieve_study(archive, through(pacs.dimse, port, timeout_s=2.0 if pause else 20.0), "2.25.5002")
    assert "are kept" in caught.value.message
    assert archive.count_studies() == 0


def test_a_retrieval_goes_on_where_it_was_broken(pacs: Orthanc, archive: Archive) -> None:
    fate = {"cut": 9_000}
    with running_proxy_by_plan(pacs.dicom_port, fate) as port:
        server = through(pacs.dimse, port)
        with pytest.raises(NetworkError, match="are kept"):
            retrieve_study(archive, server, "2.25.5003")
        fate["cut"] = 1 << 40
        report = retrieve_study(archive, server, "2.25.5003")
    assert report.known + report.received == SLICES
    assert report.known > 0
    assert report.is_complete
    assert archive.find_studies()[0].instance_count == SLICES
    assert not [path for path in (archive.folder / "incoming").iterdir() if path.is_dir()]


@contextmanager
def running_proxy_by_plan(target: int, fate: dict[str, int]) -> Iterator[int]:
    """A wire whose breaking point can be changed while it runs."""

    def behave(client: socket.socket) -> None:
        with (
            running_proxy(target, cut_after=fate["cut"], from_server=True) as inner,
            socket.create_connection(("127.0.0.1", inner)) as server,
        ):
            ends = ((client, server), (server, client))
            pumps = [threading.Thread(target=pump, args=pair, daemon=True) for pair in ends]
            for thread in pumps:
                thread.start()
            for thread in pumps:
                thread.join()

    with running_peer(behave) as port:
        yield port


def pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


def test_a_retrieval_is_cancelled_within_a_second_where_the_server_hangs(pacs: Orthanc, archive: Archive) -> None:
    with running_proxy(pacs.dicom_port, cut_after=9_000, hang=60, from_server=True) as port:
        start = time.monotonic()
        with pytest.raises(CancelledError):
            retrieve_study(archive, through(pacs.dimse, port, timeout_s=30), "2.25.5004", progress=cancel_after(0.5))
        assert time.monotonic() - start < 0.5 + 1.0 + SLACK_S
    assert archive.count_studies() == 0


@contextmanager
def half_a_study(paths: list[Path], announced: int) -> Iterator[int]:
    """A server that lists more objects than it sends."""
    ae = AE("ORTHANC")
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelGet)
    ae.add_supported_context(CTImageStorage, scu_role=True, scp_role=True)
    files = [pydicom.dcmread(path) for path in paths]

    def find(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        level = event.identifier.QueryRetrieveLevel
        for number in range(1 if level != "IMAGE" else announced):
            answer = Dataset()
            answer.QueryRetrieveLevel = level
            answer.SeriesInstanceUID = files[0].SeriesInstanceUID
            answer.NumberOfSeriesRelatedInstances = announced
            answer.SOPInstanceUID = f"{files[0].SOPInstanceUID[:-1]}{number}"
            answer.SOPClassUID = CTImageStorage
            yield 0xFF00, answer

    def get(event: evt.Event) -> Iterator[Any]:
        yield len(files)
        for one in files:
            yield 0xFF00, one

    handlers = [(evt.EVT_C_FIND, find), (evt.EVT_C_GET, get)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def test_half_a_study_is_not_taken_for_a_whole_one(archive: Archive, studies: dict[str, Path]) -> None:
    paths = sorted(studies["latin"].iterdir())[:2]
    with half_a_study(paths, announced=SLICES) as port:
        report = retrieve_study(archive, dimse(port, timeout_s=10), "2.25.5000", method=Method.GET)
    assert (report.announced, report.received, report.missing) == (SLICES, 2, 2)
    assert not report.is_complete
    assert archive.find_studies()[0].instance_count == 2


@contextmanager
def endless_answers() -> Iterator[int]:
    """A server whose answers never end, also after it was asked to stop."""
    ae = AE("ORTHANC")
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    done = threading.Event()

    def find(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        number = 0
        while not done.is_set():
            number += 1
            answer = Dataset()
            answer.StudyInstanceUID, answer.PatientName = f"2.25.{number}", "x" * 300 + "\x1b[31m"
            yield 0xFF00, answer

    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, find)])
    try:
        yield server.server_address[1]
    finally:
        done.set()
        server.shutdown()


@pytest.mark.filterwarnings("ignore:The value length:UserWarning")
@pytest.mark.filterwarnings("ignore:The PN component length:UserWarning")
def test_answers_that_do_not_end_are_cut_off() -> None:
    with endless_answers() as port:
        found, has_more = find_studies(dimse(port, timeout_s=10), StudyQuery(), limit=5)
    assert (len(found), has_more) == (5, True)
    assert "\x1b" not in found[0].patient_name
