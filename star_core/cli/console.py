"""How the ``star`` command speaks: tables and progress for people, JSON for programs."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import star_core
from star_core.errors import CohortError, StarError, StorageError
from star_core.types import Assessment, Cause, ProgressCallback

if TYPE_CHECKING:
    from star_core.archive.audit import AuditReport
    from star_core.archive.importer import ImportReport
    from star_core.archive.rows import StudyRow
    from star_core.assessment import Attention
    from star_core.cohort.fetch import Listing
    from star_core.cohort.scans import MadeCohort
    from star_core.dicom.deidentify.report import DeidentificationReport
    from star_core.dicom.summary import FolderSummary
    from star_core.evaluation.benchmark import BenchmarkResult
    from star_core.evaluation.maps import MapRow, Patients
    from star_core.evaluation.summary import SummaryRow
    from star_core.model.bundle import ModelCard
    from star_core.model.registry import ModelInfo
    from star_core.training.run import EpochReport

_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """Print a line for people."""
    _out.print(text, markup=False)


def print_json(value: object) -> None:
    """Print JSON for programs."""
    sys.stdout.write(json.dumps(value, indent=1) + "\n")


def complain(error: StarError, *, as_json: bool) -> None:
    """Print an error once, to standard error; as a line of JSON too when a program reads along."""
    if as_json:
        sys.stdout.write(json.dumps({"event": "error", "message": str(error)}) + "\n")
    _err.print(f"star: {error}", markup=False)


def parse_follow_ups(follow_ups: Sequence[str]) -> dict[int, Path]:
    """Return follow-up scans given as YEAR=FOLDER.

    Raises
    ------
    StorageError
        When one is not of this form, or a year is given twice.
    """
    found: dict[int, Path] = {}
    for text in follow_ups:
        year, equals, folder = text.partition("=")
        if not equals or not year.isdigit() or int(year) in found:
            raise StorageError(
                f"Option --follow-up {text!r} is not YEAR=FOLDER, or its year was given before.",
                remedy="Write for example --follow-up 2=study-of-year-2/.",
            )
        found[int(year)] = Path(folder)
    return found


def parse_patients(split: str) -> Patients:
    """Return whom option --split means.

    Raises
    ------
    CohortError
        When it is no use of patients.
    """
    match split:
        case "train" | "validation" | "test" | "all":
            return split
    raise CohortError(f"Option --split is {split!r}.", remedy="Choose train, validation, test or all.")


# --------------------------------------------------------------------------- tables


def print_folder(summary: FolderSummary) -> None:
    """Print every series of a folder with its findings."""
    for series in summary.to_json_dict()["series"]:
        _out.print(_series_table(series))
    for finding in summary.to_json_dict().get("findings", ()):
        say(f"  {finding['severity']}: {finding['message']}")


def _series_table(series: dict[str, object]) -> Table:
    table = Table(show_header=False, title_justify="left", title=str(series.get("description") or series["modality"]))
    table.add_column()
    table.add_column(overflow="fold")  # a UID that is cut off cannot be copied
    for key, value in series.items():
        if key == "segments" and isinstance(value, list):
            for segment in value:
                table.add_row("segment", ", ".join(f"{name} {entry}" for name, entry in segment.items()))
        elif key == "findings" and isinstance(value, list):
            for finding in value:
                table.add_row(finding["severity"], finding["message"])
        elif value not in (None, "", [], ()):
            table.add_row(key, _short(value))
    return table


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return "  ".join(_short(entry) for entry in value)
    return str(value)


def print_forecast(assessment: Assessment, out: Path) -> None:
    """Print the yearly forecast in per cent and what was found."""
    forecast = assessment.forecast
    table = Table(
        title=f"{assessment.case_id}: {assessment.provenance.model_name} model, per cent", title_justify="left"
    )
    for heading in ("year", "any recurrence", "liver", "elsewhere", "death first", "overall survival", "at risk"):
        table.add_column(heading, justify="right")
    curves = (
        forecast.any_recurrence,
        forecast.cumulative_incidence[Cause.LIVER],
        forecast.cumulative_incidence[Cause.ELSEWHERE],
        forecast.cumulative_incidence[Cause.DEATH],
        forecast.overall_survival,
    )
    for index, year in enumerate(forecast.years):
        mark = "" if forecast.supported[index] else " *"
        cells = [f"{100 * curve[index]:.1f}" for curve in curves]
        table.add_row(f"{year}{mark}", *cells, str(forecast.at_risk[index]))
    _out.print(table)
    if not forecast.supported.all():
        say("* fewer than 10 training patients at risk")
    for finding in assessment.findings:
        say(f"{finding.severity.value}: {finding.message}")
    say(star_core.RESEARCH_NOTICE)
    say(f"Written to {out}: forecast.json, riskmap.nii.gz, report.pdf.")


def print_attention(attention: Attention, out: Path) -> None:
    """Print the shares of a heatmap by organ."""
    heatmap = attention.heatmap
    say(f"{attention.case_id}: {attention.model_name} model, trained on {attention.model_cohort};")
    say(f"where it looks for {heatmap.outcome.value} by the end of year {heatmap.year}:")
    for organ, share in attention.shares.items():
        say(f"  {organ}: {100 * share:.0f} %")
    if not heatmap.heat.any():
        say("  nothing that this method sees speaks for the outcome; the heatmap is empty")
    say(star_core.RESEARCH_NOTICE)
    say(f"Written to {out}: heatmap.nii.gz, shares.json.")


_SHOWN_MEASURES = ("C (Harrell), risk at 5 years", "integrated Brier score", "calibration slope at 5 years")


def print_summary(rows: Sequence[SummaryRow]) -> None:
    """Print the chief measures of each model; the tables hold the others."""
    table = Table(title="95 % intervals over patients", title_justify="left")
    for heading in ("model", "outcome", "measure", "value", "interval"):
        table.add_column(heading)
    for row in rows:
        if row.measure in _SHOWN_MEASURES:
            interval = f"{row.lower:.3f} to {row.upper:.3f}"
            table.add_row(row.model, row.target, row.measure, f"{row.value:.3f}", interval)
    _out.print(table)


def print_maps(rows: Sequence[MapRow]) -> None:
    """Print the voxel AUC and hit rates of each map; the tables hold the differences."""
    table = Table(title="Maps at recorded sites, 95 % intervals over patients", title_justify="left")
    for heading in ("map", "measure", "mean", "interval", "sites"):
        table.add_column(heading)
    for row in rows:
        if not row.against:
            table.add_row(row.name, row.measure, f"{row.value:.3f}", f"{row.lower:.3f} to {row.upper:.3f}", str(row.n))
    _out.print(table)


def print_import(report: ImportReport) -> None:
    """Print what became of an import's files, with the reason for each that failed."""
    say(f"{report.imported} files imported into {len(report.studies)} studies, {report.duplicates} were there before,")
    say(f"{report.ignored} are not DICOM, {len(report.failed)} failed.")
    for file in report.failed:
        say(f"  {file.label}: {file.reason}")


def print_studies(studies: Sequence[StudyRow]) -> None:
    """Print studies of the archive."""
    table = Table()
    for heading in ("", "patient", "identifier", "born", "date", "modality", "description", "images"):
        table.add_column(heading)
    for study in studies:
        about = (study.patient_name, study.patient_id, study.birth_date, study.date, " ".join(study.modalities))
        table.add_row(str(study.id), *map(escape, (*about, study.description)), str(study.instance_count))
    _out.print(table)


def print_audit(report: AuditReport) -> None:
    """Print whether an audit trail is whole."""
    say(f"{report.entries} entries; the last one's hash is {report.last_hash}.")
    for problem in report.problems:
        say(f"  {problem}")
    say("The trail is whole." if report.is_whole else "The trail is not what this program wrote.")


def print_deidentification(report: DeidentificationReport, out: Path) -> None:
    """Print what a de-identification delivered, what is left for a person to look at, and what was left out."""
    say(f"{report.files} files of {report.patients} patients are in {out}; each was read back, and nothing was found.")
    if report.leaks:
        say(f"{report.leaks} copies still held something of their source and were removed.")
    for warning in report.warnings:
        say(f"  warning: {warning.series} ({warning.files} files): {warning.message}")
    say(f"{len(report.left_out)} files are left out, {report.not_dicom} are not DICOM.")
    for file in report.left_out:
        say(f"  file {file.number}: {file.reason}")
    for note in (report.pixels, *report.notes, star_core.RESEARCH_NOTICE):
        say(note)


def print_models(models: Sequence[ModelInfo]) -> None:
    """Print the models at hand."""
    table = Table()
    for heading in ("", "name", "title", "trained on"):
        table.add_column(heading)
    for model in models:
        table.add_row("in use" if model.is_active else "", model.name, model.title, model.cohort)
    _out.print(table)


def model_to_json(model: ModelInfo) -> dict[str, object]:
    """Return a model's entry for programs."""
    return asdict(model)


def print_benchmarks(results: Sequence[BenchmarkResult]) -> None:
    """Print measured figures beside their peers."""
    table = Table()
    for heading in ("figure", "ours", "peer", "ratio", "goal"):
        table.add_column(heading)
    for result in results:
        table.add_row(*result.to_row())
    _out.print(table)


def print_cohort(made: MadeCohort) -> None:
    """Print what a cohort holds, what is odd about its patients, and what it was made without."""
    manifest = made.manifest
    for name, note in made.notes:
        say(f"  {name}: {note}")
    for entry in manifest.left_out:
        say(f"  problem: {entry.patient_id}{': ' if entry.patient_id else ''}{entry.reason}")
    problems = len(manifest.left_out)
    say(f"{len(manifest.patients)} patients are in {manifest.folder}; problems listed there: {problems}.")


def print_collection(listing: Listing) -> None:
    """Print what the public collection holds, its licence and whom to cite."""
    from star_core.cohort.fetch import CITATION, CLINICAL_TABLE, COLLECTION

    say(f"{COLLECTION}: {listing.patients} patients, {len(listing.series)} series, {listing.size_gb:.1f} GB.")
    say(f"Licence {', '.join(listing.licences)}; cite {CITATION}.")
    say(f"Its clinical workbook is at {CLINICAL_TABLE}.")


# --------------------------------------------------------------------------- progress


@contextmanager
def progress(title: str) -> Iterator[ProgressCallback]:
    """Show a bar on standard error while the block runs."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_err) as bar:
        task = bar.add_task(title, total=None)

        def update(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield update


class TrainingWatcher:
    """Tells how training goes, as a bar and lines or as one JSON object a line, and hears when to stop."""

    def __init__(self, *, as_json: bool, progress_bar: ProgressCallback) -> None:
        self._as_json, self._bar = as_json, progress_bar
        self._stop = threading.Event()

    def progress(self, done: int, total: int) -> None:
        """Report batches done."""
        if self._as_json:
            self._write({"event": "progress", "done": done, "total": total})
        else:
            self._bar(done, total)

    def epoch(self, report: EpochReport) -> None:
        """Report the losses of an epoch."""
        if self._as_json:
            self._write({"event": "epoch", **asdict(report)})
        else:
            _err.print(
                f"epoch {report.epoch} of {report.epochs}: training loss {report.train_loss:.4f}, "
                f"validation loss {report.validation_loss:.4f}"
            )

    def should_stop(self) -> bool:
        """Tell whether the user asked to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Ask training to stop after the running batch and keep the best epoch."""
        self._stop.set()

    def finish(self, card: ModelCard, out: Path) -> None:
        """Report the new model and its measures."""
        if self._as_json:
            measures = [measure.model_dump() for measure in card.measures]
            self._write({"event": "finished", "bundle": str(out), "name": card.name, "measures": measures})
            return
        say(f"Model {card.name!r} is in {out}.")
        if not card.measures:
            say("  Too few patients were kept apart to measure it.")
        for measure in card.measures:
            interval = f"{measure.lower:.3f} to {measure.upper:.3f}"
            say(f"  {measure.name}: {measure.value:.3f} (95 % {interval}, n = {measure.n}, {measure.split})")

    @staticmethod
    def _write(event: dict[str, object]) -> None:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()


@contextmanager
def training(as_json: bool) -> Iterator[TrainingWatcher]:
    """Give a watcher; Ctrl+C, or the line ``cancel`` on standard input of a program, asks training to stop kindly."""
    with progress("Training") as bar:
        watcher = TrainingWatcher(as_json=as_json, progress_bar=bar)
        before = signal.signal(signal.SIGINT, lambda number, frame: watcher.stop())
        if as_json:
            threading.Thread(target=_hear_cancel, args=(watcher,), daemon=True).start()
        try:
            yield watcher
        finally:
            signal.signal(signal.SIGINT, before)


def _hear_cancel(watcher: TrainingWatcher) -> None:
    for line in sys.stdin:
        if line.strip() == "cancel":
            watcher.stop()
