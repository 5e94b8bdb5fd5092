"""What was drawn on a scan is kept with it in the archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from star_core.api import keep_annotations, read_annotations
from star_core.archive.archive import Archive
from star_core.archive.importer import import_studies
from star_core.archive.results import list_results
from star_core.archive.rows import ResultKind
from star_core.errors import StorageError
from star_core.imaging.annotations import AnnotationKind, AnnotationPlane, build_annotation

PLANE = AnnotationPlane(origin_mm=(0.0, 0.0, 0.0), right=(1.0, 0.0, 0.0), up=(0.0, -1.0, 0.0))
DRAWN = tuple(
    build_annotation(AnnotationKind.DISTANCE, [(0, 0, 0), (length_mm, 0, 0)], PLANE, label="müller")
    for length_mm in (10.0, 20.0)
)


@pytest.fixture
def scan(archive: Archive, study: Path) -> tuple[int, int, str]:
    """Numbers of a study and its CT series, and the series' UID."""
    import_studies(archive, [study])
    (row,) = archive.find_studies()
    (series,) = archive.series_of_study(row.id)
    return row.id, series.id, series.series_uid


def test_annotations_come_back_with_their_scan(archive: Archive, scan: tuple[int, int, str]) -> None:
    assert read_annotations(archive, *scan[1:]) == ()
    keep_annotations(archive, *scan[1:], DRAWN)
    assert read_annotations(archive, *scan[1:]) == DRAWN
    (row,) = list_results(archive, scan[0])
    assert (row.kind, row.summary) == (ResultKind.MEASUREMENT, {"annotations": 2.0})


def test_the_newest_take_the_place_of_the_earlier_ones(archive: Archive, scan: tuple[int, int, str]) -> None:
    first = keep_annotations(archive, *scan[1:], DRAWN)
    assert keep_annotations(archive, *scan[1:], DRAWN[:1]) == first
    assert read_annotations(archive, *scan[1:]) == DRAWN[:1]
    assert len([path for path in (archive.folder / "results").rglob("*") if path.is_file()]) == 1


def test_another_scan_s_annotations_are_not_kept(archive: Archive, scan: tuple[int, int, str]) -> None:
    assert keep_annotations(archive, scan[1], "1.2.3.4", DRAWN) is None
    keep_annotations(archive, *scan[1:], DRAWN)
    assert read_annotations(archive, scan[1], "1.2.3.4") == ()


def test_an_altered_file_is_refused(archive: Archive, scan: tuple[int, int, str]) -> None:
    keep_annotations(archive, *scan[1:], DRAWN)
    (path,) = (path for path in (archive.folder / "results").rglob("*") if path.is_file())
    path.write_bytes(path.read_bytes().replace(b"20.0", b"21.0"))
    with pytest.raises(StorageError, match="altered"):
        read_annotations(archive, *scan[1:])
