"""`star segment`: the liver of a folder as DICOM SEG."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import numpy as np
import pydicom
import pytest
from typer.testing import CliRunner

from star_core import api
from star_core.cli import app
from star_core.dicom.discover import discover_series
from star_core.dicom.read import read_volume
from star_core.dicom.seg import read_masks
from star_core.errors import SegmentationError, StorageError
from star_core.imaging.liver.external import segment_with_totalsegmentator
from star_core.types import BoolArray, Structure, Volume
from tests.core.dicom.factory import build_volume, write_series
from tests.core.imaging.small_patient import draw_small_patient

NAME = "Ännchen"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Volume, BoolArray]:
    """A small synthetic patient's CT as files of another program, with a name that needs another character set."""
    folder = tmp_path_factory.mktemp("study")
    volume, liver = draw_small_patient()

    def change(dataset: pydicom.Dataset, index: int) -> None:
        dataset.PatientName, dataset.PatientID = NAME, "4711"
        dataset.PatientBirthDate, dataset.AccessionNumber = "19500102", "A-1"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"2.25.99.{index + 1}"

    write_series(folder / "ct", change, volume)
    return folder / "ct", volume, liver


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["segment", *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_the_liver_is_written_and_read_back_identical(study: tuple[Path, Volume, BoolArray], tmp_path: Path) -> None:
    folder, _, liver = study
    out = tmp_path / "liver.dcm"
    found = api.segment_folder(folder, out)
    scan = read_volume(discover_series(folder).series[0])
    masks = read_masks(out, scan)
    np.testing.assert_array_equal(masks.mask_of(Structure.LIVER), found.mask)
    assert 2 * (found.mask & liver).sum() / (found.mask.sum() + liver.sum()) > 0.93
    assert masks.findings == ()
    _check_header(out, scan)


def _check_header(out: Path, scan: Volume) -> None:
    """Other readers, highdicom's and GDCM's, see the same voxels, and whose they are."""
    import highdicom as hd
    import SimpleITK as sitk  # noqa: N813

    dataset = hd.seg.segread(out)
    segment = dataset.SegmentSequence[0]
    assert (segment.SegmentAlgorithmType, segment.SegmentAlgorithmName) == ("AUTOMATIC", "STAR Viewer")
    assert str(dataset.PatientName) == NAME
    assert (dataset.PatientID, dataset.PatientBirthDate, dataset.AccessionNumber) == ("4711", "19500102", "A-1")
    assert dataset.StudyInstanceUID == scan.acquisition.study_uid
    referred = {
        item.ReferencedSOPInstanceUID for item in dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    }
    assert referred <= set(scan.acquisition.sop_instance_uids)
    slices = list(scan.acquisition.sop_instance_uids)
    pixels = dataset.get_pixels_by_source_instance(slices, segment_numbers=[1], combine_segments=False)
    masks = read_masks(out, scan)
    liver = masks.mask_of(Structure.LIVER)
    np.testing.assert_array_equal(pixels[..., 0] > 0, liver)
    frames = sitk.GetArrayFromImage(sitk.ReadImage(str(out), imageIO="GDCMImageIO"))
    drawn = liver[liver.any(axis=(1, 2))]
    assert any(np.array_equal(frames > 0, order) for order in (drawn, drawn[::-1]))


def test_clicks_are_taken_and_make_it_semiautomatic(study: tuple[Path, Volume, BoolArray], tmp_path: Path) -> None:
    folder, volume, liver = study
    places = np.argwhere(liver).mean(axis=0)
    inside = ",".join(f"{value:.1f}" for value in volume.geometry.index_to_lps(places))
    out = tmp_path / "liver.dcm"
    code, text = run("--ct", str(folder), "--out", str(out), f"--click={inside}", "--json")
    assert code == 0
    told = json.loads(text)
    assert told["phase"] == "portal-venous"
    assert told["volume_ml"] == pytest.approx(liver.sum() * volume.geometry.voxel_volume_ml, rel=0.1)
    assert "corrected by 1 click" in told["findings"][0]["message"]
    assert pydicom.dcmread(out).SegmentSequence[0].SegmentAlgorithmType == "SEMIAUTOMATIC"


def test_a_scan_without_a_liver_writes_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", volume=build_volume())
    with pytest.raises(SegmentationError, match=r"Nothing was written\. No liver was found.*click"):
        run("--ct", str(tmp_path / "ct"), "--out", str(tmp_path / "liver.dcm"))
    assert not (tmp_path / "liver.dcm").exists()


def test_a_file_that_exists_is_kept(tmp_path: Path) -> None:
    (tmp_path / "liver.dcm").write_bytes(b"other")
    with pytest.raises(StorageError, match="already exists"):
        run("--ct", str(tmp_path), "--out", str(tmp_path / "liver.dcm"))


@pytest.mark.parametrize("words", [("--click", "1,2"), ("--click-out", "a,b,c"), ("--method", "magic")])
def test_words_that_mean_nothing_are_told(words: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(SegmentationError, match=r"x,y,z|classical"):
        run("--ct", str(tmp_path), "--out", str(tmp_path / "liver.dcm"), *words)


def test_totalsegmentator_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SegmentationError, match=r"not installed.*classical"):
        segment_with_totalsegmentator(build_volume())


@pytest.mark.skipif(os.name != "posix", reason="the fake program is a shell script")
def test_totalsegmentator_is_run_where_it_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _install_fake(monkeypatch, tmp_path, 'mkdir -p "$4" && cp "$2" "$4/liver.nii.gz"')
    volume = build_volume()
    found = segment_with_totalsegmentator(volume)
    np.testing.assert_array_equal(found.mask, volume.voxels_hu > 0)
    assert "TotalSegmentator" in found.findings[0].message


@pytest.mark.skipif(os.name != "posix", reason="the fake program is a shell script")
def test_totalsegmentator_that_fails_or_lacks_its_weights_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _install_fake(monkeypatch, tmp_path, "echo out of memory >&2; exit 1")
    with pytest.raises(SegmentationError, match="failed") as caught:
        segment_with_totalsegmentator(build_volume())
    assert "out of memory" in caught.value.details
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", str(tmp_path / "none"))
    with pytest.raises(SegmentationError, match="without its weights"):
        segment_with_totalsegmentator(build_volume())


def _install_fake(monkeypatch: pytest.MonkeyPatch, folder: Path, body: str) -> None:
    (folder / "weights" / "Dataset291").mkdir(parents=True)
    program = folder / "TotalSegmentator"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", str(folder / "weights"))
