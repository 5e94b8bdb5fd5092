"""Whatever a file is like: it is read, or refused in words; nothing crashes, hangs, fills the memory or escapes."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from star_core.archive.archive import Archive
from star_core.archive.importer import import_studies
from star_core.dicom import scan
from star_core.dicom.discover import discover_series
from star_core.dicom.export import write_segmentation
from star_core.dicom.read import read_volume
from star_core.dicom.seg import read_masks
from star_core.errors import DecodingError, SegmentationError
from star_core.isolation import IsolationError
from star_core.types import Volume
from tests.broken import BREAKS
from tests.core.dicom.factory import build_geometry, build_volume, read_folder, write_enhanced, write_series
from tests.foreign import (
    SLICES,
    Base,
    BrokenCopy,
    build_bases,
    build_bomb,
    build_copy,
    build_masks,
    build_reference,
    forget_peak_memory,
    open_all,
    peak_memory_mb,
    sample_paths,
    write_case,
)

COPIES, SEED = 300, 7
LONGEST_S, MOST_MB = 10.0, 2_000


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> list[Base]:
    return build_bases(tmp_path_factory.mktemp("bases"))


@pytest.fixture(scope="module")
def copies(bases: list[Base]) -> list[BrokenCopy]:
    return [build_copy(bases, SEED, number) for number in range(COPIES)]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Volume:
    return build_reference(tmp_path_factory.mktemp("reference") / "ct")


@pytest.fixture(autouse=True)
def held_mb() -> float:
    """Forget what earlier tests took, and tell what this process holds already."""
    return forget_peak_memory()


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive(tmp_path / "archive") as opened:
        yield opened


def test_the_same_seed_breaks_the_same_way(bases: list[Base], copies: list[BrokenCopy]) -> None:
    assert [build_copy(bases, SEED, number) for number in range(12)] == copies[:12]
    assert {broken.kind for broken in copies} == {*BREAKS, "deflate bomb"}


def test_broken_copies_are_opened_or_refused_in_words(
    copies: list[BrokenCopy], reference: Volume, tmp_path: Path, held_mb: float
) -> None:
    outcomes = set()
    for number, broken in enumerate(copies):
        write_case(broken, tmp_path / "case")
        start = time.perf_counter()
        outcomes.add(open_all(tmp_path / "case", reference))
        assert time.perf_counter() - start < LONGEST_S, (number, broken.kind)
    assert {"read", "refused: damaged-file", "refused: decoding", "SegmentationError"} <= outcomes
    assert peak_memory_mb(held_mb) < MOST_MB
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["case"]


def test_broken_copies_are_imported_or_listed_with_their_reason(
    copies: list[BrokenCopy], archive: Archive, tmp_path: Path, held_mb: float
) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    for number, broken in enumerate(copies):
        (folder / f"{number:03}.dcm").write_bytes(broken.data)
    write_series(tmp_path / "whole", volume=build_volume(series_uid="2.25.4321"))
    outside = {path for path in tmp_path.rglob("*") if archive.folder not in path.parents}
    report = import_studies(archive, [folder, tmp_path / "whole"])
    assert report.imported + report.duplicates + report.ignored + len(report.failed) == COPIES + 8
    assert report.imported > COPIES // 3
    assert all(failed.reason for failed in report.failed)
    assert {path for path in tmp_path.rglob("*") if archive.folder not in path.parents} == outside
    for row in archive.find_studies():
        for series in archive.series_of_study(row.id):
            for path in archive.paths_of_series(series.id):
                assert path.parent.parent == archive.folder / "files"
                assert (len(path.stem), path.suffix) == (64, ".dcm")
    assert peak_memory_mb(held_mb) < MOST_MB


def test_pydicoms_samples_are_opened_or_refused_in_words(reference: Volume, tmp_path: Path) -> None:
    assert len(sample_paths()) > 150
    for path in sample_paths():
        start = time.perf_counter()
        assert open_all(path, reference)
        assert time.perf_counter() - start < LONGEST_S, path.name


def test_pydicoms_samples_are_imported_or_listed_with_their_reason(archive: Archive) -> None:
    report = import_studies(archive, sample_paths())
    assert report.imported > 80
    assert all(failed.reason for failed in report.failed)
    assert "its SOPInstanceUID is missing" in {failed.reason for failed in report.failed}


def test_a_deflate_bomb_costs_little(archive: Archive, reference: Volume, tmp_path: Path, held_mb: float) -> None:
    folder = tmp_path / "bomb"
    folder.mkdir()
    (folder / "bomb.dcm").write_bytes(build_bomb())
    start = time.perf_counter()
    assert open_all(folder, reference) == "refused: damaged-file"
    assert import_studies(archive, [folder]).imported == 0
    assert time.perf_counter() - start < LONGEST_S
    assert peak_memory_mb(held_mb) < MOST_MB


def test_pixels_that_claim_more_than_their_files_can_hold_are_refused(tmp_path: Path) -> None:
    def claim(dataset: pydicom.Dataset, index: int) -> None:
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.Rows = dataset.Columns = 4096

    write_series(tmp_path, claim, build_volume(build_geometry((20, 40, 48))))
    with pytest.raises(DecodingError, match=r"claim 0.7 GB of voxels"):
        read_folder(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes among files")
def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.dcm")
    assert len(discover_series(tmp_path).broken) == 1


def test_only_children_parse_with_pydicom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = write_series(tmp_path / "ct", volume=build_volume(build_geometry((SLICES, 40, 48))))

    def deflate(dataset: pydicom.Dataset, index: int) -> None:
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian

    write_series(tmp_path / "deflated", deflate, volume)
    write_series(tmp_path / "rle", lambda dataset, index: dataset.compress(RLELossless), volume)
    (tmp_path / "enhanced").mkdir()
    write_enhanced(tmp_path / "ct", tmp_path / "enhanced" / "ct.dcm")
    write_segmentation(build_masks(volume), volume, tmp_path / "seg.dcm", patient_id="P1")

    def refuse(*values: object, **options: object) -> NoReturn:
        raise AssertionError("a foreign file was parsed outside a child")

    monkeypatch.setattr(pydicom, "dcmread", refuse)
    monkeypatch.setattr(scan, "read_dataset", refuse)
    for name in ("ct", "deflated", "rle", "enhanced"):
        read = read_volume(discover_series(tmp_path / name).by_modality("CT")[0])
        assert (read.voxels_hu == volume.voxels_hu).all()
    assert read_masks(tmp_path / "seg.dcm", volume).known


def test_what_stops_a_child_is_told_as_the_files_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = write_series(tmp_path / "ct", volume=build_volume(build_geometry((SLICES, 40, 48))))
    write_segmentation(build_masks(volume), volume, tmp_path / "seg.dcm", patient_id="P1")

    class Stopped:
        width = 1

        def call(self, *values: object, **options: object) -> NoReturn:
            raise IsolationError("no answer within 4 s")

    monkeypatch.setattr("star_core.dicom.header.dicom_children", Stopped)
    monkeypatch.setattr("star_core.dicom.seg_frames.dicom_children", Stopped)
    (found,) = discover_series(tmp_path / "seg.dcm").broken
    assert found.reason == "reading it was stopped (no answer within 4 s)"
    with pytest.raises(SegmentationError, match="damaged or incomplete"):
        read_masks(tmp_path / "seg.dcm", volume)


def test_names_like_paths_stay_text(archive: Archive, tmp_path: Path) -> None:
    def name(dataset: pydicom.Dataset, index: int) -> None:
        dataset.PatientID = dataset.PatientName = "../../../escape"
        dataset.StudyDescription = "/etc/passwd"

    write_series(tmp_path / "study", name)
    for path in (tmp_path / "study").iterdir():
        # UIDs that are paths cannot be written by pydicom's own checks; same length, other bytes.
        path.write_bytes(path.read_bytes().replace(b"2.25.1001", b"../../../"))
    assert import_studies(archive, [tmp_path / "study"]).imported == 8
    shutil.rmtree(tmp_path / "study")
    assert archive.find_studies()[0].patient_id == "../../../escape"
    assert not [path for path in tmp_path.rglob("*") if "escape" in path.name or "passwd" in path.name]
