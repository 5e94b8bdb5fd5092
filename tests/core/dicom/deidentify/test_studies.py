"""A CT with its segmentation: opens afterwards, voxel for voxel, and stays together."""

from __future__ import annotations

from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest

from star_core import api
from star_core.dicom.deidentify.attribute_types import AttributeType, AttributeTypes
from star_core.dicom.deidentify.options import DeidentifyOptions, ProfileOption
from star_core.dicom.discover import discover_series
from star_core.dicom.export import write_segmentation
from star_core.dicom.read import read_volume
from star_core.dicom.seg import read_masks
from tests.core.dicom.deidentify.reader import assert_nothing_is_left, read_copies, uids_of, values_by, walk
from tests.core.dicom.factory import read_folder, write_series
from tests.core.dicom.test_seg import build_masks

ALL_BUT_UIDS = frozenset(ProfileOption) - {ProfileOption.UIDS}


def add_identity(dataset: pydicom.Dataset, index: int) -> None:
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Doe^Jane", "PAT-4711", "19410203"
    dataset.InstitutionName, dataset.AccessionNumber, dataset.StudyID = "St. Elsewhere", "ACC-4711", "S-4711"
    dataset.ReferringPhysicianName, dataset.OperatorsName = "Smith^Pat", "Jones^Kim"
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = "20200131"
    dataset.private_block(0x0009, "MAKER", create=True).add_new(1, "LO", "Doe^Jane")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    write_series(folder / "ct", add_identity)
    volume = read_folder(folder / "ct")
    write_segmentation(build_masks(volume), volume, folder / "seg.dcm", patient_id="PAT-4711", patient_name="Doe^Jane")
    seg = pydicom.dcmread(folder / "seg.dcm")
    seg.StudyInstanceUID, seg.StudyDate = volume.acquisition.study_uid, "20200131"
    seg.ContentCreatorName, seg.SegmentSequence[0].SegmentDescription = "Smith^Pat", "drawn for Jane Doe"
    seg.save_as(folder / "seg.dcm")
    return folder


def check_pair(source: Path, out: Path) -> None:
    """Compare CT and segmentation of a copy with the source's: voxels, grid, masks."""
    (before,), (after,) = (discover_series(folder).by_modality("CT") for folder in (source, out))
    original, copied = read_volume(before), read_volume(after)
    np.testing.assert_array_equal(copied.voxels_hu, original.voxels_hu)
    np.testing.assert_array_equal(copied.geometry.affine_lps, original.geometry.affine_lps)
    (seg_before,), (seg_after,) = (discover_series(folder).by_modality("SEG") for folder in (source, out))
    masks, copied_masks = read_masks(seg_before.paths[0], original), read_masks(seg_after.paths[0], copied)
    np.testing.assert_array_equal(copied_masks.bits, masks.bits)
    assert seg_after.referenced_series_uids == (after.series_uid,)
    assert (
        hd.seg.segread(seg_after.paths[0]).number_of_segments == hd.seg.segread(seg_before.paths[0]).number_of_segments
    )
    assert after.patient_key == seg_after.patient_key
    for series in (after, seg_after):
        assert_valid(pydicom.dcmread(series.paths[0]), pydicom.dcmread(before.paths[0]))


def assert_valid(copy: pydicom.Dataset, source: pydicom.Dataset) -> None:
    """Fail where an attribute that the object must have, and had, is missing or empty."""
    types = AttributeTypes(str(copy.SOPClassUID))
    for element in source:
        if element.tag.is_private:
            continue
        kind = types.type_of(element.keyword, ())
        if kind <= AttributeType.MAY_BE_EMPTY and element.keyword in ("PatientID", "StudyID", "StudyDate", "Modality"):
            assert element.keyword in copy
        if kind is AttributeType.REQUIRED and copy.SOPClassUID == source.SOPClassUID and not element.is_empty:
            assert not copy[element.keyword].is_empty


@pytest.mark.parametrize("options", [frozenset(), frozenset({ProfileOption.MODIFIED_DATES}), ALL_BUT_UIDS])
def test_ct_and_segmentation_open_as_before_and_stay_linked(
    study: Path, tmp_path: Path, options: frozenset[ProfileOption]
) -> None:
    report = api.deidentify([study], tmp_path / "out", DeidentifyOptions(profile_options=options))
    assert (report.files, report.series, report.studies, report.patients) == (9, 2, 1, 1)
    assert report.is_clean
    check_pair(study, tmp_path / "out")
    copies = read_copies(tmp_path / "out").values()
    for copy in copies:
        assert copy.PatientIdentityRemoved == "YES"
        dates = "MODIFIED" if ProfileOption.MODIFIED_DATES in options else "REMOVED"
        assert copy.LongitudinalTemporalInformationModified == dates
        codes = [item.CodeValue for item in copy.DeidentificationMethodCodeSequence]
        assert codes == ["113100", *sorted(option.code.value for option in options)]
        assert copy.PatientID == copy.PatientName
        assert str(copy.PatientID).startswith("STAR-")
    assert len({str(copy.PatientID) for copy in copies}) == 1


def test_two_runs_with_one_key_give_the_same_and_with_another_key_others(study: Path, tmp_path: Path) -> None:
    keys = (tmp_path / "key", tmp_path / "key", tmp_path / "other-key")
    copies = []
    for number, key_file in enumerate(keys):
        out = tmp_path / f"out{number}"
        api.deidentify([study / "ct"] if number == 0 else [study], out, DeidentifyOptions(key_file=key_file))
        copies.append(read_copies(out))
    first, second, other = copies
    assert set(first) < set(second)
    assert not set(second) & set(other)
    for uid, copy in first.items():
        assert (copy.StudyDate, copy.PatientID) == (second[uid].StudyDate, second[uid].PatientID)
    assert {str(copy.PatientID) for copy in first.values()} != {str(copy.PatientID) for copy in other.values()}
    assert oct(keys[0].stat().st_mode & 0o777) == "0o600"


def test_a_real_study_opens_as_before_and_says_nothing(ircad_folder: Path, tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    report = api.deidentify([ircad_folder], tmp_path / "out", DeidentifyOptions(key_file=key_file))
    assert report.files == 120
    assert report.is_clean
    assert not report.warnings
    check_pair(ircad_folder, tmp_path / "out")
    copies, values = read_copies(tmp_path / "out"), values_by(key_file)
    sources = [pydicom.dcmread(path, stop_before_pixels=True) for path in sorted(ircad_folder.rglob("*.dcm"))[::20]]
    for source in sources:
        copy = copies[values.to_new_uid(str(source.SOPInstanceUID))]
        assert_nothing_is_left(source, copy, values.compute_shift_days(str(copy.PatientID)))
    everything = set().union(*(uids_of(source) for source in sources))
    assert not everything & set().union(*(uids_of(copy) for copy in copies.values()))


def test_a_second_run_over_a_copy_keeps_what_the_first_wrote_down(study: Path, tmp_path: Path) -> None:
    characteristics = frozenset({ProfileOption.PATIENT_CHARACTERISTICS})
    api.deidentify([study], tmp_path / "one", DeidentifyOptions(profile_options=characteristics))
    report = api.deidentify([tmp_path / "one"], tmp_path / "two")
    assert (report.files, report.leaks) == (9, 0)
    codes = {
        item.CodeValue
        for copy in read_copies(tmp_path / "two").values()
        for item in copy.DeidentificationMethodCodeSequence
    }
    assert codes == {"113100", "113107", "113108"}


def test_a_segmentation_without_an_identifier_goes_with_its_study(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number, path in enumerate([*sorted((study / "ct").iterdir())[:2], study / "seg.dcm"]):
        dataset = pydicom.dcmread(path)
        if number == 2:
            dataset.PatientID = dataset.PatientName = ""
        dataset.save_as(folder / f"{number}.dcm")
    report = api.deidentify([folder], tmp_path / "out")
    assert report.patients == 1
    copies = read_copies(tmp_path / "out").values()
    assert len({(str(copy.PatientID), copy.StudyDate) for copy in copies}) == 1
    assert not any("Jane" in str(element.value) for copy in copies for element in walk(copy) if element.VR != "SQ")


def test_visits_of_one_patient_keep_their_distance(tmp_path: Path) -> None:
    for number, day in enumerate(("20200131", "20200301")):

        def change(dataset: pydicom.Dataset, index: int, number: int = number, day: str = day) -> None:
            add_identity(dataset, index)
            dataset.StudyDate, dataset.StudyInstanceUID = day, f"2.25.77{number}"
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"2.25.88{number}{index}"
            dataset.SeriesInstanceUID = f"2.25.99{number}"

        write_series(tmp_path / "in" / str(number), change)
    report = api.deidentify([tmp_path / "in"], tmp_path / "out")
    assert (report.patients, report.studies, report.leaks) == (1, 2, 0)
    days = sorted({str(copy.StudyDate) for copy in read_copies(tmp_path / "out").values()})
    one, other = (np.datetime64(f"{day[:4]}-{day[4:6]}-{day[6:]}") for day in days)
    assert other - one == np.timedelta64(30, "D")
