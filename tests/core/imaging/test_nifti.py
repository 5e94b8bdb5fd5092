"""NIfTI in and out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from star_core.errors import StarError, StorageError
from star_core.imaging.nifti import read_nifti_volume, write_nifti_series
from star_core.types import Geometry


def build_geometry() -> Geometry:
    affine_lps = np.array([[0, 0, 0.8, -10.0], [0, 0.9, 0, 20.0], [3.0, 0, 0, -50.0], [0, 0, 0, 1.0]])
    return Geometry(shape=(4, 6, 8), affine_lps=affine_lps)


def test_a_series_of_maps_lies_where_its_geometry_says(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((12, 4, 6, 8), np.float32)
    write_nifti_series(values, build_geometry(), tmp_path / "map.nii.gz")
    image = sitk.ReadImage(str(tmp_path / "map.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), values)
    place = image.TransformIndexToPhysicalPoint((7, 5, 3, 0))[:3]
    np.testing.assert_allclose(place, build_geometry().index_to_lps(np.array([3.0, 5.0, 7.0])), atol=1e-4)


def test_a_map_that_was_not_written_whole_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_half(image: sitk.Image, name: str, **_: object) -> None:
        Path(name).write_bytes(bytes(10))

    monkeypatch.setattr(sitk, "WriteImage", write_half)
    with pytest.raises(StorageError, match="not be written whole"):
        write_nifti_series(np.zeros((2, 4, 6, 8), np.float32), build_geometry(), tmp_path / "map.nii.gz")


@pytest.mark.parametrize("content", [b"", b"not an image at all", bytes(400)])
def test_a_damaged_image_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "scan.nii").write_bytes(content)
    with pytest.raises(StarError) as caught:
        read_nifti_volume(tmp_path / "scan.nii")
    assert "scan.nii" in caught.value.message


def test_an_image_of_one_slice_is_refused(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((1, 8, 8), np.int16)), str(tmp_path / "scan.nii"))
    with pytest.raises(StarError, match="expected one volume"):
        read_nifti_volume(tmp_path / "scan.nii")
