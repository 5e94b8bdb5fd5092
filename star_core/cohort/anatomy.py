"""A synthetic upper abdomen: organs as smooth shapes in millimetres, vessels as trees of tubes, tumours as blobs.

Coordinates are the phantom's own LPS millimetres with their origin near the liver hilum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from star_core.types import BoolArray, DoubleArray, FloatArray, Geometry

Point = DoubleArray

HILUM_MM = np.array([-22.0, 8.0, -8.0])
CAVA_MM = np.array([-18.0, 32.0, 58.0])


@dataclass(frozen=True, slots=True)
class Tube:
    """A straight vessel piece between two points, with its radius at both ends."""

    start_mm: Point
    end_mm: Point
    start_radius_mm: float
    end_radius_mm: float


@dataclass(frozen=True, slots=True)
class Tumour:
    """A metastasis: centre and radius in mm, and its side of the Cantlie plane."""

    centre_mm: Point
    radius_mm: float
    right: bool


class Canvas:
    """A grid on which shapes are evaluated only inside their bounding boxes."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        affine = geometry.affine_lps
        # The phantom's grid is axis-parallel, so each coordinate depends on one index only.
        self.z = (affine[2, 3] + affine[2, 0] * np.arange(geometry.shape[0])).astype(np.float32)
        self.y = (affine[1, 3] + affine[1, 1] * np.arange(geometry.shape[1])).astype(np.float32)
        self.x = (affine[0, 3] + affine[0, 2] * np.arange(geometry.shape[2])).astype(np.float32)

    def box(self, low: Point, high: Point) -> tuple[slice, slice, slice]:
        """Return the index box that holds the points between ``low`` and ``high`` (x, y, z)."""
        ranges = []
        for axis, (bottom, top) in zip((self.z, self.y, self.x), zip(low[::-1], high[::-1], strict=True), strict=True):
            first, last = np.searchsorted(axis, [bottom, top])
            ranges.append(slice(int(first), int(last)))
        return ranges[0], ranges[1], ranges[2]

    def coordinates(self, box: tuple[slice, slice, slice]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return broadcastable x, y, z inside a box."""
        return self.x[None, None, box[2]], self.y[None, box[1], None], self.z[box[0], None, None]

    def ellipsoid(self, centre: Point, radii: Point) -> BoolArray:
        """Return the mask of an axis-parallel ellipsoid."""
        mask = np.zeros(self.geometry.shape, dtype=bool)
        box = self.box(centre - radii, centre + radii)
        x, y, z = self.coordinates(box)
        mask[box] = (
            ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2 + ((z - centre[2]) / radii[2]) ** 2
        ) < 1.0
        return mask

    def draw_tubes(self, tubes: list[Tube]) -> BoolArray:
        """Return the mask of a vessel tree."""
        mask = np.zeros(self.geometry.shape, dtype=bool)
        for tube in tubes:
            reach = max(tube.start_radius_mm, tube.end_radius_mm) + 1.0
            low = np.minimum(tube.start_mm, tube.end_mm) - reach
            high = np.maximum(tube.start_mm, tube.end_mm) + reach
            box = self.box(low, high)
            distance2, radius = self._along(tube, box)
            mask[box] |= distance2 < radius**2
        return mask

    def tube_distance(self, tubes: list[Tube], reach: float) -> FloatArray:
        """Return float32 (D, H, W): distance to the nearest tube's axis in its radii, infinite beyond ``reach``."""
        nearest = np.full(self.geometry.shape, np.inf, dtype=np.float32)
        for tube in tubes:
            margin_mm = reach * max(tube.start_radius_mm, tube.end_radius_mm)
            low = np.minimum(tube.start_mm, tube.end_mm) - margin_mm
            high = np.maximum(tube.start_mm, tube.end_mm) + margin_mm
            box = self.box(low, high)
            distance2, radius = self._along(tube, box)
            np.minimum(nearest[box], np.sqrt(distance2) / radius, out=nearest[box])
        return nearest

    def _along(self, tube: Tube, box: tuple[slice, slice, slice]) -> tuple[FloatArray, FloatArray]:
        """Return squared distance to a tube's axis and the tube's radius at the nearest point, inside a box."""
        x, y, z = self.coordinates(box)
        along = tube.end_mm - tube.start_mm
        length2 = float(along @ along) or 1.0
        dx, dy, dz = x - tube.start_mm[0], y - tube.start_mm[1], z - tube.start_mm[2]
        t = np.clip((dx * along[0] + dy * along[1] + dz * along[2]) / length2, 0.0, 1.0)
        radius = tube.start_radius_mm + (tube.end_radius_mm - tube.start_radius_mm) * t
        return (dx - t * along[0]) ** 2 + (dy - t * along[1]) ** 2 + (dz - t * along[2]) ** 2, radius


def smooth_noise(shape: tuple[int, ...], cells: tuple[int, int, int], generator: np.random.Generator) -> FloatArray:
    """Return smooth noise of unit size: few random values, linearly interpolated."""
    import cv2

    coarse = generator.standard_normal(cells).astype(np.float32)
    place = np.linspace(0.0, cells[0] - 1.001, shape[0])
    lower = place.astype(int)
    share = (place - lower).astype(np.float32)[:, None, None]
    planes = coarse[lower] * (1.0 - share) + coarse[lower + 1] * share
    return np.stack([cv2.resize(plane, (shape[2], shape[1]), interpolation=cv2.INTER_LINEAR) for plane in planes])


def draw_liver(canvas: Canvas, scale: float, generator: np.random.Generator) -> BoolArray:
    """Return the liver: a large right and a flat left lobe under the dome, scaled about the hilum, slightly uneven."""
    liver: BoolArray = liver_level(canvas, scale, scale, generator) > 0
    return liver


def liver_level(canvas: Canvas, right_scale: float, left_scale: float, generator: np.random.Generator) -> FloatArray:
    """Return float32 (D, H, W): positive inside the liver, falling outwards; minus infinity where it cannot be."""
    low, high = np.array([-175.0, -130.0, -150.0]), np.array([150.0, 120.0, 130.0])
    box = canvas.box(low, high)
    x, y, z = canvas.coordinates(box)
    shift = generator.normal(0.0, 4.0, 6)
    right = _soft_ellipsoid(x, y, z, (-72 + shift[0], 2 + shift[1], 2 + shift[2]), np.array([74, 74, 78]) * right_scale)
    left = _soft_ellipsoid(x, y, z, (2 + shift[3], -48 + shift[4], 22 + shift[5]), np.array([78, 36, 40]) * left_scale)
    tip = _soft_ellipsoid(x, y, z, (-98 + shift[0], 8, -58), np.array([38, 44, 48]) * right_scale)
    level = np.logaddexp(np.logaddexp(4.0 * right, 4.0 * left), 4.0 * tip) / 4.0
    level += 0.10 * smooth_noise(level.shape, (5, 7, 8), generator)
    # The visceral side is hollow: stomach and duodenum press from below on the left, the right kidney from behind.
    hollow = _soft_ellipsoid(x, y, z, (8.0, 8.0, -42.0), np.array([46.0, 52.0, 50.0]))
    kidney = _soft_ellipsoid(x, y, z, (-62.0, 68.0, -50.0), np.array([36.0, 34.0, 56.0]))
    level[(hollow >= 0) | (kidney >= 0)] = -np.inf
    whole = np.full(canvas.geometry.shape, -np.inf, dtype=np.float32)
    whole[box] = level
    return whole


def _soft_ellipsoid(x: FloatArray, y: FloatArray, z: FloatArray, centre: tuple[float, ...], radii: Point) -> FloatArray:
    """Return 1 - r^2: positive inside, negative outside."""
    value: FloatArray = (
        1.0 - ((x - centre[0]) / radii[0]) ** 2 - ((y - centre[1]) / radii[1]) ** 2 - ((z - centre[2]) / radii[2]) ** 2
    )
    return value


def grow_portal_tree(scale: float, generator: np.random.Generator) -> tuple[list[Tube], list[Tube]]:
    """Return the main portal trunk with its bifurcation at the hilum, and the branches inside the liver."""
    fork = HILUM_MM + generator.normal(0.0, 3.0, 3)
    trunk_start = fork + np.array([26.0, 12.0, -42.0])
    right_end, left_end = np.array([-62.0, 2.0, 2.0]) * scale, np.array([8.0, -40.0, 16.0]) * scale
    trunk = [Tube(trunk_start, fork, 7.0, 6.5)]
    tubes = [Tube(fork, right_end, 5.5, 4.5), Tube(fork, left_end, 5.0, 4.0)]
    for end, heads in (
        (right_end, ([-105, -30, 35], [-110, 35, 30], [-105, -25, -40], [-95, 38, -45])),
        (left_end, ([35, -60, 32], [10, -72, 0], [50, -45, 25], [-25, -65, 15])),
    ):
        for head in heads:
            _grow(tubes, end, np.array(head, dtype=float) * scale, 3.2, 3, generator)
    return trunk, tubes


def grow_hepatic_tree(scale: float, generator: np.random.Generator) -> list[Tube]:
    """Return the right, middle and left hepatic vein, running to the inferior vena cava."""
    tubes: list[Tube] = []
    for head, radius in (([-115, 15, 0], 5.5), ([-45, -50, -25], 5.0), ([50, -52, 18], 4.5)):
        end = np.array(head, dtype=float) * scale + generator.normal(0.0, 4.0, 3)
        middle = CAVA_MM * 0.45 + end * 0.55 + generator.normal(0.0, 4.0, 3)
        tubes += [Tube(CAVA_MM, middle, radius + 0.8, radius), Tube(middle, end, radius, 2.0)]
        for share in (0.35, 0.6, 0.85):
            start = middle + (end - middle) * share
            side = start + generator.normal(0.0, 24.0, 3)
            _grow(tubes, start, side, 2.4, 2, generator)
    return tubes


def _grow(
    tubes: list[Tube], start: Point, goal: Point, radius: float, depth: int, generator: np.random.Generator
) -> None:
    """Add a vessel towards ``goal`` that forks ``depth`` times, thinner by Murray's law."""
    end = start + (goal - start) * generator.uniform(0.55, 0.75) + generator.normal(0.0, 4.0, 3)
    tubes.append(Tube(start, end, radius, radius * 0.85))
    if depth == 0:
        return
    for _ in range(2):
        child_goal = end + (goal - start) * 0.6 + generator.normal(0.0, 18.0, 3)
        _grow(tubes, end, child_goal, radius * 0.79, depth - 1, generator)


def draw_tumours(
    canvas: Canvas, liver: BoolArray, radii_mm: DoubleArray, bilobar: bool, generator: np.random.Generator
) -> list[Tumour]:
    """Place tumours inside the liver, on both sides of the Cantlie plane when ``bilobar``, else on one."""
    coarse = np.argwhere(liver[::2, ::4, ::4]) * (2, 4, 4)
    points = np.stack([canvas.x[coarse[:, 2]], canvas.y[coarse[:, 1]], canvas.z[coarse[:, 0]]], axis=1).astype(float)
    on_right = is_right(points)
    first_right = bool(generator.random() < on_right.mean())
    tumours = []
    for number, radius in enumerate(radii_mm):
        right = first_right if not bilobar or number % 2 == 0 else not first_right
        choices = points[on_right == right]
        if len(choices) == 0:
            choices, right = points, first_right
        centre = choices[generator.integers(len(choices))] + generator.normal(0.0, 1.0, 3)
        tumours.append(Tumour(centre, float(radius), right))
    return tumours


def is_right(points: DoubleArray) -> BoolArray:
    """Tell which points (..., 3) lie right of the Cantlie plane (gallbladder to vena cava)."""
    right: BoolArray = points[..., 0] + 0.35 * points[..., 1] < -24.0
    return right


def tumour_mask(canvas: Canvas, tumours: list[Tumour], margin_mm: float = 0.0) -> BoolArray:
    """Return the union of the tumours, grown by a margin; edges are slightly lobed."""
    mask = np.zeros(canvas.geometry.shape, dtype=bool)
    for tumour in tumours:
        reach = tumour.radius_mm * 1.25 + margin_mm
        box = canvas.box(tumour.centre_mm - reach, tumour.centre_mm + reach)
        x, y, z = canvas.coordinates(box)
        cx, cy, cz = tumour.centre_mm
        waves = np.sin((x + 2 * y) / (0.5 * tumour.radius_mm + 1)) * np.cos(z / (0.6 * tumour.radius_mm + 1))
        radius = tumour.radius_mm * (1.0 + 0.12 * waves) + margin_mm
        mask[box] |= (x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 < radius**2
    return mask


def soften(values: FloatArray, spacing_mm: tuple[float, float, float], blur_mm: float) -> FloatArray:
    """Return ``values`` blurred by a Gaussian of ``blur_mm``, the scanner's point spread."""
    blurred: FloatArray = gaussian_filter(values, [blur_mm / mm for mm in spacing_mm], truncate=2.5)
    return blurred
