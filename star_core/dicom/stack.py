"""From slices in any order to one regular grid, or the reason why they form none.

Only ImagePositionPatient and ImageOrientationPatient decide where a slice lies (PS3.3 C.7.6.2.1.1); SliceThickness,
SliceLocation, file names and instance numbers do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from star_core.dicom.discover import SeriesFiles
from star_core.dicom.frames import read_frames
from star_core.dicom.header import InstanceHeader
from star_core.dicom.pixels import read_pixel_bytes
from star_core.errors import (
    DicomError,
    DuplicateSlicesError,
    GantryTiltError,
    MixedSlicesError,
    NotCtError,
    SeriesGeometryError,
    SliceGapError,
)
from star_core.types import DoubleArray, Finding, Geometry, Severity

CT_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
_SAME_POSITION_MM = 0.01
_EVEN_FRACTION, _EVEN_MM = 0.02, 0.02
_MOST_OFF_GRID = 0.1
_MOST_DRIFT_PIXELS = 0.5
_COSINE_TOLERANCE = 1e-3
_SPACING_TOLERANCE = 1e-3
_MOST_PIXELS = 1 << 24
_FARTHEST_MM, _WIDEST_PIXEL_MM = 1e5, 100.0
_CHOOSE = "Choose another series of this study."


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceStack:
    """Slices ascending along their normal; ``offsets_mm`` (n,) are their places on it, relative to the first.

    ``geometry`` is the regular grid they lie on, ``slice_indices`` (n,) their fractional slice index on it: whole
    numbers 0..D-1 unless slices are missing or uneven and the caller asked for interpolation.
    """

    headers: tuple[InstanceHeader, ...]
    geometry: Geometry
    slice_indices: DoubleArray
    findings: tuple[Finding, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every slice of the grid was acquired."""
        return len(self.headers) == self.geometry.shape[0] and bool(
            np.abs(self.slice_indices - np.arange(len(self.headers))).max() <= _MOST_OFF_GRID
        )


def arrange_slices(series: SeriesFiles, *, allow_gaps: bool = False) -> SliceStack:
    """Sort the slices of a CT series by position and check that they form one regular volume.

    Parameters
    ----------
    series
        As :func:`star_core.dicom.discover.discover_series` found it.
    allow_gaps
        Whether missing or uneven slices give a grid with fractional slice indices instead of an error.

    Raises
    ------
    star_core.errors.NotCtError
        The series holds no axial CT images.
    star_core.errors.SeriesGeometryError
        Or one of its kinds: no position, a single slice, duplicates, gaps, tilt, mixed slices.
    """
    findings: list[Finding] = []
    headers = _select_ct(series, findings)
    _require_uniform(series, headers)
    first = headers[0]
    if first.orientation is None or first.pixel_spacing_mm is None:  # told apart by _require_uniform already
        raise _missing(series, "orientation or pixel spacing", len(headers), len(headers))
    row_direction, column_direction = _directions(series, first.orientation)
    normal = np.cross(row_direction, column_direction)
    headers = sorted(headers, key=lambda header: float(np.dot(normal, header.position_mm or ())))
    headers = _without_duplicates(series, headers, normal, findings)
    if len(headers) < 2:
        raise SeriesGeometryError(
            f"{series.label}: it holds a single slice, expected at least two to know their distance.", remedy=_CHOOSE
        )
    positions = np.array([header.position_mm for header in headers])
    _require_upright(series, positions, normal, min(first.pixel_spacing_mm))
    spacing_mm, indices = _spacing(series, (positions - positions[0]) @ normal, findings, allow_gaps=allow_gaps)
    affine = np.eye(4)
    affine[:3, 0] = normal * spacing_mm
    affine[:3, 1] = column_direction * first.pixel_spacing_mm[0]
    affine[:3, 2] = row_direction * first.pixel_spacing_mm[1]
    affine[:3, 3] = positions[0]
    shape = (round(float(indices[-1])) + 1, first.rows, first.columns)
    return SliceStack(
        headers=tuple(headers),
        geometry=Geometry(shape=shape, affine_lps=affine),
        slice_indices=indices,
        findings=tuple(findings),
    )


# --------------------------------------------------------------------------------------------- which slices


def _select_ct(series: SeriesFiles, findings: list[Finding]) -> list[InstanceHeader]:
    """Leave out what never belongs to a volume: scout views, screen captures, dose reports."""
    if series.modality != "CT":
        raise NotCtError(
            f"{series.label}: its modality is {series.modality or 'not named'}, expected CT.", remedy=_CHOOSE
        )
    classes = Counter(header.sop_class_uid for header in series.instances)
    multi_frame = [header for header in series.instances if header.is_multi_frame_ct and header.rows]
    single = [header for header in series.instances if header.sop_class_uid in (CT_STORAGE, "") and header.rows]
    if not multi_frame and not (classes.keys() & {CT_STORAGE, ""}):
        raise NotCtError(
            f"{series.label}: it holds screen captures or other objects, expected CT images.", remedy=_CHOOSE
        )
    images = [*single, *(read_frames(series.label, multi_frame) if multi_frame else ())]
    slices = [header for header in images if not header.is_localizer]
    if not slices:
        raise NotCtError(f"{series.label}: it holds only localizer (scout) images, expected slices.", remedy=_CHOOSE)
    _note(findings, "localizer-left-out", len(images) - len(slices), "localizer (scout) image(s) were left out")
    others = len(series.instances) - len(single) - len(multi_frame)
    _note(findings, "non-image-left-out", others, "object(s) that are no CT image were left out")
    if "" in classes:
        _note(findings, "missing-sop-class", classes[""], "file(s) do not say what they are; taken as CT by modality")
    return slices


def _note(findings: list[Finding], code: str, count: int, text: str) -> None:
    if count:
        findings.append(Finding(code=code, severity=Severity.NOTE, message=f"{count} {text}."))


def _require_uniform(series: SeriesFiles, headers: Sequence[InstanceHeader]) -> None:
    for header in headers:
        if header.samples != 1 or header.frames != 1:
            raise NotCtError(
                f"{series.label}: a file holds {header.frames} frame(s) of {header.samples} value(s) a voxel, "
                "expected one slice of grey values.",
                remedy=_CHOOSE,
            )
    for what, values in (
        ("position", [header.position_mm for header in headers]),
        ("orientation", [header.orientation for header in headers]),
        ("pixel spacing", [header.pixel_spacing_mm for header in headers]),
    ):
        if missing := sum(value is None for value in values):
            raise _missing(series, what, missing, len(headers))
    for what, describe in _UNIFORM.items():
        _require_one(series, headers, what, describe)
    rows, columns = headers[0].rows, headers[0].columns
    if not 0 < rows * columns <= _MOST_PIXELS:
        raise DicomError(f"{series.label}: a slice claims {rows} x {columns} voxels, which no CT has.", remedy=_CHOOSE)
    far_mm = max(abs(value) for header in headers for value in header.position_mm or ())
    if far_mm > _FARTHEST_MM:
        raise SeriesGeometryError(
            f"{series.label}: a slice lies {far_mm:.3g} mm from the origin, where no patient is.", remedy=_CHOOSE
        )
    widest_mm = max(headers[0].pixel_spacing_mm or (0.0,))
    if widest_mm > _WIDEST_PIXEL_MM:
        raise SeriesGeometryError(
            f"{series.label}: its pixels are {widest_mm:.3g} mm wide, which those of no CT are.", remedy=_CHOOSE
        )
    if min(headers[0].pixel_spacing_mm or (0.0,)) <= 0:
        raise SeriesGeometryError(f"{series.label}: pixel spacing is not positive, expected mm.", remedy=_CHOOSE)
    if any(header.slope == 0 for header in headers):
        raise DicomError(f"{series.label}: the rescale slope is 0, so its values are lost.", remedy=_CHOOSE)


def _missing(series: SeriesFiles, what: str, missing: int, total: int) -> SeriesGeometryError:
    return SeriesGeometryError(
        f"{series.label}: {missing} of {total} slices have no readable {what}; without it their place is unknown.",
        remedy=_CHOOSE,
    )


_UNIFORM: dict[str, Callable[[InstanceHeader], Hashable]] = {
    "size": lambda header: f"{header.rows} x {header.columns}",
    "orientation": lambda header: tuple(
        round(value / _COSINE_TOLERANCE) * _COSINE_TOLERANCE + 0.0 for value in header.orientation or ()
    ),
    "pixel spacing": lambda header: tuple(
        round(value / _SPACING_TOLERANCE) * _SPACING_TOLERANCE for value in header.pixel_spacing_mm or ()
    ),
    "frame of reference": lambda header: header.frame_of_reference_uid,
}


def _require_one(
    series: SeriesFiles, headers: Sequence[InstanceHeader], what: str, describe: Callable[[InstanceHeader], Hashable]
) -> None:
    kinds = Counter(map(describe, headers))
    if len(kinds) > 1 and not _nearly_equal(list(kinds), what):
        shown = "" if what == "frame of reference" else f" ({_shown(kinds)})"
        raise MixedSlicesError(
            f"{series.label}: its {len(headers)} slices differ in {what}: {len(kinds)} kinds{shown}, expected one.",
            remedy=_CHOOSE,
        )


def _nearly_equal(kinds: list[Hashable], what: str) -> bool:
    """Tell whether rounding alone put equal numbers into neighbouring kinds."""
    if what not in ("orientation", "pixel spacing"):
        return False
    values = np.array(kinds, dtype=np.float64)
    return bool(np.ptp(values, axis=0).max() <= 1.5 * _COSINE_TOLERANCE)


def _shown(kinds: Counter[Hashable]) -> str:
    texts = []
    for kind, count in kinds.most_common(2):
        text = kind if isinstance(kind, str) else "\\".join(f"{value:.4g}" for value in kind)  # type: ignore[attr-defined]
        texts.append(f"{count} of {text}")
    return ", ".join(texts)


# --------------------------------------------------------------------------------------------- where they lie


def _directions(series: SeriesFiles, orientation: tuple[float, ...]) -> tuple[DoubleArray, DoubleArray]:
    """Return unit vectors along a row (column index grows) and along a column (row index grows), at right angles."""
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(length - 1) for length in lengths) > 0.01 or abs(row @ column) > 0.01:
        raise SeriesGeometryError(
            f"{series.label}: the image orientation is not two unit vectors at right angles.", remedy=_CHOOSE
        )
    row = row / lengths[0]
    column = column - row * (row @ column)
    return row, column / np.linalg.norm(column)


def _without_duplicates(
    series: SeriesFiles, headers: list[InstanceHeader], normal: DoubleArray, findings: list[Finding]
) -> list[InstanceHeader]:
    kept = headers[:1]
    for number, header in enumerate(headers[1:], start=2):
        step_mm = np.subtract(header.position_mm or (), kept[-1].position_mm or ())
        if step_mm @ normal > _SAME_POSITION_MM:
            kept.append(header)
        elif not _same_slice(kept[-1], header):
            raise DuplicateSlicesError(
                f"{series.label}: slices {number - 1} and {number} of {len(headers)} lie at the same position and "
                "differ; the series may hold several phases or reconstructions.",
                remedy="Choose another series, or separate the phases before opening.",
            )
    _note(findings, "duplicate-slices", len(headers) - len(kept), "exact duplicate(s) of slices were left out")
    return kept


def _same_slice(one: InstanceHeader, other: InstanceHeader) -> bool:
    def content(header: InstanceHeader) -> tuple[object, ...]:
        unpacked = header.frame if header.pixel_offset is None else 0  # frames of a deflated file share its bytes
        return header.position_mm, header.slope, header.intercept, header.signed, unpacked, read_pixel_bytes(header)

    return content(one) == content(other)


def _require_upright(series: SeriesFiles, positions: DoubleArray, normal: DoubleArray, pixel_mm: float) -> None:
    """Refuse sheared stacks, and slices that are shifted sideways against each other."""
    steps = positions - positions[0]
    along = steps @ normal
    sideways = steps - np.outer(along, normal)
    drift_mm = float(np.linalg.norm(sideways[-1]))
    jitter_mm = float(np.linalg.norm(sideways - np.outer(along / along[-1], sideways[-1]), axis=1).max())
    if jitter_mm > _MOST_DRIFT_PIXELS * pixel_mm:
        raise MixedSlicesError(
            f"{series.label}: slices are shifted sideways by up to {jitter_mm:.1f} mm against each other, expected 0.",
            remedy=_CHOOSE,
        )
    if drift_mm > _MOST_DRIFT_PIXELS * pixel_mm:
        angle = np.degrees(np.arctan2(drift_mm, along[-1]))
        raise GantryTiltError(
            f"{series.label}: the gantry was tilted by {angle:.1f} degrees, expected 0 (the slices are sheared by "
            f"{drift_mm:.1f} mm from the first to the last).",
            remedy="Choose a series without tilt, or correct the tilt at the scanner's workstation.",
        )


def _spacing(
    series: SeriesFiles, offsets_mm: DoubleArray, findings: list[Finding], *, allow_gaps: bool
) -> tuple[float, DoubleArray]:
    """Return the slice spacing in mm and each slice's index on the regular grid."""
    count = len(offsets_mm)
    gaps_mm = np.diff(offsets_mm)
    median_mm = float(np.median(gaps_mm))
    mean_mm = float(offsets_mm[-1]) / (count - 1)
    worst = int(np.abs(gaps_mm - median_mm).argmax())
    deviation_mm = float(np.abs(gaps_mm[worst] - median_mm))
    if deviation_mm <= max(_EVEN_FRACTION * median_mm, _EVEN_MM):
        return mean_mm, np.arange(count, dtype=np.float64)
    off_grid = float(np.abs(offsets_mm / mean_mm - np.arange(count)).max())
    if off_grid <= _MOST_OFF_GRID:
        findings.append(
            Finding(
                code="slice-spacing-uneven",
                severity=Severity.WARNING,
                message=f"Slice spacing varies between {gaps_mm.min():.2f} and {gaps_mm.max():.2f} mm; no slice lies "
                f"further than {off_grid * mean_mm:.2f} mm from an even grid of {mean_mm:.2f} mm.",
            )
        )
        return mean_mm, np.arange(count, dtype=np.float64)
    if not allow_gaps:
        raise _gap_error(series, gaps_mm, median_mm, worst)
    return _grid_over_gaps(series, offsets_mm, median_mm, findings)


def _gap_error(series: SeriesFiles, gaps_mm: DoubleArray, median_mm: float, worst: int) -> SliceGapError:
    remedy = "Choose another series or accept interpolation."
    if gaps_mm[worst] > 1.5 * median_mm:
        text = (
            f"{gaps_mm[worst]:.1f} mm gap after slice {worst + 1} of {len(gaps_mm) + 1}, expected {median_mm:.1f} mm."
        )
    else:
        text = (
            f"uneven slice spacing from {gaps_mm.min():.1f} to {gaps_mm.max():.1f} mm (slice {worst + 1} of "
            f"{len(gaps_mm) + 1}), expected {median_mm:.1f} mm."
        )
    return SliceGapError(f"{series.label}: {text}", remedy=remedy)


def _grid_over_gaps(
    series: SeriesFiles, offsets_mm: DoubleArray, median_mm: float, findings: list[Finding]
) -> tuple[float, DoubleArray]:
    steps = round(float(offsets_mm[-1]) / median_mm)
    if steps + 1 > 4 * len(offsets_mm):
        raise SliceGapError(
            f"{series.label}: {steps + 1 - len(offsets_mm)} of {steps + 1} slices are missing, too many to fill in.",
            remedy=_CHOOSE,
        )
    spacing_mm = float(offsets_mm[-1]) / steps
    indices = offsets_mm / spacing_mm
    acquired = np.abs(np.arange(steps + 1)[:, None] - indices).min(axis=1) <= _MOST_OFF_GRID
    missing = steps + 1 - int(np.count_nonzero(acquired))
    findings.append(
        Finding(
            code="slices-interpolated",
            severity=Severity.WARNING,
            message=f"{missing} of {steps + 1} slices were interpolated between their neighbours, because slices are "
            f"missing or uneven (largest gap {np.diff(offsets_mm).max():.1f} mm, grid {spacing_mm:.2f} mm).",
        )
    )
    return spacing_mm, indices
