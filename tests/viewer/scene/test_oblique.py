"""Planes across the grid, slabs, and the images of both."""

from __future__ import annotations

import numpy as np
import pytest

from star_viewer.display import Interpolation, Slab, SlabMode
from star_viewer.scene.cutting import Cutter, slab_indices
from star_viewer.scene.oblique import ObliquePlane, Plane, line_of, turn_planes
from star_viewer.scene.orientation import SliceKind, SlicePlane, build_plane
from tests.viewer.scene.factory import MARK_MM, build_geometry, build_volume, turn

GRID = build_geometry((4.0, 2.0, 2.0))
PIVOT_MM = np.array([30.0, -12.0, 8.0])


def _planes(geometry: object = GRID) -> dict[SliceKind, Plane]:
    return {kind: build_plane(kind, geometry) for kind in SliceKind}  # type: ignore[arg-type]


def test_turning_moves_the_two_other_planes_and_keeps_them_square() -> None:
    before = _planes()
    planes = turn_planes(before, SliceKind.AXIAL, 30.0, PIVOT_MM)
    assert planes[SliceKind.AXIAL] is before[SliceKind.AXIAL]
    coronal, sagittal = planes[SliceKind.CORONAL], planes[SliceKind.SAGITTAL]
    assert isinstance(coronal, ObliquePlane)
    assert float(coronal.frame_lps[2] @ sagittal.frame_lps[2]) == pytest.approx(0.0, abs=1e-12)
    cosine = float(coronal.frame_lps[2] @ before[SliceKind.CORONAL].frame_lps[2])
    assert np.degrees(np.arccos(cosine)) == pytest.approx(30.0)
    np.testing.assert_allclose(coronal.frame_lps @ coronal.frame_lps.T, np.eye(3), atol=1e-12)


def test_the_turning_point_lies_in_every_plane_and_stays_on_screen() -> None:
    before = _planes()
    planes = turn_planes(turn_planes(before, SliceKind.AXIAL, 25.0, PIVOT_MM), SliceKind.CORONAL, -40.0, PIVOT_MM)
    for kind, plane in planes.items():
        if isinstance(plane, ObliquePlane):
            index = plane.slice_index_of(PIVOT_MM)
            u_mm, v_mm = plane.to_screen_mm(PIVOT_MM)
            np.testing.assert_allclose((plane.screen_to_lps(index) @ [u_mm, v_mm, 0, 1])[:3], PIVOT_MM, atol=1e-9)
            low_u, _, low_v, _ = plane.extent_mm()
            old_u, _, old_v, _ = before[kind].extent_mm()
            was = before[kind].to_screen_mm(PIVOT_MM)
            np.testing.assert_allclose([u_mm - low_u, v_mm - low_v], [was[0] - old_u, was[1] - old_v], atol=1e-9)


def test_seen_in_a_view_the_lines_of_the_others_turn_by_the_angle() -> None:
    before = _planes()
    planes = turn_planes(before, SliceKind.CORONAL, 20.0, PIVOT_MM)
    for other in (SliceKind.AXIAL, SliceKind.SAGITTAL):
        u0, v0 = line_of(before[SliceKind.CORONAL], before[other])
        u1, v1 = line_of(planes[SliceKind.CORONAL], planes[other])
        assert np.degrees(np.arctan2(u0 * v1 - v0 * u1, u0 * u1 + v0 * v1)) == pytest.approx(20.0)


def test_steps_of_an_oblique_plane_keep_its_sense_and_stay_inside() -> None:
    for kind, sense in ((SliceKind.AXIAL, [0, 0, 1]), (SliceKind.SAGITTAL, [1, 0, 0])):
        plane = turn_planes(_planes(), SliceKind.CORONAL, 10.0, PIVOT_MM)[kind]
        moved_mm = plane.step(PIVOT_MM, 1) - PIVOT_MM
        assert float(moved_mm @ sense) > 0
        np.testing.assert_allclose(plane.step(PIVOT_MM, 100_000), PIVOT_MM, atol=200.0)
        end_mm = plane.step(PIVOT_MM, 5)
        assert plane.slice_index_of(end_mm) == plane.slice_index_of(PIVOT_MM) + 5 * plane.forwards


@pytest.mark.parametrize("geometry", [GRID, turn(GRID, (0, 2), (2, 1, 0))], ids=["plain", "turned grid"])
@pytest.mark.parametrize("kind", SliceKind)
def test_an_oblique_image_shows_the_voxels_of_its_place(kind: SliceKind, geometry: object) -> None:
    volume = build_volume(geometry)  # type: ignore[arg-type]
    pivot_mm = np.array(MARK_MM)
    seen = next(other for other in SliceKind if other is not kind)
    plane = turn_planes(_planes(volume.geometry), seen, 33.0, pivot_mm)[kind]
    cut = Cutter(-1024).cut(
        volume.voxels_hu, plane, plane.slice_index_of(pivot_mm), interpolation=Interpolation.NEAREST
    )
    to_lps = plane.screen_to_lps(plane.slice_index_of(pivot_mm))
    rng = np.random.default_rng(3)
    for row, column in zip(
        rng.integers(0, cut.pixels.shape[0], 200), rng.integers(0, cut.pixels.shape[1], 200), strict=True
    ):
        u_mm, v_mm, _ = cut.to_screen @ [column, row, 1]
        index = volume.geometry.lps_to_index((to_lps @ [u_mm, v_mm, 0, 1])[:3])
        near_border = np.abs(index - np.floor(index) - 0.5).min() < 0.02
        inside = (index > 0).all() and (index < np.array(volume.geometry.shape) - 1).all()
        if inside and not near_border:
            assert cut.pixels[row, column] == volume.voxels_hu[tuple(np.round(index).astype(int))]
        elif (index < -1).any() or (index > np.array(volume.geometry.shape)).any():
            assert cut.pixels[row, column] == -1024


@pytest.mark.parametrize(
    ("mode", "project"), [(SlabMode.MAXIMUM, np.max), (SlabMode.MINIMUM, np.min), (SlabMode.MEAN, np.mean)]
)
@pytest.mark.parametrize("kind", SliceKind)
def test_a_slab_is_numpys_projection_over_its_slices(kind: SliceKind, mode: SlabMode, project: object) -> None:
    volume = build_volume(GRID)
    plane = build_plane(kind, GRID)
    assert isinstance(plane, SlicePlane)
    slab = Slab(mode, 16.0)
    spacing_mm = GRID.spacing_mm[plane.normal_axis]
    reach = int(8.0 / spacing_mm)
    middle = plane.slice_count // 2
    cut = Cutter(-1024).cut(volume.voxels_hu, plane, middle, slab=slab)
    part = np.take(volume.voxels_hu, range(middle - reach, middle + reach + 1), plane.normal_axis)
    expected = project(part.astype(float), axis=plane.normal_axis)  # type: ignore[operator]
    np.testing.assert_allclose(cut.pixels, expected, atol=0.5)


def test_a_slab_ends_at_the_scans_end() -> None:
    plane = build_plane(SliceKind.AXIAL, GRID)
    assert slab_indices(plane, 0, Slab(SlabMode.MAXIMUM, 40.0)) == slice(0, 6)
    last = plane.slice_count - 1
    assert slab_indices(plane, last, Slab(SlabMode.MAXIMUM, 8.0)) == slice(last - 1, last + 1)


def test_an_oblique_slab_holds_the_brightest_of_its_thickness() -> None:
    volume = build_volume(GRID)
    planes = turn_planes(_planes(), SliceKind.SAGITTAL, 45.0, np.array(MARK_MM))
    plane = planes[SliceKind.AXIAL]
    index = plane.slice_index_of(np.array(MARK_MM)) + round(14.0 / 2.0)  # 14 mm beside the mark's middle
    cutter = Cutter(-1024)
    thin = cutter.cut(volume.voxels_hu, plane, index)
    thick = cutter.cut(volume.voxels_hu, plane, index, slab=Slab(SlabMode.MAXIMUM, 30.0))
    low, mean = (
        cutter.cut(volume.voxels_hu, plane, index, slab=Slab(mode, 30.0)).pixels.astype(int)
        for mode in (SlabMode.MINIMUM, SlabMode.MEAN)
    )
    assert thin.pixels.max() < 900
    assert thick.pixels.max() == 900
    assert (low <= mean).all()
    assert (mean <= thick.pixels).all()
