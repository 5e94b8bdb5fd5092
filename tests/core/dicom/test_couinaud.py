"""Couinaud's segments as DICOM: coded, read back as they were, and known as the liver."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from star_core import api
from star_core.dicom.couinaud import read_couinaud, write_couinaud
from star_core.dicom.discover import discover_series
from star_core.dicom.export import write_segmentation
from star_core.dicom.read import read_volume
from star_core.dicom.seg import choose_segmentation, read_masks
from star_core.errors import SegmentationError, StorageError
from star_core.imaging.couinaud.segments import segment_couinaud
from star_core.types import Case, Structure, Volume
from tests.core.dicom.factory import read_folder, write_series
from tests.core.dicom.test_seg import build_masks, change_seg


@pytest.fixture
def scan(tmp_path: Path) -> tuple[Volume, Case]:
    write_series(tmp_path / "ct")
    volume = read_folder(tmp_path / "ct")
    return volume, Case(case_id="P1", scans={0: volume}, masks=build_masks(volume))


def test_segments_come_back_as_they_were_written(tmp_path: Path, scan: tuple[Volume, Case]) -> None:
    volume, case = scan
    assert case.masks is not None
    segments = segment_couinaud(case.masks)
    write_couinaud(segments, volume, tmp_path / "seg.dcm", patient_id="P1")
    np.testing.assert_array_equal(read_couinaud(tmp_path / "seg.dcm", volume), segments.labels)
    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    codes = [item.SegmentedPropertyTypeCodeSequence[0] for item in dataset.SegmentSequence]
    assert all(code.CodingSchemeDesignator == "SCT" for code in codes)
    assert codes[-1].CodeMeaning.startswith("Couinaud hepatic segment")
    assert {item.SegmentAlgorithmType for item in dataset.SegmentSequence} == {"AUTOMATIC"}


def test_a_case_opened_with_its_segments_has_their_liver(tmp_path: Path, scan: tuple[Volume, Case]) -> None:
    volume, case = scan
    assert case.masks is not None
    write_couinaud(segment_couinaud(case.masks), volume, tmp_path / "seg.dcm", patient_id="P1")
    masks = read_masks(tmp_path / "seg.dcm", volume)
    assert masks.known == Structure.LIVER
    np.testing.assert_array_equal(masks.mask_of(Structure.LIVER), case.masks.mask_of(Structure.LIVER))
    assert masks.findings == ()


def test_segments_lie_in_the_scans_own_study_and_nothing_is_written_over(
    tmp_path: Path, scan: tuple[Volume, Case]
) -> None:
    _, case = scan
    out = tmp_path / "segments.dcm"
    api.write_segments(case, out, ct=api.find_ct_file(tmp_path / "ct", None))
    ct, seg = pydicom.dcmread(next((tmp_path / "ct").iterdir())), pydicom.dcmread(out)
    assert (seg.StudyInstanceUID, seg.PatientID) == (ct.StudyInstanceUID, ct.PatientID)
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == ct.SeriesInstanceUID
    before = out.read_bytes()
    with pytest.raises(StorageError, match="already exists"):
        api.write_segments(case, out)
    assert out.read_bytes() == before


def test_a_segmentation_with_more_than_segments_goes_first(tmp_path: Path, scan: tuple[Volume, Case]) -> None:
    volume, case = scan
    assert case.masks is not None
    for uid in ("2.25.1", "2.25.999"):
        other = tmp_path / "ct" / f"{uid}.dcm"
        write_segmentation(replace(case.masks, series_uid=uid), volume, other, patient_id="P1")
        change_seg(other, SeriesDescription="Liver and vessels", SeriesNumber=5)
        write_couinaud(segment_couinaud(case.masks), volume, tmp_path / "ct" / f"{uid}-segments.dcm", patient_id="P1")
    chosen = choose_segmentation(discover_series(tmp_path / "ct"), volume)
    assert chosen is not None
    assert chosen.description == "Liver and vessels"


def test_without_a_liver_nothing_is_written(tmp_path: Path, scan: tuple[Volume, Case]) -> None:
    _, case = scan
    for masks in (
        None,
        replace(build_masks(case.baseline_scan), bits=np.zeros_like(build_masks(case.baseline_scan).bits)),
    ):
        with pytest.raises(SegmentationError, match="no liver"):
            api.write_segments(replace(case, masks=masks), tmp_path / "none.dcm")
    assert not (tmp_path / "none.dcm").exists()


def test_other_segmentations_are_no_segments_of_couinaud(ircad_folder: Path) -> None:
    found = discover_series(ircad_folder)
    volume = read_volume(found.by_modality("CT")[0])
    with pytest.raises(SegmentationError, match="none of Couinaud"):
        read_couinaud(found.by_modality("SEG")[0].paths[0], volume)
