"""A slice view on screen."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QWheelEvent
from PySide6.QtWidgets import QWidget

from star_core.imaging.annotations import AnnotationPlane
from star_viewer.scene.annotations import (
    MARGIN,
    draw_crosshair,
    draw_letters,
    draw_scale_bar,
    draw_text,
)
from star_viewer.scene.cameras import ScreenMap, SliceCamera, build_screen_map
from star_viewer.scene.colours import FAINT_TEXT, PLANE_COLOURS
from star_viewer.scene.orientation import SliceKind, SlicePlane
from star_viewer.scene.pane import UNCLAIMED, ZOOM_STEP, Pane
from star_viewer.scene.pen import Pen
from star_viewer.scene.state import SceneState
from star_viewer.session import PointMm, Session, WindowLevel

# The planes that appear as the upright and the level line of each view.
_LINES = {
    SliceKind.AXIAL: (SliceKind.SAGITTAL, SliceKind.CORONAL),
    SliceKind.CORONAL: (SliceKind.SAGITTAL, SliceKind.AXIAL),
    SliceKind.SAGITTAL: (SliceKind.CORONAL, SliceKind.AXIAL),
}
_KEY_STEPS = {
    Qt.Key.Key_Up: 1,
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_Down: -1,
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_PageUp: 10,
    Qt.Key.Key_PageDown: -10,
    Qt.Key.Key_Home: -100_000,
    Qt.Key.Key_End: 100_000,
}
_PARALLEL = 0.9999
_ZOOM_KEYS = {Qt.Key.Key_Plus: ZOOM_STEP, Qt.Key.Key_Equal: ZOOM_STEP, Qt.Key.Key_Minus: 1 / ZOOM_STEP}


class DragTool(StrEnum):
    """What a drag with the left button does on a slice."""

    CROSSHAIR = "crosshair"
    WINDOW_LEVEL = "window-level"
    PAN = "pan"


def to_point(point_mm: np.ndarray) -> PointMm:
    """Return a (3,) array as the session's kind of point."""
    return float(point_mm[0]), float(point_mm[1]), float(point_mm[2])


class SlicePane(Pane):
    """Scrolls, aims, pans, zooms and windows one slice view."""

    def __init__(self, kind: SliceKind, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(kind, parent)
        self.kind = kind
        self.camera = SliceCamera()
        self.tool = DragTool.CROSSHAIR
        self._session = session
        self._plane: SlicePlane | None = None
        self._aimed_before_mm = session.crosshair_mm
        self.pen = Pen(self)
        self.setAccessibleName(f"{kind} slice view")
        self.setAccessibleDescription(
            "Up and Down change the slice, Page Up and Page Down by ten; plus and minus zoom; R resets; "
            "Enter maximises. D, A, E, H, W and T draw: arrows then move the crosshair, Enter places a point."
        )

    def set_plane(self, plane: SlicePlane | None) -> None:
        """Show another grid's slices, all of each."""
        self._plane = plane
        self.camera = SliceCamera()

    def screen_map(self, plane: SlicePlane, camera: SliceCamera | None = None) -> ScreenMap:
        """Return where millimetres lie on this widget, in Qt's pixels."""
        return build_screen_map(plane, camera or self.camera, (self.width(), self.height()))

    def point_at(self, position: QPointF) -> PointMm | None:
        """Return the point of the patient under a pixel of this widget."""
        if self._plane is None:
            return None
        u_mm, v_mm = self.screen_map(self._plane).to_mm(position.x(), position.y())
        slice_index = self._plane.slice_index_of(np.array(self._session.crosshair_mm))
        return to_point(self._plane.screen_to_lps(slice_index)[:3] @ np.array([u_mm, v_mm, 0.0, 1.0]))

    # ------------------------------------------------------------------ for the pen

    @property
    def session(self) -> Session:
        """The session that is shown."""
        return self._session

    def shown_plane(self) -> AnnotationPlane | None:
        """Return the slice that is shown, to draw on."""
        if self._plane is None:
            return None
        right, up, _ = self._plane.frame_lps
        origin_mm = self.on_slice(self._session.crosshair_mm)
        return AnnotationPlane(origin_mm=origin_mm, right=to_point(right), up=to_point(up))

    def shows(self, plane: AnnotationPlane) -> bool:
        """Tell whether something lies on the slice that is shown: nearer to it than to its neighbours."""
        if self._plane is None or abs(float(self._plane.frame_lps[2] @ plane.normal)) < _PARALLEL:
            return False
        there = self._plane.slice_index_of(np.array(plane.origin_mm))
        return there == self._plane.slice_index_of(np.array(self._session.crosshair_mm))

    def pixel_of(self, point_mm: PointMm) -> QPointF:
        """Return where a point of the patient lies on this widget."""
        if self._plane is None:
            return QPointF()
        u_mm, v_mm = self._plane.to_screen_mm(np.array(point_mm))
        return QPointF(*self.screen_map(self._plane).to_pixel(float(u_mm), float(v_mm)))

    def on_slice(self, point_mm: PointMm) -> PointMm:
        """Return a point's place on the slice that is shown."""
        return self.point_at(self.pixel_of(point_mm)) or point_mm

    def step_mm(self, right: int, up: int) -> PointMm:
        """Return steps to the right and up, of a pixel of the scan each, in LPS mm."""
        if self._plane is None:
            return (0.0, 0.0, 0.0)
        spacing_mm = min(self._plane.geometry.spacing_mm)
        return to_point(spacing_mm * (right * self._plane.frame_lps[0] + up * self._plane.frame_lps[1]))

    def step_crosshair(self, right: int, up: int) -> None:
        """Move the crosshair on the slice by pixels of the scan."""
        if self._plane is not None:
            moved_mm = np.add(self._session.crosshair_mm, self.step_mm(right, up))
            self._aim(self.pixel_of(to_point(moved_mm)))

    # ------------------------------------------------------------------ painting

    def annotate(self, painter: QPainter, rect: QRectF, state: SceneState) -> None:
        """Write plane, slice, window, letters, scale and crosshair."""
        plane = state.planes[self.kind]
        screen = self.screen_map(plane, state.slice_cameras[self.kind])
        u_mm, v_mm = plane.to_screen_mm(np.array(state.crosshair_mm))
        x, y = screen.to_pixel(float(u_mm), float(v_mm))
        upright, level = _LINES[self.kind]
        draw_crosshair(painter, rect, x, y, PLANE_COLOURS[upright], PLANE_COLOURS[level])
        draw_letters(painter, rect, plane.letters)
        draw_scale_bar(painter, rect, screen.mm_per_pixel)
        inner = rect.adjusted(MARGIN, MARGIN - 2, -MARGIN, -MARGIN)
        top_left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
        draw_text(painter, inner, top_left, self.kind.capitalize(), PLANE_COLOURS[self.kind])
        below = inner.adjusted(0, 17, 0, 0)
        draw_text(painter, below, top_left, plane.position_text(np.array(state.crosshair_mm)), FAINT_TEXT)
        window = f"W {state.window_level.width_hu:.0f}   L {state.window_level.centre_hu:.0f}"
        draw_text(painter, inner, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, window, FAINT_TEXT)
        self.pen.paint(painter, rect)

    # ------------------------------------------------------------------ input

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Aim where the left button goes down."""
        super().mousePressEvent(event)
        if self.pen.press(event):
            return
        self._aimed_before_mm = self._session.crosshair_mm
        if event.button() == Qt.MouseButton.LeftButton and self.tool is DragTool.CROSSHAIR:
            self._aim(event.position())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Fill the space, and take back what the first of the two clicks aimed at."""
        if self.pen.double_click(event):
            return
        if event.button() == Qt.MouseButton.LeftButton and self.tool is DragTool.CROSSHAIR:
            self._session.set_crosshair(self._aimed_before_mm)
        super().mouseDoubleClickEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag, and tell what lies under the cursor."""
        if not self.pen.move(event):
            super().mouseMoveEvent(event)
        self.hovered_at.emit(self.point_at(event.position()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go of what was drawn or moved."""
        self.pen.release(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Draw and move by keys, or follow them as every view does."""
        if event.modifiers() & UNCLAIMED or not self.pen.key(event):
            super().keyPressEvent(event)

    def on_drag(self, event: QMouseEvent, moved: QPointF) -> None:
        """Left follows the tool, right changes the window, middle pans."""
        buttons = event.buttons()
        tool = self.tool
        if buttons & Qt.MouseButton.RightButton:
            tool = DragTool.WINDOW_LEVEL
        elif buttons & Qt.MouseButton.MiddleButton:
            tool = DragTool.PAN
        match tool:
            case DragTool.CROSSHAIR:
                self._aim(event.position())
            case DragTool.WINDOW_LEVEL:
                self._change_window(moved)
            case DragTool.PAN:
                self._pan(moved)

    def on_wheel(self, steps: int, event: QWheelEvent) -> None:
        """Scroll; with Ctrl zoom about the cursor."""
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom(ZOOM_STEP**steps, event.position())
        else:
            self.scroll_by(steps)

    def on_key(self, key: Qt.Key) -> bool:
        """Scroll and zoom by keys."""
        if key in _KEY_STEPS:
            self.scroll_by(_KEY_STEPS[key])
        elif key in _ZOOM_KEYS:
            self.zoom(_ZOOM_KEYS[key], QPointF(self.width() / 2, self.height() / 2))
        else:
            return False
        return True

    def scroll_by(self, slices: int) -> None:
        """Move the crosshair forwards by whole slices."""
        if self._plane is not None:
            self._session.set_crosshair(to_point(self._plane.step(np.array(self._session.crosshair_mm), slices)))

    def zoom(self, factor: float, position: QPointF) -> None:
        """Zoom so that the point under a pixel stays there."""
        if self._plane is None:
            return
        before = self.screen_map(self._plane).to_mm(position.x(), position.y())
        self.camera = self.camera.zoomed(factor)
        after = self.screen_map(self._plane).to_mm(position.x(), position.y())
        self.camera = self.camera.panned(before[0] - after[0], before[1] - after[1])
        self.camera_changed.emit()

    def _aim(self, position: QPointF) -> None:
        point_mm = self.point_at(position)
        if point_mm is None or self._plane is None:
            return
        geometry = self._plane.geometry
        index = geometry.lps_to_index(np.array(point_mm))
        # The crosshair stays inside the scan, where every view has a slice to show.
        inside = np.clip(index, 0, np.array(geometry.shape) - 1)
        self._session.set_crosshair(to_point(geometry.index_to_lps(inside)))

    def _change_window(self, moved: QPointF) -> None:
        now = self._session.window_level
        hu_per_pixel = max(now.width_hu / 250, 0.5)
        centre_hu = now.centre_hu - moved.y() * hu_per_pixel
        self._session.set_window_level(WindowLevel(centre_hu, now.width_hu + moved.x() * hu_per_pixel))

    def _pan(self, moved: QPointF) -> None:
        if self._plane is not None:
            mm_per_pixel = self.screen_map(self._plane).mm_per_pixel
            self.camera = self.camera.panned(-moved.x() * mm_per_pixel, moved.y() * mm_per_pixel)
            self.camera_changed.emit()
