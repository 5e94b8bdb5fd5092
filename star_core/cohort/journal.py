"""Preparing many patients in several processes, so that a run that was killed goes on where it stopped.

Work goes on in a hidden folder beside the cohort's own: prepared scans, and ``journal.jsonl`` with a line for the run
and one for each patient that is finished. The folder becomes the cohort when the last patient is in.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, TypeVar

import star_core
from star_core.cohort.manifest import (
    Manifest,
    ManifestPatient,
    patient_from_json,
    patient_to_json,
    read_manifest,
    write_manifest,
)
from star_core.errors import CohortError
from star_core.storage import refuse_filled_folder, storage_error
from star_core.types import ProgressCallback, ignore_progress

JOURNAL_FILE = "journal.jsonl"
Key = TypeVar("Key", int, str)
Facts = Mapping[str, str | float | int | bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What keeps a patient out of a cohort, or makes a whole cohort useless (``patient_id`` empty), and the remedy."""

    patient_id: str
    message: str
    remedy: str

    def __str__(self) -> str:
        named = f"{self.patient_id}: {self.message}" if self.patient_id else self.message
        return f"{named} {self.remedy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What came of one patient: its entry of the manifest, or ``None`` with the problems.

    ``facts`` are what else is told of the patient; ``notes`` what a reader should know of a patient that was taken.
    """

    patient_id: str
    patient: ManifestPatient | None
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    facts: Facts = field(default_factory=dict)


class PartialCohort:
    """A cohort in the making; see :func:`open_partial`."""

    def __init__(self, target: Path, folder: Path, finished: dict[str, Prepared]) -> None:
        self.folder = folder
        self._target, self._finished = target, finished

    def prepare(
        self,
        keys: Iterable[Key],
        work: Callable[[Path, Key], Prepared],
        *,
        workers: int = 1,
        progress: ProgressCallback = ignore_progress,
    ) -> list[Prepared]:
        """Return what ``work(folder, key)`` gives for each key, in their order; what was finished before is not redone.

        ``work`` must be a function of a module, or a ``partial`` of one, when there are several ``workers``. Patients
        with problems are tried again in the next run.

        Raises
        ------
        CohortError
            When a process that prepared patients was ended from outside.
        """
        keys = list(keys)
        todo = [key for key in keys if str(key) not in self._finished]
        results = {str(key): self._finished[str(key)] for key in keys if str(key) in self._finished}
        with (self.folder / JOURNAL_FILE).open("a", encoding="utf-8") as lines:
            for key, result in zip(todo, _run(partial(work, self.folder), todo, workers), strict=True):
                results[str(key)] = result
                if result.patient is not None:
                    lines.write(json.dumps(_to_line(str(key), result)) + "\n")
                    lines.flush()
                progress(len(results), len(keys))
        return [results[str(key)] for key in keys]

    def finish(self, manifest: Manifest) -> Manifest:
        """Write the manifest, give the folder its name, and return the cohort as it is read."""
        write_manifest(replace(manifest, folder=self.folder))
        (self.folder / JOURNAL_FILE).unlink()
        if self._target.exists():
            self._target.rmdir()
        self.folder.rename(self._target)
        return read_manifest(self._target)


@contextmanager
def open_partial(target: Path, identity: Mapping[str, Any]) -> Iterator[PartialCohort]:
    """Give the cohort in the making for ``target``, with what an earlier run of the same ``identity`` finished.

    ``identity`` holds everything that decides what a patient comes out as; JSON values only. On an error the
    hidden folder stays, for the next run.

    Raises
    ------
    StorageError
        When ``target`` exists and is not empty, or cannot be written.
    CohortError
        When the beginning of another cohort lies there.
    """
    refuse_filled_folder(target)
    folder = target.with_name(f".{target.name}.partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        finished = _read_journal(folder, {"software": star_core.__version__, **identity})
        yield PartialCohort(target, folder, finished)
    except OSError as error:
        raise storage_error(target, error) from error


def _read_journal(folder: Path, identity: dict[str, Any]) -> dict[str, Prepared]:
    journal = folder / JOURNAL_FILE
    lines = journal.read_text(encoding="utf-8").splitlines() if journal.is_file() else []
    entries = [entry for line in lines if isinstance(entry := _parse(line), dict)]
    if not entries:
        journal.write_text(json.dumps(identity) + "\n", encoding="utf-8")
        return {}
    begun, *rest = entries
    if begun != json.loads(json.dumps(identity)):
        different = ", ".join(
            f"{name} {begun.get(name)!r} instead of {identity.get(name)!r}"
            for name in sorted({*begun, *identity})
            if begun.get(name) != identity.get(name)
        )
        raise CohortError(
            f"Folder {folder.name!r} holds the beginning of another cohort: {different}.",
            remedy="Use its settings to go on, remove that folder, or choose another name.",
        )
    finished: dict[str, Prepared] = {}
    kept = [json.dumps(begun)]
    for entry in rest:
        try:
            patient = patient_from_json(folder, entry["patient"])
        except (CohortError, KeyError):
            continue  # its scan was lost: it is prepared again
        finished[entry["key"]] = Prepared(
            patient_id=patient.patient_id, patient=patient, notes=tuple(entry["notes"]), facts=entry["facts"]
        )
        kept.append(json.dumps(entry))
    # A killed run may leave half a line, to which the next one must not be appended.
    journal.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    return finished


def _parse(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _to_line(key: str, result: Prepared) -> dict[str, object]:
    patient = None if result.patient is None else patient_to_json(result.patient)
    return {"key": key, "patient": patient, "notes": list(result.notes), "facts": dict(result.facts)}


def _run(work: Callable[[Key], Prepared], keys: list[Key], workers: int) -> Iterator[Prepared]:
    """Give the results of ``keys`` in their order, from as many processes."""
    if workers <= 1 or len(keys) < 2:
        yield from map(work, keys)
        return
    pool = ProcessPoolExecutor(min(workers, len(keys)), mp_context=get_context("spawn"), initializer=_leave_with_parent)
    try:
        yield from pool.map(work, keys)
    except BrokenProcessPool as error:
        raise CohortError(
            "A process that prepared patients was ended from outside, most likely for want of memory.",
            remedy="Run the command again with --jobs 1; finished patients are kept.",
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _leave_with_parent() -> None:
    """End this process when the one that started it is gone: a killed command leaves nobody behind waiting."""
    parent = parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
