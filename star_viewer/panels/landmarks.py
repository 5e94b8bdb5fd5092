"""The landmarks of Couinaud's segments as a list: where each came from; a click or Enter goes there."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from star_core.types import CouinaudLandmarks, CouinaudSegments, Landmark, LandmarkOrigin
from star_viewer.display import DisplayStyle
from star_viewer.session import Session
from star_viewer.theme import GRID

ORIGINS = {
    LandmarkOrigin.VESSEL: "on a vessel",
    LandmarkOrigin.PROPORTIONS: "by proportions",
    LandmarkOrigin.READER: "by the reader",
}
_HEADINGS = ("Landmark", "Placed", "Height")
_NOTHING = "There are no landmarks yet: they follow the structures or the assessment of the case."


class LandmarksPanel(QWidget):
    """Follows the session's anatomy; the chosen row is the landmark that the tool places."""

    place_asked = Signal()  # the chosen landmark is to be placed
    export_asked = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._anatomy = session, session.anatomy
        self.empty = QLabel(_NOTHING)
        self.empty.setProperty("role", "faint")
        self.empty.setWordWrap(True)
        self.table = LandmarksTable(self._fly)
        self.marks = QCheckBox("Landmarks on slices")
        self.marks.setToolTip("Show the landmarks near the slice; drag one to move it (Ctrl+Alt+L)")
        self.marks.toggled.connect(lambda on: session.display.change(landmarks=on))
        self.colours = QCheckBox("Segments on slices")
        self.colours.setToolTip("Colour Couinaud's segments (Ctrl+Alt+S)")
        self.colours.toggled.connect(lambda on: session.display.change_segments(visible=on))
        self.place = QPushButton("Place")
        self.place.setToolTip("Put the chosen landmark at the next click, or at the crosshair with Enter (Ctrl+Alt+K)")
        self.place.clicked.connect(self.place_asked)
        self.export = QPushButton("Export SEG…")
        self.export.setToolTip("Write the segments as DICOM SEG (Ctrl+Alt+E)")
        self.export.clicked.connect(self.export_asked)
        self._lay_out()
        self._anatomy.landmarks_changed.connect(self._show)
        self._anatomy.segments_changed.connect(self._show_segments)
        self._anatomy.chosen_changed.connect(self._follow_chosen)
        session.display.changed.connect(self._show_style)
        self._show(self._anatomy.landmarks)
        self._show_segments(self._anatomy.segments)
        self._show_style(session.display.style)

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.place)
        buttons.addWidget(self.export)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID, GRID, GRID)
        layout.addWidget(self.marks)
        layout.addWidget(self.colours)
        layout.addWidget(self.empty)
        layout.addWidget(self.table, 1)
        layout.addLayout(buttons)
        self.table.itemSelectionChanged.connect(self._choose)
        self.table.itemClicked.connect(lambda _: self._fly())

    # ------------------------------------------------------------------ following

    def _show(self, landmarks: CouinaudLandmarks | None) -> None:
        self.empty.setVisible(landmarks is None)
        self.table.setVisible(landmarks is not None)
        self.place.setEnabled(landmarks is not None)
        if landmarks is None:
            return
        for row, name in enumerate(Landmark):
            height_mm = landmarks.points_mm[name][2]
            self._set(row, 0, name.capitalize())
            self._set(row, 1, ORIGINS[landmarks.origins[name]])
            self._set(row, 2, f"{'S' if height_mm >= 0 else 'I'} {abs(height_mm):.0f} mm")
        self._follow_chosen(self._anatomy.chosen)

    def _set(self, row: int, column: int, text: str) -> None:
        item = self.table.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            self.table.setItem(row, column, item)
        item.setText(text)

    def _show_segments(self, segments: CouinaudSegments | None) -> None:
        self.export.setEnabled(segments is not None)

    def _show_style(self, style: DisplayStyle) -> None:
        self.marks.setChecked(style.landmarks)
        self.colours.setChecked(style.segments.visible)

    def _follow_chosen(self, chosen: Landmark) -> None:
        row = list(Landmark).index(chosen)
        if self.table.currentRow() != row:
            self.table.blockSignals(True)
            self.table.selectRow(row)
            self.table.blockSignals(False)

    # ------------------------------------------------------------------ choosing

    def _choose(self) -> None:
        row = self.table.currentRow()
        if 0 <= row < len(Landmark):
            self._anatomy.choose(list(Landmark)[row])

    def _fly(self) -> None:
        """Show the slices through the chosen landmark."""
        self._choose()
        landmarks = self._anatomy.landmarks
        if landmarks is not None:
            self._session.display.change(landmarks=True)
            self._session.set_crosshair(landmarks.points_mm[self._anatomy.chosen])


class LandmarksTable(QTableWidget):
    """The table with its keys."""

    def __init__(self, fly: Callable[[], object]) -> None:
        super().__init__(len(Landmark), len(_HEADINGS))
        self._fly = fly
        self.setHorizontalHeaderLabels(_HEADINGS)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.verticalHeader().hide()
        self.setAccessibleName("Landmarks")
        self.setAccessibleDescription("Enter goes there")
        heading = self.horizontalHeader()
        heading.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        heading.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            heading.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            self._fly()
        else:
            super().keyPressEvent(event)
