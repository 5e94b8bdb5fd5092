"""Objects that arrive from the network: onto the disk as they come, under names made from hashes, within limits.

An object that is not whole is never seen: it is written to a folder of its own and moved beside the others at its end.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import threading
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import star_core
from star_core.storage import storage_error

WHOLE_FOLDER, PARTIAL_FOLDER = "whole", "partial"
SPARE_BYTES = 256 << 20
LONGEST_UID = 64

SUCCESS: Final = 0x0000
OUT_OF_RESOURCES: Final = 0xA700
DATA_MISMATCH: Final = 0xA900
CANNOT_UNDERSTAND: Final = 0xC000
"""Status of a C-STORE (PS3.4 B.2.3)."""

_IMPLEMENTATION_UID = "2.25.236480316186240918218046318512041736271"
_IMPLEMENTATION_NAME = f"STAR_{star_core.__version__}"[:16]


class RefusedError(Exception):
    """An object is not taken; ``status`` is what its sender is told."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is taken at most: bytes of one object; objects and bytes of one association or retrieval."""

    object_bytes: int = 4 << 30
    objects: int = 50_000
    total_bytes: int = 200 << 30


@dataclass(slots=True)
class Tally:
    """Objects and bytes that one association or retrieval has brought."""

    objects: int = 0
    total_bytes: int = 0


class Intake:
    """A folder for what arrives; several associations may write to it at once.

    Parameters
    ----------
    wanted
        SOP Instance UIDs that were asked for; others are refused. ``None`` takes all.
    """

    def __init__(self, folder: Path, *, limits: Limits | None = None, wanted: Collection[str] | None = None) -> None:
        self.folder = folder
        self.limits = limits or Limits()
        self._wanted = None if wanted is None else frozenset(wanted)
        self._lock = threading.Lock()
        self._number = 0
        self.received = 0
        self.refusals: list[str] = []
        try:
            (folder / WHOLE_FOLDER).mkdir(parents=True, exist_ok=True)
            shutil.rmtree(folder / PARTIAL_FOLDER, ignore_errors=True)
            (folder / PARTIAL_FOLDER).mkdir()
        except OSError as error:
            raise storage_error(folder, error) from error

    @property
    def whole_folder(self) -> Path:
        """The folder of the objects that are whole."""
        return self.folder / WHOLE_FOLDER

    def has(self, sop_uid: str) -> bool:
        """Tell whether an object is here, whole."""
        return (self.whole_folder / to_file_name(sop_uid)).is_file()

    def count_whole(self) -> int:
        """Return how many objects lie here, whole."""
        return sum(1 for _ in self.whole_folder.iterdir())

    def set_aside(self, name: str) -> None:
        """Move the whole objects, if there are any, to a folder of their own beside."""
        waiting = list(self.whole_folder.iterdir())
        if waiting:
            aside = self.folder / name
            aside.mkdir()
            for path in waiting:
                path.replace(aside / path.name)

    def begin(
        self, *, sop_class_uid: str, sop_uid: str, transfer_syntax_uid: str, sender: str, tally: Tally
    ) -> Arrival:
        """Begin to take an object.

        Raises
        ------
        RefusedError
            When it is not wanted, a limit is reached, or the disk is full.
        """
        try:
            self._check(sop_uid, tally)
            header = encode_file_header(sop_class_uid, sop_uid, transfer_syntax_uid, sender)
            return Arrival(self, self._next_path(), header, tally, sop_uid=sop_uid)
        except RefusedError as error:
            self.note_refusal(str(error))
            raise

    def take_file(self, data: bytes, tally: Tally) -> None:
        """Take a whole file; what it is stands in its own header.

        Raises
        ------
        RefusedError
            When it is no DICOM file, is not wanted, a limit is reached, or the disk is full.
        """
        path = self._next_path()
        arrival = Arrival(self, path, b"", tally)
        arrival.write(data)
        try:
            arrival.sop_uid = _read_sop_uid(path)
            self._check(arrival.sop_uid, tally)
            arrival.finish()
        finally:
            arrival.discard()

    def _next_path(self) -> Path:
        with self._lock:
            self._number += 1
            return self.folder / PARTIAL_FOLDER / str(self._number)

    def _check(self, sop_uid: str, tally: Tally) -> None:
        if not is_uid(sop_uid):
            raise RefusedError(CANNOT_UNDERSTAND, "its SOP Instance UID is none")
        if self._wanted is not None and sop_uid not in self._wanted:
            raise RefusedError(DATA_MISMATCH, "it was not asked for")
        if tally.objects >= self.limits.objects:
            raise RefusedError(OUT_OF_RESOURCES, f"more than {self.limits.objects} objects")
        if shutil.disk_usage(self.folder).free < SPARE_BYTES:
            raise RefusedError(OUT_OF_RESOURCES, "the disk is full")

    def note_refusal(self, reason: str) -> None:
        """Remember why an object was not taken; what is kept is bounded."""
        with self._lock:
            if len(self.refusals) < 1000:
                self.refusals.append(reason)

    def count(self) -> None:
        """Count an object that is whole."""
        with self._lock:
            self.received += 1


class Arrival:
    """An object that is being received."""

    def __init__(self, intake: Intake, path: Path, header: bytes, tally: Tally, *, sop_uid: str = "") -> None:
        self._intake, self._path, self._tally = intake, path, tally
        self.sop_uid = sop_uid
        self._size, self._file = 0, _open(path)
        self._write(header)

    def write(self, data: memoryview | bytes) -> None:
        """Append bytes of the data set.

        Raises
        ------
        RefusedError
            When a limit is reached or the disk is full; nothing of the object remains.
        """
        limits = self._intake.limits
        self._size += len(data)
        self._tally.total_bytes += len(data)
        if self._size > limits.object_bytes:
            self._refuse(f"it is larger than {limits.object_bytes} bytes")
        if self._tally.total_bytes > limits.total_bytes:
            self._refuse(f"more than {limits.total_bytes} bytes in all")
        self._write(data)

    def finish(self) -> None:
        """Move the object to its place.

        Raises
        ------
        RefusedError
            When it is empty, or cannot be moved.
        """
        if self._size == 0:
            self._refuse("it is empty", DATA_MISMATCH)
        try:
            self._file.close()
            os.replace(self._path, self._intake.whole_folder / to_file_name(self.sop_uid))  # noqa: PTH105
        except OSError as error:
            self._refuse(f"it cannot be written ({error.strerror})")
        self._tally.objects += 1
        self._intake.count()

    def discard(self) -> None:
        """Remove what has come."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def _write(self, data: memoryview | bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            self._refuse(f"it cannot be written ({error.strerror})")

    def _refuse(self, reason: str, status: int = OUT_OF_RESOURCES) -> None:
        self.discard()
        self._intake.note_refusal(reason)
        raise RefusedError(status, reason)


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("xb", buffering=0)
    except OSError as error:
        raise RefusedError(OUT_OF_RESOURCES, f"it cannot be written ({error.strerror})") from error


def _read_sop_uid(path: Path) -> str:
    from pydicom.datadict import tag_for_keyword

    from star_core.dicom.scan import MEDIA_SOP_INSTANCE, BrokenDicomError, NotDicomError, read_raw_header

    tag = int(tag_for_keyword("SOPInstanceUID") or 0)
    try:
        values = read_raw_header(path, frozenset({tag})).values
    except (NotDicomError, BrokenDicomError) as error:
        raise RefusedError(CANNOT_UNDERSTAND, "it is no DICOM file") from error
    value = values.get(tag) or values.get(MEDIA_SOP_INSTANCE, b"")
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return text.strip("\0 ")


def to_file_name(sop_uid: str) -> str:
    """Return the name of an object's file: a hash, so that no text from the network is part of a path."""
    return hashlib.sha256(sop_uid.encode("utf-8", "surrogateescape")).hexdigest() + ".dcm"


def is_uid(text: str) -> bool:
    """Tell whether a text is a UID (PS3.5 9.1); components with leading zeros, which some devices write, pass."""
    return 0 < len(text) <= LONGEST_UID and text.isascii() and text.replace(".", "").isdigit()


def encode_file_header(sop_class_uid: str, sop_uid: str, transfer_syntax_uid: str, sender: str) -> bytes:
    """Return preamble and file meta information of an object, to which its data set is appended (PS3.10 7.1)."""
    elements = b"".join(
        (
            struct.pack("<HH2sHI2s", 0x0002, 0x0001, b"OB", 0, 2, b"\0\1"),
            _short_element(0x0002, b"UI", sop_class_uid, b"\0"),
            _short_element(0x0003, b"UI", sop_uid, b"\0"),
            _short_element(0x0010, b"UI", transfer_syntax_uid, b"\0"),
            _short_element(0x0012, b"UI", _IMPLEMENTATION_UID, b"\0"),
            _short_element(0x0013, b"SH", _IMPLEMENTATION_NAME, b" "),
            _short_element(0x0016, b"AE", sender[:16], b" "),
        )
    )
    return b"\0" * 128 + b"DICM" + struct.pack("<HH2sHI", 0x0002, 0x0000, b"UL", 4, len(elements)) + elements


def _short_element(number: int, vr: bytes, text: str, padding: bytes) -> bytes:
    value = text.encode("ascii", "replace")
    value += padding * (len(value) % 2)
    return struct.pack("<HH2sH", 0x0002, number, vr, len(value)) + value
