"""A change of one structure: the voxels of a box that flip, so that doing it again takes it back."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace

import numpy as np

from star_core.errors import SegmentationError
from star_core.types import BoolArray, Geometry, Masks, Structure

_HEAD = struct.Struct("<4sBB3i3I")
_MAGIC, _VERSION = b"SMPT", 1
_LARGEST_VOXELS = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskPatch:
    """Voxels of ``structure`` that flip: ``toggled`` is a box (d, h, w) whose first voxel is ``start`` of the grid."""

    structure: Structure
    start: tuple[int, int, int]
    toggled: BoolArray

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not bool(self.toggled.any())

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """The box on the grid."""
        z, y, x = (slice(at, at + size) for at, size in zip(self.start, self.toggled.shape, strict=True))
        return z, y, x


def build_patch(structure: Structure, start: tuple[int, int, int], before: BoolArray, after: BoolArray) -> MaskPatch:
    """Return the patch from ``before`` to ``after`` (both (d, h, w) from ``start``), cropped to what changes."""
    toggled = before ^ after
    bounds = [np.flatnonzero(toggled.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    if not len(bounds[0]):
        return MaskPatch(structure=structure, start=start, toggled=np.zeros((0, 0, 0), dtype=bool))
    box = tuple(slice(int(b[0]), int(b[-1]) + 1) for b in bounds)
    z, y, x = (at + int(b[0]) for at, b in zip(start, bounds, strict=True))
    return MaskPatch(structure=structure, start=(z, y, x), toggled=toggled[box].copy())


def require_inside(patch: MaskPatch, geometry: Geometry) -> None:
    """Refuse a patch that reaches beyond a grid.

    Raises
    ------
    SegmentationError
        When it does.
    """
    if any(at < 0 for at in patch.start) or any(
        side.stop > size for side, size in zip(patch.box, geometry.shape, strict=True)
    ):
        raise SegmentationError(
            "An edit reaches beyond the scan it is meant for.", remedy="Open the scan it was made on."
        )


def apply_patch(masks: Masks, patch: MaskPatch) -> Masks:
    """Return the structures with a patch applied; applied once more it is taken back.

    Raises
    ------
    SegmentationError
        When the patch reaches beyond the grid.
    """
    require_inside(patch, masks.geometry)
    bits = masks.bits.copy()
    bits[patch.box] ^= patch.toggled.astype(np.uint8) * np.uint8(patch.structure)
    return replace(masks, bits=bits, known=masks.known | patch.structure)


def pack_patch(patch: MaskPatch) -> bytes:
    """Return a patch as compressed bytes."""
    head = _HEAD.pack(_MAGIC, _VERSION, int(patch.structure), *patch.start, *patch.toggled.shape)
    return head + zlib.compress(np.packbits(patch.toggled).tobytes(), 6)


def unpack_patch(content: bytes) -> MaskPatch:
    """Return the patch of :func:`pack_patch`.

    Raises
    ------
    SegmentationError
        When the bytes are damaged or of another version.
    """
    try:
        magic, version, structure, *numbers = _HEAD.unpack_from(content)
        start, shape = (numbers[0], numbers[1], numbers[2]), (numbers[3], numbers[4], numbers[5])
        size = shape[0] * shape[1] * shape[2]
        if magic != _MAGIC or version != _VERSION or size > _LARGEST_VOXELS:
            raise ValueError("not an edit of this version")
        wanted = -(-size // 8)
        unpacker = zlib.decompressobj()
        packed = unpacker.decompress(content[_HEAD.size :], wanted + 1)
        if len(packed) != wanted or not unpacker.eof:
            raise ValueError("the edit's voxels do not fill its box")
        toggled = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=size).astype(bool).reshape(shape)
        return MaskPatch(structure=Structure(structure), start=start, toggled=toggled)
    except (struct.error, zlib.error, ValueError) as error:
        raise SegmentationError(
            "A kept edit of the segmentation is damaged.", remedy="It is left out; draw it again.", details=str(error)
        ) from error
