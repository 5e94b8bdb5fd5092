"""pydicom's files in every character set are imported, shown and found by each of their spellings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_charset_files

from star_core.archive.archive import Archive
from star_core.archive.importer import import_studies
from star_core.archive.rows import StudyFilter
from tests.core.dicom.factory import build_volume, write_series

SPELLINGS = {
    "chrArab.dcm": ("قباني لنزار",),
    "chrFren.dcm": ("Buc Jérôme", "BUC JEROME"),
    "chrFrenMulti.dcm": ("Buc Jérôme",),
    "chrGerm.dcm": ("Äneas Rüdiger", "aneas rudiger"),
    "chrGreek.dcm": ("Διονυσιος", "διονυσιοσ"),
    "chrH31.dcm": ("Yamada Tarou", "山田", "太郎", "やまだ たろう", "tarou yamada"),
    "chrH32.dcm": ("ﾔﾏﾀﾞ", "ヤマダ タロウ", "山田 太郎", "やまだ"),
    "chrHbrw.dcm": ("שרון דבורה",),
    "chrI2.dcm": ("Hong Gildong", "洪 吉洞", "홍 길동"),
    "chrJapMulti.dcm": ("やまだ たろう",),
    "chrKoreanMulti.dcm": ("김희중",),
    "chrRuss.dcm": ("Люкceмбypг", "люкceмбypг"),
    "chrX1.dcm": ("Wang XiaoDong", "王 小東"),
    "chrX2.dcm": ("Wang XiaoDong", "王 小东"),
}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    folder = tmp_path_factory.mktemp("names")
    for number, name in enumerate(sorted(SPELLINGS)):
        (path,) = (path for path in get_charset_files(name) if Path(path).name == name)
        foreign = pydicom.dcmread(path)

        def tell(
            dataset: pydicom.Dataset, index: int, foreign: pydicom.Dataset = foreign, number: int = number
        ) -> None:
            dataset.SpecificCharacterSet = foreign.SpecificCharacterSet
            dataset.PatientName = foreign.PatientName
            dataset.PatientID, dataset.StudyInstanceUID = f"P{number}", f"2.25.5{number}"

        write_series(folder / name, tell, build_volume(series_uid=f"2.25.6{number:02}"))
    with Archive(folder / "archive") as opened:
        import_studies(opened, [folder / name for name in SPELLINGS], link=True)
        yield opened


@pytest.mark.parametrize(("name", "typed"), [(name, typed) for name, all_ in SPELLINGS.items() for typed in all_])
def test_a_study_is_found_by_every_spelling(archive: Archive, name: str, typed: str) -> None:
    found = {row.patient_id for row in archive.find_studies(StudyFilter(text=typed))}
    assert f"P{sorted(SPELLINGS).index(name)}" in found
    assert len(found) <= 3


def test_names_are_shown_without_replacement_characters(archive: Archive) -> None:
    shown = {row.patient_name for row in archive.find_studies()}
    assert not any("\ufffd" in name for name in shown)
    assert {"Yamada, Tarou · 山田, 太郎", "Hong, Gildong · 洪, 吉洞", "Wang, XiaoDong · 王, 小东"} <= shown
