"""Small pictures of series: asked for one at a time, the newest wish first, only for rows that are being drawn."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QPixmap

MOST_WAITING = 64
MOST_KEPT = 2000


class PictureStore(QObject):
    """Keeps pictures by the number of their series; ``asked`` carries the one that is wanted next."""

    asked = Signal(int)
    arrived = Signal(int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kept: dict[int, QPixmap | None] = {}
        self._waiting: list[int] = []
        self._running: int | None = None

    def picture_of(self, series: int) -> QPixmap | None:
        """Return a picture, or ``None`` while there is none; one that was never asked for is asked for now."""
        if series not in self._kept and series != self._running:
            if series in self._waiting:
                self._waiting.remove(series)
            self._waiting.append(series)
            del self._waiting[:-MOST_WAITING]
            self._next()
        return self._kept.get(series)

    def take(self, series: int, png: bytes) -> None:
        """Take over a picture; an empty one says that there is none."""
        pixmap = QPixmap()
        if len(self._kept) >= MOST_KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[series] = pixmap if png and pixmap.loadFromData(png, "PNG") else None
        if series == self._running:
            self._running = None
        self.arrived.emit(series)
        self._next()

    def clear(self) -> None:
        """Forget everything: the archive is another one, or its series have changed."""
        self._kept.clear()
        self._waiting.clear()

    def _next(self) -> None:
        if self._running is None and self._waiting:
            self._running = self._waiting.pop()
            self.asked.emit(self._running)
