"""What is drawn on a scan of the archive is kept there, and comes from there where nothing else kept it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from star_core.imaging.annotations import AnnotationKind, AnnotationPlane, build_annotation
from star_viewer.app import StarApp
from star_viewer.browser.nodes import Kind, title_of
from star_viewer.drawn import add_annotation
from star_viewer.jobs.archive_requests import KeepAnnotations
from star_viewer.jobs.requests import ArchivedScan, OpenCase, Request
from star_viewer.journal import key_of
from tests.viewer.conftest import OpenApp
from tests.viewer.fakes import FakeTasks
from tests.viewer.runners import DirectRunner
from tests.viewer.scene.factory import build_case
from tests.viewer.shelves import PEOPLE, write_study

PLANE = AnnotationPlane(origin_mm=(0.0, 0.0, 0.0), right=(1.0, 0.0, 0.0), up=(0.0, -1.0, 0.0))
SERIES_UID = "2.25.310"


@pytest.fixture
def star(qtbot: QtBot, open_app: OpenApp, tmp_path: Path) -> StarApp:
    """The window with one imported study; opening it brings the synthetic patient under the study's UID."""
    write_study(tmp_path / "study", PEOPLE[0], "20260131", "10", "CT")
    star = open_app(runner=_runner())
    with qtbot.waitSignal(star.shelf.imported):
        star.shelf.import_sources((tmp_path / "study",), link=False)
    qtbot.waitUntil(lambda: star.window.local.model.rowCount() > 0)
    return star


def _runner() -> DirectRunner:
    case = build_case()
    case = replace(case, scans={0: replace(case.baseline_scan, series_uid=SERIES_UID)})
    runner = DirectRunner(tasks=FakeTasks())
    answer: dict[type[Request], object] = {OpenCase: lambda _: case}
    runner.replace_answers = answer  # type: ignore[assignment]
    return runner


def _open(qtbot: QtBot, star: StarApp) -> None:
    with qtbot.waitSignal(star.keeping.brought_back):
        star.workflow.open_archived(ArchivedScan(study=1))


def _draw(qtbot: QtBot, star: StarApp) -> None:
    drawn = build_annotation(AnnotationKind.DISTANCE, [(0, 0, 0), (10, 0, 0)], PLANE, label="tumour")
    star.filing._pause.setInterval(10)
    add_annotation(star.session, drawn)
    qtbot.waitUntil(lambda: bool(star.window.local.model._root.below(Kind.RESULT)))


def _forget_journals(star: StarApp) -> None:
    star.window.close()
    shutil.rmtree(star.keeping.keeper.home)


def test_what_is_drawn_is_kept_in_the_archive_and_listed_there(qtbot: QtBot, star: StarApp) -> None:
    _open(qtbot, star)
    _draw(qtbot, star)
    results = star.window.local.model._root.below(Kind.RESULT)
    assert [title_of(node) for node in results] == ["Annotations · 1"]


def test_it_comes_from_the_archive_where_nothing_else_kept_it(qtbot: QtBot, star: StarApp, open_app: OpenApp) -> None:
    _open(qtbot, star)
    _draw(qtbot, star)
    drawn = star.session.annotations
    _forget_journals(star)
    again = open_app(runner=_runner())
    with qtbot.waitSignal(again.session.annotations_changed):
        again.workflow.open_archived(ArchivedScan(study=1))
    assert again.session.annotations == drawn
    assert again.session.history.undo_text == ""


def test_what_was_deleted_last_does_not_come_back_from_the_archive(
    qtbot: QtBot, star: StarApp, open_app: OpenApp
) -> None:
    _open(qtbot, star)
    _draw(qtbot, star)
    star.filing._pause.setInterval(100_000)
    star.session.history.change("delete", annotations=())
    star.window.close()
    again = open_app(runner=_runner())
    _open(qtbot, again)
    with qtbot.assertNotEmitted(again.session.annotations_changed, wait=200):
        again.shelf.list_contents(1)
    assert again.session.annotations == ()


def test_annotations_of_the_demonstration_patient_stay_out_of_the_archive(qtbot: QtBot, star: StarApp) -> None:
    with qtbot.waitSignal(star.keeping.brought_back):
        star.workflow.open_demo()
    drawn = build_annotation(AnnotationKind.DISTANCE, [(0, 0, 0), (10, 0, 0)], PLANE)
    star.filing._pause.setInterval(1)
    with qtbot.waitSignal(star.filing._pause.timeout):
        add_annotation(star.session, drawn)
    lists = star.shelf.runners.lists
    assert isinstance(lists, DirectRunner)
    assert lists.asked(KeepAnnotations) == []


def test_what_was_done_on_a_scan_goes_when_its_study_is_removed_for_good(qtbot: QtBot, star: StarApp) -> None:
    _open(qtbot, star)
    _draw(qtbot, star)
    folder = star.keeping.keeper.home / key_of(SERIES_UID)
    qtbot.waitUntil(folder.is_dir)
    assert isinstance(star.runner, DirectRunner)
    star.runner.replace_answers = {}
    with qtbot.waitSignal(star.keeping.brought_back):
        star.workflow.open_demo()  # the scan is let go
    with qtbot.waitSignal(star.shelf.deleted):
        star.shelf.delete((1,))
    assert folder.is_dir()  # a deletion can be undone
    with qtbot.waitSignal(star.shelf.purged) as purged:
        star.shelf.purge()
    assert purged.args is not None
    assert purged.args[0].series_uids == (SERIES_UID,)
    qtbot.waitUntil(lambda: not folder.exists())
