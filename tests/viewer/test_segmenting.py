"""Structures drawn in the window: brush, clicks, what a program finds, and the file that goes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from star_core.errors import SegmentationError
from star_core.imaging.annotations import AnnotationPlane
from star_core.types import PointMm, Structure
from star_viewer.app import StarApp
from star_viewer.display import STRUCTURE_NAMES
from star_viewer.jobs.mask_requests import ExportSegmentation, FindLiver, FoundLiver
from star_viewer.jobs.requests import OpenCase, Request
from star_viewer.key_button import KeyButton
from star_viewer.mask_tools import MaskTool, Stroke, Tip
from star_viewer.segmenting import NO_LIVER
from tests.viewer.fakes import RECORD, build_found_liver
from tests.viewer.runners import DirectRunner
from tests.viewer.scene.factory import build_case

LIVER, TUMOUR = Structure.LIVER, Structure.TUMOUR
AXIAL = AnnotationPlane(origin_mm=(0.0, 0.0, 2.5), right=(1.0, 0.0, 0.0), up=(0.0, -1.0, 0.0))


def draw(qtbot: QtBot, star: StarApp, tool: MaskTool, *path_mm: PointMm, axis: int | None = 0) -> None:
    style = star.session.mask_tools.style
    stroke = Stroke(tool=tool, style=style, path_mm=path_mm, plane=AXIAL, slice_axis=axis)
    with qtbot.waitSignal(star.editing.structures.settled):
        star.session.mask_tools.draw(stroke)


def size(star: StarApp, structure: Structure) -> int:
    masks = star.session.masks
    return 0 if masks is None else int(np.count_nonzero(masks.mask_of(structure)))


@pytest.fixture
def star_without_liver(qtbot: QtBot, star: StarApp, direct_runner: DirectRunner) -> StarApp:
    """The window with a scan on which nothing is drawn."""
    bare = replace(build_case(), clinical=RECORD, masks=None)
    direct_runner.replace_answers[OpenCase] = lambda _: bare
    with qtbot.waitSignals([star.workflow.assessed, star.keeping.brought_back]):
        star.workflow.open_demo()
    return star


# --------------------------------------------------------------------------- brush


def test_a_stroke_is_one_step_and_the_trail_goes_with_it(qtbot: QtBot, star_with_case: StarApp) -> None:
    star = star_with_case
    star.session.mask_tools.change(structure=TUMOUR, radius_mm=6.0)
    before = size(star, TUMOUR)
    draw(qtbot, star, MaskTool.BRUSH, (-20.0, 0.0, 2.5), (-5.0, 0.0, 2.5))
    assert size(star, TUMOUR) > before + 20
    assert star.session.history.undo_text == "paint the tumours"
    qtbot.waitUntil(lambda: star.session.mask_tools.pending == ())
    with qtbot.waitSignal(star.editing.structures.settled):
        star.session.history.undo()
    assert size(star, TUMOUR) == before


def test_the_brush_is_flat_or_a_ball_and_held_to_its_grey_values(qtbot: QtBot, star_with_case: StarApp) -> None:
    star, tools = star_with_case, star_with_case.session.mask_tools
    tools.change(structure=Structure.REMNANT, radius_mm=10.0)
    slices = []
    for tip, gated in ((Tip.FLAT, False), (Tip.BALL, False), (Tip.BALL, True)):
        tools.change(tip=tip, gated=gated, lowest_hu=400.0, highest_hu=600.0)
        before = star.session.masks
        assert before is not None
        draw(qtbot, star, MaskTool.BRUSH, (0.0, 50.0, 2.5))  # at the edge of the bright spine
        assert star.session.masks is not None
        changed = star.session.masks.bits != before.bits
        slices.append(int(changed.any(axis=(1, 2)).sum()))
        if gated:
            assert star.session.volume is not None
            assert star.session.volume.voxels_hu[changed].min() >= 400
        with qtbot.waitSignal(star.editing.structures.settled):
            star.session.history.undo()
    assert slices[0] == 1
    assert slices[1] > 1


def test_the_keys_of_the_brush_are_those_of_the_risk_map_while_it_is_in_hand(
    qtbot: QtBot, star_with_case: StarApp
) -> None:
    star, actions = star_with_case, star_with_case.window.star_actions
    radius_mm, opacity = star.session.mask_tools.style.radius_mm, star.session.overlay.opacity
    star.window.year_bar.bars.setFocus()
    qtbot.keyClick(star.window, Qt.Key.Key_P)
    assert star.session.pen is MaskTool.BRUSH
    assert actions["mask_brush"].isChecked()
    assert star.window.tabs.currentWidget() is star.window.structures
    qtbot.keyClick(star.window, Qt.Key.Key_BracketRight)
    assert star.session.mask_tools.style.radius_mm > radius_mm
    assert star.session.overlay.opacity == opacity
    actions["mask_brush"].trigger()
    assert star.session.pen is None
    qtbot.keyClick(star.window, Qt.Key.Key_BracketLeft)
    assert star.session.overlay.opacity < opacity


def test_volumes_follow_what_is_painted(qtbot: QtBot, star_with_case: StarApp) -> None:
    star = star_with_case
    item = star.window.structures.table.item(0, 1)
    assert item is not None
    qtbot.waitUntil(lambda: item.text().endswith("ml"))
    before = float(item.text().split()[0])
    draw(qtbot, star, MaskTool.BRUSH, (90.0, 0.0, 2.5))
    qtbot.waitUntil(lambda: float(item.text().split()[0]) > before)


# --------------------------------------------------------------------------- the liver


def test_a_scan_without_a_liver_offers_to_find_it_and_runs_nothing_unasked(
    qtbot: QtBot, star_without_liver: StarApp, direct_runner: DirectRunner
) -> None:
    star = star_without_liver
    assert NO_LIVER in star.window.banners.messages
    assert direct_runner.asked(FindLiver) == []
    direct_runner.replace_answers[FindLiver] = lambda _: build_found_liver(build_case())
    with qtbot.waitSignal(star.editing.structures.settled):
        star.window.structures.find_button.click()
    assert NO_LIVER not in star.window.banners.messages
    assert size(star, LIVER) > 1000
    masks = star.session.masks
    assert masks is not None
    assert masks.known == LIVER
    assert [finding.code for finding in masks.findings] == ["automatic-structures"]
    assert star.session.history.undo_text == "find the liver"
    assert "The liver was found by a program." in star.window.banners.messages


def test_a_liver_that_is_found_takes_the_place_of_the_one_that_stands(qtbot: QtBot, star_with_case: StarApp) -> None:
    star = star_with_case
    before = size(star, LIVER)
    with qtbot.waitSignal(star.editing.structures.settled):
        star.window.star_actions["find_liver"].trigger()
    assert 0 < size(star, LIVER) < before
    with qtbot.waitSignal(star.editing.structures.settled):
        star.session.history.undo()
    assert size(star, LIVER) == before


def test_a_liver_that_is_not_found_says_why_and_leaves_the_tools(
    qtbot: QtBot, star_without_liver: StarApp, direct_runner: DirectRunner
) -> None:
    star = star_without_liver

    def refuse(_: Request) -> FoundLiver:
        raise SegmentationError("No liver was found, expected 300 to 4000 ml.", remedy="Draw it.")

    direct_runner.replace_answers[FindLiver] = refuse
    with qtbot.waitSignal(star.workflow.troubled):
        star.window.star_actions["find_liver"].trigger()
    assert star.window.banners.messages[0].startswith("Finding the liver: No liver was found")
    assert star.session.masks is None
    draw(qtbot, star, MaskTool.BRUSH, (0.0, 0.0, 2.5))
    assert size(star, LIVER) > 0


def test_a_click_adds_a_missed_part_and_another_takes_it_away(qtbot: QtBot, star_with_case: StarApp) -> None:
    star = star_with_case
    whole = size(star, LIVER)
    star.session.mask_tools.change(radius_mm=20.0, tip=Tip.BALL)
    draw(qtbot, star, MaskTool.ERASER, (-80.0, -5.0, 5.0))
    missing = size(star, LIVER)
    assert missing < whole - 300
    draw(qtbot, star, MaskTool.ADD_LIVER, (-80.0, -5.0, 5.0))
    assert size(star, LIVER) > whole - 0.3 * (whole - missing)
    assert star.session.history.undo_text == "add to the liver"
    draw(qtbot, star, MaskTool.TAKE_LIVER, (-80.0, -5.0, 5.0))
    assert size(star, LIVER) < whole


def test_a_click_that_finds_nothing_says_why(qtbot: QtBot, star_with_case: StarApp) -> None:
    star = star_with_case
    stroke = Stroke(
        tool=MaskTool.GROW_TUMOUR, style=star.session.mask_tools.style, path_mm=((90.0, 0.0, 2.5),), plane=AXIAL
    )
    with qtbot.waitSignal(star.editing.structures.refused):
        star.session.mask_tools.draw(stroke)
    assert "outside of the liver" in star.window.banners.messages[0]
    qtbot.waitUntil(lambda: star.session.mask_tools.pending == ())


# --------------------------------------------------------------------------- shapes


@pytest.mark.parametrize("name", ["mask_largest", "mask_islands", "mask_keep_here", "mask_erase"])
def test_an_action_reshapes_the_chosen_structure(qtbot: QtBot, star_with_case: StarApp, name: str) -> None:
    star = star_with_case
    star.session.mask_tools.change(radius_mm=4.0)
    before = size(star, LIVER)
    draw(qtbot, star, MaskTool.BRUSH, (100.0, 0.0, 2.5))
    star.session.set_crosshair((-40.0, -5.0, 5.0))
    painted = size(star, LIVER)
    with qtbot.waitSignal(star.editing.structures.settled):
        star.window.star_actions[name].trigger()
    assert size(star, LIVER) == (0 if name == "mask_erase" else before)
    assert painted > before
    assert star.session.history.undo_text.endswith(f": {STRUCTURE_NAMES[LIVER].lower()}")


def test_slices_between_drawn_ones_are_filled_and_holes_closed(qtbot: QtBot, star_with_case: StarApp) -> None:
    star = star_with_case
    star.session.mask_tools.change(structure=TUMOUR, radius_mm=8.0)
    with qtbot.waitSignal(star.editing.structures.settled):
        star.window.star_actions["mask_erase"].trigger()
    for z_mm in (-17.5, 2.5):
        draw(qtbot, star, MaskTool.BRUSH, (-40.0, 0.0, z_mm))
    two = size(star, TUMOUR)
    with qtbot.waitSignal(star.editing.structures.settled):
        star.window.star_actions["mask_fill_between"].trigger()
    assert size(star, TUMOUR) > 2 * two
    star.session.mask_tools.change(radius_mm=3.0)
    filled = size(star, TUMOUR)
    draw(qtbot, star, MaskTool.ERASER, (-40.0, 0.0, 2.5))
    with qtbot.waitSignal(star.editing.structures.settled):
        star.window.star_actions["mask_holes"].trigger()
    assert size(star, TUMOUR) == filled
    with qtbot.waitSignal(star.editing.structures.settled):
        star.window.star_actions["mask_smooth"].trigger()
    assert size(star, TUMOUR) == pytest.approx(filled, rel=0.1)


# --------------------------------------------------------------------------- export


def test_the_structures_are_written_as_they_were_edited(
    qtbot: QtBot,
    star_with_case: StarApp,
    direct_runner: DirectRunner,
    tmp_path: Path,
    answer_save: Callable[[Path], None],
) -> None:
    star = star_with_case
    stroke = Stroke(
        tool=MaskTool.BRUSH, style=star.session.mask_tools.style, path_mm=((90.0, 0.0, 2.5),), plane=AXIAL, slice_axis=0
    )
    star.session.mask_tools.draw(stroke)
    answer_save(tmp_path / "out.dcm")
    star.window.star_actions["export_masks"].trigger()
    qtbot.waitUntil(lambda: "The segmentation was written to out.dcm." in star.window.banners.messages)
    (request,) = direct_runner.asked(ExportSegmentation)
    assert isinstance(request, ExportSegmentation)
    assert len(request.edits.mask_edits) == 1


def test_nothing_drawn_is_nothing_to_export(star_without_liver: StarApp, direct_runner: DirectRunner) -> None:
    star_without_liver.window.star_actions["export_masks"].trigger()
    assert "nothing to export" in star_without_liver.window.banners.messages[0]
    assert direct_runner.asked(ExportSegmentation) == []


@pytest.fixture
def answer_save(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Answers the next file dialog."""

    def answer(path: Path) -> None:
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))

    return answer


def test_the_banner_of_a_missing_liver_has_its_button(star_without_liver: StarApp, direct_runner: DirectRunner) -> None:
    buttons = star_without_liver.window.banners.findChildren(KeyButton)
    (find,) = [button for button in buttons if button.text() == "Find the liver"]
    find.click()
    assert len(direct_runner.asked(FindLiver)) == 1
