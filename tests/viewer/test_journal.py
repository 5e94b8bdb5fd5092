"""What was done comes back from its journal as it was; damage costs what is damaged, and is told."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from star_core.errors import StorageError
from star_core.imaging.annotations import AnnotationKind, AnnotationPlane, build_annotation
from star_core.types import ClinicalRecord
from star_viewer import journal as journals
from star_viewer.history import Content
from star_viewer.journal import Journal, digest_of, find_killed, key_of, read_kept_file, remove_mark, write_mark
from star_viewer.session import IncidenceMode, OverlayStyle, WindowLevel
from star_viewer.workspace import ViewState, Workspace, join_records
from tests.viewer.fakes import RECORD

PLANE = AnnotationPlane(origin_mm=(0.0, 0.0, 12.5), right=(1.0, 0.0, 0.0), up=(0.0, -1.0, 0.0))
KEY = key_of("1.2.3")


def drawn(end_mm: float, label: str = "") -> Workspace:
    one = build_annotation(AnnotationKind.DISTANCE, [(0, 0, 12.5), (end_mm, 0, 12.5)], PLANE, label=label)
    return Workspace(content=Content(clinical=RECORD, annotations=(one,)))


FULL = replace(
    drawn(12.0, "tumour"),
    view=ViewState(
        year=5,
        mode=IncidenceMode.ANNUAL,
        crosshair_mm=(1.25, -3.5, 0.1),
        window_level=WindowLevel(101.5, 151.0),
        overlay=OverlayStyle(visible=False, opacity=0.3),
        model_name="star",
        layout={"cameras": {"axial": [1.5, 0.0, 2.0]}},
    ),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "workspaces" / KEY


Begin = Callable[..., Journal]


@pytest.fixture
def begun(folder: Path) -> Iterator[Begin]:
    """Begins a journal, and ends it after the test."""
    opened: list[Journal] = []

    def begin(workspace: Workspace | None = None) -> Journal:
        journal = Journal(folder)
        opened.append(journal)
        assert journal.acquire()
        journal.begin(workspace or Workspace(), case_id="STAR-1", base=RECORD)
        return journal

    yield begin
    for journal in opened:
        kill(journal)


def kill(journal: Journal) -> None:
    """End like a program that was killed: nothing more is written."""
    journal._let_go()
    journal._lock.release()


def read(folder: Path) -> Workspace:
    kept = Journal(folder).read()
    assert kept.problems == ()
    assert kept.workspace is not None
    return kept.workspace


def test_a_state_comes_back_exactly(folder: Path, begun: Begin) -> None:
    journal = begun()
    assert journal.write(FULL)
    assert read(folder) == FULL
    assert Journal(folder).read().base == RECORD
    assert not journal.write(FULL)


def test_every_change_is_on_the_disk_when_it_was_written(folder: Path, begun: Begin) -> None:
    journal, workspace = begun(), FULL
    (first,) = workspace.content.annotations
    for content in (
        replace(workspace.content, annotations=(first, *drawn(3.0).content.annotations)),
        replace(workspace.content, annotations=(first.moved((1, 0, 0)),)),
        replace(workspace.content, annotations=()),
        replace(workspace.content, clinical=ClinicalRecord(age_years=50.0)),
        replace(workspace.content, edits={"masks": "ab" * 32}),
    ):
        workspace = replace(workspace, content=content)
        journal.write(workspace)
        assert read(folder) == workspace


def test_only_what_changed_is_written(folder: Path, begun: Begin) -> None:
    journal = begun(FULL)
    before = (folder / "journal.jsonl").stat().st_size
    journal.write(replace(FULL, content=replace(FULL.content, edits={"masks": "cd" * 32})))
    assert (folder / "journal.jsonl").stat().st_size - before < 150


def test_a_line_torn_by_a_kill_is_dropped_without_a_word(folder: Path, begun: Begin) -> None:
    begun(FULL).write(drawn(3.0))
    path = folder / "journal.jsonl"
    whole = path.read_bytes()
    first_line = whole.index(b"\n") + 1
    for length in (len(whole) - 1, first_line + 30, first_line):
        path.write_bytes(whole[:length])
        assert read(folder) == FULL


def test_a_damaged_line_is_left_out_told_and_set_aside(folder: Path, begun: Begin) -> None:
    journal = begun()
    journal.write(FULL)
    later = replace(FULL, view=replace(FULL.view, year=9))
    journal.write(later)
    path = folder / "journal.jsonl"
    lines = path.read_bytes().split(b"\n")
    lines[1] = lines[1].replace(b"tumour", b"tumoor")
    path.write_bytes(b"\n".join(lines))
    journal.close()  # which knows nothing of the damage and writes what it holds
    path.write_bytes(b"\n".join(lines))
    kept = Journal(folder).read()
    assert kept.problems == ("1 damaged line",)
    assert kept.workspace is not None
    assert kept.workspace.view.year == 9
    Journal(folder).set_aside()
    begun(kept.workspace)
    (aside,) = folder.glob("damaged-*.jsonl")
    assert aside.read_bytes() == b"\n".join(lines)
    assert read(folder) == kept.workspace


@pytest.mark.parametrize(
    "data",
    [
        b"\x00" * 5000,
        b"\n\n\n",
        b"[]\n",
        os.urandom(3000) + b"\n",
        b"0123456789abcdef " + b"[" * 50_000 + b"\n",
    ],
)
def test_any_bytes_can_stand_there(folder: Path, data: bytes) -> None:
    folder.mkdir(parents=True)
    (folder / "journal.jsonl").write_bytes(data)
    assert Journal(folder).read().workspace is None


@pytest.mark.parametrize(
    "entry",
    [
        {"clinical": {"age_years": 4000}},
        {"clinical": {"name": "x"}},
        {"clinical": []},
        {"put": [{"id": "../x"}]},
        {"put": 3},
        {"order": "abc"},
        {"order": ["ff" * 16]},
        {"edits": {"masks": "../../x"}},
        {"edits": {"../x": "ab" * 32}},
        {"edits": 5},
        {"view": {"year": 40}},
        {"view": None},
        {"view": {"crosshair_mm": [1e300, 0, 0]}},
        {"base": 7},
    ],
)
def test_entries_of_the_right_check_and_the_wrong_content_are_left_out_and_told(
    folder: Path, begun: Begin, entry: dict[str, object]
) -> None:
    begun(FULL)
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(journals._to_line(entry))
    kept = Journal(folder).read()
    assert kept.problems
    assert kept.workspace is not None
    assert kept.workspace.content.clinical == RECORD
    assert kept.workspace.view == FULL.view


def test_a_journal_of_a_newer_version_is_left_alone(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "journal.jsonl").write_bytes(journals._to_line({"format": 2, "clinical": {}}))
    assert Journal(folder).read().is_newer


def test_a_huge_file_is_not_read(folder: Path, begun: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(FULL)
    monkeypatch.setattr(journals, "MAX_BYTES", 100)
    kept = Journal(folder).read()
    assert kept.workspace is None
    assert "too large" in kept.problems[0]


def test_a_journal_stays_small(folder: Path, begun: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "COMPACT_BYTES", 20_000)
    journal, workspace = begun(), FULL
    for step in range(300):
        workspace = replace(FULL, view=replace(FULL.view, crosshair_mm=(float(step), 0.0, 0.0)))
        journal.write(workspace)
        assert (folder / "journal.jsonl").stat().st_size <= 20_000
    assert read(folder) == workspace


def test_two_windows_do_not_write_to_one_journal(folder: Path, begun: Begin) -> None:
    first = begun()
    assert not Journal(folder).acquire()
    first.close()
    second = Journal(folder)
    assert second.acquire()
    second.close()


def test_no_name_stands_on_the_disk(folder: Path, begun: Begin) -> None:
    begun(FULL).close()
    assert sorted(path.name for path in folder.iterdir()) == ["journal.jsonl", "lock"]
    head = json.loads((folder / "journal.jsonl").read_bytes().split(b"\n")[0].partition(b" ")[2])
    assert set(head) == {"format", "case", "base", "clinical", "put", "order", "edits", "view"}


def test_a_disk_that_refuses_is_told_and_nothing_is_lost_afterwards(
    folder: Path, begun: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = begun()

    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journals.os, "fsync", refuse)
        with pytest.raises(StorageError, match="No space left"):
            journal.write(drawn(3.0))
    assert journal.write(FULL)
    assert read(folder) == FULL


# --------------------------------------------------------------------------- files beside


def test_files_come_back_by_their_hash_and_go_when_nothing_names_them(folder: Path, begun: Begin) -> None:
    journal, first, second = begun(), b"first" * 1000, b"second" * 1000
    for data in (first, second):
        journal.write_file(digest_of(data), data)
    assert read_kept_file(folder, digest_of(first), max_bytes=10_000) == first
    journal.write(Workspace(content=Content(edits={"masks": digest_of(second)})))
    journal.close()
    assert read_kept_file(folder, digest_of(second), max_bytes=10_000) == second
    with pytest.raises(StorageError, match="gone"):
        read_kept_file(folder, digest_of(first), max_bytes=10_000)


def test_an_altered_or_oversized_file_is_refused(folder: Path, begun: Begin) -> None:
    data = b"mask" * 1000
    journal = begun()
    journal.write_file(digest_of(data), data)
    with pytest.raises(StorageError, match="altered"):
        read_kept_file(folder, digest_of(data), max_bytes=100)
    path = folder / "files" / f"{digest_of(data)}.z"
    path.write_bytes(b"no zlib")
    with pytest.raises(StorageError, match="damaged"):
        read_kept_file(folder, digest_of(data), max_bytes=10_000)


# --------------------------------------------------------------------------- what was open


def test_a_case_whose_program_is_gone_is_found(folder: Path, begun: Begin) -> None:
    home = folder.parent
    journal = begun()
    write_mark(home, KEY, {"kind": "demo"})
    assert find_killed(home) == ()  # its program still runs
    kill(journal)
    (mark,) = find_killed(home)
    assert (mark.key, mark.source) == (KEY, {"kind": "demo"})
    remove_mark(home, KEY)
    assert find_killed(home) == ()


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"source": 3}', b"\xff", b"[" * 60_000, b"x" * 70_000])
def test_a_mark_that_says_nothing_is_passed_over(folder: Path, begun: Begin, data: bytes) -> None:
    kill(begun())
    marks = folder.parent / "open"
    marks.mkdir()
    (marks / f"{KEY}.json").write_bytes(data)
    assert find_killed(folder.parent) == ()


def test_changes_of_the_reader_stay_when_the_file_says_something_new() -> None:
    kept = replace(RECORD, cea_ng_ml=99.0)
    fresh = replace(RECORD, age_years=70.0)
    assert join_records(fresh, RECORD, kept) == replace(RECORD, age_years=70.0, cea_ng_ml=99.0)
