"""Connects follow-up CTs: asked of the worker, listed, seen with the first CT, and handed to the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from star_core.types import RegistrationKind, Severity
from star_viewer.display import Comparison, DisplayStyle
from star_viewer.follow_ups import AlignedScan, FollowUp, FollowUpSource, Quality
from star_viewer.jobs.follow_up_requests import ListOtherStudies, OpenFollowUp
from star_viewer.jobs.requests import FollowUpEdit, Request
from star_viewer.jobs.runner import JobRunner
from star_viewer.jobs.worker import Failed
from star_viewer.keeping import Keeping
from star_viewer.later_scans import LaterScans
from star_viewer.main_window import MainWindow
from star_viewer.panels.follow_ups import FollowUpsPanel
from star_viewer.session import Session
from star_viewer.workflow import Workflow

_TOGGLES = {
    "follow_side": Comparison.SIDE,
    "follow_fade": Comparison.FADE,
    "follow_difference": Comparison.DIFFERENCE,
}


class Purpose(Enum):
    """Why a follow-up is aligned."""

    ADD = auto()
    REALIGN = auto()
    BRING_BACK = auto()


class Following(QObject):
    """Owns the follow-ups of the open case."""

    def __init__(
        self, window: MainWindow, session: Session, workflow: Workflow, runner: JobRunner, keeping: Keeping
    ) -> None:
        super().__init__(window)
        self._window, self._session, self._workflow, self._runner = window, session, workflow, runner
        self._purposes: dict[OpenFollowUp, Purpose] = {}
        self._told = ""
        self.later = LaterScans(session, keeping, self)
        self.panel = FollowUpsPanel(self.later, session.display)
        window.tabs.addTab(self.panel, "FOLLOW-UPS")
        self._connect()

    def close(self) -> None:
        """Keep what was moved last and take no more."""
        self.panel.settle()
        self.later.close()

    def _connect(self) -> None:
        later, panel, runner, session = self.later, self.panel, self._runner, self._session
        later.changed.connect(self._hand_over)
        later.wanted.connect(lambda scan: self._ask(scan.source, scan.kind, Purpose.BRING_BACK))
        later.lost.connect(lambda why: self._window.banners.tell(f"No follow-up CT came back with the case. {why}"))
        panel.add_asked.connect(self.ask_folder)
        panel.archive_asked.connect(self._list_studies)
        panel.study_chosen.connect(lambda study: self.add(FollowUpSource(study=study)))
        panel.realign_asked.connect(lambda scan, kind: self._ask(scan.source, kind, Purpose.REALIGN))
        runner.finished.connect(self._take)
        runner.failed.connect(self._fail)
        runner.cancelled.connect(self._cancel)
        session.case_closing.connect(self._leave)
        self._workflow.case_opened.connect(lambda _: self._follow_case())
        actions = self._window.star_actions
        for name, do in (
            ("follow_add", self.ask_folder),
            ("follow_panel", lambda: self._window.tabs.setCurrentWidget(panel)),
            ("follow_next", self._choose_next),
            ("follow_swap", self._swap),
        ):
            actions[name].triggered.connect(lambda _=False, do=do: do())
        for name, comparison in _TOGGLES.items():
            actions[name].triggered.connect(lambda on, one=comparison: self._compare(one if on else Comparison.FIRST))
        session.display.changed.connect(self._show_style)
        session.later_changed.connect(lambda _: self._enable())
        self._follow_case()

    # ------------------------------------------------------------------ asking

    def ask_folder(self) -> None:
        """Let the reader choose a folder with a later CT."""
        if self._session.volume is None:
            self._window.banners.tell("Open the CT from before the operation first.")
            return
        folder = QFileDialog.getExistingDirectory(self._window, "Add a follow-up CT")
        if folder:
            self.add(FollowUpSource(folder=Path(folder)))

    def add(self, source: FollowUpSource) -> None:
        """Read and align a later CT, as a body at first, and add it to the list."""
        self._window.tabs.setCurrentWidget(self.panel)
        self._ask(source, RegistrationKind.RIGID, Purpose.ADD)

    def _ask(self, source: FollowUpSource, kind: RegistrationKind, purpose: Purpose) -> None:
        if self._workflow.source is None or self._session.volume is None:
            return
        request = OpenFollowUp(case=self._workflow.source, source=source, kind=kind)
        is_new = request not in self._purposes
        self._purposes[request] = purpose
        if is_new:
            self._runner.submit(request)

    def _list_studies(self) -> None:
        source = self._workflow.source
        if source is not None and source.archived is not None:
            self._runner.submit(ListOtherStudies(study=source.archived.study))

    # ------------------------------------------------------------------ what comes back

    def _take(self, request: Request, answer: Any) -> None:
        if isinstance(request, OpenFollowUp):
            purpose = self._purposes.pop(request, None)
            if purpose is not None and request.case == self._workflow.source:
                self._take_scan(request, purpose, answer)
        elif isinstance(request, ListOtherStudies):
            self._offer(request, answer)

    def _take_scan(self, request: OpenFollowUp, purpose: Purpose, aligned: AlignedScan) -> None:
        later, key = self.later, (request.source, request.kind)
        listed = later.plan.find(aligned.volume.series_uid)
        quality = Quality.of(aligned.quality)
        if purpose is Purpose.ADD and listed is not None:
            self._window.banners.tell("This CT is in the list of follow-ups already.", severity=Severity.NOTE)
            later.choose(listed.series_uid)
        elif purpose is Purpose.ADD:
            later.take(key, aligned)
            scan = FollowUp(
                source=request.source,
                series_uid=aligned.volume.series_uid,
                acquired_on=aligned.acquired_on,
                kind=request.kind,
                quality=quality,
            )
            later.change("add the follow-up CT", later.plan.put(scan))
            later.choose(scan.series_uid)
            self._tell_place(scan)
            if self._session.display.style.comparison is Comparison.FIRST:
                self._compare(Comparison.SIDE)
        elif listed is not None:
            later.take(key, aligned)
            if purpose is Purpose.REALIGN:
                changed = listed.model_copy(update={"kind": request.kind, "quality": quality})
                later.change("align the follow-up CT anew", later.plan.put(changed))

    def _tell_place(self, scan: FollowUp) -> None:
        place = self.later.plan.places()[scan.series_uid]
        if place.why:
            self._told = f"The follow-up CT can be seen. {place.why}"
            self._window.banners.tell(self._told, severity=Severity.NOTE)

    def _offer(self, request: ListOtherStudies, studies: Sequence[Any]) -> None:
        source = self._workflow.source
        if source is None or source.archived is None or source.archived.study != request.study:
            return
        if studies:
            self.panel.offer_studies(studies)
        else:
            self._window.banners.tell(
                "The archive holds no other study with a CT of this patient.", severity=Severity.NOTE
            )

    def _fail(self, request: Request, failure: Failed) -> None:
        told = f"{failure.message} {failure.remedy}".strip()
        if isinstance(request, ListOtherStudies):
            self._window.banners.tell(told, severity=Severity.REFUSAL, details=failure.details)
        if not isinstance(request, OpenFollowUp):
            return
        purpose = self._purposes.pop(request, None)
        if purpose is None or request.case != self._workflow.source:
            return
        if purpose is Purpose.BRING_BACK:
            self.later.fail((request.source, request.kind), told)
        offers = {
            "OtherPatientError": ("Add it all the same", {"accept_other_patient": True}),
            "SliceGapError": ("Interpolate and add", {"interpolate_gaps": True}),
        }
        button, accepted = offers.get(failure.kind, ("", {}))
        self._window.banners.tell(
            told,
            severity=Severity.REFUSAL,
            details=failure.details,
            button=button if purpose is Purpose.ADD else "",
            action=lambda: self.add(request.source.model_copy(update=accepted)),
        )

    def _cancel(self, request: Request) -> None:
        """What waits behind a job that is cancelled is forgotten with it."""
        for asked, purpose in self._purposes.items():
            if purpose is Purpose.BRING_BACK:
                self.later.fail((asked.source, asked.kind), "It was not read: that was cancelled.")
        self._purposes.clear()

    # ------------------------------------------------------------------ following

    def _leave(self) -> None:
        self.panel.settle()
        self._purposes.clear()

    def _follow_case(self) -> None:
        source = self._workflow.source
        self.panel.from_archive.setEnabled(source is not None and source.archived is not None)
        self.panel.add.setEnabled(self._session.volume is not None)
        self._window.star_actions["follow_add"].setEnabled(self._session.volume is not None)
        self._compare(Comparison.FIRST)
        self._enable()

    def _enable(self) -> None:
        for name in ("follow_swap", "follow_next", *_TOGGLES):
            self._window.star_actions[name].setEnabled(self._session.later is not None)

    def _hand_over(self) -> None:
        """Give the model the follow-ups that fill a year and are at hand."""
        places, edits = self.later.plan.places(), []
        for scan in self.later.plan.scans:
            year = places[scan.series_uid].year
            if year is not None and self.later.at_hand(scan) is not None:
                edits.append(FollowUpEdit(source=scan.source, year=year, kind=scan.kind, adjustment=scan.adjustment))
        if self._told and all(place.year is not None for place in places.values()):
            self._window.banners.withdraw(self._told)
            self._told = ""
        edits.sort(key=lambda edit: edit.year)
        self._workflow.take_edits(replace(self._workflow.edits, follow_ups=tuple(edits)))

    # ------------------------------------------------------------------ seeing

    def _compare(self, comparison: Comparison) -> None:
        self._session.display.change(comparison=comparison)

    def _swap(self) -> None:
        shown = self._session.display.style.comparison
        self._compare(Comparison.FIRST if shown is Comparison.LATER else Comparison.LATER)

    def _choose_next(self) -> None:
        scans, chosen = self.later.plan.scans, self.later.chosen
        if chosen is not None:
            self.panel.settle()
            self.later.choose(scans[(scans.index(chosen) + 1) % len(scans)].series_uid)

    def _show_style(self, style: DisplayStyle) -> None:
        for name, comparison in _TOGGLES.items():
            self._window.star_actions[name].setChecked(style.comparison is comparison)
