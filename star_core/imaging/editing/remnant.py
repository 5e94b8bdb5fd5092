"""The future remnant: the liver less what is to be removed, by a plane, by segments, or drawn."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from star_core.errors import SegmentationError
from star_core.imaging.editing.patch import MaskPatch, build_patch
from star_core.types import (
    SEGMENTS,
    BoolArray,
    CouinaudSegments,
    DoubleArray,
    Masks,
    PointMm,
    Segment,
    Structure,
    count_values,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CuttingPlane:
    """A plane through ``point_mm`` (LPS mm); what lies on the side that ``normal`` points to is removed."""

    point_mm: PointMm
    normal: tuple[float, float, float]

    def __post_init__(self) -> None:
        if not np.isfinite(self.normal).all() or np.linalg.norm(self.normal) < 1e-6:
            raise ValueError("normal must have a direction")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemnantVolumes:
    """Functional volumes in ml, tumours left out, and the remnant's share of the functional liver (0..1)."""

    liver_ml: float
    tumour_ml: float
    remnant_ml: float

    @property
    def share(self) -> float:
        """The remnant's share of the liver without tumours; 0 where there is none."""
        functional_ml = self.liver_ml - self.tumour_ml
        return self.remnant_ml / functional_ml if functional_ml > 0 else 0.0


def cut_by_plane(masks: Masks, plane: CuttingPlane) -> MaskPatch:
    """Return what makes the remnant the liver on the near side of a plane.

    Raises
    ------
    SegmentationError
        When there is no liver, or nothing of it would remain.
    """
    rows = masks.geometry.affine_lps[:3, :3].T @ np.array(plane.normal, dtype=np.float64)
    offset = float((masks.geometry.affine_lps[:3, 3] - np.array(plane.point_mm)) @ np.array(plane.normal))
    z, y, x = (np.arange(size, dtype=np.float64) * step for size, step in zip(masks.geometry.shape, rows, strict=True))
    kept = np.stack([(at + y[:, None] + x[None, :] + offset) <= 0.0 for at in z])
    return _to_remnant(masks, kept)


def cut_by_segments(masks: Masks, segments: CouinaudSegments, removed: Collection[Segment]) -> MaskPatch:
    """Return what makes the remnant the liver without some segments.

    Raises
    ------
    SegmentationError
        When there is no liver, or nothing of it would remain.
    """
    goes = np.array([False, *(segment in removed for segment in SEGMENTS)])
    return _to_remnant(masks, ~goes[segments.labels])


def measure_remnant(masks: Masks) -> RemnantVolumes:
    """Return the volumes of liver, tumours in it, and remnant; without a remnant nothing is removed."""
    voxel_ml = masks.geometry.voxel_volume_ml
    liver, tumour = np.uint8(Structure.LIVER), np.uint8(Structure.TUMOUR)
    remnant = np.uint8(Structure.REMNANT if masks.known & Structure.REMNANT else Structure.LIVER)
    counts = count_values(masks.bits, 255)
    values = np.arange(256, dtype=np.uint8)

    def volume_ml(chosen: BoolArray) -> float:
        return float(counts[chosen].sum()) * voxel_ml

    return RemnantVolumes(
        liver_ml=volume_ml((values & liver) != 0),
        tumour_ml=volume_ml(((values & liver) != 0) & ((values & tumour) != 0)),
        remnant_ml=volume_ml(((values & remnant) != 0) & ((values & liver) != 0) & ((values & tumour) == 0)),
    )


def suggest_plane(masks: Masks, normal: DoubleArray) -> CuttingPlane:
    """Return a plane of a direction through the middle of the liver, from which a reader goes on.

    Raises
    ------
    SegmentationError
        When there is no liver.
    """
    liver = masks.mask_of(Structure.LIVER)
    if not liver.any():
        raise SegmentationError("There is no liver to cut.", remedy="Segment the liver first.")
    middle = masks.geometry.index_to_lps(np.argwhere(liver)[:: max(1, int(liver.sum()) // 50_000)].astype(np.float64))
    x_mm, y_mm, z_mm = (float(value) for value in middle.mean(axis=0))
    right, front, up = (float(value) for value in normal)
    return CuttingPlane(point_mm=(x_mm, y_mm, z_mm), normal=(right, front, up))


def _to_remnant(masks: Masks, kept: BoolArray) -> MaskPatch:
    liver = masks.mask_of(Structure.LIVER)
    if not liver.any():
        raise SegmentationError("There is no liver to cut.", remedy="Segment the liver first.")
    after = liver & kept & ~masks.mask_of(Structure.TUMOUR)
    if not after.any():
        raise SegmentationError(
            "Nothing of the liver would remain.", remedy="Move the plane, or remove fewer segments."
        )
    return build_patch(Structure.REMNANT, (0, 0, 0), masks.mask_of(Structure.REMNANT), after)
