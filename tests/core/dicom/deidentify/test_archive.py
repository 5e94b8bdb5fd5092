"""Studies of the archive as what is copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from star_core import api
from star_core.archive.archive import Archive
from star_core.errors import StorageError
from tests.core.dicom.deidentify.reader import read_copies
from tests.core.dicom.deidentify.test_studies import add_identity
from tests.core.dicom.factory import build_geometry, build_volume, write_series


def import_series(archive: Archive, folder: Path) -> int:
    folder.mkdir()
    write_series(folder, add_identity, build_volume(build_geometry((3, 16, 16))))
    api.import_studies(archive, [folder])
    return archive.find_studies()[0].id


def test_studies_of_the_archive_are_copied(tmp_path: Path, own_home: Path) -> None:
    with api.open_archive() as archive:
        study = import_series(archive, tmp_path / "series")
        report = api.deidentify_studies(archive, [study], tmp_path / "out")
    assert (report.files, report.verified, report.leaks) == (3, 3, 0)
    assert len(read_copies(tmp_path / "out")) == 3
    assert (own_home / "audit.jsonl").read_text().count('"export"') == 1


def test_a_copy_within_the_archive_and_of_nothing_is_refused(tmp_path: Path) -> None:
    with api.open_archive() as archive:
        study = import_series(archive, tmp_path / "series")
        with pytest.raises(StorageError, match="in the archive"):
            api.deidentify_studies(archive, [study], archive.folder / "out")
        with pytest.raises(StorageError, match="no longer in the archive"):
            api.deidentify_studies(archive, [study + 1], tmp_path / "out")
    assert not (tmp_path / "out").exists()
