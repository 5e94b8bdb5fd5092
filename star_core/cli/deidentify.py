"""The command that writes de-identified copies."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from star_core import api
from star_core.cli import console
from star_core.cli.options import JsonFlag

app = typer.Typer()


@app.command(
    "deidentify", epilog="Example: star deidentify study/ copy/ --retain patient-characteristics --key-file ../key"
)
def deidentify(
    source: Annotated[Path, typer.Argument(help="Folder with DICOM files, or one file.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="New folder for the copies and the report.", show_default=False)],
    retain: Annotated[
        list[str] | None,
        typer.Option(
            "--retain",
            help="patient-characteristics, device-identity, institution-identity, uids, safe-private; repeatable.",
        ),
    ] = None,
    clean: Annotated[
        list[str] | None,
        typer.Option("--clean", help="descriptors, structured-content, graphics: kept, cleaned; repeatable."),
    ] = None,
    remove_dates: Annotated[
        bool, typer.Option("--remove-dates", help="Remove dates and times instead of shifting dates by patient.")
    ] = False,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="Secret key for equal results in later runs; made if missing.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", help="CSV with patient_id and pseudonym; else pseudonyms are made.")
    ] = None,
    write_mapping: Annotated[
        Path | None, typer.Option("--write-mapping", help="Where to write who became whom; outside of OUT.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write de-identified copies (PS3.15 basic profile) and a report; ends with code 1 if a copy had to be removed."""
    from star_core.dicom.deidentify.options import build_options

    options = build_options(
        retain=retain or (),
        clean=clean or (),
        shift_dates=not remove_dates,
        key_file=key_file,
        mapping_file=mapping,
        write_mapping_file=write_mapping,
    )
    with console.progress("De-identifying") as progress:
        report = api.deidentify([source], out, options, progress)
    console.print_json(asdict(report)) if as_json else console.print_deidentification(report, out)
    if not report.is_clean:
        raise typer.Exit(1)
