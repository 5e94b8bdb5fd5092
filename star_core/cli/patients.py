"""Commands on one patient: look into a folder, assess, explain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from star_core import api
from star_core.cli import console
from star_core.cli.options import (
    CtFolder,
    Device,
    JsonFlag,
    ModelName,
    OutFolder,
    PatientName,
    RecordFile,
    Segmentation,
)
from star_core.types import RegistrationKind

app = typer.Typer()


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
    ct: CtFolder,
    out: OutFolder,
    seg: Segmentation = None,
    clinical: RecordFile = None,
    patient: PatientName = None,
    model: ModelName = None,
    follow_up: Annotated[
        list[str] | None, typer.Option("--follow-up", help="A later CT as YEAR=FOLDER, years since surgery rounded up.")
    ] = None,
    alignment: Annotated[
        RegistrationKind, typer.Option("--alignment", help="How freely a follow-up may move: as a body, scaled, bent.")
    ] = RegistrationKind.RIGID,
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
    if follow_up:
        case = api.align_follow_ups(case, alignment)
    assessment = api.assess(case, model, device=device)
    api.write_assessment(case, assessment, out)
    console.print_json(to_forecast_json(assessment)) if as_json else console.print_forecast(assessment, out)


@app.command(epilog="Example: star gradcam --ct study/ --seg seg.dcm --year 2 --outcome recurrence --out attention")
def gradcam(
    ct: CtFolder,
    year: Annotated[int, typer.Option("--year", min=1, max=12, help="Postoperative year.", show_default=False)],
    out: OutFolder,
    outcome: Annotated[str, typer.Option("--outcome", help="recurrence (anywhere) or death.")] = "recurrence",
    seg: Segmentation = None,
    clinical: RecordFile = None,
    patient: PatientName = None,
    model: ModelName = None,
    device: Device = "auto",
) -> None:
    """Show where a model looks (Grad-CAM): heatmap.nii.gz, and shares.json by organ."""
    from star_core.storage import refuse_filled_folder

    refuse_filled_folder(out)
    case = api.open_case(ct, segmentation=seg, clinical=clinical, patient_id=patient)
    attention = api.explain_attention(case, year, outcome, model, device=device)
    api.write_attention(attention, out)
    console.print_attention(attention, out)
