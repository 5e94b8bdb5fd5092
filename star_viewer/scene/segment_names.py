"""The numerals of Couinaud's segments, painted where each reaches deepest on the slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter

from star_core.types import SEGMENTS, BoolArray, CouinaudSegments, DoubleArray, PointMm, Segment
from star_viewer.scene.annotations import draw_text
from star_viewer.scene.colours import TEXT
from star_viewer.scene.oblique import Plane
from star_viewer.scene.state import is_unchanged

if TYPE_CHECKING:
    from star_viewer.scene.slice_pane import SlicePane

_CELL_MM, _FEWEST_CELLS = 4.0, 6


class SegmentNames:
    """A :class:`star_viewer.scene.pane_tool.PaneTool` that takes no input."""

    def __init__(self, pane: SlicePane) -> None:
        self._pane, self._session = pane, pane.session
        self._key: tuple[object, ...] = ()
        self._places: dict[Segment, PointMm] = {}
        self._session.anatomy.segments_changed.connect(pane.update)

    def paint(self, painter: QPainter, rect: QRectF) -> None:
        """Write the numerals while the layer is shown."""
        segments, plane = self._session.anatomy.segments, self._pane.plane
        if segments is None or plane is None or not self._session.display.style.segments.visible:
            self._key, self._places = (), {}
            return
        slice_index = plane.slice_index_of(np.array(self._session.crosshair_mm))
        if not is_unchanged(self._key, (segments, plane, slice_index)):
            self._key, self._places = (segments, plane, slice_index), find_places(segments, plane, slice_index)
        for segment, point_mm in self._places.items():
            place = QRectF(0, 0, 60, 22)
            place.moveCenter(self._pane.pixel_of(point_mm))
            draw_text(painter, place, Qt.AlignmentFlag.AlignCenter, segment, TEXT, points=11.0)

    def press(self, event: QMouseEvent) -> bool:
        """Nothing is taken."""
        return False

    def move(self, event: QMouseEvent) -> bool:
        """Nothing is taken."""
        return False

    def release(self, event: QMouseEvent) -> bool:
        """Nothing is taken."""
        return False

    def double_click(self, event: QMouseEvent) -> bool:
        """Nothing is taken."""
        return False

    def key(self, event: QKeyEvent) -> bool:
        """Nothing is taken."""
        return False


def find_places(segments: CouinaudSegments, plane: Plane, slice_index: int) -> dict[Segment, PointMm]:
    """Return for each segment on a slice the place deepest inside it, LPS mm, on a grid of a few mm."""
    low_u, high_u, low_v, high_v = plane.extent_mm()
    u_mm, v_mm = np.arange(low_u, high_u, _CELL_MM), np.arange(low_v, high_v, _CELL_MM)
    flat = np.stack(np.meshgrid(u_mm, v_mm, indexing="xy"), axis=-1)
    matrix = plane.screen_to_lps(slice_index)
    points_mm: DoubleArray = flat @ matrix[:3, :2].T + matrix[:3, 3]
    index = np.floor(segments.geometry.lps_to_index(points_mm) + 0.5).astype(np.int64)
    inside = ((index >= 0) & (index < segments.geometry.shape)).all(axis=-1)
    labels = np.zeros(inside.shape, dtype=np.uint8)
    labels[inside] = segments.labels[tuple(index[inside].T)]
    places = {}
    for number, segment in enumerate(SEGMENTS, start=1):
        mask = labels == number
        if np.count_nonzero(mask) >= _FEWEST_CELLS:
            x, y, z = points_mm[_deepest(mask)].tolist()
            places[segment] = (x, y, z)
    return places


def _deepest(mask: BoolArray) -> tuple[int, int]:
    """Return the (row, column) that lies farthest from a mask's edge."""
    inner = np.pad(mask, 1)
    while True:
        core = inner.copy()
        core[1:-1, 1:-1] &= inner[:-2, 1:-1] & inner[2:, 1:-1] & inner[1:-1, :-2] & inner[1:-1, 2:]
        if not core.any():
            break
        inner = core
    places = np.argwhere(inner) - 1
    row, column = places[int(np.linalg.norm(places - places.mean(axis=0), axis=1).argmin())].tolist()
    return row, column
