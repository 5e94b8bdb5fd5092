"""The facade on the demonstration patient and on real scans."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from star_core import api
from star_core.errors import ClinicalRecordError, NotCtError, SegmentationError, StorageError
from star_core.imaging.nifti import read_nifti_volume
from star_core.types import Assessment, Case, Cause, CentringRule, Structure
from tests.conftest import real_data


def test_the_demonstration_patient_comes_back_from_dicom(demo_folder: Path) -> None:
    drawn = api.demo_case()
    read = api.open_case(demo_folder)
    np.testing.assert_array_equal(read.baseline_scan.voxels_hu, drawn.baseline_scan.voxels_hu)
    assert read.baseline_scan.geometry.is_close_to(drawn.baseline_scan.geometry)
    assert read.masks is not None
    assert drawn.masks is not None
    np.testing.assert_array_equal(read.masks.bits, drawn.masks.bits)
    assert read.clinical == drawn.clinical


def test_a_segmentation_can_be_named_apart_from_the_scan(demo_folder: Path) -> None:
    case = api.open_case(demo_folder / "ct", segmentation=demo_folder / "segmentation.dcm")
    assert case.masks is not None
    assert case.masks.known & Structure.REMNANT
    assert api.open_case(demo_folder / "ct").masks is None


def test_the_pseudonym_says_nothing_of_the_patient(demo_folder: Path) -> None:
    case = api.open_case(demo_folder)
    assert case.case_id.startswith("CASE-")
    assert "DEMO" not in case.case_id[5:]


def test_a_folder_without_a_scan_is_told(tmp_path: Path, demo_folder: Path) -> None:
    shutil.copy(demo_folder / "segmentation.dcm", tmp_path)
    with pytest.raises(NotCtError, match="SEG"):
        api.open_case(tmp_path)
    with pytest.raises(StorageError):
        api.open_case(tmp_path / "missing")


def test_a_segmentation_that_is_none_is_told(demo_folder: Path) -> None:
    with pytest.raises(SegmentationError, match="No DICOM segmentation"):
        api.open_case(demo_folder / "ct", segmentation=demo_folder / "ct")


def test_a_record_from_a_workbook_needs_the_patients_name(demo_folder: Path) -> None:
    (workbook,) = real_data("tcia-crlm").glob("*.xlsx")
    with pytest.raises(ClinicalRecordError, match="many patients"):
        api.open_case(demo_folder / "ct", clinical=workbook)
    case = api.open_case(demo_folder / "ct", clinical=workbook, patient_id="CRLM-CT-1002")
    assert case.clinical.age_years == 63


def test_results_are_written_whole_or_not_at_all(demo_assessed: tuple[Case, Assessment], tmp_path: Path) -> None:
    api.write_assessment(*demo_assessed, tmp_path / "result")
    assert {path.name for path in (tmp_path / "result").iterdir()} == {"forecast.json", "riskmap.nii.gz", "report.pdf"}
    with pytest.raises(StorageError, match="not empty"):
        api.write_assessment(*demo_assessed, tmp_path / "result")


def test_the_written_map_integrates_to_the_written_incidence(
    demo_assessed: tuple[Case, Assessment], tmp_path: Path
) -> None:
    import SimpleITK as sitk  # noqa: N813

    api.write_assessment(*demo_assessed, tmp_path / "result")
    forecast = json.loads((tmp_path / "result" / "forecast.json").read_text())
    image = sitk.ReadImage(str(tmp_path / "result" / "riskmap.nii.gz"))
    assert image.GetDimension() == 4
    density = sitk.GetArrayFromImage(image)
    assert density.shape == (12, 40, 128, 128)
    voxel_ml = np.prod(image.GetSpacing()[:3]) / 1000
    expected = forecast["recurrence"]["liver"]["cumulative_incidence"]
    np.testing.assert_allclose(density.sum(axis=(1, 2, 3), dtype=np.float64) * voxel_ml, expected, rtol=1e-5)


def test_the_forecast_file_has_every_promised_part(demo_assessed: tuple[Case, Assessment], tmp_path: Path) -> None:
    api.write_assessment(*demo_assessed, tmp_path / "result")
    forecast = json.loads((tmp_path / "result" / "forecast.json").read_text())
    assert forecast["years"] == list(range(1, 13))
    for where in ("liver", "elsewhere", "any"):
        assert len(forecast["recurrence"][where]["cumulative_incidence"]) == 12
    for name in ("overall_survival", "event_free_survival", "at_risk"):
        assert len(forecast[name]) == 12
    assert len(forecast["death_without_recurrence"]["cumulative_incidence"]) == 12
    assert {"code", "severity", "message"} <= set(forecast["quality"][0])
    provenance = forecast["provenance"]
    for name in ("model_id", "card_digest", "software_version", "series_uid", "segmentation_uid", "created_utc"):
        assert provenance[name]
    assert provenance["preprocessing"]["centring_rule"] in {rule.value for rule in CentringRule}
    assert "age_years" in provenance["clinical_inputs"]


# --------------------------------------------------------------------------- real scans


def test_the_whole_way_on_a_real_patient(ircad_folder: Path, untrained_bundle: Path, tmp_path: Path) -> None:
    case = api.open_case(ircad_folder)
    assert case.baseline_scan.geometry.shape == (119, 512, 512)
    assert case.masks is not None
    assert case.masks.lesion_count == 2
    assert 1000 < case.masks.volume_ml(Structure.LIVER) < 2500
    assessment = api.assess(case, str(untrained_bundle))
    api.write_assessment(case, assessment, tmp_path / "result")
    forecast = json.loads((tmp_path / "result" / "forecast.json").read_text())
    total = (
        np.array(forecast["recurrence"]["any"]["cumulative_incidence"])
        + forecast["death_without_recurrence"]["cumulative_incidence"]
        + forecast["event_free_survival"]
    )
    np.testing.assert_allclose(total, 1.0, atol=1e-9)
    # Risk lies inside the liver as the expert outlined it, in the scanner's own coordinates.
    density = assessment.risk_map.density_per_ml[-1]
    places_mm = assessment.risk_map.geometry.index_to_lps(np.argwhere(density > 0).astype(float))
    index = np.rint(case.baseline_scan.geometry.lps_to_index(places_mm)).astype(int)
    liver = case.masks.mask_of(Structure.LIVER)
    inside = (index >= 0).all(axis=1) & (index < liver.shape).all(axis=1)
    z, y, x = index[inside].T
    assert inside.mean() > 0.999
    assert np.average(liver[z, y, x], weights=density[density > 0][inside]) > 0.95


def test_a_real_scan_without_a_segmentation_is_assessed_with_a_warning(
    chaos_folder: Path, untrained_bundle: Path
) -> None:
    case = api.open_case(chaos_folder)
    assert case.baseline_scan.geometry.shape == (78, 512, 512)
    assert case.baseline_scan.geometry.spacing_mm[0] == pytest.approx(2.0, abs=0.01)
    assessment = api.assess(case, str(untrained_bundle))
    assert "liver-estimated" in {finding.code for finding in assessment.findings}
    assert assessment.forecast.cumulative_incidence[Cause.LIVER][-1] > 0


def test_a_nifti_scan_is_assessed(demo_assessed: tuple[Case, Assessment], tmp_path: Path) -> None:
    import SimpleITK as sitk  # noqa: N813

    volume = demo_assessed[0].baseline_scan
    image = sitk.GetImageFromArray(volume.voxels_hu)
    affine_lps = volume.geometry.affine_lps
    spacing_mm = volume.geometry.spacing_mm
    image.SetSpacing(spacing_mm[::-1])
    image.SetOrigin(affine_lps[:3, 3].tolist())
    image.SetDirection((affine_lps[:3, [2, 1, 0]] / np.array(spacing_mm[::-1])).ravel().tolist())
    sitk.WriteImage(image, str(tmp_path / "scan.nii.gz"))
    read = read_nifti_volume(tmp_path / "scan.nii.gz")
    np.testing.assert_array_equal(read.voxels_hu, volume.voxels_hu)
    assert read.geometry.is_close_to(volume.geometry)
    assert api.open_case(tmp_path / "scan.nii.gz").masks is None
