"""Everything done is kept as it happens, offered after a kill, and there again with its case."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from star_core.errors import StorageError
from star_core.imaging.annotations import AnnotationKind, AnnotationPlane, build_annotation
from star_core.types import ClinicalRecord, Structure
from star_viewer import journal as journals
from star_viewer.app import StarApp
from star_viewer.display import SlabMode
from star_viewer.history import Content
from star_viewer.jobs.requests import ArchivedScan, AssessCase, CaseSource
from star_viewer.journal import OPEN_FOLDER, Mark, key_of
from star_viewer.keeper import Keeper
from star_viewer.keeping import HELD, source_from_json, source_to_json
from star_viewer.session import WINDOW_PRESETS, IncidenceMode, OverlayStyle
from star_viewer.workspace import Workspace
from tests.viewer.conftest import OpenApp
from tests.viewer.fakes import RECORD
from tests.viewer.runners import DirectRunner
from tests.viewer.test_structures import cube

PLANE = AnnotationPlane(origin_mm=(0.0, 0.0, 0.0), right=(1.0, 0.0, 0.0), up=(0.0, -1.0, 0.0))
Ask = Callable[[StarApp], object]


def open_kept(qtbot: QtBot, star: StarApp, ask: Ask = lambda star: star.workflow.open_demo()) -> StarApp:
    """Open a case and wait until what was kept of it is there."""
    with qtbot.waitSignals([star.keeping.brought_back, star.workflow.assessed]):
        ask(star)
    wait_until_kept(qtbot, star)
    return star


def wait_until_kept(qtbot: QtBot, star: StarApp) -> None:
    star.keeping._write()
    version = star.keeping.version
    with qtbot.waitSignal(star.keeping.keeper.kept, check_params_cb=lambda kept: kept >= version):
        star.keeping.keeper.write(star.keeping.workspace, version)


def work(star: StarApp) -> None:
    """Do something of every kind."""
    session = star.session
    first = build_annotation(AnnotationKind.DISTANCE, [(0, 0, 0), (30, 40, 0)], PLANE, label="tumour")
    session.history.change("draw", annotations=(first,))
    second = build_annotation(AnnotationKind.TEXT, [(1, 2, 0)], PLANE, label="look here")
    session.history.change("draw", annotations=(first, second))
    session.history.change("change age", clinical=replace(session.clinical, age_years=71.0))
    session.set_year(6)
    session.set_incidence_mode(IncidenceMode.ANNUAL)
    session.set_crosshair((12.5, -7.25, 5.0))
    session.set_window_level(WINDOW_PRESETS["liver"])
    session.set_overlay(OverlayStyle(visible=False, opacity=0.2))
    session.display.change(slab_mode=SlabMode.MEAN, slab_mm=14.0, clip=frozenset({"coronal"}), inverted=True)
    session.display.change_structure(Structure.LIVER, visible=False)


@pytest.fixture
def kill(qtbot: QtBot, open_app: OpenApp, own_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Returns a new program that meets the disk as a kill of the first one at this moment would leave it."""

    def start_after_kill(star: StarApp) -> StarApp:
        wait_until_kept(qtbot, star)
        left = tmp_path / "after-the-kill"
        shutil.copytree(own_home, left)
        monkeypatch.setenv("STAR_HOME", str(left))
        again = open_app()
        qtbot.waitUntil(lambda: bool(again.window.empty_state.offers))
        return again

    return start_after_kill


def test_after_a_kill_exactly_that_state_is_offered_and_one_key_brings_it(
    qtbot: QtBot, star: StarApp, kill: Callable[[StarApp], StarApp]
) -> None:
    work(open_kept(qtbot, star))
    before: Workspace = star.keeping.workspace
    again = kill(star)
    (offer,) = again.window.empty_state.offers
    assert offer.startswith("Continue with the demonstration patient, as it was at ")
    with qtbot.waitSignals([again.keeping.brought_back, again.workflow.assessed]):
        qtbot.keyClick(
            again.window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        )
    assert again.keeping.workspace == before
    assert again.window.empty_state.offers == ()
    assert again.window.banners.messages[0] == "Back again: 2 annotations, the record as you left it."
    assert again.session.history.undo_text == ""


def test_enter_takes_the_offer(qtbot: QtBot, star: StarApp, kill: Callable[[StarApp], StarApp]) -> None:
    open_kept(qtbot, star)
    again = kill(star)
    button = again.window.empty_state._offer_buttons[0]
    qtbot.waitUntil(button.hasFocus)
    with qtbot.waitSignal(again.keeping.brought_back):
        qtbot.keyClick(button, Qt.Key.Key_Return)


def test_what_is_brought_back_is_assessed(
    qtbot: QtBot, star: StarApp, kill: Callable[[StarApp], StarApp], direct_runner: DirectRunner
) -> None:
    work(open_kept(qtbot, star))
    again = kill(star)
    with qtbot.waitSignal(again.keeping.brought_back):
        again.keeping.go_on()
    qtbot.waitUntil(lambda: not again.runner.busy and again.session.assessment is not None)
    asked = direct_runner.asked(AssessCase)[-1]
    assert isinstance(asked, AssessCase)
    assert asked.clinical.age_years == 71.0


def test_after_closing_nothing_is_offered_and_the_case_brings_its_work(
    qtbot: QtBot, star: StarApp, open_app: OpenApp
) -> None:
    work(open_kept(qtbot, star))
    star.session.set_year(9)  # kept although the program ends at once
    before = star.keeping.workspace
    star.window.close()
    assert not [box for box in QApplication.topLevelWidgets() if isinstance(box, QMessageBox) and box.isVisible()]
    again = open_app(runner=DirectRunner())
    open_kept(qtbot, again)
    assert again.window.empty_state.offers == ()
    assert again.keeping.workspace == before


def test_opening_the_same_case_again_loses_nothing(qtbot: QtBot, star: StarApp) -> None:
    work(open_kept(qtbot, star))
    before = star.keeping.workspace
    open_kept(qtbot, star)
    assert star.keeping.workspace == before


def test_another_case_is_kept_apart(qtbot: QtBot, star: StarApp, tmp_path: Path) -> None:
    work(open_kept(qtbot, star))
    (tmp_path / "another").mkdir()
    open_kept(qtbot, star, lambda star: star.workflow.open_folder(tmp_path / "another"))
    assert star.session.annotations == ()
    assert star.session.clinical == RECORD
    marks = sorted(path.stem for path in (star.keeping.keeper.home / OPEN_FOLDER).iterdir())
    assert marks == [key_of("1.2.77")]
    open_kept(qtbot, star)
    assert len(star.session.annotations) == 2


def test_a_path_stands_on_the_disk_only_while_its_case_is_open(qtbot: QtBot, star: StarApp, tmp_path: Path) -> None:
    folder = tmp_path / "another"
    folder.mkdir()
    work(open_kept(qtbot, star, lambda star: star.workflow.open_folder(folder)))
    home = star.keeping.keeper.home
    naming = [path for path in home.rglob("*") if path.is_file() and str(folder).encode() in path.read_bytes()]
    assert [path.parent.name for path in naming] == [OPEN_FOLDER]
    star.window.close()
    assert not [path for path in home.rglob("*") if path.is_file() and str(folder).encode() in path.read_bytes()]


def test_a_second_window_says_that_it_keeps_nothing(qtbot: QtBot, star: StarApp, open_app: OpenApp) -> None:
    work(open_kept(qtbot, star))
    before = star.keeping.workspace
    second = open_app(runner=DirectRunner())
    assert second.window.empty_state.offers == ()
    with qtbot.waitSignal(second.keeping.brought_back):
        second.workflow.open_demo()
    assert HELD in second.window.banners.messages
    assert second.window.kept.text() == "not kept"
    assert second.session.annotations == star.session.annotations
    second.session.history.change("delete", annotations=())
    second.window.close()
    wait_until_kept(qtbot, star)
    kept = journals.Journal(star.keeping.keeper.home / key_of("1.2.3")).read()
    assert kept.workspace == before


def test_damage_is_told_and_what_is_whole_comes_back(
    qtbot: QtBot, star: StarApp, kill: Callable[[StarApp], StarApp]
) -> None:
    work(open_kept(qtbot, star))
    wait_until_kept(qtbot, star)
    star.session.history.change("change age", clinical=replace(star.session.clinical, age_years=72.0))
    wait_until_kept(qtbot, star)
    path = star.keeping.keeper.home / key_of("1.2.3") / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b"72.0", b"27.0"))
    again = kill(star)
    with qtbot.waitSignal(again.keeping.brought_back):
        again.keeping.go_on()
    assert any("damaged and left out: 1 damaged line" in message for message in again.window.banners.messages)
    assert len(again.session.annotations) == 2
    assert again.session.clinical.age_years == 71.0
    assert list((again.keeping.keeper.home / key_of("1.2.3")).glob("damaged-*"))


def test_a_study_of_the_archive_is_offered_by_what_the_archive_says_of_it(star: StarApp) -> None:
    source = CaseSource(archived=ArchivedScan(study=3))
    star.keeping._offer((Mark(key="k", source=source_to_json(source), last_utc_s=0.0),))
    (offer,) = star.window.empty_state.offers
    assert offer.startswith("Continue with a study of the archive, as it was at ")
    row = SimpleNamespace(id=3, description="CT abdomen", date="2026-01-31", patient_name="Müller")
    star.keeping.name_studies((row,))
    (offer,) = star.window.empty_state.offers
    assert offer.startswith("Continue with CT abdomen · 2026-01-31, as it was at ")


def test_an_offer_whose_scan_is_gone_is_not_made_again(
    qtbot: QtBot, star: StarApp, kill: Callable[[StarApp], StarApp], tmp_path: Path
) -> None:
    folder = tmp_path / "another"
    folder.mkdir()
    open_kept(qtbot, star, lambda star: star.workflow.open_folder(folder))
    again = kill(star)
    again.keeping._offers = {
        replace(source, folder=tmp_path / "refused"): mark for source, mark in again.keeping._offers.items()
    }
    with qtbot.waitSignal(again.workflow.refused):
        again.keeping.go_on()
    assert again.window.empty_state.offers == ()
    assert not list((again.keeping.keeper.home / OPEN_FOLDER).iterdir())


def test_a_disk_that_refuses_is_told_once_and_taken_back(
    qtbot: QtBot, star: StarApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_kept(qtbot, star)

    def refuse(*_: object) -> bool:
        raise StorageError("The disk is full.", remedy="Make room.")

    with monkeypatch.context() as patch:
        patch.setattr(journals.Journal, "write", refuse)
        with qtbot.waitSignal(star.keeping.keeper.troubled):
            work(star)
        qtbot.waitUntil(lambda: star.window.kept.text() == "not kept")
    told = "What is done cannot be kept: The disk is full. Make room."
    assert star.window.banners.messages.count(told) == 1
    wait_until_kept(qtbot, star)
    qtbot.waitUntil(lambda: star.window.kept.text().startswith("kept "))
    assert told not in star.window.banners.messages


def test_a_record_that_is_told_now_goes_before_the_one_that_was_kept(
    qtbot: QtBot, star: StarApp, tmp_path: Path
) -> None:
    work(open_kept(qtbot, star))
    open_kept(qtbot, star, lambda star: star.workflow.open_folder(tmp_path, clinical=tmp_path / "clinical.json"))
    assert star.session.clinical == RECORD
    assert len(star.session.annotations) == 2


def test_edited_structures_come_back_after_a_kill(
    qtbot: QtBot, star: StarApp, kill: Callable[[StarApp], StarApp]
) -> None:
    open_kept(qtbot, star)
    for at in (2, 4):
        with qtbot.waitSignal(star.editing.structures.settled):
            star.editing.structures.edit("paint the remnant", cube(at))
    before = star.session.masks
    again = kill(star)
    with qtbot.waitSignal(again.editing.structures.settled):
        again.keeping.go_on()
    assert before is not None
    assert again.session.masks is not None
    assert (again.session.masks.bits == before.bits).all()
    assert again.window.banners.messages[0] == "Back again: your edits."


def test_files_of_edits_that_were_undone_go_with_the_case_and_those_it_rests_on_stay(
    qtbot: QtBot, star: StarApp
) -> None:
    open_kept(qtbot, star)
    for at in (2, 4, 6):
        with qtbot.waitSignal(star.editing.structures.settled):
            star.editing.structures.edit("paint the remnant", cube(at))
    star.session.history.undo()
    wait_until_kept(qtbot, star)
    folder = star.keeping.keeper.home / key_of("1.2.3")
    star.keeping.close()
    assert len(list((folder / journals.FILES_FOLDER).glob("*.z"))) == 2


def test_views_are_kept_after_a_short_pause_by_themselves(qtbot: QtBot, star: StarApp) -> None:
    open_kept(qtbot, star)
    with qtbot.waitSignal(star.keeping.keeper.kept, timeout=2000):
        star.session.set_year(4)
    kept = journals.Journal(star.keeping.keeper.home / key_of("1.2.3")).read().workspace
    assert kept is not None
    assert kept.view.year == 4


def test_menus_name_what_is_undone(star_with_case: StarApp) -> None:
    session, actions = star_with_case.session, star_with_case.window.star_actions
    session.history.change("change age", clinical=replace(session.clinical, age_years=50.0))
    assert actions["undo"].text() == "Undo: change age"
    actions["undo"].trigger()
    assert (actions["undo"].text(), actions["redo"].text()) == ("Undo", "Redo: change age")


@pytest.mark.parametrize(
    "source",
    [
        CaseSource(),
        CaseSource(archived=ArchivedScan(study=3, series=4, segmentation=5), interpolate_gaps=True),
        CaseSource(folder=Path("/ct"), series_uid="1.2", segmentation=Path("/seg")),
    ],
)
def test_where_a_case_came_from_is_told_and_understood(source: CaseSource) -> None:
    assert source_from_json(source_to_json(source)) == source


@pytest.mark.parametrize(
    "raw",
    [{}, {"kind": "archive"}, {"kind": "folder"}, {"kind": 3}, {"kind": "archive", "study": "x"}],
)
def test_a_mark_that_tells_nothing_opens_nothing(raw: dict[str, object]) -> None:
    assert source_from_json(raw) is None


def test_a_keeper_that_kept_nothing_ends_at_once(tmp_path: Path) -> None:
    keeper = Keeper(home=tmp_path)
    keeper.close()
    assert not list(tmp_path.iterdir())


def test_no_state_is_on_the_disk_before_the_files_that_it_names(tmp_path: Path, qtbot: QtBot) -> None:
    """A state that comes while the disk is slow is written in place of an older one, and its files still go first."""
    keeper = Keeper(home=tmp_path)
    keeper._journal, keeper._begun = journals.Journal(tmp_path / "case"), True
    keeper._journal.acquire()
    keeper._journal.begin(Workspace(), case_id="x", base=ClinicalRecord())
    keeper._thread = threading.current_thread()  # nothing is taken from the queue until this test does
    keeper.write(Workspace(), 1)
    digest = keeper.keep_file(b"an edit")
    keeper.write(Workspace(content=Content(edits={"masks": digest})), 2)
    keeper._work.get()()  # type: ignore[misc]
    assert journals.read_kept_file(tmp_path / "case", digest, max_bytes=100) == b"an edit"
    keeper._journal.close()
