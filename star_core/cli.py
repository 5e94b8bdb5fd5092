"""The ``star`` command: thin over :mod:`star_core.api`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

import star_core
from star_core import api, console
from star_core.errors import StarError
from star_core.evaluation.protocol import Protocol
from star_core.training.run import PresetName

app = typer.Typer(
    name="star",
    help=f"STAR: yearly risk after resection of colorectal liver metastases.\n\n{star_core.RESEARCH_NOTICE}",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
model_app = typer.Typer(help="Models at hand and the one in use.", no_args_is_help=True)
cohort_app = typer.Typer(help="Cohorts to train on.", no_args_is_help=True)
app.add_typer(model_app, name="model")
app.add_typer(cohort_app, name="cohort")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for a program instead of text.")]
OutFolder = Annotated[Path, typer.Option("--out", help="New folder for the result.", show_default=False)]
CohortFolder = Annotated[Path, typer.Option("--cohort", help="Folder with manifest.json.", show_default=False)]
Epochs = Annotated[int | None, typer.Option("--epochs", min=1, help="Epochs at most.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of every random number.")]
PrepareFor = Annotated[PresetName, typer.Option("--preset", help="Prepare scans as this preset wants them.")]
Reduce = Annotated[int | None, typer.Option("--reduce", help="Coarser model grid: 1, 2 or 4.")]
SkipProblems = Annotated[
    bool, typer.Option("--skip-problems", help="Leave patients with problems out; they are listed.")
]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="Processes; else as many as processors, at most 8.")]


Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]


@app.command(epilog="Example: star info study/ --json")
def info(
    folder: Annotated[Path, typer.Argument(help="Folder (any depth) or file.", show_default=False)],
    as_json: JsonFlag = False,
) -> None:
    """List every series found: geometry, HU range, segments and what is wrong with it."""
    summary = api.inspect_folder(folder)
    console.print_json(summary.to_json_dict()) if as_json else console.print_folder(summary)


@app.command(epilog="Example: star demo demo-patient")
def demo(out: Annotated[Path, typer.Argument(help="New folder.", show_default=False)]) -> None:
    """Write the demonstration patient: CT and segmentation as DICOM, clinical.json. The patient is synthetic."""
    api.write_demo(out)
    console.say(f"The demonstration patient (synthetic) is in {out}.")


@app.command(epilog="Example: star assess --ct study/ --seg seg.dcm --clinical clinical.json --out result")
def assess(
    ct: Annotated[Path, typer.Option("--ct", help="Folder with the CT, or a NIfTI file.", show_default=False)],
    out: OutFolder,
    seg: Annotated[Path | None, typer.Option("--seg", help="DICOM SEG, file or folder.")] = None,
    clinical: Annotated[Path | None, typer.Option("--clinical", help="Clinical record: JSON or workbook.")] = None,
    patient: Annotated[str | None, typer.Option("--patient", help="The patient's name in the workbook.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Model by name or folder; else the active one.")] = None,
    follow_up: Annotated[
        list[str] | None, typer.Option("--follow-up", help="A later CT as YEAR=FOLDER, years since surgery rounded up.")
    ] = None,
    device: Device = "auto",
    fill_gaps: Annotated[bool, typer.Option("--fill-gaps", help="Interpolate missing or uneven slices.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Forecast recurrence and survival for years 1 to 12: forecast.json, riskmap.nii.gz, report.pdf."""
    from star_core.assessment import to_forecast_json
    from star_core.storage import refuse_filled_folder

    refuse_filled_folder(out)
    case = api.open_case(
        ct,
        segmentation=seg,
        clinical=clinical,
        patient_id=patient,
        follow_ups=console.parse_follow_ups(follow_up or []),
        interpolate_gaps=fill_gaps,
    )
    assessment = api.assess(case, model, device=device)
    api.write_assessment(case, assessment, out)
    console.print_json(to_forecast_json(assessment)) if as_json else console.print_forecast(assessment, out)


@app.command(epilog="Example: star gradcam --ct study/ --seg seg.dcm --year 2 --outcome recurrence --out attention")
def gradcam(
    ct: Annotated[Path, typer.Option("--ct", help="Folder with the CT, or a NIfTI file.", show_default=False)],
    year: Annotated[int, typer.Option("--year", min=1, max=12, help="Postoperative year.", show_default=False)],
    out: OutFolder,
    outcome: Annotated[str, typer.Option("--outcome", help="recurrence (anywhere) or death.")] = "recurrence",
    seg: Annotated[Path | None, typer.Option("--seg", help="DICOM SEG, file or folder.")] = None,
    clinical: Annotated[Path | None, typer.Option("--clinical", help="Clinical record: JSON or workbook.")] = None,
    patient: Annotated[str | None, typer.Option("--patient", help="The patient's name in the workbook.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Model by name or folder; else the active one.")] = None,
    device: Device = "auto",
) -> None:
    """Show where a model looks (Grad-CAM): heatmap.nii.gz, and shares.json by organ."""
    from star_core.storage import refuse_filled_folder

    refuse_filled_folder(out)
    case = api.open_case(ct, segmentation=seg, clinical=clinical, patient_id=patient)
    attention = api.explain_attention(case, year, outcome, model, device=device)
    api.write_attention(attention, out)
    console.print_attention(attention, out)


@cohort_app.command("phantom", epilog="Example: star cohort phantom --n 200 --out phantoms")
def cohort_phantom(
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


@cohort_app.command("twin", epilog="Example: star cohort twin --clinical table.xlsx --volumes counts.csv --out twins")
def cohort_twin(
    out: OutFolder,
    clinical: Annotated[Path, typer.Option("--clinical", help="Workbook of the collection.", show_default=False)],
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


@cohort_app.command("tcia", epilog="Example: star cohort tcia --dicom download --clinical table.xlsx --out cohort")
def cohort_tcia(
    dicom: Annotated[Path, typer.Option("--dicom", help="Folder with a folder a patient.", show_default=False)],
    clinical: Annotated[Path, typer.Option("--clinical", help="Workbook of the collection.", show_default=False)],
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


@cohort_app.command("local", epilog="Example: star cohort local --dicom patients --table table.csv --out cohort")
def cohort_local(
    dicom: Annotated[Path, typer.Option("--dicom", help="Folder with a folder a patient.", show_default=False)],
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


@cohort_app.command("fetch", epilog="Example: star cohort fetch --out download --patients 10")
def cohort_fetch(
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


@cohort_app.command("coarsen", epilog="Example: star cohort coarsen --cohort twins --reduce 4 --out twins-coarse")
def cohort_coarsen(
    cohort: CohortFolder,
    out: OutFolder,
    reduce: Annotated[int, typer.Option("--reduce", help="Coarser model grid: 2 or 4.")] = 2,
) -> None:
    """Copy a cohort to a coarser model grid, for studies that must end on a small machine."""
    with console.progress("Joining cells") as progress:
        manifest = api.coarsen_cohort(cohort, out, reduce=reduce, progress=progress)
    console.say(f"{len(manifest.patients)} patients on a grid reduced by {reduce} are in {out}.")


@cohort_app.command("join", epilog="Example: star cohort join twins phantoms --out both")
def cohort_join(
    cohorts: Annotated[list[Path], typer.Argument(help="Folders of cohorts that were prepared alike.")],
    out: OutFolder,
) -> None:
    """Join cohorts into one."""
    with console.progress("Joining patients") as progress:
        manifest = api.join_cohorts(cohorts, out, progress=progress)
    console.say(f"{len(manifest.patients)} patients ({manifest.kind}) are in {out}.")


@cohort_app.command("records", epilog="Example: star cohort records --clinical workbook.xlsx --out records")
def cohort_records(
    clinical: Annotated[Path, typer.Option("--clinical", help="Workbook, one row a patient.", show_default=False)],
    out: OutFolder,
) -> None:
    """Make a cohort of a workbook's records without scans, for models of the record (preset clinical, cox, ...)."""
    n = api.write_record_cohort(clinical, out)
    console.say(f"{n} patients without scans are in {out}.")


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


@app.command(epilog="Example: star finetune --model demonstration --cohort our-patients --out our-model")
def finetune(
    cohort: CohortFolder,
    out: OutFolder,
    model: Annotated[str | None, typer.Option("--model", help="Model by name or folder; else the active one.")] = None,
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


@model_app.command("list", epilog="Example: star model list --json")
def model_list(as_json: JsonFlag = False) -> None:
    """List the models at hand; the active one is marked."""
    models = api.list_models()
    if as_json:
        console.print_json([console.model_to_json(model) for model in models])
    else:
        console.print_models(models)


@model_app.command("activate", epilog="Example: star model activate demonstration")
def model_activate(
    name: Annotated[str, typer.Argument(help="Name from `star model list`, or a bundle's folder.")],
) -> None:
    """Make a model the one in use; a bundle's folder is installed first."""
    folder = Path(name)
    if (folder / "card.json").is_file():
        name = api.install_model(folder).name
    api.activate_model(name)
    console.say(f"Model {name!r} is now in use.")


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


if __name__ == "__main__":
    main()
