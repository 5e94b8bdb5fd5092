"""Risk by region: a partition of the tissue at risk, so that the rows of the table add up to the liver's incidence."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from star_core.imaging.couinaud.segments import label_segments
from star_core.types import (
    SEGMENTS,
    BoolArray,
    CouinaudLandmarks,
    FloatArray,
    ModelInput,
    RegionRisk,
    RiskMap,
    Structure,
)

NEAR_MM = 10.0
FAR_MM = 30.0


def compute_region_risks(risk_map: RiskMap, model_input: ModelInput) -> tuple[RegionRisk, ...]:
    """Return the whole at-risk tissue first, then its parts by distance to tumours and portal veins.

    The parts are disjoint and cover the map: within 10 mm of a tumour, 10 to 30 mm, then within 10 mm of a portal
    vein, then the rest. Structures that were not looked for give no part of their own.
    """
    volume_ml = risk_map.geometry.voxel_volume_ml
    tissue_ml = model_input.at_risk_fraction * volume_ml
    whole = _to_risk("Tissue at risk", np.ones(tissue_ml.shape, dtype=bool), risk_map, tissue_ml)
    parts = [
        _to_risk(name, region, risk_map, tissue_ml) for name, region in _partition(model_input).items() if region.any()
    ]
    return (whole, *[part for part in parts if part.volume_ml > 0.0])


def compute_segment_risks(
    risk_map: RiskMap, model_input: ModelInput, landmarks: CouinaudLandmarks
) -> tuple[RegionRisk, ...]:
    """Return the tissue at risk of each Couinaud segment that has any, I first; the parts add up to the liver's risk.

    Raises
    ------
    SegmentationError
        When the landmarks' planes are out of order.
    """
    tissue_ml = model_input.at_risk_fraction * risk_map.geometry.voxel_volume_ml
    labels = label_segments(tissue_ml > 0.0, risk_map.geometry, landmarks)
    return tuple(
        _to_risk(f"Segment {segment}", labels == number, risk_map, tissue_ml)
        for number, segment in enumerate(SEGMENTS, start=1)
        if (labels == number).any()
    )


def _partition(model_input: ModelInput) -> dict[str, BoolArray]:
    spacing_mm = model_input.geometry.spacing_mm
    rest = np.ones(model_input.at_risk_fraction.shape, dtype=bool)
    parts: dict[str, BoolArray] = {}
    tumour_mm = _distance_mm(model_input.fraction_of(Structure.TUMOUR), spacing_mm)
    portal_mm = _distance_mm(model_input.fraction_of(Structure.PORTAL_VEINS), spacing_mm)
    for name, region in (
        (f"Within {NEAR_MM:.0f} mm of a tumour", tumour_mm <= NEAR_MM),
        (f"{NEAR_MM:.0f} to {FAR_MM:.0f} mm from a tumour", tumour_mm <= FAR_MM),
        (f"Within {NEAR_MM:.0f} mm of a portal vein", portal_mm <= NEAR_MM),
    ):
        parts[name] = region & rest
        rest = rest & ~region
    parts["Elsewhere in the tissue at risk"] = rest
    return parts


def _distance_mm(fraction: FloatArray, spacing_mm: tuple[float, float, float]) -> FloatArray:
    inside = fraction > 0.5
    if not inside.any():
        return np.full(fraction.shape, np.inf, dtype=np.float32)
    distance: FloatArray = distance_transform_edt(~inside, sampling=spacing_mm).astype(np.float32)
    return distance


def _to_risk(name: str, region: BoolArray, risk_map: RiskMap, tissue_ml: FloatArray) -> RegionRisk:
    inside = risk_map.density_per_ml[:, region].sum(axis=1, dtype=np.float64)
    return RegionRisk(
        name=name,
        volume_ml=float(tissue_ml[region].sum(dtype=np.float64)),
        cumulative_incidence=inside * risk_map.geometry.voxel_volume_ml,
    )
