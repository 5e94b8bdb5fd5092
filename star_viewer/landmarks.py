"""The landmarks of Couinaud's segments: those that were found, until the reader moves one; kept, and undone.

Where the reader put them is kept as JSON beside the case, under the hash of its content.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from PySide6.QtCore import QObject, Signal

from star_core.errors import StarError, StorageError
from star_core.types import Assessment, CouinaudLandmarks, Landmark, LandmarkOrigin, PointMm
from star_viewer.anatomy import NewestOnly
from star_viewer.session import Session
from star_viewer.structures import Files

EDITS_NAME = "landmarks"
MAX_BYTES = 1 << 16
_FARTHEST_MM = 10_000.0
_VERSION = 1

Coordinate = Annotated[float, Field(ge=-_FARTHEST_MM, le=_FARTHEST_MM, allow_inf_nan=False)]


class _Placed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    lps_mm: tuple[Coordinate, Coordinate, Coordinate]
    origin: LandmarkOrigin


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Annotated[int, Field(ge=_VERSION, le=_VERSION)]
    landmarks: dict[Landmark, _Placed]


def pack_landmarks(landmarks: CouinaudLandmarks) -> bytes:
    """Return landmarks as JSON."""
    content = {
        name.value: {"lps_mm": list(landmarks.points_mm[name]), "origin": landmarks.origins[name].value}
        for name in Landmark
    }
    return json.dumps({"version": _VERSION, "landmarks": content}).encode()


def unpack_landmarks(data: bytes) -> CouinaudLandmarks:
    """Return the landmarks of :func:`pack_landmarks`.

    Raises
    ------
    StorageError
        When the file is damaged or of another version.
    """
    try:
        file = _File.model_validate_json(data)
        return CouinaudLandmarks(
            points_mm={name: placed.lps_mm for name, placed in file.landmarks.items()},
            origins={name: placed.origin for name, placed in file.landmarks.items()},
        )
    except (ValidationError, ValueError) as error:
        raise StorageError(
            "The landmarks that were kept of this case are damaged.", remedy="Move them again.", details=str(error)
        ) from error


class Landmarks(QObject):
    """Moves landmarks along the history, and follows it."""

    settled = Signal()  # the landmarks are what the session's edits say
    lost = Signal(str)  # why kept landmarks are left out

    def __init__(self, session: Session, files: Files, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._files, self._anatomy = session, files, session.anatomy
        self._known: dict[str, CouinaudLandmarks] = {}
        self._head = ""
        self._reader: NewestOnly[str] = NewestOnly("star-landmarks", self._read, self)
        self._reader.answered.connect(self._take_read)
        self._reader.failed.connect(self._lose)
        self._found: CouinaudLandmarks | None = None
        session.case_closing.connect(self._forget)
        session.edits_changed.connect(self._follow)
        session.assessment_changed.connect(self._take_assessment)
        self._anatomy.move_asked.connect(self.move)
        self._take_assessment(session.assessment)

    @property
    def placed(self) -> CouinaudLandmarks | None:
        """The landmarks of which the reader placed at least one, else ``None``."""
        return self._known.get(self._head)

    @property
    def is_settled(self) -> bool:
        """Whether the landmarks are what the session's edits say."""
        return self._head == self._session.edits.get(EDITS_NAME, "")

    def move(self, landmark: Landmark, point_mm: PointMm) -> None:
        """Put a landmark elsewhere; one step of the history."""
        self._anatomy.drop()
        landmarks = self._anatomy.landmarks
        if landmarks is None or landmarks.points_mm[landmark] == point_mm:
            return
        moved = landmarks.with_moved(landmark, point_mm)
        digest = self._files.keep_file(pack_landmarks(moved))
        self._known[digest] = moved
        self._session.history.change(f"move the {landmark}", edits={**self._session.edits, EDITS_NAME: digest})

    def close(self) -> None:
        """Wait for what is read and take no more."""
        self._reader.close()

    # ------------------------------------------------------------------ following

    def _forget(self) -> None:
        self._known.clear()
        self._head, self._found = "", None
        self._anatomy.set_landmarks(None)

    def _follow(self, edits: Mapping[str, str]) -> None:
        digest = edits.get(EDITS_NAME, "")
        if digest == self._head:
            return
        if digest and digest not in self._known:
            self._reader.ask(digest)
            return
        self._head = digest
        self._show()
        self.settled.emit()

    def _take_assessment(self, assessment: Assessment | None) -> None:
        # What an assessment was given by the reader it has not found.
        if assessment is not None and LandmarkOrigin.READER not in assessment.landmarks.origins.values():
            self._found = assessment.landmarks
        self._show()

    def _show(self) -> None:
        self._anatomy.set_landmarks(self.placed or self._found)

    # ------------------------------------------------------------------ reading what was kept

    def _read(self, digest: str) -> CouinaudLandmarks:
        return unpack_landmarks(self._files.read_file(digest, max_bytes=MAX_BYTES))

    def _take_read(self, digest: str, landmarks: CouinaudLandmarks) -> None:
        if self._session.edits.get(EDITS_NAME) == digest:
            self._known[digest] = landmarks
            self._follow(self._session.edits)

    def _lose(self, digest: str, error: StarError) -> None:
        if self._session.edits.get(EDITS_NAME) == digest:
            self._session.set_edits({name: kept for name, kept in self._session.edits.items() if name != EDITS_NAME})
            self.lost.emit(f"{error.message} {error.remedy}".strip())
