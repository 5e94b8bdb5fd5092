"""Connects pictures and films of the views, by hand: the dialog, the frames, the notice in each, the worker."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QRect, Qt, QTimer
from PySide6.QtGui import QColor, QFont, QImage, QPainter
from PySide6.QtWidgets import QWidget

from star_core.types import N_YEARS, Severity
from star_viewer.dialogs.picture import PictureDialog, PictureWish, Subject
from star_viewer.jobs.film_requests import WriteFilm
from star_viewer.jobs.requests import Request
from star_viewer.jobs.runner import JobRunner
from star_viewer.jobs.worker import Failed, make_film_tasks
from star_viewer.main_window import MainWindow
from star_viewer.session import Session
from star_viewer.viewing import Viewing

if TYPE_CHECKING:
    from star_viewer.scene.four_views import FourViews

FRAME_MS = 700
RESEARCH = "RESEARCH USE ONLY"
_STRIP_PIXELS = 26
_SYNTHETIC_CASE = "DEMO-"


def build_film_runner(parent: QObject | None) -> JobRunner:
    """Return a runner with a worker process of its own, started with the first picture."""
    return JobRunner(parent, make_film_tasks, ahead="PIL.Image")


class Picturing(QObject):
    """Takes one picture or film at a time; the year and the corners are given back afterwards."""

    def __init__(
        self,
        window: MainWindow,
        session: Session,
        viewing: Viewing,
        runner: JobRunner,
        open_dialog: Callable[[QWidget], None],
    ) -> None:
        super().__init__(window)
        self._window, self._session, self._viewing, self.runner = window, session, viewing, runner
        self._open_dialog = open_dialog
        self._wish: PictureWish | None = None
        self._years: list[int] = []
        self._frames: list[Path] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._year_before = 1
        self._look_soon = QTimer(self, singleShot=True, interval=0)
        self._look_soon.timeout.connect(self._take_if_settled)
        for name, subject in (("picture_view", Subject.VIEW), ("picture_all", Subject.ALL), ("film", Subject.FILM)):
            window.star_actions[name].triggered.connect(lambda _=False, subject=subject: self.ask(subject))
        runner.finished.connect(self._tell_written)
        runner.failed.connect(self._tell_failed)
        runner.cancelled.connect(lambda _: self._clean_up())
        views = self._views
        if views is not None:
            views.frame_shown.connect(lambda _: self._look_soon.start())
        session.volume_changed.connect(lambda _: self._give_up())

    def close(self) -> None:
        """End the worker and remove the frames."""
        self._give_up()
        self.runner.close()
        self._clean_up()

    @property
    def _views(self) -> FourViews | None:
        views: Any = self._window.views
        return views if hasattr(views, "turn_planes") else None

    @property
    def is_busy(self) -> bool:
        """Whether a picture is being taken or written."""
        return self._wish is not None or self._folder is not None

    def ask(self, subject: Subject) -> PictureDialog | None:
        """Open the dialog."""
        if self._session.volume is None:
            self._window.banners.tell("There is nothing to picture yet: open a case first.")
            return None
        dialog = PictureDialog(subject, f"star-year-{self._session.year:02d}", self._window)
        dialog.wished.connect(self.take)
        self._open_dialog(dialog)
        return dialog

    def take(self, wish: PictureWish) -> None:
        """Take what is wished; a second wish waits for nobody and is refused with a word."""
        views = self._views
        if views is None or self._session.volume is None:
            return
        if self.is_busy:
            self._window.banners.tell("A picture is still being written; ask again in a moment.")
            return
        self._folder = tempfile.TemporaryDirectory(prefix="star-film-")
        self._wish, self._frames, self._year_before = wish, [], self._session.year
        self._years = list(range(1, N_YEARS + 1)) if wish.subject is Subject.FILM else [self._session.year]
        views.show_corner_lines(self._viewing.corner_lines() if wish.identified else ())
        self._session.set_year(self._years[0])
        views.draw_sharply()

    def _take_if_settled(self) -> None:
        views = self._views
        if self._wish is None or self._folder is None or views is None or not views.is_settled:
            return
        path = Path(self._folder.name) / f"{len(self._frames):02d}.bmp"
        stamp_picture(self._grab(views), self.describe()).save(str(path))
        self._frames.append(path)
        self._years.pop(0)
        if self._years:
            self._session.set_year(self._years[0])
            views.draw_sharply()
        else:
            self._submit(self._wish)

    def _grab(self, views: FourViews) -> QImage:
        assert self._wish is not None
        return (views.leading_pane if self._wish.subject is Subject.VIEW else views).grab().toImage()

    def _submit(self, wish: PictureWish) -> None:
        case = self._session.case
        request = WriteFilm(
            frames=tuple(self._frames),
            path=wish.path,
            frame_ms=FRAME_MS,
            notice=" - ".join(self.describe()),
            subject="" if case is None else case.case_id,
        )
        self._give_up(keep_frames=True)
        self.runner.submit(request)

    def _give_up(self, *, keep_frames: bool = False) -> None:
        """Give year and corners back."""
        if self._wish is None:
            return
        self._wish = None
        self._years = []
        self._session.set_year(self._year_before)
        self._viewing.show_corner_lines()
        if not keep_frames:
            self._clean_up()

    def describe(self) -> tuple[str, ...]:
        """Return what stands in each picture: the notice, whose numbers these are, and the year."""
        assessment, case = self._session.assessment, self._session.case
        parts = [RESEARCH]
        if case is not None and case.case_id.startswith(_SYNTHETIC_CASE):
            parts.append("synthetic patient")
        if assessment is not None:
            learnt = any(finding.code == "demonstration-model" for finding in assessment.findings)
            synthetic = " (learnt from synthetic patients)" if learnt else ""
            parts.append(f"model {assessment.provenance.model_name}{synthetic}")
            parts.append(f"year {self._session.year}, {self._session.incidence_mode.value}")
        return tuple(parts)

    # ------------------------------------------------------------------ what the worker brings

    def _tell_written(self, request: Request, path: Any) -> None:
        if isinstance(request, WriteFilm):
            self._clean_up()
            what = "picture" if len(request.frames) == 1 else "film"
            self._window.banners.tell(f"The {what} was written to {Path(path).name}.", severity=Severity.NOTE)

    def _tell_failed(self, request: Request, failure: Failed) -> None:
        self._clean_up()
        message = f"{failure.message} {failure.remedy}".strip()
        self._window.banners.tell(message, severity=Severity.REFUSAL, details=failure.details)

    def _clean_up(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def stamp_picture(picture: QImage, parts: tuple[str, ...]) -> QImage:
    """Return a picture with a strip beneath it that bears the notice and what else must be known."""
    ratio = picture.devicePixelRatio()
    strip = round(_STRIP_PIXELS * ratio)
    stamped = QImage(picture.width(), picture.height() + strip, QImage.Format.Format_RGB32)
    stamped.setDevicePixelRatio(ratio)
    stamped.fill(QColor(0, 0, 0))
    painter = QPainter(stamped)
    painter.drawImage(0, 0, picture)
    width, top = round(picture.width() / ratio), round(picture.height() / ratio)
    font = QFont()
    font.setBold(True)
    font.setPointSizeF(9.0)
    painter.setFont(font)
    painter.setPen(QColor(255, 214, 102))
    place = QRect(8, top, width - 16, _STRIP_PIXELS)
    painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, parts[0])
    room = place.adjusted(painter.fontMetrics().horizontalAdvance(parts[0]) + 16, 0, 0, 0)
    font.setBold(False)
    painter.setFont(font)
    painter.setPen(QColor(215, 220, 226))
    rest = painter.fontMetrics().elidedText(" · ".join(parts[1:]), Qt.TextElideMode.ElideRight, room.width())
    painter.drawText(room, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, rest)
    painter.end()
    return stamped
