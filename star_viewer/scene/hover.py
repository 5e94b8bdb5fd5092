"""What lies under the cursor, by plain index look-ups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from star_core.types import CouinaudSegments, Geometry, Masks, RiskMap, Segment, Structure
from star_viewer.scene.risk_frames import PERCENT_PER_10_ML
from star_viewer.scene.state import ENDED_HU
from star_viewer.session import IncidenceMode, LaterScan, PointMm, Session

# What lies innermost is named: a tumour lies in the liver, a vessel may lie in the remnant.
_INNERMOST_FIRST = (
    (Structure.TUMOUR, "tumour"),
    (Structure.PORTAL_VEINS, "portal vein"),
    (Structure.HEPATIC_VEINS, "hepatic vein"),
    (Structure.REMNANT, "liver remnant"),
    (Structure.LIVER, "liver"),
)


@dataclass(frozen=True, slots=True)
class HoverReading:
    """Values at one point.

    ``hu`` is ``None`` outside the scan, ``later_hu`` where no later CT is seen or it ends,
    ``risk_percent_per_10ml`` is ``None`` without an assessment or outside its grid, ``structure`` is empty where no
    known structure lies, and ``segment`` is ``None`` outside the liver and until Couinaud's segments are worked out.
    """

    point_mm: PointMm
    hu: int | None
    risk_percent_per_10ml: float | None
    structure: str
    segment: Segment | None = None
    later_hu: int | None = None


def read_at(session: Session, point_mm: PointMm) -> HoverReading:
    """Read the voxels of the scan, the masks and the map of the session's year that hold a point."""
    volume, masks, assessment = session.volume, session.masks, session.assessment
    hu: int | None = None
    if volume is not None:
        index = _voxel_of(volume.geometry, point_mm)
        hu = None if index is None else int(volume.voxels_hu[index])
    risk = None
    if assessment is not None:
        risk = _risk_at(assessment.risk_map, point_mm, session.year, session.incidence_mode)
    structure = "" if masks is None else _structure_at(masks, point_mm)
    segment = _segment_at(session.anatomy.segments, point_mm)
    later_hu = None if session.later is None else _later_at(session.later, point_mm)
    return HoverReading(point_mm, hu, risk, structure, segment, later_hu)


def _later_at(later: LaterScan, point_mm: PointMm) -> int | None:
    left_mm, posterior_mm, superior_mm = (np.linalg.inv(later.motion_lps) @ [*point_mm, 1.0])[:3]
    index = _voxel_of(later.volume.geometry, (float(left_mm), float(posterior_mm), float(superior_mm)))
    hu = None if index is None else int(later.volume.voxels_hu[index])
    return None if hu is None or hu <= ENDED_HU else hu


def _voxel_of(geometry: Geometry, point_mm: PointMm) -> tuple[int, int, int] | None:
    index = np.floor(geometry.lps_to_index(np.array(point_mm)) + 0.5).astype(int)
    if (index < 0).any() or (index >= geometry.shape).any():
        return None
    return int(index[0]), int(index[1]), int(index[2])


def _risk_at(risk_map: RiskMap, point_mm: PointMm, year: int, mode: IncidenceMode) -> float | None:
    index = _voxel_of(risk_map.geometry, point_mm)
    if index is None:
        return None
    density_per_ml = float(risk_map.density_per_ml[(year - 1, *index)])
    if mode is IncidenceMode.ANNUAL and year > 1:
        density_per_ml -= float(risk_map.density_per_ml[(year - 2, *index)])
    return density_per_ml * PERCENT_PER_10_ML


def _segment_at(segments: CouinaudSegments | None, point_mm: PointMm) -> Segment | None:
    index = None if segments is None else _voxel_of(segments.geometry, point_mm)
    return None if segments is None or index is None else segments.segment_at(index)


def _structure_at(masks: Masks, point_mm: PointMm) -> str:
    index = _voxel_of(masks.geometry, point_mm)
    if index is None:
        return ""
    bits = int(masks.bits[index])
    return next((name for structure, name in _INNERMOST_FIRST if bits & structure), "")
