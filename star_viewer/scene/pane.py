"""One view on screen: paints the newest picture and what is written over it, and takes input."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QEnterEvent,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from star_viewer.display import Comparison
from star_viewer.scene.annotations import draw_difference_legend, draw_legend, to_qcolour
from star_viewer.scene.colours import BACKGROUND, FOCUS
from star_viewer.scene.state import Frame, Picture, SceneState, ViewName, slice_kind_of
from star_viewer.session import IncidenceMode

WHEEL_STEP = 120
ZOOM_STEP = 1.15
UNCLAIMED = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier


class Pane(QWidget):
    """What the slice panes and the 3D pane have in common."""

    camera_changed = Signal()
    hovered_at = Signal(object)  # PointMm | None
    maximise_asked = Signal()
    restore_asked = Signal()
    reset_asked = Signal()
    activated = Signal(object)  # the view that took the focus

    def __init__(self, name: ViewName, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = name
        self.shows_legend = False
        self._state: SceneState | None = None
        self._picture: Picture | None = None
        self._last_pos = QPointF()
        self._wheel_rest = 0.0
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(80, 80)

    def show_frame(self, frame: Frame) -> None:
        """Take over a frame: its picture if this view changed, and its state in any case."""
        self._state = frame.state
        patch = frame.patches.get(self.name)
        rect = frame.state.rects.get(self.name)
        if patch is not None and rect is not None:
            height, width = patch.pixels.shape[:2]
            if (width, height) == (rect.width, rect.height):
                self._picture = patch.pixels
            elif self._picture is not None:
                self._picture[patch.y : patch.y + height, patch.x : patch.x + width] = patch.pixels
        self.update()

    def clear(self) -> None:
        """Show nothing."""
        self._state = self._picture = None
        self.update()

    # ------------------------------------------------------------------ painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the picture, the writing and the focus frame."""
        painter = QPainter(self)
        rect = QRectF(self.rect())
        painter.fillRect(rect, to_qcolour(BACKGROUND))
        if self._state is not None and self._picture is not None:
            height, width = self._picture.shape[:2]
            image = QImage(self._picture.data, width, height, 4 * width, QImage.Format.Format_RGBX8888)
            image.setDevicePixelRatio(self.devicePixelRatioF())
            painter.drawImage(QPointF(0, 0), image)
            self.annotate(painter, rect, self._state)
            if self.shows_legend:
                self._draw_legend(painter, rect, self._state)
        if self.hasFocus():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(to_qcolour(FOCUS, 200), 1))
            painter.drawRect(rect.adjusted(0.5, 0.5, -0.5, -0.5))
        painter.end()

    def _draw_legend(self, painter: QPainter, rect: QRectF, state: SceneState) -> None:
        if state.comparison is Comparison.DIFFERENCE and slice_kind_of(self.name) is not None:
            draw_difference_legend(painter, rect, state.difference_hu)
        elif state.risk is not None and state.overlay.visible:
            _draw_risk_legend(painter, rect, state)

    def annotate(self, painter: QPainter, rect: QRectF, state: SceneState) -> None:
        """Write over the picture; each kind of pane has its own writing."""
        raise NotImplementedError

    # ------------------------------------------------------------------ input

    def on_drag(self, event: QMouseEvent, moved: QPointF) -> None:
        """Follow a drag by ``moved`` pixels; each kind of pane has its own moves."""
        raise NotImplementedError

    def on_wheel(self, steps: int, event: QWheelEvent) -> None:
        """Follow whole wheel steps, positive away from the reader."""
        raise NotImplementedError

    def on_key(self, key: Qt.Key) -> bool:
        """Follow a key; return whether it meant something."""
        raise NotImplementedError

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Remember where a drag starts."""
        self._last_pos = event.position()
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag while a button is down."""
        if event.buttons() != Qt.MouseButton.NoButton and self._state is not None:
            moved = event.position() - self._last_pos
            self._last_pos = event.position()
            self.on_drag(event, moved)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Give this view the whole space, or give it back."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.maximise_asked.emit()

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show what can be gripped."""
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Tell that nothing lies under the cursor any more."""
        self.hovered_at.emit(None)
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Become the view that actions are about."""
        self.activated.emit(self.name)
        super().focusInEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Gather the small steps of touch pads into whole ones."""
        event.accept()
        self._wheel_rest += event.angleDelta().y() / WHEEL_STEP
        steps = int(self._wheel_rest)
        self._wheel_rest -= steps
        if steps and self._state is not None:
            self.on_wheel(steps, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Follow keys without Ctrl or Alt; those belong to the window."""
        key = Qt.Key(event.key())
        if event.modifiers() & UNCLAIMED:
            event.ignore()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.maximise_asked.emit()
        elif key == Qt.Key.Key_Escape:
            self.restore_asked.emit()
            event.ignore()
        elif key == Qt.Key.Key_R:
            self.reset_asked.emit()
        elif self._state is None or not self.on_key(key):
            event.ignore()


def _draw_risk_legend(painter: QPainter, rect: QRectF, state: SceneState) -> None:
    assert state.risk is not None
    when = f"risk by year {state.year}" if state.mode is IncidenceMode.CUMULATIVE else f"risk in year {state.year}"
    draw_legend(
        painter, rect, state.risk.top[state.mode], state.overlay.threshold_fraction, when, state.overlay.colour_map
    )
