"""A slice view on screen."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QWheelEvent
from PySide6.QtWidgets import QWidget

from star_core.imaging.annotations import AnnotationPlane
from star_viewer.display import SlabMode
from star_viewer.scene.annotations import (
    MARGIN,
    draw_crosshair,
    draw_handles,
    draw_letters,
    draw_scale_bar,
    draw_text,
)
from star_viewer.scene.cameras import ScreenMap, SliceCamera, build_screen_map, edge_letters
from star_viewer.scene.colours import FAINT_TEXT, PLANE_COLOURS, Rgb
from star_viewer.scene.mask_pen import MaskPen
from star_viewer.scene.oblique import Plane, line_of
from star_viewer.scene.orientation import SliceKind, SlicePlane
from star_viewer.scene.pane import UNCLAIMED, ZOOM_STEP, Pane
from star_viewer.scene.pane_tool import PaneTool
from star_viewer.scene.pen import Pen
from star_viewer.scene.state import SceneState
from star_viewer.session import PointMm, Session, WindowLevel

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


_GRIP_PIXELS = 10.0


class DragTool(StrEnum):
    """What a drag with the left button does on a slice."""

    CROSSHAIR = "crosshair"
    WINDOW_LEVEL = "window-level"
    PAN = "pan"


def to_point(point_mm: np.ndarray) -> PointMm:
    """Return a (3,) array as the session's kind of point."""
    return float(point_mm[0]), float(point_mm[1]), float(point_mm[2])


class SlicePane(Pane):
    """Scrolls, aims, turns, pans, zooms and windows one slice view."""

    is_later = False
    turn_asked = Signal(object, float)  # SliceKind, degrees by which the other planes turn about the crosshair

    def __init__(self, kind: SliceKind, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(kind, parent)
        self.kind = kind
        self.camera = SliceCamera()
        self.tool = DragTool.CROSSHAIR
        self._session = session
        self._plane: Plane | None = None
        self._aimed_before_mm = session.crosshair_mm
        self._gripped = False
        self.pen = Pen(self)
        self.mask_pen = MaskPen(self)
        self.tools: list[PaneTool] = [self.mask_pen, self.pen]
        self.setAccessibleName(f"{kind} slice view")
        self.setAccessibleDescription(
            "Up and Down change the slice, Page Up and Page Down by ten; plus and minus zoom; R resets; "
            "Enter maximises. D, A, E, H, W and T draw, P paints: arrows then move the crosshair, Enter places a point."
        )

    def set_plane(self, plane: Plane | None) -> None:
        """Show another grid's slices, all of each."""
        self._plane = plane
        self.camera = SliceCamera()

    def follow_plane(self, plane: Plane) -> None:
        """Show a plane that was turned, from where the reader stands."""
        self._plane = plane

    def screen_map(self, plane: Plane, camera: SliceCamera | None = None) -> ScreenMap:
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

    @property
    def plane(self) -> Plane | None:
        """The slices that are shown."""
        return self._plane

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

    @property
    def grid_axis(self) -> int | None:
        """The grid axis that the slice lies across, ``None`` on a slice across the grid."""
        return self._plane.normal_axis if isinstance(self._plane, SlicePlane) else None

    @property
    def pixels_per_mm(self) -> float:
        """How large a millimetre is on this widget."""
        return 1.0 if self._plane is None else 1.0 / self.screen_map(self._plane).mm_per_pixel

    def pixel_of(self, point_mm: PointMm) -> QPointF:
        """Return where a point of the patient lies on this widget."""
        if self._plane is None:
            return QPointF()
        u_mm, v_mm = self._plane.to_screen_mm(np.array(point_mm))
        return QPointF(*self.screen_map(self._plane).to_pixel(float(u_mm), float(v_mm)))

    def pixels_of(self, path_mm: Sequence[PointMm]) -> list[QPointF]:
        """Return where the points of a path lie on this widget."""
        if self._plane is None:
            return [QPointF()] * len(path_mm)
        screen = self.screen_map(self._plane)
        return [QPointF(*screen.to_pixel(u, v)) for u, v in self._plane.to_screen_mm(np.array(path_mm)).tolist()]

    def on_slice(self, point_mm: PointMm) -> PointMm:
        """Return a point's place on the slice that is shown."""
        return self.point_at(self.pixel_of(point_mm)) or point_mm

    def step_mm(self, right: int, up: int) -> PointMm:
        """Return steps to the right and up, of a pixel of the scan each, in LPS mm."""
        if self._plane is None:
            return (0.0, 0.0, 0.0)
        screen = self.screen_map(self._plane)
        u_mm, v_mm = np.array(screen.vector_to_mm(right, -up)) / screen.mm_per_pixel
        spacing_mm = min(self._plane.geometry.spacing_mm)
        return to_point(spacing_mm * (u_mm * self._plane.frame_lps[0] + v_mm * self._plane.frame_lps[1]))

    def step_crosshair(self, right: int, up: int) -> None:
        """Move the crosshair on the slice by pixels of the scan."""
        if self._plane is not None:
            moved_mm = np.add(self._session.crosshair_mm, self.step_mm(right, up))
            self._aim(self.pixel_of(to_point(moved_mm)))

    # ------------------------------------------------------------------ painting

    def annotate(self, painter: QPainter, rect: QRectF, state: SceneState) -> None:
        """Write plane, slice, window, letters, scale and crosshair."""
        plane, camera = state.planes[self.kind], state.slice_cameras[self.kind]
        screen = self.screen_map(plane, camera)
        x, y = self._crosshair_at(state)
        draw_crosshair(painter, rect, x, y, self._lines(state))
        if self.underMouse() or self._gripped:
            draw_handles(painter, self._handles(state))
        draw_letters(painter, rect, edge_letters(plane.frame_lps, camera.turn))
        draw_scale_bar(painter, rect, screen.mm_per_pixel)
        inner = rect.adjusted(MARGIN, MARGIN - 2, -MARGIN, -MARGIN)
        top_left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
        draw_text(painter, inner, top_left, self.kind.capitalize(), PLANE_COLOURS[self.kind])
        for row, line in enumerate(self._describe(state), start=1):
            draw_text(painter, inner.adjusted(0, 17 * row, 0, 0), top_left, line, FAINT_TEXT)
        window = f"W {state.window_level.width_hu:.0f}   L {state.window_level.centre_hu:.0f}"
        top_right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop
        draw_text(painter, inner, top_right, window, FAINT_TEXT)
        for row, line in enumerate(state.corner_lines, start=1):
            draw_text(painter, inner.adjusted(inner.width() / 2, 17 * row, 0, 0), top_right, line, FAINT_TEXT)
        for tool in self.tools:
            tool.paint(painter, rect)

    def _describe(self, state: SceneState) -> list[str]:
        lines = [state.planes[self.kind].position_text(np.array(state.crosshair_mm))]
        if state.slab.mode is not SlabMode.THIN:
            lines.append(f"{state.slab.mode.value} of {state.slab.thickness_mm:g} mm")
        compared = state.shown_text(beside=self.is_later)
        return [*lines, compared] if compared else lines

    def _crosshair_at(self, state: SceneState) -> tuple[float, float]:
        plane = state.planes[self.kind]
        u_mm, v_mm = plane.to_screen_mm(np.array(state.crosshair_mm))
        return self.screen_map(plane, state.slice_cameras[self.kind]).to_pixel(float(u_mm), float(v_mm))

    def _lines(self, state: SceneState) -> list[tuple[tuple[float, float], Rgb]]:
        """Return where the other planes cut this one: directions on screen (y downwards) and colours."""
        lines = []
        a, b, c, d = state.slice_cameras[self.kind].turn
        for kind, other in state.planes.items():
            if kind is not self.kind:
                u, v = line_of(state.planes[self.kind], other)
                lines.append(((a * u + b * v, -c * u - d * v), PLANE_COLOURS[kind]))
        return lines

    def _handles(self, state: SceneState) -> list[tuple[float, float, Rgb]]:
        x, y = self._crosshair_at(state)
        reach = 0.3 * min(self.width(), self.height())
        return [
            (x + sign * reach * dx, y + sign * reach * dy, colour)
            for (dx, dy), colour in self._lines(state)
            for sign in (-1, 1)
        ]

    # ------------------------------------------------------------------ input

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Aim where the left button goes down."""
        super().mousePressEvent(event)
        if any(tool.press(event) for tool in self.tools):
            return
        self._aimed_before_mm = self._session.crosshair_mm
        if event.button() == Qt.MouseButton.LeftButton and self.tool is DragTool.CROSSHAIR:
            self._gripped = self._grips(event.position())
            if not self._gripped:
                self._aim(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go of a handle, or of what was drawn or moved."""
        self._gripped = False
        any(tool.release(event) for tool in self.tools)
        super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Fill the space, and take back what the first of the two clicks aimed at."""
        if any(tool.double_click(event) for tool in self.tools):
            return
        if event.button() == Qt.MouseButton.LeftButton and self.tool is DragTool.CROSSHAIR:
            self._session.set_crosshair(self._aimed_before_mm)
        super().mouseDoubleClickEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag, and tell what lies under the cursor."""
        if not any(tool.move(event) for tool in self.tools):
            super().mouseMoveEvent(event)
        self.hovered_at.emit(self.point_at(event.position()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Draw and move by keys, or follow them as every view does."""
        if event.modifiers() & UNCLAIMED or not any(tool.key(event) for tool in self.tools):
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
            case DragTool.CROSSHAIR if self._gripped:
                self._turn(event.position(), moved)
            case DragTool.CROSSHAIR:
                self._aim(event.position())
            case DragTool.WINDOW_LEVEL:
                self._change_window(moved)
            case DragTool.PAN:
                self._pan(moved)

    def on_wheel(self, steps: int, event: QWheelEvent) -> None:
        """Scroll; with Ctrl zoom about the cursor, with Shift change the brush that is in hand."""
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom(ZOOM_STEP**steps, event.position())
        elif not (event.modifiers() & Qt.KeyboardModifier.ShiftModifier and self.mask_pen.wheel(steps)):
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

    def _grips(self, position: QPointF) -> bool:
        if self._state is None or self._plane is None:
            return False
        places = [QPointF(x, y) for x, y, _ in self._handles(self._state)]
        return any((place - position).manhattanLength() <= _GRIP_PIXELS for place in places)

    def _turn(self, position: QPointF, moved: QPointF) -> None:
        """Turn the other planes by the angle that the hand went about the crosshair."""
        if self._state is None:
            return
        centre = QPointF(*self._crosshair_at(self._state))
        before, after = position - moved - centre, position - centre
        angles = [np.degrees(np.arctan2(-way.y(), way.x())) for way in (before, after)]
        degrees = (float(angles[1] - angles[0]) + 180) % 360 - 180
        a, b, c, d = self.camera.turn
        # On a mirrored picture the same movement of the hand is the other way about.
        self.turn_asked.emit(self.kind, degrees * (a * d - b * c))

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
            u_mm, v_mm = self.screen_map(self._plane).vector_to_mm(moved.x(), moved.y())
            self.camera = self.camera.panned(-u_mm, -v_mm)
            self.camera_changed.emit()
