"""Couinaud's segments I to VIII: landmarks are found on vessels or by proportion, planes through them cut the liver.

Three upright planes through the inferior vena cava, along the right, the middle and the left hepatic vein, and two
levels, those of the portal bifurcation and of the left portal vein, part segments II to VIII; the caudate lobe (I) lies
between the cava and the portal bifurcation. Sources: Couinaud 1957; on sections Soyer, AJR 1993, 161:572. Planes are
an approximation: portal territories differ from them, most in V, VII and VIII (Fischer et al., Eur Radiol 2002).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from star_core.errors import SegmentationError
from star_core.imaging.couinaud.landmarks import PLANES, find_landmarks, measure_angles
from star_core.types import (
    SEGMENTS,
    BoolArray,
    CouinaudLandmarks,
    CouinaudSegments,
    DoubleArray,
    Finding,
    Geometry,
    Landmark,
    LandmarkOrigin,
    Masks,
    PointMm,
    Severity,
    Structure,
    count_values,
)

_CAUDATE_RADIUS_MM, _CAUDATE_DEPTH = (14.0, 28.0), 0.8
_CAUDATE_BELOW_BIFURCATION_MM, _CAUDATE_BELOW_CAVA_MM = 20.0, 15.0
_CAUDATE_RIGHT_DEGREES = 100.0


def segment_couinaud(masks: Masks, landmarks: CouinaudLandmarks | None = None) -> CouinaudSegments:
    """Return the segments of the liver in ``masks``, by the landmarks given or by those that are found.

    Raises
    ------
    SegmentationError
        When there is no liver, or the planes of given landmarks are out of order.
    """
    liver = masks.mask_of(Structure.LIVER)
    landmarks = landmarks or find_landmarks(masks)
    labels = label_segments(liver, masks.geometry, landmarks)
    return CouinaudSegments(
        labels=labels,
        geometry=masks.geometry,
        landmarks=landmarks,
        findings=(*doubt_landmarks(landmarks), *_doubt_labels(labels)),
    )


def label_segments(liver: BoolArray, geometry: Geometry, landmarks: CouinaudLandmarks) -> NDArray[np.uint8]:
    """Return uint8 (D, H, W): the place of each liver voxel's segment in ``SEGMENTS``, counted from 1, else 0.

    Raises
    ------
    SegmentationError
        When the planes do not follow each other from the left to the right of the patient.
    """
    points = landmarks.points_mm
    left, middle, right = (float(measure_angles(np.array(points[name]), points)) for name in PLANES)
    if not left < middle < right:
        raise SegmentationError(
            "The planes along the left, middle and right hepatic vein are out of order.",
            remedy="Move the landmarks so that they follow each other from the patient's left to the right.",
        )
    labels = np.zeros(liver.shape, dtype=np.uint8)
    # Slice by slice the arrays stay small: a window that works this out beside itself is not held up.
    for number in np.flatnonzero(liver.any(axis=(1, 2))).tolist():
        rows, columns = np.nonzero(liver[number])
        index = np.stack([np.full(len(rows), number), rows, columns], axis=-1).astype(np.float64)
        labels[number, rows, columns] = _label_points(geometry.index_to_lps(index), points, (left, middle, right))
    return labels


def _label_points(
    inside_mm: DoubleArray, landmarks_mm: Mapping[Landmark, PointMm], planes: tuple[float, float, float]
) -> NDArray[np.uint8]:
    """Return (N,) labels of points (N, 3) in the liver, LPS mm; ``planes`` are the angles of the three veins."""
    left, middle, right = planes
    angle = measure_angles(inside_mm, landmarks_mm)
    above = inside_mm[:, 2] > landmarks_mm[Landmark.BIFURCATION][2]
    above_left = inside_mm[:, 2] > landmarks_mm[Landmark.LEFT_PORTAL][2]
    segment = np.where(above, 7, 6).astype(np.uint8)
    segment[angle < right] = np.where(above, 8, 5)[angle < right]
    segment[angle < middle] = 4
    segment[angle < left] = np.where(above_left, 2, 3)[angle < left]
    segment[_in_caudate(inside_mm, angle, landmarks_mm)] = 1
    return segment


def _in_caudate(inside_mm: DoubleArray, angle: DoubleArray, landmarks_mm: Mapping[Landmark, PointMm]) -> BoolArray:
    """Tell which points lie between cava and portal bifurcation: near the cava, behind the bifurcation."""
    cava, fork = (np.array(landmarks_mm[name]) for name in (Landmark.VENA_CAVA, Landmark.BIFURCATION))
    towards = fork[:2] - cava[:2]
    distance_mm = max(float(np.linalg.norm(towards)), 1.0)
    away = inside_mm[:, :2] - cava[:2]
    caudate: BoolArray = (
        (np.linalg.norm(away, axis=1) < np.clip(distance_mm, *_CAUDATE_RADIUS_MM))
        & (away @ towards / distance_mm < _CAUDATE_DEPTH * distance_mm)
        & (angle < _CAUDATE_RIGHT_DEGREES)
        & (inside_mm[:, 2] > fork[2] - _CAUDATE_BELOW_BIFURCATION_MM)
        & (inside_mm[:, 2] < cava[2] - _CAUDATE_BELOW_CAVA_MM)
    )
    return caudate


# --------------------------------------------------------------------------- doubts


def doubt_landmarks(landmarks: CouinaudLandmarks) -> tuple[Finding, ...]:
    """Return what a reader must know of landmarks that no vessel confirms."""
    guessed = [name for name in Landmark if landmarks.origins[name] is LandmarkOrigin.PROPORTIONS]
    if not guessed:
        return ()
    message = (
        f"Couinaud segments rest on landmarks that were placed by the shares of a normal liver: {', '.join(guessed)}. "
        "Check them against the vessels and move them."
    )
    return (Finding(code="segments-by-proportions", severity=Severity.NOTE, message=message),)


def _doubt_labels(labels: NDArray[np.uint8]) -> tuple[Finding, ...]:
    counts = count_values(labels, len(SEGMENTS))[1:]
    empty = [segment for segment, count in zip(SEGMENTS, counts, strict=True) if count == 0]
    if not empty:
        return ()
    message = f"The liver has no tissue in segment {', '.join(empty)}: removed before, or landmarks are misplaced."
    return (Finding(code="segments-missing", severity=Severity.WARNING, message=message),)
