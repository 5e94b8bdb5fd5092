"""What each tool makes of the structures as they stand; called outside of the window's thread."""

from __future__ import annotations

import numpy as np

from star_core.imaging.editing.patch import MaskPatch, build_patch, require_inside
from star_core.types import BoolArray, Masks, PointMm, Structure, Volume
from star_viewer.mask_tools import MaskTool, Stroke, Tip

SMALL_ML = 1.0


def make_stroke(stroke: Stroke, masks: Masks, volume: Volume) -> MaskPatch:
    """Return what a stroke or a click changes."""
    match stroke.tool:
        case MaskTool.BRUSH | MaskTool.ERASER:
            return _paint(stroke, masks, volume)
        case MaskTool.GROW_TUMOUR:
            from star_core.imaging.editing.seeded import grow_tumour

            return grow_tumour(volume, masks, stroke.path_mm[-1])
    return _mend_liver(masks, volume, stroke.path_mm[-1], belongs=stroke.tool is MaskTool.ADD_LIVER)


def draw_liver(liver: MaskPatch, masks: Masks, _: Volume) -> MaskPatch:
    """Return what puts a liver that was found in the place of the one that stands."""
    require_inside(liver, masks.geometry)
    found = np.zeros(masks.bits.shape, dtype=bool)
    found[liver.box] = liver.toggled
    return build_patch(Structure.LIVER, (0, 0, 0), masks.mask_of(Structure.LIVER), found)


def shape_edit(name: str, structure: Structure, crosshair_mm: PointMm, masks: Masks, _: Volume) -> MaskPatch:
    """Return what an action of the menu *Structures* changes by a structure's form."""
    from star_core.imaging.editing import shape

    match name:
        case "mask_fill_between":
            return shape.fill_between_slices(masks, structure)
        case "mask_smooth":
            return shape.smooth(masks, structure)
        case "mask_largest":
            return shape.keep_largest(masks, structure)
        case "mask_keep_here":
            return shape.keep_at(masks, structure, crosshair_mm)
        case "mask_islands":
            return shape.remove_small(masks, structure, SMALL_ML)
        case "mask_holes":
            return shape.fill_holes(masks, structure)
        case "mask_erase":
            return _patch_to(masks, structure, np.zeros(masks.bits.shape, dtype=bool))
    raise ValueError(f"unknown edit {name}")


def _paint(stroke: Stroke, masks: Masks, volume: Volume) -> MaskPatch:
    from star_core.imaging.editing.brush import Brush, paint

    style = stroke.style
    flat = style.tip is Tip.FLAT
    brush = Brush(
        radius_mm=style.radius_mm,
        slice_axis=stroke.slice_axis if flat else None,
        plane_normal=_normal_of(stroke) if flat and stroke.slice_axis is None else None,
        hu_range=(style.lowest_hu, style.highest_hu) if style.gated else None,
        erases=stroke.tool is MaskTool.ERASER,
    )
    return paint(masks, volume, style.structure, stroke.path_mm, brush)


def _normal_of(stroke: Stroke) -> PointMm:
    x, y, z = stroke.plane.normal
    return float(x), float(y), float(z)


def _mend_liver(masks: Masks, volume: Volume, point_mm: PointMm, *, belongs: bool) -> MaskPatch:
    from star_core.imaging.liver import Click, refine_liver

    liver = masks.mask_of(Structure.LIVER)
    mended = refine_liver(volume, liver, [Click(point_lps_mm=point_mm, belongs=belongs)])
    return build_patch(Structure.LIVER, (0, 0, 0), liver, mended)


def _patch_to(masks: Masks, structure: Structure, after: BoolArray) -> MaskPatch:
    return build_patch(structure, (0, 0, 0), masks.mask_of(structure), after)
