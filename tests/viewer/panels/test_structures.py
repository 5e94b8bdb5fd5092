"""The panel of structures: what is drawn, how large, which is edited; the brush is set here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox, QMainWindow, QTableWidget, QWidget
from pytestqt.qtbot import QtBot

from star_core.types import STRUCTURES, Structure
from star_viewer.actions import Actions
from star_viewer.mask_tools import Tip
from star_viewer.panels.structures import StructuresPanel
from star_viewer.session import Session
from tests.viewer.scene.factory import build_case


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> Iterator[StructuresPanel]:
    window = QMainWindow()
    panel = StructuresPanel(session, Actions(window))
    window.setCentralWidget(panel)
    qtbot.addWidget(window)
    window.resize(380, 640)
    window.show()
    qtbot.waitExposed(window)
    session.set_case(build_case())
    yield panel
    window.close()


def _row(panel: StructuresPanel, structure: Structure) -> list[str]:
    row = STRUCTURES.index(structure)
    items = (panel.table.item(row, column) for column in range(2))
    return ["" if item is None else item.text() for item in items]


def test_structures_are_listed_with_their_volumes(panel: StructuresPanel, session: Session) -> None:
    assert session.masks is not None
    panel.show_volumes(session.masks.volumes_ml())
    assert _row(panel, Structure.LIVER) == ["Liver", f"{session.masks.volume_ml(Structure.LIVER):.1f} ml"]
    session.set_masks(replace(session.masks, known=Structure.LIVER))
    assert _row(panel, Structure.TUMOUR) == ["Tumours", "not drawn"]


def test_a_scan_without_a_liver_says_so_and_shows_the_button(panel: StructuresPanel, session: Session) -> None:
    assert not panel.hint.isVisible()
    session.set_case(replace(build_case(), masks=None))
    assert panel.hint.isVisible()
    assert panel.find_button.isDefault()
    assert [_row(panel, one)[1] for one in STRUCTURES] == ["not drawn"] * 5
    assert not panel.method.isVisible()
    panel.show_methods(("classical", "totalsegmentator"))
    assert panel.method.isVisible()


def test_the_row_that_is_chosen_is_edited(qtbot: QtBot, panel: StructuresPanel, session: Session) -> None:
    panel.table.setFocus()
    qtbot.keyClick(panel.table, Qt.Key.Key_Down)
    assert session.mask_tools.style.structure is STRUCTURES[1]
    session.mask_tools.change(structure=Structure.TUMOUR)
    assert panel.table.currentRow() == STRUCTURES.index(Structure.TUMOUR)


def test_the_brush_is_set_in_fields(qtbot: QtBot, panel: StructuresPanel, session: Session) -> None:
    assert not panel.lowest.isEnabled()
    panel.radius.setValue(12.5)
    panel.gated.setChecked(True)
    panel.lowest.setValue(150.0)
    panel.lowest.editingFinished.emit()
    panel.tip.setCurrentIndex(panel.tip.findData(Tip.BALL))
    panel.tip.activated.emit(panel.tip.currentIndex())
    style = session.mask_tools.style
    assert (style.radius_mm, style.gated, style.lowest_hu, style.tip) == (12.5, True, 150.0, Tip.BALL)
    session.mask_tools.widen(1)
    assert panel.radius.value() == pytest.approx(15.0)


def test_everything_has_a_name_and_is_reached_by_tab(panel: StructuresPanel) -> None:
    inputs = [
        widget
        for widget in panel.findChildren(QWidget)
        if isinstance(widget, QAbstractButton | QAbstractSpinBox | QComboBox | QTableWidget) and widget.isVisible()
    ]
    assert len(inputs) >= 18
    for widget in inputs:
        name = widget.accessibleName() or (widget.text() if isinstance(widget, QAbstractButton) else "")
        assert name, widget
        if not isinstance(widget.parent(), QTableWidget):
            assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus, name
