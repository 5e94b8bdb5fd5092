"""The future remnant: the liver less what is to be removed, by a plane, by segments, or drawn."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from star_core.errors import SegmentationError
from star_core.imaging.editing.patch import MaskPatch, build_patch
from star_core.imaging.presence import require_liver
from star_core.types import (
    SEGMENTS,
    BoolArray,
    CouinaudLandmarks,
    CouinaudSegments,
    DoubleArray,
    Landmark,
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
    stays = np.array([True, *(segment not in removed for segment in SEGMENTS)])
    return _to_remnant(masks, np.stack([stays[section] for section in segments.labels]))


def keep_whole_liver(masks: Masks) -> MaskPatch:
    """Return what makes the remnant the whole liver without tumours, from which a reader draws on.

    Raises
    ------
    SegmentationError
        When there is no liver.
    """
    return _to_remnant(masks, np.ones(masks.bits.shape, dtype=bool))


class RemnantMeter:
    """Measures remnants that are not cut yet, fast enough to follow a hand: the liver's tissue is laid out once.

    Raises
    ------
    SegmentationError
        When there is no liver.
    """

    def __init__(self, masks: Masks) -> None:
        tissue = require_liver(masks, "to cut") & ~masks.mask_of(Structure.TUMOUR)
        self._tissue, self._voxel_ml = tissue, masks.geometry.voxel_volume_ml
        self._whole = measure_remnant(masks)
        slices, rows, columns = (axis.astype(np.float32) for axis in np.nonzero(tissue))
        self._index = np.stack([slices, rows, columns])
        self._affine_lps = masks.geometry.affine_lps

    def measure(self) -> RemnantVolumes:
        """Return the volumes as they stand."""
        return self._whole

    def measure_plane(self, plane: CuttingPlane) -> RemnantVolumes:
        """Return the volumes that a cut by a plane would give; see :func:`cut_by_plane`."""
        normal = np.array(plane.normal, dtype=np.float64)
        rows = (self._affine_lps[:3, :3].T @ normal).astype(np.float32)
        offset = np.float32((self._affine_lps[:3, 3] - np.array(plane.point_mm)) @ normal)
        return self._with_remnant(int(np.count_nonzero(rows @ self._index + offset <= 0.0)))

    def measure_segments(self, segments: CouinaudSegments, removed: Collection[Segment]) -> RemnantVolumes:
        """Return the volumes that removing segments would give; see :func:`cut_by_segments`."""
        counts = np.zeros(len(SEGMENTS) + 1, dtype=np.int64)
        for section, tissue in zip(segments.labels, self._tissue, strict=True):
            counts += np.bincount(section[tissue], minlength=len(counts))
        stays = [True, *(segment not in removed for segment in SEGMENTS)]
        return self._with_remnant(int(counts[stays].sum()))

    def _with_remnant(self, voxels: int) -> RemnantVolumes:
        return replace(self._whole, remnant_ml=voxels * self._voxel_ml)


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
    liver = require_liver(masks, "to cut")
    middle = masks.geometry.index_to_lps(np.argwhere(liver)[:: max(1, int(liver.sum()) // 50_000)].astype(np.float64))
    x_mm, y_mm, z_mm = (float(value) for value in middle.mean(axis=0))
    right, front, up = (float(value) for value in normal)
    return CuttingPlane(point_mm=(x_mm, y_mm, z_mm), normal=(right, front, up))


def plane_along_middle_vein(landmarks: CouinaudLandmarks) -> CuttingPlane:
    """Return the upright plane through the vena cava and the middle hepatic vein; the right liver is removed."""
    cava, vein = (np.array(landmarks.points_mm[name]) for name in (Landmark.VENA_CAVA, Landmark.MIDDLE_VEIN))
    along = vein[:2] - cava[:2]
    normal = np.array([along[1], -along[0]]) / max(float(np.linalg.norm(along)), 1e-3)
    # The vein runs forwards from the cava (LPS: to lower y), so that this direction is the patient's right.
    x_mm, y_mm, z_mm = (float(value) for value in (cava + vein) / 2)
    return CuttingPlane(point_mm=(x_mm, y_mm, z_mm), normal=(float(normal[0]), float(normal[1]), 0.0))


def _to_remnant(masks: Masks, kept: BoolArray) -> MaskPatch:
    liver = require_liver(masks, "to cut")
    after = liver & kept & ~masks.mask_of(Structure.TUMOUR)
    if not after.any():
        raise SegmentationError(
            "Nothing of the liver would remain.", remedy="Move the plane, or remove fewer segments."
        )
    return build_patch(Structure.REMNANT, (0, 0, 0), masks.mask_of(Structure.REMNANT), after)
