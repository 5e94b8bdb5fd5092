"""What lies around the liver and tells where it can be: body, lungs, diaphragm, spine, chest wall, muscle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from star_core.imaging.liver.grid import WorkingGrid
from star_core.imaging.liver.morphology import Spacing, close_gaps, depth_mm, grow, largest_piece
from star_core.types import BoolArray, DoubleArray, FloatArray

_BODY_HU, _LUNG_HU, _BONE_HU = -250.0, -400.0, 200.0
# Gas in the bowel is nearly pure; lung holds blood and tissue.
_GAS_HU = -945.0
_SMALLEST_LUNG_ML, _WHOLE_LUNG_ML = 20.0, 300.0
_LUNGS_FOR_DIAPHRAGM_ML = 100.0
# Between dome and midline the diaphragm falls, or rises by less than this; steeper is the side of the heart.
_RISE_TO_HEART = 0.3
_DOME_SHARE = 0.55
# How far above the diaphragm found, under the heart and under lung, tissue may still be liver.
_ABOVE_UNDER_HEART_MM, _ABOVE_UNDER_LUNG_MM = 5.0, 9.0
# Ribs lie within this of the skin, and less than twice the second number apart.
_WALL_MM, _RIB_GAP_MM = 45.0, 14.0
# Muscle, diaphragm and pleura between a rib and the liver.
_WALL_LINING_MM = 3.0
_MUSCLE_MM = 40.0
# Vena cava and aorta lie this far to the side of the spine's middle and before its front.
_BESIDE_SPINE_MM, _BEFORE_SPINE_MM = 45.0, 40.0
# The liver reaches no deeper below the lowest lung, and no deeper below the top of a field without lungs.
_LIVER_BELOW_LUNG_MM, _LIVER_BELOW_TOP_MM = 220.0, 260.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Masks on a working grid.

    ``possible`` is where liver may lie; ``wall`` the ribs and the sheet between them; ``silent`` what says nothing
    against a lesion beside it, because the liver's own surface lies there: lung and what is above the diaphragm.
    ``spine_column`` is the column of the spine; columns below it are the patient's right. ``before_spine`` is where
    vena cava, aorta and the diaphragm's crura run.
    """

    body: BoolArray
    possible: BoolArray
    wall: BoolArray
    silent: BoolArray
    before_spine: BoolArray
    spine_column: int
    muscle_hu: float


def find_region(grid: WorkingGrid) -> tuple[slice, slice, slice]:
    """Return the box of the body from the lowest place that a liver can reach to the top of the lungs."""
    body = find_body(grid.hu)
    lungs = find_lungs(grid.hu, body, grid.cell_ml)
    rows = np.flatnonzero(body.any(axis=(0, 2)))
    columns = np.flatnonzero(body.any(axis=(0, 1)))
    slices = np.flatnonzero(lungs.any(axis=(1, 2)))
    depth = grid.hu.shape[0]
    if rows.size == 0:
        return slice(0, depth), slice(0, grid.hu.shape[1]), slice(0, grid.hu.shape[2])
    low_mm = _LIVER_BELOW_LUNG_MM if slices.size else _LIVER_BELOW_TOP_MM
    anchor = int(slices[0]) if slices.size else depth
    top = min(depth, int(slices[-1]) + 1) if slices.size else depth
    first = max(0, anchor - int(low_mm / grid.spacing_mm[0]))
    return slice(first, top), slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def find_surroundings(grid: WorkingGrid, smooth_hu: FloatArray) -> Surroundings:
    """Find what lies around the liver on a grid cropped by :func:`find_region`."""
    hu, spacing = grid.hu, grid.spacing_mm
    body = find_body(hu)
    lungs = find_lungs(hu, body, grid.cell_ml)
    spine = find_spine_column(hu, body, spacing)
    depth_in_body = depth_mm(body, spacing)
    ribs = body & (hu > _BONE_HU) & (depth_in_body < _WALL_MM)
    wall = grow(close_gaps(ribs, _RIB_GAP_MM, spacing), _WALL_LINING_MM, spacing)
    possible = body & (hu > -200.0)
    silent = grow(lungs, 7.0, spacing)
    right, left = lungs.copy(), lungs.copy()
    right[:, :, spine:] = False
    left[:, :, :spine] = False
    if min(np.count_nonzero(right), np.count_nonzero(left)) * grid.cell_ml > _LUNGS_FOR_DIAPHRAGM_ML:
        height_mm, seen = find_diaphragm(right, left, spacing)
        level_mm = np.arange(hu.shape[0])[:, None, None] * spacing[0]
        allowance_mm = np.where(seen, _ABOVE_UNDER_LUNG_MM, _ABOVE_UNDER_HEART_MM)
        possible &= level_mm <= height_mm + allowance_mm
        silent |= level_mm > height_mm
    return Surroundings(
        body=body,
        possible=possible & ~wall,
        wall=wall,
        silent=silent,
        before_spine=_find_space_before_spine(hu, body, spine, spacing),
        spine_column=spine,
        muscle_hu=_find_muscle_level(smooth_hu, body & ~wall & (depth_in_body < _MUSCLE_MM), spacing),
    )


def find_body(hu: FloatArray) -> BoolArray:
    """Return the largest thing that is not air, with the air inside it; the table is thinner and falls away."""
    body = largest_piece(ndimage.binary_opening(hu > _BODY_HU)).copy()
    for index in range(len(body)):
        body[index] = ndimage.binary_fill_holes(body[index])
    return body


def find_lungs(hu: FloatArray, body: BoolArray, cell_ml: float) -> BoolArray:
    """Return air in the body that is lung by its HU, and reaches the top of the field or is as large as a lung."""
    labels, count = ndimage.label(body & (hu < _LUNG_HU))
    lungs: BoolArray = np.zeros(body.shape, dtype=bool)
    if count == 0:
        return lungs
    sizes_ml = np.bincount(labels.ravel()) * cell_ml
    at_top = set(np.unique(labels[-1]).tolist())
    medians = ndimage.median(hu, labels, np.arange(1, count + 1)) if count < 10_000 else np.full(count, _GAS_HU)
    for number in range(1, count + 1):
        large = sizes_ml[number] > (_SMALLEST_LUNG_ML if number in at_top else _WHOLE_LUNG_ML)
        if large and medians[number - 1] > _GAS_HU:
            lungs |= labels == number
    return lungs


def find_spine_column(hu: FloatArray, body: BoolArray, spacing_mm: Spacing) -> int:
    """Return the column with most bone in the middle half of the body; the body's middle where there is no bone."""
    columns = np.flatnonzero(body.any(axis=(0, 1)))
    if columns.size == 0:
        return int(hu.shape[2]) // 2
    first, last = int(columns[0]), int(columns[-1])
    bone = np.count_nonzero(body & (hu > _BONE_HU), axis=(0, 1)).astype(float)
    quarter = (last - first) // 4
    middle = ndimage.gaussian_filter1d(bone, 10.0 / spacing_mm[2])[first + quarter : last - quarter + 1]
    if middle.size == 0 or middle.max() <= 0:
        return (first + last) // 2
    return int(first + quarter + np.argmax(middle))


def _find_space_before_spine(hu: FloatArray, body: BoolArray, spine: int, spacing_mm: Spacing) -> BoolArray:
    """Return the space beside and before the vertebrae, empty where no bone is seen."""
    space = np.zeros(hu.shape, dtype=bool)
    rows = np.flatnonzero(body.any(axis=(0, 2)))
    near, wide = (int(mm / spacing_mm[2]) for mm in (15.0, _BESIDE_SPINE_MM))
    columns = slice(max(0, spine - near), spine + near + 1)
    bone = np.count_nonzero(body[:, :, columns] & (hu[:, :, columns] > _BONE_HU), axis=(0, 2))
    # The breastbone, before the middle of the body, is not the spine.
    bone[: int(rows[0] + 0.4 * (rows[-1] - rows[0])) if rows.size else None] = 0
    vertebrae = np.flatnonzero(bone > 0.3 * bone.max()) if bone.any() else np.empty(0, dtype=int)
    if vertebrae.size:
        front = max(0, int(vertebrae[0] - _BEFORE_SPINE_MM / spacing_mm[1]))
        space[:, front:, max(0, spine - wide) : spine + wide + 1] = True
    return space


def find_diaphragm(right: BoolArray, left: BoolArray, spacing_mm: Spacing) -> tuple[DoubleArray, BoolArray]:
    """Return the height (h, w) of the diaphragm in mm above the first slice, and where lung shows it.

    Under lung it is the lung's lower surface. Under the heart it is a membrane stretched between the surfaces at both
    sides, as in Rusko et al. 2007 (MICCAI workshop 3D Segmentation in the Clinic, p. 143).
    """
    shown = _trim_overhang(right, spacing_mm)
    from_left = _trim_overhang(left[:, :, ::-1], spacing_mm)[:, ::-1]
    shown = np.where(np.isnan(shown), from_left, shown)
    seen = ~np.isnan(shown)
    if not seen.any():
        return np.full(shown.shape, np.inf), seen
    height = np.where(seen, shown, np.nanmean(shown))
    fixed = np.where(seen, shown, 0.0)
    for step in (16, 8, 4, 2, 1):
        for _ in range(60):
            wide = np.pad(height, step, mode="edge")
            inner = slice(step, -step)
            mean = (
                wide[2 * step :, inner] + wide[: -2 * step, inner] + wide[inner, 2 * step :] + wide[inner, : -2 * step]
            ) / 4
            height = np.where(seen, fixed, mean)
    return height, seen


def _trim_overhang(lung: BoolArray, spacing_mm: Spacing) -> DoubleArray:
    """Return the lung's lower surface (h, w) in mm, NaN where there is none or where the lung overhangs the heart.

    Columns must run from the side of the patient to the middle.
    """
    has_lung: BoolArray = np.asarray(lung.any(axis=0))
    bottom_mm = np.where(has_lung, np.argmax(lung, axis=0) * spacing_mm[0], np.nan)
    surface = np.full(bottom_mm.shape, np.nan)
    for row in range(bottom_mm.shape[0]):
        columns = np.flatnonzero(has_lung[row])
        if columns.size < 10:
            continue
        lateral = columns[columns <= columns[0] + int(_DOME_SHARE * (columns[-1] - columns[0]))]
        surface[row, lateral] = bottom_mm[row, lateral]
        dome = int(lateral[np.argmax(bottom_mm[row, lateral])])
        limit = bottom_mm[row, dome]
        for column in range(dome + 1, int(columns[-1]) + 1):
            limit += _RISE_TO_HEART * spacing_mm[2]
            value = bottom_mm[row, column]
            surface[row, column] = value if value <= limit else np.nan
            limit = min(limit, value) if has_lung[row, column] else limit
    return surface


def _find_muscle_level(smooth_hu: FloatArray, near_skin: BoolArray, spacing_mm: Spacing) -> float:
    """Return the most frequent HU of muscle in the trunk's wall; 55 where none is seen."""
    inner = depth_mm(near_skin & (smooth_hu > 0.0) & (smooth_hu < 110.0), spacing_mm) > 3.0
    if np.count_nonzero(inner) < 100:
        return 55.0
    counts, edges = np.histogram(smooth_hu[inner], bins=55, range=(0.0, 110.0))
    return float(edges[int(np.argmax(ndimage.gaussian_filter1d(counts.astype(float), 1.5)))]) + 1.0
