"""What a DICOM Segmentation object says of its segments and frames (PS3.3 A.51, C.8.20)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError
from pydicom.uid import RLELossless

from star_core.dicom.header import build_patient_key
from star_core.errors import SegmentationError
from star_core.types import BoolArray, DoubleArray

SEGMENTATION_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_MALFORMED = (InvalidDicomError, AttributeError, KeyError, IndexError, TypeError, ValueError, EOFError, OSError)


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: its number, label and the values of its codes."""

    number: int
    label: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SegFrame:
    """One frame: the segment it belongs to (0 for a label map) and its plane in LPS mm.

    ``to_lps`` is (3, 3): columns are the position of the first pixel, the step to the next row and to the next column.
    """

    index: int
    segment: int
    to_lps: DoubleArray


@dataclass(frozen=True, slots=True)
class SegObject:
    """A segmentation read from a file; ``kind`` is BINARY, FRACTIONAL or LABELMAP."""

    kind: str
    rows: int
    columns: int
    segments: tuple[Segment, ...]
    frames: tuple[SegFrame, ...]
    series_uid: str
    frame_of_reference_uid: str
    patient_key: str
    referenced_series_uids: tuple[str, ...]
    slice_mm: float
    dataset: Any

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in ml."""
        row_mm, column_mm = np.linalg.norm(self.frames[0].to_lps[:, 1:], axis=0)
        return float(row_mm * column_mm * self.slice_mm) / 1000.0

    def masks(self) -> Iterator[tuple[SegFrame, int, BoolArray]]:
        """Yield each frame with the number of a segment and its (rows, columns) mask."""
        frames = _FrameReader(self)
        for frame in self.frames:
            pixels = frames.read(frame.index)
            if self.kind == "LABELMAP":
                for number in np.unique(pixels[pixels > 0]):
                    yield frame, int(number), pixels == number
            else:
                yield frame, frame.segment, pixels >= frames.threshold


def read_segmentation_object(path: Path) -> SegObject:
    """Read a DICOM SEG file.

    Raises
    ------
    SegmentationError
        When it is not a segmentation, is damaged, or its pixels are stored in a way that is not read here.
    """
    try:
        dataset = pydicom.dcmread(path)
        if str(dataset.get("SOPClassUID", "")) not in SEGMENTATION_CLASSES:
            raise SegmentationError(
                "The file is DICOM, but not a segmentation.", remedy="Choose a DICOM SEG file that belongs to the CT."
            )
        return _build(dataset)
    except _MALFORMED as error:
        raise SegmentationError(
            "The segmentation file is damaged or incomplete.",
            remedy="Export it again from the program that made it.",
            details=f"{type(error).__name__}: {error}",
        ) from error


def _without_position() -> SegmentationError:
    return SegmentationError(
        "The segmentation's frames have no position in the patient: it was not drawn on a CT.",
        remedy="Choose the segmentation of this CT.",
    )


def _build(dataset: Any) -> SegObject:
    kind = str(dataset.SegmentationType).upper()
    if "PerFrameFunctionalGroupsSequence" not in dataset and "TotalPixelMatrixRows" in dataset:
        raise _without_position()  # tiles of a slide (PS3.3 C.7.6.17)
    per_frame = dataset.PerFrameFunctionalGroupsSequence
    shared = dataset.SharedFunctionalGroupsSequence[0] if "SharedFunctionalGroupsSequence" in dataset else None
    frames = tuple(_build_frame(index, group, shared, kind) for index, group in enumerate(per_frame))
    if not frames:
        raise ValueError("no frames")
    return SegObject(
        kind=kind,
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        segments=tuple(
            Segment(int(item.SegmentNumber), str(item.get("SegmentLabel", "")), _codes(item))
            for item in dataset.SegmentSequence
        ),
        frames=frames,
        series_uid=str(dataset.get("SeriesInstanceUID", "")),
        frame_of_reference_uid=str(dataset.get("FrameOfReferenceUID", "")),
        patient_key=build_patient_key(str(dataset.get("PatientID", "")), str(dataset.get("PatientName", ""))),
        referenced_series_uids=tuple(
            str(item.get("SeriesInstanceUID", "")) for item in dataset.get("ReferencedSeriesSequence", ())
        ),
        slice_mm=_slice_mm(frames, per_frame, shared),
        dataset=dataset,
    )


def _codes(item: Any) -> tuple[str, ...]:
    sequences = (item.get("SegmentedPropertyTypeCodeSequence", ()), item.get("AnatomicRegionSequence", ()))
    return tuple(str(code.get("CodeValue", "")) for sequence in sequences for code in sequence)


def _group(name: str, own: Any, shared: Any) -> Any:
    """Return a functional group of a frame, its own or the one shared by all."""
    for group in (own, shared):
        if group is not None and name in group:
            return getattr(group, name)[0]
    raise KeyError(name)


def _build_frame(index: int, own: Any, shared: Any, kind: str) -> SegFrame:
    if all(group is None or "PlanePositionSequence" not in group for group in (own, shared)):
        raise _without_position()
    position = np.array(_group("PlanePositionSequence", own, shared).ImagePositionPatient, dtype=np.float64)
    orientation = np.array(_group("PlaneOrientationSequence", own, shared).ImageOrientationPatient, dtype=np.float64)
    row_mm, column_mm = (float(mm) for mm in _group("PixelMeasuresSequence", own, shared).PixelSpacing)
    # Orientation gives the direction along a row first, which is the step from column to column (PS3.3 C.7.6.2.1.1).
    to_lps = np.stack([position, orientation[3:] * row_mm, orientation[:3] * column_mm], axis=1)
    if not np.isfinite(to_lps).all():
        raise ValueError("position is not a number")
    segment = 0
    if kind != "LABELMAP":
        segment = int(_group("SegmentIdentificationSequence", own, shared).ReferencedSegmentNumber)
    return SegFrame(index, segment, to_lps)


def _slice_mm(frames: tuple[SegFrame, ...], per_frame: Any, shared: Any) -> float:
    normal = np.cross(frames[0].to_lps[:, 2], frames[0].to_lps[:, 1])
    places = np.unique(np.round([frame.to_lps[:, 0] @ normal / np.linalg.norm(normal) for frame in frames], 3))
    if len(places) > 1:
        return float(np.diff(places).min())
    measures = _group("PixelMeasuresSequence", per_frame[0], shared)
    return float(measures.get("SpacingBetweenSlices") or measures.get("SliceThickness") or 1.0)


class _FrameReader:
    """Reads frames one by one: packed bits for BINARY, bytes or words otherwise."""

    def __init__(self, segmentation: SegObject) -> None:
        self._shape = (segmentation.rows, segmentation.columns)
        self._count = segmentation.rows * segmentation.columns
        dataset = segmentation.dataset
        syntax = dataset.file_meta.TransferSyntaxUID
        self._bits = int(dataset.BitsAllocated)
        self.threshold = 1
        if segmentation.kind == "FRACTIONAL":
            self.threshold = max(1, -(-int(dataset.get("MaximumFractionalValue", 255)) // 2))
        self._decoded: NDArray[Any] | None = None
        self._data = b""
        if not syntax.is_compressed or syntax.is_deflated:
            self._data = bytes(dataset.PixelData)
        elif syntax == RLELossless:
            self._decoded = dataset.pixel_array.reshape(-1, *self._shape)
        else:
            raise SegmentationError(
                f"The segmentation is compressed as {syntax.name}, which is not read.",
                remedy="Export it uncompressed.",
            )
        expected = -(-len(segmentation.frames) * self._count * self._bits // 8)
        if self._decoded is None and len(self._data) < expected:
            raise SegmentationError(
                f"The segmentation's pixels are cut off: {len(self._data)} bytes, expected {expected}.",
                remedy="Copy the file again from its source.",
            )

    def read(self, index: int) -> NDArray[Any]:
        """Return the pixels of a frame, (rows, columns)."""
        if self._decoded is not None:
            frame: NDArray[Any] = self._decoded[index]
            return frame
        if self._bits != 1:
            dtype = np.dtype(f"<u{self._bits // 8}")
            start = index * self._count * dtype.itemsize
            return np.frombuffer(self._data, dtype, self._count, start).reshape(self._shape)
        first_bit = index * self._count
        start, skip = divmod(first_bit, 8)
        packed = np.frombuffer(self._data, np.uint8, -(-(skip + self._count) // 8), start)
        return np.unpackbits(packed, bitorder="little")[skip : skip + self._count].reshape(self._shape)
