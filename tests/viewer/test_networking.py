"""The PACS in the window: servers asked, studies brought over, opened and sent, by keys; what goes wrong is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QMenu, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from star_core.errors import NetworkError
from star_viewer.app import StarApp
from star_viewer.browser.pacs import FAILED, NOTHING_FOUND
from star_viewer.dialogs.send import SendDialog
from star_viewer.jobs.network_requests import (
    FindMatches,
    ListMatchSeries,
    ListServers,
    RemoteWanted,
    RetrieveStudy,
    SendStudies,
    TestServer,
)
from star_viewer.jobs.requests import ArchivedScan, OpenCase
from star_viewer.jobs.runner import JobRunner
from tests.viewer.conftest import OpenApp
from tests.viewer.runners import DirectRunner
from tests.viewer.servers import (
    HOSPITAL,
    SILENT,
    FakeFailure,
    FakeImport,
    FakeNetworkTasks,
    FakeRetrieval,
    FakeRow,
    FakeSending,
    build_matches,
    build_network_runners,
)
from tests.viewer.shelves import PEOPLE, write_study

CONTROL, SHIFT, ALT = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)
OpenPacs = Callable[..., StarApp]


@pytest.fixture
def open_pacs(qtbot: QtBot, open_app: OpenApp) -> OpenPacs:
    """Opens the window and goes to the PACS by its key."""

    def build(*servers: object, studies: int = 1) -> StarApp:
        tasks = FakeNetworkTasks(*servers, studies=build_matches(studies))  # type: ignore[arg-type]
        star = open_app(network_runners=build_network_runners(tasks))
        with qtbot.waitSignal(star.pacs.servers_listed):
            qtbot.keyClick(star.window, Qt.Key.Key_2, CONTROL)
        return star

    return build


@pytest.fixture
def star(open_pacs: OpenPacs) -> StarApp:
    return open_pacs(HOSPITAL)


def direct(runner: JobRunner) -> DirectRunner:
    assert isinstance(runner, DirectRunner)
    return runner


def transfers_of(star: StarApp) -> DirectRunner:
    return direct(star.pacs.runners.transfers)


def _search(qtbot: QtBot, star: StarApp, name: str = "") -> None:
    field = star.window.pacs.form.name
    field.setText(name)
    with qtbot.waitSignals([star.pacs.found, star.pacs.runners.queries.idle]):
        qtbot.keyClick(field, Qt.Key.Key_Return)


def _texts(star: StarApp, column: int = 0) -> list[str]:
    tree = star.window.pacs.tree
    return [tree.topLevelItem(row).text(column) for row in range(tree.topLevelItemCount())]  # type: ignore[union-attr]


def _here(star: StarApp) -> str:
    return star.window.pacs.tree.here_text("1.2.1")


def _press(qtbot: QtBot, star: StarApp, text: str) -> None:
    """Press a banner's button by the keyboard."""
    buttons = {button.text(): button for button in star.window.studies_banners.findChildren(QPushButton)}
    buttons[text].setFocus()
    qtbot.keyClick(buttons[text], Qt.Key.Key_Return)


# --------------------------------------------------------------------------- places and servers


def test_without_a_server_the_panel_says_how_to_add_one(qtbot: QtBot, open_pacs: OpenPacs) -> None:
    star = open_pacs()
    assert star.window.pacs.add_button.isVisible()
    qtbot.waitUntil(star.window.pacs.add_button.hasFocus)
    assert not star.window.pacs.form.isVisible()


def test_the_key_of_the_pacs_leads_to_the_patients_name_and_back(qtbot: QtBot, star: StarApp) -> None:
    qtbot.waitUntil(star.window.pacs.form.name.hasFocus)
    qtbot.keyClick(star.window, Qt.Key.Key_1, CONTROL)
    assert star.window.places.currentWidget() is star.window.local
    qtbot.keyClick(star.window, Qt.Key.Key_2, CONTROL)
    assert len(direct(star.pacs.runners.book).asked(ListServers)) == 1


def test_the_chosen_server_is_remembered(qtbot: QtBot, open_pacs: OpenPacs) -> None:
    star = open_pacs(HOSPITAL, SILENT)
    chooser = star.window.pacs.form.server
    qtbot.keyClick(chooser, Qt.Key.Key_Down)
    assert chooser.currentText() == "silent"
    chooser.activated.emit(1)
    assert star.settings.settings.server == "silent"


def test_a_test_of_the_connection_is_answered_in_the_panel(qtbot: QtBot, open_pacs: OpenPacs) -> None:
    star = open_pacs(HOSPITAL, SILENT)
    button = star.window.pacs.form.test_button
    button.setFocus()
    with qtbot.waitSignal(star.pacs.tested):
        qtbot.keyClick(button, Qt.Key.Key_Space)
    assert star.window.pacs.summary.text() == "hospital answers after 12 ms."
    star.window.pacs.form.server.setCurrentIndex(1)
    with qtbot.waitSignal(star.pacs.cannot_reach):
        button.click()
    assert star.window.studies_banners.messages[0].startswith("'silent' does not answer.")
    assert len(direct(star.pacs.runners.book).asked(TestServer)) == 2


# --------------------------------------------------------------------------- asking


def test_enter_in_a_field_asks_for_what_is_filled_in(qtbot: QtBot, star: StarApp) -> None:
    form = star.window.pacs.form
    form.patient_id.setText("P1")
    form.accession.setText("A1")
    form.modality.setEditText("ct")
    form.period.setCurrentText("Range…")
    _search(qtbot, star, "müller")
    (asked,) = direct(star.pacs.runners.queries).asked(FindMatches)
    assert isinstance(asked, FindMatches)
    first, last = form.dates()
    wanted = RemoteWanted(patient_name="müller", patient_id="P1", accession="A1", modality="CT")
    assert asked.wanted == replace(wanted, date_from=first, date_to=last)
    assert len(first) == len(last) == 10


def test_what_is_typed_before_the_servers_are_known_is_asked_once_they_are(qtbot: QtBot, open_app: OpenApp) -> None:
    star = open_app(network_runners=build_network_runners(FakeNetworkTasks(HOSPITAL)))
    star.networking.show_pacs()
    name = star.window.pacs.form.name
    qtbot.keyClicks(name, "muller")
    with qtbot.waitSignals([star.pacs.servers_listed, star.pacs.found]):
        qtbot.keyClick(name, Qt.Key.Key_Return)
    (asked,) = direct(star.pacs.runners.queries).asked(FindMatches)
    assert isinstance(asked, FindMatches)
    assert asked.wanted.patient_name == "muller"


def test_what_is_found_stands_in_one_column_or_in_all_of_them(qtbot: QtBot, star: StarApp) -> None:
    _search(qtbot, star)
    assert _texts(star) == ["Müller, Jérôme · P1\n2026-01-31 · CT Abdomen\nCT SEG · 120 images"]
    star.window.star_actions["browse"].setChecked(True)
    assert [_texts(star, column)[0] for column in range(4)] == ["Müller, Jérôme", "P1", "2026-01-31", "CT Abdomen"]
    assert not star.window.pacs.tree.isHeaderHidden()
    assert star.window.pacs.tree.hasFocus()


def test_more_brings_the_next_page_behind_the_first(qtbot: QtBot, open_pacs: OpenPacs) -> None:
    star = open_pacs(HOSPITAL, studies=130)
    _search(qtbot, star)
    tree = star.window.pacs.tree
    assert star.window.pacs.summary.text() == "100 studies, and more at the server"
    qtbot.keyClick(tree, Qt.Key.Key_End)
    with qtbot.waitSignal(star.pacs.found):
        qtbot.keyClick(tree, Qt.Key.Key_Return)
    assert tree.count == tree.topLevelItemCount() == 130
    assert star.window.pacs.summary.text() == "130 studies"


def test_series_are_asked_for_when_a_study_is_opened(qtbot: QtBot, star: StarApp) -> None:
    _search(qtbot, star)
    tree = star.window.pacs.tree
    with qtbot.waitSignal(star.pacs.series_listed):
        qtbot.keyClick(tree, Qt.Key.Key_Right)
    assert tree.topLevelItem(0).child(0).text(0).startswith("CT · 3 · Portal venous")  # type: ignore[union-attr]


def test_what_a_server_did_not_answer_can_be_asked_for_again(qtbot: QtBot, open_pacs: OpenPacs) -> None:
    star = open_pacs(HOSPITAL, studies=130)
    _search(qtbot, star)
    tree, queries = star.window.pacs.tree, direct(star.pacs.runners.queries)

    def stay_silent(_: object) -> object:
        raise NetworkError("The server is silent.")

    queries.replace_answers |= {FindMatches: stay_silent, ListMatchSeries: stay_silent}
    with qtbot.waitSignal(star.pacs.cannot_list_series):
        qtbot.keyClick(tree, Qt.Key.Key_Right)
    qtbot.keyClick(tree, Qt.Key.Key_End)
    with qtbot.waitSignal(star.pacs.cannot_find):
        qtbot.keyClick(tree, Qt.Key.Key_Return)
    assert _texts(star)[-1] == "More… (100 are shown)"
    queries.replace_answers.clear()
    with qtbot.waitSignal(star.pacs.found):
        qtbot.keyClick(tree, Qt.Key.Key_Return)
    qtbot.keyClick(tree, Qt.Key.Key_Home)
    with qtbot.waitSignal(star.pacs.series_listed):
        qtbot.keyClick(tree, Qt.Key.Key_Right)


def test_letters_in_the_table_are_no_keys_of_the_window(qtbot: QtBot, star: StarApp) -> None:
    _search(qtbot, star)
    mode = star.session.incidence_mode
    qtbot.keyClicks(star.window.pacs.tree, "mo1")
    assert star.session.incidence_mode is mode


def test_a_silent_server_is_told_with_details_and_asked_again(qtbot: QtBot, open_pacs: OpenPacs) -> None:
    star = open_pacs(SILENT)
    with qtbot.waitSignal(star.pacs.cannot_find):
        qtbot.keyClick(star.window.pacs.form.name, Qt.Key.Key_Return)
    assert star.window.studies_banners.messages == ("'silent' does not answer. Check host and port.",)
    assert star.window.pacs.tree.empty_text == FAILED
    with qtbot.waitSignal(star.pacs.cannot_find):
        _press(qtbot, star, "Ask again")
    assert len(direct(star.pacs.runners.queries).asked(FindMatches)) == 2


def test_studies_are_brought_over_from_the_server_that_has_them(qtbot: QtBot, open_pacs: OpenPacs) -> None:
    star = open_pacs(HOSPITAL, SILENT)
    _search(qtbot, star)
    star.window.pacs.form.server.setCurrentIndex(1)
    with qtbot.waitSignal(star.pacs.retrieved):
        qtbot.keyClick(star.window.pacs.tree, Qt.Key.Key_Return)
    with qtbot.waitSignal(star.pacs.cannot_find):
        qtbot.keyClick(star.window.pacs.form.name, Qt.Key.Key_Return)
    assert star.window.pacs.tree.count == 0


def test_nothing_found_is_said_where_it_would_stand(qtbot: QtBot, open_pacs: OpenPacs) -> None:
    star = open_pacs(HOSPITAL, studies=0)
    _search(qtbot, star)
    assert star.window.pacs.tree.empty_text == NOTHING_FOUND


# --------------------------------------------------------------------------- bringing studies over


def test_enter_brings_a_study_over_and_enter_again_opens_it(qtbot: QtBot, star: StarApp) -> None:
    _search(qtbot, star)
    tree = star.window.pacs.tree
    with qtbot.waitSignals([star.pacs.retrieved, star.shelf.studies_found]):
        qtbot.keyClick(tree, Qt.Key.Key_Return)
    assert _here(star) == "here"
    assert star.window.studies_banners.messages == ("Müller, Jérôme · 2026-01-31: 120 objects are here.",)
    with qtbot.waitSignal(star.runner.started):
        qtbot.keyClick(tree, Qt.Key.Key_Return)
    request = direct(star.runner).asked(OpenCase)[-1]
    assert isinstance(request, OpenCase)
    assert request.source.archived == ArchivedScan(study=7)
    assert len(transfers_of(star).requests) == 1


def test_several_studies_are_brought_over_one_after_the_other(qtbot: QtBot, open_pacs: OpenPacs) -> None:
    star = open_pacs(HOSPITAL, studies=3)
    _search(qtbot, star)
    star.window.pacs.tree.selectAll()
    assert star.window.pacs.retrieve_button.text() == "Retrieve 3"
    retrieved: list[object] = []
    star.pacs.retrieved.connect(lambda request, *_: retrieved.append(request.study_uid))
    qtbot.keyClick(star.window, Qt.Key.Key_R, CONTROL)
    qtbot.keyClick(star.window, Qt.Key.Key_R, CONTROL)  # a second press asks for nothing twice
    qtbot.waitUntil(lambda: len(retrieved) == 3)
    assert len(transfers_of(star).requests) == 3


def test_the_strip_says_what_comes_how_far_it_is_and_what_waits(qtbot: QtBot, open_pacs: OpenPacs) -> None:
    star = open_pacs(HOSPITAL, studies=2)
    _search(qtbot, star)
    runner, strip = transfers_of(star), star.window.transfer_strip
    star.window.pacs.tree.selectAll()
    star.networking._retrieve_chosen()
    request = runner.requests[0]
    runner.started.emit(request)
    assert strip.isVisible()
    runner.progressed.emit(request, 30, 120)
    assert strip.text.text() == "Retrieving Müller, Jérôme · 2026-01-31\n30 of 120 objects; 1 more waiting"
    assert _here(star) == "30 of 120"
    runner.cancelled.emit(request)
    assert _here(star) == "stopped; what came is kept"
    runner.idle.emit()
    assert not strip.isVisible()


def test_half_a_study_is_told_with_what_is_missing_and_brought_again(qtbot: QtBot, star: StarApp) -> None:
    _search(qtbot, star)
    runner = transfers_of(star)
    broken = FakeImport(failed=(FakeFailure("it cannot be read", label="file 3"),))
    half = FakeRetrieval(missing=40, refused=("too large",), imported=broken)
    runner.replace_answers[RetrieveStudy] = lambda _: (FakeRow(7), half)
    with qtbot.waitSignal(star.pacs.retrieved):
        qtbot.keyClick(star.window.pacs.tree, Qt.Key.Key_Return)
    assert _here(star) == "41 of 120 missing"
    (told,) = star.window.studies_banners.messages
    assert told == "Müller, Jérôme · 2026-01-31: 41 of 120 objects did not come whole."
    runner.replace_answers.clear()
    with qtbot.waitSignal(star.pacs.retrieved):
        _press(qtbot, star, "Retrieve again")
    assert _here(star) == "here"
    assert told not in star.window.studies_banners.messages


def test_many_broken_retrievals_take_one_banner(qtbot: QtBot, open_pacs: OpenPacs) -> None:
    star = open_pacs(HOSPITAL, studies=5)
    _search(qtbot, star)

    def break_off(_: object) -> object:
        raise NetworkError("The server broke off.", remedy="Retrieve the study again.")

    transfers_of(star).replace_answers[RetrieveStudy] = break_off
    star.window.pacs.tree.selectAll()
    qtbot.keyClick(star.window, Qt.Key.Key_R, CONTROL)
    qtbot.waitUntil(lambda: star.window.pacs.tree.here_text("1.2.5") == "broke off")
    (told,) = star.window.studies_banners.messages
    assert told.startswith("5 studies are not whole; the last: ")


def test_the_right_click_menu_opens_by_key(qtbot: QtBot, star: StarApp) -> None:
    _search(qtbot, star)
    tree = star.window.pacs.tree
    QApplication.sendEvent(tree, QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(), QPoint()))
    (menu,) = (menu for menu in star.window.pacs.findChildren(QMenu) if menu.isVisible())
    assert [action.text() for action in menu.actions()][:2] == ["Retrieve", "Retrieve by C-MOVE"]
    menu.close()
    qtbot.keyClick(star.window, Qt.Key.Key_R, CONTROL | SHIFT)
    qtbot.waitUntil(lambda: bool(transfers_of(star).requests))
    request = transfers_of(star).requests[0]
    assert isinstance(request, RetrieveStudy)
    assert request.by_move


# --------------------------------------------------------------------------- sending


@pytest.fixture
def star_with_study(qtbot: QtBot, star: StarApp, tmp_path_factory: pytest.TempPathFactory) -> StarApp:
    """The window with a study on this computer, chosen."""
    folder = tmp_path_factory.mktemp("stick")
    write_study(folder, PEOPLE[0], "20260131", "30", "CT")
    with qtbot.waitSignal(star.shelf.imported):
        star.importing.import_sources((folder,))
    qtbot.waitUntil(lambda: star.window.local.model.rowCount() == 1)
    star.window.studies_banners.clear()
    qtbot.keyClick(star.window, Qt.Key.Key_1, CONTROL)
    return star


def _send(qtbot: QtBot, star: StarApp) -> None:
    qtbot.keyClick(star.window, Qt.Key.Key_S, CONTROL | SHIFT)
    qtbot.waitUntil(lambda: bool(star.window.findChildren(SendDialog)))
    dialog = star.window.findChildren(SendDialog)[-1]
    dialog.activateWindow()
    qtbot.waitUntil(dialog.server.hasFocus)
    qtbot.keyClick(dialog.server, Qt.Key.Key_Return)


def test_a_chosen_study_is_sent_by_keys(qtbot: QtBot, star_with_study: StarApp) -> None:
    star = star_with_study
    with qtbot.waitSignal(star.pacs.sent):
        _send(qtbot, star)
    (request,) = transfers_of(star).requests
    assert request == SendStudies(server=HOSPITAL, studies=(1,))
    assert star.window.studies_banners.messages == ("120 objects were sent to hospital.",)


def test_objects_that_a_server_does_not_take_are_listed(qtbot: QtBot, star_with_study: StarApp) -> None:
    star = star_with_study
    failed = (FakeFailure("the server refused it (status 0xA700)", number=3),)
    transfers_of(star).replace_answers[SendStudies] = lambda _: FakeSending(sent=119, failed=failed)
    with qtbot.waitSignal(star.pacs.sent):
        _send(qtbot, star)
    assert star.window.studies_banners.messages == ("hospital did not take 1 of 120 objects.",)
    _press(qtbot, star, "Details")
    texts = [box.detailedText() for box in star.window.findChildren(QMessageBox)]
    assert texts == ["File 3: the server refused it (status 0xA700)"]
    transfers_of(star).replace_answers.clear()
    with qtbot.waitSignal(star.pacs.sent):
        _press(qtbot, star, "Send again")


def test_without_a_server_sending_offers_to_add_one(qtbot: QtBot, open_pacs: OpenPacs) -> None:
    star = open_pacs()
    star.networking.send_studies((1,))
    assert star.window.studies_banners.messages == ("There is no server to send to.",)
    assert not star.window.findChildren(SendDialog)


def test_sending_without_a_choice_says_what_to_do(qtbot: QtBot, star: StarApp) -> None:
    star.window.star_actions["send"].trigger()
    assert star.window.studies_banners.messages == ("Choose the studies to send first.",)
