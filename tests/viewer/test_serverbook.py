"""Servers in the preferences: added, changed, tested, removed; a keyring that is missing is told of."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from star_viewer.app import StarApp
from star_viewer.dialogs.preferences import PreferencesDialog
from star_viewer.dialogs.server_form import ServerForm
from star_viewer.dialogs.servers_page import ServersPage
from tests.viewer.conftest import OpenApp
from tests.viewer.servers import HOSPITAL, SILENT, FakeNetworkTasks, build_network_runners


@pytest.fixture
def tasks() -> FakeNetworkTasks:
    return FakeNetworkTasks(HOSPITAL, SILENT)


@pytest.fixture
def star(open_app: OpenApp, tasks: FakeNetworkTasks) -> StarApp:
    return open_app(network_runners=build_network_runners(tasks))


def _open(qtbot: QtBot, star: StarApp) -> ServersPage:
    with qtbot.waitSignal(star.pacs.servers_listed):
        qtbot.keyClick(star.window, Qt.Key.Key_Comma, Qt.KeyboardModifier.ControlModifier)
    (dialog,) = star.window.findChildren(PreferencesDialog)
    page = dialog.findChild(ServersPage)
    assert isinstance(page, ServersPage)
    dialog.pages.setCurrentWidget(page)
    return page


def _form_of(page: ServersPage) -> ServerForm:
    return page.window().findChildren(ServerForm)[-1]  # type: ignore[no-any-return]


def test_the_page_lists_servers_and_how_they_are_reached(qtbot: QtBot, star: StarApp) -> None:
    page = _open(qtbot, star)
    rows = [page.table.topLevelItem(row) for row in range(page.table.topLevelItemCount())]
    assert [[row.text(column) for column in range(3)] for row in rows if row is not None] == [
        ["hospital", "DIMSE", "PACS@pacs.hospital:104"],
        ["silent", "DIMSE", "PACS@pacs.silent:104"],
    ]


def test_a_new_server_is_tested_saved_and_offered_in_the_panel(
    qtbot: QtBot, star: StarApp, tasks: FakeNetworkTasks
) -> None:
    page = _open(qtbot, star)
    page.add_button.click()
    form = _form_of(page)
    form.name.setText("second")
    form.host.setText("other.hospital")
    form.user.setText("reader")
    form.password.setText("s3cret")
    with qtbot.waitSignal(star.pacs.tested):
        form.test_button.click()
    assert form.outcome.text() == "second answers at PACS@other.hospital:104 after 12 ms."
    with qtbot.waitSignal(star.pacs.saved):
        form.save_button.click()
    assert not form.isVisible()
    assert page.outcome.text() == "second is saved."
    assert tasks.passwords == {"second": "s3cret"}
    assert star.window.pacs.form.server.findText("second") >= 0


def test_without_a_keyring_the_form_stays_and_names_the_way_out(
    qtbot: QtBot, star: StarApp, tasks: FakeNetworkTasks
) -> None:
    tasks.keyring = False
    page = _open(qtbot, star)
    page.edit_button.click()
    form = _form_of(page)
    form.user.setText("reader")
    form.password.setText("s3cret")
    with qtbot.waitSignal(star.pacs.cannot_save):
        form.save_button.click()
    assert form.isVisible()
    assert "STAR_PACS_PASSWORD" in form.problem.text()
    form.password.clear()
    with qtbot.waitSignal(star.pacs.saved):
        form.save_button.click()
    assert tasks.servers[-1].user == "reader"
    assert tasks.passwords == {}


def test_a_test_of_a_silent_server_is_told_on_the_page(qtbot: QtBot, star: StarApp) -> None:
    page = _open(qtbot, star)
    page.table.setCurrentItem(page.table.topLevelItem(1))
    with qtbot.waitSignal(star.pacs.cannot_reach):
        page.test_button.click()
    assert page.outcome.text().startswith("'silent' does not answer.")
    assert star.window.studies_banners.messages == ()


def test_a_removed_server_is_offered_no_more(qtbot: QtBot, star: StarApp) -> None:
    page = _open(qtbot, star)
    with qtbot.waitSignal(star.pacs.servers_listed):
        page.remove_button.click()
    assert page.table.topLevelItemCount() == 1
    assert star.window.pacs.form.server.count() == 1


def test_the_empty_panel_leads_to_the_form_of_a_first_server(qtbot: QtBot, open_app: OpenApp) -> None:
    star = open_app(network_runners=build_network_runners())
    with qtbot.waitSignal(star.pacs.servers_listed):
        star.networking.show_pacs()
    qtbot.keyClick(star.window.pacs.add_button, Qt.Key.Key_Return)
    assert len(star.window.findChildren(ServerForm)) == 1
