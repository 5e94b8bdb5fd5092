"""Web servers that are silent, refuse, send garbage or half a study: told in words, and nothing is lost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pydicom
import pytest

from star_core.archive.archive import Archive
from star_core.archive.retrieve import retrieve_study
from star_core.dicom.network.query import StudyQuery
from star_core.dicom.network.services import find_studies
from star_core.errors import NetworkError
from tests.core.dicom.network.conftest import SLICES
from tests.core.dicom.network.peers import build_web


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
        (lambda request: time.sleep(8), "has not answered for 3 s"),
        (endless_body, "not DICOMweb"),
    ],
)
def test_what_a_web_server_answers_instead_is_told(behave: Callable[[BadWeb], None], told: str) -> None:
    with bad_web(behave) as port, pytest.raises(NetworkError, match=told):
        find_studies(build_web(port), StudyQuery())


def test_odd_answers_of_a_web_server_become_empty_values() -> None:
    rows = [
        {"0020000D": {"vr": "UI", "Value": ["2.25.1"]}, "00100010": {"vr": "PN", "Value": [{"Alphabetic": 7}]}},
        {"0020000D": {"vr": "UI", "Value": ["../../etc"]}},
        {"0020000D": {"vr": "UI", "Value": ["2.25.2"]}, "00080020": "not an element", "00201208": {"Value": [None]}},
        "not a study",
    ]
    body = json.dumps(rows).encode()
    with bad_web(lambda request: request.answer(200, "application/dicom+json", body)) as port:
        found, has_more = find_studies(build_web(port), StudyQuery())
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
        report = retrieve_study(archive, build_web(port, timeout_s=10), "2.25.5000")
    assert (report.announced, report.received, report.missing) == (SLICES, 2, 2)


def test_an_answer_cut_in_the_middle_keeps_its_whole_objects(archive: Archive, studies: dict[str, Path]) -> None:
    paths = sorted(studies["latin"].iterdir())
    cut = web_of(paths, SLICES, lambda body: body[:-1_000], MULTIPART)
    with bad_web(cut) as port, pytest.raises(NetworkError, match=f"{SLICES - 1} objects of {SLICES} have come"):
        retrieve_study(archive, build_web(port, timeout_s=10), "2.25.5000")


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
        retrieve_study(archive, build_web(port, timeout_s=10), "2.25.5000")


def test_parts_that_are_no_dicom_files_are_refused(archive: Archive, tmp_path: Path, studies: dict[str, Path]) -> None:
    (tmp_path / "note").write_text("not DICOM, but long enough to be looked at" * 10)
    paths = [min(studies["latin"].iterdir()), tmp_path / "note"]
    with bad_web(web_of(paths, 2, lambda body: body, MULTIPART)) as port:
        report = retrieve_study(archive, build_web(port, timeout_s=10), "2.25.5000")
    assert (report.received, report.missing, report.refused) == (1, 1, ("it is no DICOM file",))
