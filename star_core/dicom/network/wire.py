"""pynetdicom's association with bounds on what a peer may send, and a short way for stored objects to the disk.

pynetdicom negotiates, asks and answers. What it would gather in memory at a peer's pleasure is bounded here: the length
of a PDU, and of a message that is no stored object. Stored objects go from the socket to the disk in the thread that
reads the socket, without being decoded and without a queue between, which is what makes receiving fast.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import ssl
import struct
import time
from enum import StrEnum
from typing import TYPE_CHECKING

from pynetdicom import _config
from pynetdicom.ae import ApplicationEntity
from pynetdicom.transport import T_CONNECT, AddressInformation, AssociationSocket

from star_core.dicom.network.intake import CANNOT_UNDERSTAND, SUCCESS, Arrival, Intake, RefusedError, Tally

if TYPE_CHECKING:
    from pynetdicom.association import Association

MOST_PDU_BYTES = 1 << 20
OFFERED_PDU_BYTES = 1 << 17
MOST_MESSAGE_BYTES = 4 << 20
NEXT_PDU_WAIT_S = 0.05
_HEADER = struct.Struct(">BxL")
_VALUE = struct.Struct(">LBB")
_P_DATA, _ABORT, _LAST_KIND = 4, 7, 7
_COMMAND_BIT, _LAST_BIT = 1, 2
_C_STORE_REQUEST, _C_STORE_RESPONSE, _NO_DATA_SET = 0x0001, 0x8001, 0x0101
_COMMAND_ELEMENT = struct.Struct("<HHL")
_MOST_COMMAND_BYTES = 1 << 14

# Identifiers of queries and answers hold names of patients: they are never logged.
_config.LOG_HANDLER_LEVEL = "none"
_config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False
_config.STORE_SEND_CHUNKED_DATASET = True
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)


class Trouble(StrEnum):
    """What went wrong on a connection, as far as the socket can tell."""

    NONE = "none"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    CLOSED = "closed"
    SILENT = "silent"
    ABORTED = "aborted"
    GARBAGE = "garbage"


class GarbageError(Exception):
    """A peer sent what the protocol does not allow."""


class BoundedSocket(AssociationSocket):
    """A socket of an association that reads no more than it must, and takes stored objects if it has an intake."""

    def __init__(
        self,
        assoc: Association,
        client_socket: socket.socket | None = None,
        address: AddressInformation | None = None,
        intake: Intake | None = None,
    ) -> None:
        super().__init__(assoc, client_socket, address)
        self.trouble, self.failure = Trouble.NONE, ""
        self.last_heard = time.monotonic()
        self._intake, self._tally = intake, Tally()
        self._ahead, self._command = bytearray(), bytearray()
        self._buffer = memoryview(bytearray(MOST_PDU_BYTES))
        self._arrival: Arrival | None = None
        self._request: dict[int, bytes] = {}
        self._status: int | None = None
        self._foreign_bytes = 0
        self._syntaxes: dict[int, str] = {}
        if client_socket is not None:
            self._tune(client_socket)

    def _tune(self, connected: socket.socket) -> None:
        connected.settimeout(self.assoc.network_timeout)
        with contextlib.suppress(OSError):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # ----------------------------------------------------------------------- what pynetdicom calls

    def connect(self, primitive: T_CONNECT) -> None:
        """Connect to the peer and remember why it failed, if it does."""
        assert self.socket is not None
        try:
            if self.tls_args:
                context, host = self.tls_args
                self.socket = context.wrap_socket(self.socket, server_hostname=host)
            self.socket.settimeout(self.assoc.connection_timeout)
            self.socket.connect(primitive.address_info.as_tuple)
            self._tune(self.socket)
            self.assoc.requestor.address_info = AddressInformation.from_tuple(self.socket.getsockname())
            self._is_connected = True
            primitive.result = "Evt2"
        except OSError as error:
            self.trouble = Trouble.TLS if isinstance(error, ssl.SSLError) else Trouble.UNREACHABLE
            self.failure = _reason(error)
            if self.socket is not None:
                self._shutdown_socket()
                self.socket = None
            primitive.result = "Evt17"
        finally:
            self.provider_queue.put(primitive)
            self._ready.set()

    def recv(self, nr_bytes: int) -> bytearray:
        """Read bytes, all that were asked for unless the connection ends before."""
        if nr_bytes > MOST_PDU_BYTES:
            self.trouble = Trouble.GARBAGE
            raise OSError("the PDU is longer than any that was agreed on")
        data = self._ahead[:nr_bytes]
        del self._ahead[:nr_bytes]
        if len(data) < nr_bytes:
            with contextlib.suppress(ConnectionError, AttributeError):  # what is missing tells pynetdicom of the end
                rest = memoryview(bytearray(nr_bytes - len(data)))
                self._fill(rest)
                data += rest
        if len(data) == _HEADER.size:
            self._note_kind(data[0])
        return data

    @property
    def ready(self) -> bool:
        """Whether pynetdicom has something to read; stored objects are taken on the way."""
        if self._ahead:
            return True
        if not super().ready:
            return False
        if not self.assoc.is_established:
            return True
        try:
            return self._take_objects()
        except (GarbageError, struct.error, UnicodeDecodeError):
            self.trouble = Trouble.GARBAGE
            self.event_queue.put("Evt19")  # an invalid PDU: pynetdicom aborts the association
            return False
        except (OSError, AttributeError) as error:
            if isinstance(error, TimeoutError):
                self.trouble = Trouble.SILENT
            self.close()
            return False

    def close(self) -> None:
        """Close the connection; an object that is not whole is discarded."""
        if self._arrival is not None:
            self._arrival.discard()
            self._arrival = None
        super().close()

    def _shutdown_socket(self) -> None:
        """Close the socket in any case; pynetdicom leaves it open where the connection has ended before."""
        connection = self.socket
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def break_off(self) -> None:
        """End the connection at once, from any thread, also where its own thread waits for the peer."""
        connection = self.socket
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    # ----------------------------------------------------------------------- reading

    def _note_kind(self, kind: int) -> None:
        if not 1 <= kind <= _LAST_KIND:
            self.trouble = Trouble.GARBAGE
        elif kind == _ABORT and self.trouble is Trouble.NONE:
            self.trouble = Trouble.ABORTED

    def _fill(self, view: memoryview) -> None:
        assert self.socket is not None
        filled = 0
        while filled < len(view):
            count = self.socket.recv_into(view[filled:])
            if count == 0:
                if self.trouble is Trouble.NONE:
                    self.trouble = Trouble.CLOSED
                raise ConnectionError("the peer closed the connection")
            filled += count
        self.last_heard = time.monotonic()

    def _take_objects(self) -> bool:
        """Take PDUs of stored objects while they come; return whether one for pynetdicom is next."""
        while True:
            header = self._buffer[: _HEADER.size]
            self._fill(header)
            kind, length = _HEADER.unpack(header)
            self._note_kind(kind)
            if kind != _P_DATA:
                self._ahead += header
                return True
            if length > MOST_PDU_BYTES:
                raise GarbageError("a PDU is too long")
            body = self._buffer[:length]
            self._fill(body)
            rest = self._take_values(body)
            if rest:
                self._ahead += _HEADER.pack(_P_DATA, len(rest)) + rest
                return True
            self.assoc.dul._idle_timer.restart()
            if not self.provider_queue.empty() or not self._is_more_coming():
                return False

    def _is_more_coming(self) -> bool:
        if isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
            return True
        return self.socket is not None and bool(select.select([self.socket], [], [], NEXT_PDU_WAIT_S)[0])

    def _take_values(self, body: memoryview) -> bytes:
        """Take the values of one PDU that belong to stored objects; return the rest of the PDU for pynetdicom."""
        offset = 0
        while offset < len(body):
            length, context_id, control = _VALUE.unpack_from(body, offset)
            end = offset + 4 + length
            if length < 2 or end > len(body):
                raise GarbageError("a presentation data value is longer than its PDU")
            data, last = body[offset + _VALUE.size : end], bool(control & _LAST_BIT)
            if control & _COMMAND_BIT:
                self._command += data
                if len(self._command) > _MOST_COMMAND_BYTES:
                    raise GarbageError("a command is too long")
                if last and not self._begin(context_id):
                    command = bytes(self._command)
                    self._command.clear()
                    return _VALUE.pack(len(command) + 2, context_id, control) + command + bytes(body[end:])
            elif not self._request:
                self._count_foreign(len(data), last)
                return bytes(body[offset:])
            else:
                self._store(data, context_id, last)
            offset = end
        return b""

    def _count_foreign(self, size: int, last: bool) -> None:
        """Bound the data set of a message that pynetdicom gathers in memory."""
        self._foreign_bytes += size
        if self._foreign_bytes > MOST_MESSAGE_BYTES:
            raise GarbageError("a message is too long")
        if last:
            self._foreign_bytes = 0

    # ----------------------------------------------------------------------- storing

    def _begin(self, context_id: int) -> bool:
        """Begin an object whose command is complete; return whether it is one and is ours to take."""
        command = decode_command(self._command)
        if self._intake is None or _to_number(command, 0x0100) != _C_STORE_REQUEST:
            return False
        if self._request or _to_number(command, 0x0800) == _NO_DATA_SET:
            raise GarbageError("a store without a data set, or within another")
        self._command.clear()
        self._request, self._status = command, None
        syntax = self._find_syntax(context_id)
        try:
            self._arrival = self._intake.begin(
                sop_class_uid=_to_text(command, 0x0002),
                sop_uid=_to_text(command, 0x1000),
                transfer_syntax_uid=syntax,
                sender=self.assoc.remote["ae_title"] if self.assoc.is_acceptor else self.assoc.acceptor.ae_title,
                tally=self._tally,
            )
        except RefusedError as error:
            self._status = error.status
        return True

    def _find_syntax(self, context_id: int) -> str:
        if not self._syntaxes:
            accepted = self.assoc.accepted_contexts
            self._syntaxes = {int(one.context_id or 0): str(one.transfer_syntax[0]) for one in accepted}
        if context_id not in self._syntaxes:
            raise GarbageError("a context that was not agreed on")
        return self._syntaxes[context_id]

    def _store(self, data: memoryview, context_id: int, last: bool) -> None:
        try:
            if self._arrival is not None:
                self._arrival.write(data)
                if last:
                    self._arrival.finish()
                    self._status = SUCCESS
        except RefusedError as error:
            self._status, self._arrival = error.status, None
        if last:
            status = CANNOT_UNDERSTAND if self._status is None else self._status
            answer = encode_store_response(self._request, context_id, status)
            self._arrival, self._request = None, {}
            assert self.socket is not None
            self.socket.sendall(answer)


class Entity(ApplicationEntity):
    """An application entity whose associations use bounded sockets."""

    def __init__(self, title: str, *, intake: Intake | None = None, timeout_s: float, connect_timeout_s: float) -> None:
        super().__init__(title)
        self.intake = intake
        self.connection: BoundedSocket | None = None
        self.maximum_pdu_size = OFFERED_PDU_BYTES
        self.acse_timeout = self.dimse_timeout = self.network_timeout = timeout_s
        self.connection_timeout = connect_timeout_s

    def _create_socket(
        self, assoc: Association, address: AddressInformation, tls_args: tuple[ssl.SSLContext, str] | None
    ) -> BoundedSocket:
        self.connection = BoundedSocket(assoc, address=address, intake=self.intake)
        self.connection.tls_args = tls_args
        assoc.dul.daemon = True  # a peer that hangs must not keep the program from ending
        return self.connection


def decode_command(data: bytearray) -> dict[int, bytes]:
    """Return a command's elements by number; group 0000, implicit VR little endian (PS3.7 6.3.1)."""
    elements: dict[int, bytes] = {}
    offset = 0
    while offset < len(data):
        group, number, length = _COMMAND_ELEMENT.unpack_from(data, offset)
        start = offset + _COMMAND_ELEMENT.size
        offset = start + length
        if group != 0 or offset > len(data):
            raise GarbageError("a command is damaged")
        elements[number] = bytes(data[start:offset])
    return elements


def encode_store_response(request: dict[int, bytes], context_id: int, status: int) -> bytes:
    """Return the PDU of a C-STORE response (PS3.7 9.3.1.2)."""
    elements = b"".join(
        (
            _element(0x0002, request.get(0x0002, b"")),
            _element(0x0100, struct.pack("<H", _C_STORE_RESPONSE)),
            _element(0x0120, request.get(0x0110, b"\0\0")),
            _element(0x0800, struct.pack("<H", _NO_DATA_SET)),
            _element(0x0900, struct.pack("<H", status)),
            _element(0x1000, request.get(0x1000, b"")),
        )
    )
    command = _element(0x0000, struct.pack("<L", len(elements))) + elements
    value = _VALUE.pack(len(command) + 2, context_id, _COMMAND_BIT | _LAST_BIT) + command
    return _HEADER.pack(_P_DATA, len(value)) + value


def _element(number: int, value: bytes) -> bytes:
    return _COMMAND_ELEMENT.pack(0, number, len(value)) + value


def _to_number(command: dict[int, bytes], number: int) -> int:
    value = command.get(number, b"")
    return int.from_bytes(value, "little") if len(value) == 2 else -1


def _to_text(command: dict[int, bytes], number: int) -> str:
    return command.get(number, b"").decode("ascii").strip("\0 ")


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return error.reason or "the handshake failed"
    return error.strerror or type(error).__name__
