"""Messages over the pipe to the worker: pickles of our own values, large arrays beside them without a copy.

Only the two ends of one program's own pipe speak this; nothing from a file or a network is ever read by it.
"""

from __future__ import annotations

import pickle
from multiprocessing.connection import Connection
from typing import Any


def send(connection: Connection, message: Any) -> None:
    """Send a value; its arrays travel as buffers of their own."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    connection.send_bytes(len(buffers).to_bytes(4, "little"))
    connection.send_bytes(head)
    for buffer in buffers:
        connection.send_bytes(buffer.raw())


def receive(connection: Connection) -> Any:
    """Receive a value.

    Raises
    ------
    EOFError, OSError
        When the other end is gone.
    """
    count = int.from_bytes(connection.recv_bytes(), "little")
    head = connection.recv_bytes()
    buffers = [connection.recv_bytes() for _ in range(count)]
    return pickle.loads(head, buffers=buffers)  # noqa: S301 -- the sender is our own child process
