"""Every sample file of pydicom goes through, and nothing of it is left in what comes out."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_files

from star_core import api
from star_core.dicom.deidentify.options import DeidentifyOptions, ProfileOption
from star_core.dicom.deidentify.report import DeidentificationReport
from tests.core.dicom.deidentify.reader import assert_nothing_is_left, read_copies, values_by


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    for number, path in enumerate(sorted(map(Path, get_testdata_files()))):
        if path.is_file():
            shutil.copyfile(path, folder / f"{number:04}-{path.name}")
    return folder


@pytest.mark.parametrize("dates_shifted", [True, False])
def test_all_samples_of_pydicom_lose_everything_that_tells(samples: Path, tmp_path: Path, dates_shifted: bool) -> None:
    key_file = tmp_path / "key"
    options = DeidentifyOptions(
        profile_options=frozenset({ProfileOption.MODIFIED_DATES} if dates_shifted else ()), key_file=key_file
    )
    report = api.deidentify([samples], tmp_path / "out", options)
    assert report.leaks == 0
    assert report.files == report.verified > 70
    given = sum(path.is_file() for path in samples.iterdir())
    assert report.files + len(report.left_out) + report.not_dicom == given
    copies, values = read_copies(tmp_path / "out"), values_by(key_file)
    assert len(copies) == report.files
    compared = 0
    for source in _sources(samples, report):
        copy = copies.get(values.to_new_uid(str(source.SOPInstanceUID)))
        if copy is not None:
            shift = values.compute_shift_days(str(copy.PatientID)) if dates_shifted else None
            assert_nothing_is_left(source, copy, shift)
            compared += 1
    assert compared >= report.files  # one that is not recognised as DICOM has the UID of another
    _assert_the_report_tells_nothing(tmp_path / "out", report)


def _sources(folder: Path, report: DeidentificationReport) -> list[pydicom.FileDataset]:
    left_out = {one.number for one in report.left_out}
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, path in enumerate(sorted(folder.iterdir()), start=1):
            dataset = pydicom.dcmread(path, force=True)
            if number not in left_out and "SOPInstanceUID" in dataset:
                found.append(dataset)
    return found


def _assert_the_report_tells_nothing(folder: Path, report: DeidentificationReport) -> None:
    texts = [(folder / name).read_text() for name in ("deidentification-report.json", "deidentification-report.md")]
    for text in texts:
        for telling in ("CompressedSamples", "Lestrade", "1CT1", "JFK", "1.3.6.1.4.1.5962", "CT_small", "MR_small"):
            assert telling not in text
    assert "Research use only" in texts[1]


def test_what_cannot_be_cleaned_is_left_out_and_listed(samples: Path, tmp_path: Path) -> None:
    names = ("reportsi.dcm", "waveform_ecg.dcm", "MR_truncated.dcm", "README.txt", "CT_small.dcm")
    folder = tmp_path / "in"
    folder.mkdir()
    for path in samples.iterdir():
        if path.name[5:] in names:
            shutil.copyfile(path, folder / path.name)
    report = api.deidentify([folder], tmp_path / "out")
    assert report.files == 1
    assert sorted(one.reason for one in report.left_out) == [
        "a structured report cannot be cleaned",
        "a waveform cannot be cleaned",
        "its pixels are cut short",
    ]
    assert report.not_dicom >= 1
