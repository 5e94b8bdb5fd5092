"""What a browser asks for: cases, values to filter by, imports that did not end, the bin."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest

from star_core import api
from star_core.archive import importer
from star_core.archive.archive import Archive
from star_core.archive.catalogue import (
    count_deleted,
    find_scan,
    find_segmentations,
    list_contents,
    list_facets,
    list_unfinished,
)
from star_core.archive.importer import import_studies
from star_core.errors import CancelledError, StorageError
from star_core.types import Assessment, Case, ClinicalRecord
from tests.core.dicom.factory import build_volume, write_series


@pytest.fixture
def demo(archive: Archive, demo_folder: Path) -> Archive:
    """The demonstration patient in an archive: a CT and its segmentation."""
    import_studies(archive, [demo_folder])
    return archive


def _series(archive: Archive, modality: str) -> int:
    (study,) = archive.find_studies()
    return next(row.id for row in archive.series_of_study(study.id) if row.modality == modality)


def test_a_segmentation_belongs_to_its_ct(demo: Archive) -> None:
    (study,) = demo.find_studies()
    scan, drawing = _series(demo, "CT"), _series(demo, "SEG")
    assert list_contents(demo, study.id).drawn_on == {drawing: scan}
    assert find_scan(demo, study.id) == scan
    assert find_segmentations(demo, scan) == (drawing,)


def test_a_segmentation_of_two_scans_in_one_space_belongs_to_the_one_it_names(demo: Archive, tmp_path: Path) -> None:
    (study,) = demo.find_studies()
    scan, drawing = _series(demo, "CT"), _series(demo, "SEG")
    other = pydicom.dcmread(demo.paths_of_series(scan)[0])

    def join(dataset: pydicom.Dataset, index: int) -> None:
        for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID", "PatientName"):
            setattr(dataset, keyword, other[keyword].value)

    write_series(tmp_path / "second", join, build_volume(series_uid="2.25.555"))
    import_studies(demo, [tmp_path / "second"])
    contents = list_contents(demo, study.id)
    assert len(contents.series) == 3
    assert contents.drawn_on == {drawing: scan}


def test_a_study_without_a_ct_says_so(archive: Archive) -> None:
    with pytest.raises(StorageError, match="no CT"):
        find_scan(archive, 7)


def test_facets_are_what_there_is(demo: Archive) -> None:
    assert list_facets(demo).modalities == ("CT", "SEG")
    demo.delete_studies([demo.find_studies()[0].id])
    assert list_facets(demo).modalities == ()


def test_the_bin_is_counted(demo: Archive) -> None:
    assert count_deleted(demo).studies == 0
    files = demo.find_studies()[0].instance_count
    demo.delete_studies([demo.find_studies()[0].id])
    waiting = count_deleted(demo)
    assert (waiting.studies, waiting.files) == (1, files)
    assert waiting.size_bytes > 1000 * files


def test_an_import_that_did_not_end_is_told_with_its_sources(
    archive: Archive, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(done: int, total: int) -> None:
        if done >= 2:
            raise CancelledError("stopped")

    monkeypatch.setattr(importer, "FILES_PER_BATCH", 2)
    monkeypatch.setattr(importer, "REPORTS_PER_S", 1e9)
    with pytest.raises(CancelledError):
        import_studies(archive, [study], progress=stop)
    (unfinished,) = list_unfinished(archive)
    assert (unfinished.names, unfinished.files_done) == (("study",), 2)
    assert api.continue_import(archive, unfinished.number).imported == 8


def test_a_case_opens_from_where_its_files_lie(archive: Archive, demo_folder: Path) -> None:
    api.import_studies(archive, [demo_folder], link=True)
    case, original = api.open_archived_case(archive, _series(archive, "CT")), api.open_case(demo_folder)
    assert (case.baseline_scan.voxels_hu == original.baseline_scan.voxels_hu).all()
    assert case.masks is not None
    assert original.masks is not None
    assert (case.masks.bits == original.masks.bits).all()
    assert case.case_id == original.case_id
    assert case.clinical == ClinicalRecord()
    assert [row.modalities for row in archive.recent_studies()] == [("CT", "SEG")]


def test_a_kept_assessment_brings_its_record_back(demo: Archive, demo_assessed: tuple[Case, Assessment]) -> None:
    case, assessment = demo_assessed
    scan = _series(demo, "CT")
    number = api.keep_assessment(demo, scan, assessment)
    (row,) = list_contents(demo, demo.find_studies()[0].id).results
    assert row.id == number
    assert row.summary["any_recurrence_year_5"] == pytest.approx(assessment.forecast.any_recurrence[4])
    assert api.open_archived_case(demo, scan).clinical == case.clinical
    assert api.open_archived_case(demo, scan, result=number).clinical == case.clinical


def test_an_assessment_of_another_series_is_not_kept(demo: Archive, demo_assessed: tuple[Case, Assessment]) -> None:
    assert api.keep_assessment(demo, _series(demo, "SEG"), demo_assessed[1]) is None


def test_a_series_is_described_without_its_voxels(demo: Archive) -> None:
    details = api.describe_series(demo, _series(demo, "CT"))
    assert details.shape is not None
    assert details.shape[0] == details.file_count
    assert details.hu_range is not None
    assert [segment.structure for segment in api.describe_series(demo, _series(demo, "SEG")).segments]
