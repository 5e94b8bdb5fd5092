"""``star model``: models at hand and the one in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from star_core import api
from star_core.cli import console
from star_core.cli.options import JsonFlag

app = typer.Typer(help="Models at hand and the one in use.", no_args_is_help=True)


@app.command("list", epilog="Example: star model list --json")
def list_(as_json: JsonFlag = False) -> None:
    """List the models at hand; the active one is marked."""
    models = api.list_models()
    if as_json:
        console.print_json([console.model_to_json(model) for model in models])
    else:
        console.print_models(models)


@app.command("activate", epilog="Example: star model activate star")
def activate(
    name: Annotated[str, typer.Argument(help="Name from `star model list`, or a bundle's folder.")],
) -> None:
    """Make a model the one in use; a bundle's folder is installed first."""
    folder = Path(name)
    if (folder / "card.json").is_file():
        name = api.install_model(folder).name
    api.activate_model(name)
    console.say(f"Model {name!r} is now in use.")
