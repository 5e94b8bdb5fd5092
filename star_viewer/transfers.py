"""Studies on their way: which wait, how far the running one is, what came whole, and what is to be brought again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from PySide6.QtCore import QObject, Signal

from star_core.types import Severity
from star_viewer.browser.match_tree import WHOLE
from star_viewer.jobs.network_requests import RetrieveStudy, SendStudies
from star_viewer.jobs.requests import Request
from star_viewer.jobs.worker import Failed
from star_viewer.main_window import MainWindow
from star_viewer.pacs import Pacs

STOPPED = "stopped; what came is kept"


class Transfers(QObject):
    """Keeps what became of retrievals, in words for the table and in one banner for all that are not whole."""

    open_asked = Signal(int)  # study of the archive
    changed = Signal()  # something came into the archive

    def __init__(self, window: MainWindow, pacs: Pacs) -> None:
        super().__init__(window)
        self._pacs, self._tree, self._strip = pacs, window.pacs.tree, window.transfer_strip
        self._banners, self._stop_action = window.studies_banners, window.star_actions["transfers_stop"]
        self.texts: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._under_way: dict[str, RetrieveStudy] = {}
        self._waiting = 0
        self._broken: dict[str, tuple[RetrieveStudy, str, str]] = {}
        self._whole: list[tuple[str, int]] = []
        self._told_broken = self._told_whole = ""
        self._strip.cancel_asked.connect(self.stop)
        self._stop_action.setEnabled(False)
        runner = pacs.runners.transfers
        runner.started.connect(lambda request: self._show_progress(request, 0, 0))
        runner.progressed.connect(self._show_progress)
        runner.cancelled.connect(self._note_stopped)
        runner.idle.connect(self._show_idle)
        pacs.retrieved.connect(self._take)
        pacs.cannot_retrieve.connect(self._note_broken_off)

    # ------------------------------------------------------------------ what is asked

    def retrieve(self, request: RetrieveStudy) -> None:
        """Retrieve a study after those that wait; one that is under way is not asked for twice."""
        if request.study_uid in self._under_way:
            return
        self._under_way[request.study_uid] = request
        self._broken.pop(request.study_uid, None)
        self._tell_broken()
        self._show(request.study_uid, "waiting")
        self._pacs.retrieve(request)

    def stop(self) -> None:
        """Stop what runs and forget what waits; what came is kept."""
        self._pacs.runners.transfers.cancel()

    def note_rows(self, rows: Iterable[Any]) -> None:
        """Remember which studies (values of ``StudyRow``) are in the archive."""
        self._numbers.update({row.study_uid: row.id for row in rows})

    def number_of(self, study_uid: str) -> int | None:
        """Return a study's number in the archive, if it is there."""
        return self._numbers.get(study_uid)

    def withdraw_offer(self) -> None:
        """Take away the offer to open what has come."""
        self._banners.withdraw(self._told_whole)

    # ------------------------------------------------------------------ how far it is

    def _show_progress(self, request: Request, done: int, total: int) -> None:
        self._stop_action.setEnabled(True)
        waiting = len(self._under_way) - 1 if isinstance(request, RetrieveStudy) else len(self._under_way)
        self._strip.show_job(request.text, done, total, max(0, waiting))
        if isinstance(request, RetrieveStudy):
            self._show(request.study_uid, _to_text(done, total))

    def _show_idle(self) -> None:
        self._stop_action.setEnabled(False)
        self._strip.show_job("")
        self._whole = []

    def _show(self, study_uid: str, text: str) -> None:
        self.texts[study_uid] = text
        self._tree.show_here({study_uid: text})

    # ------------------------------------------------------------------ what came of it

    def _take(self, request: RetrieveStudy, row: Any | None, report: Any) -> None:
        self._under_way.pop(request.study_uid, None)
        if row is not None:
            self.note_rows((row,))
        if report.is_complete:
            self._show(request.study_uid, WHOLE)
            if row is not None:
                self._whole.append((f"{request.label}: {report.announced:,} objects are here.", row.id))
                self._tell_whole()
        else:
            lacking = report.missing + len(report.imported.failed)
            self._show(request.study_uid, f"{lacking:,} of {report.announced:,} missing")
            sentence = f"{request.label}: {lacking:,} of {report.announced:,} objects did not come whole."
            reasons = [*report.refused, *(f"{one.label}: {one.reason}" for one in report.imported.failed)]
            self._broken[request.study_uid] = (request, sentence, "\n".join(reasons))
            self._tell_broken()
        self.changed.emit()

    def _note_broken_off(self, request: RetrieveStudy, failure: Failed) -> None:
        self._under_way.pop(request.study_uid, None)
        self._show(request.study_uid, "broke off")
        sentence = f"{request.label}: {failure.message} {failure.remedy}".strip()
        self._broken[request.study_uid] = (request, sentence, failure.details)
        self._tell_broken()

    def _note_stopped(self, request: Request) -> None:
        if isinstance(request, SendStudies):
            message = f"{request.text}: stopped. What was sent is at the server."
            self._banners.tell(message, severity=Severity.NOTE)
        for study_uid in self._under_way:
            self._show(study_uid, STOPPED)
        self._under_way.clear()

    def _tell_whole(self) -> None:
        """Keep one banner for what has come since the queue was empty."""
        self._banners.withdraw(self._told_whole)
        sentence, number = self._whole[-1]
        more = f" {len(self._whole)} studies came in all." if len(self._whole) > 1 else ""
        self._told_whole = sentence + more
        offer = ("Open", lambda: self.open_asked.emit(number))
        self._banners.tell(self._told_whole, severity=Severity.NOTE, buttons=(offer,))

    def _tell_broken(self) -> None:
        """Keep one banner for all that has not come whole."""
        self._banners.withdraw(self._told_broken)
        if not self._broken:
            self._told_broken = ""
            return
        broken = list(self._broken.values())
        _, sentence, _ = broken[-1]
        self._told_broken = (
            sentence if len(broken) == 1 else f"{len(broken)} studies are not whole; the last: {sentence}"
        )
        details = "\n\n".join(filter(None, (f"{said}\n{reasons}".strip() for _, said, reasons in broken)))
        self._banners.tell(
            self._told_broken,
            severity=Severity.WARNING,
            details=details,
            buttons=(("Retrieve again", self._retrieve_again),),
        )

    def _retrieve_again(self) -> None:
        self._tree.setFocus()  # the button that has the focus goes with its banner
        for request, _, _ in list(self._broken.values()):
            self.retrieve(request)


def _to_text(done: int, total: int) -> str:
    if total and done >= total:
        return "importing"
    return f"{done:,} of {total:,}" if total else "asking"
