"""What is sent to us arrives whole or not at all, from known titles only, within limits."""

from __future__ import annotations

import socket
import struct
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pydicom
import pytest

from star_core.dicom.network import intake as intake_module
from star_core.dicom.network.intake import Intake, Limits, RefusedError, Tally, is_uid, to_file_name
from star_core.dicom.network.receiver import Receiver
from star_core.errors import NetworkError, StorageError
from tests.core.dicom.network.conftest import SLICES
from tests.core.dicom.network.peers import TOOL_ENVIRONMENT, find_tool, running_proxy, wait_until


@pytest.fixture
def intake(tmp_path: Path) -> Intake:
    return Intake(tmp_path / "intake")


@pytest.fixture
def receiver(intake: Intake) -> Iterator[Receiver]:
    with Receiver(intake, title="STAR", allowed=["STORESCU"]) as running:
        yield running


def send(receiver: Receiver, paths: Sequence[Path], *options: str) -> subprocess.CompletedProcess[str]:
    command = [find_tool("storescu"), *options, "127.0.0.1", str(receiver.port), *map(str, paths)]
    if "-aec" not in options:
        command[1:1] = ["-aec", "STAR"]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=TOOL_ENVIRONMENT, timeout=60)


def test_what_dcmtk_sends_is_what_lies_on_the_disk(
    receiver: Receiver, intake: Intake, studies: dict[str, Path]
) -> None:
    paths = sorted(studies["japanese"].iterdir())
    assert send(receiver, paths, "-xe").returncode == 0
    assert intake.received == SLICES
    for path in paths:
        original = pydicom.dcmread(path)
        came = pydicom.dcmread(intake.whole_folder / to_file_name(str(original.SOPInstanceUID)))
        assert came == original
        assert came.file_meta.TransferSyntaxUID.name == "Explicit VR Little Endian"
        assert came.file_meta.SourceApplicationEntityTitle == "STORESCU"
    assert not list((intake.folder / "partial").iterdir())


@pytest.mark.parametrize("syntax", ["-xb", "-xi", "-xe"])
@pytest.mark.parametrize("pdu", ["4096", "131072"])
def test_every_size_of_pdu_and_every_syntax_is_taken(
    receiver: Receiver, intake: Intake, studies: dict[str, Path], syntax: str, pdu: str
) -> None:
    assert send(receiver, sorted(studies["latin"].iterdir()), syntax, "--max-send-pdu", pdu).returncode == 0
    pixels = {pydicom.dcmread(path).pixel_array.tobytes() for path in intake.whole_folder.iterdir()}
    assert pixels == {pydicom.dcmread(path).pixel_array.tobytes() for path in studies["latin"].iterdir()}


def test_compressed_files_come_as_they_are(
    receiver: Receiver, intake: Intake, studies: dict[str, Path], tmp_path: Path
) -> None:
    path, packed = min(studies["latin"].iterdir()), tmp_path / "packed.dcm"
    subprocess.run([find_tool("dcmcjpeg"), "+e1", str(path), str(packed)], check=True)
    assert send(receiver, [packed], "-xs").returncode == 0
    (came,) = intake.whole_folder.iterdir()
    assert pydicom.dcmread(came).PixelData == pydicom.dcmread(packed).PixelData


def test_an_echo_is_answered(receiver: Receiver) -> None:
    echo = [find_tool("echoscu"), "-aet", "STORESCU", "-aec", "STAR", "127.0.0.1", str(receiver.port)]
    assert subprocess.run(echo, check=False, timeout=30).returncode == 0


@pytest.mark.parametrize("options", [("-aet", "STRANGER"), ("-aec", "OTHER")])
def test_other_titles_are_rejected(
    receiver: Receiver, intake: Intake, studies: dict[str, Path], options: tuple[str, str]
) -> None:
    answer = send(receiver, [min(studies["latin"].iterdir())], *options)
    assert answer.returncode != 0
    assert "Reject" in answer.stderr
    assert intake.received == 0


def test_limits_are_told_to_the_sender(tmp_path: Path, studies: dict[str, Path]) -> None:
    paths = sorted(studies["latin"].iterdir())
    size = paths[0].stat().st_size
    for limits, taken in (
        (Limits(objects=2), 2),
        (Limits(object_bytes=size // 2), 0),
        (Limits(total_bytes=int(size * 1.5)), 1),
    ):
        intake = Intake(tmp_path / str(limits.objects + limits.object_bytes + limits.total_bytes), limits=limits)
        with Receiver(intake, title="STAR") as receiver:
            answer = send(receiver, paths, "-v", "-xe", "-nh")
        assert intake.received == taken
        assert "OutOfResources" in answer.stdout + answer.stderr or "Refused" in answer.stdout + answer.stderr
        assert intake.refusals
        assert not list((intake.folder / "partial").iterdir())


def test_a_full_disk_is_told_to_the_sender(
    receiver: Receiver, intake: Intake, studies: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "SPARE_BYTES", 1 << 60)
    answer = send(receiver, [min(studies["latin"].iterdir())], "-v")
    assert "Refused" in answer.stdout + answer.stderr
    assert intake.refusals == ["the disk is full"]


def test_what_was_not_asked_for_is_refused(tmp_path: Path, studies: dict[str, Path]) -> None:
    intake = Intake(tmp_path / "intake", wanted={"2.25.70000"})
    with Receiver(intake, title="STAR") as receiver:
        send(receiver, sorted(studies["latin"].iterdir()), "-xe", "-nh")
    assert intake.received == 1
    assert set(intake.refusals) == {"it was not asked for"}


def test_a_connection_that_breaks_leaves_nothing(receiver: Receiver, intake: Intake, studies: dict[str, Path]) -> None:
    find_tool("storescu")
    with running_proxy(receiver.port, cut_after=6_000) as port:
        command = ["storescu", "-aec", "STAR", "127.0.0.1", str(port), *map(str, studies["latin"].iterdir())]
        done = subprocess.run(command, capture_output=True, check=False, env=TOOL_ENVIRONMENT, timeout=60)
    assert done.returncode != 0
    wait_until(lambda: not list((intake.folder / "partial").iterdir()))
    assert intake.received <= 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">BxL", 1, 0xFFFFFFFF) + b"x" * 100,
        struct.pack(">BxL", 1, 70) + b"\xff" * 70,
        struct.pack(">BxL", 4, 10) + b"\0" * 10,
        b"",
    ],
)
def test_garbage_ends_its_own_connection_only(
    receiver: Receiver, intake: Intake, studies: dict[str, Path], garbage: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", receiver.port)) as connection:
        connection.sendall(garbage)
        assert send(receiver, [min(studies["latin"].iterdir())], "-xe").returncode == 0
    assert intake.received == 1


def test_it_listens_on_loopback_and_a_taken_port_is_told(receiver: Receiver, intake: Intake) -> None:
    assert receiver._server.server_address[0] == "127.0.0.1"
    with pytest.raises(NetworkError, match="cannot be listened on"):
        Receiver(intake, title="STAR", port=receiver.port)


def test_names_are_hashes_and_odd_identifiers_are_refused(intake: Intake) -> None:
    for uid in ("../../escape", "", "1." + "2" * 64, "1.2\n3"):
        assert not is_uid(uid)
        with pytest.raises(RefusedError):
            intake.begin(sop_class_uid="1.2", sop_uid=uid, transfer_syntax_uid="1.2", sender="X", tally=Tally())
    assert to_file_name("1.2.3").removesuffix(".dcm").isalnum()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        Intake(tmp_path / "file")
