"""How the commands on servers speak: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from star_core.cli import console

if TYPE_CHECKING:
    from star_core.archive.importer import ImportReport
    from star_core.archive.retrieve import RetrievalReport
    from star_core.dicom.network.query import SeriesMatch, StudyMatch
    from star_core.dicom.network.sending import SendingReport
    from star_core.dicom.network.servers import Server

_out = Console(highlight=False)


def print_servers(servers: Sequence[Server]) -> None:
    """Print the saved servers."""
    table = Table()
    for heading in ("name", "address", "our title", "user", "encrypted"):
        table.add_column(heading, overflow="fold")
    for server in servers:
        is_encrypted = server.tls or server.url.startswith("https:")
        cells = (server.name, server.address, server.calling_title, server.user, "yes" if is_encrypted else "no")
        table.add_row(*map(escape, cells))
    _out.print(table)


def print_remote_studies(studies: Sequence[StudyMatch]) -> None:
    """Print studies that a server has."""
    from star_core.dicom.names import to_display_name

    table = Table()
    for heading in ("patient", "identifier", "born", "date", "modality", "description", "images", "study"):
        table.add_column(heading, overflow="fold")
    for study in studies:
        about = (to_display_name(study.patient_name), study.patient_id, study.birth_date, study.date)
        count = "" if study.instance_count is None else str(study.instance_count)
        table.add_row(*map(escape, (*about, " ".join(study.modalities), study.description, count, study.study_uid)))
    _out.print(table)


def print_remote_series(series: Sequence[SeriesMatch]) -> None:
    """Print the series of a study that a server has."""
    table = Table()
    for heading in ("number", "modality", "description", "body part", "images", "series"):
        table.add_column(heading, overflow="fold")
    for one in series:
        numbers = ("" if number is None else str(number) for number in (one.number, one.instance_count))
        number, count = numbers
        cells = (number, one.modality, one.description, one.body_part, count, one.series_uid)
        table.add_row(*map(escape, cells))
    _out.print(table)


def print_retrieval(report: RetrievalReport) -> None:
    """Print what became of a retrieval; what is missing is said."""
    console.say(f"{report.received} objects of {report.announced} received, {report.known} were here before.")
    if report.missing:
        console.say(f"NOT COMPLETE: {report.missing} objects did not come, although the server has them.")
    for reason in report.refused:
        console.say(f"  refused: {reason}")
    console.print_import(report.imported)


def print_sending(report: SendingReport) -> None:
    """Print how many files were sent, with the reason for each that was not."""
    console.say(f"{report.sent} files sent, {len(report.failed)} failed.")
    for file in report.failed:
        console.say(f"  file {file.number}: {file.reason}")


class ReceivingTeller:
    """Tells how receiving goes, as lines or as one JSON object a line."""

    def __init__(self, title: str, bind: str, *, as_json: bool) -> None:
        self._title, self._bind, self._as_json = title, bind, as_json

    def start(self, port: int) -> None:
        """Report where objects can be sent."""
        if self._as_json:
            self._write({"event": "listening", "title": self._title, "address": self._bind, "port": port})
        else:
            console.say(f"{self._title} listens on {self._bind}:{port}; Ctrl+C ends it.")

    def imported(self, report: ImportReport) -> None:
        """Report what came."""
        if self._as_json:
            self._write({"event": "imported", **asdict(report)})
        else:
            console.print_import(report)

    @staticmethod
    def _write(event: dict[str, object]) -> None:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
