"""States in, frames out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from pytestqt.qtbot import QtBot

from star_viewer.display import SolidPreset
from star_viewer.scene.four_views import FourViews
from star_viewer.scene.kept_pictures import needs_of
from star_viewer.scene.orientation import SliceKind
from star_viewer.scene.stage import Stage
from star_viewer.scene.vtk_widget import VtkDrawer
from star_viewer.session import Session
from tests.viewer.scene.factory import build_assessment, build_case


def test_overtaken_states_are_skipped_and_the_newest_is_drawn(
    build_views: Callable[..., FourViews], session: Session, qtbot: QtBot
) -> None:
    views = build_views(build_case())
    seen: list[int] = []
    views.frame_shown.connect(lambda frame: seen.append(frame.state.year))
    assert session.volume is not None
    for year in range(2, 13):
        session.set_year(year)
        views._drawer.request(views._build_state(session.volume))
    qtbot.waitUntil(lambda: 12 in seen)
    assert seen[-1] == 12
    assert len(seen) < 11


def test_warming_up_needs_no_patient(qtbot: QtBot) -> None:
    drawer = VtkDrawer()
    drawer.warm_up()
    drawer.finalise()
    drawer.finalise()


def test_a_state_that_cannot_be_drawn_is_told_in_words(
    build_views: Callable[..., FourViews], session: Session, qtbot: QtBot
) -> None:
    views = build_views(build_case())
    with qtbot.waitSignal(views.failed) as told:
        views._drawer.request("no state")  # type: ignore[arg-type]
    assert told.args[0].startswith("The picture could not be drawn")


def test_a_picture_drawn_ahead_is_left_when_something_newer_is_asked_for(
    build_views: Callable[..., FourViews], session: Session
) -> None:
    views = build_views(build_case(), threaded=False)
    session.set_assessment(build_assessment())
    session.display.change(preset=SolidPreset.BONE)
    views.wait_until_drawn()
    painter = views._drawer._here
    assert painter is not None
    stage = painter._stage
    assert isinstance(stage, Stage)
    assert views._shown is not None
    renderer = stage._renderers["solid"]
    watch = renderer.AddObserver("StartEvent", lambda *_: stage.stop() if renderer.GetDraw() else None)
    for _ in range(4):  # slices come first and are whole
        assert stage.prepare(views._shown)
    other = replace(views._shown, year=2)
    assert stage._kept.find(SliceKind.AXIAL, needs_of(other, SliceKind.AXIAL)) is not None
    assert stage._kept.find("solid", needs_of(other, "solid")) is None
    renderer.RemoveObserver(watch)
    for _ in range(4):
        stage.prepare(views._shown)
    kept = stage._kept.find("solid", needs_of(other, "solid"))
    assert kept is not None
    assert np.ptp(kept.pixels) > 50


def test_a_picture_that_is_waited_for_is_never_left(build_views: Callable[..., FourViews], session: Session) -> None:
    views = build_views(build_case(), threaded=False)
    assert views._drawer._here is not None
    stage = views._drawer._here._stage
    assert isinstance(stage, Stage)
    watch = stage._renderers["solid"].AddObserver("StartEvent", lambda *_: stage.stop())
    session.display.change(preset=SolidPreset.BONE)
    assert views.wait_until_drawn()
    assert views.solid._picture is not None
    assert np.ptp(views.solid._picture) > 50
    stage._renderers["solid"].RemoveObserver(watch)
