"""The window's frame: title, notice, dropping, job bar, geometry."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QUrl
from PySide6.QtWidgets import QLabel, QToolBar, QWidget
from pytestqt.qtbot import QtBot

from star_viewer.main_window import TITLE, MainWindow
from star_viewer.session import Session
from tests.viewer.conftest import drop


@pytest.fixture
def window(qtbot: QtBot, session: Session) -> MainWindow:
    window = MainWindow(session, QWidget())
    qtbot.addWidget(window)
    window.show()
    return window


def _mime(*urls: str, text: str = "") -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl(url) for url in urls])
    if text:
        mime.setText(text)
    return mime


def test_the_title_and_the_status_bar_say_research_use_only(window: MainWindow) -> None:
    assert window.windowTitle() == TITLE
    assert "RESEARCH USE ONLY" in TITLE
    notices = [label.text() for label in window.statusBar().findChildren(QLabel) if label.isVisible()]
    assert "research use only · offline" in notices


def test_nothing_open_shows_the_empty_state(window: MainWindow) -> None:
    assert window.empty_state.isVisible()
    assert not window.views.isVisible()
    window.show_views(True)
    assert window.views.isVisible()
    window.show_views(False)
    assert window.empty_state.isVisible()


def test_a_dropped_folder_is_told_with_its_path(window: MainWindow, tmp_path: Path) -> None:
    folder = tmp_path / "CT Läsion #1"
    dropped: list[Path] = []
    window.dropped.connect(dropped.append)
    assert drop(window, _mime(QUrl.fromLocalFile(str(folder)).toString(QUrl.ComponentFormattingOption.FullyEncoded)))
    assert dropped == [folder]


def test_of_several_dropped_things_the_first_local_one_counts(window: MainWindow) -> None:
    dropped: list[Path] = []
    window.dropped.connect(dropped.append)
    assert drop(window, _mime("https://example.org/ct", "file:///data/a", "file:///data/b"))
    assert dropped == [Path("/data/a")]


@pytest.mark.parametrize("mime", [_mime("https://example.org/ct"), _mime(text="a word"), _mime()])
def test_what_is_no_file_cannot_be_dropped(qtbot: QtBot, window: MainWindow, mime: QMimeData) -> None:
    with qtbot.assertNotEmitted(window.dropped):
        assert not drop(window, mime)


def test_a_job_shows_what_and_how_far_and_can_be_cancelled(window: MainWindow) -> None:
    assert not window.cancel_button.isVisible()
    window.show_job("Reading slices")
    assert window.cancel_button.isVisible()
    assert (window.job_bar.minimum(), window.job_bar.maximum()) == (0, 0)  # busy, without an end
    window.show_job("Reading slices", 30, 119)
    assert window.job_text.text() == "Reading slices 30 of 119"
    assert (window.job_bar.value(), window.job_bar.maximum()) == (30, 119)
    window.show_job("")
    assert not window.job_bar.isVisible()
    assert not window.cancel_button.isVisible()


def test_size_is_the_same_at_the_next_start(qtbot: QtBot, session: Session, window: MainWindow) -> None:
    window.resize(1234, 876)
    other = MainWindow(session, QWidget())
    qtbot.addWidget(other)
    other.restore_geometry_text(window.geometry_text())
    assert (other.width(), other.height()) == (window.width(), window.height())


@pytest.mark.parametrize("text", ["", "not base64 !", "AAAA", "größe", "日"])
def test_a_damaged_size_is_passed_over(window: MainWindow, text: str) -> None:
    before = window.size()
    window.restore_geometry_text(text)
    assert window.size() == before


def test_the_header_has_the_ways_in_and_the_chips(window: MainWindow) -> None:
    bar = window.findChild(QToolBar)
    texts = [action.iconText() for action in bar.actions() if action.text()]
    assert texts[:4] == ["Open", "Studies", "Assess", "Export"]
    assert window.trust_chip.text() == "trust: no case"
    assert window.model_chooser.count() == 0


def test_closing_is_told_once(qtbot: QtBot, window: MainWindow) -> None:
    told: list[None] = []
    window.closing.connect(lambda: told.append(None))
    window.close()
    assert len(told) == 1
