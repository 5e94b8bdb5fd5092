"""Commands on the audit trail."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from star_core import api
from star_core.cli import console
from star_core.cli.options import JsonFlag

app = typer.Typer(help="The audit trail: imports, exports, assessments, retrievals, deletions.", no_args_is_help=True)


@app.callback()
def _audit() -> None:
    """Keep `verify` a command of its own; a group with one command would swallow its name."""


@app.command(epilog="Example: star audit verify")
def verify(
    folder: Annotated[Path | None, typer.Option("--folder", help="Folder with audit.jsonl; else this user's.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check that no entry was altered, removed, moved or cut off; ends with code 1 if one was."""
    report = api.verify_audit(folder)
    console.print_json(asdict(report)) if as_json else console.print_audit(report)
    if not report.is_whole:
        raise typer.Exit(1)
