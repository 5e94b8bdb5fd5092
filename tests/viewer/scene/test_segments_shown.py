"""Couinaud's segments on the slices: coloured when asked for, bordered, named, and told under the cursor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from star_core.imaging.couinaud.segments import segment_couinaud
from star_core.types import Case, CouinaudSegments, Segment
from star_viewer.scene.four_views import FourViews
from star_viewer.scene.hover import read_at
from star_viewer.scene.layers.segment_layer import mark_borders
from star_viewer.scene.segment_names import find_places
from star_viewer.session import PointMm, Session
from tests.viewer.scene.conftest import coloured, grab_pixels
from tests.viewer.scene.factory import build_case, build_landmarks, build_masks

RIGHT_MM: PointMm = (-75.0, 5.0, 20.0)
Build = Callable[[Case | None], FourViews]


@pytest.fixture
def segments() -> CouinaudSegments:
    return segment_couinaud(build_masks(), build_landmarks())


def test_segments_are_coloured_when_they_are_asked_for(
    build_views: Build, session: Session, segments: CouinaudSegments
) -> None:
    views = build_views(build_case())
    session.anatomy.set_segments(segments, segments.volumes_ml())
    views.wait_until_drawn()
    before = [coloured(grab_pixels(pane)).sum() for pane in views.slice_panes]
    session.display.change_segments(visible=True, opacity=0.9)
    views.wait_until_drawn()
    after = [coloured(grab_pixels(pane)).sum() for pane in views.slice_panes]
    assert all(more > less + 1500 for less, more in zip(before, after, strict=True))
    views.turn_planes(views.axial.kind, 20.0)
    views.wait_until_drawn()
    assert coloured(grab_pixels(views.coronal)).sum() > before[2] + 1500
    session.anatomy.set_segments(None, {})
    views.align_planes()
    views.wait_until_drawn()
    np.testing.assert_allclose([coloured(grab_pixels(pane)).sum() for pane in views.slice_panes], before, atol=60)


def test_borders_part_segments_and_not_the_liver_from_what_lies_around() -> None:
    labels = np.zeros((4, 6), dtype=np.uint8)
    labels[1:3, 1:3], labels[1:3, 3:5] = 5, 6
    marked = mark_borders(labels)
    assert list(marked[1]) == [0, 5, 9, 6, 6, 0]
    assert not marked[0].any()
    assert not marked[3].any()


def test_names_stand_inside_their_segments(build_views: Build, session: Session, segments: CouinaudSegments) -> None:
    views = build_views(build_case())
    for pane in views.slice_panes:
        assert pane.plane is not None
        slice_index = pane.plane.slice_index_of(np.array(session.crosshair_mm))
        places = find_places(segments, pane.plane, slice_index)
        assert places
        for segment, point_mm in places.items():
            index = np.round(segments.geometry.lps_to_index(np.array(point_mm))).astype(int)
            assert segments.segment_at((int(index[0]), int(index[1]), int(index[2]))) is segment


def test_the_segment_under_the_cursor_is_told(session: Session, segments: CouinaudSegments) -> None:
    session.set_case(build_case())
    assert read_at(session, RIGHT_MM).segment is None
    session.anatomy.set_segments(segments, segments.volumes_ml())
    assert read_at(session, RIGHT_MM).segment in (Segment.VII, Segment.VIII)
    assert read_at(session, (110.0, 0.0, 0.0)).segment is None
