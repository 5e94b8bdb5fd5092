"""What is open, and that every change is told once."""

from __future__ import annotations

from dataclasses import replace

from pytestqt.qtbot import QtBot

from star_core.types import ClinicalRecord
from star_viewer.session import IncidenceMode, OverlayStyle, Session, WindowLevel
from tests.viewer.fakes import RECORD, build_full_assessment
from tests.viewer.scene.factory import build_case

CASE = replace(build_case(), clinical=RECORD)


def test_an_empty_session_shows_the_first_year_of_nothing(session: Session) -> None:
    assert session.case is None
    assert session.volume is None
    assert session.masks is None
    assert session.assessment is None
    assert session.year == 1
    assert session.incidence_mode is IncidenceMode.CUMULATIVE


def test_opening_a_case_tells_its_volume_masks_and_record(qtbot: QtBot, session: Session) -> None:
    with qtbot.waitSignals([session.volume_changed, session.masks_changed, session.clinical_changed]):
        session.set_case(CASE)
    assert session.volume is CASE.baseline_scan
    assert session.masks is CASE.masks
    assert session.clinical == RECORD


def test_opening_a_case_puts_the_crosshair_into_its_middle(session: Session) -> None:
    session.set_crosshair((500.0, 500.0, 500.0))
    session.set_case(CASE)
    # The grid of the synthetic patient lies about the origin.
    assert max(abs(coordinate) for coordinate in session.crosshair_mm) < 1e-9


def test_another_case_takes_the_assessment_of_the_first_away(qtbot: QtBot, session: Session) -> None:
    session.set_case(CASE)
    session.set_assessment(build_full_assessment(CASE))
    with qtbot.waitSignal(session.assessment_changed, check_params_cb=lambda assessment: assessment is None):
        session.set_case(build_case())
    assert session.assessment is None


def test_closing_the_case_leaves_nothing(session: Session) -> None:
    session.set_case(CASE)
    session.set_case(None)
    assert session.case is None
    assert session.volume is None


def test_the_case_carries_the_record_of_the_form(session: Session) -> None:
    session.set_case(CASE)
    session.set_clinical(replace(RECORD, age_years=70.0))
    assert session.case is not None
    assert session.case.clinical.age_years == 70.0
    assert CASE.clinical.age_years == RECORD.age_years


def test_years_beyond_the_ends_are_clamped(session: Session) -> None:
    session.set_year(40)
    assert session.year == 12
    session.set_year(-3)
    assert session.year == 1


def test_every_setter_tells_a_change_and_keeps_quiet_without_one(qtbot: QtBot, session: Session) -> None:
    assessment = build_full_assessment(CASE)
    changes = (
        (session.year_changed, lambda: session.set_year(4)),
        (session.incidence_mode_changed, lambda: session.set_incidence_mode(IncidenceMode.ANNUAL)),
        (session.crosshair_changed, lambda: session.set_crosshair((1.0, 2.0, 3.0))),
        (session.window_level_changed, lambda: session.set_window_level(WindowLevel(100, 150))),
        (session.overlay_changed, lambda: session.set_overlay(OverlayStyle(opacity=0.2))),
        (session.clinical_changed, lambda: session.set_clinical(ClinicalRecord(age_years=50.0))),
        (session.model_changed, lambda: session.set_model_name("ours")),
        (session.assessment_changed, lambda: session.set_assessment(assessment)),
    )
    for signal, change in changes:
        with qtbot.waitSignal(signal):
            change()
        with qtbot.assertNotEmitted(signal):
            change()


def test_a_grey_window_is_never_narrower_than_one_hu(session: Session) -> None:
    session.set_window_level(WindowLevel(40, -20))
    assert session.window_level == WindowLevel(40, 1.0)
