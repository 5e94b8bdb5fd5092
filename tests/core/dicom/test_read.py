"""From the files of a series to HU on a grid, whatever the files are like."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from star_core.dicom.discover import discover_series
from star_core.dicom.read import read_volume
from star_core.dicom.stack import arrange_slices
from star_core.errors import CancelledError, DecodingError, DicomError
from star_core.types import Geometry
from tests.conftest import real_data
from tests.core.dicom.factory import SHAPE, SPACING_MM, build_volume, codes_of, read_folder, write_series
from tests.strategies import geometries


def test_a_series_is_read_as_it_was_written(tmp_path: Path) -> None:
    volume = write_series(tmp_path)
    read = read_folder(tmp_path)
    np.testing.assert_array_equal(read.voxels_hu, volume.voxels_hu)
    assert read.geometry.is_close_to(volume.geometry)
    assert read.geometry.spacing_mm == pytest.approx(SPACING_MM)
    assert read.findings == ()
    assert read.series_uid == volume.series_uid


@given(geometry=geometries(max_size=5))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_oblique_grid_comes_back(tmp_path: Path, geometry: Geometry) -> None:
    depth, height, width = geometry.shape
    geometry = Geometry(shape=(depth + 1, height, width), affine_lps=_right_handed(geometry.affine_lps))
    folder = tmp_path / "series"
    shutil.rmtree(folder, ignore_errors=True)
    write_series(folder, volume=build_volume(geometry))
    assert read_folder(folder).geometry.is_close_to(geometry, tolerance_mm=0.02)


def _right_handed(affine_lps: np.ndarray) -> np.ndarray:
    """Slices ascend along row x column direction, as they are sorted on reading."""
    affine_lps = affine_lps.copy()
    normal = np.cross(affine_lps[:3, 2], affine_lps[:3, 1])
    affine_lps[:3, 0] = normal / np.linalg.norm(normal) * np.linalg.norm(affine_lps[:3, 0])
    return affine_lps


def test_order_of_files_names_and_instance_numbers_does_not_matter(tmp_path: Path) -> None:
    volume = write_series(tmp_path / "a", lambda d, i: setattr(d, "InstanceNumber", 100 - i))
    names = np.random.default_rng(1).permutation(SHAPE[0])
    for number, path in zip(names, sorted((tmp_path / "a").iterdir()), strict=True):
        target = tmp_path / "b" / f"deep{number % 3}" / f"IM{number}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
    (tmp_path / "b" / "notes.txt").write_text("not DICOM")
    np.testing.assert_array_equal(read_folder(tmp_path / "b").voxels_hu, volume.voxels_hu)


def test_reversed_slices_give_the_same_volume(tmp_path: Path) -> None:
    volume = build_volume()
    write_series(tmp_path, volume=volume)
    paths = sorted(tmp_path.iterdir())
    for index, path in enumerate(paths):
        path.rename(tmp_path / f"z{len(paths) - index:03d}")
    read = read_folder(tmp_path)
    np.testing.assert_array_equal(read.voxels_hu, volume.voxels_hu)
    assert read.geometry.is_close_to(volume.geometry)


def _store_unsigned(dataset: pydicom.Dataset, index: int) -> None:
    stored = np.frombuffer(dataset.PixelData, "<i2").astype(np.int32) + 1024
    dataset.PixelData = stored.astype("<u2").tobytes()
    dataset.PixelRepresentation, dataset.RescaleIntercept = 0, "-1024"


def _store_doubled(dataset: pydicom.Dataset, index: int) -> None:
    stored = np.frombuffer(dataset.PixelData, "<i2") * 2
    dataset.PixelData = stored.astype("<i2").tobytes()
    dataset.RescaleSlope = "0.5"


def _store_own_intercept(dataset: pydicom.Dataset, index: int) -> None:
    stored = np.frombuffer(dataset.PixelData, "<i2").astype(np.int32) + 10 * index
    dataset.PixelData = stored.astype("<i2").tobytes()
    dataset.RescaleIntercept = str(-10 * index)


def _store_twelve_bits(dataset: pydicom.Dataset, index: int) -> None:
    _store_unsigned(dataset, index)
    stored = np.frombuffer(dataset.PixelData, "<u2") | 0xA000  # overlay bits above the stored ones
    dataset.PixelData = stored.tobytes()
    dataset.BitsStored, dataset.HighBit = 12, 11


@pytest.mark.parametrize("change", [_store_unsigned, _store_doubled, _store_own_intercept, _store_twelve_bits])
def test_stored_values_become_hounsfield_units(tmp_path: Path, change: object) -> None:
    volume = write_series(tmp_path, change)  # type: ignore[arg-type]
    np.testing.assert_array_equal(read_folder(tmp_path).voxels_hu, volume.voxels_hu)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_other_encodings_are_read(tmp_path: Path, syntax: str) -> None:
    def encode(dataset: pydicom.Dataset, index: int) -> None:
        dataset.file_meta.TransferSyntaxUID = syntax

    volume = write_series(tmp_path, encode)
    read = read_folder(tmp_path)
    np.testing.assert_array_equal(read.voxels_hu, volume.voxels_hu)
    assert read.acquisition.transfer_syntax_uid == syntax


def test_big_endian_is_read(tmp_path: Path) -> None:
    volume = write_series(tmp_path)
    for path in list(tmp_path.iterdir()):
        dataset = pydicom.dcmread(path)
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<i2").astype(">i2").tobytes()
        dataset["PixelData"].VR = "OW"
        dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        pydicom.dcmwrite(path, dataset, little_endian=False, implicit_vr=False)
    np.testing.assert_array_equal(read_folder(tmp_path).voxels_hu, volume.voxels_hu)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless], ids=["j2k", "jls", "rle"])
def test_compressed_series_are_read(tmp_path: Path, syntax: str) -> None:
    def compress(dataset: pydicom.Dataset, index: int) -> None:
        _store_unsigned(dataset, index)
        dataset.compress(syntax, generate_instance_uid=False)

    volume = write_series(tmp_path, compress)
    np.testing.assert_array_equal(read_folder(tmp_path).voxels_hu, volume.voxels_hu)


@pytest.mark.skipif(shutil.which("dcmcjpeg") is None, reason="dcmtk is not installed")
@pytest.mark.parametrize("process", ["+e1", "+el"])
def test_jpeg_lossless_is_read(tmp_path: Path, process: str) -> None:
    volume = write_series(tmp_path, _store_unsigned)
    for path in list(tmp_path.iterdir()):
        subprocess.run(["dcmcjpeg", process, str(path), str(path)], check=True, capture_output=True)
    read = read_folder(tmp_path)
    np.testing.assert_array_equal(read.voxels_hu, volume.voxels_hu)
    assert read.acquisition.transfer_syntax_uid.startswith("1.2.840.10008.1.2.4")


def test_a_missing_rescale_is_told(tmp_path: Path) -> None:
    def forget(dataset: pydicom.Dataset, index: int) -> None:
        del dataset.RescaleSlope
        del dataset.RescaleIntercept

    write_series(tmp_path, forget)
    assert "missing-rescale" in codes_of(read_folder(tmp_path))


# --------------------------------------------------------------------------- damage


def _cut(path: Path, bytes_kept: int) -> None:
    path.write_bytes(path.read_bytes()[:bytes_kept])


def test_truncated_pixels_are_told(tmp_path: Path) -> None:
    write_series(tmp_path)
    path = sorted(tmp_path.iterdir())[3]
    _cut(path, path.stat().st_size - 100)
    with pytest.raises(DicomError):
        read_folder(tmp_path)


def test_a_truncated_compressed_stream_is_told(tmp_path: Path) -> None:
    def damage(dataset: pydicom.Dataset, index: int) -> None:
        _store_unsigned(dataset, index)
        dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
        if index == 2:
            frame = next(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=1))
            dataset.PixelData = pydicom.encaps.encapsulate([frame[:60]])

    write_series(tmp_path, damage)
    with pytest.raises(DecodingError) as caught:
        read_folder(tmp_path)
    assert "Slice with instance number 3" in caught.value.message


def test_half_copied_slices_are_told(tmp_path: Path) -> None:
    write_series(tmp_path)
    for path in sorted(tmp_path.iterdir())[4:]:
        _cut(path, 300)
    with pytest.raises(DecodingError, match="4 damaged file") as caught:
        read_folder(tmp_path)
    assert "copied only in part" in caught.value.message
    (series,) = discover_series(tmp_path).by_modality("CT")
    assert "broken-files" in codes_of(read_volume(series, interpolate_gaps=True))


def test_reading_can_be_cancelled(tmp_path: Path) -> None:
    write_series(tmp_path)

    def cancel(done: int, total: int) -> None:
        raise CancelledError("Cancelled.")

    with pytest.raises(CancelledError):
        read_volume(discover_series(tmp_path).by_modality("CT")[0], cancel)


# --------------------------------------------------------------------------- real scans


@pytest.mark.parametrize(
    ("folder", "shape", "spacing_mm"),
    [
        ("ct/ircad-17", (119, 512, 512), 1.6),
        ("ct/chaos-3", (78, 512, 512), 2.0),
        ("ct/totalsegmentator-example/example_ct_dicom", (20, None, None), None),
    ],
)
def test_real_series_are_read_as_an_independent_reader_reads_them(
    folder: str, shape: tuple[int | None, ...], spacing_mm: float | None
) -> None:
    import SimpleITK as sitk  # noqa: N813

    (series,) = discover_series(real_data(folder)).by_modality("CT")
    volume = read_volume(series)
    for found, expected in zip(volume.geometry.shape, shape, strict=True):
        assert expected is None or found == expected
    assert spacing_mm is None or volume.geometry.spacing_mm[0] == pytest.approx(spacing_mm, abs=0.01)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(header.path) for header in arrange_slices(series).headers])
    image = reader.Execute()
    peer = sitk.GetArrayFromImage(image)
    np.testing.assert_array_equal(volume.voxels_hu, np.rint(peer).astype(np.int16))
    np.testing.assert_allclose(volume.geometry.affine_lps[:3, 3], image.GetOrigin(), atol=1e-3)
    assert -1100 < np.percentile(volume.voxels_hu, 5) < -800
    assert 0 < np.percentile(volume.voxels_hu[len(volume.voxels_hu) // 2, 200:300, 200:300], 60) < 300
