"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from star_core.errors import StorageError
from star_core.storage import new_file, new_folder, refuse_filled_folder, remove_partial_folder


def test_a_new_folder_appears_with_everything_in_it(tmp_path: Path) -> None:
    with new_folder(tmp_path / "out") as folder:
        (folder / "a.txt").write_text("a")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "a.txt").read_text() == "a"
    assert os.listdir(tmp_path) == ["out"]


def test_nothing_remains_of_a_folder_whose_work_failed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "out") as folder:
        (folder / "a.txt").write_text("a")
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []


def test_what_a_killed_process_left_of_a_folder_is_removed(tmp_path: Path) -> None:
    with pytest.raises(StorageError), new_folder(tmp_path / "out") as folder:
        (folder / "a.txt").write_text("a")
        left = folder.rename(tmp_path / folder.name.replace(str(os.getpid()), "4711"))
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    remove_partial_folder(tmp_path / "out", 4712)
    assert os.listdir(tmp_path) == [left.name]
    remove_partial_folder(tmp_path / "out", 4711)
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No space left") as caught, new_folder(tmp_path / "out"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert "free space" in caught.value.remedy
    assert os.listdir(tmp_path) == []


def test_an_older_file_survives_a_failed_write(tmp_path: Path) -> None:
    target = tmp_path / "report.pdf"
    target.write_text("old")
    with pytest.raises(StorageError), new_file(target) as partial:
        partial.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.pdf"]


def test_a_filled_folder_is_never_written_into(tmp_path: Path) -> None:
    (tmp_path / "keep.txt").write_text("keep")
    with pytest.raises(StorageError, match="not empty"):
        refuse_filled_folder(tmp_path)
    with pytest.raises(StorageError), new_folder(tmp_path):
        pass
    assert (tmp_path / "keep.txt").read_text() == "keep"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="a superuser may write everywhere")
def test_a_folder_without_permission_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="Permission denied"), new_folder(tmp_path / "out"):
        pass


def test_a_file_in_the_way_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError), new_folder(tmp_path / "file" / "out"):
        pass


def test_a_target_below_a_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"), new_file(tmp_path / "file" / "out.csv") as partial:
        partial.write_text("x")
