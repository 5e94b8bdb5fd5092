"""Servers that are asked: how each is reached, and the book they are kept in; passwords lie in the system's keyring."""

from __future__ import annotations

import json
import os
import re
import ssl
from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from star_core.errors import NetworkError
from star_core.storage import new_file, storage_error, user_folder

LOOPBACK = "127.0.0.1"
SERVERS_FILE = "servers.json"
FORMAT_VERSION = 1
PASSWORD_VARIABLE = "STAR_PACS_PASSWORD"
KEYRING_SERVICE = "star-viewer"
_LOCK_TIMEOUT_S = 5.0
_TITLE = r"^[\x21-\x5b\x5d-\x7e][\x20-\x5b\x5d-\x7e]{0,15}$"
_DIMSE_ADDRESS = re.compile(r"^(?P<title>[^@]{1,16})@(?P<host>[^@\s]+):(?P<port>\d{1,5})$")


class Protocol(StrEnum):
    """How a server is spoken to: DIMSE over TCP, or DICOMweb over HTTP."""

    DIMSE = "dimse"
    WEB = "web"


class Server(BaseModel):
    """One server.

    Parameters
    ----------
    called_title, calling_title
        Application entity titles (PS3.8 9.3.2) of the server and of this program.
    url
        Root of the DICOMweb services, as ``https://pacs.example/dicom-web``.
    tls
        Whether DIMSE is encrypted; DICOMweb is when its URL says https.
    ca_file, certificate_file, key_file
        PEM files: whom to trust instead of the system's authorities, and who this program is.
    verify
        Whether the server's certificate is checked; off only on a network that is trusted.
    move_port, move_bind
        Where this program listens while objects are moved to it; the server must know it by ``calling_title``.
    move_titles
        Titles that moved objects may come from; the called one if empty.
    timeout_s
        Longest silence of the server, in seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[^\W_][\w .-]{0,63}$")
    protocol: Protocol = Protocol.DIMSE
    host: str = Field(default="", max_length=253)
    port: int = Field(default=104, ge=1, le=65535)
    called_title: str = Field(default="ANY-SCP", pattern=_TITLE)
    calling_title: str = Field(default="STAR", pattern=_TITLE)
    url: str = Field(default="", max_length=2000)
    user: str = Field(default="", max_length=200)
    tls: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    verify: bool = True
    move_port: int = Field(default=11112, ge=0, le=65535)
    move_bind: str = LOOPBACK
    move_titles: tuple[str, ...] = ()
    timeout_s: float = Field(default=30.0, gt=0.0, le=3600.0)

    @model_validator(mode="after")
    def _check_address(self) -> Self:
        if self.protocol is Protocol.DIMSE and not self.host:
            raise ValueError("a host is needed")
        if self.protocol is Protocol.WEB:
            parts = urlsplit(self.url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("the URL must begin with http:// or https://")
            if parts.password or parts.username:
                raise ValueError("user and password do not belong in the URL")
        return self

    @property
    def address(self) -> str:
        """Where the server is, for people."""
        if self.protocol is Protocol.WEB:
            return self.url
        return f"{self.called_title}@{self.host}:{self.port}"


def build_server(**values: object) -> Server:
    """Return a server of checked values.

    Raises
    ------
    NetworkError
        When one is missing, unknown or out of range.
    """
    try:
        return Server.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'server'}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors()
        )
        raise NetworkError(
            f"These settings of a server cannot be used: {problems}.",
            remedy="A title has 1 to 16 characters, a port lies between 1 and 65535, a URL begins with http.",
        ) from error


def parse_address(text: str, **settings: object) -> Server | None:
    """Return the server of an address, ``TITLE@host:port`` or a URL; ``None`` when the text is none."""
    if text.lower().startswith(("http://", "https://")):
        return build_server(name="address", protocol=Protocol.WEB, url=text.rstrip("/"), **settings)
    if match := _DIMSE_ADDRESS.match(text):
        return build_server(
            name="address",
            called_title=match["title"],
            host=match["host"].strip("[]"),
            port=int(match["port"]),
            **settings,
        )
    return None


class ServerBook:
    """The servers of this user, in a file; several programs may change it."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or user_folder() / SERVERS_FILE

    def list_servers(self) -> tuple[Server, ...]:
        """Return the servers by name.

        Raises
        ------
        NetworkError
            When the file is damaged or of a newer version.
        """
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            if content["format"] > FORMAT_VERSION:
                raise NetworkError(
                    f"The list of servers was written by a newer version of this program (format {content['format']}).",
                    remedy="Update the program.",
                )
            servers = [Server.model_validate(entry) for entry in content["servers"]]
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise storage_error(self._path, error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise NetworkError(
                "The list of servers is damaged.",
                remedy=f"Mend {SERVERS_FILE} in the program's data folder, or remove it and enter the servers again.",
                details=str(error),
            ) from error
        return tuple(sorted(servers, key=lambda server: server.name.casefold()))

    def find(self, name: str) -> Server:
        """Return a server by its name, or by an address that is in no book.

        Raises
        ------
        NetworkError
            When there is none.
        """
        servers = self.list_servers()
        found = next((one for one in servers if one.name == name), None) or parse_address(name)
        if found is not None:
            return found
        known = ", ".join(server.name for server in servers) or "none"
        raise NetworkError(
            f"There is no server {name!r}; known: {known}.",
            remedy="Add it with star pacs add, or give an address: TITLE@host:port or https://...",
        )

    def save(self, server: Server) -> None:
        """Keep a server; one of the same name is replaced."""
        with self._locked():
            others = [one for one in self.list_servers() if one.name != server.name]
            self._write([*others, server])

    def remove(self, name: str) -> None:
        """Forget a server.

        Raises
        ------
        NetworkError
            When there is none of this name.
        """
        with self._locked():
            servers = self.list_servers()
            kept = [one for one in servers if one.name != name]
            if len(kept) == len(servers):
                raise NetworkError(f"There is no server {name!r}.", remedy="star pacs servers lists them.")
            self._write(kept)

    def _locked(self) -> FileLock:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._path.with_suffix(".lock"), timeout=_LOCK_TIMEOUT_S)
            lock.acquire()
        except Timeout as error:
            raise NetworkError("Another program holds the list of servers.", remedy="Try again.") from error
        except OSError as error:
            raise storage_error(self._path, error) from error
        return lock

    def _write(self, servers: list[Server]) -> None:
        content = {
            "format": FORMAT_VERSION,
            "servers": [server.model_dump(mode="json", exclude_defaults=True) for server in servers],
        }
        with new_file(self._path) as partial:
            partial.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


# --------------------------------------------------------------------------- passwords


def read_password(server: Server) -> str:
    """Return the password of a server's user: of the environment, else of the keyring; empty without a user.

    Raises
    ------
    NetworkError
        When the server has a user and no password can be found.
    """
    if not server.user:
        return ""
    if password := os.environ.get(PASSWORD_VARIABLE):
        return password
    import keyring
    from keyring.errors import KeyringError

    try:
        found = keyring.get_password(KEYRING_SERVICE, server.name)
    except KeyringError as error:
        raise _no_keyring(error) from error
    if found is None:
        raise NetworkError(
            f"There is no password for {server.user!r} at {server.name!r}.",
            remedy=f"Save the server with its password, or set {PASSWORD_VARIABLE}.",
        )
    return found


def write_password(server: Server, password: str) -> None:
    """Keep a password in the system's keyring.

    Raises
    ------
    NetworkError
        When this system has none, or it is locked.
    """
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(KEYRING_SERVICE, server.name, password)
    except KeyringError as error:
        raise _no_keyring(error) from error


def remove_password(name: str) -> None:
    """Forget the password of a server; nothing happens where there is none."""
    import contextlib

    import keyring
    from keyring.errors import KeyringError

    with contextlib.suppress(KeyringError):
        keyring.delete_password(KEYRING_SERVICE, name)


def _no_keyring(error: Exception) -> NetworkError:
    return NetworkError(
        "The system's keyring cannot be used; passwords are kept nowhere else.",
        remedy=f"Unlock or install a keyring (on Linux gnome-keyring or KWallet), or set {PASSWORD_VARIABLE}.",
        details=str(error),
    )


# --------------------------------------------------------------------------- TLS


def build_client_tls(server: Server) -> ssl.SSLContext:
    """Return how connections to a server are encrypted.

    Raises
    ------
    NetworkError
        When a certificate or key cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=server.ca_file)
        if server.certificate_file is not None:
            context.load_cert_chain(server.certificate_file, server.key_file)
    except (OSError, ValueError) as error:
        raise _bad_certificate(error) from error
    if not server.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def build_receiver_tls(certificate_file: Path, key_file: Path, ca_file: Path | None = None) -> ssl.SSLContext:
    """Return how connections to a receiver are encrypted; with ``ca_file`` senders must show a certificate of it.

    Raises
    ------
    NetworkError
        When a certificate or key cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate_file, key_file)
        if ca_file is not None:
            context.load_verify_locations(ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as error:
        raise _bad_certificate(error) from error
    return context


def _bad_certificate(error: Exception) -> NetworkError:
    return NetworkError(
        "A certificate or key cannot be used.",
        remedy="Give PEM files that exist and belong together.",
        details=f"{type(error).__name__}: {error}",
    )
