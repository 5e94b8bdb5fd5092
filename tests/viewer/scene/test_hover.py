"""What lies under the cursor."""

from __future__ import annotations

import pytest

from star_viewer.scene.hover import read_at
from star_viewer.session import IncidenceMode, Session
from tests.viewer.scene.factory import HOT_MM, MARK_MM, build_assessment, build_case


@pytest.fixture
def session() -> Session:
    session = Session()
    session.set_case(build_case())
    session.set_assessment(build_assessment())
    return session


def test_the_mark_reads_its_hu(session: Session) -> None:
    reading = read_at(session, MARK_MM)
    assert reading.hu == 900
    assert reading.structure == ""
    assert reading.risk_percent_per_10ml == 0.0


def test_risk_grows_with_the_years_and_is_named_in_liver(session: Session) -> None:
    first = read_at(session, HOT_MM)
    session.set_year(12)
    last = read_at(session, HOT_MM)
    assert last.structure in {"liver remnant", "portal vein"}
    assert first.risk_percent_per_10ml is not None
    assert last.risk_percent_per_10ml is not None
    assert 0 < first.risk_percent_per_10ml < last.risk_percent_per_10ml <= 0.4


def test_annual_risks_add_up(session: Session) -> None:
    session.set_year(3)
    cumulative = read_at(session, HOT_MM).risk_percent_per_10ml
    session.set_incidence_mode(IncidenceMode.ANNUAL)
    annual = []
    for year in (1, 2, 3):
        session.set_year(year)
        annual.append(read_at(session, HOT_MM).risk_percent_per_10ml)
    assert sum(value for value in annual if value is not None) == pytest.approx(cumulative, rel=1e-4)


def test_outside_the_scan_there_is_nothing(session: Session) -> None:
    reading = read_at(session, (0.0, 0.0, 900.0))
    assert (reading.hu, reading.risk_percent_per_10ml, reading.structure) == (None, None, "")


def test_the_tumour_is_named_before_the_liver(session: Session) -> None:
    assert read_at(session, (-65.0, 10.0, -10.0)).structure == "tumour"
