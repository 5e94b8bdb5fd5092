"""Connects editing: what the reader makes of the structures goes to the model, and what went wrong is told."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject

from star_core.errors import StarError
from star_core.types import Severity
from star_viewer.keeping import Keeping
from star_viewer.landmarks import Landmarks
from star_viewer.main_window import MainWindow
from star_viewer.resection import Resection
from star_viewer.segments import Segments
from star_viewer.session import Session
from star_viewer.structures import Structures
from star_viewer.workflow import Workflow


class Editing(QObject):
    """Owns the edits of the open case."""

    def __init__(self, window: MainWindow, session: Session, workflow: Workflow, keeping: Keeping) -> None:
        super().__init__(window)
        self._window, self._workflow = window, workflow
        self.structures = Structures(session, keeping, self)
        self.landmarks = Landmarks(session, keeping, self)
        self.segments = Segments(session, self)
        self.resection = Resection(session, self)
        self._why_no_segments = ""
        for settled in (self.structures.settled, self.landmarks.settled):
            settled.connect(self._hand_over)
        self.structures.refused.connect(self._tell_refusal)
        self.structures.unchanged.connect(self._tell_unchanged)
        self.structures.lost.connect(self._tell_loss)
        self.landmarks.lost.connect(window.banners.tell)
        self.segments.refused.connect(self._tell_segments)

    def close(self) -> None:
        """Wait for what is worked out and take no more."""
        for part in (self.structures, self.landmarks, self.segments, self.resection):
            part.close()

    def _hand_over(self) -> None:
        if self.structures.is_settled and self.landmarks.is_settled:
            self._workflow.take_edits(
                replace(self._workflow.edits, mask_edits=self.structures.packed_edits, landmarks=self.landmarks.placed)
            )

    def _tell_segments(self, why: str) -> None:
        if why != self._why_no_segments:
            self._window.banners.withdraw(self._why_no_segments)
            if why:
                self._window.banners.tell(why)
            self._why_no_segments = why

    def _tell_refusal(self, error: StarError) -> None:
        self._window.banners.tell(
            f"{error.message} {error.remedy}".strip(), severity=Severity.REFUSAL, details=error.details
        )

    def _tell_unchanged(self, text: str) -> None:
        self._window.banners.tell(f"Nothing to change: {text}.", severity=Severity.NOTE)

    def _tell_loss(self, why: str) -> None:
        self._window.banners.tell(f"The structures are shown as they came with the case. {why}")
