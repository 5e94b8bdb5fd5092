"""Studies go from servers into the archive and back, by the facade and by the ``star pacs`` commands."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, generate_uid
from typer.testing import CliRunner

from star_core import api, cli
from star_core.archive.archive import Archive
from star_core.archive.audit import TRAIL_FILE
from star_core.archive.importer import ImportReport
from star_core.archive.receive import receive_into
from star_core.dicom.network.intake import Intake
from star_core.dicom.network.receiver import Receiver
from star_core.dicom.network.retrieval import Method
from star_core.dicom.network.sending import read_outgoing, split_by_kinds
from star_core.dicom.network.servers import PASSWORD_VARIABLE
from star_core.errors import CancelledError, NetworkError
from tests.core.dicom.network.conftest import SLICES
from tests.core.dicom.network.peers import TOOL_ENVIRONMENT, Orthanc, find_tool, free_port, running, wait_until


def star(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(cli.app, [*map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.mark.parametrize("way", ["get", "move", "web"])
def test_a_retrieved_study_is_in_the_archive_and_in_the_trail(
    pacs: Orthanc, archive: Archive, own_home: Path, way: str
) -> None:
    server = pacs.web if way == "web" else pacs.dimse
    method = Method.MOVE if way == "move" else Method.GET
    report = api.retrieve_study(archive, server, "2.25.5004", method=method)
    assert (report.announced, report.received, report.known, report.missing) == (SLICES, SLICES, 0, 0)
    assert report.is_complete
    (row,) = archive.find_studies()
    assert row.patient_name == "Yamada, Tarou · 山田, 太郎"
    assert row.instance_count == SLICES
    again = api.retrieve_study(archive, server, "2.25.5004", method=method)
    assert (again.received, again.known, again.is_complete) == (0, SLICES, True)
    trail = (own_home / TRAIL_FILE).read_text(encoding="utf-8")
    assert [json.loads(line)["action"] for line in trail.splitlines()] == ["retrieval", "retrieval"]
    assert "yamada" not in trail.lower()
    assert "2.25.5004" not in trail


def test_a_retrieval_that_was_cancelled_goes_on(pacs: Orthanc, archive: Archive, own_home: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done >= 1:
            raise CancelledError("Cancelled.")

    with pytest.raises(CancelledError):
        api.retrieve_study(archive, pacs.web, "2.25.5001", progress=stop)
    assert "broken off" in (own_home / TRAIL_FILE).read_text(encoding="utf-8")
    report = api.retrieve_study(archive, pacs.web, "2.25.5001")
    assert report.known + report.received == SLICES
    assert archive.find_studies()[0].instance_count == SLICES


def test_one_study_is_retrieved_once_at_a_time(pacs: Orthanc, archive: Archive) -> None:
    def again(done: int, total: int) -> None:
        api.retrieve_study(archive, pacs.web, "2.25.5001")

    with pytest.raises(NetworkError, match="being retrieved already"):
        api.retrieve_study(archive, pacs.web, "2.25.5001", progress=again)


def test_a_move_to_a_program_that_the_server_does_not_know_is_told(pacs: Orthanc, archive: Archive) -> None:
    server = api.build_server(**{**pacs.dimse.model_dump(), "calling_title": "STRANGER"})
    with pytest.raises(NetworkError):
        api.retrieve_study(archive, server, "2.25.5001", method=Method.MOVE)


def test_studies_of_the_archive_are_sent_and_written_down(
    archive: Archive, studies: dict[str, Path], tmp_path: Path, own_home: Path
) -> None:
    api.import_studies(archive, [studies["korean"]])
    intake = Intake(tmp_path / "intake")
    with Receiver(intake, title="PEER") as receiver:
        server = api.build_server(name="peer", host="127.0.0.1", port=receiver.port, called_title="PEER")
        report = api.send_studies(archive, server, [archive.find_studies()[0].id])
    assert (report.sent, report.failed, intake.received) == (SLICES, (), SLICES)
    last = json.loads((own_home / TRAIL_FILE).read_text(encoding="utf-8").splitlines()[-1])
    assert (last["action"], last["details"]["objects"]) == ("export", SLICES)


def test_more_kinds_of_objects_than_one_association_has_contexts_are_sent(
    tmp_path: Path, studies: dict[str, Path]
) -> None:
    from pynetdicom.presentation import AllStoragePresentationContexts

    original = pydicom.dcmread(min(studies["latin"].iterdir()))
    folder = tmp_path / "kinds"
    folder.mkdir()
    kinds = [str(one.abstract_syntax) for one in AllStoragePresentationContexts][:140]
    for number, kind in enumerate(kinds):
        original.SOPClassUID = original.file_meta.MediaStorageSOPClassUID = kind
        original.SOPInstanceUID = original.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        original.save_as(folder / f"{number:03}.dcm")
    outgoing, failed = read_outgoing(sorted(folder.iterdir()))
    parts = list(split_by_kinds(outgoing))
    assert (len(failed), len(parts), max(len(chosen) for _, chosen in parts)) == (0, 2, 128)
    intake = Intake(tmp_path / "intake")
    with Receiver(intake, title="PEER") as receiver:
        server = api.build_server(name="peer", host="127.0.0.1", port=receiver.port, called_title="PEER")
        assert api.send_files(server, [folder]).sent == len(kinds)
    assert intake.received == len(kinds)


def test_a_server_that_takes_one_syntax_gets_it_and_compressed_files_are_listed(
    tmp_path: Path, studies: dict[str, Path]
) -> None:
    folder, port = tmp_path / "files", free_port()
    folder.mkdir()
    (tmp_path / "out").mkdir()
    original = pydicom.dcmread(min(studies["latin"].iterdir()))
    assert original.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    original.save_as(folder / "1.dcm")
    original.compress(JPEG2000Lossless)
    original.save_as(folder / "2.dcm")
    command = [find_tool("storescp"), "+xi", "-od", str(tmp_path / "out"), str(port)]  # implicit VR only
    with running(command, port):
        server = api.build_server(name="peer", host="127.0.0.1", port=port, called_title="STORESCP")
        report = api.send_files(server, [folder])
    assert report.sent == 1
    assert [(one.number, "JPEG 2000" in one.reason) for one in report.failed] == [(2, True)]


# --------------------------------------------------------------------------- commands


@pytest.fixture
def saved(pacs: Orthanc) -> Orthanc:
    api.save_server(pacs.dimse)
    api.save_server(pacs.web)
    return pacs


def test_the_commands_ask_a_saved_server(saved: Orthanc) -> None:
    assert "orthanc answers" in star("pacs", "echo", "orthanc")
    assert json.loads(star("pacs", "servers", "--json"))[0]["name"] == "orthanc"
    assert "orthanc-web" in star("pacs", "servers")
    found = json.loads(star("pacs", "find", "orthanc", "--name", "müller", "--json"))
    assert [one["patient_name"] for one in found["studies"]] == ["Müller^Jérôme"]
    table = star("pacs", "find", "orthanc-web", "--limit", 2, "--modality", "CT")
    assert "--page 2" in table
    assert "2.25.6000" in "".join(star("pacs", "find", "orthanc", "--study", "2.25.5000").split())


def test_the_commands_retrieve_and_store(saved: Orthanc, tmp_path: Path, studies: dict[str, Path]) -> None:
    archive = tmp_path / "studies"
    report = json.loads(star("pacs", "get", "orthanc", "2.25.5000", "2.25.5001", "--archive", archive, "--json"))
    assert [(one["received"], one["is_complete"]) for one in report] == [(SLICES, True)] * 2
    assert "4 objects of 4 received" in star("pacs", "move", "orthanc", "2.25.5002", "--archive", archive)
    assert "4 files sent" in star("pacs", "store", "orthanc-web", "--study", 1, "--archive", archive)
    (tmp_path / "note.txt").write_text("no DICOM")
    assert "file 1" in star("pacs", "store", "orthanc", tmp_path / "note.txt", code=1)


def test_a_server_is_added_with_its_password_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    monkeypatch.setattr(api, "save_server", lambda server, password: kept.append((server, password)))
    arguments = ["pacs", "add", "clinic", "https://pacs.example/dicom-web", "--user", "me", "--our-title", "STAR2"]
    result = CliRunner().invoke(cli.app, arguments, input="s3cret\n")
    assert result.exit_code == 0, result.output
    (server, password) = kept[0]
    assert (server.name, server.user, server.calling_title, password) == ("clinic", "me", "STAR2", "s3cret")
    assert "s3cret" not in result.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["find", "nowhere"], "There is no server 'nowhere'"),
        (["find", "X@127.0.0.1:1", "--from", "yesterday"], "is not a date"),
        (["echo", "X@127.0.0.1:1"], "cannot be reached"),
        (["get", "X@127.0.0.1:1", "../etc"], "no identifier of a study"),
        (["store", "X@127.0.0.1:1"], "Nothing to send"),
        (["serve"], "Nobody may send"),
        (["add", "x", "nonsense"], "is no address"),
    ],
)
def test_mistakes_are_told_in_one_message(arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(cli.app, ["pacs", *arguments])
    assert result.exit_code == 1
    assert isinstance(result.exception, NetworkError)
    assert told in result.exception.message


def test_serve_imports_what_comes_and_ends_politely(tmp_path: Path, studies: dict[str, Path]) -> None:
    storescu = find_tool("storescu")
    command = [sys.executable, "-m", "star_core.cli", "pacs", "serve", "--allow", "STORESCU", "--port", "0"]
    command += ["--archive", str(tmp_path / "archive"), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        started = json.loads(served.stdout.readline())
        assert (started["event"], started["address"]) == ("listening", "127.0.0.1")
        send = [storescu, "-aec", "STAR", "127.0.0.1", str(started["port"]), *map(str, studies["cyrillic"].iterdir())]
        assert subprocess.run(send, check=False, env=TOOL_ENVIRONMENT, timeout=60).returncode == 0
        served.send_signal(signal.SIGINT)
        imported = [json.loads(line) for line in served.stdout]
        assert served.wait(60) == 0
    assert sum(one["imported"] for one in imported) == SLICES
    with api.open_archive(tmp_path / "archive") as archive:
        assert archive.find_studies()[0].patient_name == "Люксембург, И"
    assert api.verify_audit().is_whole


def test_what_a_killed_receiver_left_is_imported_first(
    archive: Archive, studies: dict[str, Path], tmp_path: Path
) -> None:
    batch = archive.folder / "incoming" / "received" / "batch-1"
    batch.mkdir(parents=True)
    for number, path in enumerate(studies["latin"].iterdir()):
        (batch / f"{number}.dcm").write_bytes(path.read_bytes())
    stop, reports = threading.Event(), list[ImportReport]()

    def run() -> None:
        receive_into(archive, title="STAR", port=0, stop=stop, on_import=reports.append)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: bool(reports))
    with pytest.raises(NetworkError, match="receives into this archive"):
        receive_into(archive, title="STAR", port=0, stop=stop)
    stop.set()
    thread.join()
    assert [one.imported for one in reports] == [SLICES]


def test_no_name_of_a_patient_is_logged(
    pacs: Orthanc, archive: Archive, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("DEBUG")
    for server in (pacs.dimse, pacs.web):
        star_query = api.find_studies(server, _query("Müller"))
        assert star_query[0]
        api.retrieve_study(archive, server, "2.25.5000")
    monkeypatch.setenv(PASSWORD_VARIABLE, "wrong")
    with pytest.raises(NetworkError) as caught:
        api.find_studies(pacs.web, _query("Müller"))
    told = f"{caplog.text} {caught.value} {caught.value.details}"
    assert "ller" not in told
    assert "s3cret" not in told


def _query(name: str) -> Any:
    from star_core.dicom.network.query import StudyQuery

    return StudyQuery(patient_name=name)
