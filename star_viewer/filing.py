"""Connects what is drawn with the archive: kept there with its scan, and read from there where nothing else kept it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer

from star_core.imaging.annotations import Annotation
from star_viewer.jobs.archive_requests import KeepAnnotations, ReadAnnotations
from star_viewer.journal import key_of
from star_viewer.keeping import Keeping
from star_viewer.session import Session
from star_viewer.shelf import Shelf
from star_viewer.workflow import Workflow

if TYPE_CHECKING:
    from star_core.archive.rows import Purge

FILE_AFTER_MS = 1000


class Filing(QObject):
    """Files annotations of archived scans once the hand rests; the journal has every change before that."""

    def __init__(
        self, session: Session, workflow: Workflow, shelf: Shelf, keeping: Keeping, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._workflow, self._shelf, self._keeping = session, workflow, shelf, keeping
        self._filed: tuple[Annotation, ...] = ()
        self._pause = QTimer(self, singleShot=True, interval=FILE_AFTER_MS)
        self._pause.timeout.connect(self._file)
        keeping.brought_back.connect(self._begin)
        session.annotations_changed.connect(self._note)
        session.case_closing.connect(self._leave)
        shelf.annotations_read.connect(self._take)
        shelf.purged.connect(self._forget)

    def _begin(self) -> None:
        """File what a kill may have kept from being filed, or read what was filed by another computer's program."""
        self._filed = ()
        asked = self._ask(ReadAnnotations)
        if asked is not None and not self._keeping.was_kept:
            self._shelf.ask_annotations(asked)
        elif self._keeping.is_live and self._session.annotations:
            self._pause.start()

    def _ask(self, kind: Any, **more: Any) -> Any:
        source, volume = self._workflow.source, self._session.volume
        if source is None or source.archived is None or volume is None:
            return None
        scan = source.archived
        return kind(study=scan.study, series=scan.series, series_uid=volume.series_uid, **more)

    def _take(self, request: ReadAnnotations, annotations: tuple[Annotation, ...]) -> None:
        if annotations and request == self._ask(ReadAnnotations) and not self._session.annotations:
            self._filed = annotations
            self._session.set_annotations(annotations)

    def _forget(self, purge: Purge) -> None:
        """What was done on a scan goes with it when its study is removed for good."""
        self._keeping.keeper.forget(key_of(uid) for uid in purge.series_uids)

    def _note(self) -> None:
        if self._keeping.is_live:
            self._pause.start()

    def _leave(self) -> None:
        if self._pause.isActive():
            self._file()

    def _file(self) -> None:
        self._pause.stop()
        annotations = self._session.annotations
        asked = self._ask(KeepAnnotations, annotations=annotations)
        if asked is not None and annotations != self._filed:
            self._filed = annotations
            self._shelf.ask_annotations(asked)
