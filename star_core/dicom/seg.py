"""From a DICOM Segmentation to the structures on the CT's grid, placed by geometry alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from star_core.dicom.discover import Discovery, SeriesFiles
from star_core.dicom.header import keys_contradict
from star_core.dicom.seg_frames import SegFrame, SegObject, read_segmentation_object
from star_core.dicom.segment_names import structure_of
from star_core.errors import SegmentationError
from star_core.types import BoolArray, DoubleArray, Finding, Geometry, Masks, Severity, Structure, Volume

EXPERT_SERIES_NUMBER = 100
EXPERT_DESCRIPTION = "segmentation"
COUINAUD_DESCRIPTION = "Couinaud segments"
_GRID_TOLERANCE = 0.1
_SLICE_TOLERANCE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSummary:
    """One segment of a file: how many voxels it has, and how many ml."""

    number: int
    label: str
    structure: str
    voxel_count: int
    volume_ml: float


def choose_segmentation(found: Discovery, volume: Volume) -> SeriesFiles | None:
    """Return the segmentation that belongs to a CT, the experts' first (series 100, "Segmentation"), or ``None``.

    A segmentation that names another series is left out, unless it is the only one and so worth a message.
    """
    candidates = found.by_modality("SEG")
    if not candidates:
        return None
    fitting = [
        series
        for series in candidates
        if not series.referenced_series_uids or volume.series_uid in series.referenced_series_uids
    ]

    def rank(series: SeriesFiles) -> tuple[bool, bool, bool, str]:
        description = series.description.strip().lower()
        # Couinaud's segments show the liver, but neither tumours nor vessels.
        is_couinaud = description == COUINAUD_DESCRIPTION.lower()
        expert = description == EXPERT_DESCRIPTION
        return is_couinaud, series.series_number != EXPERT_SERIES_NUMBER, not expert, series.series_uid

    if fitting:
        return min(fitting, key=rank)
    same_study = [s for s in candidates if s.study_uid == volume.acquisition.study_uid]
    return None if same_study and len(found.by_modality("CT")) > 1 else min(candidates, key=rank)


def read_masks(source: SeriesFiles | Path, volume: Volume) -> Masks:
    """Read a DICOM SEG onto a CT's grid.

    Parameters
    ----------
    source
        A SEG series, or a file.
    volume
        The CT that the segments were drawn on; the SEG may cover fewer slices, in any order.

    Raises
    ------
    SegmentationError
        When it belongs to another patient or frame of reference, or its pixels do not lie on the CT's.
    """
    paths = source.paths if isinstance(source, SeriesFiles) else (source,)
    bits = np.zeros(volume.geometry.shape, dtype=np.uint8)
    findings: list[Finding] = []
    known, lesions, series_uid = Structure(0), 0, ""
    for path in paths:
        segmentation = read_segmentation_object(path)
        require_same_patient(segmentation, volume)
        findings += _doubts(segmentation, volume)
        series_uid = segmentation.series_uid
        structures = _map_segments(segmentation, findings)
        known |= Structure(sum(set(structures.values())))
        lesions += _paint(segmentation, structures, volume.geometry, bits)
    if not known & Structure.LIVER:
        findings.append(_warn("seg-without-liver", "The segmentation has no liver segment."))
    elif not (bits & np.uint8(Structure.LIVER)).any():
        findings.append(_warn("seg-empty-liver", "The segmentation's liver segment is empty."))
    lesion_count = None
    if known & Structure.TUMOUR:
        lesion_count = lesions if lesions > 1 else _count_pieces((bits & np.uint8(Structure.TUMOUR)) != 0)
    return Masks(
        bits=bits,
        geometry=volume.geometry,
        known=known,
        series_uid=series_uid,
        lesion_count=lesion_count,
        findings=tuple(findings),
    )


def summarise_segmentation(path: Path) -> tuple[SegmentSummary, ...]:
    """Return voxel counts and volumes of a file's segments.

    Raises
    ------
    SegmentationError
        When the file cannot be read.
    """
    segmentation = read_segmentation_object(path)
    counts = dict.fromkeys((segment.number for segment in segmentation.segments), 0)
    for _, number, mask in segmentation.masks():
        counts[number] = counts.get(number, 0) + int(np.count_nonzero(mask))
    volume_ml = segmentation.voxel_volume_ml
    summaries = []
    for segment in segmentation.segments:
        structure = structure_of(segment.label, segment.codes)
        summaries.append(
            SegmentSummary(
                number=segment.number,
                label=segment.label,
                structure="" if structure is None or structure.name is None else structure.name.lower(),
                voxel_count=counts[segment.number],
                volume_ml=round(counts[segment.number] * volume_ml, 3),
            )
        )
    return tuple(summaries)


def _warn(code: str, message: str, severity: Severity = Severity.WARNING) -> Finding:
    return Finding(code=code, severity=severity, message=message)


def require_same_patient(segmentation: SegObject, volume: Volume) -> None:
    """Refuse a segmentation of another patient or in another frame of reference than a CT.

    Raises
    ------
    SegmentationError
        When it is.
    """
    acquisition = volume.acquisition
    if keys_contradict(segmentation.patient_key, acquisition.patient_key):
        raise SegmentationError(
            "The segmentation belongs to another patient than the CT.", remedy="Choose the segmentation of this CT."
        )
    ours, theirs = acquisition.frame_of_reference_uid, segmentation.frame_of_reference_uid
    if ours and theirs and ours != theirs:
        raise SegmentationError(
            "The segmentation lies in another frame of reference than the CT: it was drawn on another scan.",
            remedy="Choose the segmentation of this CT.",
            details=f"frame of reference of the CT {ours}, of the segmentation {theirs}",
        )


def _doubts(segmentation: SegObject, volume: Volume) -> list[Finding]:
    doubts = []
    referenced = segmentation.referenced_series_uids
    if referenced and volume.series_uid not in referenced:
        message = "The segmentation names another series of the same frame of reference; it was placed by position."
        doubts.append(_warn("seg-other-series", message))
    if segmentation.kind == "FRACTIONAL":
        message = "The segmentation is fractional; voxels of at least one half were taken."
        doubts.append(_warn("seg-fractional", message, Severity.NOTE))
    return doubts


def _map_segments(segmentation: SegObject, findings: list[Finding]) -> dict[int, Structure]:
    structures: dict[int, Structure] = {}
    unused = []
    for segment in segmentation.segments:
        structure = structure_of(segment.label, segment.codes)
        if structure is None:
            unused.append(segment.label or f"segment {segment.number}")
        else:
            structures[segment.number] = structure
    if unused:
        shown = ", ".join(sorted(unused)[:6]) + (f" and {len(unused) - 6} more" if len(unused) > 6 else "")
        findings.append(_warn("seg-unused-segments", f"Segments that are not used here: {shown}.", Severity.NOTE))
    return structures


def _paint(
    segmentation: SegObject,
    structures: Mapping[int, Structure],
    geometry: Geometry,
    bits: NDArray[np.uint8],
) -> int:
    """Set the bits of all segments and return the number of tumour segments that are not empty."""
    tumours = set()
    for index, number, placed in paint_frames(segmentation, structures, geometry):
        bits[index] |= placed.astype(np.uint8) * np.uint8(structures[number])
        if structures[number] is Structure.TUMOUR:
            tumours.add(number)
    return len(tumours)


def paint_frames(
    segmentation: SegObject, wanted: Collection[int], geometry: Geometry
) -> Iterator[tuple[int, int, BoolArray]]:
    """Yield slice index, segment number and mask on the CT's slice of each frame that holds a segment of ``wanted``.

    Raises
    ------
    SegmentationError
        When a frame's pixels do not lie on the CT's.
    """
    for frame, number, mask in segmentation.masks():
        if number in wanted and mask.any():
            index, placed = _place(frame, mask, geometry)
            if index is not None:
                yield index, number, placed


def _place(frame: SegFrame, mask: BoolArray, geometry: Geometry) -> tuple[int | None, BoolArray]:
    """Return the CT's slice that a frame lies on, and its mask in that slice's rows and columns."""
    to_index = np.linalg.inv(geometry.affine_lps)
    corner = geometry.lps_to_index(frame.to_lps[:, 0])
    steps = to_index[:3, :3] @ frame.to_lps[:, 1:]
    in_plane = np.round(steps[1:])
    on_grid = np.abs(steps[1:] - in_plane).max() < _GRID_TOLERANCE / max(mask.shape) + 2e-3
    rotation = bool((np.abs(in_plane).sum(axis=0) == 1).all() and (np.abs(in_plane).sum(axis=1) == 1).all())
    offset = np.round(corner[1:])
    aligned = np.abs(corner[1:] - offset).max() < _GRID_TOLERANCE and np.abs(steps[0]).max() < 1e-3
    if not (on_grid and rotation and aligned and abs(corner[0] - round(corner[0])) < _SLICE_TOLERANCE):
        raise SegmentationError(
            "The segmentation's pixels do not lie on the CT's: expected the same in-plane grid and slice positions, "
            f"found a shift of {np.abs(corner - np.round(corner)).max():.2f} voxels or another spacing.",
            remedy="Choose the segmentation that was drawn on this series.",
        )
    index = round(float(corner[0]))
    if not 0 <= index < geometry.shape[0]:
        return None, mask
    return index, _on_slice(mask, in_plane, offset, geometry.shape[1:])


def _on_slice(
    mask: BoolArray,
    in_plane: DoubleArray,
    offset: DoubleArray,
    shape: tuple[int, ...],
) -> BoolArray:
    if mask.shape == shape and (in_plane == np.eye(2)).all() and (offset == 0).all():
        return mask
    rows, columns = np.nonzero(mask)
    places = (in_plane @ np.stack([rows, columns]) + offset[:, None]).astype(int)
    inside = (places >= 0).all(axis=0) & (places < np.array(shape)[:, None]).all(axis=0)
    placed: BoolArray = np.zeros(shape, dtype=bool)
    placed[places[0, inside], places[1, inside]] = True
    return placed


def _count_pieces(mask: BoolArray) -> int:
    _, count = label(mask, structure=np.ones((3, 3, 3)))
    return int(count)
