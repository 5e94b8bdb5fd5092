"""One association with a server: opened, watched and ended, its troubles told in words."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from pydicom.dataset import Dataset
from pynetdicom.pdu_primitives import A_ASSOCIATE, UserIdentityNegotiation
from pynetdicom.presentation import PresentationContext, build_role

from star_core.dicom.names import tidy
from star_core.dicom.network.intake import Intake
from star_core.dicom.network.servers import Server, build_client_tls, read_password
from star_core.dicom.network.watch import watch
from star_core.dicom.network.wire import OFFERED_PDU_BYTES, Entity, Trouble
from star_core.errors import CancelledError, NetworkError
from star_core.types import ProgressCallback, ignore_progress

if TYPE_CHECKING:
    from pynetdicom.association import Association

_T = TypeVar("_T")
MOST_CONTEXTS = 128
CONNECT_TIMEOUT_S = 10.0
_RELEASE_TIMEOUT_S = 2.0
_CANCEL_WAIT_S = 0.2
_CLOSE_WAIT_S = 0.3
_USER_AND_PASSWORD = 2


class FailedRequestError(NetworkError):
    """A server answered a request with a failure; the association goes on."""


class Client:
    """Asks one server, one association after another; everything blocking runs under :meth:`run`.

    Parameters
    ----------
    intake
        Where objects go that the server sends on the association (C-GET).
    """

    def __init__(self, server: Server, *, intake: Intake | None = None) -> None:
        self._server = server
        self._entity = Entity(
            server.calling_title,
            intake=intake,
            timeout_s=server.timeout_s,
            connect_timeout_s=min(CONNECT_TIMEOUT_S, server.timeout_s),
        )
        self._association: Association | None = None
        self._cancel: Callable[[], None] | None = None
        self._stopped = self._silent = False
        self._heard_elsewhere: Callable[[], float] = lambda: 0.0

    def run(
        self,
        work: Callable[[], _T],
        *,
        progress: ProgressCallback = ignore_progress,
        count: Callable[[], tuple[int, int]] = lambda: (0, 0),
    ) -> _T:
        """Do blocking work; whatever ``progress`` raises ends it within a second, also where the server hangs."""

        def look() -> tuple[int, int]:
            self._watch_silence()
            return count()

        return watch(work, progress=progress, count=look, stop=self.stop)

    @contextmanager
    def associated(
        self, contexts: Sequence[PresentationContext], *, received_classes: Sequence[str] = ()
    ) -> Iterator[Association]:
        """Give an association; it is released at the end, and aborted after an error.

        Parameters
        ----------
        received_classes
            SOP classes that the server may send on this association.

        Raises
        ------
        NetworkError
            When the server cannot be reached, rejects the association, or offers nothing of what is asked.
        """
        association = self._open(contexts, received_classes)
        self._association = association
        try:
            if self._stopped:
                raise CancelledError("Cancelled.")
            yield association
        except RuntimeError as error:  # pynetdicom's word for an association that is gone
            self._abort(association)
            raise self.broken() from error
        except ValueError as error:  # and for a context that was not accepted
            self._abort(association)
            raise self._not_offered() from error
        except BaseException:
            self._abort(association)
            raise
        association.acse_timeout = _RELEASE_TIMEOUT_S
        association.release()
        self._association = None

    def stop(self) -> None:
        """End what runs: the server is asked to cancel, then the association is aborted and the connection broken."""
        self._stopped = True
        if self._cancel is not None and self._association is not None:
            with contextlib.suppress(RuntimeError, ValueError):
                self._cancel()
                time.sleep(_CANCEL_WAIT_S)
        if self._association is not None:
            with contextlib.suppress(Exception):
                self._association.abort(block=False)
                time.sleep(_CANCEL_WAIT_S / 2)
        self._break_off()

    @contextmanager
    def cancellable(self, association: Association, message_id: int, model: str) -> Iterator[None]:
        """Let :meth:`stop` send a C-CANCEL for a request while the block runs."""
        self._cancel = lambda: association.send_c_cancel(message_id, query_model=model)
        try:
            yield
        finally:
            self._cancel = None

    def hear(self, last_heard: Callable[[], float]) -> None:
        """Count it as a sign of life of the server when objects arrive elsewhere (C-MOVE)."""
        self._heard_elsewhere = last_heard

    # ----------------------------------------------------------------------- opening

    def _open(self, contexts: Sequence[PresentationContext], received_classes: Sequence[str]) -> Association:
        server = self._server
        negotiation: list[Any] = [build_role(uid, scp_role=True) for uid in received_classes]
        if server.user:
            negotiation.append(self._identify())
        tls = (build_client_tls(server), server.host) if server.tls else None
        try:
            association = self._entity.associate(
                server.host,
                server.port,
                contexts=list(contexts)[:MOST_CONTEXTS],
                ae_title=server.called_title,
                max_pdu=OFFERED_PDU_BYTES,
                ext_neg=negotiation,
                tls_args=tls,
            )
        except (socket.gaierror, UnicodeError) as error:
            raise self._unreachable(f"there is no host {server.host!r}") from error
        except OSError as error:
            raise self._unreachable(str(error.strerror or error)) from error
        if not association.is_established:
            self._close(association)
            raise self._explain_refusal(association)
        return association

    def _identify(self) -> UserIdentityNegotiation:
        identity = UserIdentityNegotiation()
        identity.user_identity_type = _USER_AND_PASSWORD
        identity.primary_field = self._server.user.encode()
        identity.secondary_field = read_password(self._server).encode()
        return identity

    def _abort(self, association: Association) -> None:
        with contextlib.suppress(Exception):
            association.abort(block=False)
        self._close(association)
        with contextlib.suppress(Exception):
            association.kill()
        self._association = None

    def _close(self, association: Association) -> None:
        """Break the connection, wait for the thread that reads it, and give its socket back."""
        self._break_off()
        if association.dul.is_alive():
            association.dul.join(_CLOSE_WAIT_S)
        if self._entity.connection is not None:
            self._entity.connection._shutdown_socket()

    def _break_off(self) -> None:
        if self._entity.connection is not None:
            self._entity.connection.break_off()

    def _watch_silence(self) -> None:
        connection = self._entity.connection
        if self._association is None or connection is None:
            return
        heard = max(connection.last_heard, self._heard_elsewhere())
        if time.monotonic() - heard > self._server.timeout_s and not self._silent:
            self._silent, connection.trouble = True, Trouble.SILENT
            connection.break_off()

    # ----------------------------------------------------------------------- telling

    def broken(self) -> NetworkError:
        """Return the error for an association that ended in the middle."""
        connection = self._entity.connection
        trouble = Trouble.CLOSED if connection is None else connection.trouble
        name = self._server.name
        match trouble:
            case Trouble.GARBAGE:
                return NetworkError(
                    f"{name!r} answers what is not DICOM.",
                    remedy="Check host and port; ask the server's administrator.",
                )
            case Trouble.ABORTED:
                return NetworkError(
                    f"{name!r} aborted the association.",
                    remedy=f"Ask its administrator whether {self._server.calling_title!r} may do this.",
                )
            case Trouble.CLOSED | Trouble.UNREACHABLE:
                return NetworkError(f"{name!r} closed the connection in the middle.", remedy="Try again.")
        return NetworkError(
            f"{name!r} has not answered for {self._server.timeout_s:g} s.",
            remedy="Try again later; for a slow archive raise the server's time limit.",
        )

    def failed(self, what: str, status: Any) -> FailedRequestError:
        """Return the error for a request that the server answered with a failure."""
        comment = tidy(str(status.get("ErrorComment", "")))[:100]
        return FailedRequestError(
            f"{self._server.name!r} did not {what}: status 0x{int(status.Status):04X}.",
            remedy=_REMEDIES.get(int(status.Status), "Ask the server's administrator what its log says."),
            details=comment,
        )

    def _unreachable(self, reason: str) -> NetworkError:
        server = self._server
        return NetworkError(
            f"{server.name!r} cannot be reached at {server.host}:{server.port}: {reason}.",
            remedy="Check host, port, network and firewall.",
        )

    def _explain_refusal(self, association: Association) -> NetworkError:
        connection, name = self._entity.connection, self._server.name
        answer = association.acceptor.primitive
        if (rejection := _find_rejection(association)) is not None:
            return self._explain_rejection(rejection)
        if isinstance(answer, A_ASSOCIATE) and answer.result == 0 and not association.accepted_contexts:
            return self._not_offered()
        if connection is None or connection.trouble is Trouble.UNREACHABLE:
            return self._unreachable("" if connection is None else connection.failure)
        if connection.trouble is Trouble.TLS:
            return NetworkError(
                f"No encrypted connection to {name!r}: {connection.failure}.",
                remedy="Check that the server speaks TLS on this port, and the certificates in its settings.",
            )
        return self.broken()

    def _not_offered(self) -> NetworkError:
        return NetworkError(
            f"{self._server.name!r} does not offer this service.",
            remedy=f"Ask its administrator to allow it for the title {self._server.calling_title!r}.",
        )

    def _explain_rejection(self, answer: A_ASSOCIATE) -> NetworkError:
        server = self._server
        match (answer.result_source, answer.diagnostic):
            case (1, 3):
                return NetworkError(
                    f"{server.name!r} does not know the title {server.calling_title!r} of this program.",
                    remedy="Ask its administrator to enter it with this computer's address, or change the title.",
                )
            case (1, 7):
                return NetworkError(
                    f"{server.name!r} does not call itself {server.called_title!r}.",
                    remedy="Correct the server's title in its settings.",
                )
            case (3, _):
                return NetworkError(f"{server.name!r} has too many connections.", remedy="Try again later.")
        return NetworkError(
            f"{server.name!r} rejected the association.",
            remedy="Check the titles on both sides; ask its administrator.",
            details=f"{answer.result_str}, {answer.source_str}, {answer.reason_str}",
        )


def _find_rejection(association: Association) -> A_ASSOCIATE | None:
    """Return the server's rejection, if it sent one.

    Where it comes before pynetdicom has looked at the connection, pynetdicom takes the connection, closed by then, for
    one that never stood, and leaves the rejection unread.
    """
    for answer in (association.acceptor.primitive, association.dul.peek_next_pdu()):
        if isinstance(answer, A_ASSOCIATE) and answer.result in _REJECTED:
            return answer
    return None


_REJECTED = (1, 2)  # permanent and transient, PS3.8 9.3.4
_REMEDIES = {
    0xA801: "The server does not know this program: its administrator must enter its title, host and port.",
    0xA701: "The server is out of resources: narrow the query, or try again later.",
    0xA702: "The server cannot send: check that it may reach this computer's port, or retrieve by get.",
    0xA900: "The server does not understand the query: leave keys out.",
    0x0122: "The server does not offer this service.",
    0x0124: "The server does not allow it: ask its administrator.",
}


def is_pending(status: Dataset) -> bool:
    """Tell whether more answers follow (PS3.7 C)."""
    return int(status.Status) in (0xFF00, 0xFF01)
