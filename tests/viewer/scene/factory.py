"""A small synthetic patient: a body with a liver, vessels, a tumour, a bright mark on the left, and a risk map."""

from __future__ import annotations

import numpy as np

from star_core.types import (
    Assessment,
    BoolArray,
    Case,
    Cause,
    CentringRule,
    CouinaudLandmarks,
    DoubleArray,
    Forecast,
    Geometry,
    Landmark,
    LandmarkOrigin,
    Masks,
    ModelInput,
    Provenance,
    RiskMap,
    Structure,
    Volume,
)

T = 12
SIZE_MM = (160.0, 200.0, 240.0)  # along S, P, L


def axial_affine(spacing_mm: tuple[float, float, float], shape: tuple[int, int, int]) -> DoubleArray:
    """Slices ascend to S, rows to P, columns to L; the middle of the grid is the origin."""
    affine_lps = np.eye(4)
    affine_lps[:3, :3] = np.array([[0, 0, spacing_mm[2]], [0, spacing_mm[1], 0], [spacing_mm[0], 0, 0]])
    affine_lps[:3, 3] = -affine_lps[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine_lps


def build_geometry(spacing_mm: tuple[float, float, float] = (5.0, 2.5, 2.5)) -> Geometry:
    depth, height, width = (round(size / spacing) for size, spacing in zip(SIZE_MM, spacing_mm, strict=True))
    return Geometry(shape=(depth, height, width), affine_lps=axial_affine(spacing_mm, (depth, height, width)))


def turn(geometry: Geometry, flips: tuple[int, ...] = (), order: tuple[int, int, int] = (0, 1, 2)) -> Geometry:
    """The same piece of space with index axes reversed and reordered."""
    affine_lps = np.array(geometry.affine_lps)
    for axis in flips:
        affine_lps[:3, 3] += affine_lps[:3, axis] * (geometry.shape[axis] - 1)
        affine_lps[:3, axis] *= -1
    affine_lps[:3, :3] = affine_lps[:3, list(order)]
    depth, height, width = (geometry.shape[axis] for axis in order)
    return Geometry(shape=(depth, height, width), affine_lps=affine_lps)


def tilt(geometry: Geometry, degrees: float) -> Geometry:
    """The same grid turned about the L axis."""
    angle = np.deg2rad(degrees)
    rotation = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine_lps = np.array(geometry.affine_lps)
    affine_lps[:3] = rotation @ affine_lps[:3]
    return Geometry(shape=geometry.shape, affine_lps=affine_lps)


def _points_mm(geometry: Geometry) -> DoubleArray:
    return geometry.index_to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1).astype(np.float64))


def _ellipsoid(points_mm: DoubleArray, centre_mm: tuple[float, ...], radii_mm: tuple[float, ...]) -> BoolArray:
    inside: BoolArray = (((points_mm - np.array(centre_mm)) / np.array(radii_mm)) ** 2).sum(axis=-1) <= 1
    return inside


def _tube(
    points_mm: DoubleArray, start_mm: tuple[float, ...], end_mm: tuple[float, ...], radius_mm: float
) -> BoolArray:
    start, along = np.array(start_mm), np.array(end_mm) - np.array(start_mm)
    part = np.clip((points_mm - start) @ along / (along @ along), 0, 1)
    inside: BoolArray = np.linalg.norm(points_mm - start - part[..., None] * along, axis=-1) <= radius_mm
    return inside


MARK_MM = (75.0, -20.0, 0.0)  # in the patient's left


def build_volume(geometry: Geometry | None = None) -> Volume:
    geometry = geometry or build_geometry()
    points_mm = _points_mm(geometry)
    body = _ellipsoid(points_mm, (0, 0, 0), (112, 88, 400))
    voxels = np.where(body, 20, -1000).astype(np.int16)
    voxels[_ellipsoid(points_mm, (0, 60, 0), (18, 18, 400))] = 500
    voxels[_liver(points_mm)] = 105
    voxels[(np.abs(points_mm - np.array(MARK_MM)) <= 9).all(axis=-1)] = 900
    return Volume(voxels_hu=voxels, geometry=geometry, series_uid="1.2.3")


def _liver(points_mm: DoubleArray) -> BoolArray:
    return _ellipsoid(points_mm, (-40, -5, 5), (58, 55, 60)) | _ellipsoid(points_mm, (5, -25, 20), (50, 30, 28))


def build_masks(geometry: Geometry | None = None) -> Masks:
    geometry = geometry or build_geometry()
    points_mm = _points_mm(geometry)
    liver = _liver(points_mm)
    portal = _tube(points_mm, (0, 10, -40), (-25, 0, 0), 7) | _tube(points_mm, (-25, 0, 0), (-70, -10, 20), 6)
    portal |= _tube(points_mm, (-25, 0, 0), (15, -25, 15), 5)
    hepatic = _tube(points_mm, (-10, 20, 55), (-45, 0, 25), 5) | _tube(points_mm, (-10, 20, 55), (0, -20, 25), 5)
    tumour = _ellipsoid(points_mm, (-65, 10, -10), (14, 14, 14))
    bits = np.zeros(geometry.shape, np.uint8)
    for structure, mask in (
        (Structure.LIVER, liver),
        (Structure.REMNANT, liver & (points_mm[..., 0] > -60)),
        (Structure.HEPATIC_VEINS, hepatic & liver),
        (Structure.PORTAL_VEINS, portal),
        (Structure.TUMOUR, tumour),
    ):
        bits[mask] |= np.uint8(structure)
    return Masks(bits=bits, geometry=geometry, known=Structure(31), series_uid="1.2.4", lesion_count=1)


RISK_GEOMETRY_SPACING_MM = (5.0, 4.0, 4.0)
HOT_MM = (-30.0, 0.0, 5.0)
LATE_MM = (10.0, -25.0, 20.0)


def build_risk_map(geometry: Geometry | None = None) -> RiskMap:
    """Risk inside the liver: about ``HOT_MM`` from the first year, about ``LATE_MM`` growing later."""
    geometry = geometry or build_geometry(RISK_GEOMETRY_SPACING_MM)
    points_mm = _points_mm(geometry)
    years = np.arange(1, T + 1)

    def hill(centre_mm: tuple[float, ...], width_mm: float) -> DoubleArray:
        bump: DoubleArray = np.exp(-(((points_mm - np.array(centre_mm)) / width_mm) ** 2).sum(axis=-1))
        return bump

    early, late = 1 - np.exp(-years / 2.0), np.clip(years - 2, 0, None) / 10
    density = early[:, None, None, None] * hill(HOT_MM, 24) + late[:, None, None, None] * hill(LATE_MM, 20)
    density = (density * _liver(points_mm) * 4e-4).astype(np.float32)
    return RiskMap(density_per_ml=density, geometry=geometry)


def build_landmarks() -> CouinaudLandmarks:
    """Landmarks of a liver that lies to the right of the cava at the origin."""
    points_mm = {
        Landmark.VENA_CAVA: (0.0, 0.0, 40.0),
        Landmark.RIGHT_VEIN: (-60.0, -10.0, 20.0),
        Landmark.MIDDLE_VEIN: (-20.0, -55.0, 20.0),
        Landmark.LEFT_VEIN: (30.0, -50.0, 20.0),
        Landmark.BIFURCATION: (0.0, -35.0, 0.0),
        Landmark.LEFT_PORTAL: (30.0, -50.0, 10.0),
    }
    return CouinaudLandmarks(points_mm=points_mm, origins=dict.fromkeys(Landmark, LandmarkOrigin.VESSEL))


def build_assessment(risk_map: RiskMap | None = None) -> Assessment:
    risk_map = risk_map or build_risk_map()
    liver = risk_map.density_per_ml.sum(axis=(1, 2, 3), dtype=np.float64) * risk_map.geometry.voxel_volume_ml
    shape = risk_map.geometry.shape
    nothing = np.zeros(T)
    return Assessment(
        case_id="synthetic",
        forecast=Forecast(
            rates=dict.fromkeys(Cause, nothing),
            cumulative_incidence={Cause.LIVER: liver, Cause.ELSEWHERE: nothing},
            event_free_survival=1 - liver,
            overall_survival=1 - liver,
            intervals={},
            at_risk=np.full(T, 100),
        ),
        risk_map=risk_map,
        regions=(),
        segments=(),
        landmarks=build_landmarks(),
        model_input=ModelInput(
            image=np.zeros((1, *shape), np.float32),
            fractions=np.zeros((5, *shape), np.float32),
            known=Structure(31),
            clinical=np.zeros(1, np.float32),
            clinical_missing=np.ones(1, np.float32),
            geometry=risk_map.geometry,
            centring_rule=CentringRule.LIVER_CENTROID,
            centre_index=0.0,
        ),
        findings=(),
        provenance=Provenance(
            model_name="synthetic",
            model_id="0",
            card_sha256="0",
            model_cohort="none",
            software_version="0",
            series_uid="1.2.3",
            segmentation_uid=None,
            preprocessing={},
            clinical_inputs={},
            created_utc="2000-01-01T00:00:00Z",
        ),
    )


def build_case(geometry: Geometry | None = None, *, with_masks: bool = True) -> Case:
    geometry = geometry or build_geometry()
    masks = build_masks(geometry) if with_masks else None
    return Case(case_id="synthetic", scans={0: build_volume(geometry)}, masks=masks)
