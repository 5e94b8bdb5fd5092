"""Commands on the local archive of studies."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from star_core import api
from star_core.cli import console
from star_core.cli.options import JsonFlag

app = typer.Typer(help="Studies on this computer: import, find, delete.", no_args_is_help=True)
ArchiveFolder = Annotated[Path | None, typer.Option("--archive", help="The archive's folder; else this user's own.")]


@app.command("import", epilog="Example: star archive import stick/ study.zip --archive studies/")
def import_(
    paths: Annotated[list[Path], typer.Argument(help="Folders, files, DICOMDIRs, zip archives.", show_default=False)],
    archive: ArchiveFolder = None,
    link: Annotated[bool, typer.Option("--link", help="Leave files where they are instead of copying them.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Import studies; the same command goes on with an import that was stopped."""
    with api.open_archive(archive) as opened, console.progress("Importing files") as progress:
        report = api.import_studies(opened, paths, link=link, progress=progress)
    console.print_json(asdict(report)) if as_json else console.print_import(report)


@app.command("list", epilog="Example: star archive list --search 'müller ct' --from 2026-01-01")
def list_(
    archive: ArchiveFolder = None,
    search: Annotated[str, typer.Option("--search", help="Words in names, identifiers and descriptions.")] = "",
    modality: Annotated[str, typer.Option("--modality", help="CT, SEG, MR ...")] = "",
    body_part: Annotated[str, typer.Option("--body-part", help="ABDOMEN, LIVER ...")] = "",
    date_from: Annotated[str, typer.Option("--from", help="First study date, as 2026-01-31.")] = "",
    date_to: Annotated[str, typer.Option("--to", help="Last study date.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="Studies at most.")] = 200,
    as_json: JsonFlag = False,
) -> None:
    """List studies, newest first."""
    from star_core.archive.rows import StudyFilter

    wanted = StudyFilter(text=search, modality=modality, body_part=body_part, date_from=date_from, date_to=date_to)
    with api.open_archive(archive) as opened:
        found = opened.find_studies(wanted, limit=limit)
    console.print_json([asdict(study) for study in found]) if as_json else console.print_studies(found)


@app.command("delete", epilog="Example: star archive delete 12 13")
def delete(
    studies: Annotated[list[int], typer.Argument(help="Numbers of studies, from the list.", show_default=False)],
    archive: ArchiveFolder = None,
) -> None:
    """Take studies out of the archive; `star archive undo` brings them back until `star archive purge`."""
    with api.open_archive(archive) as opened:
        api.delete_studies(opened, studies)
    console.say(f"{len(studies)} studies are deleted; star archive undo brings them back.")


@app.command("undo", epilog="Example: star archive undo")
def undo(archive: ArchiveFolder = None) -> None:
    """Bring back what was deleted last."""
    with api.open_archive(archive) as opened:
        count = api.undo_deletion(opened)
    console.say(f"{count} files are back.")


@app.command("purge", epilog="Example: star archive purge")
def purge(archive: ArchiveFolder = None) -> None:
    """Remove the copied files of deleted studies for good; linked files stay where they are."""
    with api.open_archive(archive) as opened:
        purged = api.purge_deletions(opened)
    console.say(f"{purged.files} files are removed.")
