"""A real server is asked, over DIMSE and on the web, in every script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from star_core.dicom.names import to_display_name
from star_core.dicom.network.intake import Intake
from star_core.dicom.network.query import StudyQuery, to_date_range, to_name_pattern
from star_core.dicom.network.retrieval import Method
from star_core.dicom.network.servers import Server
from star_core.dicom.network.services import echo, find_series, find_studies, plan_retrieval, retrieve, send_files
from star_core.errors import CancelledError, NetworkError
from tests.core.dicom.network.conftest import NAMES, SLICES
from tests.core.dicom.network.peers import Orthanc

PROTOCOLS = ("dimse", "web")


def pick(pacs: Orthanc, protocol: str) -> Server:
    return pacs.dimse if protocol == "dimse" else pacs.web


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_that_is_there_answers(pacs: Orthanc, protocol: str) -> None:
    echo(pick(pacs, protocol))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("patient", NAMES)
def test_names_of_every_script_are_shown_and_found(pacs: Orthanc, protocol: str, patient: str) -> None:
    name = NAMES[patient][1]
    typed = name.split("=")[-1].split("^")[0]
    found, _ = find_studies(pick(pacs, protocol), StudyQuery(patient_name=typed))
    assert [(one.patient_id, one.patient_name) for one in found] == [(patient, name)]
    assert typed in to_display_name(found[0].patient_name) or patient in ("japanese", "korean")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_studies_are_found_by_identifier_date_modality_and_accession(pacs: Orthanc, protocol: str) -> None:
    server = pick(pacs, protocol)

    def ask(**wanted: str) -> set[str]:
        return {one.patient_id for one in find_studies(server, StudyQuery(**wanted))[0]}

    assert ask(patient_id="greek") == {"greek"}
    assert ask(date_from="2026-01-02", date_to="2026-01-03") == {"greek", "cyrillic"}
    assert ask(date_from="2026-01-06") == {"korean"}
    assert ask(accession="A0") == {"latin"}
    assert ask(modality="ct") == set(NAMES)
    assert ask(modality="MR") == set()
    assert ask(description="abdomen", patient_id="lat*") == {"latin"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_answers_come_in_pages(pacs: Orthanc, protocol: str) -> None:
    server = pick(pacs, protocol)
    first, more = find_studies(server, StudyQuery(), limit=4)
    second, none = find_studies(server, StudyQuery(), limit=4, offset=4)
    assert (len(first), more, len(second), none) == (4, True, 2, False)
    assert {one.patient_id for one in (*first, *second)} == set(NAMES)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_study_tells_its_facts_and_its_series(pacs: Orthanc, protocol: str) -> None:
    server = pick(pacs, protocol)
    (study,), _ = find_studies(server, StudyQuery(patient_id="latin"))
    assert (study.date, study.modalities, study.accession, study.description) == (
        "2026-01-01",
        ("CT",),
        "A0",
        "CT abdomen",
    )
    assert (study.series_count, study.instance_count) == (1, SLICES)
    (series,) = find_series(server, study.study_uid)
    assert (series.modality, series.instance_count) == ("CT", SLICES)


def ways(pacs: Orthanc) -> dict[str, tuple[Server, Method]]:
    return {
        "get": (pacs.dimse, Method.GET),
        "move": (pacs.dimse, Method.MOVE),
        "web": (pacs.web, Method.GET),
    }


@pytest.mark.parametrize("way", ["get", "move", "web"])
def test_a_study_comes_as_it_was_sent(pacs: Orthanc, studies: dict[str, Path], tmp_path: Path, way: str) -> None:
    server, method = ways(pacs)[way]
    intake = Intake(tmp_path / "intake")
    seen: list[tuple[int, int]] = []
    plan = plan_retrieval(server, "2.25.5000", have=intake.has)
    assert (plan.announced, len(plan.missing), plan.is_listed) == (SLICES, SLICES, True)
    retrieve(server, plan, intake, method=method, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (SLICES, SLICES)
    originals = {one.SOPInstanceUID: one for one in map(pydicom.dcmread, studies["latin"].iterdir())}
    for path in intake.whole_folder.iterdir():
        came = pydicom.dcmread(path)
        assert came == originals.pop(came.SOPInstanceUID)
    assert not originals


@pytest.mark.parametrize("way", ["get", "move", "web"])
def test_only_what_is_missing_is_asked_for(pacs: Orthanc, tmp_path: Path, way: str) -> None:
    server, method = ways(pacs)[way]
    here = {"2.25.70010", "2.25.70011"}
    plan = plan_retrieval(server, "2.25.5001", have=here.__contains__)
    intake = Intake(tmp_path / "intake", wanted=plan.missing)
    retrieve(server, plan, intake, method=method)
    assert intake.received == SLICES - 2
    assert not intake.refusals
    assert not any(intake.has(uid) for uid in here)


def test_a_study_that_is_not_there_is_told(pacs: Orthanc) -> None:
    for server in (pacs.dimse, pacs.web):
        with pytest.raises(NetworkError, match="no study"):
            plan_retrieval(server, "2.25.999", have=lambda uid: False)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_files_are_sent_and_those_that_cannot_are_listed(
    orthanc: Orthanc, studies: dict[str, Path], tmp_path: Path, protocol: str
) -> None:
    (tmp_path / "note.txt").write_text("not DICOM")
    paths = [tmp_path / "note.txt", *sorted(studies["greek"].iterdir())]
    seen: list[tuple[int, int]] = []
    report = send_files(pick(orthanc, protocol), paths, progress=lambda done, total: seen.append((done, total)))
    assert report.sent == SLICES
    assert [one.number for one in report.failed] == [1]
    assert seen[-1] == (SLICES + 1, SLICES + 1)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"calling_title": "NOBODY"}, "aborted.*'NOBODY'"),
        ({"called_title": "OTHER"}, "does not call itself 'OTHER'"),
        ({"host": "no-such-host.invalid"}, "there is no host"),
    ],
)
def test_a_server_that_refuses_says_why(pacs: Orthanc, change: dict[str, str], told: str) -> None:
    server = Server.model_validate(pacs.dimse.model_dump() | change)
    with pytest.raises(NetworkError, match=told):
        find_studies(server, StudyQuery())


def test_a_wrong_password_and_a_wrong_url_are_told(pacs: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Server.model_validate(pacs.web.model_dump() | {"url": pacs.web.url + "/nowhere"})
    with pytest.raises(NetworkError, match="404"):
        echo(wrong)
    monkeypatch.setenv("STAR_PACS_PASSWORD", "wrong")
    with pytest.raises(NetworkError, match="does not let this user in"):
        echo(pacs.web)


def stop_at(count: int) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        if done >= count:
            raise CancelledError("Cancelled.")

    return progress


@pytest.mark.parametrize(
    ("typed", "pattern"),
    [
        ("Müller", "*Müller*"),
        ("Müller, Jérôme", "*Müller*^*Jérôme*"),
        ("MUL?ER^*", "MUL?ER^*"),
        ("  ", ""),
    ],
)
def test_what_is_typed_becomes_a_pattern(typed: str, pattern: str) -> None:
    assert to_name_pattern(typed) == pattern


def test_dates_become_a_range() -> None:
    assert to_date_range("2026-01-31", "") == "20260131-"
    assert to_date_range("", "2026-01-31") == "-20260131"
    assert to_date_range("2026-01-31", "2026-01-31") == "20260131"
    with pytest.raises(NetworkError, match="not a date"):
        to_date_range("31.1.2026", "")
