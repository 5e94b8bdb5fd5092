"""Small CT series on disk, and ways to change their files as scanners and accidents do."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import EnhancedCTImageStorage

from star_core.dicom.discover import discover_series
from star_core.dicom.export import write_ct_series
from star_core.dicom.read import read_volume
from star_core.types import Acquisition, Geometry, Volume

SHAPE = (8, 40, 48)
SPACING_MM = (2.5, 0.8, 0.7)
Change = Callable[[pydicom.Dataset, int], None]


def build_geometry(shape: tuple[int, int, int] = SHAPE) -> Geometry:
    affine_lps = np.zeros((4, 4))
    affine_lps[2, 0], affine_lps[1, 1], affine_lps[0, 2] = SPACING_MM
    affine_lps[:, 3] = [-7.0, -6.4, -100.0, 1.0]
    return Geometry(shape=shape, affine_lps=affine_lps)


def build_volume(geometry: Geometry | None = None, *, series_uid: str = "2.25.1001") -> Volume:
    geometry = geometry or build_geometry()
    generator = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(geometry.shape[0]) * 40, np.zeros(geometry.shape[1:]))
    voxels = (smooth + generator.integers(-200, 200, geometry.shape)).astype(np.int16)
    voxels[:, 0, 0] = -1024
    acquisition = Acquisition(study_uid="2.25.1", frame_of_reference_uid="2.25.2", series_description="portal venous")
    return Volume(voxels_hu=voxels, geometry=geometry, series_uid=series_uid, acquisition=acquisition)


def write_series(folder: Path, change: Change | None = None, volume: Volume | None = None) -> Volume:
    """Write a series, each slice changed by ``change(dataset, index)``; return the volume as it should be read."""
    volume = volume or build_volume()
    paths = write_ct_series(volume, folder, patient_id="P1")
    if change is not None:
        change_files(paths, change)
    return volume


def change_files(paths: list[Path], change: Change) -> None:
    for index, path in enumerate(paths):
        dataset = pydicom.dcmread(path)
        change(dataset, index)
        dataset.save_as(path)


def read_folder(folder: Path) -> Volume:
    (series,) = discover_series(folder).by_modality("CT")
    return read_volume(series)


def codes_of(volume: Volume) -> set[str]:
    return {finding.code for finding in volume.findings}


def write_enhanced(
    classic: Path, path: Path, change: Callable[[pydicom.Dataset], None] | None = None, *, seed: int = 0
) -> None:
    """Write the slices of a folder as one Enhanced CT, its frames in an order by seed, pixels first changed."""
    slices = [pydicom.dcmread(file) for file in sorted(classic.iterdir())]
    slices = [slices[place] for place in np.random.default_rng(seed).permutation(len(slices))]
    enhanced = copy.deepcopy(slices[0])
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept"):
        del enhanced[name]
    enhanced.file_meta.MediaStorageSOPClassUID = enhanced.SOPClassUID = EnhancedCTImageStorage
    enhanced.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "NONE"]
    enhanced.NumberOfFrames = len(slices)
    enhanced.PixelData = b"".join(one.PixelData for one in slices)
    shared = pydicom.Dataset()
    shared.PixelMeasuresSequence = [_group(PixelSpacing=slices[0].PixelSpacing, SliceThickness="2.5")]
    shared.PlaneOrientationSequence = [_group(ImageOrientationPatient=slices[0].ImageOrientationPatient)]
    enhanced.SharedFunctionalGroupsSequence = [shared]
    enhanced.PerFrameFunctionalGroupsSequence = [_describe_frame(one) for one in slices]
    if change is not None:
        change(enhanced)
    syntax = enhanced.file_meta.TransferSyntaxUID
    pydicom.dcmwrite(path, enhanced, little_endian=syntax.is_little_endian, implicit_vr=syntax.is_implicit_VR)


def _describe_frame(one: pydicom.Dataset) -> pydicom.Dataset:
    frame = pydicom.Dataset()
    frame.PlanePositionSequence = [_group(ImagePositionPatient=one.ImagePositionPatient)]
    frame.PixelValueTransformationSequence = [
        _group(RescaleSlope=one.RescaleSlope, RescaleIntercept=one.RescaleIntercept, RescaleType="HU")
    ]
    frame.FrameContentSequence = [_group(StackID="1", TemporalPositionIndex=1)]
    frame.CTImageFrameTypeSequence = [_group(FrameType=["ORIGINAL", "PRIMARY", "AXIAL", "NONE"])]
    return frame


def _group(**values: object) -> pydicom.Dataset:
    group = pydicom.Dataset()
    for name, value in values.items():
        setattr(group, name, value)
    return group
