"""What ``star info`` tells of a folder: every series with its geometry, its HU, its segments and what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from star_core.dicom.decode import syntax_name
from star_core.dicom.discover import SeriesFiles, discover_files, discover_series
from star_core.dicom.read import read_volume
from star_core.dicom.seg import SegmentSummary, summarise_segmentation
from star_core.errors import DicomError, StorageError
from star_core.types import Finding, ProgressCallback, Severity, Volume, ignore_progress


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesSummary:
    """One series; geometry and HU are ``None`` where it is not a CT volume."""

    series: SeriesFiles
    volume: Volume | None
    segments: tuple[SegmentSummary, ...]
    findings: tuple[Finding, ...]

    def to_json_dict(self) -> dict[str, Any]:
        """Return the entry of ``star info --json``."""
        series, volume = self.series, self.volume
        geometry = None if volume is None else volume.geometry
        return {
            "modality": series.modality,
            "description": series.description,
            "series_number": series.series_number,
            "series_uid": series.series_uid,
            "study_uid": series.study_uid,
            "frame_of_reference_uid": series.frame_of_reference_uid,
            "referenced_series_uids": list(series.referenced_series_uids),
            "files": len(series.paths),
            "slices": None if geometry is None else geometry.shape[0],
            "shape": None if geometry is None else list(geometry.shape),
            "spacing_mm": None if geometry is None else list(geometry.spacing_mm),
            "affine_lps": None if geometry is None else geometry.affine_lps.tolist(),
            "hu_range": None if volume is None else [int(volume.voxels_hu.min()), int(volume.voxels_hu.max())],
            "transfer_syntax": [syntax_name(uid) for uid in series.transfer_syntax_uids],
            "transfer_syntax_uid": list(series.transfer_syntax_uids),
            "segments": [asdict(segment) for segment in self.segments],
            "findings": [_finding_to_json(finding) for finding in self.findings],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesDetails:
    """What is worth telling of one series, without its voxels; geometry and HU are ``None`` where it is no volume.

    ``shape`` is (slices, rows, columns), ``spacing_mm`` in the same order.
    """

    modality: str
    description: str
    file_count: int
    shape: tuple[int, int, int] | None
    spacing_mm: tuple[float, float, float] | None
    hu_range: tuple[int, int] | None
    transfer_syntaxes: tuple[str, ...]
    manufacturer: str
    patient_position: str
    slice_thickness_mm: float | None
    tube_voltage_kv: float | None
    convolution_kernel: str
    contrast_agent: str
    segments: tuple[SegmentSummary, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSummary:
    """All series of a folder, and the files that are damaged."""

    series: tuple[SeriesSummary, ...]
    ignored_files: int
    findings: tuple[Finding, ...]

    def to_json_dict(self) -> dict[str, Any]:
        """Return the content of ``star info --json``."""
        return {
            "series": [series.to_json_dict() for series in self.series],
            "ignored_files": self.ignored_files,
            "findings": [_finding_to_json(finding) for finding in self.findings],
        }


def summarise_folder(folder: Path, progress: ProgressCallback = ignore_progress) -> FolderSummary:
    """Look at every series of a folder or file, pixels included.

    A series that cannot be read is listed with the reason as its finding.

    Raises
    ------
    StorageError
        When the folder is missing, unreadable or holds no DICOM file.
    """
    found = discover_series(folder, progress)
    broken = tuple(
        Finding(
            code="damaged-file",
            severity=Severity.WARNING,
            message=f"{file.path.name}: {file.reason}.",
        )
        for file in found.broken
    )
    return FolderSummary(
        series=tuple(summarise_series(series) for series in found.series),
        ignored_files=found.ignored_count,
        findings=broken,
    )


def describe_files(paths: Sequence[Path], progress: ProgressCallback = ignore_progress) -> SeriesDetails:
    """Look at the files of one series, pixels included, and keep what is worth telling.

    Raises
    ------
    StorageError
        When none of the files is DICOM any more.
    """
    found = discover_files(paths)
    if not found.series:
        raise StorageError("The files of this series are no longer DICOM.", remedy="Import the series again.")
    summary = summarise_series(max(found.series, key=lambda series: len(series.paths)), progress)
    return _to_details(summary)


def _to_details(summary: SeriesSummary) -> SeriesDetails:
    series, volume = summary.series, summary.volume
    facts = series.facts
    return SeriesDetails(
        modality=series.modality,
        description=series.description,
        file_count=len(series.paths),
        shape=None if volume is None else volume.geometry.shape,
        spacing_mm=None if volume is None else volume.geometry.spacing_mm,
        hu_range=None if volume is None else (int(volume.voxels_hu.min()), int(volume.voxels_hu.max())),
        transfer_syntaxes=tuple(syntax_name(uid) for uid in series.transfer_syntax_uids),
        manufacturer=facts.manufacturer,
        patient_position=facts.patient_position or "",
        slice_thickness_mm=facts.slice_thickness_mm,
        tube_voltage_kv=facts.tube_voltage_kv,
        convolution_kernel=facts.convolution_kernel or "",
        contrast_agent=facts.contrast_agent or "",
        segments=summary.segments,
        findings=summary.findings,
    )


def summarise_series(series: SeriesFiles, progress: ProgressCallback = ignore_progress) -> SeriesSummary:
    """Look at one series, pixels included; one that cannot be read has the reason as its finding."""
    volume: Volume | None = None
    segments: tuple[SegmentSummary, ...] = ()
    findings = series.findings
    try:
        if series.modality == "SEG":
            segments = tuple(segment for path in series.paths for segment in summarise_segmentation(path))
        elif series.modality == "CT":
            volume = read_volume(series, progress)
            findings = volume.findings
    except DicomError as error:
        refusal = Finding(code=_to_code(error), severity=Severity.REFUSAL, message=str(error))
        findings = (*findings, refusal)
    return SeriesSummary(series=series, volume=volume, segments=segments, findings=findings)


def _to_code(error: DicomError) -> str:
    """Return the short name of an error: SliceGapError is "slice-gap"."""
    name = type(error).__name__.removesuffix("Error")
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")


def _finding_to_json(finding: Finding) -> dict[str, str]:
    return {"code": finding.code, "severity": finding.severity.value, "message": finding.message}
