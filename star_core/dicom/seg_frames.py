"""What a DICOM Segmentation object says of its segments and frames (PS3.3 A.51, C.8.20).

A child process parses the object and unpacks its pixels; this process gets numbers, texts and plain bytes.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.encaps import encapsulate, generate_frames

from star_core.dicom.children import dicom_children
from star_core.dicom.decode import CODECS, decode_task, syntax_name
from star_core.dicom.frames import find_group
from star_core.dicom.header import build_patient_key
from star_core.dicom.scan import read_dataset_here
from star_core.errors import SegmentationError
from star_core.isolation import Buffer, IsolationError
from star_core.types import BoolArray, DoubleArray

SEGMENTATION_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
SEGMENTATION_TIMEOUT_S = 9.0
_MOST_FRAME_PIXELS, _MOST_PIXEL_BYTES = 1 << 24, 1 << 29


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
    bits: int
    threshold: int
    pixels: Buffer

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in ml."""
        row_mm, column_mm = np.linalg.norm(self.frames[0].to_lps[:, 1:], axis=0)
        return float(row_mm * column_mm * self.slice_mm) / 1000.0

    def masks(self) -> Iterator[tuple[SegFrame, int, BoolArray]]:
        """Yield each frame with the number of a segment and its (rows, columns) mask."""
        for frame in self.frames:
            pixels = self._read_frame(frame.index)
            if self.kind == "LABELMAP":
                for number in np.unique(pixels[pixels > 0]):
                    yield frame, int(number), pixels == number
            else:
                yield frame, frame.segment, pixels >= self.threshold

    def _read_frame(self, index: int) -> NDArray[Any]:
        """Return the pixels of a frame, (rows, columns): packed bits for BINARY, bytes or words otherwise."""
        shape, count = (self.rows, self.columns), self.rows * self.columns
        if self.bits != 1:
            dtype = np.dtype(f"<u{self.bits // 8}")
            return np.frombuffer(self.pixels, dtype, count, index * count * dtype.itemsize).reshape(shape)
        start, skip = divmod(index * count, 8)
        packed = np.frombuffer(self.pixels, np.uint8, -(-(skip + count) // 8), start)
        return np.unpackbits(packed, bitorder="little")[skip : skip + count].reshape(shape)


def read_segmentation_object(path: Path) -> SegObject:
    """Read a DICOM SEG file.

    Raises
    ------
    SegmentationError
        When it is not a segmentation, is damaged, or its pixels are stored in a way that is not read here.
    """
    try:
        answer, pixels = dicom_children().call(
            "star_core.dicom.seg_frames:read_segmentation_task",
            {"path": str(path.absolute())},
            timeout_s=SEGMENTATION_TIMEOUT_S,
        )
    except IsolationError as error:
        raise SegmentationError(
            "The segmentation file is damaged or incomplete.",
            remedy="Export it again from the program that made it.",
            details=str(error),
        ) from error
    if "refused" in answer:
        raise SegmentationError(answer["refused"], remedy=answer["remedy"])
    frames = [SegFrame(index, number, np.array(to_lps)) for index, (number, to_lps) in enumerate(answer.pop("frames"))]
    return SegObject(
        frames=tuple(frames),
        segments=tuple(Segment(number, label, tuple(codes)) for number, label, codes in answer.pop("segments")),
        referenced_series_uids=tuple(answer.pop("referenced_series_uids")),
        pixels=pixels,
        **answer,
    )


# --------------------------------------------------------------------------------------------- the child's side


def read_segmentation_task(options: Mapping[str, Any], payload: bytes) -> tuple[dict[str, Any], Buffer]:
    """Parse a segmentation and unpack its pixels; runs in the child process only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Path(options["path"]).open("rb") as file:
                return _read(read_dataset_here(file, pixels=True, most_bytes=_MOST_PIXEL_BYTES))
        except SegmentationError as error:
            return {"refused": error.message, "remedy": error.remedy}, b""


def _read(dataset: pydicom.Dataset) -> tuple[dict[str, Any], Buffer]:
    if str(dataset.get("SOPClassUID", "")) not in SEGMENTATION_CLASSES:
        raise SegmentationError(
            "The file is DICOM, but not a segmentation.", remedy="Choose a DICOM SEG file that belongs to the CT."
        )
    answer = _describe(dataset)
    bits, pixels = _unpack(dataset, len(answer["frames"]))
    return {**answer, "bits": bits}, pixels


def _without_position() -> SegmentationError:
    return SegmentationError(
        "The segmentation's frames have no position in the patient: it was not drawn on a CT.",
        remedy="Choose the segmentation of this CT.",
    )


def _describe(dataset: pydicom.Dataset) -> dict[str, Any]:
    kind = str(dataset.SegmentationType).upper()
    if "PerFrameFunctionalGroupsSequence" not in dataset and "TotalPixelMatrixRows" in dataset:
        raise _without_position()  # tiles of a slide (PS3.3 C.7.6.17)
    per_frame = dataset.PerFrameFunctionalGroupsSequence
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [None])[0]
    frames = [_describe_frame(group, shared, kind) for group in per_frame]
    if not frames:
        raise ValueError("no frames")
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if not 0 < rows * columns <= _MOST_FRAME_PIXELS:
        raise ValueError(f"frames of {rows} x {columns} pixels")
    fractional = kind == "FRACTIONAL"
    return {
        "kind": kind,
        "rows": rows,
        "columns": columns,
        "segments": [
            (int(item.SegmentNumber), str(item.get("SegmentLabel", "")), _codes(item))
            for item in dataset.SegmentSequence
        ],
        "frames": [(number, to_lps.tolist()) for number, to_lps in frames],
        "series_uid": str(dataset.get("SeriesInstanceUID", "")),
        "frame_of_reference_uid": str(dataset.get("FrameOfReferenceUID", "")),
        "patient_key": build_patient_key(str(dataset.get("PatientID", "")), str(dataset.get("PatientName", ""))),
        "referenced_series_uids": [
            str(item.get("SeriesInstanceUID", "")) for item in dataset.get("ReferencedSeriesSequence", ())
        ],
        "slice_mm": _slice_mm(
            [to_lps for _, to_lps in frames], find_group("PixelMeasuresSequence", per_frame[0], shared)
        ),
        "threshold": max(1, -(-int(dataset.get("MaximumFractionalValue", 255)) // 2)) if fractional else 1,
    }


def _codes(item: pydicom.Dataset) -> list[str]:
    sequences = (item.get("SegmentedPropertyTypeCodeSequence", ()), item.get("AnatomicRegionSequence", ()))
    return [str(code.get("CodeValue", "")) for sequence in sequences for code in sequence]


def _describe_frame(own: Any, shared: Any, kind: str) -> tuple[int, DoubleArray]:
    """Return a frame's segment (0 for a label map) and its plane, see :class:`SegFrame`."""
    if not find_group("PlanePositionSequence", own, shared):
        raise _without_position()
    position = np.array(find_group("PlanePositionSequence", own, shared).ImagePositionPatient, dtype=np.float64)
    plane = find_group("PlaneOrientationSequence", own, shared)
    orientation = np.array(plane.ImageOrientationPatient, dtype=np.float64)
    row_mm, column_mm = (float(mm) for mm in find_group("PixelMeasuresSequence", own, shared).PixelSpacing)
    # Orientation gives the direction along a row first, which is the step from column to column (PS3.3 C.7.6.2.1.1).
    to_lps = np.stack([position, orientation[3:] * row_mm, orientation[:3] * column_mm], axis=1)
    if not np.isfinite(to_lps).all() or to_lps.shape != (3, 3):
        raise ValueError("position is not a number")
    if kind == "LABELMAP":
        return 0, to_lps
    return int(find_group("SegmentIdentificationSequence", own, shared).ReferencedSegmentNumber), to_lps


def _slice_mm(planes: list[DoubleArray], measures: pydicom.Dataset) -> float:
    normal = np.cross(planes[0][:, 2], planes[0][:, 1])
    places = np.unique(np.round([to_lps[:, 0] @ normal / np.linalg.norm(normal) for to_lps in planes], 3))
    if len(places) > 1:
        return float(np.diff(places).min())
    return float(measures.get("SpacingBetweenSlices") or measures.get("SliceThickness") or 1.0)


def _unpack(dataset: pydicom.Dataset, frames: int) -> tuple[int, Buffer]:
    """Return how many bits a pixel takes, and the pixels of all frames."""
    syntax, bits, count = str(dataset.file_meta.TransferSyntaxUID), int(dataset.BitsAllocated), frames * dataset.Rows
    expected = -(-count * int(dataset.Columns) * bits // 8)
    if bits not in (1, 8, 16) or expected > _MOST_PIXEL_BYTES:
        raise ValueError(f"{expected} bytes of {bits}-bit pixels")
    if syntax in CODECS:
        pixels: Buffer = b"".join(_decode(dataset, syntax, frames))
    elif dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        raise SegmentationError(
            f"The segmentation is compressed as {syntax_name(syntax)}, which is not read.",
            remedy="Export it uncompressed.",
        )
    else:
        pixels = bytes(dataset.PixelData)
        if bits == 16 and not dataset.original_encoding[1]:
            pixels = np.frombuffer(pixels, ">u2").astype("<u2").tobytes()
    if len(pixels) < expected:
        raise SegmentationError(
            f"The segmentation's pixels are cut off: {len(pixels)} bytes, expected {expected}.",
            remedy="Copy the file again from its source.",
        )
    return bits, pixels


def _decode(dataset: pydicom.Dataset, syntax: str, frames: int) -> Iterator[bytes]:
    options = {
        "transfer_syntax_uid": syntax,
        "rows": int(dataset.Rows),
        "columns": int(dataset.Columns),
        "number_of_frames": 1,
        "samples_per_pixel": 1,
        "bits_allocated": int(dataset.BitsAllocated),
        "bits_stored": int(dataset.BitsStored),
        "pixel_representation": 0,
        "photometric_interpretation": "MONOCHROME2",
    }
    dtype = np.dtype(f"<u{max(1, int(dataset.BitsAllocated) // 8)}")
    for encoded in generate_frames(dataset.PixelData, number_of_frames=frames):
        answer, data = decode_task(options, encapsulate([encoded]))
        yield np.frombuffer(data, answer["dtype"]).astype(dtype).tobytes()
