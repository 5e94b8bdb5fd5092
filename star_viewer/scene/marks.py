"""What readers draw, painted by Qt over a slice: outlines, handles, and the values beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPen, QPolygonF

from star_core.imaging.annotations import Annotation, AnnotationKind, PointMm
from star_core.imaging.measure import Measurement, to_text
from star_core.types import DoubleArray
from star_viewer.scene.annotations import draw_text, to_qcolour
from star_viewer.scene.colours import BACKGROUND, MARK, SELECTED_MARK, Rgb

HANDLE = 4.0
TEXT_POINTS = 9.0
_ELLIPSE_CORNERS = 72
_TICK, _HEAD, _ARC = 5.0, 11.0, 22.0
_MOST_HANDLES = 12

ToPixel = Callable[[PointMm], QPointF]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """An annotation as it lies on a view: its points and its outline in pixels, and what stands beside it."""

    annotation: Annotation
    points: tuple[QPointF, ...]
    outline: tuple[QPointF, ...]
    lines: tuple[str, ...]

    @property
    def is_closed(self) -> bool:
        """Whether the outline ends where it begins."""
        return self.annotation.kind in (AnnotationKind.ELLIPSE, AnnotationKind.FREEHAND)

    @property
    def handles(self) -> tuple[QPointF, ...]:
        """Points that can be moved alone; a long outline is moved as a whole."""
        return self.points if len(self.points) <= _MOST_HANDLES else ()

    def text_rect(self, rect: QRectF) -> QRectF:
        """Return where the words stand: at the right of the outline, near the edge beneath or above it."""
        metrics = QFontMetricsF(_font())
        width = max((metrics.horizontalAdvance(line) for line in self.lines), default=0.0) + 4
        height = metrics.height() * len(self.lines)
        bounds = QPolygonF(self.outline).boundingRect()
        x, y = bounds.right() + 8, self.points[-1].y() - height / 2
        if self.annotation.kind is AnnotationKind.ARROW:
            tip, tail = self.points
            x = tail.x() + 8 if tail.x() >= tip.x() else tail.x() - 8 - width
        if x + width > rect.right() - 2:
            x = max(rect.right() - 2 - width, rect.left() + 2)
            y = bounds.bottom() + 6 if bounds.bottom() + 6 + height < rect.bottom() else bounds.top() - 6 - height
        y = min(max(y, rect.top() + 2), rect.bottom() - height - 2)
        return QRectF(x, y, width, height)


def build_mark(annotation: Annotation, measurement: Measurement, to_pixel: ToPixel) -> Mark:
    """Lay an annotation onto a view."""
    points = tuple(to_pixel(point) for point in annotation.points_mm)
    outline = points
    if annotation.kind is AnnotationKind.ELLIPSE:
        outline = tuple(to_pixel(_as_point(corner)) for corner in _ellipse_mm(annotation))
    lines = tuple(filter(None, (annotation.label, to_text(measurement))))
    return Mark(annotation=annotation, points=points, outline=outline, lines=lines)


def _ellipse_mm(annotation: Annotation) -> DoubleArray:
    corners = annotation.plane.to_plane_mm(np.array(annotation.points_mm))
    centre, radii = corners.mean(axis=0), np.ptp(corners, axis=0) / 2
    angle = np.linspace(0, 2 * np.pi, _ELLIPSE_CORNERS, endpoint=False)
    return annotation.plane.to_lps(centre + radii * np.stack([np.cos(angle), np.sin(angle)], axis=1))


def _as_point(point_mm: DoubleArray) -> PointMm:
    return float(point_mm[0]), float(point_mm[1]), float(point_mm[2])


def _font() -> QFont:
    font = QFont()
    font.setPointSizeF(TEXT_POINTS)
    return font


# --------------------------------------------------------------------------- painting


def paint_mark(painter: QPainter, rect: QRectF, mark: Mark, *, selected: bool) -> None:
    """Paint one annotation with its handles if it is selected."""
    colour = SELECTED_MARK if selected else MARK
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for ink, width in ((to_qcolour(BACKGROUND, 170), 3.6), (to_qcolour(colour), 1.4)):
        painter.setPen(QPen(ink, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
        _stroke(painter, mark)
    if selected:
        _paint_handles(painter, mark, colour)
    _paint_lines(painter, mark, mark.text_rect(rect), colour)


def _stroke(painter: QPainter, mark: Mark) -> None:
    match mark.annotation.kind:
        case AnnotationKind.ELLIPSE | AnnotationKind.FREEHAND:
            painter.drawPolygon(QPolygonF(mark.outline))
        case AnnotationKind.DISTANCE:
            painter.drawPolyline(QPolygonF(mark.points))
            _draw_ticks(painter, *mark.points)
        case AnnotationKind.ANGLE:
            painter.drawPolyline(QPolygonF(mark.points))
            _draw_arc(painter, mark.points)
        case AnnotationKind.ARROW:
            painter.drawPolyline(QPolygonF(mark.points))
            _draw_head(painter, *mark.points)
        case AnnotationKind.TEXT:
            painter.drawPoint(mark.points[0])


def _along(start: QPointF, end: QPointF) -> QPointF | None:
    run = end - start
    length = float(np.hypot(run.x(), run.y()))
    return run / length if length > 1e-3 else None


def _draw_ticks(painter: QPainter, start: QPointF, end: QPointF) -> None:
    along = _along(start, end)
    if along is not None:
        across = QPointF(-along.y(), along.x()) * _TICK
        for point in (start, end):
            painter.drawLine(point - across, point + across)


def _draw_head(painter: QPainter, tip: QPointF, tail: QPointF) -> None:
    along = _along(tip, tail)
    if along is not None:
        across = QPointF(-along.y(), along.x()) * (0.4 * _HEAD)
        painter.drawPolyline(QPolygonF([tip + along * _HEAD + across, tip, tip + along * _HEAD - across]))


def _draw_arc(painter: QPainter, points: Sequence[QPointF]) -> None:
    first, second = _along(points[1], points[0]), _along(points[1], points[2])
    if first is None or second is None:
        return
    start, end = (float(np.arctan2(-one.y(), one.x())) for one in (first, second))
    span = (end - start + np.pi) % (2 * np.pi) - np.pi
    box = QRectF(points[1].x() - _ARC, points[1].y() - _ARC, 2 * _ARC, 2 * _ARC)
    painter.drawArc(box, round(np.rad2deg(start) * 16), round(float(np.rad2deg(span)) * 16))


def _paint_handles(painter: QPainter, mark: Mark, colour: Rgb) -> None:
    painter.setPen(QPen(to_qcolour(BACKGROUND), 1))
    painter.setBrush(to_qcolour(colour))
    for point in mark.handles:
        painter.drawRect(QRectF(point.x() - HANDLE, point.y() - HANDLE, 2 * HANDLE, 2 * HANDLE))
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _paint_lines(painter: QPainter, mark: Mark, place: QRectF, colour: Rgb) -> None:
    if not mark.lines:
        return
    height = place.height() / len(mark.lines)
    for number, line in enumerate(mark.lines):
        row = QRectF(place.left(), place.top() + number * height, place.width() + 8, height)
        draw_text(painter, row, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, line, colour)


# --------------------------------------------------------------------------- hitting


def distance_to_mark(mark: Mark, position: QPointF, rect: QRectF) -> float:
    """Return how many pixels lie between a place and an annotation's outline, or its words if it is nothing else."""
    if mark.annotation.kind is AnnotationKind.TEXT and mark.text_rect(rect).contains(position):
        return 0.0
    corners = np.array([[point.x(), point.y()] for point in mark.outline])
    ends = np.roll(corners, -1, axis=0) if mark.is_closed else corners[1:]
    starts = corners if mark.is_closed else corners[:-1]
    place = np.array([position.x(), position.y()])
    if not len(ends):
        return float(np.linalg.norm(corners[0] - place))
    run = ends - starts
    length2 = np.maximum((run**2).sum(axis=1), 1e-9)
    part = np.clip(((place - starts) * run).sum(axis=1) / length2, 0.0, 1.0)
    return float(np.linalg.norm(starts + part[:, None] * run - place, axis=1).min())
