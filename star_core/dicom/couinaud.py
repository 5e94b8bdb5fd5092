"""Couinaud's segments as a DICOM Segmentation, and back onto a CT's grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from star_core.dicom.export import write_segments
from star_core.dicom.seg import COUINAUD_DESCRIPTION, paint_frames, require_same_patient
from star_core.dicom.seg_frames import read_segmentation_object
from star_core.dicom.segment_names import COUINAUD_CODES, couinaud_segment_of
from star_core.dicom.study import StudyHeader
from star_core.errors import SegmentationError
from star_core.types import SEGMENTS, CouinaudSegments, LandmarkOrigin, Segment, Volume


def write_couinaud(
    segments: CouinaudSegments, volume: Volume, path: Path, *, patient_id: str, study: StudyHeader | None = None
) -> None:
    """Write the segments that have tissue, coded by PS3.16 CID 7170; see :func:`star_core.dicom.export.write_segments`.

    They count as drawn by a program where no reader moved a landmark.

    Raises
    ------
    SegmentationError
        When no segment has tissue.
    """
    present = [segment for segment in SEGMENTS if _mask_of(segments.labels, segment).any()]
    if not present:
        raise SegmentationError("There is no liver to write in segments.", remedy="Segment the liver first.")
    write_segments(
        np.stack([_mask_of(segments.labels, segment) for segment in present], axis=-1),
        [(f"Couinaud {one}", COUINAUD_CODES[one], f"Couinaud hepatic segment {one}") for one in present],
        volume,
        path,
        series_uid="",
        description=COUINAUD_DESCRIPTION,
        patient_id=patient_id,
        study=study,
        automatic=LandmarkOrigin.READER not in segments.landmarks.origins.values(),
    )


def read_couinaud(path: Path, volume: Volume) -> NDArray[np.uint8]:
    """Return the segments of a file on a CT's grid: uint8 (D, H, W), labels as in :class:`CouinaudSegments`.

    Raises
    ------
    SegmentationError
        When the file cannot be read, belongs to another patient or scan, or holds none of Couinaud's segments.
    """
    segmentation = read_segmentation_object(path)
    require_same_patient(segmentation, volume)
    named = {one.number: couinaud_segment_of(one.codes) for one in segmentation.segments}
    places = {number: segment for number, segment in named.items() if segment is not None}
    if not places:
        raise SegmentationError(
            "This segmentation holds none of Couinaud's segments.", remedy="Choose a file that codes them (CID 7170)."
        )
    labels = np.zeros(volume.geometry.shape, dtype=np.uint8)
    for index, number, placed in paint_frames(segmentation, places, volume.geometry):
        labels[index][placed] = 1 + SEGMENTS.index(places[number])
    return labels


def _mask_of(labels: NDArray[np.uint8], segment: Segment) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = labels == 1 + SEGMENTS.index(segment)
    return mask
