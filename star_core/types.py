"""Frozen value types shared by every room of the house; numpy only.

Arrays are made read-only when a value is built. Axis order is (slice, row, column) = (D, H, W) everywhere, and
world coordinates are DICOM LPS (left, posterior, superior) in millimetres (DICOM PS3.3 C.7.6.2.1.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntFlag, StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
DoubleArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

N_YEARS = 12
MODEL_GRID_SHAPE = (40, 128, 128)

ProgressCallback = Callable[[int, int], None]
"""``progress(done, total)``; raises :class:`star_core.errors.CancelledError` to stop between two steps."""


def ignore_progress(done: int, total: int) -> None:
    """Do nothing: the progress callback of a caller who does not watch."""


def _freeze_arrays(value: Any, *names: str) -> None:
    for name in names:
        array = getattr(value, name)
        if array is not None:
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(value, name, view)


# --------------------------------------------------------------------------- space


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """A regular voxel grid in patient space.

    Parameters
    ----------
    shape
        (D, H, W) numbers of slices, rows and columns.
    affine_lps
        (4, 4) float64; maps (slice, row, column, 1) indices of voxel centres to LPS millimetres.
    """

    shape: tuple[int, int, int]
    affine_lps: DoubleArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "affine_lps", np.asarray(self.affine_lps, dtype=np.float64))
        if self.affine_lps.shape != (4, 4) or not np.isfinite(self.affine_lps).all():
            raise ValueError("affine_lps must be a finite (4, 4) matrix")
        if abs(np.linalg.det(self.affine_lps[:3, :3])) < 1e-12:
            raise ValueError("affine_lps must be invertible")
        _freeze_arrays(self, "affine_lps")

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along slice, row and column index, in mm."""
        slice_mm, row_mm, column_mm = np.linalg.norm(self.affine_lps[:3, :3], axis=0)
        return float(slice_mm), float(row_mm), float(column_mm)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine_lps[:3, :3]))) / 1000.0

    def index_to_lps(self, index: DoubleArray) -> DoubleArray:
        """Map (..., 3) voxel indices (slice, row, column) to (..., 3) LPS mm."""
        points_mm: DoubleArray = np.asarray(index, dtype=np.float64) @ self.affine_lps[:3, :3].T
        return points_mm + self.affine_lps[:3, 3]

    def lps_to_index(self, points_mm: DoubleArray) -> DoubleArray:
        """Map (..., 3) LPS mm to (..., 3) fractional voxel indices (slice, row, column)."""
        inverse = np.linalg.inv(self.affine_lps)
        index: DoubleArray = np.asarray(points_mm, dtype=np.float64) @ inverse[:3, :3].T
        return index + inverse[:3, 3]

    def is_close_to(self, other: Geometry, *, tolerance_mm: float = 0.01) -> bool:
        """Tell whether both grids have the same shape and all eight corners agree within ``tolerance_mm``."""
        if self.shape != other.shape:
            return False
        last = np.array(self.shape) - 1
        corners = np.array([[i, j, k] for i in (0, last[0]) for j in (0, last[1]) for k in (0, last[2])])
        distance_mm = np.linalg.norm(self.index_to_lps(corners) - other.index_to_lps(corners), axis=1)
        return bool(distance_mm.max() <= tolerance_mm)


# --------------------------------------------------------------------------- findings


class Severity(StrEnum):
    """How much a finding matters: a note, a reason for caution, a reason to refuse."""

    NOTE = "note"
    WARNING = "warning"
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something noticed about the input that the reader of a result must know.

    ``code`` is stable and short ("slice-gap", "liver-estimated"); ``message`` says what, where, expected and found.
    """

    code: str
    severity: Severity
    message: str


# --------------------------------------------------------------------------- images


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquisition:
    """How a volume was acquired; nothing here identifies the patient.

    ``patient_key`` is a short one-way hash by which a segmentation of another patient is recognised.
    ``orientation`` of the patient is DICOM's PatientPosition ("HFS"). ``None`` means that the header is silent.
    """

    modality: str = "CT"
    study_uid: str = ""
    frame_of_reference_uid: str = ""
    patient_key: str = ""
    sop_instance_uids: tuple[str, ...] = ()
    series_number: int | None = None
    series_description: str = ""
    manufacturer: str = ""
    transfer_syntax_uid: str = ""
    patient_position: str | None = None
    slice_thickness_mm: float | None = None
    tube_voltage_kv: float | None = None
    convolution_kernel: str | None = None
    contrast_agent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A CT volume: ``voxels_hu`` is int16 (D, H, W) in Hounsfield units, slices ascending along their normal."""

    voxels_hu: NDArray[np.int16]
    geometry: Geometry
    series_uid: str
    acquisition: Acquisition = field(default_factory=Acquisition)
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        if self.voxels_hu.dtype != np.int16 or self.voxels_hu.shape != self.geometry.shape:
            raise ValueError("voxels_hu must be int16 with the geometry's shape")
        _freeze_arrays(self, "voxels_hu")


class Structure(IntFlag):
    """One bit for each structure of the MSKCC segmentations; structures overlap (tumours lie in the liver)."""

    LIVER = 1
    REMNANT = 2
    HEPATIC_VEINS = 4
    PORTAL_VEINS = 8
    TUMOUR = 16


STRUCTURES = (
    Structure.LIVER,
    Structure.REMNANT,
    Structure.HEPATIC_VEINS,
    Structure.PORTAL_VEINS,
    Structure.TUMOUR,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Masks:
    """Structures on the CT's grid: ``bits`` is uint8 (D, H, W), each voxel a combination of :class:`Structure`.

    ``known`` tells which structures were looked for; a structure that is known and empty is absent in the patient.
    ``lesion_count`` is the number of tumour segments or connected tumours, ``None`` when tumours are not known.
    """

    bits: NDArray[np.uint8]
    geometry: Geometry
    known: Structure
    series_uid: str = ""
    lesion_count: int | None = None
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        if self.bits.dtype != np.uint8 or self.bits.shape != self.geometry.shape:
            raise ValueError("bits must be uint8 with the geometry's shape")
        _freeze_arrays(self, "bits")

    def mask_of(self, structure: Structure) -> BoolArray:
        """Return the boolean (D, H, W) mask of one structure or of the union of several."""
        mask: BoolArray = (self.bits & np.uint8(structure)) != 0
        return mask

    def volume_ml(self, structure: Structure) -> float:
        """Return the volume of a structure in millilitres."""
        return float(np.count_nonzero(self.bits & np.uint8(structure))) * self.geometry.voxel_volume_ml


PointMm = tuple[float, float, float]
"""LPS mm."""


class Segment(StrEnum):
    """Couinaud's segments; the label of a voxel is the segment's place in :data:`SEGMENTS`, counted from 1."""

    I = "I"  # noqa: E741
    II = "II"
    III = "III"
    IV = "IV"
    V = "V"
    VI = "VI"
    VII = "VII"
    VIII = "VIII"


SEGMENTS = tuple(Segment)


class Landmark(StrEnum):
    """A point that the planes between segments pass through."""

    VENA_CAVA = "vena cava"
    RIGHT_VEIN = "right hepatic vein"
    MIDDLE_VEIN = "middle hepatic vein"
    LEFT_VEIN = "left hepatic vein"
    BIFURCATION = "portal bifurcation"
    LEFT_PORTAL = "left portal vein"


class LandmarkOrigin(StrEnum):
    """How a landmark was placed: on a vessel, by the shares of a normal liver, or by the reader."""

    VESSEL = "vessel"
    PROPORTIONS = "proportions"
    READER = "reader"


@dataclass(frozen=True, slots=True, kw_only=True)
class CouinaudLandmarks:
    """Where the planes between segments run: LPS mm and origin of every :class:`Landmark`."""

    points_mm: Mapping[Landmark, PointMm]
    origins: Mapping[Landmark, LandmarkOrigin]

    def __post_init__(self) -> None:
        if set(self.points_mm) != set(Landmark) or set(self.origins) != set(Landmark):
            raise ValueError("every landmark needs a point and an origin")

    def with_moved(self, landmark: Landmark, point_mm: PointMm) -> CouinaudLandmarks:
        """Return the landmarks with one placed by the reader."""
        return CouinaudLandmarks(
            points_mm={**self.points_mm, landmark: point_mm},
            origins={**self.origins, landmark: LandmarkOrigin.READER},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CouinaudSegments:
    """The liver cut into segments: ``labels`` is uint8 (D, H, W), 0 outside, 1..8 in the order of ``SEGMENTS``."""

    labels: NDArray[np.uint8]
    geometry: Geometry
    landmarks: CouinaudLandmarks
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        if self.labels.dtype != np.uint8 or self.labels.shape != self.geometry.shape:
            raise ValueError("labels must be uint8 with the geometry's shape")
        _freeze_arrays(self, "labels")

    def volumes_ml(self) -> dict[Segment, float]:
        """Return the volume of every segment in millilitres."""
        counts = np.bincount(self.labels.ravel(), minlength=len(SEGMENTS) + 1)[1:]
        return {segment: float(n) * self.geometry.voxel_volume_ml for segment, n in zip(SEGMENTS, counts, strict=True)}

    def segment_at(self, index: tuple[int, int, int]) -> Segment | None:
        """Return the segment of a voxel, ``None`` outside of the liver."""
        label = int(self.labels[index])
        return SEGMENTS[label - 1] if label else None


# --------------------------------------------------------------------------- the patient


class Sex(StrEnum):
    """Sex as the clinical table records it."""

    MALE = "male"
    FEMALE = "female"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicalRecord:
    """What the clinical table says; ``None`` is missing. ``star_core.clinical.fields`` is its schema."""

    age_years: float | None = None
    sex: Sex | None = None
    major_comorbidity: bool | None = None
    body_mass_index_kg_m2: float | None = None
    node_positive_primary: bool | None = None
    synchronous_metastases: bool | None = None
    multiple_metastases: bool | None = None
    clinical_risk_score: int | None = None
    clinical_risk_score_high: bool | None = None
    cea_ng_ml: float | None = None
    largest_tumour_cm: float | None = None
    bilobar_disease: bool | None = None
    extrahepatic_disease: bool | None = None
    preoperative_chemotherapy: bool | None = None
    portal_vein_embolisation: bool | None = None
    steatosis: bool | None = None
    sinusoidal_dilatation: bool | None = None
    nash_score: int | None = None
    nash: bool | None = None
    nash_score_above_4: bool | None = None
    pathologic_response_percent: float | None = None
    tumour_necrosis_percent: float | None = None
    tumour_fibrosis_percent: float | None = None
    tumour_fibrosis_above_40_percent: bool | None = None
    tumour_mucin_percent: float | None = None


class Cause(StrEnum):
    """Cause of the first event after resection."""

    LIVER = "liver"
    ELSEWHERE = "elsewhere"
    DEATH = "death"


CAUSES = (Cause.LIVER, Cause.ELSEWHERE, Cause.DEATH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What happened after resection, in exact months.

    ``cause`` is ``None`` when no event was seen until ``event_months`` (censored). ``died`` is ``False`` when the
    patient was alive at ``survival_months``. ``site_lps_mm`` is the (3,) place of a liver recurrence where recorded.
    """

    event_months: float
    cause: Cause | None
    survival_months: float
    died: bool
    site_lps_mm: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One patient: ``scans`` maps the postoperative year (0 = before surgery) to the CT of that year.

    ``landmarks`` are those of Couinaud's segments that a reader has placed; ``None`` leaves them to be found.
    """

    case_id: str
    scans: Mapping[int, Volume]
    masks: Masks | None = None
    clinical: ClinicalRecord = field(default_factory=ClinicalRecord)
    outcome: Outcome | None = None
    landmarks: CouinaudLandmarks | None = None

    @property
    def baseline_scan(self) -> Volume:
        """The earliest CT of the patient."""
        return self.scans[min(self.scans)]


# --------------------------------------------------------------------------- the model's world


class CentringRule(StrEnum):
    """How the centre of the 40 planes along z was found (method, section 2, step 2)."""

    PORTAL_BIFURCATION = "portal-bifurcation"
    PORTAL_CENTROID = "portal-centroid"
    LIVER_CENTROID = "liver-centroid"
    VOLUME_CENTRE = "volume-centre"
    USER = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpInput:
    """A later scan, registered to the first and prepared on its model grid; arrays as in :class:`ModelInput`.

    ``year`` is the postoperative year (1..T) whose slot it fills.
    """

    year: int
    image: FloatArray
    fractions: FloatArray
    known: Structure

    def __post_init__(self) -> None:
        if self.year < 1:
            raise ValueError("a follow-up scan fills the slot of year 1 or later")
        _freeze_arrays(self, "image", "fractions")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInput:
    """What the network sees.

    Parameters
    ----------
    image
        float32 (1, D, H, W) in [-1, 1], on ``geometry`` (the model grid).
    fractions
        float32 (5, D, H, W) in [0, 1]: share of each model voxel filled by each of ``STRUCTURES``, in that order.
    known
        Structures that were segmented or estimated.
    clinical, clinical_missing
        float32 (F,) scaled values and (F,) 1 where missing, in the order of ``clinical.fields.MODEL_FIELDS``.
    geometry
        The model grid in patient space.
    centring_rule, centre_index
        How the z centre was found, and the CT slice index it fell on.
    follow_ups
        Later scans of the patient, by rising year; each year sees the newest scan at or before it.
    """

    image: FloatArray
    fractions: FloatArray
    known: Structure
    clinical: FloatArray
    clinical_missing: FloatArray
    geometry: Geometry
    centring_rule: CentringRule
    centre_index: float
    findings: tuple[Finding, ...] = ()
    follow_ups: tuple[FollowUpInput, ...] = ()

    def __post_init__(self) -> None:
        _freeze_arrays(self, "image", "fractions", "clinical", "clinical_missing")
        years = [scan.year for scan in self.follow_ups]
        if sorted(set(years)) != years:
            raise ValueError("follow-up scans must come in the order of their years, one a year")
        if any(scan.image.shape != self.image.shape for scan in self.follow_ups):
            raise ValueError("follow-up scans must lie on the grid of the first scan")

    def fraction_of(self, structure: Structure) -> FloatArray:
        """Return the (D, H, W) fraction of one structure."""
        fraction: FloatArray = self.fractions[STRUCTURES.index(structure)]
        return fraction

    @property
    def at_risk_fraction(self) -> FloatArray:
        """(D, H, W) share of tissue where liver recurrence can arise: the remnant, else the liver."""
        known_remnant = bool(self.known & Structure.REMNANT) and self.fraction_of(Structure.REMNANT).any()
        return self.fraction_of(Structure.REMNANT if known_remnant else Structure.LIVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Lower and upper bound, each (T,)."""

    lower: DoubleArray
    upper: DoubleArray

    def __post_init__(self) -> None:
        _freeze_arrays(self, "lower", "upper")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Yearly forecast; all arrays float64 (T,), year t at index t - 1.

    ``rates`` are events per year within the year. ``cumulative_incidence`` is the probability that the first event
    was of that cause and happened by the end of the year; with ``event_free_survival`` they sum to 1.
    ``intervals`` holds 90 % model-uncertainty bounds for "any", "liver", "elsewhere", "death", "overall_survival" and
    "event_free_survival". ``at_risk`` is the number of training patients still observed at the start of the year.
    """

    rates: Mapping[Cause, DoubleArray]
    cumulative_incidence: Mapping[Cause, DoubleArray]
    event_free_survival: DoubleArray
    overall_survival: DoubleArray
    intervals: Mapping[str, Interval]
    at_risk: NDArray[np.int64]

    @property
    def years(self) -> NDArray[np.int64]:
        """Postoperative years 1..T."""
        return np.arange(1, len(self.overall_survival) + 1)

    @property
    def any_recurrence(self) -> DoubleArray:
        """Cumulative incidence of recurrence anywhere, (T,)."""
        return self.cumulative_incidence[Cause.LIVER] + self.cumulative_incidence[Cause.ELSEWHERE]

    @property
    def supported(self) -> BoolArray:
        """(T,) True for years with at least ``MIN_AT_RISK`` training patients at risk."""
        return self.at_risk >= MIN_AT_RISK


MIN_AT_RISK = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortForecast:
    """Forecasts of n patients by one model, as ``predictions.csv`` holds them; all curves float64 (n, T).

    ``any_recurrence`` and ``liver_recurrence`` are cumulative incidences, ``event_free_survival`` the probability of
    neither recurrence nor death. A curve that a model does not give is ``nan`` throughout.
    """

    patient_ids: tuple[str, ...]
    overall_survival: DoubleArray
    event_free_survival: DoubleArray
    any_recurrence: DoubleArray
    liver_recurrence: DoubleArray

    def __post_init__(self) -> None:
        curves = ("overall_survival", "event_free_survival", "any_recurrence", "liver_recurrence")
        if any(getattr(self, name).shape != (len(self.patient_ids), N_YEARS) for name in curves):
            raise ValueError(f"every curve must be ({len(self.patient_ids)}, {N_YEARS})")
        _freeze_arrays(self, *curves)


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskMap:
    """Where in the liver recurrence is likely.

    ``density_per_ml`` is float32 (T, D, H, W): cumulative incidence of liver recurrence by the end of year t per
    millilitre of model-grid space; summed times the voxel volume it gives ``Forecast.cumulative_incidence[LIVER]``.
    """

    density_per_ml: FloatArray
    geometry: Geometry

    def __post_init__(self) -> None:
        _freeze_arrays(self, "density_per_ml")

    def annual_density_per_ml(self) -> FloatArray:
        """Return (T, D, H, W): the part of the incidence that each single year adds."""
        annual: FloatArray = np.diff(self.density_per_ml, axis=0, prepend=np.float32(0.0)).astype(
            np.float32, copy=False
        )
        return annual


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionRisk:
    """Risk of one region: its volume and (T,) cumulative incidence of liver recurrence inside it, as probability."""

    name: str
    volume_ml: float
    cumulative_incidence: DoubleArray

    def __post_init__(self) -> None:
        _freeze_arrays(self, "cumulative_incidence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Everything needed to say where a result came from and to run it again."""

    model_name: str
    model_id: str
    card_sha256: str
    model_cohort: str
    software_version: str
    series_uid: str
    segmentation_uid: str | None
    preprocessing: Mapping[str, str | float | int]
    clinical_inputs: Mapping[str, str | float | int | bool | None]
    created_utc: str
    follow_up_series_uids: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The result for one case under one model.

    ``regions`` part the tissue at risk by distance to tumours and vessels, ``segments`` by Couinaud's planes through
    ``landmarks``.
    """

    case_id: str
    forecast: Forecast
    risk_map: RiskMap
    regions: tuple[RegionRisk, ...]
    segments: tuple[RegionRisk, ...]
    landmarks: CouinaudLandmarks
    model_input: ModelInput
    findings: tuple[Finding, ...]
    provenance: Provenance
