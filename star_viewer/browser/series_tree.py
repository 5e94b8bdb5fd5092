"""The series of the opened folder as a tree by study, with a search field."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLineEdit, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from star_viewer.theme import GRID

_UID = Qt.ItemDataRole.UserRole


class SeriesTree(QWidget):
    """Lists series; ``chosen`` carries the UID of a CT that was double-clicked or entered."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search series")
        self.search.setAccessibleName("Search series")
        self.search.setClearButtonEnabled(True)
        self.tree = QTreeWidget()
        self.tree.setHeaderHidden(True)
        self.tree.setAccessibleName("Series")
        self.tree.setUniformRowHeights(True)
        self._items: list[QTreeWidgetItem] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID, GRID, 0)
        layout.addWidget(self.search)
        layout.addWidget(self.tree)
        self.search.textChanged.connect(self._filter)
        self.tree.itemActivated.connect(self._activate)

    def show_series(self, series: tuple[Any, ...]) -> None:
        """Show the series of a folder (values of ``SeriesInfo``)."""
        self.tree.clear()
        self._items = []
        studies: dict[str, QTreeWidgetItem] = {}
        for entry in series:
            if entry.study_uid not in studies:
                study = QTreeWidgetItem([f"Study {len(studies) + 1}"])
                self.tree.addTopLevelItem(study)
                studies[entry.study_uid] = study
            item = QTreeWidgetItem([_label(entry)])
            item.setData(0, _UID, entry.series_uid if entry.modality == "CT" else "")
            item.setToolTip(0, _tooltip(entry))
            studies[entry.study_uid].addChild(item)
            self._items.append(item)
        self.tree.expandAll()
        self._filter(self.search.text())

    def mark_open(self, series_uid: str) -> None:
        """Show which series is open, in bold."""
        for item in self._items:
            font = item.font(0)
            font.setBold(bool(series_uid) and item.data(0, _UID) == series_uid)
            item.setFont(0, font)

    def show_demo(self) -> None:
        """Say that the built-in patient is open."""
        self.tree.clear()
        self._items = []
        self.tree.addTopLevelItem(QTreeWidgetItem(["Demonstration patient (synthetic)"]))

    def _filter(self, text: str) -> None:
        for item in self._items:
            item.setHidden(text.lower() not in item.text(0).lower())

    def _activate(self, item: QTreeWidgetItem) -> None:
        uid = item.data(0, _UID)
        if uid:
            self.chosen.emit(uid)


def _label(entry: Any) -> str:
    number = "" if entry.series_number is None else f"{entry.series_number} · "
    mark = " ⚠" if entry.findings else ""
    return f"{entry.modality} · {number}{entry.description or 'no description'} · {entry.slice_count}{mark}"


def _tooltip(entry: Any) -> str:
    lines = [f"{entry.slice_count} files", *(finding.message for finding in entry.findings)]
    if entry.modality == "CT":
        lines.append("Double-click to open")
    return "\n".join(lines)
