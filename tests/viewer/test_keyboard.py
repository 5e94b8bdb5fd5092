"""Every widget is reached by Tab and named for screen readers."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QHeaderView,
    QLineEdit,
    QRadioButton,
    QScrollBar,
    QTabBar,
    QTabWidget,
    QWidget,
)
from pytestqt.qtbot import QtBot

from star_viewer.app import StarApp, build_four_views
from star_viewer.scene.pane import Pane
from tests.viewer.conftest import OpenApp

MOST_STEPS = 400


CONTROLS = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QAbstractItemView, QComboBox, QLineEdit, Pane)
INNER = (QTabBar, QLineEdit, QAbstractSpinBox, QComboBox, QScrollBar, QHeaderView)


def is_control(widget: QWidget) -> bool:
    """Whether a reader who only has a keyboard must be able to come here."""
    parent = widget.parentWidget()
    return (
        isinstance(widget, CONTROLS)
        and not isinstance(widget, QScrollBar | QHeaderView)
        and not isinstance(parent, INNER)
        and not widget.objectName().startswith("qt_")
        and widget.isVisible()
        and widget.isEnabled()
        and not (isinstance(widget, QRadioButton) and not widget.isChecked())
    )


def walk(qtbot: QtBot, window: QWidget) -> list[QWidget]:
    """Press Tab until the focus comes back to where it was; return where it went."""
    reached: list[QWidget] = []
    while len(reached) < MOST_STEPS:
        now = QApplication.focusWidget()
        assert now is not None, f"the focus is lost after {reached[-1] if reached else 'nothing'}"
        if now in reached:
            return reached
        reached.append(now)
        qtbot.keyClick(now, Qt.Key.Key_Tab)
    raise AssertionError(f"Tab does not come back within {MOST_STEPS} steps")


def name_of(widget: QWidget) -> str:
    """What a screen reader says; of a choice Qt gives what is chosen, so its own name is asked for."""
    if isinstance(widget, QComboBox):
        return widget.accessibleName()
    return QAccessible.queryAccessibleInterface(widget).text(QAccessible.Text.Name).strip()


def path_of(widget: QWidget) -> str:
    names = []
    at: QWidget | None = widget
    while at is not None:
        names.append(f"{type(at).__name__}({at.objectName() or at.accessibleName()})")
        at = at.parentWidget()
    return " < ".join(names[:5])


def check(qtbot: QtBot, window: QWidget) -> None:
    wanted = [widget for widget in (window, *window.findChildren(QWidget)) if is_control(widget)]
    wanted[0].setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(lambda: QApplication.focusWidget() is not None)
    reached = walk(qtbot, window)
    missed = [path_of(widget) for widget in wanted if widget not in reached and widget.isVisible()]
    nameless = [path_of(widget) for widget in reached if not name_of(widget)]
    assert (missed, nameless) == ([], [])


def test_an_empty_window(qtbot: QtBot, star: StarApp) -> None:
    check(qtbot, star.window)


def test_a_window_with_a_case_and_each_of_its_tabs(qtbot: QtBot, open_app: OpenApp) -> None:
    star = open_app(build_views=build_four_views)
    with qtbot.waitSignal(star.workflow.assessed):
        star.workflow.open_demo()
    assert isinstance(QApplication.focusWidget(), Pane)  # keys are about the picture at once
    tabs = star.window.tabs
    for number in range(tabs.count()):
        tabs.setCurrentIndex(number)
        check(qtbot, star.window)


def test_the_place_of_servers_and_the_wide_list(qtbot: QtBot, star: StarApp) -> None:
    star.window.star_actions["place_pacs"].trigger()
    check(qtbot, star.window)
    star.window.star_actions["place_local"].trigger()
    star.window.star_actions["browse"].trigger()
    check(qtbot, star.window)


@pytest.mark.parametrize("name", ["preferences", "finetune", "palette", "keys", "about"])
def test_dialogs(qtbot: QtBot, star_with_case: StarApp, name: str) -> None:
    star_with_case.window.star_actions[name].trigger()
    qtbot.waitUntil(lambda: any(dialog.isVisible() for dialog in star_with_case._dialogs))
    dialog = star_with_case._dialogs[-1]
    dialog.activateWindow()
    qtbot.waitUntil(dialog.isActiveWindow)
    for tabs in dialog.findChildren(QTabWidget) or [None]:
        for number in range(0 if tabs is None else tabs.count()):
            tabs.setCurrentIndex(number)
            check(qtbot, dialog)
    check(qtbot, dialog)
