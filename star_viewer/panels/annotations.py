"""What was drawn, as a list: kind, value, label; a click or Enter goes there, F2 renames, Del deletes."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from star_core.imaging.annotations import Annotation
from star_core.imaging.measure import Measurement, to_text
from star_viewer.drawn import NAMES, delete_selected, rename_annotation
from star_viewer.session import Session
from star_viewer.theme import GRID

_HEADINGS = ("Kind", "Value", "Label")
_LABEL = 2
_NOTHING = "Nothing is drawn yet. Press D for a distance, A for an angle, E for an ellipse; ? shows all keys."


class AnnotationsPanel(QWidget):
    """Lists the session's annotations and follows its selection."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._shown: tuple[Annotation, ...] = ()
        self.table = AnnotationsTable(self._fly, lambda: delete_selected(session))
        self.empty = QLabel(_NOTHING)
        self.empty.setProperty("role", "faint")
        self.empty.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID, GRID, GRID)
        layout.addWidget(self.empty)
        layout.addWidget(self.table, 1)
        self.table.itemClicked.connect(lambda _: self._fly())
        self.table.itemSelectionChanged.connect(self._select)
        self.table.itemChanged.connect(self._rename)
        session.annotations_changed.connect(self._show)
        session.volume_changed.connect(lambda _: self._show(session.annotations))
        session.selection_changed.connect(self._follow_selection)
        self._show(session.annotations)

    def _show(self, annotations: tuple[Annotation, ...]) -> None:
        self._shown = annotations
        self.empty.setVisible(not annotations)
        self.table.setVisible(bool(annotations))
        self.table.blockSignals(True)
        self.table.setRowCount(len(annotations))
        for row, annotation in enumerate(annotations):
            measurement = self._session.measure(annotation)
            value, more = to_text(measurement), _in_full(measurement)
            self._set(row, 0, NAMES[annotation.kind], more)
            self._set(row, 1, value, more)
            self._set(row, _LABEL, annotation.label, f"<p>{escape(annotation.label)}</p>" if annotation.label else "")
        self.table.blockSignals(False)
        self._follow_selection()

    def _set(self, row: int, column: int, text: str, tooltip: str) -> None:
        item = self.table.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
            item.setFlags(flags | Qt.ItemFlag.ItemIsEditable if column == _LABEL else flags)
            self.table.setItem(row, column, item)
        item.setText(text)
        item.setToolTip(tooltip)

    def _follow_selection(self, *_: object) -> None:
        selected = self._session.selected
        row = -1 if selected is None else self._shown.index(selected)
        self.table.blockSignals(True)
        if row < 0:
            self.table.clearSelection()
            self.table.setCurrentCell(-1, -1)
        elif self.table.currentRow() != row or not self.table.selectedItems():
            self.table.setCurrentCell(row, _LABEL)
        self.table.blockSignals(False)

    def _select(self) -> None:
        row = self.table.currentRow()
        if self.table.selectedItems() and 0 <= row < len(self._shown):
            self._session.select(self._shown[row].id)

    def _fly(self) -> None:
        """Show the slice on which it lies, with the crosshair on it."""
        row = self.table.currentRow()
        if 0 <= row < len(self._shown):
            self._session.select(self._shown[row].id)
            self._session.set_crosshair(self._shown[row].centre_mm)

    def _rename(self, item: QTableWidgetItem) -> None:
        if item.column() == _LABEL and item.row() < len(self._shown):
            annotation = self._shown[item.row()]
            rename_annotation(self._session, annotation.id, item.text())
            self._show(self._session.annotations)  # a label that was cleaned to what it was before stands there again


class AnnotationsTable(QTableWidget):
    """The table with its keys."""

    def __init__(self, fly: Callable[[], object], delete: Callable[[], object]) -> None:
        super().__init__(0, len(_HEADINGS))
        self._fly, self._delete = fly, delete
        self.setHorizontalHeaderLabels(_HEADINGS)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.verticalHeader().hide()
        self.setAccessibleName("Annotations")
        self.setAccessibleDescription("Enter goes there, F2 renames, Delete deletes")
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWordWrap(True)
        heading = self.horizontalHeader()
        heading.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        heading.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        heading.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        heading.setSectionResizeMode(_LABEL, QHeaderView.ResizeMode.Interactive)
        self.setColumnWidth(_LABEL, 11 * GRID)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        row, plain = self.currentRow(), not event.modifiers()
        match event.key():
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if row >= 0 and plain:
                self._fly()
            case Qt.Key.Key_Delete | Qt.Key.Key_Backspace if row >= 0 and plain:
                self._delete()
            case Qt.Key.Key_F2 if row >= 0 and plain:
                self.edit(self.model().index(row, _LABEL))
            case _:
                super().keyPressEvent(event)


def _in_full(measurement: Measurement) -> str:
    hu = measurement.hu
    if hu is None:
        return to_text(measurement)
    return (
        f"{to_text(measurement)}\nmedian {hu.median_hu:g} HU · {hu.minimum_hu:g} to {hu.maximum_hu:g} HU"
        f" · {hu.pixel_count:,} pixels"
    )
