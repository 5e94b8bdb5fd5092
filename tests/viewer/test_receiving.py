"""The receiver in the window: off until switched on, seen in the status bar, ended with a key or with the window."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from star_core.errors import NetworkError
from star_viewer.app import StarApp
from star_viewer.dialogs.receiver_page import ReceiverPage
from star_viewer.jobs.network_requests import ReceiverPlan, ReceiveStudies
from star_viewer.jobs.requests import Request
from star_viewer.settings import ReceiverSettings
from tests.viewer.conftest import OpenApp
from tests.viewer.runners import DirectRunner
from tests.viewer.servers import build_network_runners

ALLOWING = ReceiverSettings(allowed=("PACS",))


class OpenEar(DirectRunner):
    """Listens until it is told to stop, as the real receiver does."""

    def _do(self, request: Request) -> None:
        self.started.emit(request)
        if ReceiveStudies in self.replace_answers:
            super()._do(request)
            return
        self.progressed.emit(request, 0, 0)

    def cancel(self) -> None:
        request = self.requests[-1]
        self.finished.emit(request, (3, 3))
        self.idle.emit()


@pytest.fixture
def ear() -> OpenEar:
    return OpenEar()


@pytest.fixture
def star(open_app: OpenApp, ear: OpenEar) -> StarApp:
    runners = build_network_runners()
    star = open_app(network_runners=type(runners)(runners.book, runners.queries, runners.transfers, ear))
    star.settings.change(receiver=ALLOWING)
    return star


def _switch(qtbot: QtBot, star: StarApp) -> None:
    modifiers = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    qtbot.keyClick(star.window, Qt.Key.Key_R, modifiers)


def test_nothing_is_received_unless_somebody_asks(star: StarApp, ear: OpenEar) -> None:
    assert ear.requests == []
    assert not star.window.receiving.isVisible()


def test_a_key_begins_and_ends_it_and_the_status_bar_says_so(qtbot: QtBot, star: StarApp, ear: OpenEar) -> None:
    with qtbot.waitSignal(star.pacs.receiving):
        _switch(qtbot, star)
    assert ear.requests == [ReceiveStudies(plan=ReceiverPlan(allowed=("PACS",)))]
    assert star.window.receiving.text() == "receiving on 127.0.0.1:11112"
    assert star.window.star_actions["receive"].isChecked()
    _switch(qtbot, star)
    assert not star.window.receiving.isVisible()
    assert not star.window.star_actions["receive"].isChecked()


def test_what_comes_is_counted_and_shown_in_the_tree(qtbot: QtBot, star: StarApp, ear: OpenEar) -> None:
    with qtbot.waitSignal(star.pacs.receiving):
        _switch(qtbot, star)
    with qtbot.waitSignal(star.shelf.studies_found):
        ear.progressed.emit(ear.requests[-1], 118, 120)
    assert star.window.receiving.text() == "receiving on 127.0.0.1:11112 · 118 files · 2 not imported"


def test_without_a_named_sender_it_stays_off_and_leads_to_the_page(qtbot: QtBot, star: StarApp, ear: OpenEar) -> None:
    star.settings.change(receiver=ReceiverSettings())
    _switch(qtbot, star)
    assert ear.requests == []
    assert not star.window.star_actions["receive"].isChecked()
    assert star.window.studies_banners.messages[0].startswith("Nobody may send yet.")


def test_a_port_that_is_taken_is_told(qtbot: QtBot, star: StarApp, ear: OpenEar) -> None:
    def refuse(_: Request) -> Any:
        raise NetworkError("Port 11112 is taken.", remedy="Choose another.")

    ear.replace_answers[ReceiveStudies] = refuse
    with qtbot.waitSignal(star.pacs.cannot_receive):
        _switch(qtbot, star)
    assert star.window.studies_banners.messages == ("Receiving: Port 11112 is taken. Choose another.",)
    assert not star.window.star_actions["receive"].isChecked()


def test_it_begins_with_the_program_only_where_that_was_asked_for(qtbot: QtBot, star: StarApp, ear: OpenEar) -> None:
    star.receiving.start_if_remembered()
    assert ear.requests == []
    star.settings.change(receiver=ALLOWING.model_copy(update={"at_start": True}))
    with qtbot.waitSignal(star.pacs.receiving):
        star.receiving.start_if_remembered()
    assert len(ear.requests) == 1


def test_the_page_keeps_what_is_chosen_and_switches(qtbot: QtBot, star: StarApp, ear: OpenEar) -> None:
    star.importing.open_preferences()
    page = star.window.findChild(ReceiverPage)
    assert isinstance(page, ReceiverPage)
    page.port.setValue(11113)
    assert star.settings.settings.receiver.port == 11113
    with qtbot.waitSignal(star.pacs.receiving):
        page.switch.click()
    assert page.state.text() == "receiving on 127.0.0.1:11113"
