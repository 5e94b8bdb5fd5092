"""From a folder of files to the DICOM series in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.uid import generate_uid

from star_core.dicom.header import InstanceHeader, SeriesFacts, read_header, read_series_facts
from star_core.dicom.scan import WITHOUT_SERIES, BrokenDicomError, NotDicomError
from star_core.errors import StorageError
from star_core.types import Finding, ProgressCallback, Severity, ignore_progress

_DICOM_SUFFIXES = {".dcm", ".dicom", ".ima"}
_FILES_PER_REPORT = 32
_GroupKey = tuple[str, ...]


BROKEN_FILES = "broken-files"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenFile:
    """A file that should be DICOM and cannot be read; ``reason`` names neither path nor patient.

    ``is_dicom`` tells a damaged DICOM file from one that is only named like it.
    """

    path: Path
    reason: str
    is_dicom: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFiles:
    """One series as found on disk, its headers read and its pixels not.

    ``patient_key`` is a short one-way hash by which a segmentation of another patient is recognised;
    ``referenced_series_uids`` are the series that a segmentation says it was drawn on.
    """

    series_uid: str
    study_uid: str
    modality: str
    series_number: int | None
    description: str
    frame_of_reference_uid: str
    patient_key: str
    paths: tuple[Path, ...] = field(repr=False)
    transfer_syntax_uids: tuple[str, ...]
    referenced_series_uids: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    instances: tuple[InstanceHeader, ...] = field(repr=False)
    facts: SeriesFacts = field(repr=False)

    @property
    def image_count(self) -> int:
        """How many images its files say that they hold: one each, unless they hold several frames."""
        return sum(header.frames if header.is_multi_frame_ct else 1 for header in self.instances)

    @property
    def label(self) -> str:
        """How messages name the series: its number and description."""
        number = "without number" if self.series_number is None else str(self.series_number)
        return f"Series {number} ({self.description or self.modality or 'no description'})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """All series of a folder; ``ignored_count`` files are not DICOM, ``broken`` ones should be."""

    series: tuple[SeriesFiles, ...]
    ignored_count: int = 0
    broken: tuple[BrokenFile, ...] = ()

    def by_modality(self, modality: str) -> tuple[SeriesFiles, ...]:
        """Return the series of one modality ("CT", "SEG")."""
        return tuple(series for series in self.series if series.modality == modality)


def discover_series(folder: Path, progress: ProgressCallback = ignore_progress) -> Discovery:
    """Search a folder at any depth, or a single file, for DICOM series.

    Parameters
    ----------
    folder
        Folder or file; names and endings of files do not matter.
    progress
        Called with the number of files looked at and their total.

    Raises
    ------
    star_core.errors.StorageError
        The folder does not exist or may not be read.
    star_core.errors.CancelledError
        Raised by ``progress``.
    """
    return discover_files(list_files(Path(folder)), progress)


def discover_files(paths: Sequence[Path], progress: ProgressCallback = ignore_progress) -> Discovery:
    """Sort files into DICOM series; as :func:`discover_series`, for files that are known by their paths."""
    groups: dict[_GroupKey, list[InstanceHeader]] = {}
    broken: list[BrokenFile] = []
    ignored = 0
    for done, path in enumerate(paths):
        if done % _FILES_PER_REPORT == 0:
            progress(done, len(paths))
        try:
            header = read_header(path)
        except NotDicomError:
            if path.suffix.lower() in _DICOM_SUFFIXES:
                reason = "the file is named like DICOM and is not DICOM"
                broken.append(BrokenFile(path=path, reason=reason, is_dicom=False))
            else:
                ignored += 1
        except BrokenDicomError as error:
            broken.append(BrokenFile(path=path, reason=str(error)))
        else:
            if header.sop_class_uid in WITHOUT_SERIES:
                ignored += 1
            elif not header.series_uid and not header.rows:
                broken.append(BrokenFile(path=path, reason="the header ends before it names a series"))
            else:
                groups.setdefault(_group_key(header), []).append(header)
    progress(len(paths), len(paths))
    series = _build_all(groups.values(), broken)
    return Discovery(series=tuple(sorted(series, key=_reading_order)), ignored_count=ignored, broken=tuple(broken))


def list_files(folder: Path) -> list[Path]:
    """Return a file, or every file below a folder in a fixed order; links to folders are not followed.

    Raises
    ------
    star_core.errors.StorageError
        There is no such folder, or it cannot be read.
    """
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise StorageError(
            f"There is no file or folder {folder.name!r}.",
            remedy="Choose the folder that holds the DICOM files.",
            details=f"path: {folder}",
        )
    failures: list[OSError] = []
    paths = [
        Path(parent, name)
        for parent, _, names in os.walk(folder, onerror=failures.append)
        for name in names
        if not name.startswith("._")  # side files of macOS share the names of the real ones
    ]
    if failures and not paths:
        raise StorageError(
            f"The folder cannot be read ({failures[0].strerror}).",
            remedy="Check that you may open it, or choose another folder.",
            details=f"path: {folder}",
        ) from failures[0]
    return sorted(paths)


def _group_key(header: InstanceHeader) -> _GroupKey:
    if header.series_uid:
        return (header.series_uid,)
    return (
        *("", header.study_uid, header.frame_of_reference_uid, header.modality),
        *(str(header.series_number), str(header.path.parent)),
    )


def _reading_order(series: SeriesFiles) -> tuple[str, float, str]:
    number = float("inf") if series.series_number is None else series.series_number
    return series.study_uid, number, series.series_uid


def _build_all(groups: Iterable[list[InstanceHeader]], broken: list[BrokenFile]) -> list[SeriesFiles]:
    series = []
    for headers in groups:
        try:
            series.append(_build_series(headers, broken))
        except BrokenDicomError as error:
            broken.extend(BrokenFile(path=header.path, reason=str(error)) for header in headers)
    return series


def _build_series(headers: list[InstanceHeader], broken: list[BrokenFile]) -> SeriesFiles:
    first = headers[0]
    facts = read_series_facts(first.path, modality=first.modality)
    findings = []
    series_uid = first.series_uid
    if not series_uid:
        # A stand-in keeps the series apart from others; it depends only on its instances, so it is the same tomorrow.
        series_uid = str(generate_uid(entropy_srcs=sorted(header.sop_instance_uid for header in headers)))
        findings.append(
            Finding(
                code="missing-series-uid",
                severity=Severity.NOTE,
                message="SeriesInstanceUID is empty; files of one folder with equal study, frame of reference and "
                "number were taken as one series.",
            )
        )
    folders = {header.path.parent for header in headers}
    if nearby := sum(file.is_dicom and file.path.parent in folders for file in broken):
        findings.append(
            Finding(
                code=BROKEN_FILES,
                severity=Severity.WARNING,
                message=f"{nearby} damaged file(s) lie beside this series and may belong to it; slices may be missing.",
            )
        )
    return SeriesFiles(
        series_uid=series_uid,
        study_uid=first.study_uid,
        modality=first.modality or facts.modality,
        series_number=first.series_number,
        description=facts.description,
        frame_of_reference_uid=first.frame_of_reference_uid,
        patient_key=facts.patient_key,
        paths=tuple(header.path for header in headers),
        transfer_syntax_uids=tuple(sorted({header.transfer_syntax_uid for header in headers})),
        referenced_series_uids=facts.referenced_series_uids,
        findings=tuple(findings),
        instances=tuple(headers),
        facts=facts,
    )
