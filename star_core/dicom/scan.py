"""From a file's bytes to the raw elements that are wanted, as fast as Python can.

Little-endian files, explicit or implicit, are walked directly over their first bytes (PS3.5 7.1). Everything unusual,
big-endian, deflated, very long or odd headers, is left to pydicom, so this walk may give up but never guesses.

The walk touches 64 KiB at most and runs anywhere; pydicom, whose time and memory a foreign file can drive up without
end, reads in a child process only.
"""

from __future__ import annotations

import os
import stat
import struct
import warnings
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom.filereader import read_dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from star_core.dicom.children import dicom_children
from star_core.isolation import Buffer, IsolationError

UNDEFINED_LENGTH = 0xFFFFFFFF
TRANSFER_SYNTAX, MEDIA_SOP_CLASS, MEDIA_SOP_INSTANCE = 0x00020010, 0x00020002, 0x00020003
PIXEL_DATA = 0x7FE00010
WITHOUT_SERIES = frozenset({"1.2.840.10008.1.3.10", "1.2.840.10008.5.1.4.39.1"})
"""SOP classes that belong to no series: media directory (DICOMDIR) and colour palette."""
_META_TAGS = frozenset({TRANSFER_SYNTAX, MEDIA_SOP_CLASS, MEDIA_SOP_INSTANCE})
MOST_HEADER_BYTES = 1 << 26
_HEAD_BYTES = 1 << 16
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT_VRS = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT"}
    | {b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"}
)
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_FIRST_ELEMENTS = {(2, 0), (2, 1), (8, 0), (8, 5), (8, 8), (8, 0x12), (8, 0x16), (8, 0x18)}
_TAG = struct.Struct("<HH")
_EXPLICIT, _IMPLICIT = struct.Struct("<HH2sH"), struct.Struct("<HH0sI")
_SHORT = struct.Struct("<H")
_LONG = struct.Struct("<I")


class NotDicomError(Exception):
    """The file is not DICOM; it is counted and otherwise ignored."""


class BrokenDicomError(Exception):
    """The file says that it is DICOM and cannot be read; the text is the reason."""


class UnusualHeaderError(Exception):
    """The direct walk met something that pydicom has to decide."""


@dataclass(frozen=True, slots=True)
class RawHeader:
    """Wanted elements by tag, as bytes (or as pydicom's value where pydicom had to convert).

    ``pixel_offset`` is the place of the first pixel byte, ``None`` where pixels cannot be read straight from the file;
    ``pixel_length`` is 0 where there are none and ``UNDEFINED_LENGTH`` for encapsulated frames.
    """

    values: dict[int, Any]
    little_endian: bool
    transfer_syntax_uid: str
    pixel_offset: int | None
    pixel_length: int


def read_raw_header(path: Path, wanted: frozenset[int]) -> RawHeader:
    """Read the wanted elements in front of the pixels; what the walk cannot decide is read in a child process.

    Raises
    ------
    NotDicomError
        The file is something else.
    BrokenDicomError
        The file is DICOM and cannot be read.
    """
    try:
        return walk_header(path, wanted)
    except UnusualHeaderError:
        return _ask_child(path, wanted)


def read_raw_header_here(path: Path, wanted: frozenset[int]) -> RawHeader:
    """Read as :func:`read_raw_header`, all of it in this process; for children only."""
    try:
        return walk_header(path, wanted)
    except UnusualHeaderError:
        pass
    try:
        with path.open("rb", buffering=0) as file:
            return _read_with_pydicom(file, wanted)
    except OSError as error:
        raise BrokenDicomError(_unreadable(error)) from error
    except (BrokenDicomError, MemoryError):
        raise
    except RecursionError as error:
        raise BrokenDicomError("its sequences are nested without end") from error
    except Exception as error:
        raise BrokenDicomError(f"the header is damaged ({type(error).__name__})") from error


def walk_header(path: Path, wanted: frozenset[int]) -> RawHeader:
    """Read the wanted elements by the direct walk alone.

    Raises
    ------
    UnusualHeaderError
        pydicom has to decide.
    NotDicomError, BrokenDicomError
        As :func:`read_raw_header`.
    """
    try:
        head = _read_head(path)
    except OSError as error:
        raise BrokenDicomError(_unreadable(error)) from error
    _require_dicom(head)
    try:
        return _walk_file(head, wanted)
    except (struct.error, RecursionError, UnicodeDecodeError) as error:
        raise UnusualHeaderError from error


def _read_head(path: Path) -> bytes:
    descriptor = os.open(path, _OPEN_FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotDicomError  # pipes and devices could be waited for without end
        return os.read(descriptor, _HEAD_BYTES)
    finally:
        os.close(descriptor)


def _unreadable(error: OSError) -> str:
    return f"the file cannot be read ({error.strerror or type(error).__name__})"


def _require_dicom(head: bytes) -> None:
    if head[128:132] == b"DICM":
        return
    # Files from before 1993 and some exports start with the first element instead of a preamble (PS3.10 7.1).
    if len(head) > 132 and _TAG.unpack_from(head) in _FIRST_ELEMENTS and (head[4:6].isupper() or head[6:8] == b"\0\0"):
        return
    raise NotDicomError


# ------------------------------------------------------------------------------------------- the direct walk


def _walk_file(head: bytes, wanted: frozenset[int]) -> RawHeader:
    if head[128:132] != b"DICM":
        raise UnusualHeaderError
    values, position = _walk(head, 132, explicit=True, wanted=_META_TAGS, stop=0x00030000)
    syntax = values.get(TRANSFER_SYNTAX, b"").decode("ascii").rstrip(" \0")
    if not syntax or syntax in (DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian):
        raise UnusualHeaderError
    explicit = syntax != ImplicitVRLittleEndian
    elements, position = _walk(head, position, explicit=explicit, wanted=wanted, stop=PIXEL_DATA)
    values.update(elements)
    if _tag_at(head, position) != PIXEL_DATA:
        raise UnusualHeaderError
    if explicit and head[position + 4 : position + 6] in _LONG_VRS:
        return RawHeader(values, True, syntax, position + 12, _LONG.unpack_from(head, position + 8)[0])
    if explicit:
        raise UnusualHeaderError
    return RawHeader(values, True, syntax, position + 8, _LONG.unpack_from(head, position + 4)[0])


def _tag_at(head: bytes, position: int) -> int:
    group, element = _TAG.unpack_from(head, position)
    return int(group << 16 | element)


def _walk(
    head: bytes, position: int, *, explicit: bool, wanted: frozenset[int], stop: int
) -> tuple[dict[int, Any], int]:
    """Collect wanted elements from ``position`` until the first tag at or behind ``stop``; return where that is."""
    values: dict[int, Any] = {}
    unpack = (_EXPLICIT if explicit else _IMPLICIT).unpack_from
    while True:
        group, element, vr, length = unpack(head, position)
        tag = group << 16 | element
        if tag >= stop:
            return values, position
        start = position + 8
        if vr in _LONG_VRS:
            length, start = _LONG.unpack_from(head, start)[0], position + 12
        elif vr not in _SHORT_VRS and explicit:
            raise UnusualHeaderError
        if length == UNDEFINED_LENGTH:
            position = _skip_sequence(head, start, explicit)
            continue
        position = start + length
        if tag in wanted:
            if position > len(head):
                raise UnusualHeaderError
            values[tag] = head[start:position]


def _length_at(head: bytes, position: int, explicit: bool) -> tuple[int, int]:
    """Return length and start of the value whose element begins at ``position``."""
    if not explicit:
        return _LONG.unpack_from(head, position + 4)[0], position + 8
    vr = head[position + 4 : position + 6]
    if vr in _SHORT_VRS:
        return _SHORT.unpack_from(head, position + 6)[0], position + 8
    if vr in _LONG_VRS:
        return _LONG.unpack_from(head, position + 8)[0], position + 12
    raise UnusualHeaderError


def _skip_sequence(head: bytes, position: int, explicit: bool) -> int:
    """Return the place behind a sequence of undefined length whose first item begins at ``position``."""
    while True:
        tag = _tag_at(head, position)
        length = _LONG.unpack_from(head, position + 4)[0]
        position += 8
        if tag == _SEQUENCE_END:
            return position
        if tag != _ITEM:
            raise UnusualHeaderError
        if length == UNDEFINED_LENGTH:
            position = _skip_item(head, position, explicit)
        else:
            position += length


def _skip_item(head: bytes, position: int, explicit: bool) -> int:
    while _tag_at(head, position) != _ITEM_END:
        length, start = _length_at(head, position, explicit)
        position = _skip_sequence(head, start, explicit) if length == UNDEFINED_LENGTH else start + length
    return position + 8


# ------------------------------------------------------------------------------------------- pydicom for the rest


def _ask_child(path: Path, wanted: frozenset[int]) -> RawHeader:
    try:
        answer, _ = dicom_children().call(
            "star_core.dicom.scan:read_unusual_task", {"path": str(path.absolute()), "wanted": sorted(wanted)}
        )
    except IsolationError as error:
        raise BrokenDicomError(f"reading it was stopped ({error})") from error
    if "broken" in answer:
        raise BrokenDicomError(answer["broken"])
    values: dict[int, Any] = {int(tag): text.encode("latin-1") for tag, text in answer["bytes"].items()}
    values.update({int(tag): text for tag, text in answer["texts"].items()})
    return RawHeader(
        values, answer["little_endian"], answer["transfer_syntax_uid"], answer["pixel_offset"], answer["pixel_length"]
    )


def read_unusual_task(options: Mapping[str, Any], payload: bytes) -> tuple[dict[str, Any], Buffer]:
    """Read a header that the walk gave up on; runs in the child process only."""
    try:
        header = read_raw_header_here(Path(options["path"]), frozenset(options["wanted"]))
    except BrokenDicomError as error:
        return {"broken": str(error)}, b""
    raw = {tag: value for tag, value in header.values.items() if isinstance(value, bytes)}
    texts = {tag: _to_text(value) for tag, value in header.values.items() if tag not in raw and value is not None}
    return {
        "bytes": {tag: value.decode("latin-1") for tag, value in raw.items() if len(value) <= _HEAD_BYTES},
        "texts": {tag: text for tag, text in texts.items() if len(text) <= _HEAD_BYTES},
        "little_endian": header.little_endian,
        "transfer_syntax_uid": header.transfer_syntax_uid,
        "pixel_offset": header.pixel_offset,
        "pixel_length": header.pixel_length,
    }, b""


def _to_text(value: Any) -> str:
    return "\\".join(map(str, value)) if isinstance(value, list | tuple | MultiValue) else str(value)


def read_dataset_here(
    file: BinaryIO, tags: Sequence[Any] | None = None, *, pixels: bool = False, most_bytes: int = MOST_HEADER_BYTES
) -> pydicom.Dataset:
    """Read a file with pydicom; for children only. A deflated one is unpacked to ``most_bytes`` and no further."""
    wanted: list[Any] | None = None if tags is None else [Tag("SpecificCharacterSet"), *map(Tag, tags)]
    head = file.read(_HEAD_BYTES)
    start = _deflated_start(head)
    file.seek(0)
    if start is None:
        return pydicom.dcmread(file, stop_before_pixels=not pixels, specific_tags=wanted, force=True)
    file.seek(start)
    plain = BytesIO(zlib.decompressobj(-zlib.MAX_WBITS).decompress(file.read(), most_bytes))
    stop = None if pixels else _is_pixel_data
    dataset = read_dataset(plain, False, True, stop_when=stop, specific_tags=wanted)
    dataset.file_meta = pydicom.dcmread(BytesIO(head[:start]), force=True).file_meta
    return dataset


def _is_pixel_data(tag: Any, vr: str | None, length: int) -> bool:
    return int(tag) >= PIXEL_DATA


def _deflated_start(head: bytes) -> int | None:
    """Return where the deflated part begins, or ``None`` where the file is not deflated."""
    if head[128:132] != b"DICM":
        return None
    try:
        values, position = _walk(head, 132, explicit=True, wanted=_META_TAGS, stop=0x00030000)
    except (struct.error, UnusualHeaderError):
        return None
    syntax = values.get(TRANSFER_SYNTAX, b"").rstrip(b" \0")
    return position if syntax == DeflatedExplicitVRLittleEndian.encode() else None


def _read_with_pydicom(file: BinaryIO, wanted: frozenset[int]) -> RawHeader:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = read_dataset_here(file, sorted(wanted))
        meta = dataset.file_meta
        syntax = str(meta.get("TransferSyntaxUID", "")) or syntax_by_encoding(dataset)
        values: dict[int, Any] = {int(tag): element.value for tag, element in dataset.items()}
        values[MEDIA_SOP_CLASS] = str(meta.get("MediaStorageSOPClassUID", "")).encode()
        values[MEDIA_SOP_INSTANCE] = str(meta.get("MediaStorageSOPInstanceUID", "")).encode()
    if len(values) <= 2 and values[MEDIA_SOP_CLASS].decode() not in WITHOUT_SERIES:
        raise BrokenDicomError("the header holds no image or segmentation elements")
    offset, length = _pixel_element(file, syntax)
    return RawHeader(values, syntax != ExplicitVRBigEndian, syntax, offset, length)


def syntax_by_encoding(dataset: pydicom.Dataset) -> str:
    implicit, little = dataset.original_encoding
    if little is False:
        return str(ExplicitVRBigEndian)
    return str(ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian)


def _pixel_element(file: BinaryIO, syntax: str) -> tuple[int | None, int]:
    """Return offset and length of the pixel bytes; reading stopped in front of their element."""
    if syntax == DeflatedExplicitVRLittleEndian:
        return None, UNDEFINED_LENGTH
    start = file.tell()
    element = file.read(12)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    if len(element) < 8:
        return None, 0
    group, number = struct.unpack_from(order + "HH", element)
    if (group << 16 | number) != PIXEL_DATA:
        return None, 0
    if element[4:6] in _LONG_VRS and len(element) == 12:
        return start + 12, int(struct.unpack_from(order + "I", element, 8)[0])
    return start + 8, int(struct.unpack_from(order + "I", element, 4)[0])
