"""Stored values to Hounsfield units, and stored values of uncompressed files.

Padding voxels outside the scanner's field of view keep the value that the scanner stored (often -2000 or -3024 HU
after rescaling): changing them would hide what the file says, and every later step clips far above it.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from star_core.dicom.header import InstanceHeader
from star_core.dicom.scan import UNDEFINED_LENGTH, read_dataset_here
from star_core.errors import DecodingError
from star_core.isolation import Buffer

Inflate = Callable[[InstanceHeader], Buffer]
"""Gives the pixel bytes of a deflated file."""
_RECOPY = "Copy the series again from its source."
_MOST_COMPARED_BYTES = 1 << 28
_INT16 = np.iinfo(np.int16)
NATIVE_SYNTAXES = frozenset(
    map(
        str,
        (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian),
    )
)


def stored_dtype(header: InstanceHeader) -> np.dtype[Any]:
    """Return the little-endian dtype of the stored values.

    Raises
    ------
    star_core.errors.DecodingError
        The file stores its values in a width that no CT uses.
    """
    if header.bits_allocated not in (8, 16, 32) or not 0 < header.bits_stored <= header.bits_allocated:
        raise DecodingError(
            f"A slice stores {header.bits_stored} of {header.bits_allocated} bits a voxel, expected 8, 16 or 32 bits.",
            remedy="Export the series again as CT images.",
        )
    return np.dtype(f"<{'i' if header.signed else 'u'}{header.bits_allocated // 8}")


def read_native_into(header: InstanceHeader, out_hu: NDArray[np.int16], inflate: Inflate) -> bool:
    """Read one uncompressed slice as HU into ``out_hu`` (H, W) and tell whether values had to be clipped to int16.

    ``inflate`` is asked for the pixels of deflated files, which nobody but a child unpacks.

    Raises
    ------
    star_core.errors.DecodingError
        The pixels are missing or cut off.
    """
    dtype = stored_dtype(header)
    if (
        dtype.itemsize == 2
        and header.pixel_offset is not None
        and header.transfer_syntax_uid != ExplicitVRBigEndian
        and out_hu.flags.c_contiguous
    ):
        _read_exactly(header, out_hu)
        return convert_in_place(header, out_hu)
    return convert_into(header, _read_native(header, dtype, inflate), out_hu)


def _read_exactly(header: InstanceHeader, out: NDArray[np.int16]) -> None:
    if header.pixel_length == UNDEFINED_LENGTH or header.pixel_length < out.nbytes:
        raise cut_off(header, out.nbytes, 0 if header.pixel_length == UNDEFINED_LENGTH else header.pixel_length)
    try:
        with io.FileIO(header.path) as file:
            file.seek(header.pixel_offset or 0)
            buffer, filled = memoryview(out.data).cast("B"), 0
            while filled < out.nbytes:
                count = file.readinto(buffer[filled:])
                if not count:
                    raise cut_off(header, out.nbytes, filled)
                filled += count
    except OSError as error:
        raise unreadable(error) from error


def _read_native(header: InstanceHeader, dtype: np.dtype[Any], inflate: Inflate) -> NDArray[Any]:
    """Return the stored values (H, W) of a big-endian, deflated, 8-bit or 32-bit file."""
    expected = header.rows * header.columns * dtype.itemsize
    try:
        if header.pixel_offset is None:
            data: Buffer = memoryview(inflate(header))[header.frame * expected :][:expected]
        else:
            with header.path.open("rb") as file:
                file.seek(header.pixel_offset)
                data = file.read(min(header.pixel_length, expected))
    except OSError as error:
        raise unreadable(error) from error
    if len(data) < expected:
        raise cut_off(header, expected, len(data))
    big_endian = header.transfer_syntax_uid == ExplicitVRBigEndian
    stored = np.frombuffer(data, dtype.newbyteorder(">") if big_endian else dtype, count=header.rows * header.columns)
    return stored.reshape(header.rows, header.columns)


def inflate_task(options: Mapping[str, Any], payload: bytes) -> tuple[dict[str, Any], Buffer]:
    """Return the pixel bytes of a deflated file; runs in the child process only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Path(options["path"]).open("rb") as file:
            dataset = read_dataset_here(file, pixels=True, most_bytes=options["most_bytes"])
        return {}, bytes(dataset.get("PixelData") or b"")


def damaged(error: Exception) -> DecodingError:
    """Build the error for deflated pixels that cannot be unpacked."""
    return DecodingError("The compressed pixels of a slice are damaged.", remedy=_RECOPY, details=str(error))


def read_pixel_bytes(header: InstanceHeader) -> tuple[bytes, ...]:
    """Return a slice's pixels as its file holds them, to compare two slices; a deflated file's all bytes.

    Raises
    ------
    star_core.errors.DecodingError
        The file cannot be read any more.
    """
    length = _MOST_COMPARED_BYTES if header.pixel_length == UNDEFINED_LENGTH else header.pixel_length
    spans = header.fragments or ((header.pixel_offset or 0, length),)
    try:
        with header.path.open("rb") as file:
            return tuple(_read_span(file, *span) for span in spans)
    except OSError as error:
        raise unreadable(error) from error


def _read_span(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(start)
    return file.read(min(length, _MOST_COMPARED_BYTES))


def cut_off(header: InstanceHeader, expected: int, found: int) -> DecodingError:
    """Build the error for a file that ends too early."""
    return DecodingError(
        f"{slice_name(header)}: the pixels are cut off after {found:,} of {expected:,} bytes.", remedy=_RECOPY
    )


def unreadable(error: OSError) -> DecodingError:
    """Build the error for a file that was there a moment ago and cannot be read now."""
    return DecodingError(f"A slice's file cannot be read any more ({error.strerror}).", remedy=_RECOPY)


def slice_name(header: InstanceHeader) -> str:
    """Return how messages name a slice."""
    return "A slice" if header.instance_number is None else f"Slice with instance number {header.instance_number}"


# --------------------------------------------------------------------------------------------- Hounsfield units


def rescale_of(header: InstanceHeader) -> tuple[float, float]:
    """Return slope and intercept; a silent header means that stored values are HU already (PS3.3 C.11.1)."""
    slope = 1.0 if header.slope is None else header.slope
    return slope, 0.0 if header.intercept is None else header.intercept


def convert_in_place(header: InstanceHeader, stored: NDArray[np.int16]) -> bool:
    """Turn 16-bit stored values (H, W), held in an int16 array, into HU within the same memory."""
    slope, intercept = rescale_of(header)
    values: NDArray[Any] = stored if header.signed else stored.view(np.uint16)
    low, high = int(values.min()), int(values.max())
    plain = slope == 1.0 and intercept.is_integer() and high <= _INT16.max and _fits_stored_bits(header, low, high)
    if plain and low + intercept >= _INT16.min and high + intercept <= _INT16.max:
        if intercept:
            stored += np.int16(intercept)
        return False
    return convert_into(header, values.copy(), stored)


def _fits_stored_bits(header: InstanceHeader, low: int, high: int) -> bool:
    if header.high_bit != header.bits_stored - 1:
        return False
    if header.signed:
        return low >= -(1 << header.bits_stored - 1) and high < 1 << header.bits_stored - 1
    return high < 1 << header.bits_stored


def convert_into(header: InstanceHeader, stored: NDArray[Any], out_hu: NDArray[np.int16]) -> bool:
    """Turn stored values (H, W) into HU, rounded to whole numbers, and tell whether any was clipped to int16."""
    slope, intercept = rescale_of(header)
    with np.errstate(over="ignore"):  # a slope may be any number; what it blows up is clipped and told
        hu = _without_foreign_bits(header, stored).astype(np.float64) * slope + intercept
    np.rint(hu, out=hu)
    clipped = bool(hu.min() < _INT16.min or hu.max() > _INT16.max)
    out_hu[...] = np.clip(hu, _INT16.min, _INT16.max, out=hu)
    return clipped


def _without_foreign_bits(header: InstanceHeader, stored: NDArray[Any]) -> NDArray[Any]:
    """Keep the stored bits only; older files hold overlays in the others (PS3.5 8.1.1)."""
    width = 8 * stored.dtype.itemsize
    left, right = width - 1 - header.high_bit, width - header.bits_stored
    if (left, right) == (0, 0) or left < 0 or left > right:
        return stored
    native = stored.astype(stored.dtype.newbyteorder("="))
    kept: NDArray[Any] = np.right_shift(np.left_shift(native, left), right)
    return kept
