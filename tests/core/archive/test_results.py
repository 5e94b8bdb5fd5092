"""Results stay with their scans: kept once, found with the study, gone with a purge."""

from __future__ import annotations

from pathlib import Path

import pytest

from star_core.archive.archive import Archive
from star_core.archive.importer import import_studies
from star_core.archive.results import keep_result, list_results, read_result
from star_core.archive.rows import ResultKind
from star_core.errors import StorageError


@pytest.fixture
def scan(archive: Archive, study: Path) -> tuple[int, int]:
    """Numbers of a study and its CT series."""
    import_studies(archive, [study])
    (row,) = archive.find_studies()
    (series,) = archive.series_of_study(row.id)
    return row.id, series.id


def keep(archive: Archive, series: int, inputs: str, risk: float, replaces: int | None = None) -> int:
    return keep_result(
        archive,
        series,
        kind=ResultKind.ASSESSMENT,
        model_name="star",
        model_id="ab" * 32,
        inputs=inputs,
        summary={"any_recurrence_year_5": risk},
        payload={"risk": risk},
        replaces=replaces,
    )


def _files(archive: Archive) -> list[Path]:
    return [path for path in (archive.folder / "results").rglob("*") if path.is_file()]


def test_a_result_comes_back_as_it_was(archive: Archive, scan: tuple[int, int]) -> None:
    number = keep(archive, scan[1], "a", 0.63)
    (row,) = list_results(archive, scan[0])
    assert (row.id, row.series, row.kind, row.model_name) == (number, scan[1], ResultKind.ASSESSMENT, "star")
    assert row.summary == {"any_recurrence_year_5": 0.63}
    assert read_result(archive, number) == (row, {"risk": 0.63})


def test_the_same_inputs_are_one_result(archive: Archive, scan: tuple[int, int]) -> None:
    first = keep(archive, scan[1], "a", 0.63)
    assert keep(archive, scan[1], "a", 0.64) == first
    assert [row.summary["any_recurrence_year_5"] for row in list_results(archive, scan[0])] == [0.64]
    assert len(_files(archive)) == 1


def test_a_corrected_record_takes_the_place_of_the_first(archive: Archive, scan: tuple[int, int]) -> None:
    first = keep(archive, scan[1], "a", 0.63)
    assert keep(archive, scan[1], "b", 0.7, replaces=first) == first
    assert len(list_results(archive, scan[0])) == len(_files(archive)) == 1
    keep(archive, scan[1], "c", 0.8)
    assert len(list_results(archive, scan[0])) == 2


def test_an_altered_file_is_told(archive: Archive, scan: tuple[int, int]) -> None:
    number = keep(archive, scan[1], "a", 0.63)
    _files(archive)[0].write_text('{"risk": 0.01}')
    with pytest.raises(StorageError, match="altered"):
        read_result(archive, number)
    with pytest.raises(StorageError, match="no longer"):
        read_result(archive, number + 1)


def test_results_follow_their_study_into_the_bin_and_back(archive: Archive, scan: tuple[int, int]) -> None:
    keep(archive, scan[1], "a", 0.63)
    archive.delete_studies([scan[0]])
    assert list_results(archive, scan[0]) == ()
    archive.undo_deletion()
    assert len(list_results(archive, scan[0])) == 1
    archive.delete_studies([scan[0]])
    archive.purge_deletions()
    assert _files(archive) == []
