"""Commands that make models: train and fine-tune."""

from __future__ import annotations

from typing import Annotated

import typer

from star_core import api
from star_core.cli import console
from star_core.cli.options import CohortFolder, Device, Epochs, JsonFlag, ModelName, OutFolder, Seed
from star_core.training.run import PresetName

app = typer.Typer()


@app.command(epilog="Example: star train --cohort phantoms --preset star --out my-model --set attention=time")
def train(
    cohort: CohortFolder,
    out: OutFolder,
    preset: Annotated[PresetName, typer.Option("--preset", help="Network and training.")] = PresetName.STAR,
    name: Annotated[str | None, typer.Option("--name", help="Name of the model; else the folder's.")] = None,
    title: Annotated[str, typer.Option("--title", help="Title on the card.")] = "",
    epochs: Epochs = None,
    elastic_mm: Annotated[
        float | None,
        typer.Option("--elastic-mm", min=0.0, help="Largest elastic displacement; 0 trains three times as fast."),
    ] = None,
    options: Annotated[list[str] | None, typer.Option("--set", help="Another option as NAME=VALUE.")] = None,
    seed: Seed = 0,
    device: Device = "auto",
    devices: Annotated[int, typer.Option("--devices", min=1, help="Processes or graphics cards a machine.")] = 1,
    nodes: Annotated[int, typer.Option("--nodes", min=1, help="Machines.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a training that was killed.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Train a new model; Ctrl+C keeps the best epoch so far, --resume goes on after a kill."""
    from star_core.training.presets import PRESETS, parse_options

    changes: dict[str, object] = {"seed": seed, "device": device, "devices": devices, "nodes": nodes}
    changes |= {key: value for key, value in (("epochs", epochs), ("elastic_mm", elastic_mm)) if value is not None}
    chosen = PRESETS[preset].with_options(changes | parse_options(options or []))
    with console.training(as_json) as watcher:
        card = api.train(
            cohort,
            out,
            chosen,
            name=name,
            title=title,
            resume=resume,
            progress=watcher.progress,
            on_epoch=watcher.epoch,
            should_stop=watcher.should_stop,
        )
    watcher.finish(card, out)


@app.command(epilog="Example: star finetune --model star --cohort our-patients --out our-model")
def finetune(
    cohort: CohortFolder,
    out: OutFolder,
    model: ModelName = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the new model; else the folder's.")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Train the whole network, not only the heads.")] = False,
    epochs: Epochs = None,
    seed: Seed = 0,
    as_json: JsonFlag = False,
) -> None:
    """Fine-tune a model on a cohort; Ctrl+C keeps the best epoch so far. The new card names its parent."""
    from star_core.training.finetune import HEADS, WHOLE

    changes = {"seed": seed} | ({"epochs": epochs} if epochs else {})
    settings = (WHOLE if whole else HEADS).model_copy(update=changes)
    with console.training(as_json) as watcher:
        card = api.fine_tune(
            model,
            cohort,
            out,
            settings,
            heads_only=not whole,
            name=name,
            progress=watcher.progress,
            on_epoch=watcher.epoch,
            should_stop=watcher.should_stop,
        )
    watcher.finish(card, out)
