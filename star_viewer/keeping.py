"""Connects keeping: what is done is written as it happens, comes back with its case, is offered after a kill."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from PySide6.QtCore import QObject, QTimer, Signal

from star_core.types import ClinicalRecord, Severity
from star_viewer.history import Content
from star_viewer.jobs.requests import ArchivedScan, CaseSource
from star_viewer.jobs.worker import Failed
from star_viewer.journal import Mark, key_of, read_kept_file, remove_mark
from star_viewer.keeper import Keeper, Opened, Opening
from star_viewer.main_window import MainWindow
from star_viewer.session import Session
from star_viewer.workflow import Workflow
from star_viewer.workspace import Workspace, join_records, read_view, restore_view

VIEW_PAUSE_MS = 150
HELD = "This case is open in another window. What is done here is not kept."
NEWER = "What was kept of this case was written by a newer version of this program. What is done here is not kept."


class Keeping(QObject):
    """Knows whether the open case is kept, and what is offered at the start."""

    brought_back = Signal()  # what was kept of the open case is there, and from now on everything is kept

    def __init__(self, window: MainWindow, session: Session, workflow: Workflow, keeper: Keeper) -> None:
        super().__init__(window)
        self._window, self._session, self._workflow, self.keeper = window, session, workflow, keeper
        self._opening: Opening | None = None
        self._live = False
        self._version = 0
        self._troubled = ""
        self._continued: CaseSource | None = None
        self.was_kept = False
        self._offers: dict[CaseSource, Mark] = {}
        self._studies: dict[int, str] = {}
        self._view_pause = QTimer(self, singleShot=True, interval=VIEW_PAUSE_MS)
        self._view_pause.timeout.connect(self._write)
        self._connect()

    def _connect(self) -> None:
        session, keeper = self._session, self.keeper
        for content_signal in (session.clinical_changed, session.annotations_changed, session.edits_changed):
            content_signal.connect(self._note_content)
        for view_signal in (
            session.year_changed,
            session.incidence_mode_changed,
            session.crosshair_changed,
            session.window_level_changed,
            session.overlay_changed,
            session.model_changed,
            session.display.changed,
            getattr(self._window.views, "layout_changed", None),
        ):
            if view_signal is not None:
                view_signal.connect(self._note_view)
        keeper.opened.connect(self._take_opened)
        keeper.kept.connect(self._show_kept)
        keeper.troubled.connect(self._tell_trouble)
        keeper.found.connect(self._offer)
        session.case_closing.connect(self._leave)
        self._workflow.case_opened.connect(self._open)
        self._workflow.refused.connect(self._forget_refused)
        actions = self._window.star_actions
        actions["continue"].triggered.connect(lambda: self.go_on())
        actions["continue"].setEnabled(False)
        self._window.empty_state.continue_asked.connect(self._take_offer)

    def close(self) -> None:
        """Keep the last of it and end; nothing is asked."""
        self._leave()
        self.keeper.close()

    def _leave(self) -> None:
        """Keep the last of the case that goes; what another case brings is none of its changes."""
        if self._view_pause.isActive():
            self._write()
        self._live = False

    # ------------------------------------------------------------------ for tools

    def keep_file(self, data: bytes) -> str:
        """Keep what a tool edited beside the case; the hash goes into the history: ``edits={"masks": digest}``."""
        return self.keeper.keep_file(data)

    def read_file(self, digest: str, *, max_bytes: int) -> bytes:
        """Return what a tool kept; StorageError where it is gone or altered."""
        if self._opening is None:
            raise ValueError("no case is open")
        return read_kept_file(self.keeper.home / self._opening.key, digest, max_bytes=max_bytes)

    @property
    def workspace(self) -> Workspace:
        """Everything that was done on the open case, as it stands."""
        to_json: Callable[[], Mapping[str, Any]] | None = getattr(self._window.views, "layout_to_json", None)
        layout = {} if to_json is None else to_json()
        return Workspace(content=self._session.content, view=read_view(self._session, layout))

    @property
    def version(self) -> int:
        """Number of the newest state that was given to the keeper."""
        return self._version

    @property
    def is_live(self) -> bool:
        """Whether what is done now is kept."""
        return self._live

    # ------------------------------------------------------------------ writing

    def _note_content(self) -> None:
        self._write()

    def _note_view(self) -> None:
        if self._live and not self._view_pause.isActive():
            self._view_pause.start()

    def _write(self) -> None:
        self._view_pause.stop()
        if self._live:
            self._version += 1
            self.keeper.write(self.workspace, self._version)

    def _show_kept(self, version: int) -> None:
        if self._live and version == self._version:
            if self._troubled:
                self._window.banners.withdraw(self._troubled)
                self._troubled = ""
            self._window.show_kept(f"kept {datetime.now().astimezone():%H:%M}")

    def _tell_trouble(self, opening: Opening | None, why: str) -> None:
        if opening is not None and opening is not self._opening:
            return
        self._window.banners.withdraw(self._troubled)
        self._troubled = f"What is done cannot be kept: {why}"
        self._window.banners.tell(self._troubled, severity=Severity.REFUSAL)
        self._window.show_kept("not kept")

    # ------------------------------------------------------------------ opening

    def _open(self, source: CaseSource) -> None:
        """Ask for what was kept of the case that is open now."""
        self._window.show_kept("")
        case = self._session.case
        if case is None:
            return
        self._opening = Opening(
            key=key_of(case.baseline_scan.series_uid),
            case_id=case.case_id,
            base=case.clinical,
            source=source_to_json(source),
        )
        self.keeper.open(self._opening)

    def _take_opened(self, opened: Opened) -> None:
        if opened.opening is not self._opening:
            return
        self.was_kept = opened.kept.workspace is not None
        if opened.kept.workspace is not None:
            self._bring_back(opened, opened.kept.workspace)
        self._withdraw_offers(opened.opening.key)
        self._tell_opened(opened)
        self._live = opened.writable
        if self._live:
            self._version += 1
            self.keeper.begin(self.workspace, self._version)
        self.brought_back.emit()

    def _bring_back(self, opened: Opened, kept: Workspace) -> None:
        session, source = self._session, self._workflow.source
        before = session.content
        fresh, base = opened.opening.base, opened.kept.base
        told_now = source is not None and (
            source.clinical is not None or (source.archived is not None and source.archived.result is not None)
        )
        if told_now:
            record = fresh
        elif source == self._continued:
            record = kept.content.clinical
        elif base is not None and base != fresh and source is not None and source.archived is None:
            record = join_records(fresh, base, kept.content.clinical)
        else:
            record = kept.content.clinical
        content = replace(kept.content, clinical=record)
        session.set_content(_with_what_is_new(content, before, fresh))
        if opened.kept.has_view:
            restore_view(session, kept.view)
            self._restore_layout(kept.view.layout)
        if session.clinical != before.clinical:
            self._workflow.assess()
        if content.annotations or content.edits or record != fresh:
            self._window.banners.tell(_in_words(content, record != fresh), severity=Severity.NOTE)

    def _restore_layout(self, layout: Mapping[str, Any]) -> None:
        from_json = getattr(self._window.views, "layout_from_json", None)
        if from_json is not None and layout:
            with suppress(ValueError, TypeError, KeyError, AttributeError, ValidationError):
                from_json(layout)

    def _tell_opened(self, opened: Opened) -> None:
        if opened.is_held or opened.kept.is_newer:
            self._window.banners.tell(HELD if opened.is_held else NEWER)
            self._window.show_kept("not kept")
        elif opened.kept.problems:
            self._window.banners.tell(
                f"Some of what was kept of this case was damaged and left out: {'; '.join(opened.kept.problems)}. "
                "The damaged file was kept."
            )

    # ------------------------------------------------------------------ offering

    def name_studies(self, studies: tuple[Any, ...]) -> None:
        """Take what the archive tells of recent studies (values of ``StudyRow``), to name what is offered."""
        self._studies = {row.id: " · ".join(filter(None, (row.description, row.date))) for row in studies}
        self._show_offers()

    def go_on(self) -> None:
        """Open what was open when the program was killed, as it was."""
        if self._offers:
            self._take_offer(next(iter(self._offers)))

    def _offer(self, marks: tuple[Mark, ...]) -> None:
        for mark in marks:
            source = source_from_json(mark.source)
            if source is None:
                remove_mark(self.keeper.home, mark.key)
            elif self._opening is None or mark.key != self._opening.key:
                self._offers.setdefault(source, mark)
        self._show_offers()

    def _show_offers(self) -> None:
        offers = tuple((source, f"Continue with {self._name(source, mark)}") for source, mark in self._offers.items())
        self._window.empty_state.show_offers(offers)
        self._window.star_actions["continue"].setEnabled(bool(offers))

    def _name(self, source: CaseSource, mark: Mark) -> str:
        if source.is_demo:
            name = "the demonstration patient"
        elif source.archived is not None:
            name = self._studies.get(source.archived.study) or "a study of the archive"
        else:
            name = source.folder.name if source.folder is not None else ""
        return f"{name}, as it was at {datetime.fromtimestamp(mark.last_utc_s).astimezone():%H:%M on %d.%m.%Y}"

    def _take_offer(self, source: CaseSource) -> None:
        if source in self._offers:
            self._continued = source
            self._workflow.open_source(source)

    def _forget_refused(self, _: Failed) -> None:
        """A case that cannot be opened is not offered again; what was kept of it comes back with it one day."""
        mark = self._offers.pop(self._workflow.refused_source or CaseSource(), None)
        if mark is not None:
            remove_mark(self.keeper.home, mark.key)
            self._show_offers()

    def _withdraw_offers(self, key: str) -> None:
        self._offers = {source: mark for source, mark in self._offers.items() if mark.key != key}
        self._show_offers()


def _with_what_is_new(kept: Content, now: Content, fresh: ClinicalRecord) -> Content:
    """Return what was kept with what the reader did since the case is on the screen."""
    known = {annotation.id for annotation in kept.annotations}
    new = tuple(annotation for annotation in now.annotations if annotation.id not in known)
    return replace(
        kept,
        annotations=(*kept.annotations, *new),
        clinical=join_records(kept.clinical, fresh, now.clinical),
        edits={**kept.edits, **now.edits},
    )


def _in_words(content: Content, record_changed: bool) -> str:
    count = len(content.annotations)
    parts = [f"{count} annotation{'s' if count > 1 else ''}"] if count else []
    parts += ["the record as you left it"] if record_changed else []
    parts += ["your edits"] if content.edits else []
    return f"Back again: {', '.join(parts)}."


# --------------------------------------------------------------------------- where a case came from


def source_to_json(source: CaseSource) -> dict[str, Any]:
    """Return where a case came from as a mark holds it: a number of the archive, else the paths it was opened by."""
    if source.is_demo:
        return {"kind": "demo"}
    if source.archived is not None:
        scan = source.archived
        numbers = {"study": scan.study, "series": scan.series, "segmentation": scan.segmentation}
        return {"kind": "archive", **numbers, "interpolate_gaps": source.interpolate_gaps}
    return {
        "kind": "folder",
        "folder": None if source.folder is None else str(source.folder.absolute()),
        "series_uid": source.series_uid,
        "segmentation": None if source.segmentation is None else str(source.segmentation.absolute()),
        "interpolate_gaps": source.interpolate_gaps,
    }


def source_from_json(raw: Mapping[str, Any]) -> CaseSource | None:
    """Return where a case came from, ``None`` where a mark does not tell.

    A record that was given by a file is not among it: the record as it was kept comes back instead.
    """
    try:
        mark = _Source.model_validate(raw)
    except ValidationError:
        return None
    match mark.kind:
        case "demo":
            return CaseSource()
        case "archive" if mark.study is not None:
            scan = ArchivedScan(study=mark.study, series=mark.series, segmentation=mark.segmentation_number)
            return CaseSource(archived=scan, interpolate_gaps=mark.interpolate_gaps)
        case "folder" if mark.folder:
            return CaseSource(
                folder=Path(mark.folder),
                series_uid=mark.series_uid,
                segmentation=mark.segmentation_path,
                interpolate_gaps=mark.interpolate_gaps,
            )
    return None


class _Source(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: str
    study: int | None = None
    series: int | None = None
    folder: str | None = Field(default=None, max_length=8192)
    series_uid: str | None = Field(default=None, max_length=256)
    segmentation: int | str | None = None
    interpolate_gaps: bool = False

    @property
    def segmentation_number(self) -> int | None:
        return self.segmentation if isinstance(self.segmentation, int) else None

    @property
    def segmentation_path(self) -> Path | None:
        return Path(self.segmentation) if isinstance(self.segmentation, str) else None
