"""Servers that are silent, refuse, send garbage or half a study: told in words, in time, and nothing is lost."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
from star_core.dicom.network.query import StudyQuery
from star_core.dicom.network.retrieval import Method
from star_core.dicom.network.servers import Server, build_server
from star_core.dicom.network.services import echo, find_studies
from star_core.errors import CancelledError, NetworkError
from tests.core.dicom.network.conftest import SLICES
from tests.core.dicom.network.peers import Orthanc, free_port, running_peer, running_proxy


def dimse(port: int, **change: Any) -> Server:
    return build_server(
        **{"name": "bad", "host": "127.0.0.1", "port": port, "called_title": "ORTHANC", "timeout_s": 1.0, **change}
    )


def web(port: int, **change: Any) -> Server:
    return build_server(
        **{"name": "bad", "protocol": "web", "url": f"http://127.0.0.1:{port}/dicom-web", "timeout_s": 1.0, **change}
    )


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive(tmp_path / "archive") as opened:
        yield opened


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
        start = time.monotonic()
        with pytest.raises(NetworkError, match=told):
            echo(dimse(port))
        assert time.monotonic() - start < 4


def test_nobody_there_is_told() -> None:
    for server in (dimse(free_port()), web(free_port())):
        with pytest.raises(NetworkError, match="cannot be reached"):
            echo(server)


def cancel_after(seconds: float) -> Callable[[int, int], None]:
    start = time.monotonic()

    def progress(done: int, total: int) -> None:
        if time.monotonic() - start > seconds:
            raise CancelledError("Cancelled.")

    return progress


@pytest.mark.parametrize("kind", [dimse, web])
def test_cancelling_takes_less_than_a_second_where_the_server_hangs(kind: Callable[..., Server]) -> None:
    with running_peer(hang) as port:
        start = time.monotonic()
        with pytest.raises(CancelledError):
            find_studies(kind(port, timeout_s=30), StudyQuery(), progress=cancel_after(0.3))
        assert time.monotonic() - start < 1.5


# --------------------------------------------------------------------------- in the middle of a retrieval


def through(server: Server, port: int, timeout_s: float = 1.0) -> Server:
    return Server.model_validate(server.model_dump() | {"port": port, "timeout_s": timeout_s})


@pytest.mark.parametrize(("pause", "told"), [(0.0, "closed the connection"), (20.0, "has not answered for 1 s")])
def test_what_came_before_a_break_is_kept_and_not_asked_for_again(
    pacs: Orthanc, archive: Archive, pause: float, told: str
) -> None:
    with (
        running_proxy(pacs.dicom_port, cut_after=9_000, hang=pause, from_server=True) as port,
        pytest.raises(NetworkError, match=told) as caught,
    ):
        retrieve_study(archive, through(pacs.dimse, port), "2.25.5002")
    assert "are kept" in caught.value.message
    assert archive.count_studies() == 0
    report = retrieve_study(archive, through(pacs.dimse, port=pacs.dicom_port, timeout_s=10), "2.25.5002")
    assert report.received < SLICES or not report.known  # the address differs: this is another server to us
    assert report.is_complete


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
    with running_proxy(pacs.dicom_port, cut_after=9_000, hang=20, from_server=True) as port:
        start = time.monotonic()
        with pytest.raises(CancelledError):
            retrieve_study(archive, through(pacs.dimse, port, timeout_s=30), "2.25.5004", progress=cancel_after(0.5))
        assert time.monotonic() - start < 2.0
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


# --------------------------------------------------------------------------- on the web


class BadWeb(BaseHTTPRequestHandler):
    """Answers as its server's plan says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.behave(self)  # type: ignore[attr-defined]

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def answer(self, status: int, content_type: str, body: bytes, *, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("Connection", "close")
        self.close_connection = True
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def bad_web(behave: Callable[[BadWeb], None]) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), BadWeb)
    server.daemon_threads = True
    server.handle_error = lambda *arguments: None  # type: ignore[method-assign]
    server.behave = behave  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def endless_body(request: BadWeb) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "application/dicom+json")
    request.end_headers()
    while True:
        request.wfile.write(b"[" * (1 << 20))


@pytest.mark.parametrize(
    ("behave", "told"),
    [
        (lambda request: request.answer(500, "text/plain", b"no"), "HTTP 500"),
        (lambda request: request.answer(503, "text/plain", b"no"), "HTTP 503"),
        (lambda request: request.answer(403, "text/plain", b"no"), "does not let this user in"),
        (lambda request: request.answer(200, "text/html", b"<html>"), "not DICOMweb"),
        (lambda request: request.answer(200, "application/dicom+json", b'{"a": 1'), "not DICOMweb"),
        (lambda request: request.answer(200, "application/dicom+json", b"[]", length=100), "closed the connection"),
        (lambda request: request.wfile.write(b"\0garbage\r\n\r\n"), "cannot be reached|not DICOMweb"),
        (lambda request: time.sleep(3), "has not answered for 1 s"),
        (endless_body, "not DICOMweb"),
    ],
)
def test_what_a_web_server_answers_instead_is_told(behave: Callable[[BadWeb], None], told: str) -> None:
    with bad_web(behave) as port, pytest.raises(NetworkError, match=told):
        find_studies(web(port), StudyQuery())


def test_odd_answers_of_a_web_server_become_empty_values() -> None:
    rows = [
        {"0020000D": {"vr": "UI", "Value": ["2.25.1"]}, "00100010": {"vr": "PN", "Value": [{"Alphabetic": 7}]}},
        {"0020000D": {"vr": "UI", "Value": ["../../etc"]}},
        {"0020000D": {"vr": "UI", "Value": ["2.25.2"]}, "00080020": "not an element", "00201208": {"Value": [None]}},
        "not a study",
    ]
    body = json.dumps(rows).encode()
    with bad_web(lambda request: request.answer(200, "application/dicom+json", body)) as port:
        found, has_more = find_studies(web(port), StudyQuery())
    assert [(one.study_uid, one.patient_name, one.date) for one in found] == [("2.25.1", "", ""), ("2.25.2", "", "")]
    assert not has_more


def web_of(paths: list[Path], announced: int, body: Callable[[bytes], bytes], kind: str) -> Callable[[BadWeb], None]:
    """Return a server that lists so many objects and sends these files, its multipart body changed."""
    first = pydicom.dcmread(paths[0])
    uids = [f"{first.SOPInstanceUID[:-1]}{number}" for number in range(announced)]
    series = [{"0020000E": {"vr": "UI", "Value": [first.SeriesInstanceUID]}}]
    instances = [{"00080018": {"vr": "UI", "Value": [uid]}} for uid in uids]
    parts = b"".join(b"--B\r\nContent-Type: application/dicom\r\n\r\n" + path.read_bytes() + b"\r\n" for path in paths)

    def behave(request: BadWeb) -> None:
        path = request.path.split("?")[0]
        if path.endswith("/series"):
            request.answer(200, "application/dicom+json", json.dumps(series).encode())
        elif path.endswith("/instances"):
            request.answer(200, "application/dicom+json", json.dumps(instances).encode())
        else:
            request.answer(200, kind, body(parts + b"--B--\r\n"))

    return behave


MULTIPART = 'multipart/related; type="application/dicom"; boundary=B'


def test_half_a_study_on_the_web_is_not_taken_for_a_whole_one(archive: Archive, studies: dict[str, Path]) -> None:
    paths = sorted(studies["latin"].iterdir())[:2]
    with bad_web(web_of(paths, SLICES, lambda body: body, MULTIPART)) as port:
        report = retrieve_study(archive, web(port, timeout_s=10), "2.25.5000")
    assert (report.announced, report.received, report.missing) == (SLICES, 2, 2)


def test_an_answer_cut_in_the_middle_keeps_its_whole_objects(archive: Archive, studies: dict[str, Path]) -> None:
    paths = sorted(studies["latin"].iterdir())
    cut = web_of(paths, SLICES, lambda body: body[:-1_000], MULTIPART)
    with bad_web(cut) as port, pytest.raises(NetworkError, match=f"{SLICES - 1} objects of {SLICES} have come"):
        retrieve_study(archive, web(port, timeout_s=10), "2.25.5000")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (lambda body: b"<html>", "text/html"),
        (lambda body: b"\r\n--B\r\nno end of the header", MULTIPART),
    ],
)
def test_an_answer_of_another_kind_is_told(
    archive: Archive, studies: dict[str, Path], body: Callable[[bytes], bytes], kind: str
) -> None:
    paths = sorted(studies["latin"].iterdir())
    with bad_web(web_of(paths, SLICES, body, kind)) as port, pytest.raises(NetworkError, match="not DICOMweb"):
        retrieve_study(archive, web(port, timeout_s=10), "2.25.5000")


def test_parts_that_are_no_dicom_files_are_refused(archive: Archive, tmp_path: Path, studies: dict[str, Path]) -> None:
    (tmp_path / "note").write_text("not DICOM, but long enough to be looked at" * 10)
    paths = [min(studies["latin"].iterdir()), tmp_path / "note"]
    with bad_web(web_of(paths, 2, lambda body: body, MULTIPART)) as port:
        report = retrieve_study(archive, web(port, timeout_s=10), "2.25.5000")
    assert (report.received, report.missing, report.refused) == (1, 1, ("it is no DICOM file",))
