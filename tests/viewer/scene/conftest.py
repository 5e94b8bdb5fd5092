"""Views on a synthetic patient, and a check that no VTK object outlives its test."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from star_core.types import Case
from star_viewer.scene.four_views import FourViews
from star_viewer.scene.pane import Pane
from star_viewer.session import Session

Pixels = NDArray[np.uint8]


def _vtk_objects() -> list[object]:
    gc.collect()
    return [thing for thing in gc.get_objects() if str(type(thing).__module__).startswith("vtkmodules.vtk")]


@pytest.fixture(autouse=True)
def no_vtk_object_survives() -> Iterator[None]:
    before = {id(thing) for thing in _vtk_objects()}
    yield
    left = [
        type(thing).__name__
        for thing in _vtk_objects()
        if id(thing) not in before and hasattr(thing, "GetReferenceCount")
    ]
    assert left == []


@pytest.fixture(autouse=True)
def no_vtk_warning_is_printed(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    shown = capfd.readouterr().err
    assert "Warning:" not in shown, shown
    assert "ERROR:" not in shown, shown
    assert "ERR|" not in shown, shown
    assert "WARN|" not in shown, shown


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def build_views(qtbot: QtBot, session: Session) -> Iterator[Callable[[Case | None], FourViews]]:
    opened: list[FourViews] = []

    def build(case: Case | None = None, *, threaded: bool | None = None) -> FourViews:
        views = FourViews(session, threaded=threaded)
        opened.append(views)
        qtbot.addWidget(views)
        views.resize(800, 640)
        views.show()
        qtbot.waitExposed(views)
        if case is not None:
            session.set_case(case)
        assert views.wait_until_drawn()
        return views

    yield build
    for views in opened:
        views.finalise()


def grab_pixels(pane: Pane) -> Pixels:
    """The (height, width, 3) pixels of a pane as a person sees them."""
    image = pane.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def coloured(pixels: Pixels) -> NDArray[np.bool_]:
    """Pixels that are clearly not grey."""
    spread: NDArray[np.bool_] = np.ptp(pixels.astype(int), axis=-1) > 40
    return spread
