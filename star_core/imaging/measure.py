"""What annotations measure: lengths, angles, areas, and the HU of the pixels inside a region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_core.imaging.annotations import REGIONS, Annotation, AnnotationKind, AnnotationPlane
from star_core.types import BoolArray, DoubleArray, Geometry, Volume

_ON_GRID = 1e-6
_CM2_FROM_MM2 = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HuStatistics:
    """HU of the pixels whose centres lie inside a region; ``sd_hu`` is that of these pixels (divided by their number).

    All are of at least one pixel.
    """

    pixel_count: int
    mean_hu: float
    sd_hu: float
    minimum_hu: float
    maximum_hu: float
    median_hu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one annotation measures; ``None`` is what its kind does not.

    ``area_mm2`` is that of the outline as drawn. ``hu`` is ``None`` too where no pixel's centre lies inside.
    """

    length_mm: float | None = None
    angle_deg: float | None = None
    area_mm2: float | None = None
    hu: HuStatistics | None = None


def compute_measurement(annotation: Annotation, volume: Volume) -> Measurement:
    """Measure an annotation on the scan it was drawn on.

    A region on one of the scan's own slices is measured on that slice's pixels. On an oblique plane it is measured on
    pixels as wide as the scan's narrowest spacing, linearly interpolated; those outside of the scan do not count.
    """
    points_mm = np.array(annotation.points_mm)
    match annotation.kind:
        case AnnotationKind.DISTANCE:
            return Measurement(length_mm=float(np.linalg.norm(points_mm[1] - points_mm[0])))
        case AnnotationKind.ANGLE:
            return Measurement(angle_deg=_angle_deg(points_mm[0] - points_mm[1], points_mm[2] - points_mm[1]))
        case AnnotationKind.ELLIPSE | AnnotationKind.FREEHAND:
            return Measurement(area_mm2=_area_mm2(annotation), hu=_to_statistics(read_region_hu(annotation, volume)))
        case AnnotationKind.ARROW | AnnotationKind.TEXT:
            return Measurement()


def to_text(measurement: Measurement) -> str:
    """Return what was measured in words, with units: "mean 104 ± 12 HU · 4.52 cm²"."""
    parts = []
    if measurement.length_mm is not None:
        parts.append(f"{measurement.length_mm:.1f} mm")
    if measurement.angle_deg is not None:
        parts.append(f"{measurement.angle_deg:.1f}°")
    if measurement.hu is not None:
        parts.append(f"mean {measurement.hu.mean_hu:.0f} ± {measurement.hu.sd_hu:.0f} HU")
    if measurement.area_mm2 is not None:
        large = measurement.area_mm2 >= _CM2_FROM_MM2
        area = f"{measurement.area_mm2 / _CM2_FROM_MM2:.2f} cm²" if large else f"{measurement.area_mm2:.1f} mm²"
        parts.append(area)
    return " · ".join(parts)


def _angle_deg(first: DoubleArray, second: DoubleArray) -> float:
    # The arc tangent stays exact near 0 and 180 degrees, where the arc cosine loses half of its digits.
    return float(np.rad2deg(np.arctan2(np.linalg.norm(np.cross(first, second)), first @ second)))


def _area_mm2(annotation: Annotation) -> float:
    x, y = annotation.plane.to_plane_mm(np.array(annotation.points_mm)).T
    if annotation.kind is AnnotationKind.ELLIPSE:
        return float(np.pi / 4 * abs(x[1] - x[0]) * abs(y[1] - y[0]))
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _to_statistics(values_hu: DoubleArray) -> HuStatistics | None:
    if not len(values_hu):
        return None
    return HuStatistics(
        pixel_count=len(values_hu),
        mean_hu=float(values_hu.mean()),
        sd_hu=float(values_hu.std()),
        minimum_hu=float(values_hu.min()),
        maximum_hu=float(values_hu.max()),
        median_hu=float(np.median(values_hu)),
    )


# --------------------------------------------------------------------------- pixels


@dataclass(frozen=True, slots=True)
class _Raster:
    """Pixels of a plane: pixel (row, column) lies at origin + row * step_row + column * step_column, LPS mm.

    ``rows`` and ``columns`` are first and last + 1 of those inside the scan. ``on_grid`` says that they are voxels.
    """

    origin_mm: DoubleArray
    steps_mm: DoubleArray  # (2, 3)
    rows: tuple[int, int]
    columns: tuple[int, int]
    on_grid: bool

    def to_pixels(self, points_mm: DoubleArray) -> DoubleArray:
        """Map (N, 3) LPS mm to (N, 2) fractional (row, column)."""
        pixels: DoubleArray = (points_mm - self.origin_mm) @ np.linalg.pinv(self.steps_mm)
        return pixels

    def to_lps(self, pixels: DoubleArray) -> DoubleArray:
        """Map (N, 2) (row, column) to (N, 3) LPS mm."""
        points_mm: DoubleArray = pixels @ self.steps_mm + self.origin_mm
        return points_mm


def read_region_hu(annotation: Annotation, volume: Volume) -> DoubleArray:
    """Return the HU of every pixel whose centre lies inside a region, (N,) float64.

    Raises
    ------
    ValueError
        When the annotation is no region.
    """
    if annotation.kind not in REGIONS:
        raise ValueError(f"{annotation.kind} is no region")
    plane, points_mm = annotation.plane, np.array(annotation.points_mm)
    raster = _build_raster(plane, volume.geometry)
    if annotation.kind is AnnotationKind.ELLIPSE:
        corners_mm = _box_corners(plane.to_plane_mm(points_mm))
        outline = raster.to_pixels(plane.to_lps(corners_mm))
    else:
        outline = raster.to_pixels(points_mm)
    first = np.floor(outline.min(axis=0)).astype(int) - 1
    last = np.ceil(outline.max(axis=0)).astype(int) + 2
    first = np.maximum(first, (raster.rows[0], raster.columns[0]))
    last = np.minimum(last, (raster.rows[1], raster.columns[1]))
    if (first >= last).any():
        return np.zeros(0)
    shape = int(last[0] - first[0]), int(last[1] - first[1])
    if annotation.kind is AnnotationKind.ELLIPSE:
        inside = _fill_ellipse(plane, corners_mm, raster, first, shape)
    else:
        inside = fill_polygon(outline - first, shape)
    return _read_pixels(raster, np.argwhere(inside) + first, volume)


def _box_corners(on_plane_mm: DoubleArray) -> DoubleArray:
    (x0, y0), (x1, y1) = on_plane_mm
    return np.array([[x0, y0], [x0, y1], [x1, y1], [x1, y0]])


def _build_raster(plane: AnnotationPlane, geometry: Geometry) -> _Raster:
    inverse = np.linalg.inv(geometry.affine_lps[:3, :3])
    directions = np.abs(np.array([plane.right, plane.up]) @ inverse.T)  # voxels a millimetre, along each index axis
    for axis in range(3):
        if directions[:, axis].max() < _ON_GRID:
            return _slice_raster(plane, geometry, axis)
    step_mm = min(geometry.spacing_mm)
    origin_mm, steps_mm = np.array(plane.origin_mm), step_mm * np.array([plane.up, plane.right])
    ends = np.array(geometry.shape) - 1.0
    corners = np.array([[i, j, k] for i in (0.0, ends[0]) for j in (0.0, ends[1]) for k in (0.0, ends[2])])
    pixels = (geometry.index_to_lps(corners) - origin_mm) @ np.linalg.pinv(steps_mm)
    low, high = np.floor(pixels.min(axis=0)).astype(int), np.ceil(pixels.max(axis=0)).astype(int) + 1
    return _Raster(origin_mm, steps_mm, (int(low[0]), int(high[0])), (int(low[1]), int(high[1])), on_grid=False)


def _slice_raster(plane: AnnotationPlane, geometry: Geometry, axis: int) -> _Raster:
    row_axis, column_axis = (other for other in range(3) if other != axis)
    index = np.zeros(3)
    index[axis] = np.floor(geometry.lps_to_index(np.array(plane.origin_mm))[axis] + 0.5)
    inside = 0 <= index[axis] < geometry.shape[axis]
    rows = (0, geometry.shape[row_axis] if inside else 0)
    steps_mm = geometry.affine_lps[:3, [row_axis, column_axis]].T
    return _Raster(geometry.index_to_lps(index), steps_mm, rows, (0, geometry.shape[column_axis]), on_grid=True)


def _fill_ellipse(
    plane: AnnotationPlane, corners_mm: DoubleArray, raster: _Raster, first: NDArray[np.int_], shape: tuple[int, int]
) -> BoolArray:
    centre_mm, radii_mm = corners_mm.mean(axis=0), np.ptp(corners_mm, axis=0) / 2
    if (radii_mm <= 0).any():
        return np.zeros(shape, dtype=bool)
    pixels = np.argwhere(np.ones(shape, dtype=bool)) + first
    offsets = (plane.to_plane_mm(raster.to_lps(pixels.astype(np.float64))) - centre_mm) / radii_mm
    inside: BoolArray = ((offsets**2).sum(axis=1) <= 1).reshape(shape)
    return inside


def fill_polygon(outline: DoubleArray, shape: tuple[int, int]) -> BoolArray:
    """Return which pixel centres lie inside a closed outline, by the even-odd rule.

    Parameters
    ----------
    outline
        (N, 2) corners (row, column), in pixels; pixel centres lie at whole numbers.
    shape
        Numbers of rows and columns.
    """
    rows, columns = shape
    start, end = outline, np.roll(outline, -1, axis=0)
    centres = np.arange(rows)[:, None]
    # Each edge holds its upper end and not its lower one, so that a corner on a row of centres counts once.
    crossed = (start[:, 0] <= centres) != (end[:, 0] <= centres)
    row, edge = np.nonzero(crossed)
    rise = end[edge] - start[edge]
    column = start[edge, 1] + (row - start[edge, 0]) / rise[:, 0] * rise[:, 1]
    toggles = np.zeros((rows, columns + 1), dtype=np.int64)
    np.add.at(toggles, (row, np.clip(np.ceil(column), 0, columns).astype(int)), 1)
    inside: BoolArray = toggles.cumsum(axis=1)[:, :columns] % 2 == 1
    return inside


def _read_pixels(raster: _Raster, pixels: NDArray[np.int_], volume: Volume) -> DoubleArray:
    index = volume.geometry.lps_to_index(raster.to_lps(pixels.astype(np.float64)))
    if raster.on_grid:
        voxels = np.floor(index + 0.5).astype(int)
        slices, rows, columns = voxels.T
        found_hu: DoubleArray = volume.voxels_hu[slices, rows, columns].astype(np.float64)
        return found_hu
    from scipy.ndimage import map_coordinates

    inside = ((index >= 0) & (index <= np.array(volume.geometry.shape) - 1)).all(axis=1)
    values_hu: DoubleArray = map_coordinates(volume.voxels_hu, index[inside].T, output=np.float64, order=1)
    return values_hu
