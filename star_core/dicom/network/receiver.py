"""A receiver of stored objects: on loopback unless told otherwise, from known titles only, within limits."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from pynetdicom.presentation import AllStoragePresentationContexts, build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from star_core.dicom.network.intake import Intake
from star_core.dicom.network.servers import LOOPBACK
from star_core.dicom.network.syntaxes import KNOWN_SYNTAXES
from star_core.dicom.network.wire import BoundedSocket, Entity
from star_core.errors import NetworkError

if TYPE_CHECKING:
    from pynetdicom.association import Association

MOST_ASSOCIATIONS = 10
HANDSHAKE_TIMEOUT_S = 10.0
IDLE_TIMEOUT_S = 60.0
_POLL_S = 0.1


class Receiver:
    """A storage SCP that runs while its block does.

    Parameters
    ----------
    intake
        Where objects go.
    title
        This receiver's own title; associations that call another are rejected.
    allowed
        Titles that may send; empty lets every title in.
    port
        TCP port; 0 takes a free one, told by ``port``.
    bind
        Address to listen on.
    tls
        Context of the server's side, if connections are to be encrypted.

    Raises
    ------
    NetworkError
        When the port is taken or may not be used.
    """

    def __init__(
        self,
        intake: Intake,
        *,
        title: str,
        allowed: Sequence[str] = (),
        port: int = 0,
        bind: str = LOOPBACK,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._entity = Entity(title, intake=intake, timeout_s=IDLE_TIMEOUT_S, connect_timeout_s=HANDSHAKE_TIMEOUT_S)
        self._entity.require_calling_aet = list(allowed)
        self._entity.require_called_aet = True
        self._entity.maximum_associations = MOST_ASSOCIATIONS
        self._entity.acse_timeout = HANDSHAKE_TIMEOUT_S
        contexts = [build_context(str(one.abstract_syntax), KNOWN_SYNTAXES) for one in AllStoragePresentationContexts]
        try:
            self._server = self._entity.make_server(
                (bind, port),
                contexts=[*contexts, build_context(Verification)],
                ssl_context=tls,
                server_class=_Server,
            )
        except OSError as error:
            raise NetworkError(
                f"Port {port} of {bind} cannot be listened on: {error.strerror or error}.",
                remedy="Choose another port or address; ports below 1024 need administrator's rights.",
            ) from error
        self.port = int(self._server.server_address[1])
        self._last_heard = 0.0
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), daemon=True)

    def __enter__(self) -> Self:
        self._entity._servers.append(self._server)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        active = self._server.active_associations
        self._server.shutdown()
        for association in active:
            cast(BoundedSocket, association.dul.socket).break_off()
        self._thread.join()
        for association in active:
            association.join(0.2)

    @property
    def last_heard(self) -> float:
        """When something arrived last, in seconds of the monotonic clock; 0 before anything did."""
        self._last_heard = max(
            (cast(BoundedSocket, one.dul.socket).last_heard for one in self._server.active_associations),
            default=self._last_heard,
        )
        return self._last_heard

    @property
    def is_busy(self) -> bool:
        """Whether somebody is connected."""
        return bool(self._server.active_associations)


class _Server(ThreadedAssociationServer):
    """Accepts at once; a TLS handshake is waited for by the connection's own thread, never by the others."""

    daemon_threads = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options["request_handler"] = _Handler
        super().__init__(*arguments, **options)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        assert self.socket is not None
        return self.socket.accept()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Drop a connection that did not become an association."""


class _Handler(RequestHandler):
    def setup(self) -> None:
        if self.server.ssl_context is not None:
            self.request.settimeout(HANDSHAKE_TIMEOUT_S)
            self.request = self.server.ssl_context.wrap_socket(self.request, server_side=True)

    def _create_association(self) -> Association:
        association = super()._create_association()
        association.dul.daemon = True
        with contextlib.suppress(Exception):
            association.dul.event_queue.get_nowait()  # pynetdicom's own socket has announced the connection
        entity = cast(Entity, self.ae)
        association.dul.socket = BoundedSocket(association, client_socket=self.request, intake=entity.intake)
        return association
