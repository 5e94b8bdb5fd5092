"""Real servers for the tests, started on loopback: Orthanc with its DICOMweb plugin, and dcmtk's tools."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from star_core.dicom.network.servers import Server, build_server

DICOMWEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
START_TIMEOUT_S = 30.0
TOOL_ENVIRONMENT = os.environ | {"TCP_NODELAY": "1"}


def find_tool(name: str) -> str:
    """Return a program of dcmtk or Orthanc, or skip the test."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed (Debian packages dcmtk, orthanc, orthanc-dicomweb)")
    return found


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until somebody listens."""
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the peer ended with code {process.returncode}")
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on port {port}")


@contextmanager
def running(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=TOOL_ENVIRONMENT, cwd="/"
    )
    try:
        wait_for_port(port, process)
        yield process
    finally:
        process.kill()  # nothing of it is kept, and Orthanc takes seconds to say goodbye
        process.wait(20)


def wait_until(is_true: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + timeout_s
    while not is_true():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.02)


@contextmanager
def running_peer(behave: Callable[[socket.socket], None]) -> Iterator[int]:
    """Run a peer of bad manners: each connection is handed to ``behave`` and closed after it; gives the port."""
    done = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            behave(connection)

    def accept() -> None:
        while not done.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = listener.accept()
                connection.settimeout(20)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            done.set()
            thread.join()


@contextmanager
def running_proxy(target: int, *, cut_after: int, hang: float = 0.0, from_server: bool = False) -> Iterator[int]:
    """Run a wire to a server that is cut, or hangs, after so many bytes from the client, or from the server."""

    def behave(client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", target)) as server:
            left = cut_after
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(min(65_536, left))
                    if not data:
                        return
                    (server if source is client else client).sendall(data)
                    if (source is server) == from_server:
                        left -= len(data)
                    if left <= 0:
                        time.sleep(hang)
                        return

    with running_peer(behave) as port:
        yield port


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc."""

    dicom_port: int
    http_port: int
    move_port: int
    user: str = "reader"
    password: str = "s3cret"

    @property
    def dimse(self) -> Server:
        return build_server(
            name="orthanc",
            host="127.0.0.1",
            port=self.dicom_port,
            called_title="ORTHANC",
            move_port=self.move_port,
            timeout_s=10,
        )

    @property
    def web(self) -> Server:
        url = f"http://127.0.0.1:{self.http_port}/dicom-web"
        return build_server(name="orthanc-web", protocol="web", url=url, user=self.user, timeout_s=10)

    def upload(self, path: Path) -> None:
        """Give it a file by its own interface, so that the tests do not prove our sending by our sending."""
        self._ask("POST", "/instances", path.read_bytes())

    def count_instances(self) -> int:
        return int(json.loads(self._ask("GET", "/statistics"))["CountInstances"])

    def clear(self) -> None:
        for patient in json.loads(self._ask("GET", "/patients")):
            self._ask("DELETE", f"/patients/{patient}")

    def _ask(self, method: str, path: str, data: bytes | None = None) -> bytes:
        manager = urllib.request.HTTPPasswordMgrWithPriorAuth()
        root = f"http://127.0.0.1:{self.http_port}"
        manager.add_password(None, root, self.user, self.password, is_authenticated=True)
        opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(manager))
        request = urllib.request.Request(root + path, data=data, method=method)
        with opener.open(request, timeout=20) as answer:
            return bytes(answer.read())


@contextmanager
def run_orthanc(folder: Path) -> Iterator[Orthanc]:
    """Run an Orthanc of its own storage."""
    program = find_tool("Orthanc")
    if not DICOMWEB_PLUGIN.is_file():
        pytest.skip("Orthanc's DICOMweb plugin is not installed (Debian package orthanc-dicomweb)")
    orthanc = Orthanc(free_port(), free_port(), free_port())
    settings = {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [str(DICOMWEB_PLUGIN)],
        "DicomPort": orthanc.dicom_port,
        "HttpPort": orthanc.http_port,
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": True,
        "DicomAlwaysAllowEcho": False,
        "DicomAlwaysAllowStore": True,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {orthanc.user: orthanc.password},
        "DicomModalities": {"star": ["STAR", "127.0.0.1", orthanc.move_port]},
        "DefaultEncoding": "Utf8",
        "StableAge": 1,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings), encoding="utf-8")
    with running([program, str(folder / "orthanc.json")], orthanc.http_port):
        end = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                orthanc.count_instances()
                break
            except (urllib.error.URLError, ConnectionError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        yield orthanc
