"""Servers are kept in a file without passwords, and every setting is checked at the door."""

from __future__ import annotations

import datetime
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from star_core import api
from star_core.dicom.network.intake import Intake
from star_core.dicom.network.receiver import Receiver
from star_core.dicom.network.sending import send_files
from star_core.dicom.network.servers import (
    PASSWORD_VARIABLE,
    SERVERS_FILE,
    Server,
    build_receiver_tls,
    parse_address,
    read_password,
)
from star_core.dicom.network.services import echo
from star_core.errors import NetworkError, StorageError
from tests.core.dicom.network.conftest import SLICES
from tests.core.dicom.network.peers import find_tool, free_port, running


class MemoryKeyring(KeyringBackend):
    """A keyring of one test."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


class LockedKeyring(MemoryKeyring):
    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked

    def set_password(self, service: str, username: str, password: str) -> None:
        raise KeyringLocked


@pytest.fixture
def own_keyring() -> Iterator[MemoryKeyring]:
    before = keyring.get_keyring()
    keyring.set_keyring(MemoryKeyring())
    yield keyring.get_keyring()  # type: ignore[misc]
    keyring.set_keyring(before)


def test_a_server_is_kept_changed_and_forgotten(own_home: Path, own_keyring: MemoryKeyring) -> None:
    server = api.build_server(name="Klinik Süd", host="pacs.example", port=11112, called_title="PACS", user="me")
    api.save_server(server, "s3cret")
    api.save_server(api.build_server(name="web", protocol="web", url="https://pacs.example/dicom-web"))
    assert [one.name for one in api.list_servers()] == ["Klinik Süd", "web"]
    assert api.find_server("Klinik Süd") == server
    assert "s3cret" not in (own_home / SERVERS_FILE).read_text(encoding="utf-8")
    assert read_password(server) == "s3cret"
    api.save_server(server.model_copy(update={"port": 104}))
    assert api.find_server("Klinik Süd").port == 104
    api.remove_server("Klinik Süd")
    assert [one.name for one in api.list_servers()] == ["web"]
    assert not own_keyring.kept
    with pytest.raises(NetworkError, match="no server"):
        api.remove_server("Klinik Süd")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("PACS@10.0.0.1:104", "PACS@10.0.0.1:104"),
        ("MY PACS@[::1]:11112", "MY PACS@::1:11112"),
        ("https://pacs.example/dicom-web/", "https://pacs.example/dicom-web"),
    ],
)
def test_an_address_stands_for_a_server(address: str, shown: str) -> None:
    assert api.find_server(address).address == shown


@pytest.mark.parametrize("text", ["pacs", "PACS@host", "PACS@host:port", "ftp://host/", ""])
def test_what_is_no_address_is_told_with_what_is_known(text: str) -> None:
    assert parse_address(text) is None
    with pytest.raises(NetworkError, match="known: none"):
        api.find_server(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": ""},
        {"port": 0},
        {"port": 70_000},
        {"called_title": "A TITLE OF MORE THAN 16"},
        {"called_title": "BACK\\SLASH"},
        {"name": "../escape"},
        {"timeout_s": 0},
        {"unknown": 1},
        {"protocol": "web", "url": "file:///etc/passwd"},
        {"protocol": "web", "url": "https://user:secret@host/"},
    ],
)
def test_wrong_settings_are_told(wrong: dict[str, object]) -> None:
    with pytest.raises(NetworkError, match="cannot be used"):
        api.build_server(**{"name": "pacs", "host": "host", **wrong})


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": 1, "servers": [{"name": 1}]}', '{"format": "x", "servers": []}', "\xff"]
)
def test_a_damaged_list_is_told_and_stays(own_home: Path, content: str) -> None:
    own_home.mkdir()
    (own_home / SERVERS_FILE).write_bytes(content.encode("latin-1"))
    with pytest.raises(NetworkError, match="damaged"):
        api.save_server(api.build_server(name="pacs", host="host"))
    assert (own_home / SERVERS_FILE).read_bytes() == content.encode("latin-1")


def test_a_list_of_a_newer_version_is_told(own_home: Path) -> None:
    own_home.mkdir()
    (own_home / SERVERS_FILE).write_text(json.dumps({"format": 99, "servers": []}))
    with pytest.raises(NetworkError, match="newer version"):
        api.list_servers()


def test_a_folder_that_cannot_be_written_is_told(own_home: Path) -> None:
    own_home.write_text("a file where the folder should be")
    with pytest.raises(StorageError):
        api.save_server(api.build_server(name="pacs", host="host"))


def test_without_a_keyring_nothing_is_kept_and_the_environment_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    server = api.build_server(name="pacs", host="host", user="me")
    before = keyring.get_keyring()
    keyring.set_keyring(LockedKeyring())
    try:
        with pytest.raises(NetworkError, match="keyring cannot be used"):
            api.save_server(server, "s3cret")
        with pytest.raises(NetworkError, match=PASSWORD_VARIABLE):
            read_password(server)
        monkeypatch.setenv(PASSWORD_VARIABLE, "s3cret")
        assert read_password(server) == "s3cret"
    finally:
        keyring.set_keyring(before)
    assert not api.list_servers()


def test_a_password_that_was_never_given_is_asked_for(own_keyring: MemoryKeyring) -> None:
    with pytest.raises(NetworkError, match="no password for 'me'"):
        read_password(api.build_server(name="pacs", host="host", user="me"))


# --------------------------------------------------------------------------- TLS


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for this computer, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    )
    return folder / "cert.pem", folder / "key.pem"


def encrypted(port: int, **change: object) -> Server:
    return api.build_server(
        **{"name": "tls", "host": "localhost", "port": port, "called_title": "STAR", "tls": True, "timeout_s": 5.0}
        | change
    )


def test_objects_come_encrypted(tmp_path: Path, certificate: tuple[Path, Path], studies: dict[str, Path]) -> None:
    cert, key = certificate
    intake = Intake(tmp_path / "intake")
    with Receiver(intake, title="STAR", tls=build_receiver_tls(cert, key)) as receiver:
        server = encrypted(receiver.port, ca_file=cert)
        echo(server)
        assert send_files(server, sorted(studies["latin"].iterdir())).sent == SLICES
        assert intake.received == SLICES
        with pytest.raises(NetworkError, match="No encrypted connection"):
            echo(encrypted(receiver.port))
        echo(encrypted(receiver.port, verify=False))
        with pytest.raises(NetworkError, match=r"closed|has not answered|aborted"):
            echo(encrypted(receiver.port, tls=False, timeout_s=2.0))


def test_a_sender_without_the_certificate_is_not_let_in(
    tmp_path: Path, certificate: tuple[Path, Path], studies: dict[str, Path]
) -> None:
    cert, key = certificate
    with Receiver(Intake(tmp_path / "intake"), title="STAR", tls=build_receiver_tls(cert, key, cert)) as receiver:
        with pytest.raises(NetworkError):
            echo(encrypted(receiver.port, ca_file=cert))
        echo(encrypted(receiver.port, ca_file=cert, certificate_file=cert, key_file=key))


def test_dcmtk_takes_our_files_encrypted(
    tmp_path: Path, certificate: tuple[Path, Path], studies: dict[str, Path]
) -> None:
    cert, key = certificate
    port = free_port()
    command = [find_tool("storescp"), "+tls", str(key), str(cert), "+cf", str(cert), "-ic", "-od", str(tmp_path)]
    with running([*command, str(port)], port):
        server = encrypted(port, ca_file=cert, called_title="STORESCP")
        assert send_files(server, sorted(studies["greek"].iterdir())).sent == SLICES
    assert len(list(tmp_path.iterdir())) == SLICES


def test_dcmtk_sends_to_us_encrypted(tmp_path: Path, certificate: tuple[Path, Path], studies: dict[str, Path]) -> None:
    cert, key = certificate
    intake = Intake(tmp_path / "intake")
    with Receiver(intake, title="STAR", tls=build_receiver_tls(cert, key, cert)) as receiver:
        command = [find_tool("storescu"), "+tls", str(key), str(cert), "+cf", str(cert), "-aec", "STAR", "-xe"]
        command += ["localhost", str(receiver.port), *map(str, studies["greek"].iterdir())]
        assert subprocess.run(command, check=False, timeout=60).returncode == 0
    assert intake.received == SLICES


def test_a_certificate_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    with pytest.raises(NetworkError, match="certificate or key"):
        echo(encrypted(1, ca_file=tmp_path / "cert.pem"))
    with pytest.raises(NetworkError, match="certificate or key"):
        build_receiver_tls(tmp_path / "cert.pem", tmp_path / "missing.pem")
