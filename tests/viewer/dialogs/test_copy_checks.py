"""What is said beside the fields of the de-identification dialog."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from star_viewer.dialogs.copy_checks import check_destination, check_key, check_table, check_who, to_path

TABLE = "patient_id,pseudonym\nPAT-1,CASE-1\n"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    (tmp_path / "archive").mkdir()
    return tmp_path / "archive"


def test_a_new_and_an_empty_folder_can_take_the_copy(tmp_path: Path, archive: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty", "new/within/new"):
        assert check_destination(str(tmp_path / name), archive=archive) == ""


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("", "Choose a folder"),
        ("copies/today", "whole path"),
        ("{}/full", "not empty"),
        ("{}/full/file.txt", "This is a file"),
        ("{}/archive", "inside the archive"),
        ("{}/archive/files/new", "inside the archive"),
        ("{}/full/../archive/new", "inside the archive"),
        ("{}/originals/new", "among the originals"),
    ],
)
def test_a_folder_that_cannot_take_the_copy_is_told(tmp_path: Path, archive: Path, place: str, said: str) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file.txt").write_text("mine")
    problem = check_destination(place.format(tmp_path), archive=archive, originals=[tmp_path / "originals"])
    assert said in problem


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="this user may write everywhere")
def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path, archive: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "may not write" in check_destination(str(tmp_path / "locked" / "new"), archive=archive)


def test_a_file_in_the_way_of_the_folder_is_told(tmp_path: Path, archive: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert check_destination(str(tmp_path / "file" / "new"), archive=archive) != ""


def test_home_can_be_written_short() -> None:
    assert to_path(" ~/copy ") == Path.home() / "copy"
    assert to_path("~nobody-of-that-name/copy") == Path("~nobody-of-that-name/copy")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TABLE, ""),
        ("a,b\n1,2\n", "lacks the columns"),
        ("patient_id,pseudonym\n1,\n", "Line 2"),
        (None, "cannot be read"),
    ],
)
def test_a_table_of_pseudonyms_is_read_at_once(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "table.csv").write_text(text, encoding="utf-8")
    problem = check_table(str(tmp_path / "table.csv"), None)
    assert said in problem
    assert bool(problem) == bool(said)


def test_a_table_that_is_no_table_is_not_read(tmp_path: Path) -> None:
    assert "CSV" in check_table("", None)
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(1 << 30)
    assert "too large" in check_table(str(tmp_path / "huge.csv"), None)


def test_a_key_file_is_new_or_of_an_earlier_copy(tmp_path: Path) -> None:
    assert "Choose the key file" in check_key("", None)
    assert check_key(str(tmp_path / "new.key"), tmp_path / "copy") == ""
    assert not (tmp_path / "new.key").exists()
    (tmp_path / "old.key").write_text("00" * 32)
    assert check_key(str(tmp_path / "old.key"), tmp_path / "copy") == ""
    (tmp_path / "bad.key").write_text("hello")
    assert "holds no key" in check_key(str(tmp_path / "bad.key"), tmp_path / "copy")
    assert "no such folder" in check_key(str(tmp_path / "nowhere" / "new.key"), tmp_path / "copy")


@pytest.mark.parametrize("check", [check_key, check_who])
def test_a_secret_never_lies_in_the_copy(tmp_path: Path, check: object) -> None:
    assert callable(check)
    assert "would lie in the copy" in check(str(tmp_path / "copy" / "secret"), tmp_path / "copy")
    assert "whole path" in check("secret", tmp_path / "copy")


def test_who_became_whom_replaces_no_file(tmp_path: Path) -> None:
    assert "Choose where" in check_who("", None)
    assert check_who(str(tmp_path / "who.csv"), tmp_path / "copy") == ""
    (tmp_path / "who.csv").write_text("mine")
    assert "already" in check_who(str(tmp_path / "who.csv"), tmp_path / "copy")
