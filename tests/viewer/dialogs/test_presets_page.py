"""Grey windows are edited and hold at once."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from star_viewer.dialogs.presets_page import PresetsPage
from star_viewer.display import WindowLevel, WindowPreset, default_presets


def test_a_change_tells_all_presets(qtbot: QtBot) -> None:
    page = PresetsPage(default_presets())
    qtbot.addWidget(page)
    name, centre, width = page.rows[1]
    centre.setValue(90)
    width.setValue(200)
    with qtbot.waitSignal(page.changed) as told:
        name.setText("Late phase")
    assert told.args[0][1] == WindowPreset("Late phase", WindowLevel(90, 200))
    assert told.args[0][2:] == default_presets()[2:]


def test_an_empty_name_gets_its_number(qtbot: QtBot) -> None:
    page = PresetsPage(default_presets())
    qtbot.addWidget(page)
    with qtbot.waitSignal(page.changed) as told:
        page.rows[0][0].setText(" ")
    assert told.args[0][0].name == "Window 1"


def test_the_first_windows_come_back(qtbot: QtBot) -> None:
    page = PresetsPage(default_presets())
    qtbot.addWidget(page)
    page.rows[0][1].setValue(77)
    with qtbot.waitSignal(page.changed) as told:
        page.defaults_button.click()
    assert told.args[0] == default_presets()
