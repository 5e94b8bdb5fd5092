"""The list of annotations: it follows the session, and everything can be done from it by keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from star_core.imaging.annotations import Annotation, AnnotationKind, AnnotationPlane, build_annotation
from star_viewer.drawn import add_annotation
from star_viewer.panels.annotations import AnnotationsPanel
from star_viewer.session import Session
from tests.viewer.scene.factory import build_case


def _draw(session: Session, kind: AnnotationKind, z_mm: float, label: str = "") -> Annotation:
    plane = AnnotationPlane(origin_mm=(0.0, 0.0, z_mm), right=(1.0, 0.0, 0.0), up=(0.0, -1.0, 0.0))
    drawn = build_annotation(kind, [(-40.0, -10.0, z_mm), (-20.0, 10.0, z_mm)], plane, label=label)
    add_annotation(session, drawn)
    return drawn


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> AnnotationsPanel:
    session.set_case(build_case())
    panel = AnnotationsPanel(session)
    qtbot.addWidget(panel)
    panel.resize(420, 300)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def _row(panel: AnnotationsPanel, row: int) -> list[str]:
    items = (panel.table.item(row, column) for column in range(3))
    return ["" if item is None else item.text() for item in items]


def test_an_empty_list_says_how_to_begin(panel: AnnotationsPanel) -> None:
    assert panel.empty.isVisible()
    assert not panel.table.isVisible()


def test_kind_value_and_label_are_listed(panel: AnnotationsPanel, session: Session) -> None:
    _draw(session, AnnotationKind.DISTANCE, 0.0, "tumour")
    _draw(session, AnnotationKind.ELLIPSE, 2.5)
    assert _row(panel, 0) == ["distance", "28.3 mm", "tumour"]
    kind, value, label = _row(panel, 1)
    assert (kind, label) == ("ellipse", "")
    assert value.startswith("mean 105 ± 0 HU · 3.14 cm²")
    tooltip = panel.table.item(1, 1).toolTip()  # type: ignore[union-attr]
    assert "median 105 HU · 105 to 105 HU" in tooltip


def test_a_label_is_text_and_never_markup(panel: AnnotationsPanel, session: Session) -> None:
    _draw(session, AnnotationKind.DISTANCE, 0.0, "<img src=x>")
    item = panel.table.item(0, 2)
    assert item is not None
    assert item.text() == "<img src=x>"
    assert item.toolTip() == "<p>&lt;img src=x&gt;</p>"


def test_a_click_goes_there(qtbot: QtBot, panel: AnnotationsPanel, session: Session) -> None:
    first = _draw(session, AnnotationKind.DISTANCE, 30.0)
    _draw(session, AnnotationKind.DISTANCE, 0.0)
    place = panel.table.visualItemRect(panel.table.item(0, 0)).center()  # type: ignore[arg-type]
    qtbot.mouseClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert session.crosshair_mm == (-30.0, 0.0, 30.0)
    assert session.selected == first


def test_enter_goes_there(qtbot: QtBot, panel: AnnotationsPanel, session: Session) -> None:
    _draw(session, AnnotationKind.DISTANCE, 30.0)
    second = _draw(session, AnnotationKind.DISTANCE, -20.0)
    panel.table.setFocus()
    qtbot.keyClick(panel.table, Qt.Key.Key_Up)
    qtbot.keyClick(panel.table, Qt.Key.Key_Down)
    qtbot.keyClick(panel.table, Qt.Key.Key_Return)
    assert session.crosshair_mm == (-30.0, 0.0, -20.0)
    assert session.selected == second


def test_f2_renames_in_place_and_undo_takes_it_back(qtbot: QtBot, panel: AnnotationsPanel, session: Session) -> None:
    _draw(session, AnnotationKind.DISTANCE, 0.0, "old")
    panel.table.setFocus()
    qtbot.keyClick(panel.table, Qt.Key.Key_F2)
    editor = panel.table.findChild(QLineEdit)
    qtbot.keyClicks(editor, "  new   name ")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: session.annotations[0].label == "new name")
    assert _row(panel, 0)[2] == "new name"
    session.history.undo()
    assert _row(panel, 0)[2] == "old"


def test_delete_removes_and_keeps_the_others(qtbot: QtBot, panel: AnnotationsPanel, session: Session) -> None:
    first = _draw(session, AnnotationKind.DISTANCE, 0.0)
    _draw(session, AnnotationKind.ELLIPSE, 0.0)
    panel.table.setFocus()
    qtbot.keyClick(panel.table, Qt.Key.Key_Delete)
    assert session.annotations == (first,)
    assert session.history.undo_text == "delete the ellipse"


def test_the_list_follows_what_is_selected_elsewhere(panel: AnnotationsPanel, session: Session) -> None:
    first = _draw(session, AnnotationKind.DISTANCE, 0.0)
    _draw(session, AnnotationKind.ELLIPSE, 0.0)
    assert panel.table.currentRow() == 1
    session.select(first.id)
    assert panel.table.currentRow() == 0
    session.select("")
    assert not panel.table.selectedItems()


def test_another_case_empties_the_list(panel: AnnotationsPanel, session: Session) -> None:
    _draw(session, AnnotationKind.DISTANCE, 0.0)
    session.set_case(build_case())
    assert panel.table.rowCount() == 0


def test_the_list_has_a_name_for_screen_readers(panel: AnnotationsPanel) -> None:
    assert panel.table.accessibleName() == "Annotations"
    assert "F2 renames" in panel.table.accessibleDescription()
