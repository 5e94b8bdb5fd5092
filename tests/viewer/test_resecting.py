"""Planning a resection in the window: volumes follow the plan, cutting is one step, refusals are words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from star_core.imaging.editing.remnant import CuttingPlane, measure_remnant
from star_core.types import Landmark, Segment, Structure
from star_viewer.app import StarApp
from star_viewer.panels.resection import PRESETS
from star_viewer.scene.hover import read_at
from star_viewer.scene.plane_pen import PlanePen
from star_viewer.session import Session

RIGHT = PRESETS["Right hepatectomy"]


@pytest.fixture
def star(star_with_case: StarApp, qtbot: QtBot) -> StarApp:
    qtbot.waitUntil(lambda: star_with_case.session.anatomy.segments is not None)
    qtbot.waitUntil(lambda: star_with_case.session.anatomy.volumes is not None)
    return star_with_case


def remnant_ml(session: Session) -> float:
    masks = session.masks
    assert masks is not None
    return measure_remnant(masks).remnant_ml


def test_volumes_follow_the_plane_and_cutting_gives_what_was_told(qtbot: QtBot, star: StarApp) -> None:
    session, panel = star.session, star.window.resection
    before_ml = remnant_ml(session)
    panel.middle.click()
    plane = session.anatomy.plane
    assert plane is not None
    assert plane.normal[0] < 0  # what lies to the patient's right goes
    session.anatomy.set_plane(CuttingPlane(point_mm=(-30.0, 0.0, 0.0), normal=(-1.0, 0.0, 0.0)))
    qtbot.waitUntil(lambda: not star.editing.resection.is_busy)
    told = session.anatomy.volumes
    assert told is not None
    assert panel.remnant.text().startswith(f"Planned remnant: {told.remnant_ml:.0f} ml")
    with qtbot.waitSignal(star.editing.structures.settled):
        panel.cut.click()
    assert remnant_ml(session) == pytest.approx(told.remnant_ml, rel=1e-3)
    qtbot.waitUntil(lambda: panel.remnant.text().startswith(f"Remnant: {told.remnant_ml:.0f} ml"))
    assert session.history.undo_text == "cut the liver by a plane"
    assert session.anatomy.plane is None
    with qtbot.waitSignal(star.editing.structures.settled):
        session.history.undo()
    assert remnant_ml(session) == before_ml


def test_without_landmarks_the_plane_goes_through_the_middle_of_the_liver(qtbot: QtBot, star: StarApp) -> None:
    anatomy = star.session.anatomy
    anatomy.set_landmarks(None)
    star.window.resection.middle.click()
    qtbot.waitUntil(lambda: anatomy.plane is not None)
    qtbot.waitUntil(lambda: not star.editing.resection.is_busy)
    assert anatomy.volumes is not None
    assert 0.1 < anatomy.volumes.share < 0.9


def test_the_line_at_the_bottom_names_the_segment(star: StarApp) -> None:
    star._show_reading(read_at(star.session, (-75.0, 5.0, 20.0)))
    assert "segment VI" in star.window.reading.text()


def test_the_tool_of_the_plane_lays_one_and_is_laid_down_with_it(star: StarApp) -> None:
    action, session = star.window.star_actions["cutting_plane"], star.session
    action.trigger()
    assert session.pen is PlanePen.PLANE
    assert session.anatomy.plane is not None
    assert action.isChecked()
    session.anatomy.set_plane(None)
    assert session.pen is None
    assert not action.isChecked()


def test_the_chosen_landmark_is_taken_up(star: StarApp) -> None:
    star.session.anatomy.choose(Landmark.LEFT_VEIN)
    star.window.star_actions["place_landmark"].trigger()
    assert star.session.pen is Landmark.LEFT_VEIN
    assert star.session.display.style.landmarks


def test_the_other_side_and_the_way_back(star: StarApp) -> None:
    anatomy, panel = star.session.anatomy, star.window.resection
    panel.middle.click()
    first = anatomy.plane
    panel.flip.click()
    assert first is not None
    assert anatomy.plane is not None
    np.testing.assert_allclose(anatomy.plane.normal, -np.array(first.normal))
    panel.away.click()
    assert anatomy.plane is None
    assert not panel.cut.isEnabled()


def test_a_preset_marks_its_segments_and_removes_them(qtbot: QtBot, star: StarApp) -> None:
    session, panel = star.session, star.window.resection
    panel.preset.setCurrentIndex(1)
    panel.preset.activated.emit(1)
    assert session.anatomy.removed == RIGHT
    assert [segment for segment, check in panel.checks.items() if check.isChecked()] == sorted(RIGHT)
    segments = session.anatomy.segments
    with qtbot.waitSignal(star.editing.structures.settled):
        panel.remove.click()
    masks = session.masks
    assert masks is not None
    assert segments is not None
    gone = np.isin(segments.labels, (5, 6, 7, 8))
    assert not (masks.mask_of(Structure.REMNANT) & gone).any()
    assert session.history.undo_text == "remove segment V, VI, VII, VIII"


def test_a_single_segment_is_marked_by_its_box(star: StarApp) -> None:
    panel = star.window.resection
    panel.checks[Segment.II].click()
    panel.checks[Segment.III].click()
    assert star.session.anatomy.removed == {Segment.II, Segment.III}
    assert panel.preset.currentText() == "Left lateral sectionectomy"
    panel.checks[Segment.II].click()
    assert panel.preset.currentIndex() == 0


def test_nothing_is_cut_where_nothing_would_remain(qtbot: QtBot, star: StarApp) -> None:
    session = star.session
    session.anatomy.set_plane(CuttingPlane(point_mm=(500.0, 0.0, 0.0), normal=(-1.0, 0.0, 0.0)))
    with qtbot.waitSignal(star.editing.structures.refused):
        star.window.resection.cut.click()
    assert any("Nothing of the liver would remain" in message for message in star.window.banners.messages)
    assert session.history.undo_text == ""


def test_without_a_liver_the_panel_says_so_and_cuts_nothing(star: StarApp) -> None:
    star.session.set_masks(None)
    panel = star.window.resection
    assert "no liver" in panel.volumes.text()
    assert not panel.middle.isEnabled()
    assert not panel.whole.isEnabled()


def test_the_remnant_begins_anew_with_the_whole_liver(qtbot: QtBot, star: StarApp) -> None:
    with qtbot.waitSignal(star.editing.structures.settled):
        star.window.resection.whole.click()
    masks = star.session.masks
    assert masks is not None
    assert measure_remnant(masks).share == pytest.approx(1.0)


def test_another_case_begins_without_a_plan(qtbot: QtBot, star: StarApp) -> None:
    star.window.resection.middle.click()
    with qtbot.waitSignal(star.workflow.assessed):
        star.workflow.open_demo()
    assert star.session.anatomy.plane is None


def test_segments_are_exported_by_the_worker(
    qtbot: QtBot, star: StarApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "segments.dcm"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(out), ""))
    with qtbot.waitSignal(star.workflow.segments_written):
        star.window.star_actions["export_segments"].trigger()
    assert out.exists()
    assert any("segments.dcm" in message for message in star.window.banners.messages)


def test_the_list_of_landmarks_says_where_each_came_from_and_goes_there(star: StarApp) -> None:
    table, session = star.window.landmarks.table, star.session
    assert table.rowCount() == len(Landmark)
    assert table.item(0, 1).text() == "on a vessel"
    session.anatomy.move_asked.emit(Landmark.VENA_CAVA, (1.0, 2.0, 30.0))
    assert table.item(0, 1).text() == "by the reader"
    table.selectRow(0)
    table.itemClicked.emit(table.item(0, 0))
    assert session.crosshair_mm == (1.0, 2.0, 30.0)
    assert session.display.style.landmarks
