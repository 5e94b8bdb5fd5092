"""Small pictures: the middle slice in the abdomen's window, drawn once, gone with a purge."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from star_core.archive.archive import Archive
from star_core.archive.importer import import_studies
from star_core.archive.thumbnails import THUMBNAIL_PIXELS, read_thumbnail
from tests.core.dicom.factory import change_files, write_series


def _import(archive: Archive, path: Path) -> int:
    import_studies(archive, [path])
    (row,) = archive.find_studies()
    return archive.series_of_study(row.id)[0].id


def _pixels(data: bytes) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED))


def _pictures(archive: Archive) -> list[Path]:
    return [path for path in (archive.folder / "thumbnails").rglob("*") if path.is_file()]


def test_the_middle_slice_is_shown_in_its_proportions(archive: Archive, study: Path) -> None:
    picture = _pixels(read_thumbnail(archive, _import(archive, study)))
    assert picture.shape == (round(THUMBNAIL_PIXELS * 40 * 0.8 / (48 * 0.7)), THUMBNAIL_PIXELS)
    assert picture.std() > 10


def test_a_picture_is_drawn_once_and_bears_no_text_of_the_header(archive: Archive, study: Path) -> None:
    number = _import(archive, study)
    first = read_thumbnail(archive, number)
    (kept,) = _pictures(archive)
    assert len(kept.stem) == 64
    for path in archive.paths_of_series(number):
        path.unlink()
    assert read_thumbnail(archive, number) == first


def test_pictures_go_when_their_study_is_purged(archive: Archive, study: Path) -> None:
    read_thumbnail(archive, _import(archive, study))
    archive.delete_studies([archive.find_studies()[0].id])
    archive.purge_deletions()
    assert _pictures(archive) == []


@pytest.mark.parametrize("name", ["JPEG2000.dcm", "MR_small_RLE.dcm"])
def test_compressed_and_other_modalities_are_drawn(archive: Archive, name: str) -> None:
    assert _pixels(read_thumbnail(archive, _import(archive, Path(str(get_testdata_file(name)))))).max() > 100


def test_what_cannot_be_drawn_has_no_picture(archive: Archive, tmp_path: Path) -> None:
    def cut(dataset: pydicom.Dataset, index: int) -> None:
        dataset.PixelData = dataset.PixelData[:10]

    write_series(tmp_path / "cut")
    change_files(sorted((tmp_path / "cut").iterdir()), cut)
    assert read_thumbnail(archive, _import(archive, tmp_path / "cut")) == b""
    assert read_thumbnail(archive, 99) == b""
    assert _pictures(archive) == []
