"""Where: risk by region for the year shown; the rows add up."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from star_core.types import SEGMENTS, Assessment, RegionRisk
from star_viewer.session import IncidenceMode, Session
from star_viewer.theme import GRID

_HEADINGS = ("Region", "ml", "risk, %", "liver, ml (%)")
_IN_LIVER = 3


class RegionsPanel(QWidget):
    """A table of the assessment's regions, in per cent for the session's year."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._regions: tuple[RegionRisk, ...] = ()
        self.table = QTableWidget(0, len(_HEADINGS))
        self.table.setHorizontalHeaderLabels(_HEADINGS)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setWordWrap(True)
        self.table.setAccessibleName("Risk by region")
        self.table.setTabKeyNavigation(False)
        self.table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        for column in (1, 2, _IN_LIVER):
            self.table.horizontalHeader().setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        note = QLabel("Parts by distance, and segments, each add up to the first row. Location is unvalidated.")
        note.setProperty("role", "faint")
        note.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID, GRID, GRID)
        layout.addWidget(self.table)
        layout.addWidget(note)
        session.assessment_changed.connect(self._take)
        session.anatomy.segments_changed.connect(lambda _: self._take(session.assessment))
        session.year_changed.connect(self._show)
        session.incidence_mode_changed.connect(self._show)
        self._take(session.assessment)

    def _take(self, assessment: Assessment | None) -> None:
        self._regions = () if assessment is None else (*assessment.regions, *self._segments_of(assessment))
        self.table.setRowCount(len(self._regions))
        for row, region in enumerate(self._regions):
            self._set(row, 0, region.name)
            self._set(row, 1, f"{region.volume_ml:.0f}")
        self._show()
        self._show_segments()

    def _segments_of(self, assessment: Assessment) -> tuple[RegionRisk, ...]:
        """Return the segments with tissue at risk, and with none those that the scan shows and that are removed."""
        at_risk = {region.name: region for region in assessment.segments}
        years = len(assessment.forecast.overall_survival)
        for segment, volume_ml in self._session.anatomy.segment_volumes_ml.items():
            name = f"Segment {segment}"
            if volume_ml > 0.0 and at_risk and name not in at_risk:
                at_risk[name] = RegionRisk(name=name, volume_ml=0.0, cumulative_incidence=np.zeros(years))
        order = [f"Segment {segment}" for segment in SEGMENTS]
        return tuple(at_risk[name] for name in order if name in at_risk)

    def _show_segments(self) -> None:
        """Show each segment's part of the CT's whole liver, also where a tumour or a resection leaves less at risk."""
        shown = self._session.anatomy.segment_volumes_ml
        whole_ml = sum(shown.values())
        volumes = {f"Segment {segment}": volume_ml for segment, volume_ml in shown.items()}
        for row, region in enumerate(self._regions):
            volume_ml = volumes.get(region.name)
            share = "" if volume_ml is None or not whole_ml else f"{volume_ml:.0f} ({100 * volume_ml / whole_ml:.0f})"
            self._set(row, _IN_LIVER, share)

    def _show(self, *_: object) -> None:
        for row, region in enumerate(self._regions):
            values = region.cumulative_incidence
            if self._session.incidence_mode is IncidenceMode.ANNUAL:
                values = np.diff(values, prepend=0.0)
            self._set(row, 2, f"{100 * values[self._session.year - 1]:.2f}")

    def _set(self, row: int, column: int, text: str) -> None:
        item = self.table.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            if column:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            font = item.font()
            font.setBold(row == 0)
            item.setFont(font)
            self.table.setItem(row, column, item)
        item.setText(text)
