"""CT volumes and the structures on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from star_core.types.basics import BoolArray, count_values, freeze_arrays
from star_core.types.findings import Finding
from star_core.types.space import Geometry


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
        freeze_arrays(self, "voxels_hu")


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
        freeze_arrays(self, "bits")

    def mask_of(self, structure: Structure) -> BoolArray:
        """Return the boolean (D, H, W) mask of one structure or of the union of several."""
        mask: BoolArray = (self.bits & np.uint8(structure)) != 0
        return mask

    def volume_ml(self, structure: Structure) -> float:
        """Return the volume of a structure in millilitres."""
        return float(np.count_nonzero(self.bits & np.uint8(structure))) * self.geometry.voxel_volume_ml

    def volumes_ml(self) -> dict[Structure, float]:
        """Return the volume of every structure in millilitres, counted in one pass, slice by slice."""
        counts = count_values(self.bits, 255)
        values = np.arange(256)
        return {
            structure: float(counts[(values & int(structure)) != 0].sum()) * self.geometry.voxel_volume_ml
            for structure in STRUCTURES
        }
