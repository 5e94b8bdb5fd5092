"""The series of a folder, by study."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from star_core.types import Finding, Severity
from star_viewer.browser.series_tree import SeriesTree
from tests.viewer.fakes import FakeSeries

GAP = Finding(code="slice-gap", severity=Severity.WARNING, message="10.0 mm gap after slice 38, expected 5.0 mm.")
SERIES = (
    FakeSeries("1.1", findings=(GAP,)),
    FakeSeries("1.2", description="", series_number=None, slice_count=40),
    FakeSeries("1.3", "SEG", "Segmentation", 100, 1),
    FakeSeries("1.4", description="Arterial", study_uid="9.9"),
)


@pytest.fixture
def tree(qtbot: QtBot) -> SeriesTree:
    tree = SeriesTree()
    qtbot.addWidget(tree)
    tree.show_series(SERIES)
    return tree


def _texts(tree: SeriesTree) -> list[str]:
    return [item.text(0) for item in tree._items]


def test_series_stand_under_their_study(tree: SeriesTree) -> None:
    studies = [tree.tree.topLevelItem(index) for index in range(tree.tree.topLevelItemCount())]
    assert [study.text(0) for study in studies] == ["Study 1", "Study 2"]
    assert [study.childCount() for study in studies] == [3, 1]


def test_a_line_tells_modality_number_description_slices_and_findings(tree: SeriesTree) -> None:
    assert _texts(tree) == [
        "CT · 3 · Portal venous 5.0 · 119 ⚠",
        "CT · no description · 40",
        "SEG · 100 · Segmentation · 1",
        "CT · 3 · Arterial · 119",
    ]


def test_the_tooltip_tells_what_was_found(tree: SeriesTree) -> None:
    assert GAP.message in tree._items[0].toolTip(0)
    assert "Double-click to open" in tree._items[0].toolTip(0)
    assert "Double-click" not in tree._items[2].toolTip(0)


def test_a_ct_is_chosen_and_a_segmentation_or_study_is_not(qtbot: QtBot, tree: SeriesTree) -> None:
    chosen: list[str] = []
    tree.chosen.connect(chosen.append)
    for item in (tree._items[2], tree.tree.topLevelItem(0), tree._items[3]):
        tree.tree.itemActivated.emit(item, 0)
    assert chosen == ["1.4"]


def test_search_hides_what_does_not_match(qtbot: QtBot, tree: SeriesTree) -> None:
    qtbot.keyClicks(tree.search, "ARTER")
    assert [item.isHidden() for item in tree._items] == [True, True, True, False]
    tree.search.clear()
    assert not any(item.isHidden() for item in tree._items)


def test_search_holds_for_the_series_of_the_next_folder(qtbot: QtBot, tree: SeriesTree) -> None:
    qtbot.keyClicks(tree.search, "arter")
    tree.show_series(SERIES)
    assert [item.isHidden() for item in tree._items] == [True, True, True, False]


def test_the_open_series_is_bold(tree: SeriesTree) -> None:
    tree.mark_open("1.4")
    assert [item.font(0).bold() for item in tree._items] == [False, False, False, True]
    tree.mark_open("")
    assert not any(item.font(0).bold() for item in tree._items)


def test_the_demonstration_patient_replaces_the_folder(tree: SeriesTree) -> None:
    tree.show_demo()
    assert tree.tree.topLevelItemCount() == 1
    assert "synthetic" in tree.tree.topLevelItem(0).text(0)
    tree.mark_open("1.1")
    tree.search.setText("x")
