"""An archive with patients of six scripts, made once, and rows that look like the archive's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from star_core.dicom.export import write_ct_series
from star_core.types import Acquisition, Geometry, Volume


@dataclass(frozen=True)
class Person:
    """A patient as the header says it; ``shown`` is how a reader sees the name, ``typed`` how it is searched for."""

    patient_id: str
    stored: str
    character_set: str
    shown: str
    typed: str
    dates: tuple[str, ...] = ("20260131",)


PEOPLE = (
    Person("P1", "Müller^Jérôme", "ISO_IR 100", "Müller, Jérôme", "jerome muller", ("20250131", "20260131")),
    Person("P2", "Διονυσιος", "ISO_IR 126", "Διονυσιος", "διονυσιοσ"),
    Person("P3", "Люксембург^Роза", "ISO_IR 144", "Люксембург, Роза", "люксембург"),
    Person("P4", "Zhang^XiaoDong=张^小东", "GB18030", "Zhang, XiaoDong · 张, 小东", "小东"),
    Person("P5", "Yamada^Tarou=山田^太郎", "ISO_IR 192", "Yamada, Tarou · 山田, 太郎", "山田"),
    Person("P6", "Hong^Gildong=洪^吉洞=홍^길동", "ISO_IR 192", "Hong, Gildong · 洪, 吉洞", "吉洞"),
)


def write_people(folder: Path) -> None:
    """Write a CT for each study of each person, and what looks like a segmentation for the first."""
    for person in PEOPLE:
        for number, date in enumerate(person.dates):
            key = f"{person.patient_id[1:]}{number}"
            write_study(folder / key, person, date, key, "CT")
    write_study(folder / "seg", PEOPLE[0], PEOPLE[0].dates[0], "10", "SEG")


def write_study(folder: Path, person: Person, date: str, key: str, modality: str) -> None:
    affine_lps = np.diag([0.0, 0.0, 0.0, 1.0])
    affine_lps[2, 0], affine_lps[1, 1], affine_lps[0, 2] = 2.5, 0.8, 0.8
    voxels = np.zeros((3, 32, 32), dtype=np.int16)
    voxels[:, 8:24, 8:24] = 100
    volume = Volume(
        voxels_hu=voxels,
        geometry=Geometry(shape=voxels.shape, affine_lps=affine_lps),
        series_uid=f"2.25.{3 if modality == 'CT' else 4}{key}",
        acquisition=Acquisition(study_uid=f"2.25.5{key}", frame_of_reference_uid=f"2.25.6{key}"),
    )
    for path in write_ct_series(volume, folder, patient_id=person.patient_id):
        dataset = pydicom.dcmread(path)
        dataset.SpecificCharacterSet = person.character_set
        dataset.PatientName, dataset.StudyDate, dataset.Modality = person.stored, date, modality
        dataset.StudyDescription = "CT Abdomen"
        dataset.save_as(path)


@dataclass(frozen=True)
class FakeStudy:
    """Looks like ``StudyRow``."""

    id: int
    patient: int = 1
    date: str = "2026-01-31"
    description: str = "CT Abdomen"
    patient_name: str = "Müller, Jérôme"
    patient_id: str = "P1"
    birth_date: str = "1960-02-29"
    sex: str = "F"
    time: str = "101500"
    accession: str = ""
    modalities: tuple[str, ...] = ("CT",)
    instance_count: int = 119


@dataclass(frozen=True)
class FakeShelved:
    """Looks like ``SeriesRow``."""

    id: int
    modality: str = "CT"
    number: int | None = 3
    description: str = "Portal venous"
    body_part: str = "LIVER"
    instance_count: int = 119
    series_uid: str = "1.2.3"


@dataclass(frozen=True)
class FakeResult:
    """Looks like ``ResultRow``."""

    id: int
    series: int
    summary: dict[str, float]
    kind: str = "assessment"
    model_name: str = "star"
    model_id: str = "ab" * 32
    created_utc: str = "2026-11-24T12:01:00+00:00"


@dataclass(frozen=True)
class FakeContents:
    """Looks like ``StudyContents``."""

    study: int
    series: tuple[FakeShelved, ...]
    drawn_on: dict[int, int]
    results: tuple[FakeResult, ...] = ()
