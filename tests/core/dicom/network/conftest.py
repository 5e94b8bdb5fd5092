"""Peers and studies for the tests of the network, made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from star_core.dicom.network.servers import PASSWORD_VARIABLE
from tests.core.dicom.factory import build_geometry, build_volume, write_series
from tests.core.dicom.network.peers import Orthanc, run_orthanc

NAMES = {
    "latin": ("ISO_IR 100", "Müller^Jérôme"),
    "greek": ("ISO_IR 126", "Διονύσιος^Α"),
    "cyrillic": ("ISO_IR 144", "Люксембург^И"),
    "chinese": ("GB18030", "Wang^XiaoDong=王^小东"),
    "japanese": ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "korean": ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동"),
}
"""A name of each script, by the patient's identifier, with the character set it is written in."""
SLICES = 4


def write_study(folder: Path, patient_id: str, character_set: str, name: str, number: int) -> Path:
    """Write a small CT study of one series."""

    def describe(dataset: Dataset, index: int) -> None:
        dataset.SpecificCharacterSet = character_set.split("\\")
        dataset.PatientName, dataset.PatientID = name, patient_id
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"2.25.500{number}", f"2.25.600{number}"
        dataset.SOPInstanceUID = f"2.25.700{number}{index}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.StudyDate, dataset.AccessionNumber = f"2026010{number + 1}", f"A{number}"
        dataset.StudyDescription = "CT abdomen"

    write_series(folder, describe, build_volume(build_geometry((SLICES, 32, 32)), series_uid=f"2.25.600{number}"))
    return folder


@pytest.fixture(scope="session")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One study of each script, as folders of files."""
    root = tmp_path_factory.mktemp("network-studies")
    return {
        patient: write_study(root / patient, patient, character_set, name, number)
        for number, (patient, (character_set, name)) in enumerate(NAMES.items())
    }


@pytest.fixture(scope="session")
def running_orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with run_orthanc(tmp_path_factory.mktemp("orthanc")) as orthanc:
        yield orthanc


@pytest.fixture
def orthanc(running_orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch) -> Orthanc:
    """An Orthanc, whose password this program knows."""
    monkeypatch.setenv(PASSWORD_VARIABLE, running_orthanc.password)
    return running_orthanc


@pytest.fixture(scope="session")
def filled_orthanc(running_orthanc: Orthanc, studies: dict[str, Path]) -> Orthanc:
    for folder in studies.values():
        for path in sorted(folder.iterdir()):
            running_orthanc.upload(path)
    return running_orthanc


@pytest.fixture
def pacs(filled_orthanc: Orthanc, orthanc: Orthanc) -> Orthanc:
    """An Orthanc that has every study."""
    return orthanc


def count_slices(folder: Path) -> int:
    return sum(1 for path in folder.iterdir() if pydicom.dcmread(path).Rows)
