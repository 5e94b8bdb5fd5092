"""The command that finds the liver."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from star_core import api
from star_core.cli import console
from star_core.cli.options import JsonFlag
from star_core.errors import SegmentationError

if TYPE_CHECKING:
    from star_core.imaging.liver import Click, LiverSegmentation

app = typer.Typer()


@app.command(epilog="Example: star segment --ct study/ --out liver.dcm --click-out -60.5,-12,1480")
def segment(
    ct: Annotated[Path, typer.Option("--ct", help="Folder with the CT.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="New DICOM SEG file.", show_default=False)],
    click: Annotated[
        list[str] | None, typer.Option("--click", help="A point that belongs to the liver: x,y,z in LPS mm.")
    ] = None,
    click_out: Annotated[
        list[str] | None, typer.Option("--click-out", help="A point that does not: x,y,z in LPS mm.")
    ] = None,
    method: Annotated[str, typer.Option("--method", help="classical, or totalsegmentator if installed.")] = "classical",
    fill_gaps: Annotated[bool, typer.Option("--fill-gaps", help="Interpolate missing or uneven slices.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Find the liver in a CT and write it as DICOM SEG; points given correct it, those that belong first."""
    clicks = [*_parse_clicks(click or [], belongs=True), *_parse_clicks(click_out or [], belongs=False)]
    with console.progress("Finding the liver") as progress:
        found = api.segment_folder(
            ct, out, clicks=clicks, method=_parse_method(method), interpolate_gaps=fill_gaps, progress=progress
        )
    console.print_json(_to_json(found, out)) if as_json else _print(found, out)


def _parse_method(method: str) -> api.LiverMethod:
    match method:
        case "classical" | "totalsegmentator":
            return method
    raise SegmentationError(f"Option --method is {method!r}.", remedy="Choose classical or totalsegmentator.")


def _parse_clicks(texts: list[str], *, belongs: bool) -> list[Click]:
    from star_core.imaging.liver import Click

    clicks = []
    for text in texts:
        try:
            x, y, z = (float(part) for part in text.split(","))
        except ValueError as error:
            raise SegmentationError(
                f"The point {text!r} is not x,y,z.", remedy="Write for example --click=-60.5,-12,1480."
            ) from error
        clicks.append(Click(point_lps_mm=(x, y, z), belongs=belongs))
    return clicks


def _to_json(found: LiverSegmentation, out: Path) -> dict[str, object]:
    return {
        "out": str(out),
        "volume_ml": round(found.volume_ml, 1),
        "level_hu": None if found.level_hu is None else round(found.level_hu, 1),
        "phase": None if found.phase is None else found.phase.name.lower().replace("_", "-"),
        "findings": [
            {"code": finding.code, "severity": finding.severity.value, "message": finding.message}
            for finding in found.findings
        ],
    }


def _print(found: LiverSegmentation, out: Path) -> None:
    console.say(f"The liver has {found.volume_ml:.0f} ml.")
    if found.phase is not None:
        console.say(f"Phase by grey values: {found.phase.value}.")
    for finding in found.findings:
        console.say(f"{finding.severity.value}: {finding.message}")
    console.say(f"Written to {out}.")
