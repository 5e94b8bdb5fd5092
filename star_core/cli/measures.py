"""Commands that measure models: on a cohort, against each other, their maps, and the promised figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import star_core
from star_core import api
from star_core.cli import console
from star_core.cli.options import CohortFolder, Device, JsonFlag, OutFolder, Seed
from star_core.evaluation.protocol import Protocol

app = typer.Typer()


@app.command(epilog="Example: star compare --cohort twins --models star,resnet18,cox --folds 5 --out comparison")
def compare(
    cohort: CohortFolder,
    models: Annotated[
        str,
        typer.Option("--models", help="Names by commas; options of a network as star:parts=AB:epochs=8."),
    ],
    out: OutFolder,
    folds: Annotated[int, typer.Option("--folds", min=2, help="Folds; each patient is tested once a repeat.")] = 5,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Repeats with other folds.")] = 1,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Trainings of a network whose curves are averaged.")] = 1,
    seed: Seed = 0,
    protocol: Annotated[
        Protocol, typer.Option("--protocol", help="ours: folds; paper: one split of 157 : 20 : 20.")
    ] = Protocol.OURS,
    options: Annotated[
        list[str] | None, typer.Option("--set", help="An option of every network as NAME=VALUE.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Fit models on identical folds and measure them; a killed comparison goes on where it stopped."""
    from star_core.evaluation.compare import ComparisonPlan
    from star_core.training.presets import parse_options

    plan = ComparisonPlan(
        models=tuple(name.strip() for name in models.split(",") if name.strip()),
        folds=folds,
        repeats=repeats,
        seeds=seeds,
        seed=seed,
        protocol=protocol,
        options=parse_options(options or []),
    )
    with console.progress("Fitting models") as progress:
        rows = api.compare_models(cohort, plan, out, device=device, progress=progress)
    console.print_summary(rows)
    console.say(f"Tables and predictions.csv are in {out}.")


@app.command(epilog="Example: star evaluate --model star --cohort new-patients --split all --out evaluation")
def evaluate(
    model: Annotated[str, typer.Option("--model", help="Model by name or folder.", show_default=False)],
    cohort: CohortFolder,
    out: OutFolder,
    split: Annotated[
        str, typer.Option("--split", help="Patients: train, validation, test, or all of a cohort it never saw.")
    ] = "test",
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of the split; else that of the training.")] = None,
    device: Device = "auto",
) -> None:
    """Measure a model on a cohort: tables with intervals, figures, and every prediction."""
    with console.progress("Forecasting patients") as progress:
        rows = api.evaluate_model(
            model, cohort, out, patients=console.parse_patients(split), seed=seed, device=device, progress=progress
        )
    console.print_summary(rows)
    console.say(f"Tables, figures and predictions.csv are in {out}.")
    console.say(star_core.RESEARCH_NOTICE)


@app.command(epilog="Example: star maps --model star-a,star-b --cohort phantoms --out maps")
def maps(
    model: Annotated[
        str, typer.Option("--model", help="Models by name or folder, with commas between.", show_default=False)
    ],
    cohort: CohortFolder,
    out: OutFolder,
    split: Annotated[
        str, typer.Option("--split", help="Patients: train, validation, test, or all where no model learnt from them.")
    ] = "test",
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Check risk maps at recorded sites of recurrence, beside tumour distance; tables and a figure."""
    models = [name.strip() for name in model.split(",") if name.strip()]
    with console.progress("Checking maps") as progress:
        rows = api.check_maps(
            cohort, models, out, patients=console.parse_patients(split), seed=seed, device=device, progress=progress
        )
    console.print_maps(rows)
    console.say(f"Tables and a figure are in {out}.")
    console.say(star_core.RESEARCH_NOTICE)


@app.command(epilog="Example: star bench --ct study/ --seg seg.dcm")
def bench(
    ct: Annotated[
        Path | None, typer.Option("--ct", help="A real CT to assess; else the demonstration patient.")
    ] = None,
    seg: Annotated[Path | None, typer.Option("--seg", help="Its DICOM SEG.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure the promised figures, each beside its peer in the same run."""
    results = api.run_benchmarks(ct, seg)
    console.print_json([result.to_json() for result in results]) if as_json else console.print_benchmarks(results)
