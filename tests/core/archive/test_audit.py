"""A trail that was touched does not pass for one that was not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from star_core import api
from star_core.archive.audit import HEAD_FILE, TRAIL_FILE, AuditAction, AuditTrail, verify_trail, write_down
from star_core.errors import StorageError
from tests.core.dicom.factory import write_series


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    for number in range(5):
        AuditTrail(tmp_path).record(AuditAction.IMPORT, subject=f"case-{number}", details={"files": number})
    return tmp_path


def _lines(folder: Path) -> list[bytes]:
    return (folder / TRAIL_FILE).read_bytes().splitlines(keepends=True)


def _rewrite(folder: Path, lines: list[bytes]) -> None:
    (folder / TRAIL_FILE).write_bytes(b"".join(lines))


def test_a_trail_that_nobody_touched_is_whole(trail: Path) -> None:
    report = verify_trail(trail)
    assert (report.entries, report.is_whole) == (5, True)
    assert report.last_hash == json.loads(_lines(trail)[-1])["hash"]


def test_an_altered_entry_is_named(trail: Path) -> None:
    lines = _lines(trail)
    lines[2] = lines[2].replace(b'"files": 2', b'"files": 3')
    _rewrite(trail, lines)
    assert verify_trail(trail).problems == ("line 3: the entry was altered",)


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        ([0, 1, 3, 4], "line 3: an entry before it was altered, removed or moved"),
        ([0, 2, 1, 3, 4], "line 2: an entry before it was altered, removed or moved"),
        ([0, 1, 2, 3], "entries are missing at the end: 4 found, 5 expected"),
        ([1, 2, 3, 4], "line 1: an entry before it was altered, removed or moved"),
    ],
)
def test_removed_moved_and_cut_off_entries_are_named(trail: Path, order: list[int], problem: str) -> None:
    lines = _lines(trail)
    _rewrite(trail, [lines[place] for place in order])
    assert verify_trail(trail).problems[0] == problem


def test_a_missing_head_is_told(trail: Path) -> None:
    (trail / HEAD_FILE).unlink()
    assert "head file" in verify_trail(trail).problems[0]


def test_a_line_torn_by_a_kill_is_closed_by_an_entry_that_says_so(trail: Path) -> None:
    with (trail / TRAIL_FILE).open("ab") as file:
        file.write(b'{"number": 6, "utc": "20')
    AuditTrail(trail).record(AuditAction.EXPORT, subject="case-9")
    report = verify_trail(trail)
    assert (report.entries, report.problems) == (7, ())
    assert json.loads(_lines(trail)[-2])["action"] == "mended"
    lines = _lines(trail)
    lines[5] = b"something else\n"
    _rewrite(trail, lines)
    assert "nothing says why" in verify_trail(trail).problems[0]


def test_a_kill_between_trail_and_head_is_no_alarm(trail: Path) -> None:
    head = (trail / HEAD_FILE).read_bytes()
    AuditTrail(trail).record(AuditAction.EXPORT, subject="case-9")
    (trail / HEAD_FILE).write_bytes(head)
    assert verify_trail(trail).is_whole


_RECORD = """
import sys
from pathlib import Path
from star_core.archive.audit import AuditAction, AuditTrail
for number in range(20):
    AuditTrail(Path(sys.argv[1])).record(AuditAction.EXPORT, subject=str(number))
"""


def test_two_programs_write_one_chain(tmp_path: Path) -> None:
    both = [subprocess.Popen([sys.executable, "-c", _RECORD, os.fspath(tmp_path)]) for _ in range(2)]
    assert [child.wait(60) for child in both] == [0, 0]
    report = verify_trail(tmp_path)
    assert (report.entries, report.is_whole) == (40, True)


def test_a_trail_that_cannot_be_written_costs_a_warning_only(own_home: Path, caplog: pytest.LogCaptureFixture) -> None:
    own_home.write_text("a file where the folder should be")
    write_down(AuditAction.EXPORT, subject="case-1")
    assert "could not be written" in caplog.text
    with pytest.raises(StorageError):
        AuditTrail(own_home).record(AuditAction.EXPORT, subject="case-1")


def test_what_the_facade_does_is_written_down_without_names(tmp_path: Path, own_home: Path) -> None:
    write_series(tmp_path / "müller", lambda dataset, index: setattr(dataset, "PatientName", "Secret^Sally"))
    with api.open_archive() as archive:
        api.import_studies(archive, [tmp_path / "müller"])
        api.delete_studies(archive, [archive.find_studies()[0].id])
        api.undo_deletion(archive)
    text = (own_home / TRAIL_FILE).read_text(encoding="utf-8")
    assert [json.loads(line)["action"] for line in text.splitlines()] == ["import", "deletion", "undone deletion"]
    assert not any(word in text.lower() for word in ("secret", "sally", "ller"))
    assert api.verify_audit().is_whole
    with pytest.raises(StorageError, match="no audit trail"):
        api.verify_audit(tmp_path)
