"""How fast the views follow, measured on the real widgets: from the session's change to the painted pictures."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

from PySide6.QtCore import QEventLoop, QTimer

from star_core.types import N_YEARS
from star_viewer.scene.four_views import FourViews
from star_viewer.scene.state import Frame
from star_viewer.session import WindowLevel

_LONGEST_MS = 5000


def measure_year_change_ms(views: FourViews, *, rounds: int = 2, prepared: bool = False) -> list[float]:
    """Step through the years and return the time of each change, in ms.

    A change counts from the session's setter until the pictures of all four views have been painted. ``views`` must be
    shown and hold a case with an assessment. Between two changes the views come to rest, as they do under a hand. With
    ``prepared`` the other years were drawn while the views rested, as happens after a third of a second; otherwise the
    overlay changes a little before each change, so that nothing kept can be used.
    """
    session = views.session
    durations_ms = []
    if prepared:
        views.wait_until_prepared()
    for step in range(rounds * N_YEARS):
        if not prepared:
            _make_stale(views, step)
        views.wait_until_drawn()
        year = step % N_YEARS + 1
        if year == session.year:
            continue
        start = perf_counter()
        session.set_year(year)
        _wait_for_frame(views, year)
        views.paint_now()
        durations_ms.append((perf_counter() - start) * 1000)
    return durations_ms


def _make_stale(views: FourViews, step: int) -> None:
    """Change the overlay by what nobody sees, so that no picture of another year fits any more."""
    overlay = views.session.overlay
    views.session.set_overlay(replace(overlay, opacity=0.5 + 1e-4 * step))


def measure_window_change_ms(views: FourViews, *, rounds: int = 20) -> list[float]:
    """Change the grey window, which draws the three slices anew, and return the time of each change, in ms."""
    session = views.session
    durations_ms = []
    for step in range(rounds):
        views.wait_until_drawn()
        start = perf_counter()
        session.set_window_level(WindowLevel(40.0 + step, 400.0))
        _wait_for_frame(views, session.year)
        views.paint_now()
        durations_ms.append((perf_counter() - start) * 1000)
    return durations_ms


def measure_turning_fps(views: FourViews, *, frames: int = 24) -> float:
    """Turn the 3D view as a hand would, asking for a new frame when the last one is painted; return frames a second."""
    views.wait_until_drawn()
    start = perf_counter()
    for _ in range(frames):
        views.solid.turn(6.0, 1.0)
        _wait_for_frame(views, views.session.year)
        views.paint_now()
    return frames / (perf_counter() - start)


def _wait_for_frame(views: FourViews, year: int) -> None:
    loop = QEventLoop()

    def look(frame: Frame) -> None:
        if frame.state.year == year and frame.patches:
            loop.quit()

    views.frame_shown.connect(look)
    QTimer.singleShot(_LONGEST_MS, loop, loop.quit)
    loop.exec()
    views.frame_shown.disconnect(look)
