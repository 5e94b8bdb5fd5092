"""``star cohort``: cohorts to train on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from star_core import api
from star_core.cli import console
from star_core.cli.options import CohortFolder, OutFolder, Seed
from star_core.training.run import PresetName

app = typer.Typer(help="Cohorts to train on.", no_args_is_help=True)
PrepareFor = Annotated[PresetName, typer.Option("--preset", help="Prepare scans as this preset wants them.")]
Reduce = Annotated[int | None, typer.Option("--reduce", help="Coarser model grid: 1, 2 or 4.")]
SkipProblems = Annotated[
    bool, typer.Option("--skip-problems", help="Leave patients with problems out; they are listed.")
]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="Processes; else as many as processors, at most 8.")]
DicomFolder = Annotated[Path, typer.Option("--dicom", help="Folder with a folder a patient.", show_default=False)]
Workbook = Annotated[Path, typer.Option("--clinical", help="Workbook of the collection.", show_default=False)]


@app.command("phantom", epilog="Example: star cohort phantom --n 200 --out phantoms")
def phantom(
    out: OutFolder,
    n: Annotated[int, typer.Option("--n", min=1, help="Number of patients.")] = 200,
    seed: Seed = 0,
    preset: PrepareFor = PresetName.STAR,
    reduce: Reduce = None,
    jobs: Jobs = None,
) -> None:
    """Make a cohort of synthetic patients with a known law, to try training on."""
    config = api.preparation(preset, reduce=reduce)
    with console.progress("Drawing patients") as progress:
        api.write_phantom_cohort(n, out, seed=seed, config=config, jobs=jobs, progress=progress)
    console.say(f"{n} synthetic patients are in {out}.")


@app.command("twin", epilog="Example: star cohort twin --clinical table.xlsx --volumes counts.csv --out twins")
def twin(
    out: OutFolder,
    clinical: Workbook,
    volumes: Annotated[Path | None, typer.Option("--volumes", help="Voxel counts by patient, CSV.")] = None,
    seed: Seed = 0,
    preset: PrepareFor = PresetName.STAR,
    reduce: Reduce = None,
    jobs: Jobs = None,
) -> None:
    """Make a synthetic scan for each row of a workbook that agrees with the row; outcomes are the row's own."""
    config = api.preparation(preset, reduce=reduce)
    with console.progress("Drawing twins") as progress:
        manifest = api.write_twin_cohort(
            clinical, out, volumes=volumes, seed=seed, config=config, jobs=jobs, progress=progress
        )
    console.say(f"{len(manifest.patients)} synthetic twins are in {out}; twins.csv compares them with their rows.")


@app.command("tcia", epilog="Example: star cohort tcia --dicom download --clinical table.xlsx --out cohort")
def tcia(
    dicom: DicomFolder,
    clinical: Workbook,
    out: OutFolder,
    skip_problems: SkipProblems = False,
    preset: PrepareFor = PresetName.STAR,
    reduce: Reduce = None,
    jobs: Jobs = None,
) -> None:
    """Prepare the public collection as downloaded; every problem is told by patient."""
    config = api.preparation(preset, reduce=reduce)
    with console.progress("Preparing scans") as progress:
        made = api.write_tcia_cohort(
            dicom, clinical, out, skip_problems=skip_problems, config=config, jobs=jobs, progress=progress
        )
    console.print_cohort(made)


@app.command("local", epilog="Example: star cohort local --dicom patients --table table.csv --out cohort")
def local(
    dicom: DicomFolder,
    table: Annotated[Path, typer.Option("--table", help="Records and outcomes, CSV or XLSX.", show_default=False)],
    out: OutFolder,
    columns: Annotated[Path | None, typer.Option("--columns", help="JSON: the table's columns in our words.")] = None,
    skip_problems: SkipProblems = False,
    preset: PrepareFor = PresetName.STAR,
    reduce: Reduce = None,
    jobs: Jobs = None,
) -> None:
    """Prepare a centre's own patients; every problem is told by patient."""
    config = api.preparation(preset, reduce=reduce)
    with console.progress("Preparing scans") as progress:
        made = api.write_local_cohort(
            dicom,
            table,
            out,
            columns=columns,
            skip_problems=skip_problems,
            config=config,
            jobs=jobs,
            progress=progress,
        )
    console.print_cohort(made)


@app.command("fetch", epilog="Example: star cohort fetch --out download --patients 10")
def fetch(
    out: Annotated[Path | None, typer.Option("--out", help="Folder to download to; without it, only a list.")] = None,
    patients: Annotated[int | None, typer.Option("--patients", min=1, help="The first so many patients.")] = None,
) -> None:
    """List or download the public collection Colorectal-Liver-Metastases; a download that broke off goes on."""
    listing = api.list_collection(patients)
    console.print_collection(listing)
    if out is None:
        console.say("Nothing was downloaded: name a folder with --out.")
        return
    with console.progress("Downloading series") as progress:
        fetched = api.fetch_collection(listing, out, progress=progress)
    console.say(f"{fetched} series were downloaded; all {len(listing.series)} are in {out}.")


@app.command("coarsen", epilog="Example: star cohort coarsen --cohort twins --reduce 4 --out twins-coarse")
def coarsen(
    cohort: CohortFolder,
    out: OutFolder,
    reduce: Annotated[int, typer.Option("--reduce", help="Coarser model grid: 2 or 4.")] = 2,
) -> None:
    """Copy a cohort to a coarser model grid, for studies that must end on a small machine."""
    with console.progress("Joining cells") as progress:
        manifest = api.coarsen_cohort(cohort, out, reduce=reduce, progress=progress)
    console.say(f"{len(manifest.patients)} patients on a grid reduced by {reduce} are in {out}.")


@app.command("join", epilog="Example: star cohort join twins phantoms --out both")
def join(
    cohorts: Annotated[list[Path], typer.Argument(help="Folders of cohorts that were prepared alike.")],
    out: OutFolder,
) -> None:
    """Join cohorts into one."""
    with console.progress("Joining patients") as progress:
        manifest = api.join_cohorts(cohorts, out, progress=progress)
    console.say(f"{len(manifest.patients)} patients ({manifest.kind}) are in {out}.")


@app.command("records", epilog="Example: star cohort records --clinical workbook.xlsx --out records")
def records(
    clinical: Workbook,
    out: OutFolder,
) -> None:
    """Make a cohort of a workbook's records without scans, for models of the record (preset clinical, cox, ...)."""
    n = api.write_record_cohort(clinical, out)
    console.say(f"{n} patients without scans are in {out}.")
