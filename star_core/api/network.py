"""Servers on the network: kept, asked, retrieved from and sent to; and the archive as a destination for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from star_core.errors import CancelledError, NetworkError
from star_core.types import ProgressCallback, ignore_progress

if TYPE_CHECKING:
    import ssl

    from star_core.archive.archive import Archive
    from star_core.archive.importer import ImportReport
    from star_core.archive.retrieve import RetrievalReport
    from star_core.dicom.network.intake import Limits
    from star_core.dicom.network.query import SeriesMatch, StudyMatch, StudyQuery
    from star_core.dicom.network.retrieval import Method
    from star_core.dicom.network.sending import SendingReport
    from star_core.dicom.network.servers import Server


def list_servers() -> tuple[Server, ...]:
    """Return this user's servers by name; see :class:`star_core.dicom.network.servers.ServerBook`."""
    from star_core.dicom.network.servers import ServerBook

    return ServerBook().list_servers()


def find_server(name: str) -> Server:
    """Return a server by its name, or by an address, ``TITLE@host:port`` or a URL."""
    from star_core.dicom.network.servers import ServerBook

    return ServerBook().find(name)


def build_server(**values: object) -> Server:
    """Return a server of checked values; see :class:`star_core.dicom.network.servers.Server` for their names."""
    from star_core.dicom.network.servers import build_server as build

    return build(**values)


def save_server(server: Server, password: str | None = None) -> None:
    """Keep a server, and its user's password in the system's keyring; one of the same name is replaced.

    Raises
    ------
    NetworkError
        When there is no keyring for the password; the server is not kept then.
    """
    from star_core.dicom.network.servers import ServerBook, write_password

    if password is not None:
        write_password(server, password)
    ServerBook().save(server)


def remove_server(name: str) -> None:
    """Forget a server and its password."""
    from star_core.dicom.network.servers import ServerBook, remove_password

    ServerBook().remove(name)
    remove_password(name)


def echo(server: Server, *, progress: ProgressCallback = ignore_progress) -> None:
    """Ask whether a server answers; see :func:`star_core.dicom.network.services.echo`."""
    from star_core.dicom.network import services

    services.echo(server, progress=progress)


def find_studies(
    server: Server,
    query: StudyQuery,
    *,
    limit: int = 100,
    offset: int = 0,
    progress: ProgressCallback = ignore_progress,
) -> tuple[tuple[StudyMatch, ...], bool]:
    """Return studies of a server, and whether it has more; :func:`star_core.dicom.network.services.find_studies`."""
    from star_core.dicom.network import services

    return services.find_studies(server, query, limit=limit, offset=offset, progress=progress)


def find_series(
    server: Server, study_uid: str, *, progress: ProgressCallback = ignore_progress
) -> tuple[SeriesMatch, ...]:
    """Return the series of a study at a server; see :func:`star_core.dicom.network.services.find_series`."""
    from star_core.dicom.network import services

    return services.find_series(server, study_uid, progress=progress)


def retrieve_study(
    archive: Archive,
    server: Server,
    study_uid: str,
    *,
    method: Method | None = None,
    progress: ProgressCallback = ignore_progress,
) -> RetrievalReport:
    """Retrieve a study into the archive, by C-GET if not told; :func:`star_core.archive.retrieve.retrieve_study`."""
    from star_core.archive import retrieve
    from star_core.archive.audit import AuditAction, to_subject, write_down
    from star_core.dicom.network.retrieval import Method as Methods

    subject, place = to_subject(study_uid), to_subject(server.address)
    try:
        report = retrieve.retrieve_study(archive, server, study_uid, method=method or Methods.GET, progress=progress)
    except (NetworkError, CancelledError):
        write_down(AuditAction.RETRIEVAL, subject=subject, details={"server": place, "outcome": "broken off"})
        raise
    details = {"objects": report.received, "known": report.known, "missing": report.missing}
    write_down(AuditAction.RETRIEVAL, subject=subject, details={"server": place, **details})
    return report


def send_studies(
    archive: Archive, server: Server, studies: Sequence[int], *, progress: ProgressCallback = ignore_progress
) -> SendingReport:
    """Send studies of the archive, by their numbers, to a server; see :func:`send_files`."""
    series = [one.id for study in studies for one in archive.series_of_study(study)]
    return send_files(server, [path for one in series for path in archive.paths_of_series(one)], progress=progress)


def send_files(
    server: Server, sources: Sequence[Path], *, progress: ProgressCallback = ignore_progress
) -> SendingReport:
    """Send files, and all files of folders, to a server as they are; those that it does not take are listed.

    Raises
    ------
    StorageError
        When a source is missing.
    NetworkError
        When the server cannot be reached, refuses, or breaks off.
    """
    from star_core.archive.audit import AuditAction, to_subject, write_down
    from star_core.archive.sources import list_candidates
    from star_core.dicom.network import services

    candidates, _ = list_candidates(sources)
    paths = [candidate.path for candidate in candidates if candidate.zip_entry is None]
    subject, place, tried = to_subject(*map(str, sources)), to_subject(server.address), 0

    def tell(done: int, total: int) -> None:
        nonlocal tried
        tried = done
        progress(done, total)

    try:
        report = services.send_files(server, paths, progress=tell)
    except (NetworkError, CancelledError):
        write_down(AuditAction.EXPORT, subject=subject, details={"server": place, "tried": tried, "of": len(paths)})
        raise
    details = {"objects": report.sent, "failed": len(report.failed)}
    write_down(AuditAction.EXPORT, subject=subject, details={"server": place, **details})
    return report


def receive_studies(
    archive: Archive,
    *,
    title: str,
    port: int,
    stop: threading.Event,
    bind: str = "127.0.0.1",
    allowed: Sequence[str] = (),
    limits: Limits | None = None,
    tls: ssl.SSLContext | None = None,
    on_start: Callable[[int], None] = lambda port: None,
    on_import: Callable[[ImportReport], None] = lambda report: None,
) -> None:
    """Receive what servers send into the archive until ``stop``; see :func:`star_core.archive.receive.receive_into`."""
    from star_core.archive.audit import AuditAction, to_subject, write_down
    from star_core.archive.receive import receive_into

    def tell(report: ImportReport) -> None:
        details = {"files": report.imported, "duplicates": report.duplicates, "failed": len(report.failed)}
        write_down(AuditAction.IMPORT, subject=to_subject("received", title), details=details)
        on_import(report)

    receive_into(
        archive,
        title=title,
        port=port,
        stop=stop,
        bind=bind,
        allowed=allowed,
        limits=limits,
        tls=tls,
        on_start=on_start,
        on_import=tell,
    )
