"""The window measures itself on the demonstration patient: start, longest block while loading, change of year."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from star_viewer.app import StarApp

STARTED_AT = "STAR_STARTED_AT"
VIEWS_WIDTH, VIEWS_HEIGHT = 1400, 1000
_SETTLE_MS = 3000


class WindowMeter(QObject):
    """Listens to the window's own pulse while a case loads, then steps through the years, writes and closes."""

    def __init__(self, star: StarApp, file: Path) -> None:
        super().__init__(star)
        self._star, self._file = star, file
        self._shown_s = float("nan")
        star.window.stack.setMinimumSize(VIEWS_WIDTH, VIEWS_HEIGHT)
        self._blocks_ms: list[float] = []
        self._last = time.perf_counter()
        self._pulse = QTimer(self, interval=1)
        self._pulse.timeout.connect(self._beat)
        self._pulse.start()
        QTimer.singleShot(0, self._note_shown)
        star.workflow.assessed.connect(lambda: QTimer.singleShot(_SETTLE_MS, self._finish))
        star.workflow.refused.connect(lambda failure: QApplication.exit(2))

    def _note_shown(self) -> None:
        handle = self._star.window.windowHandle()
        if handle is None or not handle.isExposed():
            QTimer.singleShot(5, self._note_shown)
            return
        self._star.window.repaint()
        self._shown_s = time.time() - float(os.environ.get(STARTED_AT, "nan"))
        self._blocks_ms.clear()

    def _beat(self) -> None:
        now = time.perf_counter()
        self._blocks_ms.append(1000 * (now - self._last))
        self._last = now

    def _finish(self) -> None:
        from star_viewer.scene.benchmark import measure_turning_fps, measure_window_change_ms, measure_year_change_ms
        from star_viewer.scene.four_views import FourViews

        self._pulse.stop()
        views = self._star.window.views
        if not isinstance(views, FourViews):
            QApplication.exit(2)
            return
        views.maximise(None)  # the case may have been left otherwise
        first_ms = measure_year_change_ms(views)
        changes_ms = measure_year_change_ms(views, prepared=True)
        size = f"{views.width()} x {views.height()}"
        figures: list[dict[str, str | float | None]] = [
            _figure(
                "window shown after the command",
                self._shown_s,
                "s",
                "at most 2.5 s",
                peer=measure_empty_window_s(),
                peer_name="empty Qt window",
            ),
            _figure("longest block of the window while loading", max(self._blocks_ms), "ms", "at most 50 ms"),
            _figure(
                f"change of year, four views of {size}, median of {len(changes_ms)}",
                statistics.median(changes_ms),
                "ms",
                "at most 33 ms",
                peer=statistics.median(measure_window_change_ms(views)),
                peer_name="change of grey window",
            ),
            _figure(
                f"change to a year not drawn yet, four views of {size}, median of {len(first_ms)}",
                statistics.median(first_ms),
                "ms",
                "at most 60 ms",
                peer=statistics.median(measure_window_change_ms(views)),
                peer_name="change of grey window",
            ),
            _figure(f"turning the 3D view, {size}", measure_turning_fps(views), "frames/s", "at least 12"),
        ]
        self._file.write_text(json.dumps(figures, indent=1), encoding="utf-8")
        self._star.window.close()
        QApplication.quit()


def measure_empty_window_s() -> float:
    """Return how long a program takes that shows nothing but an empty window."""
    environment = os.environ | {STARTED_AT: repr(time.time())}
    command = [sys.executable, "-c", _EMPTY_WINDOW]
    shown = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment, text=True)
    return float(shown.stdout)


_EMPTY_WINDOW = """
import os, time
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMainWindow
app = QApplication([])
window = QMainWindow()
window.show()
def look():
    if window.windowHandle().isExposed():
        print(time.time() - float(os.environ["STAR_STARTED_AT"]))
        app.quit()
    else:
        QTimer.singleShot(5, look)
QTimer.singleShot(0, look)
app.exec()
"""


def _figure(
    name: str, ours: float, unit: str, goal: str, *, peer: float | None = None, peer_name: str = ""
) -> dict[str, str | float | None]:
    return {"figure": name, "ours": ours, "peer": peer, "peer_name": peer_name, "unit": unit, "goal": goal}
