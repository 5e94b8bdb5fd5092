"""The follow-up CTs of a case as the reader has them: where from, when, how aligned, and which year each fills.

Frozen values that a kept file holds as JSON; nothing here reads a scan.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from star_core.clinical.postoperative import postoperative_year
from star_core.errors import ClinicalRecordError, StorageError
from star_core.types import DoubleArray, RegistrationKind, RegistrationQuality, Volume
from star_core.types.registration import build_motion

EDITS_NAME = "follow-ups"
MAX_BYTES = 1 << 20
MAX_SCANS = 40
LARGEST_SHIFT_MM, LARGEST_TURN_DEG = 200.0, 45.0

_Shift = Annotated[float, Field(ge=-LARGEST_SHIFT_MM, le=LARGEST_SHIFT_MM, allow_inf_nan=False)]
_Turn = Annotated[float, Field(ge=-LARGEST_TURN_DEG, le=LARGEST_TURN_DEG, allow_inf_nan=False)]
_Measured = Annotated[float, Field(ge=-1e4, le=1e4, allow_inf_nan=False)]
_FORMAT = 1


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class FollowUpSource(_Value):
    """Where a later CT comes from: a folder, or a study of the archive; what the reader accepted about it."""

    folder: Path | None = None
    series_uid: Annotated[str, Field(max_length=256)] | None = None
    study: int | None = None
    interpolate_gaps: bool = False
    accept_other_patient: bool = False


class Adjustment(_Value):
    """How the reader moved a later CT by hand: shift in mm and turn in degrees along and about L, P, S."""

    shift_mm: tuple[_Shift, _Shift, _Shift] = (0.0, 0.0, 0.0)
    turn_deg: tuple[_Turn, _Turn, _Turn] = (0.0, 0.0, 0.0)

    @property
    def is_none(self) -> bool:
        """Whether nothing was moved."""
        return not any((*self.shift_mm, *self.turn_deg))

    def to_motion(self, first: Volume) -> DoubleArray:
        """Return the (4, 4) motion on LPS mm; it turns about the middle of the first CT."""
        middle = first.geometry.index_to_lps((np.array(first.geometry.shape) - 1) / 2)
        centre_mm = float(middle[0]), float(middle[1]), float(middle[2])
        return build_motion(self.shift_mm, self.turn_deg, centre_mm)


class Quality(_Value):
    """A registration's quality as it was measured last."""

    similarity_before: _Measured
    similarity_after: _Measured
    overlap_share: _Measured
    largest_displacement_mm: _Measured = 0.0

    @classmethod
    def of(cls, quality: RegistrationQuality) -> Self:
        """Return what is shown of a registration's quality."""
        return cls(
            similarity_before=quality.similarity_before,
            similarity_after=quality.similarity_after,
            overlap_share=quality.overlap_share,
            largest_displacement_mm=quality.largest_displacement_mm,
        )

    def in_words(self) -> str:
        """Return the quality in plain words."""
        after = self.similarity_after
        judged = "good" if after >= 0.85 else "fair" if after >= 0.65 else "poor: look before you trust it"
        words = (
            f"{judged}. Grey values agree by {after:.2f} of 1 ({self.similarity_before:.2f} as the scans lay); "
            f"{100 * self.overlap_share:.0f} % of the first CT's body is covered"
        )
        bent = self.largest_displacement_mm
        return f"{words}; tissue is bent by up to {bent:.0f} mm." if bent >= 0.5 else f"{words}."


class FollowUp(_Value):
    """One later CT."""

    source: FollowUpSource
    series_uid: Annotated[str, Field(min_length=1, max_length=256)]
    acquired_on: date | None = None
    kind: RegistrationKind = RegistrationKind.RIGID
    adjustment: Adjustment = Adjustment()
    quality: Quality
    in_model: bool = True

    @property
    def label(self) -> str:
        """How the list names it."""
        return "date not known" if self.acquired_on is None else self.acquired_on.isoformat()


@dataclass(frozen=True, slots=True)
class Place:
    """Which year of the model's sequence a later CT fills, or why none."""

    year: int | None
    why: str = ""


class FollowUps(_Value):
    """All later CTs of a case, in the order in which they were added, and the date of operation."""

    operated_on: date | None = None
    scans: Annotated[tuple[FollowUp, ...], Field(max_length=MAX_SCANS)] = ()

    def find(self, series_uid: str) -> FollowUp | None:
        """Return a later CT by its series."""
        return next((scan for scan in self.scans if scan.series_uid == series_uid), None)

    def put(self, scan: FollowUp) -> FollowUps:
        """Return the list with a later CT changed, or added."""
        if self.find(scan.series_uid) is None:
            return self.model_copy(update={"scans": (*self.scans, scan)})
        changed = tuple(scan if one.series_uid == scan.series_uid else one for one in self.scans)
        return self.model_copy(update={"scans": changed})

    def without(self, series_uid: str) -> FollowUps:
        """Return the list without a later CT."""
        return self.model_copy(update={"scans": tuple(one for one in self.scans if one.series_uid != series_uid)})

    def operated(self, day: date | None) -> FollowUps:
        """Return the list with another date of operation."""
        return self.model_copy(update={"operated_on": day})

    def places(self) -> dict[str, Place]:
        """Return by series which year each fills; of two CTs of one year the newer one."""
        found: dict[str, Place] = {}
        by_year: dict[int, FollowUp] = {}
        for scan in sorted(self.scans, key=lambda one: one.acquired_on or date.min):
            place = self._place(scan)
            found[scan.series_uid] = place
            if place.year is not None:
                older = by_year.get(place.year)
                if older is not None:
                    why = f"The CT of {scan.label} is newer and fills year {place.year}."
                    found[older.series_uid] = Place(None, why)
                by_year[place.year] = scan
        return found

    def _place(self, scan: FollowUp) -> Place:
        if not scan.in_model:
            return Place(None, "Left out of the model by the reader.")
        if self.operated_on is None:
            return Place(None, "Give the date of operation, and it fills its year.")
        if scan.acquired_on is None:
            return Place(None, "Its header has no date: type it, and it fills its year.")
        try:
            return Place(postoperative_year(self.operated_on, scan.acquired_on))
        except ClinicalRecordError as error:
            return Place(None, f"{error.message} {error.remedy}")

    def to_bytes(self) -> bytes:
        """Return the file that is kept."""
        return _File(format=_FORMAT, follow_ups=self).model_dump_json().encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> FollowUps:
        """Read a kept file.

        Raises
        ------
        StorageError
            When it is damaged, or of a newer version.
        """
        try:
            file = _File.model_validate_json(data)
        except ValidationError as error:
            raise _damaged() from error
        if file.format > _FORMAT or len({scan.series_uid for scan in file.follow_ups.scans}) < len(
            file.follow_ups.scans
        ):
            raise _damaged()
        return file.follow_ups


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlignedScan:
    """A later CT on the first one's grid, before any adjustment by hand; its date where the header has one."""

    volume: Volume
    acquired_on: date | None
    quality: RegistrationQuality


class _File(_Value):
    format: int
    follow_ups: FollowUps


def _damaged() -> StorageError:
    return StorageError(
        "The list of follow-up CTs of this case is damaged or of a newer version.", remedy="Add them again."
    )


def parse_date(text: str) -> date | None:
    """Return a date as it is typed (``2026-01-31`` or ``31.01.2026``), ``None`` where nothing is.

    Raises
    ------
    ClinicalRecordError
        When it is no date.
    """
    text = text.strip()
    if not text:
        return None
    parts = text.split(".")
    if len(parts) == 3:
        text = f"{parts[2]}-{parts[1]:0>2}-{parts[0]:0>2}"
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise ClinicalRecordError(f"{text} is no date.", remedy="Write it as 2026-01-31.") from error
    if not 1900 <= found.year <= 2100:
        raise ClinicalRecordError(f"{text} is no date of a CT.", remedy="Write it as 2026-01-31.")
    return found
