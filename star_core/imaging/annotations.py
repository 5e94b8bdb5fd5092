"""What a reader draws on slices: distances, angles, regions, arrows and text, and their JSON."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from star_core.errors import AnnotationError
from star_core.types import DoubleArray

FORMAT = 1
MAX_ANNOTATIONS = 2000
MAX_POINTS = 2000
MAX_LABEL_LENGTH = 200
_FARTHEST_MM = 10_000.0
_UNIT_TOLERANCE = 1e-6
_DECIMALS = 4  # a ten-thousandth of a millimetre

PointMm = tuple[float, float, float]


class AnnotationKind(StrEnum):
    """What was drawn."""

    DISTANCE = "distance"
    ANGLE = "angle"
    ELLIPSE = "ellipse"
    FREEHAND = "freehand"
    ARROW = "arrow"
    TEXT = "text"


POINT_COUNTS = {
    AnnotationKind.DISTANCE: (2, 2),
    AnnotationKind.ANGLE: (3, 3),
    AnnotationKind.ELLIPSE: (2, 2),
    AnnotationKind.FREEHAND: (3, MAX_POINTS),
    AnnotationKind.ARROW: (2, 2),
    AnnotationKind.TEXT: (1, 1),
}
"""Least and most points of each kind."""

REGIONS = (AnnotationKind.ELLIPSE, AnnotationKind.FREEHAND)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationPlane:
    """The slice on which something was drawn.

    Parameters
    ----------
    origin_mm
        Any point of the plane, LPS mm.
    right, up
        Orthogonal unit vectors in LPS: the directions to the right and up on the screen.
    """

    origin_mm: PointMm
    right: PointMm
    up: PointMm

    @property
    def normal(self) -> DoubleArray:
        """(3,) unit vector towards the reader, in LPS."""
        return np.cross(self.right, self.up)

    def to_plane_mm(self, points_mm: DoubleArray) -> DoubleArray:
        """Map (..., 3) LPS mm to (..., 2) mm to the right and up of the origin."""
        on_plane: DoubleArray = (np.asarray(points_mm) - np.array(self.origin_mm)) @ np.array([self.right, self.up]).T
        return on_plane

    def to_lps(self, on_plane_mm: DoubleArray) -> DoubleArray:
        """Map (..., 2) mm on the plane to (..., 3) LPS mm."""
        points_mm: DoubleArray = np.asarray(on_plane_mm) @ np.array([self.right, self.up]) + np.array(self.origin_mm)
        return points_mm


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One thing that was drawn on a slice.

    Parameters
    ----------
    id
        32 hexadecimal digits, the same as long as it lives.
    kind
        What it is.
    points_mm
        Points in LPS mm. Distance: both ends. Angle: a leg's end, the vertex, the other leg's end. Ellipse: two
        opposite corners of its box, whose sides run along the plane's directions. Freehand: the outline, which closes
        by itself. Arrow: the tip, then the tail. Text: where it stands.
    plane
        The slice in which it was drawn.
    label
        What the reader calls it.
    created_utc
        When it was drawn, ISO 8601.
    """

    id: str
    kind: AnnotationKind
    points_mm: tuple[PointMm, ...]
    plane: AnnotationPlane
    label: str = ""
    created_utc: str = ""

    @property
    def centre_mm(self) -> PointMm:
        """The middle of its points, a point of its plane."""
        return to_point(np.mean(np.array(self.points_mm), axis=0))

    def with_point(self, number: int, point_mm: PointMm) -> Annotation:
        """Return it with one point elsewhere."""
        points_mm = list(self.points_mm)
        points_mm[number] = to_point(point_mm)
        return replace(self, points_mm=tuple(points_mm))

    def moved(self, by_mm: Sequence[float]) -> Annotation:
        """Return it moved as a whole."""
        shift = np.asarray(by_mm, dtype=np.float64)
        return replace(self, points_mm=tuple(to_point(np.array(point) + shift) for point in self.points_mm))


def to_point(point_mm: Sequence[float] | DoubleArray) -> PointMm:
    """Return a point as plain numbers, to a ten-thousandth of a millimetre."""
    left, posterior, superior = (round(float(value), _DECIMALS) for value in point_mm)
    return left, posterior, superior


def clean_label(text: str) -> str:
    """Return what was typed as a label: one line without control characters, at most 200 characters."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())[:MAX_LABEL_LENGTH].strip()


def build_annotation(
    kind: AnnotationKind, points_mm: Iterable[Sequence[float]], plane: AnnotationPlane, *, label: str = ""
) -> Annotation:
    """Return a new annotation with an id of its own, drawn now."""
    return Annotation(
        id=uuid.uuid4().hex,
        kind=kind,
        points_mm=tuple(to_point(point) for point in points_mm),
        plane=plane,
        label=clean_label(label),
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )


# --------------------------------------------------------------------------- JSON


def annotations_to_json(annotations: Iterable[Annotation]) -> dict[str, Any]:
    """Return annotations as a JSON object with its version."""
    return {"format": FORMAT, "annotations": [annotation_to_json(annotation) for annotation in annotations]}


def annotation_to_json(annotation: Annotation) -> dict[str, Any]:
    """Return one annotation as a JSON object."""
    return asdict(annotation)


def annotations_from_json(raw: object) -> tuple[Annotation, ...]:
    """Return annotations from a parsed JSON object of :func:`annotations_to_json`.

    Raises
    ------
    AnnotationError
        When it is of a newer version, or anything in it is not as it must be.
    """
    if isinstance(raw, dict) and isinstance(raw.get("format"), int) and raw["format"] > FORMAT:
        raise AnnotationError(
            f"The annotations are of format {raw['format']}; this program knows {FORMAT}.",
            remedy="Open them with the newer version.",
        )
    try:
        return tuple(one.to_annotation() for one in _File.model_validate(raw).annotations)
    except (ValidationError, RecursionError) as error:
        raise _refusal(error) from error


def annotation_from_json(raw: object) -> Annotation:
    """Return one annotation from a parsed JSON object of :func:`annotation_to_json`.

    Raises
    ------
    AnnotationError
        When anything in it is not as it must be.
    """
    try:
        return _Entry.model_validate(raw).to_annotation()
    except (ValidationError, RecursionError) as error:
        raise _refusal(error) from error


def _refusal(error: ValidationError | RecursionError) -> AnnotationError:
    reason = "nested too deeply"
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        reason = f"{'.'.join(str(part)[:40] for part in first['loc'])}: {first['msg']}".strip(": ")
    return AnnotationError(
        f"The annotations cannot be used ({reason}).", remedy="Draw them again, or take an undamaged copy."
    )


_Coordinate = Annotated[float, Field(strict=True, ge=-_FARTHEST_MM, le=_FARTHEST_MM, allow_inf_nan=False)]
_Point = tuple[_Coordinate, _Coordinate, _Coordinate]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _PlaneEntry(_Strict):
    origin_mm: _Point
    right: _Point
    up: _Point

    @model_validator(mode="after")
    def _require_frame(self) -> _PlaneEntry:
        right, up = np.array(self.right), np.array(self.up)
        if max(abs(right @ right - 1), abs(up @ up - 1), abs(right @ up)) > _UNIT_TOLERANCE:
            raise ValueError("right and up must be orthogonal unit vectors")
        return self


class _Entry(_Strict):
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    kind: AnnotationKind
    points_mm: Annotated[tuple[_Point, ...], Field(min_length=1, max_length=MAX_POINTS)]
    plane: _PlaneEntry
    label: Annotated[str, Field(max_length=MAX_LABEL_LENGTH)] = ""
    created_utc: Annotated[str, Field(max_length=40, pattern=r"^[0-9T:.+Z-]*$")] = ""

    @field_validator("label")
    @classmethod
    def _require_printable(cls, label: str) -> str:
        if not label.isprintable():
            raise ValueError("a label must be printable")
        return label

    @model_validator(mode="after")
    def _require_points(self) -> _Entry:
        least, most = POINT_COUNTS[self.kind]
        if not least <= len(self.points_mm) <= most:
            raise ValueError(f"{self.kind} has {len(self.points_mm)} points, expected {least} to {most}")
        return self

    def to_annotation(self) -> Annotation:
        plane = AnnotationPlane(origin_mm=self.plane.origin_mm, right=self.plane.right, up=self.plane.up)
        return Annotation(
            id=self.id,
            kind=self.kind,
            points_mm=self.points_mm,
            plane=plane,
            label=self.label,
            created_utc=self.created_utc,
        )


class _File(_Strict):
    format: Annotated[int, Field(strict=True, ge=1, le=FORMAT)]
    annotations: Annotated[tuple[_Entry, ...], Field(max_length=MAX_ANNOTATIONS)]

    @field_validator("annotations")
    @classmethod
    def _require_own_ids(cls, annotations: tuple[_Entry, ...]) -> tuple[_Entry, ...]:
        if len({annotation.id for annotation in annotations}) != len(annotations):
            raise ValueError("two annotations have the same id")
        return annotations
