"""Risk by region, in per cent for the year shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytestqt.qtbot import QtBot

from star_core.imaging.couinaud.segments import segment_couinaud
from star_core.types import Segment
from star_viewer.panels.regions import RegionsPanel
from star_viewer.session import IncidenceMode, Session
from tests.viewer.fakes import RECORD, build_full_assessment
from tests.viewer.scene.factory import build_case, build_landmarks, build_masks

ASSESSMENT = build_full_assessment(replace(build_case(), clinical=RECORD))


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> RegionsPanel:
    panel = RegionsPanel(session)
    qtbot.addWidget(panel)
    return panel


def _column(panel: RegionsPanel, column: int) -> list[str]:
    return [panel.table.item(row, column).text() for row in range(panel.table.rowCount())]


def test_without_an_assessment_the_table_is_empty(session: Session, panel: RegionsPanel) -> None:
    assert panel.table.rowCount() == 0
    session.set_assessment(ASSESSMENT)
    session.set_assessment(None)
    assert panel.table.rowCount() == 0


def test_each_region_stands_with_volume_and_risk(session: Session, panel: RegionsPanel) -> None:
    session.set_assessment(ASSESSMENT)
    assert _column(panel, 0) == [region.name for region in ASSESSMENT.regions]
    assert _column(panel, 1) == ["1120", "60", "210", "850"]
    assert _column(panel, 2)[0] == f"{100 * ASSESSMENT.regions[0].cumulative_incidence[0]:.2f}"


def test_the_parts_add_up_to_the_first_row(session: Session, panel: RegionsPanel) -> None:
    session.set_assessment(ASSESSMENT)
    for year in (1, 5, 12):
        session.set_year(year)
        whole, *parts = map(float, _column(panel, 2))
        assert sum(parts) == pytest.approx(whole, abs=0.02)


def test_risk_follows_the_year(session: Session, panel: RegionsPanel) -> None:
    session.set_assessment(ASSESSMENT)
    session.set_year(9)
    assert _column(panel, 2)[1] == f"{100 * ASSESSMENT.regions[1].cumulative_incidence[8]:.2f}"


def test_annual_risks_add_up_to_the_cumulative_risk(session: Session, panel: RegionsPanel) -> None:
    session.set_assessment(ASSESSMENT)
    session.set_incidence_mode(IncidenceMode.ANNUAL)
    total = 0.0
    for year in range(1, 13):
        session.set_year(year)
        total += float(_column(panel, 2)[0])
    assert total == pytest.approx(100 * ASSESSMENT.regions[0].cumulative_incidence[-1], abs=0.1)


def test_a_result_with_fewer_regions_leaves_no_row_of_the_old_one(session: Session, panel: RegionsPanel) -> None:
    session.set_assessment(ASSESSMENT)
    session.set_assessment(replace(ASSESSMENT, regions=ASSESSMENT.regions[:1]))
    assert _column(panel, 0) == ["Liver remnant"]


def test_segments_stand_with_their_part_of_the_whole_liver(session: Session, panel: RegionsPanel) -> None:
    part = ASSESSMENT.regions[1]
    session.set_assessment(replace(ASSESSMENT, segments=(replace(part, name="Segment II"),)))
    segments = segment_couinaud(build_masks(), build_landmarks())
    session.anatomy.set_segments(segments, segments.volumes_ml())
    volumes = segments.volumes_ml()
    share = 100 * volumes[Segment.II] / sum(volumes.values())
    row = _column(panel, 0).index("Segment II")
    assert _column(panel, 3)[row] == f"{volumes[Segment.II]:.0f} ({share:.0f})"
    assert _column(panel, 3)[0] == ""
    assert _column(panel, 2)[_column(panel, 0).index("Segment V")] == "0.00"  # removed: it cannot recur
    session.anatomy.set_segments(None, {})
    assert _column(panel, 3)[-1] == ""
    assert _column(panel, 0)[-1] == "Segment II"
