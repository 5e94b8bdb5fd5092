"""States in, frames out."""

from __future__ import annotations

from collections.abc import Callable

from pytestqt.qtbot import QtBot

from star_viewer.scene.four_views import FourViews
from star_viewer.scene.vtk_widget import VtkDrawer
from star_viewer.session import Session
from tests.viewer.scene.factory import build_case


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
