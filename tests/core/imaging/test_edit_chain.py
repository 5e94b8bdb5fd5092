"""Edits of the structures rest on one another, survive packing, and say what they make known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from star_core import api
from star_core.errors import SegmentationError
from star_core.imaging.editing.chain import (
    HEAD_BYTES,
    MaskEdit,
    apply_edits,
    empty_masks,
    pack_edit,
    parent_of,
    unpack_edit,
)
from star_core.imaging.editing.patch import MaskPatch
from star_core.types import Case, Finding, Geometry, Masks, Severity, Structure, Volume

GRID = Geometry(shape=(6, 8, 8), affine_lps=np.diag([3.0, 1.0, 1.0, 1.0]))
VOLUME = Volume(voxels_hu=np.zeros(GRID.shape, np.int16), geometry=GRID, series_uid="1.2")


def edit_of(structure: Structure, at: int, *, is_automatic: bool = False, parent: str = "") -> MaskEdit:
    patch = MaskPatch(structure=structure, start=(at, 1, 1), toggled=np.ones((1, 2, 3), dtype=bool))
    return MaskEdit(patch=patch, text="paint", is_automatic=is_automatic, parent=parent)


def test_an_edit_survives_packing_and_its_first_bytes_tell_what_it_rests_on() -> None:
    edit = edit_of(Structure.LIVER, 2, is_automatic=True, parent="ab" * 32)
    packed = pack_edit(edit)
    again = unpack_edit(packed)
    np.testing.assert_array_equal(again.patch.toggled, edit.patch.toggled)
    assert (again.text, again.is_automatic, again.parent) == (edit.text, True, edit.parent)
    assert parent_of(packed[:HEAD_BYTES]) == "ab" * 32
    assert parent_of(pack_edit(edit_of(Structure.LIVER, 2))) == ""


@pytest.mark.parametrize("content", [b"", b"rests on -\n", b"rests on -\n[]\nx", b"rests on zz\n{}\n", b"\x00" * 90])
def test_what_is_no_edit_is_refused(content: bytes) -> None:
    assert parent_of(content) == ""
    with pytest.raises(SegmentationError, match="damaged"):
        unpack_edit(content)


def test_structures_that_were_edited_are_known_and_the_findings_say_how() -> None:
    masks = apply_edits(
        empty_masks(VOLUME), [edit_of(Structure.LIVER, 1, is_automatic=True), edit_of(Structure.TUMOUR, 1)]
    )
    assert masks.known == Structure.LIVER | Structure.TUMOUR
    assert masks.lesion_count == 1
    assert [finding.message for finding in masks.findings] == [
        "Found by the program and not corrected: liver.",
        "Drawn or corrected by the reader: tumour.",
    ]


def test_tumours_are_counted_anew_only_where_they_were_edited() -> None:
    base = Masks(bits=np.zeros(GRID.shape, np.uint8), geometry=GRID, known=Structure.TUMOUR, lesion_count=7)
    assert apply_edits(base, [edit_of(Structure.LIVER, 1)]).lesion_count == 7
    assert apply_edits(base, [edit_of(Structure.TUMOUR, 1), edit_of(Structure.TUMOUR, 4)]).lesion_count == 2


def test_a_liver_that_was_drawn_answers_the_finding_that_there_is_none() -> None:
    missing = Finding(code="seg-without-liver", severity=Severity.WARNING, message="The segmentation has no liver.")
    base = replace(empty_masks(VOLUME), findings=(missing,))
    assert missing in apply_edits(base, [edit_of(Structure.TUMOUR, 1)]).findings
    assert missing not in apply_edits(base, [edit_of(Structure.LIVER, 1)]).findings


def test_a_case_takes_edits_and_refuses_those_of_another_scan() -> None:
    case = Case(case_id="x", scans={0: VOLUME})
    edited = api.edit_case(case, mask_edits=[pack_edit(edit_of(Structure.LIVER, 1))])
    assert edited.masks is not None
    assert edited.masks.volume_ml(Structure.LIVER) == pytest.approx(0.018)
    assert api.edit_case(case).masks is None
    with pytest.raises(SegmentationError, match="beyond the scan"):
        api.edit_case(case, mask_edits=[pack_edit(edit_of(Structure.LIVER, 6))])
