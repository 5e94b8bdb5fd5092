"""Couinaud's segments of the open case, worked out beside the window whenever structures or landmarks change."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QObject, QTimer, Signal

from star_core.errors import StarError
from star_core.imaging.couinaud.segments import segment_couinaud
from star_core.types import CouinaudLandmarks, CouinaudSegments, Masks, Segment, Structure
from star_viewer.anatomy import NewestOnly
from star_viewer.session import Session

_PAUSE_MS = 20

_Asked = tuple[Masks, CouinaudLandmarks]


class Segments(QObject):
    """Puts the segments into the session's anatomy."""

    refused = Signal(str)  # why there are none; empty when there are again

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._anatomy = session, session.anatomy
        self._cutter: NewestOnly[_Asked] = NewestOnly("star-segments", _cut, self)
        self._cutter.answered.connect(self._take)
        self._cutter.failed.connect(self._refuse)
        self._soon = QTimer(self, singleShot=True, interval=_PAUSE_MS)
        self._soon.timeout.connect(self._ask)
        session.masks_changed.connect(self._follow)
        self._anatomy.landmarks_changed.connect(self._follow)
        self._follow()

    @property
    def is_busy(self) -> bool:
        """Whether segments are still worked out."""
        return self._soon.isActive() or self._cutter.is_busy

    def close(self) -> None:
        """Wait for what is worked out and take no more."""
        self._soon.stop()
        self._cutter.close()

    def _wanted(self) -> _Asked | None:
        masks, landmarks = self._session.masks, self._anatomy.landmarks
        if masks is None or landmarks is None or not masks.known & Structure.LIVER:
            return None
        return masks, landmarks

    def _follow(self, *_: object) -> None:
        if self._wanted() is None:
            self._soon.stop()
            self._anatomy.set_segments(None, {})
            self.refused.emit("")
        elif not self._soon.isActive():
            self._soon.start()

    def _ask(self) -> None:
        wanted = self._wanted()
        if wanted is not None:
            self._cutter.ask(wanted)

    def _take(self, asked: _Asked, cut: tuple[CouinaudSegments, Mapping[Segment, float]]) -> None:
        segments, volumes_ml = cut
        # While a landmark is dragged every answer is shown, the last one stays.
        if asked[0] is self._session.masks and self._anatomy.landmarks is not None:
            has_tissue = any(volumes_ml.values())
            self._anatomy.set_segments(segments if has_tissue else None, volumes_ml if has_tissue else {})
            self.refused.emit("")

    def _refuse(self, asked: _Asked, error: StarError) -> None:
        if asked == self._wanted():
            self._anatomy.set_segments(None, {})
            self.refused.emit(f"{error.message} {error.remedy}".strip())


def _cut(asked: _Asked) -> tuple[CouinaudSegments, Mapping[Segment, float]]:
    segments = segment_couinaud(*asked)
    return segments, segments.volumes_ml()
