"""A slice view of the later CT, beside the one of the first: same place, zoom and way up."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from star_viewer.scene.cameras import SliceCamera
from star_viewer.scene.slice_pane import SlicePane
from star_viewer.scene.state import LaterView
from star_viewer.session import Session


class LaterPane(SlicePane):
    """Shares the camera of the view beside which it stands."""

    is_later = True

    def __init__(self, first: SlicePane, session: Session, parent: QWidget | None = None) -> None:
        self._first = first
        super().__init__(first.kind, session, parent)
        self.name = LaterView[first.kind.name]
        # Marks are measured on the first CT; their values beside the later one would be taken for its own.
        self.tools = []
        self.setAccessibleName(f"{first.kind} slice view of the later CT")

    @property
    def camera(self) -> SliceCamera:
        """Zoom, place and way up of both views."""
        return self._first.camera

    @camera.setter
    def camera(self, camera: SliceCamera) -> None:
        self._first.camera = camera
