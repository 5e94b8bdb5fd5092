"""Folders: what is found in them, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from star_core.dicom.discover import discover_series
from star_core.errors import StorageError
from tests.conftest import real_data
from tests.core.dicom.factory import build_volume, write_series


def test_series_are_told_apart_at_any_depth(tmp_path: Path) -> None:
    write_series(tmp_path / "a" / "b", volume=build_volume(series_uid="2.25.1"))
    write_series(tmp_path / "a", volume=build_volume(series_uid="2.25.2"))
    found = discover_series(tmp_path)
    assert {series.series_uid for series in found.series} == {"2.25.1", "2.25.2"}
    assert all(len(series.paths) == 8 for series in found.series)


def test_other_files_are_passed_over_and_counted(tmp_path: Path) -> None:
    write_series(tmp_path)
    (tmp_path / "thumbs.db").write_bytes(bytes(100))
    (tmp_path / "empty").write_bytes(b"")
    found = discover_series(tmp_path)
    assert len(found.series) == 1
    assert found.ignored_count == 2


def test_a_text_file_called_dcm_is_not_dicom(tmp_path: Path) -> None:
    write_series(tmp_path)
    (tmp_path / "notes.dcm").write_text("these are notes, not an image\n" * 20)
    found = discover_series(tmp_path)
    assert len(found.series[0].paths) == 8


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="'nowhere'"):
        discover_series(tmp_path / "nowhere")


def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    found = discover_series(tmp_path)
    assert found.series == ()
    assert found.ignored_count == 0


def test_a_single_file_of_a_series_is_enough_to_name_it(tmp_path: Path) -> None:
    write_series(tmp_path)
    assert len(discover_series(sorted(tmp_path.iterdir())[0]).series) == 1


def test_progress_ends_with_everything_seen(tmp_path: Path) -> None:
    write_series(tmp_path)
    seen: list[tuple[int, int]] = []
    discover_series(tmp_path, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (8, 8)


def test_the_real_collections_layout_is_understood() -> None:
    found = discover_series(real_data("ct/ircad-17"))
    assert sorted(series.modality for series in found.series) == ["CT", "SEG"]
    (segmentation,) = found.by_modality("SEG")
    assert segmentation.series_number == 100
    assert segmentation.referenced_series_uids == (found.by_modality("CT")[0].series_uid,)
