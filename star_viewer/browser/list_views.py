"""What every list of studies does alike: where its menu opens, and what it says while it is empty."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent, QPainter, QPalette
from PySide6.QtWidgets import QAbstractItemView

from star_viewer.theme import GRID


def place_of_menu(view: QAbstractItemView, event: QContextMenuEvent) -> QPoint:
    """Return where on the screen a menu opens: at the mouse, or for the keyboard's menu key at the current row."""
    if event.reason() != QContextMenuEvent.Reason.Keyboard:
        return event.globalPos()
    row = view.visualRect(view.currentIndex())
    return view.viewport().mapToGlobal(row.center() if row.isValid() else QPoint(GRID, GRID))


def paint_empty_text(view: QAbstractItemView, text: str) -> None:
    """Paint a text in the middle of a view; called while the view paints itself."""
    painter = QPainter(view.viewport())
    painter.setPen(view.palette().color(QPalette.ColorRole.PlaceholderText))
    room = view.viewport().rect().adjusted(2 * GRID, 2 * GRID, -2 * GRID, -2 * GRID)
    painter.drawText(room, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), text)
