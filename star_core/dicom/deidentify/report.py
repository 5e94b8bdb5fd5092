"""What was done, for people and programs, without one word of what was taken out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import star_core
from star_core.dicom.deidentify.options import MethodCode
from star_core.dicom.deidentify.profile import EDITION
from star_core.dicom.deidentify.risks import Risk

JSON_FILE, TEXT_FILE = "deidentification-report.json", "deidentification-report.md"
PIXELS_NOTE = (
    "Pixels were not cleaned: text in them, and a face that can be computed from them, are as they were. "
    "Look at every series with a warning before you give it away."
)
_RISK_NOTES = {
    Risk.BURNT_IN_TEXT: "may show text, such as a name, in its pixels",
    Risk.FACE: "may cover the face, which can be computed from it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutFile:
    """A file that was not delivered: its place among the files given, sorted by path and counted from 1, and why."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionCount:
    """How often an action (PS3.15 E.3.1, or ``shifted``, ``capped``, ``scrubbed``) was taken on an attribute."""

    attribute: str
    action: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesWarning:
    """What the pixels of a delivered series may show; ``series`` is its folder in the output."""

    series: str
    risk: Risk
    files: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeidentificationReport:
    """What a run delivered, left out, did and found.

    ``leaks`` counts files that reading back found something in: they were removed and are among ``left_out``.
    ``notes`` are about the run as a whole.
    """

    patients: int
    studies: int
    series: int
    files: int
    verified: int
    leaks: int
    not_dicom: int
    left_out: tuple[LeftOutFile, ...]
    warnings: tuple[SeriesWarning, ...]
    notes: tuple[str, ...]
    options: tuple[str, ...]
    codes: tuple[MethodCode, ...]
    actions: tuple[ActionCount, ...]
    profile: str = EDITION
    software: str = ""
    pixels: str = PIXELS_NOTE
    notice: str = star_core.RESEARCH_NOTICE

    @property
    def is_clean(self) -> bool:
        """Whether every file that was written was read back and nothing was found in it."""
        return self.leaks == 0 and self.verified == self.files


def describe_software() -> str:
    """Return this program and the library that holds the standard's table, with their versions."""
    return f"STAR Viewer {star_core.__version__}, dicom-anonymizer {version('dicom-anonymizer')}"


def build_warning(series: str, risk: Risk, files: int) -> SeriesWarning:
    """Return the warning of a series."""
    return SeriesWarning(series=series, risk=risk, files=files, message=_RISK_NOTES[risk])


def write_report(report: DeidentificationReport, folder: Path) -> None:
    """Write the report as JSON and as text into a folder."""
    (folder / JSON_FILE).write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")
    (folder / TEXT_FILE).write_text("\n".join(_lines(report)) + "\n", encoding="utf-8")


def _lines(report: DeidentificationReport) -> list[str]:
    lines = [
        "# De-identification report",
        "",
        f"{report.software}; {report.profile}.",
        "",
        f"- Delivered: {report.files} files in {report.series} series, {report.studies} studies, "
        f"{report.patients} patients.",
        f"- Read back element by element: {report.verified}; with something found: {report.leaks}.",
        f"- Left out: {len(report.left_out)} files; not DICOM: {report.not_dicom}.",
        f"- {report.pixels}",
        *(f"- {note}" for note in report.notes),
        "",
        "## Profile and options",
        "",
        *(f"- {code.value} {code.meaning}" for code in report.codes),
    ]
    if report.warnings:
        lines += ["", "## Look at these series", ""]
        lines += [f"- `{one.series}` ({one.files} files): {one.message}" for one in report.warnings]
    if report.left_out:
        lines += ["", "## Left out", "", "Numbers count the files given, sorted by path.", ""]
        lines += [f"- file {one.number}: {one.reason}" for one in report.left_out]
    lines += ["", "## Actions", "", "| attribute | action | times |", "|---|---|---|"]
    lines += [f"| {one.attribute} | {one.action} | {one.count} |" for one in report.actions]
    return [*lines, "", report.notice]
