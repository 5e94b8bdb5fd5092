"""Loss curves, drawn as they grow."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from star_core.report.palette import EVENT_FREE_COLOUR, OVERALL_SURVIVAL_COLOUR
from star_viewer.theme import GRID

_LEGEND = (("training", OVERALL_SURVIVAL_COLOUR), ("validation", EVENT_FREE_COLOUR))


class LossChart(QWidget):
    """Training and validation loss by epoch."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.epochs = 1
        self.points: list[tuple[int, float, float]] = []
        self.setMinimumSize(60 * GRID, 28 * GRID)
        self.setAccessibleName("Loss curves")

    def clear(self, epochs: int) -> None:
        """Begin a new run."""
        self.epochs, self.points = epochs, []
        self.update()

    def add(self, epoch: int, epochs: int, training: float, validation: float) -> None:
        """Add the losses of an epoch."""
        self.epochs = max(epochs, 1)
        self.points.append((epoch, training, validation))
        self.setAccessibleDescription(f"Epoch {epoch}: validation loss {validation:.4f}")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        faint = self.palette().color(QPalette.ColorRole.PlaceholderText)
        plot = QRectF(6 * GRID, GRID, self.width() - 8 * GRID, self.height() - 5 * GRID)
        painter.setPen(QPen(faint, 1))
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())
        painter.drawLine(plot.bottomLeft(), plot.topLeft())
        caption = QRectF(plot.left(), plot.bottom() + 4, plot.width(), 2 * GRID)
        painter.drawText(caption, Qt.AlignmentFlag.AlignCenter, f"epoch (of {self.epochs})")
        finite = [loss for _, *losses in self.points for loss in losses if math.isfinite(loss)]
        if not finite:
            painter.drawText(plot, Qt.AlignmentFlag.AlignCenter, "Loss curves appear after the first epoch.")
            return
        low, high = min(finite), max(finite)
        span = (high - low) or 1.0
        for value in (low, high):
            y = plot.bottom() - plot.height() * (0.05 + 0.9 * (value - low) / span)
            box = QRectF(0, y - GRID, 5.5 * GRID, 2 * GRID)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{value:.3f}")
        for column, (name, colour) in enumerate(_LEGEND, start=1):
            line = [
                QPointF(
                    plot.left() + plot.width() * point[0] / self.epochs,
                    plot.bottom() - plot.height() * (0.05 + 0.9 * (point[column] - low) / span),
                )
                for point in self.points
                if math.isfinite(point[column])
            ]
            painter.setPen(QPen(QColor(colour).lighter(125), 2))
            painter.drawPolyline(QPolygonF(line))
            for place in line:
                painter.drawEllipse(place, 2.0, 2.0)
            painter.drawText(QPointF(plot.right() - 12 * GRID, plot.top() + 2 * GRID * column), name)
