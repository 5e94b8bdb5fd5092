"""Measurements by hand, against scikit-image, and by property."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import polygon2mask
from skimage.measure import regionprops

from star_core.imaging.annotations import Annotation, AnnotationKind, AnnotationPlane, build_annotation
from star_core.imaging.measure import Measurement, compute_measurement, fill_polygon, read_region_hu, to_text
from star_core.types import DoubleArray, Geometry, Volume

AXIAL = {"right": (1.0, 0.0, 0.0), "up": (0.0, -1.0, 0.0)}
CORONAL = {"right": (1.0, 0.0, 0.0), "up": (0.0, 0.0, 1.0)}


def build_volume(spacing_mm: tuple[float, float, float] = (5.0, 1.0, 1.0)) -> Volume:
    """Slices run to superior, rows to posterior, columns to left; HU = 100 * slice + 10 * row + column."""
    affine_lps = np.eye(4)
    affine_lps[:3, :3] = [[0, 0, spacing_mm[2]], [0, spacing_mm[1], 0], [spacing_mm[0], 0, 0]]
    slices, rows, columns = np.indices((6, 40, 50))
    geometry = Geometry(shape=(6, 40, 50), affine_lps=affine_lps)
    return Volume(voxels_hu=(100 * slices + 10 * rows + columns).astype(np.int16), geometry=geometry, series_uid="1.2")


def draw(kind: AnnotationKind, points_mm: Sequence[Sequence[float]], axes: dict[str, tuple[float, ...]]) -> Annotation:
    plane = AnnotationPlane(origin_mm=tuple(map(float, points_mm[0])), **axes)  # type: ignore[arg-type]
    return build_annotation(kind, points_mm, plane)


def test_a_distance_is_that_of_its_ends_in_space() -> None:
    measured = compute_measurement(draw(AnnotationKind.DISTANCE, [(0, 0, 10), (3, 4, 10)], AXIAL), build_volume())
    assert measured == Measurement(length_mm=5.0)
    assert to_text(measured) == "5.0 mm"


@pytest.mark.parametrize(
    ("ends", "degrees"),
    [
        (((10, 0, 0), (0, 10, 0)), 90.0),
        (((10, 0, 0), (10, 10, 0)), 45.0),
        (((10, 0, 0), (-3, 0, 0)), 180.0),
        (((10, 0, 0), (5, 0, 0)), 0.0),
        (((1, 0, 0), (-0.5, np.sqrt(0.75), 0)), 120.0),
        (((0, 0, 0), (5, 0, 0)), 0.0),  # a leg without length
    ],
)
def test_an_angle_is_that_between_its_legs(ends: tuple[Sequence[float], Sequence[float]], degrees: float) -> None:
    angle = draw(AnnotationKind.ANGLE, [ends[0], (0, 0, 0), ends[1]], AXIAL)
    assert compute_measurement(angle, build_volume()).angle_deg == pytest.approx(degrees, abs=1e-3)


def test_a_square_by_hand() -> None:
    # Pixel centres at 10, 11, 12 in both directions lie inside 9.5 to 12.5.
    corners = [(9.5, 9.5, 10.0), (12.5, 9.5, 10.0), (12.5, 12.5, 10.0), (9.5, 12.5, 10.0)]
    measured = compute_measurement(draw(AnnotationKind.FREEHAND, corners, AXIAL), build_volume())
    assert measured.area_mm2 == pytest.approx(9.0)
    values = np.array([200 + 10 * row + column for row in (10, 11, 12) for column in (10, 11, 12)])
    assert measured.hu is not None
    assert measured.hu.pixel_count == 9
    assert (measured.hu.minimum_hu, measured.hu.maximum_hu, measured.hu.median_hu) == (310.0, 332.0, 321.0)
    assert measured.hu.mean_hu == pytest.approx(321.0)
    assert measured.hu.sd_hu == pytest.approx(np.sqrt(((values - 321.0) ** 2).mean()))
    assert to_text(measured) == "mean 321 ± 8 HU · 9.0 mm²"


def test_an_ellipse_by_hand() -> None:
    # Radii 2 and 1 about (20, 10): the centres at 18..22 on its row and 20 on the rows beside lie inside.
    measured = compute_measurement(draw(AnnotationKind.ELLIPSE, [(18, 9, 0), (22, 11, 0)], AXIAL), build_volume())
    assert measured.area_mm2 == pytest.approx(2 * np.pi)
    assert measured.hu is not None
    assert measured.hu.pixel_count == 7
    assert measured.hu.mean_hu == pytest.approx(120.0)
    assert (measured.hu.minimum_hu, measured.hu.maximum_hu) == (110.0, 130.0)


def test_an_ellipse_on_thick_slices_seen_from_the_front_uses_their_own_pixels() -> None:
    # 5 mm slices: z = 5, 10, 15 lie within 10 +- 6; x = 20 +- 3 at the middle.
    measured = compute_measurement(draw(AnnotationKind.ELLIPSE, [(17, 8, 4), (23, 8, 16)], CORONAL), build_volume())
    assert measured.area_mm2 == pytest.approx(np.pi * 3 * 6)
    assert measured.hu is not None
    # Row width at z +-5: 3 * sqrt(1 - 25 / 36) = 1.66.
    assert measured.hu.pixel_count == 7 + 3 + 3
    assert measured.hu.mean_hu == pytest.approx(200 + 80 + 20)


def test_large_areas_are_told_in_square_centimetres() -> None:
    measured = compute_measurement(draw(AnnotationKind.ELLIPSE, [(10, 10, 0), (30, 30, 0)], AXIAL), build_volume())
    assert to_text(measured).endswith("3.14 cm²")


def test_arrows_and_text_measure_nothing() -> None:
    assert compute_measurement(draw(AnnotationKind.TEXT, [(1, 1, 0)], AXIAL), build_volume()) == Measurement()
    assert to_text(Measurement()) == ""


def test_a_region_without_a_pixel_has_an_area_and_no_hu() -> None:
    measured = compute_measurement(
        draw(AnnotationKind.ELLIPSE, [(10.2, 10.2, 0), (10.6, 10.6, 0)], AXIAL), build_volume()
    )
    assert measured.hu is None
    assert measured.area_mm2 == pytest.approx(np.pi * 0.04)


@pytest.mark.parametrize("z_mm", [-20.0, 40.0])
def test_a_region_beside_the_scan_has_no_hu(z_mm: float) -> None:
    beside = draw(AnnotationKind.ELLIPSE, [(10, 10, z_mm), (20, 20, z_mm)], AXIAL)
    assert compute_measurement(beside, build_volume()).hu is None


def test_a_region_that_reaches_beyond_the_scan_counts_what_lies_inside() -> None:
    reaching = draw(AnnotationKind.FREEHAND, [(-5, -5, 0), (1.5, -5, 0), (1.5, 1.5, 0), (-5, 1.5, 0)], AXIAL)
    assert sorted(read_region_hu(reaching, build_volume())) == [0.0, 1.0, 10.0, 11.0]


def test_a_flat_ellipse_has_no_area() -> None:
    measured = compute_measurement(draw(AnnotationKind.ELLIPSE, [(10, 10, 0), (20, 10, 0)], AXIAL), build_volume())
    assert (measured.area_mm2, measured.hu) == (0.0, None)


def test_only_regions_have_pixels() -> None:
    with pytest.raises(ValueError, match="no region"):
        read_region_hu(draw(AnnotationKind.TEXT, [(1, 1, 0)], AXIAL), build_volume())


# --------------------------------------------------------------------------- oblique planes


def _oblique(degrees: float) -> dict[str, tuple[float, ...]]:
    angle = np.deg2rad(degrees)
    return {"right": (1.0, 0.0, 0.0), "up": (0.0, float(-np.cos(angle)), float(np.sin(angle)))}


def _smooth() -> Volume:
    """HU = 2x + 3y + 4z in mm: linear interpolation is exact."""
    volume = build_volume((2.0, 1.0, 1.0))
    index = np.moveaxis(np.indices(volume.geometry.shape), 0, -1).astype(np.float64)
    values = volume.geometry.index_to_lps(index) @ [2.0, 3.0, 4.0]
    return Volume(voxels_hu=values.astype(np.int16), geometry=volume.geometry, series_uid="1.3")


def test_a_region_on_an_oblique_plane_is_interpolated() -> None:
    axes = _oblique(30.0)
    centre, up = np.array([25.0, 20.0, 5.0]), np.array(axes["up"])
    corners = [centre - [6, 0, 0] - 4 * up, centre + [6, 0, 0] + 4 * up]
    measured = compute_measurement(draw(AnnotationKind.ELLIPSE, corners, axes), _smooth())
    assert measured.area_mm2 == pytest.approx(np.pi * 24, rel=1e-4)
    assert measured.hu is not None
    # The mean of a linear field over a symmetric region is its value at the centre.
    assert measured.hu.mean_hu == pytest.approx(50 + 60 + 20, abs=0.5)
    assert measured.hu.pixel_count == pytest.approx(np.pi * 24, rel=0.06)


def test_on_an_oblique_plane_only_the_scan_counts() -> None:
    axes = _oblique(30.0)
    huge = draw(AnnotationKind.ELLIPSE, [(-900, 900, -500), (900, -900, 540)], axes)
    values = read_region_hu(huge, _smooth())
    assert 0 < len(values) < 4000
    assert values.min() >= 0


# --------------------------------------------------------------------------- beside scikit-image

corners_of_polygons = st.lists(
    st.tuples(st.floats(-3, 33).map(lambda x: round(x, 3)), st.floats(-3, 43).map(lambda x: round(x, 3))),
    min_size=3,
    max_size=9,
)


@settings(max_examples=60)
@given(corners_of_polygons)
def test_polygons_fill_as_scikit_image_fills_them_but_for_pixels_on_the_outline(
    corners: list[tuple[float, float]],
) -> None:
    outline = np.array(corners)
    ours, theirs = fill_polygon(outline, (30, 40)), polygon2mask((30, 40), outline)
    for row, column in np.argwhere(ours != theirs):
        assert _distance_to(outline, row, column) < 1e-6


def _distance_to(outline: DoubleArray, row: float, column: float) -> float:
    point = np.array([row, column], dtype=float)
    start, along = outline, np.roll(outline, -1, axis=0) - outline
    length2 = np.maximum((along**2).sum(axis=1), 1e-30)
    part = np.clip(((point - start) * along).sum(axis=1) / length2, 0, 1)
    return float(np.linalg.norm(start + part[:, None] * along - point, axis=1).min())


def test_statistics_are_those_of_regionprops() -> None:
    volume = build_volume()
    corners = [(5.3, 4.1, 15.0), (33.7, 7.2, 15.0), (28.4, 31.9, 15.0), (12.2, 26.6, 15.0)]
    measured = compute_measurement(draw(AnnotationKind.FREEHAND, corners, AXIAL), volume)
    mask = polygon2mask((40, 50), np.array(corners)[:, 1::-1])
    (region,) = regionprops(mask.astype(int), intensity_image=volume.voxels_hu[3])
    inside = volume.voxels_hu[3][mask]
    assert measured.hu is not None
    assert measured.hu.pixel_count == region.num_pixels
    assert measured.hu.mean_hu == pytest.approx(region.intensity_mean)
    assert measured.hu.sd_hu == pytest.approx(region.intensity_std)
    assert (measured.hu.minimum_hu, measured.hu.maximum_hu) == (region.intensity_min, region.intensity_max)
    assert measured.hu.median_hu == np.median(inside)
    assert measured.area_mm2 == pytest.approx(region.area, rel=0.02)
