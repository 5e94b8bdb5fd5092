"""Studies go in once and whole, are found, and come back after deletion."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file

from star_core.archive import importer, sources, store
from star_core.archive.archive import Archive
from star_core.archive.database import DATABASE_FILE, metadata
from star_core.archive.importer import continue_import, import_studies
from star_core.archive.readers import HeaderReaders
from star_core.archive.rows import StudyFilter
from star_core.dicom.discover import discover_series
from star_core.dicom.read import read_volume
from star_core.errors import CancelledError, StorageError
from star_core.isolation import IsolatedWorker, IsolationError
from tests.core.dicom.factory import build_volume, change_files, write_series


def test_a_copied_series_reads_as_the_original(archive: Archive, study: Path) -> None:
    report = import_studies(archive, [study])
    assert (report.imported, report.duplicates, report.failed) == (8, 0, ())
    original = read_volume(discover_series(study).series[0])
    shutil.rmtree(study)
    (row,) = archive.find_studies()
    (series,) = archive.series_of_study(row.id)
    paths = archive.paths_of_series(series.id)
    assert (row.modalities, row.instance_count, series.instance_count, len(paths)) == (("CT",), 8, 8, 8)
    assert all(path.is_relative_to(archive.folder / "files") for path in paths)
    copied = read_volume(discover_series(archive.folder / "files").series[0])
    assert (copied.voxels_hu == original.voxels_hu).all()
    assert not list((archive.folder / "incoming").iterdir())


def test_importing_again_adds_nothing(archive: Archive, study: Path) -> None:
    import_studies(archive, [study])
    report = import_studies(archive, [study, min(study.iterdir())])
    assert report.imported == 0
    assert report.duplicates == 9
    assert archive.count_studies() == 1


def test_another_object_with_the_same_uid_is_refused_and_the_first_stays(archive: Archive, study: Path) -> None:
    import_studies(archive, [study])
    other = study.with_name("other")
    shutil.copytree(study, other)
    change_files(sorted(other.iterdir())[:1], lambda dataset, index: setattr(dataset, "KVP", 99))
    report = import_studies(archive, [other])
    assert (report.imported, report.duplicates) == (0, 7)
    assert [failed.reason for failed in report.failed] == [store.SAME_UID]


def test_linked_files_stay_where_they_are(archive: Archive, study: Path) -> None:
    import_studies(archive, [study], link=True)
    (series,) = archive.series_of_study(archive.find_studies()[0].id)
    assert {path.parent for path in archive.paths_of_series(series.id)} == {study.resolve()}
    assert not list((archive.folder / "files").iterdir())
    shutil.rmtree(study)
    with pytest.raises(StorageError, match="8 of 8 files"):
        archive.paths_of_series(series.id)


def test_a_link_to_a_file_is_kept_as_the_file_it_names(archive: Archive, study: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    for path in study.iterdir():
        (tmp_path / "links" / path.name).symlink_to(path)
    os.mkfifo(tmp_path / "links" / "pipe.dcm")
    assert import_studies(archive, [tmp_path / "links"], link=True).imported == 8
    (series,) = archive.series_of_study(archive.find_studies()[0].id)
    assert {path.parent for path in archive.paths_of_series(series.id)} == {study.resolve()}


def test_a_dicomdir_stands_for_its_folder(archive: Archive) -> None:
    report = import_studies(archive, [Path(str(get_testdata_file("DICOMDIR")))])
    assert report.imported >= 31
    assert {row.patient_id for row in archive.find_studies()} >= {"77654033", "98890234"}


def test_a_zip_is_unpacked_without_its_names(archive: Archive, study: Path, tmp_path: Path) -> None:
    packed = tmp_path / "study.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for number, path in enumerate(sorted(study.iterdir())):
            file.write(path, f"../../escape-{number}.dcm")
        file.writestr("bomb.dcm", b"\0" * (40 << 20))
    before = {path for path in tmp_path.rglob("*") if archive.folder not in path.parents}
    report = import_studies(archive, [packed], link=True)
    assert report.imported == 8
    assert [failed.reason for failed in report.failed] == [
        f"it unpacks to more than {sources.LARGEST_RATIO} times its size"
    ]
    assert {path for path in tmp_path.rglob("*") if archive.folder not in path.parents} == before
    assert not list((archive.folder / "incoming").iterdir())


def test_a_zip_that_lies_about_its_sizes_fails_alone(archive: Archive, study: Path, tmp_path: Path) -> None:
    packed = tmp_path / "study.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as file:
        for path in sorted(study.iterdir())[:2]:
            file.write(path, path.name)
    data = bytearray(packed.read_bytes())
    data[200] ^= 0xFF  # within the first entry's bytes: its checksum is wrong now
    packed.write_bytes(data)
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 nothing")
    report = import_studies(archive, [packed, tmp_path / "broken.zip"])
    assert report.imported == 1
    assert {failed.reason for failed in report.failed} == {
        "it is damaged in the zip archive (BadZipFile)",
        "the zip archive is damaged (BadZipFile)",
    }


def test_search_finds_by_words_modality_and_date(archive: Archive, tmp_path: Path) -> None:
    def describe(dataset: pydicom.Dataset, index: int) -> None:
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.PatientName, dataset.StudyDate, dataset.StudyDescription = "Müller^Jérôme", "20260131", "CT Abdomen"
        dataset.BodyPartExamined = "LIVER"

    write_series(tmp_path / "one", describe)
    import_studies(archive, [tmp_path / "one"])
    found = (
        StudyFilter(text="jerome MULLER"),
        StudyFilter(text="abdo", modality="ct", body_part="liver"),
        StudyFilter(date_from="2026-01-31", date_to="2026-01-31"),
    )
    missed = (
        StudyFilter(text="100%"),
        StudyFilter(text="schmidt"),
        StudyFilter(modality="MR"),
        StudyFilter(date_from="2026-02"),
    )
    assert [len(archive.find_studies(wanted)) for wanted in (*found, *missed)] == [1, 1, 1, 0, 0, 0, 0]


def test_a_patients_studies_stand_in_time(archive: Archive, tmp_path: Path) -> None:
    for number, date in enumerate(("20260301", "20250301", "20270301")):

        def tell(dataset: pydicom.Dataset, index: int, number: int = number, date: str = date) -> None:
            dataset.StudyInstanceUID, dataset.StudyDate = f"2.25.77{number}", date
            dataset.SOPInstanceUID = f"2.25.88{number}{index}"
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID

        write_series(tmp_path / str(number), tell, build_volume(series_uid=f"2.25.99{number}"))
    import_studies(archive, [tmp_path / str(number) for number in range(3)])
    rows = archive.find_studies()
    assert [row.date for row in archive.studies_of_patient(rows[0].patient)] == [
        "2025-03-01",
        "2026-03-01",
        "2027-03-01",
    ]
    archive.mark_opened(rows[1].id)
    assert [row.id for row in archive.recent_studies()] == [rows[1].id]


def test_studies_are_found_by_their_uids_while_they_are_here(archive: Archive, study: Path) -> None:
    import_studies(archive, [study])
    (row,) = archive.find_studies()
    assert archive.studies_by_uid([row.study_uid, "1.2.3"]) == (row,)
    assert archive.studies_by_uid([]) == ()
    archive.delete_studies([row.id])
    assert archive.studies_by_uid([row.study_uid]) == ()


def test_deletion_is_undone_and_purged(archive: Archive, study: Path) -> None:
    import_studies(archive, [study])
    (row,) = archive.find_studies()
    archive.delete_studies([row.id])
    assert archive.find_studies() == ()
    assert archive.undo_deletion() == 8
    assert archive.find_studies() == (row,)
    archive.delete_studies([row.id])
    assert import_studies(archive, [study]).imported == 8  # what is imported again comes back
    archive.delete_studies([row.id])
    assert archive.purge_deletions().files == 8
    assert not [path for path in (archive.folder / "files").rglob("*") if path.is_file()]
    with pytest.raises(StorageError, match="no deletion"):
        archive.undo_deletion()


def test_nothing_is_undone_where_nothing_was_deleted(archive: Archive, study: Path) -> None:
    import_studies(archive, [study])
    with pytest.raises(StorageError, match="no deletion"):
        archive.undo_deletion()


def test_a_cancelled_import_keeps_what_it_has_and_goes_on(
    archive: Archive, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "FILES_PER_BATCH", 2)

    def stop(done: int, total: int) -> None:
        if done >= 2:
            raise CancelledError("stopped")

    monkeypatch.setattr(importer, "REPORTS_PER_S", 1e9)
    with pytest.raises(CancelledError):
        import_studies(archive, [study], progress=stop)
    (unfinished,) = archive.unfinished_imports()
    assert archive.find_studies()[0].instance_count == 2
    assert continue_import(archive, unfinished).imported == 8
    assert archive.unfinished_imports() == ()
    with pytest.raises(StorageError, match="no import"):
        continue_import(archive, unfinished)


_IMPORT = """
import sys
from pathlib import Path
from star_core.archive import importer
from star_core.archive.archive import Archive
importer.FILES_PER_BATCH = 1
importer.import_studies(Archive(Path(sys.argv[1])), [Path(sys.argv[2])])
"""


def test_a_killed_import_leaves_nothing_half_and_goes_on(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    child = subprocess.Popen([sys.executable, "-c", _IMPORT, os.fspath(folder), os.fspath(study)])
    while not list(folder.glob("files/*/*.dcm")) and child.poll() is None:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    with Archive(folder) as archive:
        for row in archive.find_studies():
            for series in archive.series_of_study(row.id):
                assert all(pydicom.dcmread(path) for path in archive.paths_of_series(series.id))
        (unfinished,) = archive.unfinished_imports()
        assert continue_import(archive, unfinished).imported == 8
        assert archive.find_studies()[0].instance_count == 8
        assert not list((folder / "incoming").iterdir())


def test_two_programs_import_into_one_archive(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    Archive(folder).close()
    both = [subprocess.Popen([sys.executable, "-c", _IMPORT, os.fspath(folder), os.fspath(study)]) for _ in range(2)]
    assert [child.wait(60) for child in both] == [0, 0]
    with Archive(folder) as archive:
        assert archive.find_studies()[0].instance_count == 8


def test_an_archive_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    Archive(tmp_path).close()
    with sqlite3.connect(tmp_path / DATABASE_FILE) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StorageError, match="newer version"):
        Archive(tmp_path)


def test_a_damaged_database_is_told_plainly(tmp_path: Path) -> None:
    (tmp_path / DATABASE_FILE).write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError, match="damaged"):
        Archive(tmp_path)


def test_migrations_make_the_tables_that_the_code_knows(archive: Archive) -> None:
    connection = sqlite3.connect(archive.folder / DATABASE_FILE)
    for table in metadata.sorted_tables:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")]
        assert columns == [column.name for column in table.columns]
    connection.close()


def test_too_little_space_is_told_before_anything_is_copied(
    archive: Archive, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "SPARE_BYTES", 1 << 60)
    with pytest.raises(StorageError, match="GB free"):
        import_studies(archive, [study])
    assert archive.unfinished_imports() == ()


def test_a_disk_that_fills_during_the_import_leaves_whole_files_only(
    archive: Archive, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "FILES_PER_BATCH", 2)
    copy, copied = store._copy_synced, []

    def fail_later(source: Path, target: Path) -> None:
        if len(copied) == 3:
            target.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        copied.append(target)
        copy(source, target)

    monkeypatch.setattr(store, "_copy_synced", fail_later)
    with pytest.raises(StorageError, match="No space left"):
        import_studies(archive, [study])
    assert archive.find_studies()[0].instance_count == 2
    assert not list((archive.folder / "incoming").iterdir())


def test_a_file_that_kills_its_reader_costs_itself_only(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = sorted(study.iterdir())
    call = IsolatedWorker.call

    def die(self: IsolatedWorker, task: str, options: Mapping[str, Any], payload: bytes = b"", **limits: Any) -> Any:
        if os.fspath(paths[3]) in options["paths"]:
            raise IsolationError("the decoding process ended unexpectedly (-11)")
        return call(self, task, options, payload, **limits)

    monkeypatch.setattr(IsolatedWorker, "call", die)
    with HeaderReaders() as readers:
        answers = readers.submit(paths).result()
    assert [answer.entry is None for answer in answers] == [place == 3 for place in range(8)]
    assert "ended unexpectedly" in answers[3].reason


def test_missing_sources_are_told(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="There is no file or folder 'nowhere'"):
        import_studies(archive, [tmp_path / "nowhere"])


def test_files_without_study_and_series_are_kept_together_by_what_they_say(archive: Archive, study: Path) -> None:
    def forget(dataset: pydicom.Dataset, index: int) -> None:
        dataset.StudyInstanceUID = dataset.SeriesInstanceUID = ""

    change_files(sorted(study.iterdir()), forget)
    report = import_studies(archive, [study])
    (row,) = archive.find_studies()
    assert (report.imported, report.failed, row.instance_count) == (8, (), 8)
    assert len(archive.series_of_study(row.id)) == 1
