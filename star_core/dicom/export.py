"""DICOM objects of our own: CT series and segmentations."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid

import star_core
from star_core.dicom.study import StudyHeader
from star_core.types import STRUCTURES, BoolArray, Masks, Structure, Volume

_MANUFACTURER = "STAR Viewer"
_LABELS = {
    Structure.LIVER: ("Liver", "10200004", "Liver"),
    Structure.REMNANT: ("Liver Remnant", "10200004", "Liver"),
    Structure.HEPATIC_VEINS: ("Hepatic", "8993003", "Hepatic vein"),
    Structure.PORTAL_VEINS: ("Portal", "32764006", "Portal vein"),
    Structure.TUMOUR: ("Tumor_1", "4147007", "Mass"),
}
_SHOWN_HU = (40, 400)


def write_ct_series(volume: Volume, folder: Path, *, patient_id: str, patient_name: str = "") -> list[Path]:
    """Write a volume as CT Image Storage, explicit VR little endian, one file a slice, numbered.

    UIDs follow from the series UID, so the same volume gives the same objects. Returns the files in slice order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index in range(volume.geometry.shape[0]):
        path = folder / f"{index + 1:04d}.dcm"
        _build_slice(volume, index, patient_id, patient_name).save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def write_segmentation(
    masks: Masks,
    volume: Volume,
    path: Path,
    *,
    patient_id: str,
    patient_name: str = "",
    study: StudyHeader | None = None,
    automatic: bool = False,
) -> None:
    """Write structures as a binary, overlapping DICOM Segmentation of a CT series, with highdicom.

    Parameters
    ----------
    masks, volume
        Structures on the CT's grid, and the CT.
    patient_id, patient_name
        Whose they are, where there is no ``study``.
    study
        The patient and study of a CT that was read from files; the object refers to that CT's own slices.
    automatic
        Whether a program drew them and no reader changed them (PS3.3 C.8.20.2, SegmentAlgorithmType).
    """
    present = [structure for structure in STRUCTURES if masks.known & structure]
    write_segments(
        np.stack([masks.mask_of(structure) for structure in present], axis=-1),
        [_LABELS[structure] for structure in present],
        volume,
        path,
        series_uid=masks.series_uid,
        description="Automatic segmentation" if automatic else "Segmentation",
        patient_id=patient_id,
        patient_name=patient_name,
        study=study,
        automatic=automatic,
    )


def write_segments(
    masks: BoolArray,
    labels: Sequence[tuple[str, str, str]],
    volume: Volume,
    path: Path,
    *,
    series_uid: str,
    description: str,
    patient_id: str,
    patient_name: str = "",
    study: StudyHeader | None = None,
    automatic: bool = False,
) -> None:
    """Write masks, bool (D, H, W, N), as a binary DICOM Segmentation of a CT series.

    ``labels`` are N labels, each with the SNOMED CT code of what it shows and that code's meaning; ``series_uid`` may
    be empty for a new one. The rest is as for :func:`write_segmentation`.
    """
    import highdicom as hd

    slices = [
        _build_slice(volume, index, patient_id, patient_name, with_pixels=False)
        for index in range(volume.geometry.shape[0])
    ]
    if study is not None:
        _refer_to_study(slices, volume, study)
    algorithm = hd.AlgorithmIdentificationSequence(
        name="STAR Viewer", version=star_core.__version__, family=hd.sr.CodedConcept("113076", "DCM", "Segmentation")
    )
    with warnings.catch_warnings():
        # It would print a patient's name that has one component.
        warnings.filterwarnings("ignore", message="The string", category=UserWarning)
        segmentation = hd.seg.Segmentation(
            source_images=slices,
            pixel_array=masks.astype(np.uint8),
            segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=[
                hd.seg.SegmentDescription(
                    segment_number=number,
                    segment_label=label,
                    segmented_property_category=hd.sr.CodedConcept("123037004", "SCT", "Anatomical Structure"),
                    segmented_property_type=hd.sr.CodedConcept(code, "SCT", meaning),
                    algorithm_type=hd.seg.SegmentAlgorithmTypeValues["AUTOMATIC" if automatic else "SEMIAUTOMATIC"],
                    algorithm_identification=algorithm,
                )
                for number, (label, code, meaning) in enumerate(labels, start=1)
            ],
            series_instance_uid=series_uid or generate_uid(),
            # Number 100 and "Segmentation" mark the experts' drawings of the collection.
            series_number=100 if study is None else 300,
            series_description=description,
            sop_instance_uid=generate_uid(entropy_srcs=None if study else [series_uid or volume.series_uid, "seg"]),
            instance_number=1,
            manufacturer=_MANUFACTURER,
            manufacturer_model_name=_MANUFACTURER,
            software_versions=star_core.__version__,
            device_serial_number="1",
            content_label="RESEARCH",
            content_description="Research use only",
        )
    segmentation.save_as(path)


def _refer_to_study(slices: list[FileDataset], volume: Volume, study: StudyHeader) -> None:
    """Give slices that stand for a CT's own the patient, the study and the instances of that CT."""
    instances = volume.acquisition.sop_instance_uids
    # The frames of a multi-frame CT share one instance, which a segmentation of single slices cannot name.
    instances = instances if len(set(instances)) == len(slices) else ()
    for index, dataset in enumerate(slices):
        dataset.PatientID = dataset.PatientName = ""
        for keyword, value in study.elements.items():
            # What breaks its element's own rules (PS3.5 6.2) cannot be written again, and is left out.
            with contextlib.suppress(ValueError):
                setattr(dataset, keyword, value)
        if instances:
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(instances[index])


def _build_slice(
    volume: Volume, index: int, patient_id: str, patient_name: str, *, with_pixels: bool = True
) -> FileDataset:
    acquisition, affine = volume.acquisition, volume.geometry.affine_lps
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[volume.series_uid, str(index)])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    slice_mm, row_mm, column_mm = volume.geometry.spacing_mm
    dataset.update(_header(volume, index, patient_id, patient_name))
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.SliceThickness = _decimal(acquisition.slice_thickness_mm or slice_mm)
    dataset.SpacingBetweenSlices = _decimal(slice_mm)
    dataset.PixelSpacing = [_decimal(row_mm), _decimal(column_mm)]
    row_direction, column_direction = affine[:3, 2] / column_mm, affine[:3, 1] / row_mm
    dataset.ImageOrientationPatient = [_decimal(value) for value in (*row_direction, *column_direction)]
    position = affine[:3, 3] + index * affine[:3, 0]
    dataset.ImagePositionPatient = [_decimal(value) for value in position]
    dataset.Rows, dataset.Columns = volume.geometry.shape[1:]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation, dataset.SamplesPerPixel = 1, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "HU"
    dataset.WindowCenter, dataset.WindowWidth = (str(value) for value in _SHOWN_HU)
    if with_pixels:
        dataset.PixelData = volume.voxels_hu[index].astype("<i2").tobytes()
    return dataset


def _header(volume: Volume, index: int, patient_id: str, patient_name: str) -> pydicom.Dataset:
    acquisition = volume.acquisition
    today = date(2000, 1, 1).strftime("%Y%m%d")
    header = pydicom.Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    header.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    header.StudyDate = header.SeriesDate = header.ContentDate = today
    header.StudyTime = header.SeriesTime = header.ContentTime = "000000"
    header.AccessionNumber = header.StudyID = header.ReferringPhysicianName = ""
    header.Modality = "CT"
    header.Manufacturer = _MANUFACTURER
    header.StudyDescription = header.SeriesDescription = acquisition.series_description
    header.PatientName, header.PatientID = patient_name or f"{patient_id}^", patient_id
    header.PatientBirthDate = header.PatientSex = ""
    header.StudyInstanceUID = acquisition.study_uid or generate_uid(entropy_srcs=[volume.series_uid, "study"])
    header.SeriesInstanceUID = volume.series_uid
    header.FrameOfReferenceUID = acquisition.frame_of_reference_uid or generate_uid(
        entropy_srcs=[volume.series_uid, "frame"]
    )
    header.PositionReferenceIndicator = ""
    header.SeriesNumber, header.InstanceNumber, header.AcquisitionNumber = 1, index + 1, 1
    header.PatientPosition = acquisition.patient_position or "HFS"
    header.KVP = ""
    header.BurnedInAnnotation = "NO"
    return header


def _decimal(value: float) -> str:
    """Return a decimal string of at most 16 characters (PS3.5 6.2, DS)."""
    # Without rounding, a residue such as -1e-170 needs a third digit of exponent and no longer fits.
    return pydicom.valuerep.format_number_as_ds(round(float(value), 10) + 0.0)
