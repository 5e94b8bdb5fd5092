"""What a server is asked for: name, identifier, date, modality, accession number; Enter asks."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from PySide6.QtCore import QDate, QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QDateEdit, QGridLayout, QHBoxLayout, QLabel, QLineEdit, QWidget

from star_viewer.key_button import KeyButton
from star_viewer.theme import GRID

RANGE = "Range…"
_PERIODS = (("Any date", None), ("Today", 0), ("7 days", 7), ("Month", 31), ("Year", 366))
_MODALITIES = ("CT", "MR", "SEG", "SR", "PT", "US", "XA", "OT")


_COLUMNS, _NARROW_COLUMNS = 10, 6
_WIDE = {
    "server": (0, 0),
    "test_button": (0, 1),
    "name": (0, 2),
    "patient_id": (0, 3),
    "accession": (0, 4),
    "period": (0, 5),
    "range": (0, 6),
    "modality": (0, 7),
    "search_button": (0, 8),
    "stop_button": (0, 9),
}
_NARROW = {
    "server": (0, 0, 1, 4),
    "test_button": (0, 4, 1, 2),
    "name": (1, 0, 1, 3),
    "patient_id": (1, 3, 1, 3),
    "accession": (2, 0, 1, 6),
    "range": (3, 0, 1, 6),
    "period": (4, 0, 1, 2),
    "modality": (4, 2, 1, 2),
    "search_button": (4, 4, 1, 2),
    "stop_button": (5, 0, 1, 6),
}
"""Where each field stands: row, column, and how many of each it takes."""
_WIDE_STRETCH = {0: 1, 2: 2, 3: 1, 4: 1}


class QueryForm(QWidget):
    """Tells which server is asked and for what; narrow in a column, wide in a row."""

    asked = Signal()
    stopped = Signal()
    left = Signal()
    entered = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.server = QComboBox()
        self.server.setAccessibleName("Server")
        self.server.setToolTip("The server that is asked")
        self.test_button = KeyButton("Test")
        self.test_button.setToolTip("Ask whether this server answers")
        self.test_button.setAccessibleName("Test the connection")
        self.name = _field("Patient's name", "Part of a name, in any script; * and ? stand for any letters")
        self.patient_id = _field("Patient's ID", "The whole identifier, or a pattern with *")
        self.accession = _field("Accession no.", "The accession number")
        self.period, self.modality = _choice("Date of the study"), _choice("Modality")
        for text, days in _PERIODS:
            self.period.addItem(text, days)
        self.period.addItem(RANGE)
        self.modality.addItem("All kinds", "")
        for modality in _MODALITIES:
            self.modality.addItem(modality, modality)
        self.modality.setEditable(True)
        self.modality.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.range, self.first, self.last = QWidget(), *_dates()
        self.search_button, self.stop_button = KeyButton("Search"), KeyButton("Stop")
        self.search_button.setDefault(True)
        self.search_button.setToolTip("Ask the server (Enter in any field)")
        self.stop_button.setToolTip("Do not wait for the server any longer")
        self.stop_button.hide()
        self._fill_range()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(GRID // 2)
        self.set_wide(False)
        self._order_tabs()
        self._connect()

    def _order_tabs(self) -> None:
        order = (
            *(self.server, self.test_button, self.name, self.patient_id, self.accession),
            *(self.period, self.first, self.last, self.modality, self.search_button, self.stop_button),
        )
        for before, after in pairwise(order):
            QWidget.setTabOrder(before, after)

    def _fill_range(self) -> None:
        dates = QHBoxLayout(self.range)
        dates.setContentsMargins(0, 0, 0, 0)
        dates.setSpacing(GRID // 2)
        dates.addWidget(self.first, 1)
        dates.addWidget(QLabel("to"))
        dates.addWidget(self.last, 1)
        self.range.hide()

    def _connect(self) -> None:
        self.search_button.clicked.connect(self.asked)
        self.stop_button.clicked.connect(self.stopped)
        self.period.currentTextChanged.connect(lambda text: self.range.setVisible(text == RANGE))
        for widget in (self.name, self.patient_id, self.accession, self.period, self.modality, self.server):
            widget.installEventFilter(self)
        for edit in (self.first, self.last):
            edit.installEventFilter(self)

    def set_wide(self, wide: bool) -> None:
        """Lay the fields out in a row, or in a column; an empty accession number has no place there."""
        for widget, place in (_WIDE if wide else _NARROW).items():
            self._grid.removeWidget(getattr(self, widget))
            self._grid.addWidget(getattr(self, widget), *place)
        for column in range(_COLUMNS):
            stretch = _WIDE_STRETCH.get(column, 0) if wide else int(column < _NARROW_COLUMNS)
            self._grid.setColumnStretch(column, stretch)
        self.accession.setVisible(wide or bool(self.accession.text()))

    def show_servers(self, names: tuple[str, ...], chosen: str = "") -> None:
        """Offer servers; the chosen one stays chosen."""
        kept = chosen or self.server.currentText()
        self.server.clear()
        self.server.addItems(names)
        self.server.setCurrentIndex(max(0, self.server.findText(kept)))

    def show_asking(self, asking: bool) -> None:
        """Show that the server is waited for."""
        self.search_button.setEnabled(not asking)
        self.search_button.setText("Asking…" if asking else "Search")
        self.stop_button.setVisible(asking)

    @property
    def modality_text(self) -> str:
        """The modality that is wanted, or nothing."""
        text = self.modality.currentText().strip()
        return "" if text == self.modality.itemText(0) else text.upper()

    def dates(self) -> tuple[str, str]:
        """Return the first and last date that are wanted, ISO or empty."""
        if self.period.currentText() == RANGE:
            iso = Qt.DateFormat.ISODate
            return self.first.date().toString(iso), self.last.date().toString(iso)
        days, today = self.period.currentData(), date.today()
        return ("", "") if days is None else ((today - timedelta(days=days)).isoformat(), today.isoformat())

    def take_focus(self) -> None:
        """Let the keys write the patient's name."""
        self.name.setFocus()
        self.name.selectAll()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            key = event.key()
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self.asked.emit()
                return True
            if key == Qt.Key.Key_Down and isinstance(watched, QLineEdit):
                self.entered.emit()
                return True
            if key == Qt.Key.Key_Escape:
                self.left.emit()
                return True
        return super().eventFilter(watched, event)


def _field(name: str, tooltip: str) -> QLineEdit:
    field = QLineEdit()
    field.setPlaceholderText(name)
    field.setAccessibleName(name)
    field.setToolTip(tooltip)
    field.setClearButtonEnabled(True)
    field.setAcceptDrops(False)
    return field


def _choice(name: str) -> QComboBox:
    choice = QComboBox()
    choice.setAccessibleName(name)
    choice.setToolTip(name)
    choice.setMinimumContentsLength(5)
    choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return choice


def _dates() -> tuple[QDateEdit, QDateEdit]:
    today = QDate.currentDate()
    edits = QDateEdit(today.addYears(-1)), QDateEdit(today)
    for edit, name in zip(edits, ("First date", "Last date"), strict=True):
        edit.setDisplayFormat("yyyy-MM-dd")
        edit.setCalendarPopup(True)
        edit.setAccessibleName(name)
        edit.setToolTip(name)
    return edits
