"""Broken copies of DICOM files, by seed: cut, flipped, wrong lengths, huge, deep, path-like, not a number."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

DEPTH = 200
Break = Callable[[bytes, np.random.Generator], bytes]


def break_file(data: bytes, *seed: int) -> tuple[str, bytes]:
    """Return how a copy of ``data`` was broken, and the copy; the same for the same seed."""
    rng = np.random.default_rng(seed)
    names = sorted(BREAKS)
    name = names[int(rng.integers(len(names)))]
    return name, BREAKS[name](data, rng)


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(0, len(data)))]


def _flip(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for place in rng.integers(0, min(len(data), 4096), size=int(rng.integers(1, 40))):
        changed[int(place)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _flip_anywhere(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for place in rng.integers(0, max(1, len(data)), size=int(rng.integers(1, 60))):
        changed[int(place)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _wrong_lengths(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        place = int(rng.integers(132, max(133, min(len(data) - 4, 3000))))
        struct.pack_into("<H", changed, place, int(rng.integers(0, 1 << 16)))
    return bytes(changed)


def _wrong_long_lengths(data: bytes, rng: np.random.Generator) -> bytes:
    """Change lengths of items, sequences and fragments, wherever one is found."""
    changed, place = bytearray(data), int(rng.integers(0, max(1, len(data))))
    for _ in range(int(rng.integers(1, 6))):
        place = data.find(b"\xfe\xff\x00\xe0", place)
        if place < 0 or place + 8 > len(data):
            return bytes(changed) if changed != data else _wrong_lengths(data, rng)
        length = (0, 7, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF, int(rng.integers(1 << 20)))[int(rng.integers(6))]
        struct.pack_into("<I", changed, place + 4, length)
        place += 8
    return bytes(changed)


def _wrong_shape(data: bytes, rng: np.random.Generator) -> bytes:
    def change(dataset: Dataset) -> None:
        for name in rng.choice(["Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel"], 2):
            setattr(dataset, str(name), int(rng.choice([0, 1, 7, 8, 12, 16, 32, 64, 513, 4096, 65_535])))
        if rng.integers(2):
            dataset.NumberOfFrames = int(rng.integers(0, 400))

    return _rewrite(data, change)


def _huge(data: bytes, rng: np.random.Generator) -> bytes:
    def change(dataset: Dataset) -> None:
        dataset.Rows, dataset.Columns = 65_535, 65_535
        dataset.NumberOfFrames = int(rng.integers(1, 1 << 31))
        dataset.SeriesDescription = "x" * 60_000

    return _rewrite(data, change)


def _deep(data: bytes, rng: np.random.Generator) -> bytes:
    def change(dataset: Dataset) -> None:
        item = Dataset()
        for _ in range(DEPTH):
            outer = Dataset()
            outer.ReferencedSeriesSequence = Sequence([item])
            item = outer
        dataset.ReferencedSeriesSequence = Sequence([item])

    return _rewrite(data, change)


def _endless(data: bytes, rng: np.random.Generator) -> bytes:
    """Sequences within sequences of undefined length that never end: what a cycle is on disk."""
    opening = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    return data[: min(len(data), 400)] + opening * int(rng.integers(10, 20_000))


def _path_like(data: bytes, rng: np.random.Generator) -> bytes:
    def change(dataset: Dataset) -> None:
        path = rng.choice(["../../../../tmp/escape", "/etc/passwd", "C:\\\\escape", "..\\..\\escape", "a/../b"])
        dataset.SOPInstanceUID, dataset.SeriesInstanceUID = str(path), str(path)
        dataset.PatientID = str(path)

    return _rewrite(data, change)


def _not_a_number(data: bytes, rng: np.random.Generator) -> bytes:
    def change(dataset: Dataset) -> None:
        for name in ("PixelSpacing", "ImagePositionPatient", "SliceThickness", "SeriesNumber", "InstanceNumber"):
            if name in dataset:
                del dataset[name]
        raw = (b"nan\\nan ", b"1e999\\-1e999 ", b"\\\\\\ ", b"  ", b"0\\0 ")[int(rng.integers(5))]
        for group in dataset.get("PerFrameFunctionalGroupsSequence", ())[:3]:
            numbers = [float(rng.choice([np.nan, np.inf, 1e300, -1e-300])) for _ in range(3)]
            item = Dataset()
            item.ImagePositionPatient = [f"{number:.6g}" for number in numbers]
            group.PlanePositionSequence = Sequence([item])
        dataset.add_new(0x00280030, "UN", raw)
        dataset.add_new(0x00200011, "UN", b"nan ")
        dataset.add_new(0x00200013, "UN", b"1e400 ")

    return _rewrite(data, change)


def _rewrite(data: bytes, change: Callable[[Dataset], None]) -> bytes:
    """Return the file with its elements changed; one that pydicom cannot write again is cut in half instead."""
    target = BytesIO()
    with pydicom.config.disable_value_validation():
        try:
            dataset = pydicom.dcmread(BytesIO(data), force=True)
            change(dataset)
            dataset.save_as(target)
        except Exception:  # noqa: BLE001 - the samples are broken in their own ways
            return data[: len(data) // 2]
    return target.getvalue()


BREAKS: dict[str, Break] = {
    "bits flipped anywhere": _flip_anywhere,
    "bits flipped in the header": _flip,
    "cut": _cut,
    "deep sequences": _deep,
    "endless sequences": _endless,
    "huge dimensions": _huge,
    "not a number": _not_a_number,
    "path-like": _path_like,
    "wrong lengths of elements": _wrong_lengths,
    "wrong lengths of items": _wrong_long_lengths,
    "wrong shape": _wrong_shape,
}
