"""What a reader made of the structures: edits that rest on one another, each a patch with its words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from star_core.errors import SegmentationError
from star_core.imaging.editing.patch import MaskPatch, pack_patch, require_inside, unpack_patch
from star_core.types import Finding, Geometry, Masks, Severity, Structure, Volume

_PARENT = re.compile(rb"rests on ([0-9a-f]{64}|-)\n")
_MAX_HEAD = 2000
HEAD_BYTES = 80
_ANSWERED = {Structure.LIVER: ("seg-without-liver", "seg-empty-liver")}


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskEdit:
    """One edit of the structures.

    Parameters
    ----------
    patch
        The voxels that flip.
    text
        What was done, as a menu says it: "find the liver".
    is_automatic
        Whether a program drew it and nobody by hand.
    parent
        Hash of the packed edit that this one rests on; empty for the first.
    """

    patch: MaskPatch
    text: str
    is_automatic: bool = False
    parent: str = ""


def pack_edit(edit: MaskEdit) -> bytes:
    """Return an edit as bytes; the hash of them is the ``parent`` of the next."""
    words = json.dumps({"text": edit.text[:200], "automatic": edit.is_automatic})
    return f"rests on {edit.parent or '-'}\n{words}\n".encode() + pack_patch(edit.patch)


def unpack_edit(content: bytes) -> MaskEdit:
    """Return the edit of :func:`pack_edit`.

    Raises
    ------
    SegmentationError
        When the bytes are damaged or of another version.
    """
    found = _PARENT.match(content)
    end = content.find(b"\n", found.end(), _MAX_HEAD) if found else -1
    try:
        if found is None or end < 0:
            raise ValueError("not an edit")
        words: Mapping[str, Any] = json.loads(content[found.end() : end])
        return MaskEdit(
            patch=unpack_patch(content[end + 1 :]),
            text=str(words["text"]),
            is_automatic=bool(words["automatic"]),
            parent=parent_of(content),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise SegmentationError(
            "A kept edit of the segmentation is damaged.", remedy="It is left out; draw it again.", details=str(error)
        ) from error


def parent_of(head: bytes) -> str:
    """Return the hash that a packed edit rests on by its first ``HEAD_BYTES``; empty for the first, or no edit."""
    found = _PARENT.match(head)
    return "" if found is None or found[1] == b"-" else found[1].decode()


def empty_masks(volume: Volume) -> Masks:
    """Return structures of which none is known, on a CT's grid."""
    bits = np.zeros(volume.geometry.shape, dtype=np.uint8)
    return Masks(bits=bits, geometry=volume.geometry, known=Structure(0))


def apply_edits(base: Masks, edits: Sequence[MaskEdit]) -> Masks:
    """Return the structures after edits, oldest first, that begin at ``base``.

    Raises
    ------
    SegmentationError
        When an edit reaches beyond the grid.
    """
    return describe_edited(base, toggle(base.bits, base.geometry, [edit.patch for edit in edits]), edits)


def toggle(bits: NDArray[np.uint8], geometry: Geometry, patches: Sequence[MaskPatch]) -> NDArray[np.uint8]:
    """Return a copy of ``bits`` (D, H, W) with patches flipped; the order does not matter.

    Raises
    ------
    SegmentationError
        When a patch reaches beyond the grid.
    """
    changed = bits.copy()
    for patch in patches:
        require_inside(patch, geometry)
        changed[patch.box] ^= patch.toggled.astype(np.uint8) * np.uint8(patch.structure)
    return changed


def describe_edited(base: Masks, bits: NDArray[np.uint8], edits: Sequence[MaskEdit]) -> Masks:
    """Return ``bits`` as structures: what is known of ``base`` and by the edits, and the findings that tell of them."""
    if not edits:
        return base
    automatic = {edit.patch.structure for edit in edits if edit.is_automatic}
    drawn = {edit.patch.structure for edit in edits if not edit.is_automatic}
    touched = automatic | drawn
    answered = {code for structure in touched for code in _ANSWERED.get(structure, ())}
    findings = [finding for finding in base.findings if finding.code not in answered]
    if automatic - drawn:
        findings.append(_note("automatic-structures", "Found by the program and not corrected", automatic - drawn))
    if drawn:
        findings.append(_note("edited-structures", "Drawn or corrected by the reader", drawn))
    known = base.known | Structure(sum(touched))
    lesions = _count_pieces(bits) if Structure.TUMOUR in touched else base.lesion_count
    return replace(base, bits=bits, known=known, lesion_count=lesions, findings=tuple(findings))


def name_structures(structures: Structure) -> str:
    """Return structures in words: "liver, portal veins"."""
    return ", ".join((one.name or "").lower().replace("_", " ") for one in structures)


def _note(code: str, words: str, structures: set[Structure]) -> Finding:
    names = name_structures(Structure(sum(structures)))
    return Finding(code=code, severity=Severity.NOTE, message=f"{words}: {names}.")


def _count_pieces(bits: NDArray[np.uint8]) -> int:
    from scipy.ndimage import label  # the window starts without it

    from star_core.imaging.geometry import crop_to

    inside = (bits & np.uint8(Structure.TUMOUR)) != 0
    return int(label(crop_to(inside)[0], structure=np.ones((3, 3, 3)))[1]) if inside.any() else 0
