"""The real tasks about structures: what is written is read back as it was edited, and no file is replaced."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from star_core import api
from star_core.dicom.seg import read_masks
from star_core.errors import SegmentationError, StorageError
from star_core.imaging.editing.chain import MaskEdit, apply_edits, empty_masks, pack_edit
from star_core.imaging.editing.patch import MaskPatch
from star_core.imaging.liver import LiverSegmentation
from star_core.types import Case, Finding, Masks, Severity, Structure, Volume, ignore_progress
from star_viewer.jobs.mask_requests import ExportSegmentation, FindLiver, FoundLiver, ListLiverMethods
from star_viewer.jobs.requests import ArchivedScan, CaseEdits, CaseSource, OpenCase
from star_viewer.jobs.tasks import Tasks
from tests.viewer.shelves import PEOPLE, write_study


def _edit(structure: Structure, start: int, *, automatic: bool, parent: bytes = b"") -> bytes:
    from star_viewer.journal import digest_of

    patch = MaskPatch(structure=structure, start=(0, start, start), toggled=np.ones((2, 7, 5), dtype=bool))
    before = digest_of(parent) if parent else ""
    return pack_edit(MaskEdit(patch=patch, text="paint", is_automatic=automatic, parent=before))


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    write_study(tmp_path / "ct", PEOPLE[1], "20260131", "20", "CT")
    return tmp_path / "ct"


def _opened(tasks: Tasks, source: CaseSource) -> Case:
    case = tasks.answer(OpenCase(source=source), ignore_progress)
    assert isinstance(case, Case)
    return case


@pytest.mark.parametrize("place", ["folder", "archive"])
def test_what_is_written_comes_back_as_it_was_edited(ct: Path, tmp_path: Path, place: str) -> None:
    source = CaseSource(folder=ct)
    if place == "archive":
        with api.open_archive() as archive:
            source = CaseSource(archived=ArchivedScan(study=api.import_studies(archive, [ct]).studies[0]))
    tasks, path = Tasks(), tmp_path / "seg.dcm"
    volume = _opened(tasks, source).baseline_scan
    first = _edit(Structure.LIVER, 9, automatic=True)
    second = _edit(Structure.TUMOUR, 11, automatic=False, parent=first)
    edits = CaseEdits(mask_edits=(first, second))
    assert tasks.answer(ExportSegmentation(source=source, path=path, edits=edits), ignore_progress) == path
    read = read_masks(path, volume)
    case = api.edit_case(_opened(tasks, source), mask_edits=edits.mask_edits)
    assert case.masks is not None
    np.testing.assert_array_equal(read.bits, case.masks.bits)
    assert read.known == Structure.LIVER | Structure.TUMOUR
    written, header = pydicom.dcmread(path), pydicom.dcmread(next(ct.iterdir()))
    assert (written.PatientID, written.StudyInstanceUID) == (header.PatientID, header.StudyInstanceUID)
    assert written.ReferencedSeriesSequence[0].SeriesInstanceUID == header.SeriesInstanceUID
    assert {segment.SegmentAlgorithmType for segment in written.SegmentSequence} == {"SEMIAUTOMATIC"}


def test_what_no_reader_touched_is_called_automatic_and_no_file_is_replaced(ct: Path, tmp_path: Path) -> None:
    tasks, path = Tasks(), tmp_path / "seg.dcm"
    edits = CaseEdits(mask_edits=(_edit(Structure.LIVER, 9, automatic=True),))
    request = ExportSegmentation(source=CaseSource(folder=ct), path=path, edits=edits)
    tasks.answer(request, ignore_progress)
    assert pydicom.dcmread(path).SegmentSequence[0].SegmentAlgorithmType == "AUTOMATIC"
    content = path.read_bytes()
    with pytest.raises(StorageError, match="already exists"):
        tasks.answer(request, ignore_progress)
    assert path.read_bytes() == content


def test_nothing_drawn_is_refused(ct: Path, tmp_path: Path) -> None:
    with pytest.raises(SegmentationError, match="no structure is drawn"):
        Tasks().answer(ExportSegmentation(source=CaseSource(folder=ct), path=tmp_path / "seg.dcm"), ignore_progress)
    assert not (tmp_path / "seg.dcm").exists()


def test_a_nifti_image_names_no_patient_to_write_for(tmp_path: Path) -> None:
    with pytest.raises(SegmentationError, match="NIfTI"):
        api.find_ct_file(tmp_path / "ct.nii.gz")


def test_a_case_without_files_gets_its_pseudonym(ct: Path, tmp_path: Path) -> None:
    """The demonstration patient was never a file."""
    case = _opened(Tasks(), CaseSource(folder=ct))
    scan = replace(case.baseline_scan, acquisition=replace(case.baseline_scan.acquisition, patient_key=""))
    case = replace(case, scans={0: scan})
    masks = apply_edits(empty_masks(case.baseline_scan), ())
    bits = masks.bits.copy()
    bits[1, 9:20, 9:20] = int(Structure.LIVER)
    drawn = replace(case, masks=Masks(bits=bits, geometry=masks.geometry, known=Structure(31), series_uid="2.25.7"))
    api.export_segmentation(drawn, tmp_path / "seg.dcm")
    written = pydicom.dcmread(tmp_path / "seg.dcm")
    assert written.PatientID == case.case_id
    assert written.SeriesInstanceUID != "2.25.7"
    np.testing.assert_array_equal(read_masks(tmp_path / "seg.dcm", case.baseline_scan).bits, bits)


def _found(volume: Volume, severity: Severity) -> LiverSegmentation:
    mask = np.zeros(volume.geometry.shape, dtype=bool)
    mask[1, 10:20, 12:22] = True
    finding = Finding(code="liver-estimated", severity=severity, message="No liver was found, expected 300 ml.")
    return LiverSegmentation(mask=mask, volume_ml=0.2, level_hu=100.0, phase=None, findings=(finding,))


def test_a_liver_travels_as_a_patch(ct: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(volume: Volume, **_: object) -> LiverSegmentation:
        return _found(volume, Severity.WARNING)

    monkeypatch.setattr("star_core.imaging.liver.segment_liver", find)
    answer = Tasks().answer(FindLiver(source=CaseSource(folder=ct)), ignore_progress)
    assert isinstance(answer, FoundLiver)
    assert (answer.liver.start, answer.liver.toggled.shape) == ((1, 10, 12), (1, 10, 10))


def test_a_liver_that_must_not_be_used_is_an_error(ct: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(volume: Volume, **_: object) -> LiverSegmentation:
        return _found(volume, Severity.REFUSAL)

    monkeypatch.setattr("star_core.imaging.liver.segment_liver", find)
    with pytest.raises(SegmentationError, match="No liver was found"):
        Tasks().answer(FindLiver(source=CaseSource(folder=ct)), ignore_progress)


def test_another_program_is_offered_only_where_it_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert Tasks().answer(ListLiverMethods(), ignore_progress) == ("classical",)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/TotalSegmentator")
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", str(tmp_path))
    (tmp_path / "Dataset291").mkdir()
    assert Tasks().answer(ListLiverMethods(), ignore_progress) == ("classical", "totalsegmentator")
