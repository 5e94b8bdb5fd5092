"""What the workers do about servers, where it is more than a call of the facade."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from star_core import api
from star_core.dicom.network import services
from star_core.dicom.network.query import StudyMatch
from star_core.dicom.network.servers import PASSWORD_VARIABLE, Server, read_password
from star_core.errors import NetworkError, StorageError
from star_core.types import ignore_progress
from star_viewer.jobs.network_requests import FindMatches, Matches, ReceiverPlan, ReceiveStudies, SaveServer, TestServer
from star_viewer.jobs.network_tasks import NetworkTasks
from tests.viewer.servers import HOSPITAL, MATCH
from tests.viewer.shelves import PEOPLE, write_study


def _find(monkeypatch: pytest.MonkeyPatch, *studies: StudyMatch) -> Matches:
    monkeypatch.setattr(services, "find_studies", lambda *_, **__: (studies, True))
    found = NetworkTasks().answer(FindMatches(server=HOSPITAL), ignore_progress)
    assert isinstance(found, Matches)
    return found


def test_a_saved_server_is_in_the_book() -> None:
    assert NetworkTasks().answer(SaveServer(server=HOSPITAL), ignore_progress) == (HOSPITAL,)


@pytest.mark.parametrize("before", [None, "of the environment"])
def test_a_typed_password_is_tried_and_not_kept(monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    if before is not None:
        monkeypatch.setenv(PASSWORD_VARIABLE, before)
    tried: list[str] = []
    monkeypatch.setattr(services, "echo", lambda server, progress: tried.append(read_password(server)))
    server = Server(name="hospital", host="pacs.hospital", user="reader")
    NetworkTasks().answer(TestServer(server=server, password="s3cret"), ignore_progress)
    assert tried == ["s3cret"]
    assert os.environ.get(PASSWORD_VARIABLE) == before


def test_names_are_shown_as_in_the_archive_and_what_is_here_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_study(tmp_path, PEOPLE[0], "20260131", "40", "CT")
    with api.open_archive() as archive:
        api.import_studies(archive, [tmp_path])
    answer = StudyMatch(
        **{name: getattr(MATCH, name) for name in MATCH.__dataclass_fields__}
        | {"study_uid": "2.25.540", "patient_name": "Yamada^Tarou=山田^太郎"}
    )
    found = _find(monkeypatch, answer, MATCH)
    assert found.studies[0].patient_name == "Yamada, Tarou · 山田, 太郎"
    assert [row.study_uid for row in found.here] == ["2.25.540"]
    assert found.has_more


def test_a_broken_archive_hides_nothing_that_a_server_has(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise StorageError("The archive cannot be opened.")

    monkeypatch.setattr(api, "open_archive", refuse)
    found = _find(monkeypatch, MATCH)
    assert found.studies == (MATCH,)
    assert found.here == ()


def test_nobody_sends_unless_named() -> None:
    with pytest.raises(NetworkError, match="Nobody may send"):
        NetworkTasks().answer(ReceiveStudies(plan=ReceiverPlan()), ignore_progress)
