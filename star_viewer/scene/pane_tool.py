"""What takes input on a slice before the slice itself does."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QRectF
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter


class PaneTool(Protocol):
    """Paints over a slice and takes its input first; every method of input tells whether it meant something here.

    Which tool draws is the session's ``pen``; a tool whose pen it is not may still take hold of what it has painted.
    """

    def paint(self, painter: QPainter, rect: QRectF) -> None:
        """Paint over the picture."""

    def press(self, event: QMouseEvent) -> bool:
        """Begin."""

    def move(self, event: QMouseEvent) -> bool:
        """Follow the mouse, with or without a button."""

    def release(self, event: QMouseEvent) -> bool:
        """Let go."""

    def double_click(self, event: QMouseEvent) -> bool:
        """Take the second click of two."""

    def key(self, event: QKeyEvent) -> bool:
        """Follow a key without Ctrl or Alt."""
