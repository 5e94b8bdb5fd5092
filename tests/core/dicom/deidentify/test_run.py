"""A run as a whole: whole or nothing, secrets outside, warnings, and what reading back is for."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from typer.testing import CliRunner

from star_core import api
from star_core.cli import app
from star_core.dicom.deidentify import tasks
from star_core.dicom.deidentify.apply import Subject
from star_core.dicom.deidentify.keys import read_mapping
from star_core.dicom.deidentify.options import DeidentifyOptions, ProfileOption, build_options
from star_core.dicom.deidentify.profile import Profile
from star_core.dicom.deidentify.report import Risk
from star_core.dicom.deidentify.risks import find_reason_to_leave_out, find_risks
from star_core.dicom.deidentify.values import KeyedValues
from star_core.dicom.deidentify.verify import find_leaks
from star_core.errors import CancelledError, DicomError, StorageError
from tests.core.dicom.deidentify.reader import read_copies
from tests.core.dicom.deidentify.test_studies import add_identity
from tests.core.dicom.factory import build_geometry, build_volume, change_files, write_series

KEY = "00" * 32


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("series")
    write_series(folder, add_identity, build_volume(build_geometry((3, 16, 16))))
    return folder


def test_the_command_writes_copies_a_report_a_table_and_the_trail(series: Path, tmp_path: Path, own_home: Path) -> None:
    mapping, table = tmp_path / "mapping.csv", tmp_path / "who.csv"
    mapping.write_text("patient_id,pseudonym\nPAT-4711,CASE-7\n", encoding="utf-8")
    command = ["deidentify", str(series), str(tmp_path / "out"), "--mapping", str(mapping), "--json"]
    result = CliRunner().invoke(app, [*command, "--write-mapping", str(table), "--retain", "patient-characteristics"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["files"], told["verified"], told["leaks"]) == (3, 3, 0)
    assert told == json.loads((tmp_path / "out" / "deidentification-report.json").read_text())
    assert {str(copy.PatientID) for copy in read_copies(tmp_path / "out").values()} == {"CASE-7"}
    with table.open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"patient_id": "PAT-4711", "patient_name": "Doe^Jane", "pseudonym": "CASE-7"}
        ]
    assert oct(table.stat().st_mode & 0o777) == "0o600"
    trail = (own_home / "audit.jsonl").read_text()
    assert '"export"' in trail
    with pytest.raises(StorageError, match="there already"):
        api.deidentify([series], tmp_path / "again", DeidentifyOptions(write_mapping_file=table))
    everything = trail + "".join(map(str, (tmp_path / "out").rglob("*"))) + result.stdout
    for telling in ("Doe", "4711", "Elsewhere", "1941", "2.25.1001"):
        assert telling not in everything


def test_an_unknown_option_is_told_plainly(series: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no option 'names'"):
        build_options(retain=["names"])
    with pytest.raises(StorageError, match="no option 'modified-dates'"):
        build_options(retain=["modified-dates"])
    assert build_options(clean=["descriptors"], shift_dates=False).profile_options == {ProfileOption.CLEAN_DESCRIPTORS}


@pytest.mark.parametrize("at", [0, 3, 6])
def test_a_cancelled_run_leaves_nothing(series: Path, tmp_path: Path, at: int) -> None:
    def cancel(done: int, total: int) -> None:
        assert total == 9
        if done >= at:
            raise CancelledError("cancelled")

    with pytest.raises(CancelledError):
        api.deidentify([series], tmp_path / "out", DeidentifyOptions(), cancel)
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == []


@pytest.mark.parametrize("secret", ["key_file", "write_mapping_file"])
def test_a_secret_file_never_lies_in_the_output(series: Path, tmp_path: Path, secret: str) -> None:
    options = {secret: tmp_path / "out" / "secret"}
    with pytest.raises(StorageError, match="would lie in the output"):
        api.deidentify([series], tmp_path / "out", DeidentifyOptions(**options))
    assert not (tmp_path / "out").exists()


def test_misplaced_and_missing_folders_are_refused(series: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(StorageError, match="among the originals"):
        api.deidentify([series], series / "out")
    with pytest.raises(StorageError, match="not empty"):
        api.deidentify([series], series)
    with pytest.raises(StorageError, match="no file or folder"):
        api.deidentify([tmp_path / "nowhere"], tmp_path / "out")
    with pytest.raises(DicomError, match="no DICOM file"):
        api.deidentify([tmp_path / "empty"], tmp_path / "out")


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n",
        "patient_id,pseudonym\n,X\n",
        "patient_id,pseudonym\n1,X\n1,Y\n",
        "patient_id,pseudonym\n1,\n",
        "patient_id,pseudonym\n1,A\\B\n",
    ],
)
def test_a_table_of_pseudonyms_that_cannot_be_used_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "mapping.csv").write_text(text, encoding="utf-8")
    with pytest.raises(StorageError):
        read_mapping(tmp_path / "mapping.csv")


def test_a_pseudonym_that_names_the_patient_is_refused(series: Path, tmp_path: Path) -> None:
    (tmp_path / "mapping.csv").write_text("patient_id,pseudonym\nPAT-4711,DOE-1\n", encoding="utf-8")
    with pytest.raises(DicomError, match="of its own patient"):
        api.deidentify([series], tmp_path / "out", DeidentifyOptions(mapping_file=tmp_path / "mapping.csv"))


def test_a_file_that_is_no_key_is_refused(series: Path, tmp_path: Path) -> None:
    for text in ("not a key", "00ff"):
        (tmp_path / "key").write_text(text)
        with pytest.raises(StorageError, match="key"):
            api.deidentify([series], tmp_path / "out", DeidentifyOptions(key_file=tmp_path / "key"))


# --------------------------------------------------------------------------- reading back


def write_one(source: Path, target: Path) -> tuple[Profile, KeyedValues, Subject]:
    told = {"profile_options": ["modified-dates"], "key": KEY}
    (read,) = tasks.read_task({**told, "items": [os.fspath(source)]}, b"")[0]["answers"]
    known = {"pseudonym": "STAR-1", "shift_days": -10, "phrases": read["phrases"], "dates": read["dates"]}
    item = {"source": os.fspath(source), "target": os.fspath(target), "patient": "p", "risks": []}
    (made,) = tasks.write_task({**told, "items": [item], "subjects": {"p": known}}, b"")[0]["answers"]
    assert "sop_uid" in made
    subject = Subject(pseudonym="STAR-1", shift_days=-10, phrases=tuple(read["phrases"]), dates=tuple(read["dates"]))
    return Profile({ProfileOption.MODIFIED_DATES}), KeyedValues(bytes.fromhex(KEY)), subject


def _nested(dataset: pydicom.Dataset) -> None:
    item = pydicom.Dataset()
    item.SegmentDescription = "Jane"
    dataset.DerivationImageSequence = pydicom.Sequence([item])


def _in_unknown_bytes(dataset: pydicom.Dataset) -> None:
    dataset.ICCProfile = b"xx Doe Jane xx"


def _in_preamble(dataset: pydicom.Dataset) -> None:
    dataset.preamble = b"Doe".ljust(128, b"\0")


def _in_meta(dataset: pydicom.Dataset) -> None:
    dataset.file_meta.SourceApplicationEntityTitle = "DOE"


def _in_utf8(dataset: pydicom.Dataset) -> None:
    dataset.SegmentDescription = "DÖE JÁNE"


LEAKS: dict[str, Callable[[pydicom.Dataset], None]] = {
    "SeriesDescription": lambda dataset: setattr(dataset, "SeriesDescription", "liver"),
    "SegmentDescription": _nested,
    "ICCProfile": _in_unknown_bytes,
    "preamble": _in_preamble,
    "SourceApplicationEntityTitle": _in_meta,
    "FrameOfReferenceUID": lambda dataset: setattr(dataset, "FrameOfReferenceUID", "2.25.2"),
    "StudyDate": lambda dataset: setattr(dataset, "StudyDate", "20200131"),
    "ContentDate": lambda dataset: setattr(dataset, "ContentDate", "20200122"),
    "PatientID": lambda dataset: setattr(dataset, "PatientID", "PAT-4711"),
    "Manufacturer": lambda dataset: setattr(dataset, "Manufacturer", "for S-4711"),
    "PatientBirthDate": lambda dataset: setattr(dataset, "PatientBirthDate", "19410203"),
    "(0009,xx01)": lambda dataset: dataset.private_block(0x0009, "X", create=True).add_new(1, "LO", "x"),
}


@pytest.mark.parametrize("where", LEAKS)
def test_reading_back_finds_what_was_left(series: Path, tmp_path: Path, where: str) -> None:
    source, target = min(series.iterdir()), tmp_path / "copy.dcm"
    profile, values, subject = write_one(source, target)
    assert find_leaks(source, target, profile=profile, values=values, subject=subject) == ()
    dataset = pydicom.dcmread(target)
    LEAKS[where](dataset)
    dataset.save_as(target)
    found = find_leaks(source, target, profile=profile, values=values, subject=subject)
    assert any(leak.startswith(where) for leak in found)
    assert not any(telling in leak for leak in found for telling in ("Doe", "Jane", "4711", "2020"))


def test_accents_hide_no_name(series: Path, tmp_path: Path) -> None:
    source, target = min(series.iterdir()), tmp_path / "copy.dcm"
    profile, values, subject = write_one(source, target)
    dataset = pydicom.dcmread(target)
    _in_utf8(dataset)
    dataset.save_as(target)
    assert find_leaks(source, target, profile=profile, values=values, subject=subject)


@pytest.mark.parametrize(
    "name", ["Ba\u0161i\u0107^Option", "No^Yes", "Hfs^Axial", "Li^Na", "Profile^Clean Dates", "Star^Viewer"]
)
def test_a_name_that_is_a_word_of_the_standard_costs_no_copy(series: Path, tmp_path: Path, name: str) -> None:
    source, target = tmp_path / "source.dcm", tmp_path / "copy.dcm"
    dataset = pydicom.dcmread(min(series.iterdir()))
    dataset.PatientName = name
    dataset.save_as(source)
    profile, values, subject = write_one(source, target)
    assert find_leaks(source, target, profile=profile, values=values, subject=subject) == ()
    copy = pydicom.dcmread(target)
    assert (copy.BurnedInAnnotation, copy.PatientPosition, copy.ImageType[2]) == ("NO", "HFS", "AXIAL")


def test_a_copy_with_a_leak_is_not_delivered(series: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from star_core.isolation import BatchPool

    submit = BatchPool.submit

    def spoil(self: BatchPool, task: str, items: list[dict[str, str]], options: dict[str, object]) -> object:
        if task == tasks.VERIFY_TASK:
            change_files([Path(items[1]["target"])], lambda copy, index: setattr(copy, "SoftwareVersions", "Doe"))
        return submit(self, task, items, options)

    monkeypatch.setattr(BatchPool, "submit", spoil)
    report = api.deidentify([series], tmp_path / "out")
    assert (report.files, report.leaks, report.is_clean) == (2, 1, False)
    (left_out,) = report.left_out
    assert "SoftwareVersions" in left_out.reason
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 2


@pytest.mark.parametrize(
    ("character_set", "name", "note"),
    [
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎", "山田太郎様"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동", "홍길동 님"),
        ("ISO_IR 144", "Люкceмбypг^Иван", "снимок Люкceмбypг"),
        ("ISO_IR 126", "Διονυσιος^Νικος", "για Διονυσιος"),
        ("ISO_IR 100", "Äneas^Rüdiger", "von Rudiger"),
        ("GB18030", "Wang^XiaoDong=王^小东", "王小东的图像"),
    ],
)
def test_names_are_found_in_the_character_set_of_the_file(
    series: Path, tmp_path: Path, character_set: str | list[str], name: str, note: str
) -> None:
    source, target = tmp_path / "source.dcm", tmp_path / "copy.dcm"
    dataset = pydicom.dcmread(min(series.iterdir()))
    dataset.SpecificCharacterSet, dataset.PatientName = character_set, name
    dataset.SegmentDescription, dataset.ConvolutionKernel = note, "B30f"
    dataset.save_as(source)
    profile, values, subject = write_one(source, target)
    assert find_leaks(source, target, profile=profile, values=values, subject=subject) == ()
    copy = pydicom.dcmread(target)
    assert "SegmentDescription" not in copy
    assert copy.ConvolutionKernel == "B30f"
    copy.SegmentDescription = note
    copy.save_as(target)
    assert find_leaks(source, target, profile=profile, values=values, subject=subject)


def test_a_file_that_ends_its_child_costs_itself_only(
    series: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from star_core.isolation import IsolatedWorker, IsolationError

    call, killer = IsolatedWorker.call, os.fspath(sorted(series.iterdir())[1])

    def die(self: IsolatedWorker, task: str, options: dict[str, Any], payload: bytes = b"", **limits: float) -> Any:
        if task == tasks.WRITE_TASK and any(item["source"] == killer for item in options["items"]):
            raise IsolationError("ValueError: Doe^Jane")
        return call(self, task, options, payload, **limits)

    monkeypatch.setattr(IsolatedWorker, "call", die)
    report = api.deidentify([series], tmp_path / "out")
    assert report.files == 2
    assert [(one.number, one.reason) for one in report.left_out] == [(2, "working on it was stopped (it failed)")]


# --------------------------------------------------------------------------- pixels


def build_header(**values: str) -> pydicom.Dataset:
    header = pydicom.Dataset()
    header.SOPClassUID, header.Modality = "1.2.840.10008.5.1.4.1.1.2", "CT"
    for keyword, value in values.items():
        setattr(header, keyword, value)
    return header


@pytest.mark.parametrize(
    ("values", "risks"),
    [
        ({}, set()),
        ({"BodyPartExamined": "LIVER", "StudyDescription": "CT Abdomen"}, set()),
        ({"BodyPartExamined": "HEAD"}, {Risk.FACE}),
        ({"SeriesDescription": "Schädel nativ"}, {Risk.FACE}),
        ({"StudyDescription": "CT HEAD/NECK"}, {Risk.FACE}),
        ({"RecognizableVisualFeatures": "YES"}, {Risk.FACE}),
        ({"BurnedInAnnotation": "YES"}, {Risk.BURNT_IN_TEXT}),
        ({"ImageType": "DERIVED\\SECONDARY\\SCREEN SAVE"}, {Risk.BURNT_IN_TEXT}),
        ({"SeriesDescription": "Dose Report"}, {Risk.BURNT_IN_TEXT}),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "Modality": "OT"}, {Risk.BURNT_IN_TEXT}),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4", "Modality": "SEG"}, set()),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1", "Modality": "US"}, {Risk.BURNT_IN_TEXT}),
    ],
)
def test_headers_warn_of_text_and_faces(values: dict[str, str], risks: set[Risk]) -> None:
    assert find_risks(build_header(**values)) == risks


@pytest.mark.parametrize(
    "sop_class_uid",
    [
        "1.2.840.10008.5.1.4.1.1.104.1",
        "1.2.840.10008.5.1.4.1.1.88.22",
        "1.2.840.10008.5.1.4.1.1.9.1.1",
        "1.2.840.10008.5.1.4.1.1.66",
        "1.3.12.2.1107.5.9.1",
    ],
)
def test_objects_that_cannot_be_cleaned_are_refused(sop_class_uid: str) -> None:
    assert find_reason_to_leave_out(build_header(SOPClassUID=sop_class_uid))
    assert not find_reason_to_leave_out(build_header())


def test_a_series_as_long_as_a_body_warns_and_says_so_in_the_files(tmp_path: Path) -> None:
    write_series(
        tmp_path / "in",
        lambda dataset, index: setattr(dataset, "ImagePositionPatient", [0, 0, 500.0 * index]),
        build_volume(build_geometry((3, 16, 16))),
    )
    report = api.deidentify([tmp_path / "in"], tmp_path / "out")
    (warning,) = report.warnings
    assert (warning.risk, warning.files) == (Risk.FACE, 3)
    assert (tmp_path / "out" / warning.series).is_dir()
    copies = read_copies(tmp_path / "out").values()
    assert {copy.RecognizableVisualFeatures for copy in copies} == {"YES"}


def test_bytes_behind_the_pixels_and_overlays_within_them_go(series: Path, tmp_path: Path) -> None:
    source = tmp_path / "source.dcm"
    dataset = pydicom.dcmread(min(series.iterdir()))
    clean = bytes(dataset.PixelData)
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 0
    twelve = bytes(byte & 0x0F if place % 2 else byte for place, byte in enumerate(clean))
    dataset.PixelData = bytes(byte | 0xF0 if place % 2 else byte for place, byte in enumerate(twelve)) + b"Doe^Jane"
    dataset.add_new(0x60000010, "US", 16)
    dataset.add_new(0x60000100, "US", 16)
    dataset.add_new(0x60000102, "US", 12)
    dataset.save_as(source)
    write_one(source, tmp_path / "copy.dcm")
    assert bytes(pydicom.dcmread(tmp_path / "copy.dcm").PixelData) == twelve
