"""Follow-up CTs in the window: added, refused, moved, undone, brought back, and handed to the model."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QFileDialog
from pytestqt.qtbot import QtBot

from star_core.types import RegistrationKind
from star_viewer.app import StarApp
from star_viewer.display import Comparison
from star_viewer.follow_ups import Adjustment, FollowUpSource
from star_viewer.jobs.follow_up_requests import ListOtherStudies, OpenFollowUp
from star_viewer.jobs.requests import ArchivedScan, AssessCase
from tests.viewer.runners import DirectRunner
from tests.viewer.shelves import FakeStudy
from tests.viewer.test_keeping import kill, open_kept, wait_until_kept  # noqa: F401  (a fixture and helpers)


def add(qtbot: QtBot, star: StarApp, name: str = "2026-01-31") -> None:
    """Add the follow-up CT in a folder of this name."""
    asked = len(star.following.later.plan.scans)
    star.following.add(FollowUpSource(folder=Path("/studies") / name))
    qtbot.waitUntil(lambda: len(star.following.later.plan.scans) > asked)


def type_date(star: StarApp, text: str) -> None:
    editor = star.following.panel.operation.editor
    editor.setText(text)
    editor.editingFinished.emit()


def years_asked(runner: DirectRunner) -> list[int]:
    asked = runner.asked(AssessCase)[-1]
    assert isinstance(asked, AssessCase)
    return [edit.year for edit in asked.edits.follow_ups]


def test_a_follow_up_is_added_seen_and_fills_its_year_once_the_operation_is_dated(
    qtbot: QtBot, star_with_case: StarApp, direct_runner: DirectRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    star = star_with_case
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "/studies/2026-01-31")
    star.window.star_actions["follow_add"].trigger()
    qtbot.waitUntil(lambda: star.session.later is not None)
    assert star.session.display.style.comparison is Comparison.SIDE
    assert star.following.panel.isVisible()
    assert "Give the date of operation" in star.following.panel.quality.text()
    assert years_asked(direct_runner) == []
    with qtbot.waitSignal(star.workflow.assessed, timeout=10_000):
        type_date(star, "2024-05-01")
    assert years_asked(direct_runner) == [2]
    assert star.session.later is not None
    assert star.session.later.label == "2026-01-31, year 2"
    assert star.session.history.undo_text == "change the date of operation"
    with qtbot.waitSignal(star.workflow.assessed, timeout=10_000):
        star.session.history.undo()
    assert years_asked(direct_runner) == []


def test_what_diverges_is_refused_with_its_reason_and_the_list_stays(qtbot: QtBot, star_with_case: StarApp) -> None:
    star = star_with_case
    star.following.add(FollowUpSource(folder=Path("/studies/diverges")))
    qtbot.waitUntil(lambda: any("turned by 90 degrees" in told for told in star.window.banners.messages))
    assert star.following.later.plan.scans == ()
    assert star.session.later is None


def test_another_patient_is_added_only_when_the_reader_says_so(qtbot: QtBot, star_with_case: StarApp) -> None:
    star = star_with_case
    star.following.add(FollowUpSource(folder=Path("/studies/stranger")))
    qtbot.waitUntil(lambda: any("two patients" in told for told in star.window.banners.messages))
    assert star.following.later.plan.scans == ()
    buttons = star.window.banners.findChildren(QAbstractButton)
    next(button for button in buttons if button.text() == "Add it all the same").click()
    qtbot.waitUntil(lambda: len(star.following.later.plan.scans) == 1)
    assert star.following.later.plan.scans[0].source.accept_other_patient


def test_the_same_ct_is_listed_once(qtbot: QtBot, star_with_case: StarApp) -> None:
    star = star_with_case
    add(qtbot, star)
    star.following.add(FollowUpSource(folder=Path("/elsewhere/2026-01-31")))
    qtbot.waitUntil(lambda: any("already" in told for told in star.window.banners.messages))
    assert len(star.following.later.plan.scans) == 1


def test_another_kind_of_alignment_is_one_step_and_reaches_the_model(
    qtbot: QtBot, star_with_case: StarApp, direct_runner: DirectRunner
) -> None:
    star = star_with_case
    add(qtbot, star)
    type_date(star, "2025-06-01")
    panel, later = star.following.panel, star.following.later
    index = panel.kind.findData(RegistrationKind.B_SPLINE)
    panel.kind.setCurrentIndex(index)
    with qtbot.waitSignal(star.workflow.assessed, timeout=10_000):
        panel.kind.activated.emit(index)
    assert later.chosen is not None
    assert later.chosen.kind is RegistrationKind.B_SPLINE
    assert "agree by 0.90" in panel.quality.text()
    asked = direct_runner.asked(AssessCase)[-1]
    assert asked.edits.follow_ups[0].kind is RegistrationKind.B_SPLINE  # type: ignore[attr-defined]
    star.session.history.undo()
    assert later.chosen.kind is RegistrationKind.RIGID
    assert star.session.later is not None


def test_moving_by_hand_is_seen_at_once_and_becomes_one_step_when_the_hand_rests(
    qtbot: QtBot, star_with_case: StarApp
) -> None:
    star = star_with_case
    add(qtbot, star)
    panel, later, session = star.following.panel, star.following.later, star.session
    for shift_mm in (1.0, 2.0, 3.0):
        panel.shift_mm[2].setValue(shift_mm)
        assert session.later is not None
        assert session.later.motion_lps[2, 3] == shift_mm
    assert later.chosen is not None
    assert later.chosen.adjustment.is_none
    qtbot.waitUntil(lambda: session.history.undo_text == "move the follow-up CT")
    assert later.chosen.adjustment == Adjustment(shift_mm=(0.0, 0.0, 3.0))
    qtbot.mouseClick(panel.reset, Qt.MouseButton.LeftButton)
    assert later.chosen.adjustment.is_none
    np.testing.assert_array_equal(session.later.motion_lps, np.eye(4))  # type: ignore[union-attr]
    session.history.undo()
    assert panel.shift_mm[2].value() == 3.0
    session.history.undo()
    assert panel.shift_mm[2].value() == 0.0
    session.history.undo()
    assert later.plan.scans == ()
    assert session.later is None


def test_the_list_follows_and_is_chosen_from_by_keys(qtbot: QtBot, star_with_case: StarApp) -> None:
    star = star_with_case
    for day in ("2026-01-31", "2024-03-01", "2025-12-24"):
        add(qtbot, star, day)
    type_date(star, "2024-02-15")
    table = star.following.panel.table
    assert [[table.item(row, column).text() for column in range(3)] for row in range(3)] == [  # type: ignore[union-attr]
        ["2026-01-31", "2", "rigid"],
        ["2024-03-01", "1", "rigid"],
        ["2025-12-24", "–", "rigid"],
    ]
    assert star.session.later is not None
    assert star.session.later.label == "2025-12-24"
    assert "The CT of 2026-01-31 is newer" in star.following.panel.quality.text()
    qtbot.keyClick(table, Qt.Key.Key_Up)
    assert star.session.later.label == "2024-03-01, year 1"
    star.window.star_actions["follow_next"].trigger()
    assert star.session.later.label == "2025-12-24"
    qtbot.mouseClick(star.following.panel.remove, Qt.MouseButton.LeftButton)
    assert table.rowCount() == 2


def test_a_date_that_is_none_is_told_and_one_before_the_operation_fills_no_year(
    qtbot: QtBot, star_with_case: StarApp
) -> None:
    star = star_with_case
    add(qtbot, star)
    type_date(star, "2026-13-01")
    panel = star.following.panel
    assert panel.operation.problem.text() == "2026-13-01 is no date. Write it as 2026-01-31."
    type_date(star, "2026-02-10")
    assert panel.operation.problem.text() == ""
    assert "10 days before the operation" in panel.quality.text()
    panel.acquired.editor.setText("10.03.2026")
    panel.acquired.editor.editingFinished.emit()
    assert star.following.later.plan.scans[0].acquired_on == date(2026, 3, 10)
    assert star.following.later.plan.places()[star.following.later.plan.scans[0].series_uid].year == 1


def test_keys_swap_fade_and_subtract(qtbot: QtBot, star_with_case: StarApp) -> None:
    star = star_with_case
    actions, display = star.window.star_actions, star.session.display
    assert not actions["follow_swap"].isEnabled()
    add(qtbot, star)
    for key, expected in (
        (Qt.Key.Key_Y, Comparison.LATER),
        (Qt.Key.Key_Y, Comparison.FIRST),
        (Qt.Key.Key_F, Comparison.FADE),
        (Qt.Key.Key_J, Comparison.DIFFERENCE),
        (Qt.Key.Key_J, Comparison.FIRST),
    ):
        qtbot.keyClick(star.window.year_bar.bars, key)
        assert display.style.comparison is expected
    assert not star.following.panel.fade.isEnabled()
    actions["follow_fade"].trigger()
    star.following.panel.fade.setValue(80)
    assert display.style.fade == 0.8


def test_every_control_is_named_and_reached_by_tab(qtbot: QtBot, star_with_case: StarApp) -> None:
    star = star_with_case
    add(qtbot, star)
    panel = star.following.panel
    controls = (
        *(panel.operation.editor, panel.table, panel.add, panel.remove, panel.comparison, panel.acquired.editor),
        *(panel.in_model, panel.kind, *panel.shift_mm, *panel.turn_deg),
    )
    panel.operation.editor.setFocus()
    seen = set()
    for _ in range(60):
        focus = panel.window().focusWidget()
        seen.add(focus)
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    for control in controls:
        assert control in seen, control.accessibleName()
        assert control.accessibleName() or control.text()  # type: ignore[union-attr]


def test_other_studies_of_the_archive_are_offered(
    qtbot: QtBot, star_with_case: StarApp, direct_runner: DirectRunner
) -> None:
    star = star_with_case
    assert not star.following.panel.from_archive.isEnabled()
    direct_runner.replace_answers[ListOtherStudies] = lambda _: (FakeStudy(id=9, date="2025-02-03"),)
    with qtbot.waitSignal(star.workflow.assessed):
        star.workflow.open_archived(ArchivedScan(study=4))
    panel = star.following.panel
    star.window.tabs.setCurrentWidget(panel)
    offered: list[object] = []
    offer = panel.offer_studies
    panel.offer_studies = lambda studies: offered.append(offer(studies))  # type: ignore[assignment,method-assign]
    qtbot.mouseClick(panel.from_archive, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(offered))
    menu = offered[0]
    (action,) = menu.actions()  # type: ignore[attr-defined]
    assert action.text() == "2025-02-03 · CT Abdomen"
    action.trigger()
    menu.close()  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: len(star.following.later.plan.scans) == 1)
    asked = direct_runner.asked(OpenFollowUp)[-1]
    assert asked.source == FollowUpSource(study=9)  # type: ignore[attr-defined]


def test_after_a_kill_the_follow_ups_are_aligned_again_and_fill_their_years(
    qtbot: QtBot,
    star: StarApp,
    kill: Callable[[StarApp], StarApp],  # noqa: F811
    direct_runner: DirectRunner,
) -> None:
    open_kept(qtbot, star)
    add(qtbot, star)
    type_date(star, "2024-05-01")
    star.following.panel.turn_deg[0].setValue(2.0)
    star.following.panel.settle()
    plan = star.following.later.plan
    again = kill(star)
    with qtbot.waitSignals([again.keeping.brought_back, again.workflow.assessed]):
        again.keeping.go_on()
    qtbot.waitUntil(lambda: again.session.later is not None, timeout=10_000)
    assert again.following.later.plan == plan
    qtbot.waitUntil(lambda: years_asked(direct_runner) == [2], timeout=10_000)
    assert again.following.panel.turn_deg[0].value() == 2.0


def test_a_follow_up_that_is_gone_stays_listed_and_says_so(
    qtbot: QtBot,
    star: StarApp,
    kill: Callable[[StarApp], StarApp],  # noqa: F811
    direct_runner: DirectRunner,
) -> None:
    open_kept(qtbot, star)
    star.following.add(FollowUpSource(folder=Path("/studies/stranger"), accept_other_patient=True))
    qtbot.waitUntil(lambda: bool(star.following.later.plan.scans))
    kept = star.following.later.plan.scans[0]
    gone = kept.model_copy(update={"source": FollowUpSource(folder=Path("/studies/diverges"))})
    star.following.later.change("lose it", star.following.later.plan.put(gone))
    again = kill(star)
    again.keeping.go_on()
    panel = again.following.panel
    qtbot.waitUntil(lambda: "turned by 90 degrees" in panel.quality.text(), timeout=10_000)
    again.window.tabs.setCurrentWidget(panel)
    assert panel.again.isVisible()
    assert panel.table.item(0, 2).text() == "not read"  # type: ignore[union-attr]
    asked = len(direct_runner.asked(OpenFollowUp))
    panel.again.click()
    qtbot.waitUntil(lambda: len(direct_runner.asked(OpenFollowUp)) > asked)


def test_another_case_has_no_follow_ups_of_this_one(qtbot: QtBot, star_with_case: StarApp, tmp_path: Path) -> None:
    star = star_with_case
    add(qtbot, star)
    star.following.add(FollowUpSource(folder=Path("/studies/2025-01-01")))
    (tmp_path / "another").mkdir()
    with qtbot.waitSignal(star.workflow.case_opened):
        star.workflow.open_folder(tmp_path / "another")
    qtbot.waitUntil(lambda: not star.following._purposes)
    assert star.following.later.plan.scans == ()
    assert star.session.display.style.comparison is Comparison.FIRST
    assert star.session.later is None
