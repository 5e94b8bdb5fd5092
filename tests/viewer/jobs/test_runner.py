"""The worker answers, fails, crashes and goes deaf; the runner outlives all of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QEventLoop
from pytestqt.qtbot import QtBot

from star_core.types import Assessment, Case
from star_viewer.jobs.requests import AssessCase, CaseSource, ListModels, ListSeries, OpenCase, Request, WriteReport
from star_viewer.jobs.runner import KILL_AFTER_MS, JobRunner
from star_viewer.jobs.worker import Failed
from tests.viewer.fakes import RECORD

DEMO = CaseSource(folder=None)
TIMEOUT_MS = 20_000


def _open(name: str | None) -> OpenCase:
    return OpenCase(source=CaseSource(folder=None if name is None else Path("/data") / name))


class Diary:
    """Notes everything that a runner says, in order."""

    def __init__(self, runner: JobRunner) -> None:
        self.entries: list[tuple[str, Request, object]] = []
        runner.started.connect(lambda request: self._note("started", request))
        runner.progressed.connect(lambda request, done, total: self._note("progressed", request, (done, total)))
        runner.finished.connect(lambda request, answer: self._note("finished", request, answer))
        runner.failed.connect(lambda request, failure: self._note("failed", request, failure))
        runner.cancelled.connect(lambda request: self._note("cancelled", request))

    def _note(self, what: str, request: Request, value: object = None) -> None:
        self.entries.append((what, request, value))

    def of(self, what: str) -> list[tuple[Request, object]]:
        return [(request, value) for entry, request, value in self.entries if entry == what]

    @property
    def failures(self) -> list[Failed]:
        return [value for _, value in self.of("failed") if isinstance(value, Failed)]


@pytest.fixture
def runner(process_runner: JobRunner) -> JobRunner:
    return process_runner


@pytest.fixture
def diary(runner: JobRunner) -> Diary:
    return Diary(runner)


def _do(qtbot: QtBot, runner: JobRunner, *requests: Request) -> None:
    with qtbot.waitSignal(runner.idle, timeout=TIMEOUT_MS):
        for request in requests:
            runner.submit(request)


def _start_and_wait(qtbot: QtBot, runner: JobRunner, request: Request) -> None:
    """Return once the worker has reported the first progress of a request."""
    with qtbot.waitSignal(runner.progressed, timeout=TIMEOUT_MS):
        runner.submit(request)


def test_requests_are_answered_in_the_order_of_asking(qtbot: QtBot, runner: JobRunner, diary: Diary) -> None:
    requests = (
        ListSeries(folder=Path("/data/ct")),
        _open("ct"),
        AssessCase(source=DEMO, clinical=RECORD, model=None),
    )
    _do(qtbot, runner, *requests)
    assert [request for request, _ in diary.of("finished")] == list(requests)
    assert [request for request, _ in diary.of("started")] == list(requests)
    answers = [answer for _, answer in diary.of("finished")]
    assert isinstance(answers[1], Case)
    assert isinstance(answers[2], Assessment)
    assert not runner.busy


def test_a_refusal_brings_the_words_of_the_library(qtbot: QtBot, runner: JobRunner, diary: Diary) -> None:
    _do(qtbot, runner, _open("refused"))
    (failure,) = diary.failures
    assert failure.message == "There is no CT series in this folder; found: MR."
    assert failure.remedy == "Choose a folder with a CT."
    assert not failure.cancelled


def test_a_bug_is_told_once_with_its_details_and_the_worker_goes_on(
    qtbot: QtBot, runner: JobRunner, diary: Diary
) -> None:
    _do(qtbot, runner, _open("bug"))
    process = runner._process
    _do(qtbot, runner, _open("ct"))
    (failure,) = diary.failures
    assert "ZeroDivisionError" in failure.message
    assert "division by zero" in failure.details
    assert runner._process is process
    assert len(diary.of("finished")) == 1


def test_a_crash_costs_one_message_and_the_next_job_works(qtbot: QtBot, runner: JobRunner, diary: Diary) -> None:
    _do(qtbot, runner, _open("crash"))
    (failure,) = diary.failures
    assert "ended unexpectedly" in failure.message
    assert failure.remedy
    _do(qtbot, runner, _open("ct"))
    assert len(diary.failures) == 1
    assert isinstance(diary.of("finished")[0][1], Case)


def test_jobs_that_wait_behind_a_crash_are_done(qtbot: QtBot, runner: JobRunner, diary: Diary) -> None:
    _do(qtbot, runner, _open("crash"), ListModels())
    assert len(diary.failures) == 1
    assert [request for request, _ in diary.of("finished")] == [ListModels()]


def test_a_worker_that_dies_while_idle_is_replaced(qtbot: QtBot, runner: JobRunner, diary: Diary) -> None:
    _do(qtbot, runner, ListModels())
    assert runner._process is not None
    with qtbot.waitSignal(runner.idle, timeout=TIMEOUT_MS):
        runner._process.terminate()
    _do(qtbot, runner, _open("ct"))
    assert diary.failures == []
    assert len(diary.of("finished")) == 2


def test_cancel_stops_at_the_next_step_and_keeps_the_worker(qtbot: QtBot, runner: JobRunner, diary: Diary) -> None:
    _start_and_wait(qtbot, runner, _open("slow"))
    process = runner._process
    with qtbot.waitSignals([runner.cancelled, runner.idle], timeout=KILL_AFTER_MS):
        runner.cancel()
    assert runner._process is process
    assert diary.failures == []
    assert diary.of("finished") == []
    _do(qtbot, runner, _open("ct"))
    assert len(diary.of("finished")) == 1


def test_cancel_forgets_what_waits(qtbot: QtBot, runner: JobRunner, diary: Diary) -> None:
    _start_and_wait(qtbot, runner, _open("slow"))
    runner.submit(ListModels())
    with qtbot.waitSignal(runner.idle, timeout=TIMEOUT_MS):
        runner.cancel()
    assert diary.of("finished") == []
    assert not runner.busy


def test_a_deaf_worker_is_ended_and_the_next_job_works(qtbot: QtBot, runner: JobRunner, diary: Diary) -> None:
    _do(qtbot, runner, ListModels())
    process = runner._process
    runner._killer.setInterval(100)
    runner.submit(_open("deaf"))
    with qtbot.waitSignal(runner.cancelled, timeout=TIMEOUT_MS):
        runner.cancel()
    _do(qtbot, runner, _open("ct"))
    assert runner._process is not process
    assert diary.failures == []
    assert isinstance(diary.of("finished")[-1][1], Case)


def test_cancel_with_nothing_to_do_does_nothing(runner: JobRunner, diary: Diary) -> None:
    runner.cancel()
    assert diary.entries == []
    assert not runner.busy


def test_an_answer_that_nobody_wants_any_more_is_dropped(qtbot: QtBot, runner: JobRunner, diary: Diary) -> None:
    _start_and_wait(qtbot, runner, _open("slow"))
    _do(qtbot, runner, _open("ct"))
    assert [request for request, _ in diary.of("finished")] == [_open("ct")]
    assert diary.of("cancelled") == []
    assert diary.failures == []


def test_of_waiting_jobs_of_one_kind_only_the_newest_is_done(qtbot: QtBot, runner: JobRunner, diary: Diary) -> None:
    _do(qtbot, runner, ListModels(), _open("a"), _open("b"), _open("c"))
    opened = [request for request, _ in diary.of("started") if isinstance(request, OpenCase)]
    assert opened == [_open("c")]


def test_every_report_that_was_asked_for_is_written(
    qtbot: QtBot, runner: JobRunner, diary: Diary, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{number}.pdf" for number in range(3)]
    _do(qtbot, runner, *(WriteReport(source=DEMO, clinical=RECORD, model=None, path=path) for path in paths))
    assert all(path.read_bytes().startswith(b"%PDF") for path in paths)


def test_progress_is_told_with_its_total(qtbot: QtBot, runner: JobRunner, diary: Diary) -> None:
    _start_and_wait(qtbot, runner, _open("slow"))
    done, total = diary.of("progressed")[-1][1]  # type: ignore[misc]
    assert 0 <= done < total == 1000


def test_nothing_is_delivered_once_closed(qtbot: QtBot, runner: JobRunner, diary: Diary) -> None:
    _start_and_wait(qtbot, runner, _open("slow"))
    before = len(diary.entries)
    process = runner._process
    runner.close()
    runner.submit(ListModels())
    QEventLoop().processEvents()
    assert len(diary.entries) == before
    assert process is not None
    assert runner._process is None


def test_a_worker_is_started_once(qtbot: QtBot, runner: JobRunner) -> None:
    runner.start()
    process = runner._process
    runner.start()
    assert runner._process is process
    _do(qtbot, runner, ListModels())
    assert runner._process is process


# --------------------------------------------------------------------------- pausing


def test_a_paused_job_goes_on_where_it_was(qtbot: QtBot, runner: JobRunner) -> None:
    with qtbot.waitSignal(runner.progressed, timeout=TIMEOUT_MS):
        runner.submit(_open("slow"))
    with qtbot.waitSignal(runner.paused, check_params_cb=lambda paused: paused):
        runner.pause()
    assert runner.busy
    with qtbot.waitSignal(runner.paused, check_params_cb=lambda paused: not paused):
        runner.resume()
    with qtbot.waitSignal(runner.progressed, timeout=TIMEOUT_MS):
        pass
    with qtbot.waitSignal(runner.cancelled, timeout=TIMEOUT_MS):
        runner.cancel()


def test_a_paused_job_can_be_cancelled_and_the_next_is_not_paused(
    qtbot: QtBot, runner: JobRunner, diary: Diary
) -> None:
    with qtbot.waitSignal(runner.progressed, timeout=TIMEOUT_MS):
        runner.submit(_open("slow"))
    runner.pause()
    with qtbot.waitSignal(runner.cancelled, timeout=TIMEOUT_MS):
        runner.cancel()
    _do(qtbot, runner, ListModels())
    assert diary.of("finished")


def test_nothing_is_paused_where_nothing_runs(qtbot: QtBot, runner: JobRunner) -> None:
    with qtbot.assertNotEmitted(runner.paused):
        runner.pause()
        runner.resume()
