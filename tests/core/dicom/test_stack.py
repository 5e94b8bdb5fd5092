"""What a series must be like to form a volume, and the message where it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from star_core.dicom.discover import discover_series
from star_core.dicom.read import read_volume
from star_core.errors import (
    DuplicateSlicesError,
    GantryTiltError,
    MixedSlicesError,
    NotCtError,
    SeriesGeometryError,
    SliceGapError,
    StarError,
)
from tests.core.dicom.factory import Change, codes_of, read_folder, write_series


def _move(dataset: pydicom.Dataset, offset_mm: tuple[float, float, float]) -> None:
    position = np.array([float(v) for v in dataset.ImagePositionPatient]) + offset_mm
    dataset.ImagePositionPatient = [f"{v:.4f}" for v in position]


def _tilt(dataset: pydicom.Dataset, index: int) -> None:
    _move(dataset, (0.0, 0.4 * index, 0.0))


def _jitter(dataset: pydicom.Dataset, index: int) -> None:
    _move(dataset, (5.0 * (index == 3), 0.0, 0.0))


def _uneven(dataset: pydicom.Dataset, index: int) -> None:
    _move(dataset, (0.0, 0.0, 1.2 * (index % 2)))


def _mixed_orientation(dataset: pydicom.Dataset, index: int) -> None:
    if index == 5:
        dataset.ImageOrientationPatient = ["1", "0", "0", "0", "0", "-1"]


def _mixed_size(dataset: pydicom.Dataset, index: int) -> None:
    if index == 5:
        dataset.Rows = 20
        dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 2]


def _mixed_spacing(dataset: pydicom.Dataset, index: int) -> None:
    if index > 3:
        dataset.PixelSpacing = ["1", "1"]


def _no_position(dataset: pydicom.Dataset, index: int) -> None:
    if index == 2:
        del dataset.ImagePositionPatient


def _nan_spacing(dataset: pydicom.Dataset, index: int) -> None:
    dataset.PixelSpacing = ["0", "0"]


def _not_square_axes(dataset: pydicom.Dataset, index: int) -> None:
    dataset.ImageOrientationPatient = ["1", "0", "0", "1", "0", "0"]


def _all_localizers(dataset: pydicom.Dataset, index: int) -> None:
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]


def _other_modality(dataset: pydicom.Dataset, index: int) -> None:
    dataset.Modality = "MR"
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (_tilt, GantryTiltError, "tilted by 9.1 degrees"),
        (_jitter, MixedSlicesError, "shifted sideways by up to 5.0 mm"),
        (_uneven, SliceGapError, "uneven slice spacing from 1.3 to 3.7 mm"),
        (_mixed_orientation, MixedSlicesError, "differ in orientation"),
        (_mixed_size, MixedSlicesError, "7 of 40 x 48, 1 of 20 x 48"),
        (_mixed_spacing, MixedSlicesError, "differ in pixel spacing"),
        (_no_position, SeriesGeometryError, "1 of 8 slices have no readable position"),
        (_nan_spacing, SeriesGeometryError, "not positive"),
        (_not_square_axes, SeriesGeometryError, "right angles"),
        (_all_localizers, NotCtError, "only localizer"),
    ],
)
def test_what_forms_no_volume_is_refused_by_name(
    tmp_path: Path, change: Change, error: type[StarError], words: str
) -> None:
    write_series(tmp_path, change)
    (series,) = discover_series(tmp_path).series
    with pytest.raises(error) as caught:
        read_volume(series)
    assert words in caught.value.message
    assert "Series 1 (portal venous)" in caught.value.message
    assert caught.value.remedy


def test_another_modality_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path, _other_modality)
    (series,) = discover_series(tmp_path).series
    assert series.modality == "MR"
    with pytest.raises(NotCtError, match="MR, expected CT"):
        read_volume(series)


def test_a_lost_slice_is_a_gap_with_its_place(tmp_path: Path) -> None:
    write_series(tmp_path)
    sorted(tmp_path.iterdir())[4].unlink()
    with pytest.raises(SliceGapError, match=r"5\.0 mm gap after slice 4 of 7, expected 2\.5 mm") as caught:
        read_folder(tmp_path)
    assert "accept interpolation" in caught.value.remedy


def test_an_accepted_gap_is_filled_between_its_neighbours(tmp_path: Path) -> None:
    volume = write_series(tmp_path)
    sorted(tmp_path.iterdir())[4].unlink()
    (series,) = discover_series(tmp_path).series
    filled = read_volume(series, interpolate_gaps=True)
    assert filled.geometry.is_close_to(volume.geometry)
    between = np.rint(volume.voxels_hu[[3, 5]].mean(axis=0))
    np.testing.assert_allclose(filled.voxels_hu[4], between, atol=1)
    np.testing.assert_array_equal(filled.voxels_hu[5], volume.voxels_hu[5])
    assert "slices-interpolated" in codes_of(filled)


def test_a_single_slice_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path)
    for path in sorted(tmp_path.iterdir())[1:]:
        path.unlink()
    with pytest.raises(SeriesGeometryError, match="single slice"):
        read_folder(tmp_path)


def test_slightly_uneven_slices_are_read_with_a_warning(tmp_path: Path) -> None:
    write_series(tmp_path, lambda d, i: _move(d, (0.0, 0.0, 0.1 * (i % 2))))
    assert "slice-spacing-uneven" in codes_of(read_folder(tmp_path))


def test_exact_duplicates_are_left_out_and_others_refused(tmp_path: Path) -> None:
    volume = write_series(tmp_path)
    copy = pydicom.dcmread(sorted(tmp_path.iterdir())[3])
    copy.SOPInstanceUID = copy.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    copy.save_as(tmp_path / "copy.dcm")
    read = read_folder(tmp_path)
    np.testing.assert_array_equal(read.voxels_hu, volume.voxels_hu)
    assert "duplicate-slices" in codes_of(read)
    copy.PixelData = bytes(len(copy.PixelData))
    copy.save_as(tmp_path / "copy.dcm")
    with pytest.raises(DuplicateSlicesError, match="slices 4 and 5 of 9"):
        read_folder(tmp_path)


def test_a_localizer_among_slices_is_left_out(tmp_path: Path) -> None:
    volume = write_series(tmp_path)
    scout = pydicom.dcmread(sorted(tmp_path.iterdir())[0])
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    scout.SOPInstanceUID = scout.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    scout.save_as(tmp_path / "scout.dcm")
    read = read_folder(tmp_path)
    assert read.geometry.shape == volume.geometry.shape
    assert "localizer-left-out" in codes_of(read)
