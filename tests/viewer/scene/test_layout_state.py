"""How the views stand is told and taken up again."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from pytestqt.qtbot import QtBot

from star_core.types import Case, DoubleArray
from star_viewer.scene.four_views import FourViews
from star_viewer.scene.orientation import SliceKind
from star_viewer.scene.state import SOLID
from tests.viewer.scene.factory import build_case


def test_zoom_turn_and_the_large_view_come_back(qtbot: QtBot, build_views: Callable[[Case | None], FourViews]) -> None:
    views = build_views(build_case())
    with qtbot.waitSignal(views.layout_changed):
        views.axial.zoom(2.0, QPointF(40, 40))
    with qtbot.waitSignal(views.layout_changed):
        views.change_camera(lambda camera: camera.mirrored().rotated(1))
    views.solid.camera = views.solid.camera.turned(30.0, 10.0).zoomed(1.5)
    views.maximise(SOLID)
    told = json.loads(json.dumps(views.layout_to_json()))
    cameras = views.axial.camera, views.coronal.camera, views.solid.camera
    views.maximise(None)
    views.reset_views()
    views.layout_from_json(told)
    assert (views.axial.camera, views.coronal.camera) == cameras[:2]
    assert views.solid.camera == cameras[2]
    assert views.maximised == SOLID
    views.maximise(SliceKind.AXIAL)
    views.layout_from_json(json.loads(json.dumps(views.layout_to_json())))
    assert views.maximised is SliceKind.AXIAL


def _slices_at(views: FourViews, point_mm: DoubleArray) -> dict[SliceKind, tuple[int, int]]:
    return {kind: (plane.slice_index_of(point_mm), plane.slice_count) for kind, plane in views._planes.items()}


def test_planes_across_the_grid_come_back(qtbot: QtBot, build_views: Callable[[Case | None], FourViews]) -> None:
    views = build_views(build_case())
    views.session.set_crosshair((12.0, -7.0, 5.0))
    with qtbot.waitSignal(views.layout_changed):
        views.turn_planes(SliceKind.AXIAL, 25.0)
    views.turn_planes(SliceKind.CORONAL, -10.0)
    told = json.loads(json.dumps(views.layout_to_json()))
    point_mm = np.array([3.0, 4.0, 5.0])
    before = _slices_at(views, point_mm)
    views.align_planes()
    assert not views.is_oblique
    views.layout_from_json(told)
    assert views.is_oblique
    assert _slices_at(views, point_mm) == before
    assert views.layout_to_json() == told


@pytest.mark.parametrize(
    "change",
    [
        {"frame": [[1, 0, 0], [1, 0, 0], [0, 0, 1]]},
        {"frame": None},
        {"large": "oblique"},
        {"slices": {"axial": [1.0]}},
        {"orbit": [float("nan"), 0, 0]},
        {"turns": {"axial": [2, 0, 0, 1]}},
        {"oblique": {"axial": {"frame": [[1, 0, 0], [0, 1, 0], [0, 0, -1]], "depth_mm": -80, "extent": [0, 1, 0, 1]}}},
        {"oblique": {"axial": {"frame": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "depth_mm": 9e4, "extent": [0, 1, 0, 1]}}},
    ],
)
def test_what_is_no_layout_changes_nothing(
    build_views: Callable[[Case | None], FourViews], change: dict[str, object]
) -> None:
    views = build_views(build_case())
    before = views.layout_to_json()
    with pytest.raises(ValueError):
        views.layout_from_json({**before, **change})
    assert views.layout_to_json() == before
