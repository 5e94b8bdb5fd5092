"""Connects editing: what the reader makes of the structures goes to the model, and what went wrong is told."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject

from star_core.errors import StarError
from star_core.types import Severity
from star_viewer.keeping import Keeping
from star_viewer.main_window import MainWindow
from star_viewer.session import Session
from star_viewer.structures import Structures
from star_viewer.workflow import Workflow


class Editing(QObject):
    """Owns the edits of the open case."""

    def __init__(self, window: MainWindow, session: Session, workflow: Workflow, keeping: Keeping) -> None:
        super().__init__(window)
        self._window, self._workflow = window, workflow
        self.structures = Structures(session, keeping, self)
        self.structures.settled.connect(self._hand_over)
        self.structures.refused.connect(self._tell_refusal)
        self.structures.unchanged.connect(self._tell_unchanged)
        self.structures.lost.connect(self._tell_loss)

    def close(self) -> None:
        """Wait for what is worked out and take no more."""
        self.structures.close()

    def _hand_over(self) -> None:
        self._workflow.take_edits(replace(self._workflow.edits, mask_edits=self.structures.packed_edits))

    def _tell_refusal(self, error: StarError) -> None:
        self._window.banners.tell(
            f"{error.message} {error.remedy}".strip(), severity=Severity.REFUSAL, details=error.details
        )

    def _tell_unchanged(self, text: str) -> None:
        self._window.banners.tell(f"Nothing to change: {text}.", severity=Severity.NOTE)

    def _tell_loss(self, why: str) -> None:
        self._window.banners.tell(f"The structures are shown as they came with the case. {why}")
