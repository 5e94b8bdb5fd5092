"""Studies from servers into the archive: only what is missing is asked for, and a retrieval that broke goes on."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from star_core.archive.archive import INCOMING_FOLDER, Archive
from star_core.archive.importer import ImportReport, import_studies
from star_core.dicom.network.intake import Intake, Limits
from star_core.dicom.network.retrieval import Method, Plan
from star_core.dicom.network.servers import Server
from star_core.dicom.network.services import plan_retrieval, retrieve
from star_core.errors import NetworkError
from star_core.types import ProgressCallback, ignore_progress


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalReport:
    """What became of a retrieval.

    ``announced`` objects are at the server, ``known`` were here before, ``received`` came now, ``missing`` did not come
    although the server has them; ``refused`` says why objects that it sent were not taken. ``imported`` is what the
    archive made of those that came.
    """

    announced: int
    known: int
    received: int
    missing: int
    refused: tuple[str, ...]
    imported: ImportReport

    @property
    def is_complete(self) -> bool:
        """Whether everything that the server has is in the archive."""
        return not self.missing and not self.imported.failed


def retrieve_study(
    archive: Archive,
    server: Server,
    study_uid: str,
    *,
    method: Method = Method.GET,
    limits: Limits | None = None,
    progress: ProgressCallback = ignore_progress,
) -> RetrievalReport:
    """Retrieve a study into the archive.

    Objects that are in the archive, or that an earlier try of this retrieval brought, are not asked for again. They lie
    in the archive's incoming folder until the server has sent everything it wanted to, and are imported then.

    Parameters
    ----------
    method
        How DIMSE retrieves; DICOMweb has one way.
    progress
        Called with objects here and their total; raises CancelledError to stop: what came is kept for the next try.

    Raises
    ------
    NetworkError
        When the server has no such study, refuses, breaks off or is silent; the message says how much came.
    StorageError
        When the archive's disk is full or cannot be written.
    """
    key = hashlib.sha256(f"{server.address}\x1f{study_uid}".encode("utf-8", "surrogateescape")).hexdigest()[:32]
    folder = archive.folder / INCOMING_FOLDER / f"pacs-{key}"
    try:
        with FileLock(folder.with_suffix(".lock"), timeout=0):
            intake, plan = _fetch(archive, server, study_uid, folder, method, limits, progress)
            return _import(archive, intake, plan, progress)
    except Timeout as error:
        raise NetworkError("This study is being retrieved already.", remedy="Wait for the other retrieval.") from error


def _fetch(
    archive: Archive,
    server: Server,
    study_uid: str,
    folder: Path,
    method: Method,
    limits: Limits | None,
    progress: ProgressCallback,
) -> tuple[Intake, Plan]:
    """Bring what is missing into the incoming folder."""
    known, before = archive.known_instances(study_uid), Intake(folder)
    plan = plan_retrieval(
        server, study_uid, have=lambda uid: uid in known or before.has(uid), progress=lambda done, total: progress(0, 0)
    )
    intake = Intake(folder, limits=limits, wanted=plan.missing if plan.is_listed else None)
    if plan.requests:
        try:
            retrieve(server, plan, intake, method=method, progress=progress)
        except NetworkError as error:
            raise _say_how_much(error, intake, plan.announced) from error
    return intake, plan


def _import(archive: Archive, intake: Intake, plan: Plan, progress: ProgressCallback) -> RetrievalReport:
    """Hand what has come to the importer, and tell what has not."""
    came = intake.count_whole()
    missing = sum(not intake.has(uid) for uid in plan.missing) if plan.is_listed else max(0, plan.announced - came)
    imported = import_studies(
        archive, [intake.whole_folder], progress=lambda done, total: progress(plan.announced, plan.announced)
    )
    shutil.rmtree(intake.folder, ignore_errors=True)
    return RetrievalReport(
        announced=plan.announced,
        known=plan.announced - len(plan.missing) if plan.is_listed else came - intake.received,
        received=intake.received,
        missing=missing,
        refused=tuple(sorted(set(intake.refusals))),
        imported=imported,
    )


def _say_how_much(error: NetworkError, intake: Intake, announced: int) -> NetworkError:
    kept = intake.count_whole()
    if not kept:
        return error
    return NetworkError(
        f"{error.message} {kept} objects of {announced} have come and are kept.",
        remedy="Retrieve the study again to go on with the rest.",
        details=f"{error.remedy} {error.details}".strip(),
    )
