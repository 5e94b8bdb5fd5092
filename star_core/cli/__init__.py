"""The ``star`` command: thin over :mod:`star_core.api`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import star_core
from star_core.cli import (
    audit,
    cohorts,
    console,
    deidentify,
    measures,
    models,
    pacs,
    patients,
    segmentation,
    studies,
    training,
)
from star_core.errors import StarError

app = typer.Typer(
    name="star",
    help=f"STAR: yearly risk after resection of colorectal liver metastases.\n\n{star_core.RESEARCH_NOTICE}",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for part in (patients, segmentation, training, measures, deidentify):
    app.add_typer(part.app)
app.add_typer(cohorts.app, name="cohort")
app.add_typer(models.app, name="model")
app.add_typer(studies.app, name="archive")
app.add_typer(pacs.app, name="pacs")
app.add_typer(audit.app, name="audit")


@app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        console.say(f"star {star_core.__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command; an error that a user can mend prints one message and exits with code 2."""
    try:
        app()
    except StarError as error:
        console.complain(error, as_json="--json" in sys.argv)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
