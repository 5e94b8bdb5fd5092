"""One patient's way: open, assess, export; and what happens when a step fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from star_core.errors import StorageError
from star_viewer.jobs.requests import (
    ActivateModel,
    AssessCase,
    CaseSource,
    InstallModel,
    ListSeries,
    OpenCase,
    Request,
    WriteReport,
)
from star_viewer.jobs.worker import Failed
from star_viewer.session import Session
from star_viewer.workflow import Workflow
from tests.viewer.fakes import RECORD, FakeModel, build_full_assessment
from tests.viewer.runners import DirectRunner
from tests.viewer.scene.factory import build_case


@pytest.fixture
def workflow(session: Session, direct_runner: DirectRunner) -> Workflow:
    return Workflow(session, direct_runner)


def _open_folder(qtbot: QtBot, workflow: Workflow, folder: Path) -> None:
    folder.mkdir()
    with qtbot.waitSignal(workflow.assessed):
        workflow.open_folder(folder)


def _refuse(request: Request) -> object:
    raise StorageError("The disk is full.", remedy="Make room.")


def test_opening_a_folder_lists_its_series_opens_and_assesses(
    qtbot: QtBot, workflow: Workflow, session: Session, direct_runner: DirectRunner, tmp_path: Path
) -> None:
    folder = tmp_path / "ct"
    folder.mkdir()
    with qtbot.waitSignals([workflow.series_listed, workflow.case_opened, workflow.assessed], order="strict"):
        workflow.open_folder(folder)
    assert [type(request) for request in direct_runner.requests] == [ListSeries, OpenCase, AssessCase]
    assert session.clinical == RECORD
    assert session.assessment is not None
    assert workflow.source == CaseSource(folder=folder)


def test_a_file_is_opened_without_looking_for_series(
    qtbot: QtBot, workflow: Workflow, direct_runner: DirectRunner, tmp_path: Path
) -> None:
    file = tmp_path / "ct.nii.gz"
    file.write_bytes(b"")
    with qtbot.waitSignal(workflow.assessed):
        workflow.open_folder(file)
    assert direct_runner.asked(ListSeries) == []


def test_segmentation_and_record_go_along(workflow: Workflow, direct_runner: DirectRunner, tmp_path: Path) -> None:
    seg, clinical = tmp_path / "seg.dcm", tmp_path / "clinical.json"
    workflow.open_folder(tmp_path, segmentation=seg, clinical=clinical)
    source = CaseSource(folder=tmp_path, segmentation=seg, clinical=clinical)
    assert direct_runner.asked(OpenCase) == [OpenCase(source=source)]


@pytest.mark.parametrize("name", ["refused", "bug"])
def test_a_folder_that_cannot_be_read_leaves_what_was_open(
    qtbot: QtBot, workflow: Workflow, session: Session, tmp_path: Path, name: str
) -> None:
    _open_folder(qtbot, workflow, tmp_path / "ct")
    volume, assessment, source = session.volume, session.assessment, workflow.source
    with qtbot.waitSignal(workflow.refused):
        workflow.open_folder(tmp_path / name)
    assert session.volume is volume
    assert session.assessment is assessment
    assert workflow.source == source


def test_a_folder_whose_series_cannot_be_listed_is_told_once(
    qtbot: QtBot, workflow: Workflow, direct_runner: DirectRunner, tmp_path: Path
) -> None:
    told: list[Failed] = []
    workflow.refused.connect(told.append)
    workflow.troubled.connect(lambda _, failure: told.append(failure))
    direct_runner.replace_answers = {ListSeries: _refuse, OpenCase: _refuse}
    with qtbot.waitSignal(workflow.refused):
        workflow.open_folder(tmp_path)
    assert [failure.message for failure in told] == ["The disk is full."]


def test_another_series_is_opened_from_the_same_folder(
    qtbot: QtBot, workflow: Workflow, direct_runner: DirectRunner, tmp_path: Path
) -> None:
    _open_folder(qtbot, workflow, tmp_path / "ct")
    with qtbot.waitSignal(workflow.assessed):
        workflow.open_series("1.9")
    assert workflow.source == CaseSource(folder=tmp_path / "ct", series_uid="1.9")


def test_a_series_of_a_folder_whose_first_choice_was_refused_can_be_opened(
    qtbot: QtBot, workflow: Workflow, direct_runner: DirectRunner, tmp_path: Path
) -> None:
    _open_folder(qtbot, workflow, tmp_path / "ct")
    (tmp_path / "refused").mkdir()
    with qtbot.waitSignals([workflow.series_listed, workflow.refused]):
        workflow.open_folder(tmp_path / "refused")
    workflow.open_series("1.9")
    source = CaseSource(folder=tmp_path / "refused", series_uid="1.9")
    assert direct_runner.asked(OpenCase)[-1] == OpenCase(source=source)


def test_a_series_asked_for_with_nothing_listed_is_passed_over(workflow: Workflow, direct_runner: DirectRunner) -> None:
    workflow.open_series("1.9")
    assert direct_runner.requests == []


def test_nothing_is_assessed_or_written_without_a_case(
    workflow: Workflow, direct_runner: DirectRunner, tmp_path: Path
) -> None:
    workflow.assess()
    workflow.write_report(tmp_path / "report.pdf")
    assert direct_runner.requests == []


def test_an_assessment_of_an_older_record_is_dropped(
    qtbot: QtBot, workflow: Workflow, session: Session, direct_runner: DirectRunner, tmp_path: Path
) -> None:
    _open_folder(qtbot, workflow, tmp_path / "ct")
    shown = session.assessment
    workflow.assess()
    session.set_clinical(replace(RECORD, age_years=80.0))  # typed while the model works
    with qtbot.assertNotEmitted(workflow.assessed), qtbot.waitSignal(direct_runner.idle):
        pass
    assert session.assessment is shown


def test_an_assessment_of_another_case_is_dropped(
    qtbot: QtBot, workflow: Workflow, session: Session, direct_runner: DirectRunner, tmp_path: Path
) -> None:
    _open_folder(qtbot, workflow, tmp_path / "ct")
    shown = session.assessment
    stale = AssessCase(source=CaseSource(folder=tmp_path / "other"), clinical=RECORD, model=None)
    direct_runner.finished.emit(stale, build_full_assessment(build_case()))
    assert session.assessment is shown


def test_the_report_is_written_with_the_record_of_the_form(
    qtbot: QtBot, workflow: Workflow, session: Session, direct_runner: DirectRunner, tmp_path: Path
) -> None:
    _open_folder(qtbot, workflow, tmp_path / "ct")
    record = replace(RECORD, age_years=80.0)
    session.set_clinical(record)
    with qtbot.waitSignal(workflow.report_written, check_params_cb=lambda path: path == str(tmp_path / "r.pdf")):
        workflow.write_report(tmp_path / "r.pdf")
    (request,) = direct_runner.asked(WriteReport)
    assert isinstance(request, WriteReport)
    assert request.clinical == record
    assert (tmp_path / "r.pdf").read_bytes().startswith(b"%PDF")


def test_a_report_that_cannot_be_written_is_refused(
    qtbot: QtBot, workflow: Workflow, direct_runner: DirectRunner, tmp_path: Path
) -> None:
    _open_folder(qtbot, workflow, tmp_path / "ct")
    direct_runner.replace_answers = {WriteReport: _refuse}
    with qtbot.waitSignal(workflow.refused, check_params_cb=lambda failure: failure.remedy == "Make room."):
        workflow.write_report(tmp_path / "r.pdf")


def test_a_failed_assessment_is_trouble_and_keeps_the_old_result(
    qtbot: QtBot, workflow: Workflow, session: Session, direct_runner: DirectRunner, tmp_path: Path
) -> None:
    _open_folder(qtbot, workflow, tmp_path / "ct")
    shown = session.assessment
    direct_runner.replace_answers = {AssessCase: _refuse}
    with qtbot.waitSignal(workflow.troubled):
        workflow.assess()
    assert session.assessment is shown


def test_the_model_in_use_is_known_after_listing(qtbot: QtBot, workflow: Workflow, session: Session) -> None:
    with qtbot.waitSignal(workflow.models_listed):
        workflow.list_models()
    assert session.model_name == "star"


def test_another_model_assesses_the_open_case_at_once(
    qtbot: QtBot, workflow: Workflow, session: Session, direct_runner: DirectRunner
) -> None:
    workflow.list_models()
    with qtbot.waitSignal(workflow.assessed):
        workflow.open_demo()
    with qtbot.waitSignal(workflow.assessed):
        workflow.choose_model("ours")
    assert session.model_name == "ours"
    request = direct_runner.asked(AssessCase)[-1]
    assert isinstance(request, AssessCase)
    assert request.model == "ours"


def test_choosing_the_model_in_use_does_nothing(qtbot: QtBot, workflow: Workflow, direct_runner: DirectRunner) -> None:
    with qtbot.waitSignal(workflow.models_listed):
        workflow.list_models()
    workflow.choose_model("star")
    assert direct_runner.asked(ActivateModel) == []


def test_a_model_trained_here_is_installed_and_used(
    qtbot: QtBot, workflow: Workflow, session: Session, tmp_path: Path
) -> None:
    with qtbot.waitSignal(workflow.models_listed):
        workflow.install_model(tmp_path)
    assert session.model_name == "ours"


def test_a_damaged_bundle_is_refused_and_the_model_stays(
    qtbot: QtBot, workflow: Workflow, session: Session, direct_runner: DirectRunner, tmp_path: Path
) -> None:
    with qtbot.waitSignal(workflow.models_listed):
        workflow.list_models()
    direct_runner.replace_answers = {InstallModel: _refuse}
    with qtbot.waitSignal(workflow.refused):
        workflow.install_model(tmp_path)
    assert session.model_name == "star"


def test_without_any_model_there_is_no_name(
    qtbot: QtBot, workflow: Workflow, session: Session, direct_runner: DirectRunner
) -> None:
    direct_runner.replace_answers = {ActivateModel: lambda _: (FakeModel("a", is_active=False),)}
    with qtbot.waitSignal(workflow.models_listed):
        workflow.choose_model("a")
    assert session.model_name == ""
