"""The archive as a destination: what servers send is received and imported while they go on."""

from __future__ import annotations

import shutil
import ssl
import threading
import time
from collections.abc import Callable, Sequence

from filelock import FileLock, Timeout

from star_core.archive.archive import INCOMING_FOLDER, Archive
from star_core.archive.importer import ImportReport, import_studies
from star_core.dicom.network.intake import Intake, Limits
from star_core.dicom.network.receiver import Receiver
from star_core.dicom.network.servers import LOOPBACK
from star_core.errors import NetworkError

RECEIVED_FOLDER = "received"
OBJECTS_PER_BATCH = 500
QUIET_S = 1.0
_POLL_S = 0.2


def receive_into(
    archive: Archive,
    *,
    title: str,
    port: int,
    stop: threading.Event,
    bind: str = LOOPBACK,
    allowed: Sequence[str] = (),
    limits: Limits | None = None,
    tls: ssl.SSLContext | None = None,
    on_start: Callable[[int], None] = lambda port: None,
    on_import: Callable[[ImportReport], None] = lambda report: None,
) -> None:
    """Receive until ``stop`` is set; what has come is imported when senders pause, and what a killed run left first.

    Parameters
    ----------
    on_start
        Called with the port once objects can be sent.
    on_import
        Called after each import.

    Raises
    ------
    NetworkError
        When the port cannot be used, or another program receives into this archive.
    StorageError
        When the archive's disk is full or cannot be written.
    """
    folder = archive.folder / INCOMING_FOLDER / RECEIVED_FOLDER
    try:
        with FileLock(folder.with_suffix(".lock"), timeout=0):
            intake = Intake(folder, limits=limits)
            with Receiver(intake, title=title, allowed=allowed, port=port, bind=bind, tls=tls) as receiver:
                on_start(receiver.port)
                while not stop.wait(_POLL_S):
                    if _is_time(intake, receiver):
                        _import_all(archive, intake, on_import)
            _import_all(archive, intake, on_import)
            shutil.rmtree(folder, ignore_errors=True)
    except Timeout as error:
        raise NetworkError(
            "Another program receives into this archive.", remedy="Stop it first, or choose another archive."
        ) from error


def _is_time(intake: Intake, receiver: Receiver) -> bool:
    return time.monotonic() - receiver.last_heard > QUIET_S or intake.count_whole() >= OBJECTS_PER_BATCH


def _import_all(archive: Archive, intake: Intake, on_import: Callable[[ImportReport], None]) -> None:
    """Import what lies whole in the intake, and batches that a killed run left."""
    intake.set_aside(f"batch-{time.time_ns()}")
    for batch in sorted(intake.folder.glob("batch-*")):
        report = import_studies(archive, [batch])
        shutil.rmtree(batch, ignore_errors=True)
        on_import(report)
