"""The four linked views: axial and 3D above, sagittal and coronal below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PySide6.QtCore import QDeadlineTimer, QEvent, QEventLoop, QPointF, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QImage, QPainter, QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QWidget

from star_core.types import Volume
from star_viewer.display import Comparison, DisplayStyle, Layout
from star_viewer.scene.annotations import to_qcolour
from star_viewer.scene.cameras import SliceCamera
from star_viewer.scene.colours import FRAME
from star_viewer.scene.hover import read_at
from star_viewer.scene.later_pane import LaterPane
from star_viewer.scene.layout_state import ViewPlaces, places_to_json
from star_viewer.scene.layouts import legend_view, place_pairs, place_views
from star_viewer.scene.oblique import ObliquePlane, Plane, turn_planes
from star_viewer.scene.orientation import SliceKind, build_plane
from star_viewer.scene.pane import Pane
from star_viewer.scene.parts import SceneParts
from star_viewer.scene.slice_pane import DragTool, SlicePane
from star_viewer.scene.solid_pane import SolidPane
from star_viewer.scene.state import SOLID, Frame, Rect, SceneState, ViewName, slice_kind_of
from star_viewer.scene.vtk_widget import VtkDrawer
from star_viewer.session import LaterScan, PointMm, Session

_SETTLED_MS = 180
_HOVER_MS = 15


class FourViews(QWidget):
    """Shows what the session holds; input goes back into the session.

    All changes within one turn of the event loop make one frame, in which all views change together.
    """

    hovered = Signal(object)  # HoverReading | None
    frame_shown = Signal(object)  # Frame
    failed = Signal(str)
    layout_changed = Signal()
    _news = Signal()  # something is to be drawn

    def __init__(self, session: Session, parent: QWidget | None = None, *, threaded: bool | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._planes: dict[SliceKind, Plane] = {}
        self._layout = session.display.style.layout
        self._comparison = session.display.style.comparison
        self._leading: ViewName = SliceKind.AXIAL
        self._corner_lines: tuple[str, ...] = ()
        self._draft = False
        self._stale = True
        self._generation = 0
        self._maximised: ViewName | None = None
        self._asked: SceneState | None = None
        self._shown: SceneState | None = None
        self._hover_point: PointMm | None = None
        self._drawer = VtkDrawer(self) if threaded is None else VtkDrawer(self, threaded=threaded)
        self._parts = SceneParts(session, self)
        self.setAccessibleName("Four linked views")
        self._build_panes()
        self._soon = self._single_shot(0, self._request)
        self._settled = self._single_shot(_SETTLED_MS, self._sharpen)
        self._hover_soon = self._single_shot(_HOVER_MS, self._tell_hover)
        self._connect()
        self._take_volume(session.volume)
        self._parts.take_over()

    def _single_shot(self, interval_ms: int, slot: object) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(interval_ms)
        timer.timeout.connect(slot)
        return timer

    def _build_panes(self) -> None:
        self.axial = SlicePane(SliceKind.AXIAL, self._session, self)
        self.solid = SolidPane(self)
        self.sagittal = SlicePane(SliceKind.SAGITTAL, self._session, self)
        self.coronal = SlicePane(SliceKind.CORONAL, self._session, self)
        self._slice_panes = (self.axial, self.sagittal, self.coronal)
        self._later_panes = tuple(LaterPane(pane, self._session, self) for pane in self._slice_panes)
        self._panes: tuple[Pane, ...] = (self.axial, self.solid, self.sagittal, self.coronal)
        self._all_panes: tuple[Pane, ...] = (*self._panes, *self._later_panes)
        self.coronal.shows_legend = True
        for pane in self._all_panes:
            pane.camera_changed.connect(self._schedule)
            pane.camera_changed.connect(self.layout_changed)
            pane.hovered_at.connect(self._note_hover)
            pane.reset_asked.connect(self.reset_views)
            pane.restore_asked.connect(self.restore)
            pane.maximise_asked.connect(self._toggle_maximised)
            pane.activated.connect(self._note_leading)
        for slice_pane in self._all_slices:
            slice_pane.turn_asked.connect(self.turn_planes)
        self.solid.camera_changed.connect(self._start_draft)

    @property
    def _all_slices(self) -> tuple[SlicePane, ...]:
        return (*self._slice_panes, *self._later_panes)

    def _connect(self) -> None:
        session = self._session
        session.volume_changed.connect(self._take_volume)
        session.display.changed.connect(self._take_style)
        session.anatomy.segments_changed.connect(self._schedule)
        session.later_changed.connect(self._take_later)
        for signal in (session.crosshair_changed, session.window_level_changed):
            signal.connect(self._schedule)
        for signal in (session.year_changed, session.incidence_mode_changed, session.overlay_changed):
            signal.connect(self._start_draft)
        self._parts.changed.connect(self._take_parts)
        self._parts.failed.connect(self.failed)
        self._drawer.drawn.connect(self._show_frame)
        self._drawer.failed.connect(self.failed)

    # ------------------------------------------------------------------ for the window

    @property
    def session(self) -> Session:
        """The session that is shown."""
        return self._session

    def paint_now(self) -> None:
        """Paint the newest pictures without waiting for the event loop."""
        self.repaint()

    def load(self) -> None:
        """Load VTK's libraries; call it before the window shows, because loading holds Python's lock."""
        import star_viewer.scene.stage  # noqa: F401

    def warm_up(self) -> None:
        """Make the drawing context in the background; call it once the window stands."""
        self._drawer.warm_up()

    def reset_views(self) -> None:
        """Show each slice whole, upright and along the grid, and the model from the front."""
        self._planes = self._planes_along(self._session.volume)
        for pane in self._all_slices:
            pane.set_plane(self._planes.get(pane.kind))
        self.solid.reset()
        self._schedule()
        self.layout_changed.emit()

    def layout_to_json(self) -> dict[str, Any]:
        """Return how the views stand, for the journal."""
        cameras = {pane.kind: pane.camera for pane in self._slice_panes}
        return places_to_json(self._maximised, cameras, self.solid.camera, self._planes)

    def layout_from_json(self, raw: Mapping[str, Any]) -> None:
        """Let the views stand as they did; ValueError where that is not told."""
        layout = ViewPlaces.model_validate(raw)
        planes = layout.planes(self._planes_along(self._session.volume))
        cameras = {pane.kind: layout.slice_camera(pane.kind) for pane in self._slice_panes}
        self.solid.camera = layout.orbit_camera(self.solid.camera)
        for pane in self._slice_panes:
            pane.camera = cameras[pane.kind]
        self._take_planes(planes)
        self.maximise(layout.large_view)

    @property
    def slice_panes(self) -> tuple[SlicePane, ...]:
        """The slice views."""
        return self._slice_panes

    @property
    def leading(self) -> ViewName:
        """The view that was used last."""
        return self._leading

    @property
    def leading_pane(self) -> Pane:
        """The view that was used last, or one that is shown where that is hidden."""
        shown = [pane for pane in self._panes if pane.isVisibleTo(self)]
        return next((pane for pane in shown if pane.name == self._leading), shown[0])

    def draw_sharply(self) -> None:
        """Draw without a draft first; :attr:`frame_shown` tells when that is done."""
        self._settled.stop()
        self._draft = False
        self._schedule()

    @property
    def leading_slice(self) -> SlicePane:
        """The slice view that was used last, or the axial one."""
        return next((pane for pane in self._slice_panes if pane.name == self._leading), self.axial)

    def change_camera(self, change: Callable[[SliceCamera], SliceCamera]) -> None:
        """Flip, rotate or zoom the slice view that was used last."""
        pane = self.leading_slice
        pane.camera = change(pane.camera)
        self._schedule()
        self.layout_changed.emit()

    def zoom(self, factor: float) -> None:
        """Zoom the view that was used last."""
        if self._leading == SOLID:
            self.solid.zoom(factor)
        else:
            self.leading_slice.zoom(factor, QPointF(self.leading_slice.rect().center()))

    def turn_planes(self, seen: SliceKind, degrees: float) -> None:
        """Turn the two other planes about the crosshair, counter-clockwise as seen in an unflipped view."""
        if self._planes:
            self._take_planes(turn_planes(self._planes, seen, degrees, np.array(self._session.crosshair_mm)))

    def align_planes(self) -> None:
        """Lay the planes along the grid again."""
        self._take_planes(self._planes_along(self._session.volume))

    @property
    def is_oblique(self) -> bool:
        """Whether a plane lies across the grid."""
        return any(isinstance(plane, ObliquePlane) for plane in self._planes.values())

    def _take_planes(self, planes: dict[SliceKind, Plane]) -> None:
        self._planes = planes
        for pane in self._all_slices:
            if pane.kind in planes:
                pane.follow_plane(planes[pane.kind])
        self._schedule()
        self.layout_changed.emit()

    def show_corner_lines(self, lines: tuple[str, ...]) -> None:
        """Write lines about patient and series into the corners of the slices."""
        if lines != self._corner_lines:
            self._corner_lines = lines
            self._schedule()

    def set_tool(self, tool: DragTool) -> None:
        """Choose what a drag with the left button does on the slices."""
        for pane in self._all_slices:
            pane.tool = tool

    @property
    def maximised(self) -> ViewName | None:
        """The view that fills the space, or ``None`` while all four are shown."""
        return self._maximised

    def maximise(self, name: ViewName | None) -> None:
        """Give one view the whole space, or show all four."""
        self._maximised = name
        self._place_panes()
        self.layout_changed.emit()

    def restore(self) -> None:
        """Show all four views."""
        self.maximise(None)

    def wait_until_prepared(self, timeout_ms: int = 30_000) -> bool:
        """Run the event loop until the pictures of the other years are drawn as well; return whether that came."""
        self.wait_until_drawn()
        deadline = QDeadlineTimer(timeout_ms)
        while not self._drawer.is_rested and not deadline.hasExpired():
            loop = QEventLoop()
            QTimer.singleShot(20, loop, loop.quit)
            loop.exec()
        return self._drawer.is_rested

    def wait_until_drawn(self, timeout_ms: int = 10_000) -> bool:
        """Run the event loop until the session is shown, sharp; return whether that came in time."""
        self.layout_now()
        self._settled.stop()
        self._draft = False
        deadline = QDeadlineTimer(timeout_ms)
        self._request(even_hidden=True)
        while not self.is_settled and not deadline.hasExpired():
            loop = QEventLoop()
            self.frame_shown.connect(loop.quit)
            self._news.connect(loop.quit)
            QTimer.singleShot(max(deadline.remainingTime(), 1), loop, loop.quit)
            loop.exec()
            if self._stale and not self._parts.busy:
                self._request(even_hidden=True)
        return self.is_settled

    @property
    def is_settled(self) -> bool:
        """Whether the session is shown as it is, sharp."""
        if self._session.volume is None:
            return True
        waiting = self._stale or self._draft or self._parts.busy
        return not waiting and self._shown is self._asked

    def grab_picture(self) -> QImage:
        """Return the views as they stand, drawn sharply, with all that is written over them."""
        self.wait_until_drawn()
        return self.grab().toImage()

    def finalise(self) -> None:
        """Release everything that VTK holds; call it before the window goes."""
        for timer in (self._soon, self._settled, self._hover_soon):
            timer.stop()
        self._parts.finalise()
        self._drawer.finalise()

    # ------------------------------------------------------------------ following the session

    def _take_volume(self, volume: Volume | None) -> None:
        self._planes = self._planes_along(volume)
        self.solid.reset()
        self._generation += 1
        if volume is None:
            self._asked = self._shown = None
            for pane in self._all_panes:
                pane.clear()
        for pane in self._all_slices:
            pane.set_plane(self._planes.get(pane.kind))
        self._schedule()

    @staticmethod
    def _planes_along(volume: Volume | None) -> dict[SliceKind, Plane]:
        return {} if volume is None else {kind: build_plane(kind, volume.geometry) for kind in SliceKind}

    def _take_parts(self) -> None:
        bounds_mm = self._parts.bounds_mm()
        if bounds_mm is not None:
            self.solid.fit(bounds_mm)
        self._schedule()

    def _take_style(self, style: DisplayStyle) -> None:
        if style.layout != self._layout:
            self._layout, self._maximised = style.layout, None
            self._place_panes()
        if style.comparison is not self._comparison:
            self._comparison = style.comparison
            self._place_panes()
        self._parts.follow(style)
        self._start_draft()

    def _take_later(self, _: LaterScan | None) -> None:
        if self._is_paired != self._later_panes[0].isVisibleTo(self):
            self._place_panes()
        self._schedule()

    @property
    def _is_paired(self) -> bool:
        return self._comparison is Comparison.SIDE and self._session.later is not None

    # ------------------------------------------------------------------ frames

    def _schedule(self) -> None:
        self._stale = True
        self._news.emit()
        if not self._soon.isActive():
            self._soon.start()

    def _start_draft(self) -> None:
        if self._parts.risk is not None or self._parts.body is not None:
            self._draft = True
            self._settled.start()
        self._schedule()

    def _sharpen(self) -> None:
        self._draft = False
        self._request()

    def _request(self, *, even_hidden: bool = False) -> None:
        self._soon.stop()
        if self._session.volume is None or not (self.isVisible() or even_hidden):
            return
        self._stale = False
        self._asked = self._build_state(self._session.volume)
        self._drawer.request(self._asked)

    def _build_state(self, volume: Volume) -> SceneState:
        session, ratio = self._session, self.devicePixelRatioF()
        rects: dict[ViewName, Rect] = {}
        for pane in self._all_panes:
            if pane.isVisibleTo(self):
                place = pane.geometry()
                corner = round(place.x() * ratio), round(place.y() * ratio)
                rects[pane.name] = Rect(*corner, round(place.width() * ratio), round(place.height() * ratio))
        return SceneState(
            volume=volume,
            planes=self._planes,
            masks=session.masks,
            segments=session.anatomy.segments,
            surfaces=self._parts.surfaces,
            risk=self._parts.risk,
            paint=self._parts.paint,
            body=self._parts.body,
            later=session.later,
            display=session.display.style,
            corner_lines=self._corner_lines,
            year=session.year,
            mode=session.incidence_mode,
            crosshair_mm=session.crosshair_mm,
            window_level=session.window_level,
            overlay=session.overlay,
            slice_cameras={pane.kind: pane.camera for pane in self._slice_panes},
            orbit=self.solid.camera,
            canvas=(max(round(self.width() * ratio), 1), max(round(self.height() * ratio), 1)),
            rects=rects,
            draft=self._draft,
            generation=self._generation,
        )

    def _show_frame(self, frame: Frame) -> None:
        if self._session.volume is not frame.state.volume:
            return
        self._shown = frame.state
        if frame.state.draft and self._draft:
            self._settled.start()  # on a slow machine a draft takes long; the hand's rest counts from its end
        for pane in self._all_panes:
            pane.show_frame(frame)
        self.frame_shown.emit(frame)

    # ------------------------------------------------------------------ hovering

    def _note_hover(self, point_mm: PointMm | None) -> None:
        self._hover_point = point_mm
        if not self._hover_soon.isActive():
            self._hover_soon.start()

    def _tell_hover(self) -> None:
        if self._hover_point is None or self._session.volume is None:
            self.hovered.emit(None)
        else:
            self.hovered.emit(read_at(self._session, self._hover_point))

    # ------------------------------------------------------------------ layout and events

    def _toggle_maximised(self) -> None:
        sender = self.sender()
        name = (slice_kind_of(sender.name) or sender.name) if isinstance(sender, Pane) else None
        self.maximise(None if self._maximised is not None else name)

    def layout_now(self) -> None:
        """Place the views for the present size, also while the widget is hidden."""
        self._place_panes()

    def _note_leading(self, name: ViewName) -> None:
        name = slice_kind_of(name) or name
        if name != self._leading:
            self._leading = name
            self._news.emit()

    def _place_panes(self) -> None:
        size = (self.width(), self.height())
        place = place_pairs if self._is_paired else place_views
        if self._maximised is not None:
            places = place(Layout.ONE, self._maximised, size)
        else:
            places = place(self._layout, self._leading, size)
        legend = legend_view(places)
        for pane in self._all_panes:
            at = places.get(pane.name)
            pane.setVisible(at is not None)
            if at is not None:
                pane.setGeometry(*at)
            pane.shows_legend = pane.name == legend
        if self._maximised is not None:
            next(pane for pane in self._panes if pane.name == self._maximised).setFocus()
        self._schedule()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the new space."""
        self._place_panes()

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what changed while hidden."""
        self._schedule()

    def changeEvent(self, event: QEvent) -> None:
        """Draw anew when the window moves to a screen of another density."""
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._schedule()
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the lines between the views."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), to_qcolour(FRAME))
        painter.end()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Release VTK when used as a window of its own."""
        self.finalise()
        super().closeEvent(event)
