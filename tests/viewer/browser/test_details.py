"""Everything about the chosen row."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from star_core.dicom.seg import SegmentSummary
from star_core.dicom.summary import SeriesDetails
from star_core.types import Finding, Severity
from star_viewer.browser.details import DetailsPane
from star_viewer.browser.nodes import Kind, Node
from tests.viewer.shelves import FakeResult, FakeShelved, FakeStudy

DETAILS = SeriesDetails(
    modality="CT",
    description="Portal venous",
    file_count=119,
    shape=(119, 512, 512),
    spacing_mm=(1.6, 0.742, 0.742),
    hu_range=(-1024, 1023),
    transfer_syntaxes=("Explicit VR Little Endian",),
    manufacturer="GE",
    patient_position="FFS",
    slice_thickness_mm=1.6,
    tube_voltage_kv=120.0,
    convolution_kernel="B30f",
    contrast_agent="",
    segments=(SegmentSummary(number=1, label="Liver", structure="liver", voxel_count=10, volume_ml=1860.6),),
    findings=(
        Finding(code="note", severity=Severity.NOTE, message="A note."),
        Finding(code="gap", severity=Severity.WARNING, message="10.0 mm gap after slice 38."),
    ),
)


@pytest.fixture
def pane(qtbot: QtBot) -> DetailsPane:
    pane = DetailsPane()
    qtbot.addWidget(pane)
    pane.show_node(Node(Kind.SERIES, "10", 1, None, FakeShelved(10)))
    return pane


def test_a_series_tells_its_geometry_scanner_segments_and_findings_worst_first(pane: DetailsPane) -> None:
    assert "Looking at the files…" in pane.texts
    pane.show_details(10, DETAILS)
    for told in ("119 of 512 × 512 pixels", "1.60 × 0.742 × 0.742 mm", "-1,024 to 1,023 HU", "GE", "120 kV", "B30f"):
        assert told in pane.texts
    assert "Liver: 1,860.6 ml, taken as liver" in pane.texts
    assert pane.texts[-2:] == ("warning: 10.0 mm gap after slice 38.", "note: A note.")


def test_what_comes_too_late_is_not_shown(pane: DetailsPane) -> None:
    pane.show_details(11, DETAILS)
    pane.show_problem(11, "Gone.")
    assert "Looking at the files…" in pane.texts
    pane.show_problem(10, "8 of 8 files are gone.")
    assert pane.texts[-1] == "8 of 8 files are gone."


def test_patients_studies_and_results_tell_what_the_archive_knows(pane: DetailsPane) -> None:
    pane.show_node(Node(Kind.STUDY, "1", 1, None, FakeStudy(1)))
    assert "2026-01-31 10:15" in pane.texts
    pane.show_node(Node(Kind.RESULT, "5", 1, None, FakeResult(5, 10, {"any_recurrence_year_5": 0.634})))
    assert "63.4 %" in pane.texts
    pane.show_node(Node(Kind.PATIENT, "1", 1, None, FakeStudy(1)))
    assert "1960-02-29" in pane.texts
    pane.show_node(None)
    assert "Nothing is chosen" in pane.texts
