"""Frames of multi-frame CT (Enhanced CT, PS3.3 A.38; Legacy Converted Enhanced CT, A.70) as headers of single slices.

Each frame gets its place, spacing and rescaling from its own functional groups or those that all share (C.7.6.16), and
from there on is a slice like any other: one mechanism decides about geometry.
"""

from __future__ import annotations

import math
import struct
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pydicom

from star_core.dicom.children import dicom_children
from star_core.dicom.header import InstanceHeader
from star_core.dicom.pixels import NATIVE_SYNTAXES, stored_dtype
from star_core.dicom.scan import UNDEFINED_LENGTH, read_dataset_here
from star_core.errors import DicomError, DuplicateSlicesError, MixedSlicesError, NotCtError
from star_core.isolation import Buffer, IsolationError

_CHOOSE = "Choose another series of this study."
_KEYWORDS = (
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "ExtendedOffsetTable"),
    *("InConcatenationNumber", "InConcatenationTotalNumber", "ConcatenationUID"),
)
_ITEM, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE0DD
_TAIL_BYTES = 10
Fragment = tuple[int, int]


def read_frames(label: str, files: Sequence[InstanceHeader]) -> list[InstanceHeader]:
    """Return one header for each frame of the multi-frame CT files of a series.

    The parts of a concatenation are joined (PS3.3 C.7.6.16.2.2.4); a part that is missing is an error.

    Parameters
    ----------
    label
        How messages name the series.
    files
        Headers of its multi-frame files.

    Raises
    ------
    star_core.errors.DicomError
        The functional groups are damaged, or a part of a concatenation is missing; or one of its kinds:
        :class:`~star_core.errors.NotCtError` for values that are no Hounsfield units,
        :class:`~star_core.errors.MixedSlicesError` for several stacks,
        :class:`~star_core.errors.DuplicateSlicesError` for several points in time.
    """
    headers: list[InstanceHeader] = []
    told: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    for file in files:
        answer = _ask_child(label, file)
        if len(answer["frames"]) != file.frames:
            raise DicomError(
                f"{label}: a file says that it holds {file.frames} frame(s) and describes {len(answer['frames'])}.",
                remedy="Copy the series again from its source.",
            )
        parts.append(answer)
        told += answer["frames"]
        headers += [_to_slice(file, answer, index) for index in range(file.frames)]
    _require_all_parts(label, parts)
    slices = [(header, frame) for header, frame in zip(headers, told, strict=True) if not header.is_localizer]
    _require_one_volume(label, [frame for _, frame in slices])
    return headers


def _ask_child(label: str, file: InstanceHeader) -> dict[str, Any]:
    options = {
        "path": str(file.path.absolute()),
        "frames": file.frames,
        "encapsulated": file.transfer_syntax_uid not in NATIVE_SYNTAXES,
        "pixel_offset": file.pixel_offset,
    }
    try:
        answer, _ = dicom_children().call("star_core.dicom.frames:read_frames_task", options)
    except IsolationError as error:
        raise DicomError(
            f"{label}: the description of its frames is damaged.",
            remedy="Copy the series again from its source.",
            details=str(error),
        ) from error
    return answer


def _to_slice(file: InstanceHeader, answer: Mapping[str, Any], index: int) -> InstanceHeader:
    frame = answer["frames"][index]
    header = replace(
        file,
        frames=1,
        frame=index,
        image_type=tuple(frame["type"]),
        instance_number=index + 1,
        position_mm=_vector(frame["position"], 3),
        orientation=_vector(frame["orientation"], 6),
        pixel_spacing_mm=_vector(frame["spacing"], 2),
        slope=frame["slope"],
        intercept=frame["intercept"],
    )
    if answer["fragments"] is not None:
        fragments = tuple((start, length) for start, length in answer["fragments"][index])
        return replace(header, fragments=fragments, pixel_length=sum(length for _, length in fragments))
    if file.pixel_offset is None:
        return header
    frame_bytes = file.rows * file.columns * stored_dtype(file).itemsize
    left = 0 if file.pixel_length == UNDEFINED_LENGTH else file.pixel_length - index * frame_bytes
    offset = file.pixel_offset + index * frame_bytes
    return replace(header, pixel_offset=offset, pixel_length=max(0, min(left, frame_bytes)))


def _vector(values: Sequence[float] | None, count: int) -> tuple[float, ...] | None:
    return tuple(values) if values is not None and len(values) == count else None


def _require_all_parts(label: str, parts: Sequence[Mapping[str, Any]]) -> None:
    found = Counter(part["concatenation"] for part in parts if part["concatenation"])
    for part in parts:
        total, there = part["parts"], found.get(part["concatenation"], 0)
        if total and there < total:
            raise DicomError(
                f"{label}: its frames were divided over {total} files, of which {there} are here.",
                remedy="Copy the missing files too.",
            )


def _require_one_volume(label: str, frames: Sequence[Mapping[str, Any]]) -> None:
    units = {frame["unit"] for frame in frames} - {"", "HU"}
    if units:
        raise NotCtError(f"{label}: its values are {min(units)!r}, expected Hounsfield units (HU).", remedy=_CHOOSE)
    stacks = Counter(frame["stack"] for frame in frames)
    if len(stacks) > 1:
        counts = ", ".join(str(count) for count in stacks.values())
        raise MixedSlicesError(
            f"{label}: its frames form {len(stacks)} stacks (of {counts} frames), expected one.", remedy=_CHOOSE
        )
    times = Counter(frame["time"] for frame in frames)
    if len(times) > 1:
        raise DuplicateSlicesError(
            f"{label}: its frames were taken at {len(times)} points in time, expected one.",
            remedy="Choose another series, or separate the phases before opening.",
        )


# --------------------------------------------------------------------------------------------- the child's side


def read_frames_task(options: Mapping[str, Any], payload: bytes) -> tuple[dict[str, Any], Buffer]:
    """Read the functional groups of a file and find its frames' bytes; runs in the child process only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Path(options["path"]).open("rb") as file:
            dataset = read_dataset_here(file, _KEYWORDS)
        shared = (dataset.get("SharedFunctionalGroupsSequence") or [None])[0]
        groups = dataset.get("PerFrameFunctionalGroupsSequence") or ()
        answer = {
            "frames": [_describe(group, shared) for group in groups],
            "concatenation": str(dataset.get("ConcatenationUID", "")),
            "parts": int(dataset.get("InConcatenationTotalNumber") or 0),
            "fragments": None,
        }
        table = bytes(dataset.get("ExtendedOffsetTable") or b"")
    if options["encapsulated"]:
        if options["pixel_offset"] is None:
            raise ValueError("no pixels")
        with Path(options["path"]).open("rb") as file:
            answer["fragments"] = _find_frames(file, options["pixel_offset"], options["frames"], table)
    return answer, b""


def _describe(own: Any, shared: Any) -> dict[str, Any]:
    position = find_group("PlanePositionSequence", own, shared)
    orientation = find_group("PlaneOrientationSequence", own, shared)
    measures = find_group("PixelMeasuresSequence", own, shared)
    values = find_group("PixelValueTransformationSequence", own, shared)
    content = find_group("FrameContentSequence", own, shared)
    kind = find_group("CTImageFrameTypeSequence", own, shared)
    return {
        "position": _numbers(position, "ImagePositionPatient"),
        "orientation": _numbers(orientation, "ImageOrientationPatient"),
        "spacing": _numbers(measures, "PixelSpacing"),
        "slope": _number(values, "RescaleSlope"),
        "intercept": _number(values, "RescaleIntercept"),
        "unit": str(values.get("RescaleType") or "").upper(),
        "type": [str(part).upper() for part in kind.get("FrameType") or ()],
        "stack": str(content.get("StackID") or ""),
        "time": str(content.get("TemporalPositionIndex") or ""),
    }


def find_group(name: str, own: Any, shared: Any) -> pydicom.Dataset:
    """Return a functional group of a frame, its own or the one shared by all; an empty one where there is none."""
    for group in (own, shared):
        if group is not None and group.get(name):
            found: pydicom.Dataset = group.get(name)[0]
            return found
    return pydicom.Dataset()


def _numbers(group: pydicom.Dataset, keyword: str) -> list[float] | None:
    value = group.get(keyword)
    try:
        numbers = [float(part) for part in (value if isinstance(value, Sequence) else [value])]
    except (TypeError, ValueError):
        return None
    return numbers if all(map(math.isfinite, numbers)) else None


def _number(group: pydicom.Dataset, keyword: str) -> float | None:
    numbers = _numbers(group, keyword)
    return numbers[0] if numbers is not None and len(numbers) == 1 else None


def _find_frames(file: BinaryIO, start: int, frames: int, extended_table: bytes) -> list[list[Fragment]]:
    """Return the (offset, length) of each frame's fragments in an encapsulated file (PS3.5 A.4)."""
    items = _list_items(file, start)
    _, table_length = next(items)
    file.seek(start + 8)
    table = file.read(table_length)
    first = start + 8 + table_length
    fragments = list(items)
    if extended_table:
        starts = struct.unpack(f"<{len(extended_table) // 8}Q", extended_table[: len(extended_table) // 8 * 8])
    else:
        starts = struct.unpack(f"<{table_length // 4}I", table[: table_length // 4 * 4])
    if len(starts) == frames:
        return _split_at(fragments, [first + 8 + offset for offset in starts])
    if frames == 1:
        return [fragments]
    if len(fragments) == frames:
        return [[fragment] for fragment in fragments]
    return _split_after_ends(file, fragments, frames)


def _list_items(file: BinaryIO, position: int) -> Iterator[Fragment]:
    """Yield (offset, length) of each item's value, from the offset table to the delimiter or the file's end."""
    while True:
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            return
        group, element, length = struct.unpack("<HHI", head)
        if (group << 16 | element) == _SEQUENCE_END:
            return
        if (group << 16 | element) != _ITEM or length == UNDEFINED_LENGTH:
            raise ValueError("the encapsulated pixels are no list of items")
        yield position + 8, length
        position += 8 + length


def _split_at(fragments: Sequence[Fragment], starts: Sequence[int]) -> list[list[Fragment]]:
    places = {start: number for number, start in enumerate(starts)}
    frames: list[list[Fragment]] = [[] for _ in starts]
    current = None
    for fragment in fragments:
        current = places.get(fragment[0], current)
        if current is None:
            raise ValueError("the offset table does not fit the fragments")
        frames[current].append(fragment)
    if not all(frames):
        raise ValueError("the offset table names frames that are not there")
    return frames


def _split_after_ends(file: BinaryIO, fragments: Sequence[Fragment], frames: int) -> list[list[Fragment]]:
    """Divide fragments where a code stream ends: FFD9 closes every JPEG, JPEG-LS and JPEG 2000 image."""
    found: list[list[Fragment]] = [[]]
    for start, length in fragments:
        found[-1].append((start, length))
        file.seek(start + max(0, length - _TAIL_BYTES))
        if b"\xff\xd9" in file.read(min(length, _TAIL_BYTES)):
            found.append([])
    if not found[-1]:
        found.pop()
    if len(found) != frames:
        raise ValueError(f"{len(found)} of {frames} frames were found in the compressed pixels")
    return found
