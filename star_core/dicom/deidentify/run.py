"""A de-identified copy of folders: read for traces, written, read back, delivered whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from itertools import islice
from pathlib import Path
from typing import Any

from star_core.dicom.deidentify import tasks
from star_core.dicom.deidentify.keys import load_key, read_mapping, write_mapping
from star_core.dicom.deidentify.options import DeidentifyOptions
from star_core.dicom.deidentify.patients import Patient, SourceFile, group_patients
from star_core.dicom.deidentify.report import (
    ActionCount,
    DeidentificationReport,
    LeftOutFile,
    Risk,
    SeriesWarning,
    build_warning,
    describe_software,
    write_report,
)
from star_core.dicom.deidentify.risks import WHOLE_BODY_MM
from star_core.dicom.deidentify.values import KeyedValues
from star_core.dicom.discover import list_files
from star_core.errors import DicomError, StorageError
from star_core.isolation import BatchPool, WorkerPool
from star_core.storage import new_folder, refuse_filled_folder
from star_core.types import ProgressCallback, ignore_progress

FILES_PER_BATCH = 16
BATCH_TIMEOUT_S, FILE_TIMEOUT_S = 180.0, 120.0
MEMORY_MB = 6_000
LEAK = "reading it back found something of the source, so it was removed"
_STOPPED_REASONS = ("no answer within", "the decoding process ended", "not enough memory")


def deidentify_folders(
    sources: Sequence[Path],
    out: Path,
    options: DeidentifyOptions,
    *,
    progress: ProgressCallback = ignore_progress,
) -> DeidentificationReport:
    """Write de-identified copies of all DICOM files below folders, and a report beside them.

    Parameters
    ----------
    sources
        Folders and files; zip archives are not opened.
    out
        New or empty folder; files lie in ``study-<hash>/series-<hash>/<number>.dcm``, from the new UIDs.
    progress
        Called with steps done and their total; raises CancelledError to stop, and nothing remains then.

    Raises
    ------
    StorageError
        When a source cannot be read, a file cannot be written, or a secret file would lie in the output.
    DicomError
        When the sources hold no DICOM file, or a pseudonym cannot be used.
    """
    refuse_filled_folder(out)
    _refuse_misplaced(sources, out, options)
    paths = sorted({path for source in sources for path in list_files(source)})
    mapping = {} if options.mapping_file is None else read_mapping(options.mapping_file)
    key = load_key(options.key_file)
    with (
        new_folder(out) as partial,
        WorkerPool(timeout_s=BATCH_TIMEOUT_S, memory_mb=MEMORY_MB, modules=(tasks.__name__,)) as children,
        BatchPool(children, batch_timeout_s=BATCH_TIMEOUT_S, item_timeout_s=FILE_TIMEOUT_S) as pool,
    ):
        run = _Run(paths, partial, options, key, mapping, pool, progress)
        report = run.work_through()
        write_report(report, partial)
        if options.write_mapping_file is not None:
            write_mapping(options.write_mapping_file, run.mapping_rows())
    return report


def _refuse_misplaced(sources: Sequence[Path], out: Path, options: DeidentifyOptions) -> None:
    target = out.resolve()
    for secret in (options.key_file, options.write_mapping_file):
        if secret is not None and secret.resolve().is_relative_to(target):
            raise StorageError(
                f"{secret.name!r} tells who the patients are and would lie in the output folder.",
                remedy="Keep it somewhere else.",
            )
    table = options.write_mapping_file
    if table is not None and table.exists():
        raise StorageError(
            f"{table.name!r} is there already and may be the only record of an earlier run.",
            remedy="Choose another name.",
        )
    if any(target.is_relative_to(source.resolve()) for source in sources):
        raise StorageError(
            "The output folder would lie among the originals.", remedy="Choose a folder outside of what is copied."
        )


class _Run:
    """One run: what was read, who the patients are, what was written and read back."""

    def __init__(
        self,
        paths: Sequence[Path],
        folder: Path,
        options: DeidentifyOptions,
        key: bytes,
        mapping: Mapping[str, str],
        pool: BatchPool,
        progress: ProgressCallback,
    ) -> None:
        self._paths, self._folder, self._options = paths, folder, options
        self._key, self._values, self._mapping = key, KeyedValues(key), mapping
        self._pool, self._progress = pool, progress
        self._done, self._total = 0, 3 * len(paths)
        self._not_dicom = 0
        self._left_out: dict[int, str] = {}
        self._leaks = 0
        self._verified = 0
        self._actions: Counter[tuple[str, str]] = Counter()
        self._patients: dict[str, Patient] = {}
        self._targets: dict[int, str] = {}

    def work_through(self) -> DeidentificationReport:
        self._progress(0, self._total)
        files = self._read()
        self._patients = group_patients(files, self._values, self._mapping)
        _add_geometric_risks(files)
        self._targets = self._name_targets(files)
        written = self._write(files)
        delivered = self._verify(written)
        _remove_empty_folders(self._folder)
        self._progress(self._total, self._total)
        return self._report(delivered)

    def mapping_rows(self) -> list[dict[str, str]]:
        """Return who became whom."""
        return [
            {"patient_id": one.patient_id, "patient_name": one.patient_name, "pseudonym": one.pseudonym}
            for one in self._patients.values()
        ]

    # ----------------------------------------------------------------------- the three ways through

    def _read(self) -> list[SourceFile]:
        """Return the files that can be de-identified, each SOP instance once."""
        found: dict[str, SourceFile] = {}
        told = {"profile_options": sorted(self._options.profile_options)}
        items = [os.fspath(path) for path in self._paths]
        for place, answer in enumerate(self._in_batches(tasks.READ_TASK, items, lambda batch: told)):
            if answer.get("reason") == tasks.NOT_DICOM:
                self._not_dicom += 1
            elif not self._is_failed(place, answer):
                file = SourceFile(place=place, **answer)
                if file.sop_uid in found:
                    self._left_out[place] = f"its SOP Instance UID is that of file {found[file.sop_uid].place + 1}"
                else:
                    found[file.sop_uid] = file
        if self._not_dicom == len(self._paths):
            raise DicomError("There is no DICOM file to de-identify.", remedy="Choose a folder that holds DICOM files.")
        self._done = self._total - 2 * len(found)
        return list(found.values())

    def _write(self, files: Sequence[SourceFile]) -> list[SourceFile]:
        for folder in {(self._folder / target).parent for target in self._targets.values()}:
            folder.mkdir(parents=True, exist_ok=True)
        items = [{**self._item(file), "risks": file.risks} for file in files]
        written = []
        answers = self._in_batches(tasks.WRITE_TASK, items, self._subjects_of)
        for file, answer in zip(files, answers, strict=True):
            if self._is_failed(file.place, answer):
                self._remove(file)
            else:
                written.append(file)
                for keyword, action, count in answer["actions"]:
                    self._actions[keyword, action] += count
        return written

    def _verify(self, files: Sequence[SourceFile]) -> list[SourceFile]:
        delivered = []
        answers = self._in_batches(tasks.VERIFY_TASK, [self._item(file) for file in files], self._subjects_of)
        for file, answer in zip(files, answers, strict=True):
            if self._is_failed(file.place, answer):
                self._remove(file)
            elif answer["leaks"]:
                self._leaks += 1
                self._left_out[file.place] = f"{LEAK} ({'; '.join(answer['leaks'][:5])})"
                self._remove(file)
            else:
                self._verified += 1
                delivered.append(file)
        return delivered

    def _in_batches(
        self, task: str, items: Sequence[Any], tell: Callable[[Sequence[Any]], Mapping[str, Any]]
    ) -> Iterator[dict[str, Any]]:
        """Give the answers in the order of ``items``, while the next batches are being worked on."""
        pending: deque[Future[list[dict[str, Any]]]] = deque()
        rest = iter(items)
        while True:
            while len(pending) <= self._pool.width and (batch := list(islice(rest, FILES_PER_BATCH))):
                pending.append(self._pool.submit(task, batch, tell(batch)))
            if not pending:
                return
            answers = pending.popleft().result()
            self._done += len(answers)
            self._progress(min(self._done, self._total), self._total)
            yield from answers

    def _is_failed(self, place: int, answer: Mapping[str, Any]) -> bool:
        if "storage" in answer:
            raise StorageError(
                f"A de-identified file cannot be written: {answer['storage']}.",
                remedy="Choose a folder you may write to, on a disk with free space.",
            )
        if "stopped" in answer:
            # Only words of our own: those of a library could hold a piece of the file.
            known = next((text for text in _STOPPED_REASONS if text in answer["stopped"]), "it failed")
            self._left_out[place] = f"working on it was stopped ({known})"
        elif "reason" in answer:
            self._left_out[place] = str(answer["reason"])
        return "stopped" in answer or "reason" in answer

    def _item(self, file: SourceFile) -> dict[str, Any]:
        return {
            "source": os.fspath(self._paths[file.place]),
            "target": os.fspath(self._folder / self._targets[file.place]),
            "patient": file.patient,
        }

    def _subjects_of(self, batch: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        subjects = {}
        for key in {item["patient"] for item in batch}:
            patient = self._patients[key]
            subjects[key] = {
                "pseudonym": patient.pseudonym,
                "shift_days": patient.shift_days,
                "phrases": sorted(patient.phrases),
                "dates": sorted(patient.dates),
            }
        options = {"profile_options": sorted(self._options.profile_options), "key": self._key.hex()}
        return {**options, "subjects": subjects}

    def _remove(self, file: SourceFile) -> None:
        (self._folder / self._targets[file.place]).unlink(missing_ok=True)

    # ----------------------------------------------------------------------- names and the report

    def _name_targets(self, files: Sequence[SourceFile]) -> dict[int, str]:
        """Return where each file goes: folders named by hashes of the new UIDs, files numbered in their series."""
        series: dict[str, list[SourceFile]] = defaultdict(list)
        for file in files:
            study = _digest(self._patients[file.patient].pseudonym, self._values.to_new_uid(file.study_uid))
            folder = f"study-{study}/series-{_digest(study, self._values.to_new_uid(file.series_uid))}"
            series[folder].append(file)
        targets = {}
        for folder, members in series.items():
            members.sort(key=lambda file: (file.number or 0.0, self._values.to_new_uid(file.sop_uid)))
            targets.update({file.place: f"{folder}/{n:05}.dcm" for n, file in enumerate(members, start=1)})
        return targets

    def _report(self, delivered: Sequence[SourceFile]) -> DeidentificationReport:
        folders = {file.place: self._targets[file.place].rpartition("/")[0] for file in delivered}
        return DeidentificationReport(
            patients=len({self._patients[file.patient].pseudonym for file in delivered}),
            studies=len({folder.partition("/")[0] for folder in folders.values()}),
            series=len(set(folders.values())),
            files=len(delivered),
            verified=self._verified,
            leaks=self._leaks,
            not_dicom=self._not_dicom,
            left_out=tuple(
                LeftOutFile(number=place + 1, reason=reason) for place, reason in sorted(self._left_out.items())
            ),
            warnings=_warnings(delivered, folders),
            notes=self._notes(),
            options=tuple(sorted(self._options.profile_options)),
            codes=self._options.codes,
            actions=tuple(
                ActionCount(attribute=attribute, action=action, count=count)
                for (attribute, action), count in sorted(self._actions.items())
            ),
            software=describe_software(),
        )

    def _notes(self) -> tuple[str, ...]:
        notes = []
        shared = sum(len(patient.issuers) > 1 for patient in self._patients.values())
        if shared:
            notes.append(
                f"{shared} identifiers come from more than one issuer: they were taken as one patient each, and may be "
                "more."
            )
        if self._mapping:
            missed = sum(patient.patient_id not in self._mapping for patient in self._patients.values())
            notes.append(f"{missed} patients are not in the table of pseudonyms and got keyed ones.")
        if self._options.key_file is None:
            notes.append("The key was random and is gone: a later delivery gets other UIDs, dates and pseudonyms.")
        return tuple(notes)


def _digest(*texts: str) -> str:
    return hashlib.sha256("\x1f".join(texts).encode()).hexdigest()[:12]


def _add_geometric_risks(files: Iterable[SourceFile]) -> None:
    """Add the face to series that are long enough to reach it, whatever they are called."""
    heights: dict[str, list[float]] = defaultdict(list)
    for file in files:
        if file.height_mm is not None and file.modality in ("CT", "MR", "PT"):
            heights[file.series_uid].append(file.height_mm)
    long = {uid for uid, found in heights.items() if max(found) - min(found) > WHOLE_BODY_MM}
    for file in files:
        if file.series_uid in long and Risk.FACE not in file.risks:
            file.risks.append(Risk.FACE)


def _warnings(delivered: Sequence[SourceFile], folders: Mapping[int, str]) -> tuple[SeriesWarning, ...]:
    counts = Counter((folders[file.place], Risk(risk)) for file in delivered for risk in file.risks)
    return tuple(build_warning(folder, risk, count) for (folder, risk), count in sorted(counts.items()))


def _remove_empty_folders(folder: Path) -> None:
    for inner in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        if not any(inner.iterdir()):
            inner.rmdir()
