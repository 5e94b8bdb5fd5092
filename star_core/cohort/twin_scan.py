"""Drawing a synthetic scan to a plan: every structure gets its volume to the voxel, tumours their diameter and side.

The liver, vessels and tumours are fields that rise or fall smoothly; the best voxels are taken until the volume is
reached. The body is scaled so that the liver has its usual size in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, distance_transform_edt, find_objects

from star_core.cohort import anatomy
from star_core.cohort.anatomy import Canvas
from star_core.cohort.body import draw_body, paint_hu, to_bits
from star_core.cohort.twin_plan import IN_PLANE_PIXELS, PlannedTumour, TwinPlan
from star_core.types import (
    STRUCTURES,
    Acquisition,
    BoolArray,
    DoubleArray,
    FloatArray,
    Geometry,
    Masks,
    Structure,
    Volume,
)

USUAL_LIVER_ML = 1500.0
ROWS = 256
_TOP_MM, _BOTTOM_MM = 105.0, -140.0
_VESSEL_REACH = 4.0
# After embolisation of the right portal vein the right lobe shrinks and the left grows.
_RIGHT_SHARE = {False: (0.64, 0.04), True: (0.50, 0.05)}
_LOBE_SCALES = {False: (0.88, 1.25), True: (0.80, 1.38)}
_COARSE_MM = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinScan:
    """What the twin's scanner saw; ``right`` marks voxels right of the Cantlie plane, ``largest_mm`` what was drawn."""

    volume: Volume
    masks: Masks
    right: BoolArray
    largest_mm: float
    generator: np.random.Generator


def draw_twin_scan(plan: TwinPlan, generator: np.random.Generator) -> TwinScan:
    """Return CT and structures of a twin on 256 x 256 pixels and the plan's slice distance."""
    body_scale = float(np.cbrt(plan.liver_ml / USUAL_LIVER_ML))
    canvas = Canvas(_build_geometry(plan, body_scale))
    voxel_ml = canvas.geometry.voxel_volume_ml * body_scale**3
    body = draw_body(canvas)
    right = _right_of_cantlie(canvas)
    liver = _draw_liver(canvas, body["inside"] | body["lungs"], plan, voxel_ml, generator)
    lesions = _draw_tumours(canvas, liver, right, plan, body_scale, voxel_ml, generator)
    tumour: BoolArray = np.logical_or.reduce([np.zeros_like(liver), *lesions])
    trunk, branches = anatomy.grow_portal_tree(0.97, generator)
    portal = _draw_vessels(canvas, trunk, branches, liver & ~tumour, ~tumour, plan.portal_ml / voxel_ml)
    veins = anatomy.grow_hepatic_tree(0.97, generator)
    free = liver & ~tumour & ~portal
    hepatic = _draw_vessels(canvas, [], veins, free, free, plan.hepatic_ml / voxel_ml)
    structures = {
        Structure.LIVER: liver,
        Structure.REMNANT: _resect(canvas, liver, tumour, right, plan.remnant_ml / voxel_ml),
        Structure.HEPATIC_VEINS: hepatic,
        Structure.PORTAL_VEINS: portal,
        Structure.TUMOUR: tumour,
    }
    return _to_scan(canvas, body, structures, lesions, right, plan, body_scale, generator)


def _to_scan(
    canvas: Canvas,
    body: dict[str, BoolArray],
    structures: dict[Structure, BoolArray],
    lesions: list[BoolArray],
    right: BoolArray,
    plan: TwinPlan,
    body_scale: float,
    generator: np.random.Generator,
) -> TwinScan:
    affine = canvas.geometry.affine_lps.copy()
    affine[:3] *= body_scale
    geometry = Geometry(shape=canvas.geometry.shape, affine_lps=affine)
    number = int(generator.integers(1, 2**62)) * 4
    uid, frame_uid, study_uid, seg_uid = (f"2.25.{number + place}" for place in range(4))
    volume = Volume(
        voxels_hu=paint_hu(canvas, body, structures, plan.steatosis, generator),
        geometry=geometry,
        series_uid=uid,
        acquisition=Acquisition(
            frame_of_reference_uid=frame_uid,
            study_uid=study_uid,
            series_description="SYNTHETIC TWIN",
            slice_thickness_mm=plan.slice_mm,
            patient_position="HFS",
            contrast_agent="simulated portal venous phase",
        ),
    )
    masks = Masks(
        bits=to_bits(structures),
        geometry=geometry,
        known=Structure(sum(STRUCTURES)),
        series_uid=seg_uid,
        lesion_count=len(lesions),
    )
    largest_mm = max((measure_diameter_mm(lesion, geometry) for lesion in lesions), default=0.0)
    return TwinScan(volume=volume, masks=masks, right=right, largest_mm=largest_mm, generator=generator)


def take_best(level: FloatArray, count: float) -> BoolArray:
    """Return the ``count`` voxels of highest ``level``; fewer where there are not so many above minus infinity."""
    mask = np.zeros(level.shape, dtype=bool)
    candidates = np.flatnonzero(level > -np.inf)
    wanted = min(round(count), len(candidates))
    if wanted > 0:
        values = level.ravel()[candidates]
        mask.ravel()[candidates[np.argpartition(-values, wanted - 1)[:wanted]]] = True
    return mask


def measure_diameter_mm(mask: BoolArray, geometry: Geometry) -> float:
    """Return the largest distance between voxels of a mask, in mm, plus one voxel's width in the plane."""
    from scipy.spatial import ConvexHull, QhullError
    from scipy.spatial.distance import pdist

    points = geometry.index_to_lps(np.argwhere(mask).astype(np.float64))
    if len(points) == 0:
        return 0.0
    if len(points) > 50:
        try:
            points = points[ConvexHull(points).vertices]
        except QhullError:
            points = points[:: len(points) // 50]  # all in one plane: few voxels, tiny tumour
    width_mm = geometry.spacing_mm[1]
    return float(pdist(points).max()) + width_mm if len(points) > 1 else width_mm


def _build_geometry(plan: TwinPlan, body_scale: float) -> Geometry:
    """Return the grid in the phantom's own mm, before the body is scaled."""
    pixel_mm = plan.pixel_mm * IN_PLANE_PIXELS / ROWS / body_scale
    slice_mm = plan.slice_mm / body_scale
    half_mm = pixel_mm * (ROWS - 1) / 2
    slices = int((_TOP_MM - _BOTTOM_MM) / slice_mm)
    affine = np.array(
        [
            [0.0, 0.0, pixel_mm, -half_mm],
            [0.0, pixel_mm, 0.0, -half_mm + 8.0],
            [slice_mm, 0.0, 0.0, _BOTTOM_MM],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )
    return Geometry(shape=(slices, ROWS, ROWS), affine_lps=affine)


def _right_of_cantlie(canvas: Canvas) -> BoolArray:
    x, y, _ = canvas.coordinates((slice(None), slice(None), slice(None)))
    right: BoolArray = np.broadcast_to(x + 0.35 * y < -24.0, canvas.geometry.shape)
    return right


def _draw_liver(
    canvas: Canvas, room: BoolArray, plan: TwinPlan, voxel_ml: float, generator: np.random.Generator
) -> BoolArray:
    """Return a liver of the plan's volume with the usual share of its right lobe, a smaller one after embolisation."""
    level = anatomy.liver_level(canvas, *_LOBE_SCALES[plan.embolised], generator)
    level[~room] = -np.inf
    count = plan.liver_ml / voxel_ml
    wanted = float(np.clip(generator.normal(*_RIGHT_SHARE[plan.embolised]), 0.35, 0.8))
    x, y, _ = canvas.coordinates((slice(None), slice(None), slice(None)))
    left_mm = x + 0.35 * y + 24.0
    # Tilting the level from side to side moves volume between the lobes without a step at the plane between them.
    tilt = np.tanh(left_mm / 30.0)
    steps = tuple(max(int(_COARSE_MM / mm), 1) for mm in canvas.geometry.spacing_mm)
    some = tuple(slice(None, None, step) for step in steps)
    coarse, coarse_tilt = level[some], np.broadcast_to(tilt, level.shape)[some]
    low, high = -2.0, 2.0
    for _ in range(10):
        middle = (low + high) / 2
        tilted = (coarse + middle * coarse_tilt).astype(np.float32)
        taken = take_best(tilted, count / float(np.prod(steps)))
        if float((coarse_tilt[taken] < 0.0).mean()) > wanted:
            low = middle
        else:
            high = middle
    return take_best((level + np.float32((low + high) / 2) * tilt).astype(np.float32), count)


# --------------------------------------------------------------------------- tumours


def _draw_tumours(
    canvas: Canvas,
    liver: BoolArray,
    right: BoolArray,
    plan: TwinPlan,
    body_scale: float,
    voxel_ml: float,
    generator: np.random.Generator,
) -> list[BoolArray]:
    """Return a mask for each planned tumour, apart from each other, on the sides that the row asks for."""
    sides = _choose_sides(plan, generator)
    free = liver.copy()
    lesions: list[BoolArray] = []
    for tumour, on_right in zip(plan.tumours, sides, strict=True):
        allowed = free if on_right is None else free & (right == on_right)
        count = max(tumour.volume_ml / voxel_ml, 1.0)
        if np.count_nonzero(allowed) < count:
            allowed = free
        lesion = _draw_tumour(canvas, allowed, tumour, on_right is None, body_scale, count, generator)
        lesions.append(lesion)
        # A gap of a voxel keeps neighbours apart, so that they can be counted.
        free &= ~_grow(lesion)
    return lesions


def _choose_sides(plan: TwinPlan, generator: np.random.Generator) -> list[bool | None]:
    """Return for each tumour whether it lies right; a single one of both lobes lies across (``None``)."""
    number = len(plan.tumours)
    if plan.bilobar and number == 1:
        return [None]
    # Who loses most of the liver, or was embolised, had a right hepatectomy: there the tumour was.
    removed = 1.0 - plan.remnant_ml / plan.liver_ml
    first = True if plan.embolised or removed > 0.5 else bool(generator.random() < 0.6)
    if not plan.bilobar:
        return [first] * number
    return [first if place % 2 == 0 else not first for place in range(number)]


def _draw_tumour(
    canvas: Canvas,
    allowed: BoolArray,
    tumour: PlannedTumour,
    across: bool,
    body_scale: float,
    count: float,
    generator: np.random.Generator,
) -> BoolArray:
    """Return an ellipsoid of the tumour's diameter and volume, its long axis in the plane, where there is room."""
    half_mm = 0.5 * tumour.diameter_mm / body_scale
    thin = float(np.sqrt(tumour.volume_ml / (np.pi / 6.0 * tumour.diameter_mm**3 / 1000.0)))
    index, depth_mm = _find_depth(canvas, allowed)
    if across:
        points = canvas.geometry.index_to_lps(index.astype(np.float64))
        near_mm = _COARSE_MM / 2
        depth_mm = np.where(np.abs(points[:, 0] + 0.35 * points[:, 1] + 24.0) <= near_mm, depth_mm, 0.0)
    # Vary the place among those with room, else take the deepest.
    roomy = np.flatnonzero(depth_mm >= min(half_mm * max(thin, 0.6), 0.97 * float(depth_mm.max())))
    centre = index[int(generator.choice(roomy))]
    angles = generator.uniform(0.0, np.pi, 6)
    fields = [_ellipsoid_field(canvas, centre, half_mm, thin, float(angle)) for angle in angles]
    best = max(fields, key=lambda field: np.count_nonzero(allowed[field[0]] & (field[1] < 1.0)))
    return _fill(allowed, best, count)


def _find_depth(canvas: Canvas, allowed: BoolArray) -> tuple[NDArray[np.int64], FloatArray]:
    """Return indices (n, 3) inside a mask, about 4 mm apart, and how deep in it each lies, in the grid's mm."""
    steps = [max(int(_COARSE_MM / mm), 1) for mm in canvas.geometry.spacing_mm]
    coarse = allowed[:: steps[0], :: steps[1], :: steps[2]]
    if not coarse.any():
        steps, coarse = [1, 1, 1], allowed
    sampling = [mm * step for mm, step in zip(canvas.geometry.spacing_mm, steps, strict=True)]
    depth_mm = distance_transform_edt(coarse, sampling=sampling)[coarse].astype(np.float32)
    return np.argwhere(coarse) * np.array(steps), depth_mm


_Field = tuple[tuple[slice, slice, slice], FloatArray]


def _ellipsoid_field(canvas: Canvas, centre: DoubleArray, half_mm: float, thin: float, angle: float) -> _Field:
    """Return a box and in it the distance from the centre in units of the ellipsoid's radius in that direction."""
    x0, y0, z0 = canvas.geometry.index_to_lps(centre.astype(np.float64))
    reach = 1.8 * half_mm + 8.0
    middle = np.array([x0, y0, z0])
    box = canvas.box(middle - reach, middle + reach)
    x, y, z = canvas.coordinates(box)
    along = (x - x0) * np.cos(angle) + (y - y0) * np.sin(angle)
    beside = (y - y0) * np.cos(angle) - (x - x0) * np.sin(angle)
    field = np.sqrt(along**2 + (beside**2 + (z - z0) ** 2) / thin**2) / half_mm
    return box, field.astype(np.float32)


def _fill(allowed: BoolArray, field: _Field, count: float) -> BoolArray:
    """Return the allowed voxels nearest to the centre of a field until the count is reached."""
    box, distance = field
    mask = np.zeros(allowed.shape, dtype=bool)
    mask[box] = take_best(np.where(allowed[box], -distance, -np.inf).astype(np.float32), count)
    return mask


def _grow(mask: BoolArray) -> BoolArray:
    grown = np.zeros_like(mask)
    boxes = find_objects(mask.astype(np.uint8))
    if boxes:
        box = tuple(slice(max(part.start - 1, 0), part.stop + 1) for part in boxes[0])
        grown[box] = binary_dilation(mask[box], np.ones((3, 3, 3), dtype=bool))
    return grown


# --------------------------------------------------------------------------- vessels and surgery


def _draw_vessels(
    canvas: Canvas,
    outside: list[anatomy.Tube],
    inside: list[anatomy.Tube],
    within: BoolArray,
    anywhere: BoolArray,
    count: float,
) -> BoolArray:
    """Return a tree as thick as its volume asks for; ``outside`` tubes may leave the liver."""
    distance = np.where(within, canvas.tube_distance(inside, _VESSEL_REACH), np.inf)
    if outside:
        trunk = np.where(anywhere, canvas.tube_distance(outside, _VESSEL_REACH), np.inf)
        distance = np.minimum(distance, trunk)
    return take_best(-distance.astype(np.float32), count)


def _resect(canvas: Canvas, liver: BoolArray, tumour: BoolArray, right: BoolArray, count: float) -> BoolArray:
    """Return the remnant: what lies farthest from the tumours, and from the side that is removed when much is.

    Small resections are wedges about the tumours; when more than a third goes, the side with most tumour goes first.
    """
    box = find_objects(liver.astype(np.uint8))[0]
    to_tumour_mm = np.zeros(liver.shape, dtype=np.float32)
    if tumour.any():
        to_tumour_mm[box] = distance_transform_edt(~tumour[box], sampling=canvas.geometry.spacing_mm)
    kept = count / max(int(np.count_nonzero(liver)), 1)
    level = to_tumour_mm
    if kept < 2.0 / 3.0 or not tumour.any():
        on_right = np.count_nonzero(tumour & right) >= 0.5 * np.count_nonzero(tumour)
        x, y, _ = canvas.coordinates((slice(None), slice(None), slice(None)))
        from_side_mm = (x + 0.35 * y + 140.0) if on_right else -(x + 0.35 * y - 140.0)
        whole_mm = np.broadcast_to(from_side_mm, liver.shape).astype(np.float32)
        level = np.minimum(to_tumour_mm * 6.0, whole_mm) if tumour.any() else whole_mm
    return take_best(np.where(liver, level, -np.inf).astype(np.float32), count)
