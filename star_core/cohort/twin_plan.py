"""What a twin must look like to agree with its row: volumes, diameters, number and lobes of tumours, scanner.

The workbook gives no volumes. The collection's segmentations give voxel counts, which become millilitres by a voxel
size: one is drawn among the in-plane sizes and slice distances of the collection's scanners so that the liver has a
plausible volume for the patient's body (doi 10.1053/jlts.2002.31654) and no tumour is wider than the row says.
Without counts, volumes are drawn for the row alone.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from star_core.errors import CohortError, StorageError
from star_core.types import ClinicalRecord, Sex

COUNT_COLUMNS = {
    "liver": "Liver voxels",
    "remnant": "Liver Remnant voxels",
    "hepatic": "Hepatic voxels",
    "portal": "Portal voxels",
    "tumour": "Tumor voxels",
}
PATIENT_COLUMN = "Patient-ID"
IN_PLANE_PIXELS = 512
PIXEL_MM = (0.60, 0.98)
# Slice distances of the collection (1.5 to 7.5 mm; some 1.25), with their rough shares.
SLICE_MM = {1.25: 0.30, 1.5: 0.05, 2.5: 0.12, 3.75: 0.05, 5.0: 0.33, 7.5: 0.15}
LIVER_ML = (750.0, 3000.0)
MAX_TUMOURS = 12
_USUAL_LIVER_ML, _LIVER_SPREAD = 1500.0, 0.20
# Pixel size relative to the body's own scale, so that the field of view holds the body.
_USUAL_PIXEL, _PIXEL_SPREAD = 0.76, 0.06
# An ellipsoid with axes d, b and b fills (b / d)^2 of the ball of diameter d.
_FLATTEST = 0.08


@dataclass(frozen=True, slots=True, kw_only=True)
class VoxelCounts:
    """Voxels of each structure in a patient's segmentation."""

    liver: int
    remnant: int
    hepatic: int
    portal: int
    tumour: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTumour:
    """A tumour to draw: its volume and largest diameter."""

    volume_ml: float
    diameter_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinPlan:
    """All that is to be drawn of one twin; ``contradictions`` say where row and counts cannot both be met."""

    pixel_mm: float
    slice_mm: float
    liver_ml: float
    remnant_ml: float
    hepatic_ml: float
    portal_ml: float
    tumours: tuple[PlannedTumour, ...]
    bilobar: bool
    embolised: bool
    steatosis: bool
    contradictions: tuple[str, ...] = ()

    @property
    def tumour_ml(self) -> float:
        """Volume of all tumours."""
        return sum(tumour.volume_ml for tumour in self.tumours)

    @property
    def largest_mm(self) -> float:
        """Largest diameter of the largest tumour."""
        return max((tumour.diameter_mm for tumour in self.tumours), default=0.0)


def read_voxel_counts(path: Path) -> dict[str, VoxelCounts]:
    """Read a table of voxel counts by patient, with the columns of ``COUNT_COLUMNS`` and ``Patient-ID``.

    Raises
    ------
    StorageError
        When the file cannot be read.
    CohortError
        When a column is missing, a patient is listed twice or a count is not a positive whole number.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StorageError(
            f"The table {path.name!r} cannot be read.", remedy="Choose a CSV file in UTF-8.", details=str(error)
        ) from error
    columns = set(rows[0]) if rows else set()
    if missing := [name for name in (PATIENT_COLUMN, *COUNT_COLUMNS.values()) if name not in columns]:
        raise CohortError(
            f"Table {path.name!r} has no column {missing[0]!r}.",
            remedy=f"Name its columns {PATIENT_COLUMN}, {', '.join(COUNT_COLUMNS.values())}.",
        )
    counts: dict[str, VoxelCounts] = {}
    for row in rows:
        patient_id = str(row[PATIENT_COLUMN]).strip()
        if patient_id in counts:
            raise CohortError(f"Patient {patient_id} stands twice in {path.name!r}.", remedy="Keep one row a patient.")
        counts[patient_id] = _to_counts(patient_id, row)
    return counts


def _to_counts(patient_id: str, row: Mapping[str, str]) -> VoxelCounts:
    values: dict[str, int] = {}
    for name, column in COUNT_COLUMNS.items():
        text = str(row[column]).strip()
        if not text.isdigit():
            raise CohortError(
                f"Patient {patient_id}: {column} is {text!r}, expected a whole number.", remedy="Correct the table."
            )
        values[name] = int(text)
    if values["liver"] == 0:
        raise CohortError(f"Patient {patient_id}: the liver has no voxels.", remedy="Correct the table.")
    return VoxelCounts(**values)


def plan_twin(record: ClinicalRecord, counts: VoxelCounts | None, generator: np.random.Generator) -> TwinPlan:
    """Return what the twin of a row is to look like; missing values of the row are drawn.

    The row's diameter belongs to the largest tumour. Where the segmented volume is more than a ball of that diameter
    holds, the volume is kept and the contradiction told.
    """
    largest_mm = 10.0 * record.largest_tumour_cm if record.largest_tumour_cm else None
    multiple = bool(record.multiple_metastases)
    if counts is None:
        counts = _draw_counts(record, largest_mm, generator)
    pixel_mm, slice_mm = _draw_voxel(record, counts, None if multiple else largest_mm, generator)
    voxel_ml = pixel_mm**2 * slice_mm / 1000.0
    tumours = _plan_tumours(counts.tumour * voxel_ml, largest_mm, multiple, generator)
    found_mm = max((tumour.diameter_mm for tumour in tumours), default=0.0)
    contradictions = []
    if not tumours:
        contradictions.append("no tumour was segmented")
    elif record.largest_tumour_cm == 0.0:
        contradictions.append("the row's largest tumour is 0 cm, but tumour was segmented")
    elif largest_mm is not None and found_mm > 1.02 * largest_mm:
        contradictions.append(
            f"the segmented {counts.tumour * voxel_ml:.1f} ml of tumour need {found_mm:.0f} mm, "
            f"the row's largest is {largest_mm:.0f} mm"
        )
    return TwinPlan(
        pixel_mm=pixel_mm,
        slice_mm=slice_mm,
        liver_ml=counts.liver * voxel_ml,
        remnant_ml=counts.remnant * voxel_ml,
        hepatic_ml=counts.hepatic * voxel_ml,
        portal_ml=counts.portal * voxel_ml,
        tumours=tumours,
        bilobar=bool(record.bilobar_disease),
        embolised=bool(record.portal_vein_embolisation),
        steatosis=bool(record.steatosis),
        contradictions=tuple(contradictions),
    )


def estimate_liver_ml(record: ClinicalRecord) -> float:
    """Return the liver volume expected for a body: 191.8 + 18.51 x weight in kg (doi 10.1053/jlts.2002.31654).

    The row gives a body mass index only; heights are means by sex.
    """
    height_m = 1.63 if record.sex is Sex.FEMALE else 1.76
    return 191.8 + 18.51 * (record.body_mass_index_kg_m2 or 27.0) * height_m**2


def _draw_voxel(
    record: ClinicalRecord, counts: VoxelCounts, solitary_mm: float | None, generator: np.random.Generator
) -> tuple[float, float]:
    """Draw pixel size and slice distance by how plausible liver, field of view and solitary tumour become."""
    pixels_mm = np.arange(PIXEL_MM[0], PIXEL_MM[1] + 1e-9, 0.01)
    pixel, distance = np.meshgrid(pixels_mm, np.array(list(SLICE_MM)), indexing="ij")
    liver_ml = counts.liver * pixel**2 * distance / 1000.0
    scale = np.cbrt(liver_ml / _USUAL_LIVER_ML)
    log_weight = np.log(np.array(list(SLICE_MM.values())))[None, :]
    outside = np.maximum(LIVER_ML[0] - liver_ml, 0.0) + np.maximum(liver_ml - LIVER_ML[1], 0.0)
    log_weight = log_weight - outside
    log_weight = log_weight - 0.5 * np.square(np.log(liver_ml / estimate_liver_ml(record)) / _LIVER_SPREAD)
    log_weight = log_weight - 0.5 * np.square((pixel / scale - _USUAL_PIXEL) / _PIXEL_SPREAD)
    if solitary_mm is not None and counts.tumour > 0:
        excess = np.log(counts.tumour / counts.liver * liver_ml / _ball_ml(solitary_mm))
        log_weight = log_weight - 0.5 * np.square(np.clip(excess, 0.0, 0.5) / 0.15)
    weight = np.exp(log_weight - log_weight.max()).ravel()
    place = int(generator.choice(len(weight), p=weight / weight.sum()))
    return float(pixel.ravel()[place]), float(distance.ravel()[place])


def _draw_counts(record: ClinicalRecord, largest_mm: float | None, generator: np.random.Generator) -> VoxelCounts:
    """Return counts for voxels of 1 mm3 where no segmentation is known, with the collection's usual shares."""
    liver = estimate_liver_ml(record) * float(np.exp(generator.normal(0.0, _LIVER_SPREAD)))
    diameter_mm = largest_mm or float(np.clip(generator.lognormal(3.4, 0.6), 6.0, 110.0))
    tumour = _ball_ml(diameter_mm) * float(generator.uniform(0.3, 0.9))
    tumour = min(tumour * (float(generator.uniform(1.2, 2.0)) if record.multiple_metastases else 1.0), 0.35 * liver)
    kept = generator.beta(6.0, 14.0) if record.portal_vein_embolisation else generator.beta(2.6, 1.3)
    remnant = float(np.clip(kept, 0.18, 0.98)) * (liver - tumour)
    hepatic, portal = liver * generator.lognormal(-4.15, 0.4), liver * generator.lognormal(-4.3, 0.35)
    pixel_mm, slice_mm = 0.75 * float(np.cbrt(liver / _USUAL_LIVER_ML)), 5.0
    per_ml = 1000.0 / (pixel_mm**2 * slice_mm)
    liver_n, remnant_n, hepatic_n, portal_n, tumour_n = (
        round(volume_ml * per_ml) for volume_ml in (liver, remnant, hepatic, portal, tumour)
    )
    return VoxelCounts(liver=liver_n, remnant=remnant_n, hepatic=hepatic_n, portal=portal_n, tumour=max(tumour_n, 1))


def _plan_tumours(
    total_ml: float, largest_mm: float | None, multiple: bool, generator: np.random.Generator
) -> tuple[PlannedTumour, ...]:
    """Share a volume among as many tumours as its largest diameter asks for, at least two when there are several."""
    if total_ml == 0.0:
        return ()
    if not multiple:
        return (_shape(total_ml, largest_mm),)
    if largest_mm is None:
        largest_mm = _ball_mm(total_ml * float(generator.uniform(0.5, 0.8)))
    needed = int(np.ceil(total_ml / (0.6 * _ball_ml(largest_mm))))
    number = int(np.clip(max(needed, 2, 1 + generator.geometric(0.5)), 2, MAX_TUMOURS))
    relative = np.concatenate([[1.0], generator.uniform(0.35, 0.95, number - 1) ** 3])
    # The largest needs enough volume to be as long as the row says.
    least_ml = min(2.0 * _FLATTEST * _ball_ml(largest_mm), 0.9 * total_ml)
    first_ml = min(max(total_ml * relative[0] / relative.sum(), least_ml), _ball_ml(largest_mm))
    others_ml = (total_ml - first_ml) * relative[1:] / relative[1:].sum()
    # What a smaller tumour cannot hold without outgrowing the largest is shared among the rest.
    ceiling_ml = max(0.95 * _ball_ml(largest_mm), float(total_ml - first_ml) / (number - 1))
    for _ in range(number):
        excess_ml = float(np.clip(others_ml - ceiling_ml, 0.0, None).sum())
        others_ml = np.minimum(others_ml, ceiling_ml)
        room_ml = ceiling_ml - others_ml
        if excess_ml < 1e-9 or room_ml.sum() <= 0.0:
            break
        others_ml = others_ml + excess_ml * room_ml / room_ml.sum()
    return (_shape(float(first_ml), largest_mm), *(_shape(float(volume_ml), None) for volume_ml in others_ml))


def _shape(volume_ml: float, diameter_mm: float | None) -> PlannedTumour:
    ball_mm = _ball_mm(volume_ml)
    if diameter_mm is None:
        return PlannedTumour(volume_ml=volume_ml, diameter_mm=ball_mm)
    # Thinner than the flattest, a tumour would be a thread: its diameter gives way.
    longest_mm = _ball_mm(volume_ml / _FLATTEST)
    return PlannedTumour(volume_ml=volume_ml, diameter_mm=float(np.clip(diameter_mm, ball_mm, longest_mm)))


def _ball_ml(diameter_mm: float) -> float:
    return float(np.pi / 6.0 * diameter_mm**3 / 1000.0)


def _ball_mm(volume_ml: float) -> float:
    return float(np.cbrt(volume_ml * 1000.0 * 6.0 / np.pi))
