"""Couinaud's segments and the landmarks that part them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from star_core.types.basics import freeze_arrays
from star_core.types.findings import Finding
from star_core.types.space import Geometry, PointMm


class Segment(StrEnum):
    """Couinaud's segments; the label of a voxel is the segment's place in :data:`SEGMENTS`, counted from 1."""

    I = "I"  # noqa: E741
    II = "II"
    III = "III"
    IV = "IV"
    V = "V"
    VI = "VI"
    VII = "VII"
    VIII = "VIII"


SEGMENTS = tuple(Segment)


class Landmark(StrEnum):
    """A point that the planes between segments pass through."""

    VENA_CAVA = "vena cava"
    RIGHT_VEIN = "right hepatic vein"
    MIDDLE_VEIN = "middle hepatic vein"
    LEFT_VEIN = "left hepatic vein"
    BIFURCATION = "portal bifurcation"
    LEFT_PORTAL = "left portal vein"


class LandmarkOrigin(StrEnum):
    """How a landmark was placed: on a vessel, by the shares of a normal liver, or by the reader."""

    VESSEL = "vessel"
    PROPORTIONS = "proportions"
    READER = "reader"


@dataclass(frozen=True, slots=True, kw_only=True)
class CouinaudLandmarks:
    """Where the planes between segments run: LPS mm and origin of every :class:`Landmark`."""

    points_mm: Mapping[Landmark, PointMm]
    origins: Mapping[Landmark, LandmarkOrigin]

    def __post_init__(self) -> None:
        if set(self.points_mm) != set(Landmark) or set(self.origins) != set(Landmark):
            raise ValueError("every landmark needs a point and an origin")

    def with_moved(self, landmark: Landmark, point_mm: PointMm) -> CouinaudLandmarks:
        """Return the landmarks with one placed by the reader."""
        return CouinaudLandmarks(
            points_mm={**self.points_mm, landmark: point_mm},
            origins={**self.origins, landmark: LandmarkOrigin.READER},
        )


def count_labels(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return how many voxels of (D, H, W) have each label, 0 first; slice by slice, so that no copy is large."""
    counts = np.zeros(len(SEGMENTS) + 1, dtype=np.int64)
    for section in labels:
        counts += np.bincount(section.ravel(), minlength=len(counts))
    return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class CouinaudSegments:
    """The liver cut into segments: ``labels`` is uint8 (D, H, W), 0 outside, 1..8 in the order of ``SEGMENTS``."""

    labels: NDArray[np.uint8]
    geometry: Geometry
    landmarks: CouinaudLandmarks
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        if self.labels.dtype != np.uint8 or self.labels.shape != self.geometry.shape:
            raise ValueError("labels must be uint8 with the geometry's shape")
        freeze_arrays(self, "labels")

    def volumes_ml(self) -> dict[Segment, float]:
        """Return the volume of every segment in millilitres."""
        counts = count_labels(self.labels)[1:]
        return {segment: float(n) * self.geometry.voxel_volume_ml for segment, n in zip(SEGMENTS, counts, strict=True)}

    def segment_at(self, index: tuple[int, int, int]) -> Segment | None:
        """Return the segment of a voxel, ``None`` outside of the liver."""
        label = int(self.labels[index])
        return SEGMENTS[label - 1] if label else None
