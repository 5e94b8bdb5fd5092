"""The receiver is off, on loopback and closed to everybody until somebody says otherwise."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from star_viewer.dialogs.receiver_page import ReceiverPage
from star_viewer.settings import ReceiverSettings


@pytest.fixture
def page(qtbot: QtBot) -> ReceiverPage:
    page = ReceiverPage(ReceiverSettings(), running=False)
    qtbot.addWidget(page)
    page.show()
    return page


def test_nothing_is_received_before_a_sender_is_named(qtbot: QtBot, page: ReceiverPage) -> None:
    assert not page.switch.isEnabled()
    assert not page.at_start.isChecked()
    assert page.bind.text() == "127.0.0.1"
    with qtbot.waitSignal(page.changed) as changed:
        page.allowed.setText("PACS, OTHER")
    assert changed.args[0].allowed == ("PACS", "OTHER")
    with qtbot.waitSignal(page.switched) as switched:
        page.switch.click()
    assert switched.args == [True]


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.5", "::"])
def test_an_address_that_others_reach_is_warned_of(page: ReceiverPage, address: str) -> None:
    assert page.warning.text() == ""
    page.bind.setText(address)
    assert page.warning.text().startswith("Other computers can reach this address")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost"])
def test_loopback_is_not_warned_of(page: ReceiverPage, address: str) -> None:
    page.bind.setText(address)
    assert page.warning.text() == page.problem.text() == ""


@pytest.mark.parametrize(
    ("field", "text", "told"),
    [("title", "", "Our title:"), ("allowed", "much-too-long-a-title", "Who may send:"), ("bind", "here", "Address:")],
)
def test_what_is_wrong_is_told_and_not_kept(qtbot: QtBot, page: ReceiverPage, field: str, text: str, told: str) -> None:
    with qtbot.assertNotEmitted(page.changed):
        getattr(page, field).setText(text)
    assert page.problem.text().startswith(told)
    assert not page.switch.isEnabled()


def test_how_is_not_changed_while_studies_are_received(page: ReceiverPage) -> None:
    page.show_running(True, "receiving on 127.0.0.1:11112")
    assert not page.port.isEnabled()
    assert page.switch.text() == "Stop receiving"
    assert page.switch.isEnabled()
    page.show_running(False)
    assert page.port.isEnabled()
    assert page.state.text() == "off"
