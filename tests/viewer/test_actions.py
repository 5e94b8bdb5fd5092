"""Every action has words and a key of its own, and the keys work from everywhere in the window."""

from __future__ import annotations

from collections import Counter

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QComboBox, QFileDialog, QLineEdit, QMainWindow
from pytestqt.qtbot import QtBot

from star_core.types import ClinicalRecord
from star_viewer.actions import HEADER, SPECS, Actions
from star_viewer.app import StarApp
from star_viewer.session import WINDOW_PRESETS, IncidenceMode, Session

NAMES = [spec.name for spec in SPECS]


@pytest.fixture
def no_file_dialogs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user closes every file dialog without choosing."""
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: "")
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_, **__: ([], ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: ("", ""))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: ("", ""))


def test_no_two_actions_share_a_name_or_a_key() -> None:
    assert max(Counter(NAMES).values()) == 1
    assert max(Counter(spec.key for spec in SPECS if spec.key).values()) == 1


def test_every_action_stands_in_a_menu_with_its_key_in_the_tooltip(qtbot: QtBot) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    actions = Actions(window)
    actions.add_to(window.menuBar())
    in_menus = {action for entry in window.menuBar().actions() for action in entry.menu().actions()}
    assert in_menus == set(actions.all())
    for spec in SPECS:
        assert actions[spec.name].toolTip().startswith(spec.tooltip)
        assert spec.key in actions[spec.name].toolTip()


def test_the_header_shows_actions_with_icons(qtbot: QtBot) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    actions = Actions(window)
    actions.load_icons()
    for name in HEADER:
        assert not actions[name].icon().isNull()


@pytest.mark.parametrize("preset", WINDOW_PRESETS)
def test_presets_set_the_grey_window(qtbot: QtBot, session: Session, preset: str) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    actions = Actions(window)
    actions.connect_views(session)
    actions[f"window_{preset}"].trigger()
    assert session.window_level == WINDOW_PRESETS[preset]


@pytest.mark.usefixtures("no_file_dialogs")
@pytest.mark.parametrize("with_case", [False, True], ids=["no case open", "a case open"])
def test_every_action_works(qtbot: QtBot, star: StarApp, with_case: bool) -> None:
    if with_case:
        with qtbot.waitSignal(star.workflow.assessed):
            star.workflow.open_demo()
    for name in NAMES:
        if name == "quit":
            continue
        action = star.window.star_actions[name]
        action.setEnabled(True)  # even those that wait for a case
        action.trigger()
        QApplication.processEvents()
        assert star.window.isVisible(), name
    qtbot.waitUntil(lambda: star.session.assessment is not None)  # one of the actions opens the demonstration patient


def test_quit_closes_the_window(qtbot: QtBot, star: StarApp) -> None:
    with qtbot.waitSignal(star.window.closing):
        star.window.star_actions["quit"].trigger()
    assert not star.window.isVisible()


def test_assess_and_export_wait_for_a_case(qtbot: QtBot, star: StarApp) -> None:
    assert not star.window.star_actions["assess"].isEnabled()
    assert not star.window.star_actions["export"].isEnabled()
    with qtbot.waitSignal(star.workflow.assessed):
        star.workflow.open_demo()
    assert star.window.star_actions["assess"].isEnabled()
    assert star.window.star_actions["export"].isEnabled()


def test_ctrl_arrows_change_the_year_from_within_a_text_field(qtbot: QtBot, star_with_case: StarApp) -> None:
    star = star_with_case
    editor = star.window.form.rows["cea_ng_ml"].editor
    assert isinstance(editor, QLineEdit)
    editor.setFocus()
    text, position = editor.text(), editor.cursorPosition()
    for _ in range(3):
        qtbot.keyClick(editor, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    assert star.session.year == 4
    qtbot.keyClick(editor, Qt.Key.Key_Left, Qt.KeyboardModifier.ControlModifier)
    assert star.session.year == 3
    assert (editor.text(), editor.cursorPosition()) == (text, position)


@pytest.mark.parametrize("place", ["views", "series tree", "search", "year bars", "choice", "model"])
def test_ctrl_arrows_change_the_year_from_anywhere(qtbot: QtBot, star_with_case: StarApp, place: str) -> None:
    window = star_with_case.window
    widget = {
        "views": window.views,
        "series tree": window.local.tree,
        "search": window.local.filters.search,
        "year bars": window.year_bar.bars,
        "choice": window.form.rows["sex"].editor,
        "model": window.model_chooser,
    }[place]
    widget.setFocus()
    qtbot.keyClick(widget, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    assert star_with_case.session.year == 2
    qtbot.keyClick(widget, Qt.Key.Key_Left, Qt.KeyboardModifier.ControlModifier)
    assert star_with_case.session.year == 1


def test_plain_arrows_stay_with_the_text_field(qtbot: QtBot, star_with_case: StarApp) -> None:
    editor = star_with_case.window.form.rows["cea_ng_ml"].editor
    editor.setFocus()
    qtbot.keyClick(editor, Qt.Key.Key_Right)
    assert star_with_case.session.year == 1


def test_space_plays_and_pauses(qtbot: QtBot, star_with_case: StarApp) -> None:
    window = star_with_case.window
    window.year_bar.bars.setFocus()
    qtbot.keyClick(window.year_bar.bars, Qt.Key.Key_Space)
    assert window.year_bar.playing
    qtbot.keyClick(window.year_bar.bars, Qt.Key.Key_Space)
    assert not window.year_bar.playing


def test_keys_of_one_letter_are_typed_where_text_is_entered(qtbot: QtBot, star_with_case: StarApp) -> None:
    window, session = star_with_case.window, star_with_case.session
    before = session.window_level
    search = window.local.filters.search
    search.setFocus()
    qtbot.keyClicks(search, "m 1o")
    assert search.text() == "m 1o"
    assert session.incidence_mode is IncidenceMode.CUMULATIVE
    assert session.window_level == before
    assert session.overlay.visible
    assert not window.year_bar.playing


def test_m_switches_cumulative_and_annual(qtbot: QtBot, star_with_case: StarApp) -> None:
    star_with_case.window.views.setFocus()
    qtbot.keyClick(star_with_case.window, Qt.Key.Key_M)
    assert star_with_case.session.incidence_mode is IncidenceMode.ANNUAL
    qtbot.keyClick(star_with_case.window, Qt.Key.Key_M)
    assert star_with_case.session.incidence_mode is IncidenceMode.CUMULATIVE


def test_m_chooses_male_in_the_field_of_sex(qtbot: QtBot, star_with_case: StarApp) -> None:
    editor = star_with_case.window.form.rows["sex"].editor
    assert isinstance(editor, QComboBox)
    star_with_case.session.set_clinical(ClinicalRecord())
    editor.setFocus()
    qtbot.keyClick(editor, Qt.Key.Key_M)
    assert editor.currentText() == "male"
    assert star_with_case.session.incidence_mode is IncidenceMode.CUMULATIVE
