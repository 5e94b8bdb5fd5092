"""The tree's model is filled as far as somebody looks, and what is open stays open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPersistentModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from star_core.types import Finding, Severity
from star_viewer.browser.nodes import Kind, Node, subtitle_of, title_of, tooltip_of
from star_viewer.browser.study_model import SUBTITLE, StudyModel
from tests.viewer.fakes import FakeSeries
from tests.viewer.shelves import FakeContents, FakeResult, FakeShelved, FakeStudy

CASE = FakeContents(
    study=1,
    series=(FakeShelved(10), FakeShelved(11, "SEG", 100, "Segmentation", "", 1, "1.2.4"), FakeShelved(12, "MR")),
    drawn_on={11: 10},
    results=(FakeResult(5, 10, {"any_recurrence_year_1": 0.2, "any_recurrence_year_5": 0.63}),),
)


@pytest.fixture
def model(qapp: object) -> StudyModel:
    model = StudyModel()
    rows = (FakeStudy(1), FakeStudy(2, 2, patient_name="山田, 太郎"), FakeStudy(3))
    model.show_studies(rows, offset=0, has_more=False)
    return model


@pytest.fixture
def _checked(model: StudyModel) -> Iterator[None]:
    """Qt itself checks every change of the model."""
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    yield
    tester.deleteLater()


def _node(model: StudyModel, kind: Kind, key: str) -> Node:
    node = model.find(kind, key)
    assert node is not None
    return node


def _titles(nodes: list[Node]) -> list[str]:
    return [title_of(node) for node in nodes]


def test_studies_stand_under_their_patients(model: StudyModel) -> None:
    patients = [model.node_at(model.index(row, 0)) for row in range(model.rowCount())]
    assert [title_of(node) for node in patients if node] == ["Müller, Jérôme", "山田, 太郎"]
    assert [len(node.children) for node in patients if node] == [2, 1]


def test_a_study_asks_for_its_contents_once_somebody_looks(qtbot: QtBot, model: StudyModel) -> None:
    study = model.index_of(_node(model, Kind.STUDY, "2"))
    assert model.hasChildren(study)
    with qtbot.waitSignal(model.contents_wanted, check_params_cb=lambda number: number == 2):
        model.fetchMore(study)
    assert not model.canFetchMore(study)
    model.forget_asking(2)
    assert model.canFetchMore(study)


@pytest.mark.usefixtures("_checked")
def test_segmentations_and_results_stand_under_their_ct(model: StudyModel) -> None:
    model.show_contents(CASE)
    study = _node(model, Kind.STUDY, "1")
    assert _titles(study.children) == ["CT · 3 · Portal venous", "MR · 3 · Portal venous"]
    ct = study.children[0]
    assert _titles(ct.children) == ["SEG · 100 · Segmentation", "star · 5-year recurrence 63 %"]
    assert subtitle_of(ct.children[1]).startswith("assessment of 2026-11-24")
    model.show_contents(FakeContents(study=99, series=(), drawn_on={}))


@pytest.mark.usefixtures("_checked")
def test_what_stays_is_the_same_row_after_a_refresh(model: StudyModel) -> None:
    model.show_contents(CASE)
    kept = QPersistentModelIndex(model.index_of(_node(model, Kind.SERIES, "10")))
    rows = (FakeStudy(4, 3, patient_name="New"), FakeStudy(3), FakeStudy(1))
    model.show_studies(rows, offset=0, has_more=False)
    assert _titles([node for row in range(2) if (node := model.node_at(model.index(row, 0)))]) == [
        "New",
        "Müller, Jérôme",
    ]
    assert [node.key for node in _node(model, Kind.PATIENT, "1").children] == ["3", "1"]
    assert kept.isValid()
    assert title_of(model.node_at(kept) or pytest.fail("gone")) == "CT · 3 · Portal venous"


def test_a_study_that_grew_is_looked_into_again(qtbot: QtBot, model: StudyModel) -> None:
    model.show_contents(CASE)
    with qtbot.waitSignal(model.contents_wanted, check_params_cb=lambda number: number == 1):
        model.show_studies((FakeStudy(1, instance_count=240),), offset=0, has_more=False)


def test_the_next_page_is_asked_for_at_the_end(qtbot: QtBot, model: StudyModel) -> None:
    model.show_studies((FakeStudy(1), FakeStudy(2, 2)), offset=0, has_more=True)
    with qtbot.waitSignal(model.more_wanted, check_params_cb=lambda offset: offset == 2):
        model.want_more()
    model.show_studies((FakeStudy(5, 5),), offset=2, has_more=False)
    assert [row.id for row in model.rows] == [1, 2, 5]
    with qtbot.assertNotEmitted(model.more_wanted):
        model.want_more()


@pytest.mark.usefixtures("_checked")
def test_a_folder_that_is_not_imported_stands_at_the_top(model: StudyModel) -> None:
    gap = Finding(code="slice-gap", severity=Severity.WARNING, message="10.0 mm gap after slice 38.")
    series = (FakeSeries("1.1", findings=(gap,)), FakeSeries("1.3", "SEG", "Segmentation", 100, 1))
    model.show_folder("patient", series)
    top = model.node_at(model.index(0, 0))
    assert top is not None
    assert (title_of(top), subtitle_of(top)) == ("patient", "open, not in the archive")
    assert _titles(top.children) == ["CT · 3 · Portal venous 5.0 ⚠", "SEG · 100 · Segmentation"]
    assert gap.message in tooltip_of(top.children[0])
    model.set_text("segm")
    assert _titles(top.children) == ["SEG · 100 · Segmentation"]
    model.show_folder("")
    assert model.rowCount() == 2


def test_the_open_series_is_bold(model: StudyModel) -> None:
    model.show_contents(CASE)
    index = model.index_of(_node(model, Kind.SERIES, "10"))
    assert index.data(Qt.ItemDataRole.FontRole) is None
    model.mark_open("1.2.3")
    assert index.data(Qt.ItemDataRole.FontRole).bold()


def test_columns_tell_what_there_is(model: StudyModel) -> None:
    model.show_contents(CASE)
    study = _node(model, Kind.STUDY, "1")
    cells = [model.index_of(study, column).data() for column in range(model.columnCount())]
    assert cells == ["2026-01-31 · CT Abdomen", "", "", "", "2026-01-31", "CT", "119", ""]
    patient = model.index_of(_node(model, Kind.PATIENT, "1"))
    assert patient.data(SUBTITLE) == "P1 · born 1960-02-29 · F"
    assert "patient: Müller, Jérôme" in patient.data(Qt.ItemDataRole.AccessibleTextRole)
