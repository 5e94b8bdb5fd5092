"""Measures the structures beside the window, whenever they change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from star_core.types import Masks
from star_viewer.session import Session

PAUSE_MS = 200


class MaskMeter(QObject):
    """Tells the volumes of the session's structures; what was overtaken is not told."""

    measured = Signal(object)  # Mapping[Structure, float] in ml; empty where nothing is drawn
    _done = Signal(object, object)  # from the thread: Masks, Mapping[Structure, float]

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._pool: ThreadPoolExecutor | None = None
        self._done.connect(self._take, Qt.ConnectionType.QueuedConnection)
        self._hand_rests = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._hand_rests.timeout.connect(self._ask)
        session.masks_changed.connect(self._note)

    def close(self) -> None:
        """Wait for what is measured and take no more."""
        self._session.masks_changed.disconnect(self._note)
        self._hand_rests.stop()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _note(self, masks: Masks | None) -> None:
        if masks is None:
            self._hand_rests.stop()
            self.measured.emit({})
        else:
            self._hand_rests.start()

    def _ask(self) -> None:
        masks = self._session.masks
        if masks is None:
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="star-meter")
        self._pool.submit(self._measure, masks)

    def _measure(self, masks: Masks) -> None:
        if masks is self._session.masks:
            volumes_ml = masks.volumes_ml()
            with suppress(RuntimeError):  # the window is gone
                self._done.emit(masks, volumes_ml)

    def _take(self, masks: Masks, volumes_ml: object) -> None:
        if masks is self._session.masks:
            self.measured.emit(volumes_ml)
