"""What was found, worst first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from star_core.types import Finding, Severity
from star_viewer.panels.findings import FindingsPanel, findings_of
from star_viewer.session import Session
from tests.viewer.fakes import build_full_assessment
from tests.viewer.scene.factory import build_case

CASE = build_case()
GAP = Finding(code="slice-gap", severity=Severity.WARNING, message="10.0 mm gap after slice 38, expected 5.0 mm.")
NOTE = Finding(code="liver-estimated", severity=Severity.NOTE, message="The liver was estimated.")
REFUSAL = Finding(code="no-liver", severity=Severity.REFUSAL, message="There is no liver in this scan.")


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> FindingsPanel:
    panel = FindingsPanel(session)
    qtbot.addWidget(panel)
    return panel


def _texts(panel: FindingsPanel) -> list[str]:
    return [label.text() for label in panel.widget().findChildren(QLabel)]


def test_without_a_case_it_says_so(panel: FindingsPanel) -> None:
    assert _texts(panel) == ["No case is open."]


def test_a_case_without_findings_says_so(session: Session, panel: FindingsPanel) -> None:
    session.set_case(CASE)
    assert _texts(panel) == ["Nothing was found."]


def test_findings_of_scan_and_segmentation_stand_before_any_assessment(session: Session, panel: FindingsPanel) -> None:
    assert CASE.masks is not None
    volume = replace(CASE.baseline_scan, findings=(GAP,))
    session.set_case(replace(CASE, scans={0: volume}, masks=replace(CASE.masks, findings=(NOTE,))))
    assert _texts(panel) == [f"warning: {GAP.message}", f"note: {NOTE.message}"]


def test_the_worst_stands_first(session: Session, panel: FindingsPanel) -> None:
    session.set_case(CASE)
    session.set_assessment(replace(build_full_assessment(CASE), findings=(NOTE, GAP, REFUSAL)))
    assert [text.partition(":")[0] for text in _texts(panel)] == ["refusal", "warning", "note"]


def test_another_case_takes_the_old_findings_away(session: Session, panel: FindingsPanel) -> None:
    session.set_case(CASE)
    session.set_assessment(build_full_assessment(CASE))
    assert len(findings_of(session)) == 2
    session.set_case(build_case())
    assert findings_of(session) == ()
    assert _texts(panel) == ["Nothing was found."]
