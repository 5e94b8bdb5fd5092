"""Banners tell a problem where it belongs."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from star_core.types import Severity
from star_viewer.panels.banner import Banner, BannerStack


@pytest.fixture
def stack(qtbot: QtBot) -> BannerStack:
    stack = BannerStack()
    qtbot.addWidget(stack)
    stack.show()
    return stack


def _press(qtbot: QtBot, stack: BannerStack, text: str) -> None:
    button = next(button for button in stack.findChildren(QPushButton) if button.text() == text)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_the_newest_banner_stands_on_top(stack: BannerStack) -> None:
    stack.tell("first")
    stack.tell("second")
    assert stack.messages == ("second", "first")


def test_the_same_message_stands_once(stack: BannerStack) -> None:
    for message in ("first", "second", "first"):
        stack.tell(message)
    assert stack.messages == ("first", "second")


def test_a_banner_can_be_dismissed(qtbot: QtBot, stack: BannerStack) -> None:
    stack.tell("kept")
    stack.tell("dismissed")
    banner = next(banner for banner in stack.findChildren(Banner) if banner.message == "dismissed")
    qtbot.mouseClick(banner.findChild(QToolButton), Qt.MouseButton.LeftButton)
    assert stack.messages == ("kept",)
    banner.dismiss()
    assert stack.messages == ("kept",)


def test_clear_takes_all_away(stack: BannerStack) -> None:
    stack.tell("first")
    stack.tell("second")
    stack.clear()
    assert stack.messages == ()


def test_the_button_does_the_sensible_thing_and_the_banner_goes(qtbot: QtBot, stack: BannerStack) -> None:
    done: list[str] = []
    stack.tell("The liver was estimated.", button="Show", action=lambda: done.append("shown"))
    _press(qtbot, stack, "Show")
    assert done == ["shown"]
    assert stack.messages == ()


def test_details_open_in_a_box_that_blocks_nothing(qtbot: QtBot, stack: BannerStack) -> None:
    stack.tell("The report failed.", severity=Severity.REFUSAL, details="Traceback: ...")
    _press(qtbot, stack, "Details")
    (box,) = stack.findChildren(QMessageBox)
    assert box.text() == "The report failed."
    assert box.detailedText() == "Traceback: ..."
    assert stack.messages == ("The report failed.",)
    box.close()


def test_a_banner_without_details_offers_none(stack: BannerStack) -> None:
    stack.tell("The settings file was damaged.")
    assert stack.findChildren(QPushButton) == []


def test_severity_colours_the_banner(stack: BannerStack) -> None:
    stack.tell("no", severity=Severity.REFUSAL)
    assert stack.findChild(Banner).property("severity") == "refusal"
