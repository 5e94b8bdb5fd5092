"""What Qt writes over the pictures: letters, crosshair, scale bar, legend and the orientation cube."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QImage, QPainter, QPen, QPolygonF, QTransform

from star_viewer.display import ColourMap
from star_viewer.scene.cameras import OrbitCamera
from star_viewer.scene.colours import BACKGROUND, FAINT_TEXT, TEXT, Rgb, build_difference_table, build_risk_table

MARGIN = 10
_GAP = 12
_LEGEND_SIZE = (12, 120)
_CUBE_SIZE = 58
_FACES = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}


def to_qcolour(rgb: Rgb, alpha: int = 255) -> QColor:
    """Return one of the scene's colours for Qt."""
    return QColor(rgb[0], rgb[1], rgb[2], alpha)


def draw_text(
    painter: QPainter,
    rect: QRectF,
    flags: Qt.AlignmentFlag,
    text: str,
    colour: Rgb = TEXT,
    *,
    points: float = 9.0,
    letter: bool = False,
) -> None:
    """Write text with a dark rim, readable on bone and on air."""
    font = _letter_font() if letter else QFont()
    font.setPointSizeF(points)
    painter.setFont(font)
    painter.setPen(to_qcolour(BACKGROUND, 190))
    for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        painter.drawText(rect.translated(dx, dy), flags, text)
    painter.setPen(to_qcolour(colour))
    painter.drawText(rect, flags, text)


def _letter_font() -> QFont:
    # Fixed-width faces give the I its serifs; without them "inferior" reads as a stroke.
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    font.setBold(True)
    return font


def draw_letters(painter: QPainter, rect: QRectF, letters: tuple[str, str, str, str]) -> None:
    """Write the orientation letters at the left, right, top and bottom edge."""
    inner = rect.adjusted(MARGIN, MARGIN - 2, -MARGIN, -MARGIN + 2)
    middle_v, middle_h = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignHCenter
    places = (
        Qt.AlignmentFlag.AlignLeft | middle_v,
        Qt.AlignmentFlag.AlignRight | middle_v,
        Qt.AlignmentFlag.AlignTop | middle_h,
        Qt.AlignmentFlag.AlignBottom | middle_h,
    )
    for place, letter in zip(places, letters, strict=True):
        draw_text(painter, inner, place, letter, points=13.0, letter=True)


def draw_crosshair(
    painter: QPainter, rect: QRectF, x: float, y: float, lines: Sequence[tuple[tuple[float, float], Rgb]]
) -> None:
    """Draw the other planes as lines that leave their meeting point free; each has a direction on screen, y down."""
    reach = rect.width() + rect.height()
    x, y = round(x) + 0.5, round(y) + 0.5
    for (dx, dy), colour in lines:
        straight = min(abs(dx), abs(dy)) < 1e-6
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, not straight)
        painter.setPen(QPen(to_qcolour(colour, 170), 1))
        for sign in (-1, 1):
            ends = [QPointF(x + sign * part * dx, y + sign * part * dy) for part in (_GAP, reach)]
            painter.drawLine(QLineF(*ends))


def draw_handles(painter: QPainter, handles: Sequence[tuple[float, float, Rgb]]) -> None:
    """Draw the grips by which planes are turned."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    for x, y, colour in handles:
        painter.setPen(QPen(to_qcolour(BACKGROUND, 190), 1))
        painter.setBrush(to_qcolour(colour, 230))
        painter.drawEllipse(QPointF(x, y), 4.5, 4.5)
    painter.setBrush(Qt.BrushStyle.NoBrush)


def draw_marker(painter: QPainter, x: float, y: float) -> None:
    """Mark the crosshair's point in the 3D view."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for colour, width in ((to_qcolour(BACKGROUND, 160), 3.0), (to_qcolour(TEXT, 220), 1.2)):
        painter.setPen(QPen(colour, width))
        painter.drawEllipse(QPointF(x, y), 5.0, 5.0)


def choose_scale_mm(mm_per_pixel: float, width: float) -> float:
    """Return a round length that takes up at most a fifth of the view."""
    lengths_mm = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
    fitting = [length_mm for length_mm in lengths_mm if length_mm / mm_per_pixel <= width / 5]
    return fitting[-1] if fitting else lengths_mm[0]


def draw_scale_bar(painter: QPainter, rect: QRectF, mm_per_pixel: float) -> None:
    """Draw a length in millimetres in the lower left corner."""
    length_mm = choose_scale_mm(mm_per_pixel, rect.width())
    left, bottom = rect.left() + MARGIN + 0.5, round(rect.bottom() - MARGIN) - 3.5
    right = round(left + length_mm / mm_per_pixel) + 0.5
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    for colour, width in ((to_qcolour(BACKGROUND, 190), 3), (to_qcolour(TEXT), 1)):
        painter.setPen(QPen(colour, width))
        painter.drawLine(QLineF(left, bottom, right, bottom))
        painter.drawLines([QLineF(x, bottom - 4, x, bottom) for x in (left, right)])
    label = QRectF(left, bottom - 24, 120, 18)
    draw_text(painter, label, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, f"{length_mm:g} mm")


def draw_legend(
    painter: QPainter, rect: QRectF, top: float, threshold_fraction: float, caption: str, colour_map: ColourMap
) -> None:
    """Draw the colour scale of the risk with its unit in the lower right corner."""
    height = _LEGEND_SIZE[1]
    labels = {part: f"{top * part:g}" for part in (0.0, 0.5, 1.0)}
    colours = build_risk_table(height, colour_map)
    _draw_scale(
        painter, rect, colours, labels, (caption, "% per 10 ml"), shown=round(height * (1 - threshold_fraction))
    )


def draw_difference_legend(painter: QPainter, rect: QRectF, most_hu: float) -> None:
    """Draw the colour scale of a difference in the lower right corner."""
    labels = {0.0: f"-{most_hu:.0f}", 0.5: "0", 1.0: f"+{most_hu:.0f}"}
    _draw_scale(
        painter, rect, build_difference_table(_LEGEND_SIZE[1]), labels, ("later minus first", "HU"), on_white=True
    )


def _draw_scale(
    painter: QPainter,
    rect: QRectF,
    table: NDArray[np.uint8],
    labels: Mapping[float, str],
    heading: tuple[str, str],
    *,
    shown: int = _LEGEND_SIZE[1],
    on_white: bool = False,
) -> None:
    width, height = _LEGEND_SIZE
    bar = QRectF(rect.right() - MARGIN - 52, rect.bottom() - MARGIN - height - 6, width, height)
    if on_white:
        edge = rect.right() - 112
        painter.fillRect(QRectF(edge, bar.top() - 44, rect.right() - edge, height + 60), to_qcolour(BACKGROUND, 225))
    colours = np.ascontiguousarray(np.repeat(table[::-1, None], width, axis=1))
    image = QImage(colours.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.fillRect(bar, to_qcolour(BACKGROUND, 200))
    painter.drawImage(bar.topLeft(), image, QRectF(0, 0, width, shown))
    painter.setPen(QPen(to_qcolour(TEXT, 130), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(bar.adjusted(-0.5, -0.5, 0.5, 0.5))
    for part, text in labels.items():
        label = QRectF(bar.right() + 6, bar.bottom() - part * height - 8, 46, 16)
        draw_text(painter, label, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
    right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom
    head = QRectF(rect.right() - MARGIN - 220, bar.top() - 44, 220, 36)
    draw_text(painter, head.adjusted(0, 0, 0, -17), right, heading[0], FAINT_TEXT)
    draw_text(painter, head, right, heading[1])


def draw_cube(painter: QPainter, rect: QRectF, camera: OrbitCamera) -> None:
    """Draw a small cube that turns with the model and bears the orientation letters."""
    half = _CUBE_SIZE / 2 / 1.5
    centre = QPointF(rect.left() + MARGIN + _CUBE_SIZE / 2, rect.bottom() - MARGIN - _CUBE_SIZE / 2)
    frame = np.array(camera.frame_lps)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    for letter, (axis, sign) in _FACES.items():
        normal = np.zeros(3)
        normal[axis] = sign
        facing = float((frame @ normal)[2])
        if facing <= 0.02:
            continue
        up = np.array([0.0, -1.0, 0.0]) if axis == 2 else np.array([0.0, 0.0, 1.0])
        right = np.cross(up, normal)
        corners = [normal - right + up, normal + right + up, normal + right - up, normal - right - up]
        seen = [frame @ corner for corner in corners]
        face = QPolygonF([QPointF(centre.x() + p[0] * half, centre.y() - p[1] * half) for p in seen])
        shade = round(38 + 44 * facing)
        painter.setPen(QPen(to_qcolour(FAINT_TEXT, 150), 1))
        painter.setBrush(QColor(shade, shade + 4, shade + 10, 235))
        painter.drawPolygon(face)
        transform = QTransform()
        square = QPolygonF([QPointF(0, 0), QPointF(40, 0), QPointF(40, 40), QPointF(0, 40)])
        if QTransform.quadToQuad(square, face, transform):
            painter.save()
            painter.setTransform(transform, True)
            _write_face(painter, letter)
            painter.restore()
    painter.restore()


def _write_face(painter: QPainter, letter: str) -> None:
    font = _letter_font()
    font.setPixelSize(26)
    painter.setFont(font)
    painter.setPen(to_qcolour(TEXT))
    painter.drawText(QRectF(0, 0, 40, 40), Qt.AlignmentFlag.AlignCenter, letter)
