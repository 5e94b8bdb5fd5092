"""Compressed pixels: native codecs run in child processes, so that a damaged stream costs one error and no crash.

Codecs: GDCM and CharLS (pyjpegls) through pydicom, openjpeg where pydicom can reach it. pylibjpeg-libjpeg is never
asked, because of its licence.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import config
from pydicom.uid import UID

from star_core.dicom.children import DECODE_TIMEOUT_S, dicom_children
from star_core.dicom.header import InstanceHeader
from star_core.dicom.pixels import (
    NATIVE_SYNTAXES,
    convert_into,
    cut_off,
    damaged,
    read_native_into,
    slice_name,
    stored_dtype,
    unreadable,
)
from star_core.errors import DecodingError
from star_core.isolation import Buffer, IsolationError
from star_core.types import ProgressCallback

_MIN_SLICES_PER_CHILD = 32
_MAX_ENCODED_BYTES = 1 << 26
_MOST_INFLATED_BYTES = 1 << 29
_ITEM = struct.Struct("<HHI")
CODECS: Mapping[str, tuple[str, ...]] = {
    "1.2.840.10008.1.2.5": ("pylibjpeg", "pydicom"),  # RLE
    "1.2.840.10008.1.2.4.50": ("gdcm",),  # JPEG baseline
    "1.2.840.10008.1.2.4.51": ("gdcm",),  # JPEG extended
    "1.2.840.10008.1.2.4.57": ("gdcm",),  # JPEG lossless
    "1.2.840.10008.1.2.4.70": ("gdcm",),  # JPEG lossless, first-order prediction
    "1.2.840.10008.1.2.4.80": ("pyjpegls", "gdcm"),  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.81": ("pyjpegls", "gdcm"),  # JPEG-LS near-lossless
    "1.2.840.10008.1.2.4.90": ("pylibjpeg", "gdcm"),  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.91": ("pylibjpeg", "gdcm"),  # JPEG 2000
    "1.2.840.10008.1.2.4.201": ("pylibjpeg",),  # High-Throughput JPEG 2000
    "1.2.840.10008.1.2.4.202": ("pylibjpeg",),
    "1.2.840.10008.1.2.4.203": ("pylibjpeg",),
}


def syntax_name(uid: str) -> str:
    """Return the readable name of a transfer syntax."""
    return UID(uid, config.IGNORE).name


def read_slices_into(
    headers: Sequence[InstanceHeader], out_hu: NDArray[np.int16], progress: ProgressCallback
) -> list[InstanceHeader]:
    """Fill ``out_hu`` (D, H, W) with the HU of each slice; return the slices whose values had to be clipped.

    Raises
    ------
    star_core.errors.DecodingError
        A slice's pixels are missing, cut off, damaged or in an unknown encoding.
    """
    compressed = sum(header.transfer_syntax_uid not in NATIVE_SYNTAXES for header in headers)
    children = min(dicom_children().width, -(-compressed // _MIN_SLICES_PER_CHILD))
    threads = children or min(2, os.cpu_count() or 1)
    clipped: list[InstanceHeader] = []
    read = _SliceReader().read_into
    with ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(read, header, out_hu[index]) for index, header in enumerate(headers)]
        try:
            for done, (header, job) in enumerate(zip(headers, jobs, strict=True), start=1):
                if job.result():
                    clipped.append(header)
                progress(done, len(headers))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return clipped


class _SliceReader:
    """Reads slices of any encoding, for several threads; remembers the deflated file that it unpacked last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inflated: tuple[Path, Buffer] | None = None

    def read_into(self, header: InstanceHeader, out_hu: NDArray[np.int16]) -> bool:
        if header.transfer_syntax_uid in NATIVE_SYNTAXES:
            return read_native_into(header, out_hu, self._inflate)
        return convert_into(header, decode_stored(header), out_hu)

    def _inflate(self, header: InstanceHeader) -> Buffer:
        with self._lock:
            if self._inflated is None or self._inflated[0] != header.path:
                options = {"path": str(header.path.absolute()), "most_bytes": _MOST_INFLATED_BYTES}
                try:
                    task = "star_core.dicom.pixels:inflate_task"
                    _, data = dicom_children().call(task, options, timeout_s=DECODE_TIMEOUT_S)
                except IsolationError as error:
                    raise damaged(error) from error
                self._inflated = header.path, data
            return self._inflated[1]


def decode_stored(header: InstanceHeader) -> NDArray[Any]:
    """Return the stored values (H, W) of one compressed slice, decoded in a child.

    Raises
    ------
    star_core.errors.DecodingError
        The pixels are missing, damaged, too large, or in an encoding that no codec here reads.
    """
    if header.transfer_syntax_uid not in CODECS:
        raise DecodingError(
            f"{slice_name(header)}: transfer syntax {syntax_name(header.transfer_syntax_uid)} is not supported.",
            remedy="Export the series uncompressed (Explicit VR Little Endian).",
        )
    dtype = stored_dtype(header)
    return _decode_frame(header, _read_encoded(header, dtype), dtype)


def _decode_frame(header: InstanceHeader, encoded: Buffer, dtype: np.dtype[Any]) -> NDArray[Any]:
    options = {
        "transfer_syntax_uid": header.transfer_syntax_uid,
        "rows": header.rows,
        "columns": header.columns,
        "number_of_frames": header.frames,
        "samples_per_pixel": header.samples,
        "bits_allocated": header.bits_allocated,
        "bits_stored": header.bits_stored,
        "pixel_representation": int(header.signed),
        "photometric_interpretation": header.photometric or "MONOCHROME2",
    }
    try:
        task = "star_core.dicom.decode:decode_task"
        answer, data = dicom_children().call(task, options, encoded, timeout_s=DECODE_TIMEOUT_S)
        stored = np.frombuffer(data, np.dtype(answer["dtype"])).reshape(header.rows, header.columns)
    except (IsolationError, ValueError) as error:
        raise DecodingError(
            f"{slice_name(header)}: its {syntax_name(header.transfer_syntax_uid)} pixels cannot be decoded.",
            remedy="Copy the series again, or export it uncompressed.",
            details=str(error),
        ) from error
    return stored.astype(dtype, copy=False)


def _read_encoded(header: InstanceHeader, dtype: np.dtype[Any]) -> bytes:
    expected = header.rows * header.columns * dtype.itemsize
    if header.pixel_offset is None:
        raise cut_off(header, expected, 0)
    try:
        with header.path.open("rb") as file:
            if header.fragments:
                return _encapsulate(file, header.fragments)
            file.seek(header.pixel_offset)
            return file.read(_MAX_ENCODED_BYTES)
    except OSError as error:
        raise unreadable(error) from error


def _encapsulate(file: BinaryIO, fragments: Sequence[tuple[int, int]]) -> bytes:
    """Return the fragments of one frame as the pixels of a file with that frame alone (PS3.5 A.4)."""
    data, left = [_ITEM.pack(0xFFFE, 0xE000, 0)], _MAX_ENCODED_BYTES
    for start, length in fragments:
        file.seek(start)
        encoded = file.read(min(length, left))
        left -= len(encoded)
        data += [_ITEM.pack(0xFFFE, 0xE000, len(encoded)), encoded]
    return b"".join((*data, _ITEM.pack(0xFFFE, 0xE0DD, 0)))


def decode_task(options: Mapping[str, Any], payload: bytes) -> tuple[dict[str, Any], Buffer]:
    """Decode one frame; runs in the child process only."""
    from pydicom.pixels.decoders.base import get_decoder

    pixel_options = dict(options)
    syntax = pixel_options.pop("transfer_syntax_uid")
    decoder: Any = get_decoder(syntax)
    failures = []
    for plugin in CODECS[syntax]:
        if plugin not in decoder.available_plugins:
            continue
        try:
            stored, _ = decoder.as_array(
                payload,
                index=0,
                raw=True,
                decoding_plugin=plugin,
                pixel_keyword="PixelData",
                **pixel_options,
            )
        except Exception as error:  # noqa: BLE001 - the next codec may read what this one cannot
            failures.append(f"{plugin}: {error}")
        else:
            return {"dtype": stored.dtype.str}, np.ascontiguousarray(stored).tobytes()
    raise ValueError("; ".join(failures) or "no codec for this transfer syntax is installed")
