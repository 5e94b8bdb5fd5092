"""Commands on servers of the network: ask, retrieve, send, receive, and the book of servers."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from star_core import api
from star_core.cli import console
from star_core.cli.options import JsonFlag
from star_core.cli.studies import ArchiveFolder
from star_core.errors import NetworkError

app = typer.Typer(help="Servers on the network: find, retrieve, send and receive studies.", no_args_is_help=True)
ServerName = Annotated[
    str, typer.Argument(help="A saved server, or an address: TITLE@host:port or https://...", show_default=False)
]
StudyUids = Annotated[list[str], typer.Argument(help="Identifiers of studies, from star pacs find.")]
DEFAULT_PORT = 11112


@app.command(epilog="Example: star pacs echo PACS@pacs.hospital:104")
def echo(server: ServerName, as_json: JsonFlag = False) -> None:
    """Ask whether a server answers."""
    import time

    found = api.find_server(server)
    start = time.monotonic()
    api.echo(found)
    took_ms = round(1000 * (time.monotonic() - start))
    if as_json:
        console.print_json({"server": found.name, "address": found.address, "milliseconds": took_ms})
    else:
        console.say(f"{found.name} answers at {found.address} after {took_ms} ms.")


@app.command(epilog="Example: star pacs find hospital --name 'müller' --modality CT --from 2026-01-01")
def find(
    server: ServerName,
    name: Annotated[str, typer.Option("--name", help="Part of a name in any script, or a pattern with *.")] = "",
    patient_id: Annotated[str, typer.Option("--id", help="The patient's identifier.")] = "",
    date_from: Annotated[str, typer.Option("--from", help="First study date, as 2026-01-31.")] = "",
    date_to: Annotated[str, typer.Option("--to", help="Last study date.")] = "",
    modality: Annotated[str, typer.Option("--modality", help="CT, MR, SEG ...")] = "",
    accession: Annotated[str, typer.Option("--accession", help="Accession number.")] = "",
    study: Annotated[str, typer.Option("--study", help="A study's identifier: its series are listed.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=5000, help="Studies at most.")] = 50,
    page: Annotated[int, typer.Option("--page", min=1, help="Page of that many studies.")] = 1,
    as_json: JsonFlag = False,
) -> None:
    """Find studies at a server, or the series of one."""
    from star_core.dicom.network.query import StudyQuery

    found = api.find_server(server)
    if study:
        series = api.find_series(found, study)
        console.print_json([asdict(one) for one in series]) if as_json else console.print_remote_series(series)
        return
    query = StudyQuery(
        patient_name=name,
        patient_id=patient_id,
        date_from=date_from,
        date_to=date_to,
        modality=modality,
        accession=accession,
    )
    studies, has_more = api.find_studies(found, query, limit=limit, offset=(page - 1) * limit)
    if as_json:
        console.print_json({"studies": [asdict(one) for one in studies], "has_more": has_more, "page": page})
        return
    console.print_remote_studies(studies)
    if has_more:
        console.say(f"There are more: --page {page + 1}, or narrow the query.")


@app.command(epilog="Example: star pacs get hospital 1.2.840.113619.2.55.3")
def get(server: ServerName, studies: StudyUids, archive: ArchiveFolder = None, as_json: JsonFlag = False) -> None:
    """Retrieve studies on the same connection (C-GET, or WADO); the same command goes on where one stopped."""
    from star_core.dicom.network.retrieval import Method

    _retrieve(server, studies, archive, Method.GET, as_json)


@app.command(epilog="Example: star pacs move hospital 1.2.840.113619.2.55.3")
def move(server: ServerName, studies: StudyUids, archive: ArchiveFolder = None, as_json: JsonFlag = False) -> None:
    """Retrieve studies that the server sends to this computer (C-MOVE); it must know our title, host and port."""
    from star_core.dicom.network.retrieval import Method

    _retrieve(server, studies, archive, Method.MOVE, as_json)


def _retrieve(server: str, studies: list[str], archive: Path | None, method: Any, as_json: bool) -> None:
    found = api.find_server(server)
    reports = []
    with api.open_archive(archive) as opened:
        for study in studies:
            with console.progress("Retrieving") as progress:
                report = api.retrieve_study(opened, found, study, method=method, progress=progress)
            reports.append(report)
            if not as_json:
                console.print_retrieval(report)
    if as_json:
        entries = zip(studies, reports, strict=True)
        console.print_json([{"study_uid": uid, "is_complete": one.is_complete, **asdict(one)} for uid, one in entries])
    if not all(report.is_complete for report in reports):
        raise typer.Exit(1)


@app.command(epilog="Example: star pacs store hospital --study 12 --study 13")
def store(
    server: ServerName,
    paths: Annotated[list[Path] | None, typer.Argument(help="Files and folders to send.", show_default=False)] = None,
    study: Annotated[list[int] | None, typer.Option("--study", help="A study of the archive, by its number.")] = None,
    archive: ArchiveFolder = None,
    as_json: JsonFlag = False,
) -> None:
    """Send files, folders or studies of the archive to a server (C-STORE, or STOW)."""
    if bool(paths) == bool(study):
        raise NetworkError("Nothing to send, or two kinds of it.", remedy="Give files and folders, or --study numbers.")
    found = api.find_server(server)
    with console.progress("Sending files") as progress:
        if paths:
            report = api.send_files(found, paths, progress=progress)
        else:
            with api.open_archive(archive) as opened:
                report = api.send_studies(opened, found, study or [], progress=progress)
    console.print_json(asdict(report)) if as_json else console.print_sending(report)
    if report.failed:
        raise typer.Exit(1)


@app.command(epilog="Example: star pacs serve --title STAR --allow PACS --bind 0.0.0.0 --port 11112")
def serve(
    title: Annotated[str, typer.Option("--title", help="Our own application entity title.")] = "STAR",
    allow: Annotated[list[str] | None, typer.Option("--allow", help="A title that may send; may be repeated.")] = None,
    allow_any: Annotated[bool, typer.Option("--allow-any", help="Let every title send.")] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = DEFAULT_PORT,
    bind: Annotated[str, typer.Option("--bind", help="Address to listen on; this computer only if not told.")] = (
        "127.0.0.1"
    ),
    archive: ArchiveFolder = None,
    most_objects: Annotated[int, typer.Option("--most-objects", min=1, help="Objects of one connection.")] = 50_000,
    most_gb: Annotated[float, typer.Option("--most-gb", min=0.001, help="GB of one connection.")] = 200.0,
    most_object_gb: Annotated[float, typer.Option("--most-object-gb", min=0.001, help="GB of one object.")] = 4.0,
    certificate: Annotated[Path | None, typer.Option("--certificate", help="Our certificate (PEM): TLS only.")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Its key (PEM).")] = None,
    ca: Annotated[Path | None, typer.Option("--ca", help="Whose certificates senders must show (PEM).")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Receive what servers send into the archive, until Ctrl+C."""
    from star_core.dicom.network.intake import Limits

    if not allow and not allow_any:
        raise NetworkError(
            "Nobody may send.", remedy="Name the titles that may, as --allow PACS, or let everybody with --allow-any."
        )
    limits = Limits(objects=most_objects, total_bytes=int(most_gb * 1e9), object_bytes=int(most_object_gb * 1e9))
    told = console.ReceivingTeller(title, bind, as_json=as_json)
    with api.open_archive(archive) as opened, _stop_at_signal() as stop:
        api.receive_studies(
            opened,
            title=title,
            port=port,
            stop=stop,
            bind=bind,
            allowed=allow or [],
            limits=limits,
            tls=_build_tls(certificate, key, ca),
            on_start=told.start,
            on_import=told.imported,
        )


def _build_tls(certificate: Path | None, key: Path | None, ca: Path | None) -> Any:
    if certificate is None and key is None and ca is None:
        return None
    if certificate is None or key is None:
        raise NetworkError("A certificate and its key are needed.", remedy="Give --certificate and --key.")
    from star_core.dicom.network.servers import build_receiver_tls

    return build_receiver_tls(certificate, key, ca)


@contextmanager
def _stop_at_signal() -> Iterator[threading.Event]:
    """Give an event that Ctrl+C or the end of the service sets, so that what has come is imported first."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda number, frame: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# --------------------------------------------------------------------------- the book


@app.command(epilog="Example: star pacs servers")
def servers(as_json: JsonFlag = False) -> None:
    """List the saved servers."""
    found = api.list_servers()
    if as_json:
        console.print_json([server.model_dump(mode="json") for server in found])
    else:
        console.print_servers(found)


@app.command(epilog="Example: star pacs add hospital PACS@pacs.hospital:104 --our-title STAR")
def add(
    name: Annotated[str, typer.Argument(help="What to call the server.", show_default=False)],
    address: Annotated[str, typer.Argument(help="TITLE@host:port, or https://...", show_default=False)],
    our_title: Annotated[str, typer.Option("--our-title", help="What we call ourselves.")] = "STAR",
    user: Annotated[str, typer.Option("--user", help="User; the password is asked for, and kept in the keyring.")] = "",
    tls: Annotated[bool, typer.Option("--tls", help="DIMSE over TLS.")] = False,
    ca: Annotated[Path | None, typer.Option("--ca", help="Authority to trust (PEM) instead of the system's.")] = None,
    certificate: Annotated[Path | None, typer.Option("--certificate", help="Our certificate (PEM).")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Its key (PEM).")] = None,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Trust any certificate.")] = False,
    move_port: Annotated[int, typer.Option("--move-port", help="Where we listen for C-MOVE.")] = DEFAULT_PORT,
    move_bind: Annotated[str, typer.Option("--move-bind", help="Address for that.")] = "127.0.0.1",
    move_from: Annotated[
        list[str] | None, typer.Option("--move-from", help="Titles that moved objects come from, if others.")
    ] = None,
    timeout_s: Annotated[float, typer.Option("--timeout", help="Longest silence of the server, in seconds.")] = 30.0,
) -> None:
    """Save a server under a name."""
    from star_core.dicom.network.servers import parse_address

    settings = {
        "calling_title": our_title,
        "user": user,
        "tls": tls,
        "ca_file": ca,
        "certificate_file": certificate,
        "key_file": key,
        "verify": not no_verify,
        "move_port": move_port,
        "move_bind": move_bind,
        "move_titles": tuple(move_from or ()),
        "timeout_s": timeout_s,
    }
    parsed = parse_address(address, **settings)
    if parsed is None:
        raise NetworkError(f"{address!r} is no address.", remedy="Write TITLE@host:port or https://host/dicom-web.")
    server = api.build_server(**{**parsed.model_dump(), "name": name})
    password = typer.prompt(f"Password of {user}", hide_input=True) if user else None
    api.save_server(server, password)
    console.say(f"{name} is saved: {server.address}.")


@app.command(epilog="Example: star pacs remove hospital")
def remove(name: Annotated[str, typer.Argument(help="A saved server.", show_default=False)]) -> None:
    """Forget a server and its password."""
    api.remove_server(name)
    console.say(f"{name} is forgotten.")
