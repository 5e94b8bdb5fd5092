"""What is known inside the liver of the open case: landmarks, segments, and a plane that may cut it.

Values and signals, as :mod:`star_viewer.session` holds them; views ask for changes, and what owns them makes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Generic, TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot

from star_core.errors import SegmentationError, StarError
from star_core.imaging.editing.remnant import CuttingPlane, RemnantVolumes
from star_core.types import CouinaudLandmarks, CouinaudSegments, Landmark, PointMm, Segment

Asked = TypeVar("Asked")


class Anatomy(QObject):
    """The state of one window; every setter tells a change when, and only when, there is one."""

    landmarks_changed = Signal(object)  # CouinaudLandmarks | None: where they are shown now
    segments_changed = Signal(object)  # CouinaudSegments | None
    chosen_changed = Signal(object)  # Landmark
    plane_changed = Signal(object)  # CuttingPlane | None
    removed_changed = Signal(object)  # frozenset of Segment
    volumes_changed = Signal(object)  # RemnantVolumes | None
    move_asked = Signal(object, object)  # Landmark, PointMm: the reader let go of it there
    cut_asked = Signal()  # the reader wants the remnant that the plane leaves

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._landmarks: CouinaudLandmarks | None = None
        self._dragged: CouinaudLandmarks | None = None
        self._segments: CouinaudSegments | None = None
        self._segment_volumes: Mapping[Segment, float] = {}
        self._chosen = Landmark.BIFURCATION
        self._plane: CuttingPlane | None = None
        self._removed: frozenset[Segment] = frozenset()
        self._volumes: RemnantVolumes | None = None

    @property
    def landmarks(self) -> CouinaudLandmarks | None:
        """The landmarks as they are shown, also while one is dragged."""
        return self._dragged or self._landmarks

    def set_landmarks(self, landmarks: CouinaudLandmarks | None) -> None:
        """Take over landmarks that were found, or placed by the reader."""
        if landmarks != self.landmarks:
            self._landmarks, self._dragged = landmarks, None
            self.landmarks_changed.emit(landmarks)
        self._landmarks, self._dragged = landmarks, None

    def drag(self, landmark: Landmark, point_mm: PointMm) -> None:
        """Show a landmark elsewhere while the hand holds it."""
        if self._landmarks is not None:
            self._dragged = self._landmarks.with_moved(landmark, point_mm)
            self.landmarks_changed.emit(self._dragged)

    def drop(self) -> None:
        """Show the landmarks where they were before a drag."""
        if self._dragged is not None:
            self._dragged = None
            self.landmarks_changed.emit(self._landmarks)

    @property
    def chosen(self) -> Landmark:
        """The landmark that the tool places."""
        return self._chosen

    def choose(self, landmark: Landmark) -> None:
        """Choose what the tool places."""
        if landmark is not self._chosen:
            self._chosen = landmark
            self.chosen_changed.emit(landmark)

    @property
    def segments(self) -> CouinaudSegments | None:
        """The segments on the CT's grid, or ``None`` while there are none."""
        return self._segments

    @property
    def segment_volumes_ml(self) -> Mapping[Segment, float]:
        """The volume of every segment on the CT's grid, empty while there are none."""
        return self._segment_volumes

    def set_segments(self, segments: CouinaudSegments | None, volumes_ml: Mapping[Segment, float]) -> None:
        """Take over segments that were worked out, with their volumes: counting voxels would hold the window up."""
        if segments is not self._segments:
            self._segments, self._segment_volumes = segments, volumes_ml
            self.segments_changed.emit(segments)

    @property
    def plane(self) -> CuttingPlane | None:
        """The plane that lies through the liver, or ``None``."""
        return self._plane

    def set_plane(self, plane: CuttingPlane | None) -> None:
        """Lay a plane through the liver, move it, or take it away."""
        if plane != self._plane:
            self._plane = plane
            self.plane_changed.emit(plane)

    @property
    def removed(self) -> frozenset[Segment]:
        """The segments that are marked to be removed."""
        return self._removed

    def set_removed(self, removed: frozenset[Segment]) -> None:
        """Mark segments to be removed."""
        if removed != self._removed:
            self._removed = removed
            self.removed_changed.emit(removed)

    @property
    def volumes(self) -> RemnantVolumes | None:
        """Volumes of liver, tumours and the remnant, as it stands or as the cut that is planned would leave it."""
        return self._volumes

    def set_volumes(self, volumes: RemnantVolumes | None) -> None:
        """Take over volumes that were measured."""
        if volumes != self._volumes:
            self._volumes = volumes
            self.volumes_changed.emit(volumes)


class NewestOnly(QObject, Generic[Asked]):
    """A thread that answers the newest of what it is asked: what a hand has left behind already is skipped."""

    answered = Signal(object, object)  # what was asked, the answer
    failed = Signal(object, object)  # what was asked, StarError
    _done = Signal(object, object)

    def __init__(self, name: str, answer: Callable[[Asked], object], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name, self._answer = name, answer
        self._pool: ThreadPoolExecutor | None = None
        self._next: Asked | None = None
        self._runs = False
        # Answered in the window's thread, or a listener that has gone could be reached.
        self._done.connect(self._take, Qt.ConnectionType.QueuedConnection)

    @property
    def is_busy(self) -> bool:
        """Whether something is still worked out."""
        return self._runs

    def ask(self, asked: Asked) -> None:
        """Have this answered next, in place of what waits."""
        if self._runs:
            self._next = asked
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=self._name)
        self._runs = True
        self._pool.submit(self._run, asked)

    def close(self) -> None:
        """Wait for what is worked out and take no more."""
        self._next = None
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _run(self, asked: Asked) -> None:
        try:
            answer = self._answer(asked)
        except StarError as error:
            answer = error
        except (ArithmeticError, LookupError, TypeError, ValueError, MemoryError) as error:
            answer = SegmentationError("The liver could not be measured.", details=repr(error))
        with suppress(RuntimeError):  # the window is gone
            self._done.emit(asked, answer)

    @Slot(object, object)
    def _take(self, asked: Asked, answer: object) -> None:
        self._runs = False
        if self._next is not None and self._pool is not None:
            following, self._next = self._next, None
            self.ask(following)
        signal = self.failed if isinstance(answer, StarError) else self.answered
        signal.emit(asked, answer)
