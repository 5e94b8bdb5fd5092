"""Pictures of the window for a machine without a screen: the demonstration patient through the years."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from star_core.types import N_YEARS
from star_viewer.app import StarApp

_SETTLE_MS = 2500


class PictureTaker(QObject):
    """Waits for the first assessment, shows every third year, keeps a picture of each, and closes the program."""

    def __init__(self, star: StarApp, folder: Path) -> None:
        super().__init__(star)
        self._star, self._folder = star, folder
        self._years = [1, 3, 5, N_YEARS]
        star.workflow.assessed.connect(self._begin)
        star.workflow.refused.connect(lambda failure: QApplication.exit(2))
        self._begun = False

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._folder.mkdir(parents=True, exist_ok=True)
            self._next()

    def _next(self) -> None:
        if not self._years:
            self._star.window.close()
            QApplication.quit()
            return
        self._star.session.set_year(self._years[0])
        QTimer.singleShot(_SETTLE_MS, self._take)

    def _take(self) -> None:
        year = self._years.pop(0)
        self._star.window.grab().save(str(self._folder / f"year-{year:02d}.png"))
        self._next()
