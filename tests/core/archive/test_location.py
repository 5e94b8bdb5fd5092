"""An archive moves whole or not at all, and every program finds it."""

from __future__ import annotations

import filecmp
from pathlib import Path

import pytest

from star_core import api
from star_core.archive import location
from star_core.archive.archive import Archive
from star_core.errors import CancelledError, StorageError
from star_core.storage import archive_folder


@pytest.fixture
def filled(study: Path) -> Path:
    """The user's own archive with a study in it."""
    with api.open_archive() as archive:
        api.import_studies(archive, [study])
    return archive_folder()


def _count(folder: Path) -> int:
    with Archive(folder) as archive:
        return sum(row.instance_count for row in archive.find_studies())


def test_a_moved_archive_is_found_by_every_program(filled: Path, tmp_path: Path) -> None:
    target = tmp_path / "disk" / "studies"
    told: list[tuple[int, int]] = []
    api.move_archive(target, lambda done, total: told.append((done, total)))
    assert archive_folder() == target
    assert not filled.exists()
    assert told[-1] == (8, 8)
    with api.open_archive() as archive:
        (row,) = archive.find_studies()
        (series,) = archive.series_of_study(row.id)
        assert all(path.is_relative_to(target) for path in archive.paths_of_series(series.id))


def test_what_is_not_the_archive_s_own_stays(filled: Path, tmp_path: Path) -> None:
    (filled / "notes.txt").write_text("mine")
    api.move_archive(tmp_path / "new")
    assert [path.name for path in filled.iterdir()] == ["notes.txt"]


def test_a_cancelled_move_leaves_everything_as_it_was(filled: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 4:
            raise CancelledError("Cancelled.")

    with pytest.raises(CancelledError):
        api.move_archive(tmp_path / "new", stop)
    assert archive_folder() == filled
    assert not (tmp_path / "new").exists()
    assert _count(filled) == 8


def test_a_copy_that_differs_is_refused(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filecmp, "cmp", lambda *_, **__: False)
    with pytest.raises(StorageError, match="differs"):
        api.move_archive(tmp_path / "new")
    assert _count(archive_folder()) == 8


def test_no_move_into_itself_into_a_filled_folder_or_onto_a_full_disk(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StorageError, match="into itself"):
        api.move_archive(filled / "files" / "deeper")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x").write_text("x")
    with pytest.raises(StorageError, match="not empty"):
        api.move_archive(tmp_path / "other")
    monkeypatch.setattr(location, "SPARE_BYTES", 1 << 60)
    with pytest.raises(StorageError, match="GB free"):
        api.move_archive(tmp_path / "new")
    assert archive_folder() == filled


def test_another_archive_is_used_and_other_folders_are_refused(filled: Path, tmp_path: Path) -> None:
    api.use_archive(tmp_path / "second")
    assert _count(archive_folder()) == 0
    api.use_archive(filled)
    assert _count(archive_folder()) == 8
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x").write_text("x")
    with pytest.raises(StorageError, match="no archive"):
        api.use_archive(tmp_path / "other")


def test_a_damaged_pointer_gives_the_default(own_home: Path) -> None:
    own_home.mkdir()
    (own_home / "archive.json").write_text("[")
    assert archive_folder() == own_home / "archive"
