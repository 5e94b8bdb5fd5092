"""What 3D is made of while structures are edited: the old surfaces stay, and only what changed is built anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from star_core.types import Masks, Structure
from star_viewer.display import SolidPreset
from star_viewer.scene.parts import SceneParts
from star_viewer.scene.surfaces import BuiltSurfaces, build_mask_surfaces
from star_viewer.session import Session
from tests.viewer.scene.factory import build_assessment, build_case, build_masks


def _without(masks: Masks, structure: Structure, part: slice) -> Masks:
    bits = masks.bits.copy()
    bits[part] &= np.uint8(255 - int(structure))
    return replace(masks, bits=bits)


@pytest.fixture
def parts(qtbot: QtBot, session: Session) -> Iterator[SceneParts]:
    parts = SceneParts(session)
    session.set_case(build_case())
    qtbot.waitUntil(lambda: not parts.busy)
    yield parts
    parts.finalise()


def test_surfaces_of_structures_that_did_not_change_are_kept() -> None:
    masks = build_masks()
    before = build_mask_surfaces(masks)
    edited = _without(masks, Structure.TUMOUR, slice(0, 15))
    after = build_mask_surfaces(edited, BuiltSurfaces(masks, before))
    assert [surface.name for surface in after] == [surface.name for surface in before]
    for old, new in zip(before, after, strict=True):
        assert (old is new) is (old.name != "TUMOUR")


def test_a_structure_that_was_erased_has_no_surface_any_more() -> None:
    masks = build_masks()
    edited = _without(masks, Structure.PORTAL_VEINS, slice(None))
    after = build_mask_surfaces(edited, BuiltSurfaces(masks, build_mask_surfaces(masks)))
    assert "PORTAL_VEINS" not in [surface.name for surface in after]


def test_old_surfaces_stay_until_the_new_ones_are_built(qtbot: QtBot, session: Session, parts: SceneParts) -> None:
    before = parts.surfaces
    assert session.masks is not None
    assert before
    with qtbot.waitSignal(parts.changed):  # outlines follow at once
        session.set_masks(_without(session.masks, Structure.LIVER, slice(0, 15)))
        assert parts.surfaces is before
    assert parts.busy
    qtbot.waitUntil(lambda: not parts.busy)
    kept = [surface for surface in parts.surfaces if surface in before]
    assert len(kept) == len(before) - 1


def test_another_case_shows_nothing_of_the_last(session: Session, parts: SceneParts) -> None:
    session.set_case(replace(build_case(), masks=None))
    assert parts.surfaces == ()


def test_paint_goes_with_the_liver_that_it_lies_on(qtbot: QtBot, session: Session, parts: SceneParts) -> None:
    session.display.change(preset=SolidPreset.PAINTED)
    session.set_assessment(build_assessment())
    parts.follow(session.display.style)
    qtbot.waitUntil(lambda: not parts.busy and parts.paint is not None)
    paint = parts.paint
    assert session.masks is not None
    session.set_masks(_without(session.masks, Structure.TUMOUR, slice(None)))
    qtbot.waitUntil(lambda: not parts.busy)
    assert parts.paint is paint
    session.set_masks(_without(session.masks, Structure.LIVER, slice(0, 15)))
    qtbot.waitUntil(lambda: not parts.busy and parts.paint is not paint and parts.paint is not None)


def test_the_liver_as_a_volume_stays_until_it_is_cut_anew(qtbot: QtBot, session: Session, parts: SceneParts) -> None:
    session.display.change(preset=SolidPreset.LIVER)
    parts.follow(session.display.style)
    qtbot.waitUntil(lambda: not parts.busy and parts.body is not None)
    body = parts.body
    assert session.masks is not None
    edited = _without(session.masks, Structure.LIVER, slice(0, 15))
    session.set_masks(edited)
    assert parts.body is body
    qtbot.waitUntil(lambda: not parts.busy and parts.body is not None and parts.body.masks is edited)
