"""Couinaud's segments: where they lie, what follows from landmarks, and what is said where landmarks are guessed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from star_core.api import open_case
from star_core.cohort.anatomy import CAVA_MM, HILUM_MM
from star_core.cohort.demo import draw_demo_patient
from star_core.errors import SegmentationError
from star_core.imaging.couinaud.landmarks import find_landmarks
from star_core.imaging.couinaud.segments import label_segments, segment_couinaud
from star_core.types import (
    SEGMENTS,
    CouinaudLandmarks,
    CouinaudSegments,
    DoubleArray,
    Geometry,
    Landmark,
    LandmarkOrigin,
    Masks,
    Segment,
    Structure,
)

BLOCK = Geometry(
    shape=(40, 60, 80), affine_lps=np.array([[0, 0, 3.0, -150], [0, 3.0, 0, -90], [3.0, 0, 0, -60], [0, 0, 0, 1]])
)
LANDMARKS = CouinaudLandmarks(
    points_mm={
        Landmark.VENA_CAVA: (0.0, 30.0, 40.0),
        Landmark.RIGHT_VEIN: (-60.0, 20.0, 0.0),
        Landmark.MIDDLE_VEIN: (-20.0, -30.0, 0.0),
        Landmark.LEFT_VEIN: (40.0, -30.0, 0.0),
        Landmark.BIFURCATION: (0.0, -5.0, 0.0),
        Landmark.LEFT_PORTAL: (30.0, -30.0, 10.0),
    },
    origins=dict.fromkeys(Landmark, LandmarkOrigin.VESSEL),
)


@pytest.fixture(scope="module")
def demo_masks() -> Masks:
    masks = draw_demo_patient().masks
    assert masks is not None
    return masks


def without_vessels(masks: Masks) -> Masks:
    return Masks(bits=masks.bits & np.uint8(Structure.LIVER), geometry=masks.geometry, known=Structure.LIVER)


def centre_of(segments: CouinaudSegments, segment: Segment) -> DoubleArray:
    index = np.argwhere(segments.labels == 1 + SEGMENTS.index(segment)).astype(np.float64)
    return segments.geometry.index_to_lps(index).mean(axis=0)


@pytest.mark.parametrize(
    ("point_mm", "segment"),
    [
        ((5.0, 12.0, 10.0), Segment.I),
        ((70.0, -20.0, 30.0), Segment.II),
        ((70.0, -20.0, -10.0), Segment.III),
        ((10.0, -60.0, 20.0), Segment.IV),
        ((-70.0, -40.0, -20.0), Segment.V),
        ((-90.0, 50.0, -20.0), Segment.VI),
        ((-90.0, 50.0, 30.0), Segment.VII),
        ((-70.0, -40.0, 30.0), Segment.VIII),
    ],
)
def test_each_segment_lies_where_anatomy_puts_it(point_mm: tuple[float, float, float], segment: Segment) -> None:
    labels = label_segments(np.ones(BLOCK.shape, dtype=bool), BLOCK, LANDMARKS)
    z, y, x = (int(i) for i in BLOCK.lps_to_index(np.array(point_mm)).round())
    assert SEGMENTS[labels[z, y, x] - 1] is segment


def test_segments_part_the_liver_and_nothing_else(demo_masks: Masks) -> None:
    segments = segment_couinaud(demo_masks)
    np.testing.assert_array_equal(segments.labels > 0, demo_masks.mask_of(Structure.LIVER))
    assert sum(segments.volumes_ml().values()) == pytest.approx(demo_masks.volume_ml(Structure.LIVER))
    assert all(volume_ml > 5.0 for volume_ml in segments.volumes_ml().values())


def test_the_order_of_the_grids_axes_does_not_matter(demo_masks: Masks) -> None:
    affine = demo_masks.geometry.affine_lps.copy()
    affine[:3, 3] += affine[:3, 0] * (demo_masks.geometry.shape[0] - 1)
    affine[:3, 0] *= -1
    turned = replace(
        demo_masks,
        bits=demo_masks.bits[::-1].copy(),
        geometry=Geometry(shape=demo_masks.geometry.shape, affine_lps=affine),
    )
    landmarks = find_landmarks(demo_masks)
    expected = segment_couinaud(demo_masks, landmarks).labels
    np.testing.assert_array_equal(segment_couinaud(turned, landmarks).labels[::-1], expected)
    for name, point in find_landmarks(turned).points_mm.items():
        np.testing.assert_allclose(point, landmarks.points_mm[name], atol=6.0)


def test_landmarks_lie_on_the_vessels_that_were_drawn(demo_masks: Masks) -> None:
    landmarks = find_landmarks(demo_masks)
    assert set(landmarks.origins.values()) == {LandmarkOrigin.VESSEL}
    np.testing.assert_allclose(landmarks.points_mm[Landmark.BIFURCATION], HILUM_MM, atol=12.0)
    np.testing.assert_allclose(landmarks.points_mm[Landmark.VENA_CAVA][:2], CAVA_MM[:2], atol=30.0)


def test_without_vessels_shares_are_those_of_a_normal_liver_and_it_is_said(demo_masks: Masks) -> None:
    segments = segment_couinaud(without_vessels(demo_masks))
    assert set(segments.landmarks.origins.values()) == {LandmarkOrigin.PROPORTIONS}
    assert [finding.code for finding in segments.findings] == ["segments-by-proportions"]
    volumes = segments.volumes_ml()
    left_lateral = (volumes[Segment.II] + volumes[Segment.III]) / sum(volumes.values())
    assert left_lateral == pytest.approx(0.16, abs=0.02)


def test_a_landmark_that_a_reader_moves_moves_its_plane_alone(demo_masks: Masks) -> None:
    before = segment_couinaud(demo_masks)
    x_mm, y_mm, z_mm = before.landmarks.points_mm[Landmark.BIFURCATION]
    moved = before.landmarks.with_moved(Landmark.BIFURCATION, (x_mm, y_mm, z_mm + 15.0))
    after = segment_couinaud(demo_masks, moved)
    assert moved.origins[Landmark.BIFURCATION] is LandmarkOrigin.READER
    assert after.volumes_ml()[Segment.V] > before.volumes_ml()[Segment.V]
    assert after.volumes_ml()[Segment.II] == pytest.approx(before.volumes_ml()[Segment.II])


def test_planes_out_of_order_are_refused(demo_masks: Masks) -> None:
    landmarks = find_landmarks(demo_masks)
    crossed = landmarks.with_moved(Landmark.RIGHT_VEIN, landmarks.points_mm[Landmark.LEFT_VEIN])
    with pytest.raises(SegmentationError, match="out of order"):
        segment_couinaud(demo_masks, crossed)


def test_no_liver_gives_no_segments(demo_masks: Masks) -> None:
    with pytest.raises(SegmentationError, match="no liver"):
        segment_couinaud(replace(demo_masks, bits=np.zeros_like(demo_masks.bits)))


def test_a_side_that_was_removed_is_told(demo_masks: Masks) -> None:
    landmarks = find_landmarks(demo_masks)
    labels = segment_couinaud(demo_masks, landmarks).labels
    left = (labels == 2) | (labels == 3)
    rest = segment_couinaud(replace(demo_masks, bits=np.where(left, np.uint8(0), demo_masks.bits)), landmarks)
    assert [finding.code for finding in rest.findings] == ["segments-missing"]
    assert "II, III" in rest.findings[0].message


def test_a_real_liver_has_all_segments_in_their_places(ircad_folder: Path) -> None:
    masks = open_case(ircad_folder).masks
    assert masks is not None
    segments = segment_couinaud(masks)
    shares = {name: ml / masks.volume_ml(Structure.LIVER) for name, ml in segments.volumes_ml().items()}
    assert set(segments.landmarks.origins.values()) == {LandmarkOrigin.VESSEL}
    assert 0.01 < shares[Segment.I] < 0.06
    assert 0.10 < shares[Segment.II] + shares[Segment.III] < 0.25
    assert shares[Segment.VIII] + shares[Segment.V] > shares[Segment.VI] + shares[Segment.VII]
    left, right = centre_of(segments, Segment.II), centre_of(segments, Segment.VII)
    assert left[0] > right[0]
    assert centre_of(segments, Segment.VIII)[2] > centre_of(segments, Segment.V)[2]
