"""Search as you type, and filters by modality, date and body part."""

from __future__ import annotations

from datetime import date, timedelta

from PySide6.QtCore import QDate, QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QDateEdit, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from star_viewer.theme import GRID

TYPING_PAUSE_MS = 150
RANGE = "Range…"
_PERIODS = (("Any date", None), ("Today", 0), ("7 days", 7), ("Month", 31), ("Year", 366))


class FilterBar(QWidget):
    """Tells which studies are wanted, once typing pauses: text, modality, body part, first and last date (ISO)."""

    changed = Signal(str, str, str, str, str)
    entered = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search studies")
        self.search.setAccessibleName("Search studies")
        self.search.setToolTip("Words of names, identifiers and descriptions, in any script (Ctrl+F)")
        self.search.setClearButtonEnabled(True)
        self.search.setAcceptDrops(False)
        self.search.installEventFilter(self)
        self.modality = _choice("Modality", "All kinds")
        self.period = _choice("Date of the study")
        self.body_part = _choice("Body part", "Any part")
        for name, days in _PERIODS:
            self.period.addItem(name, days)
        self.period.addItem(RANGE)
        today = QDate.currentDate()
        self.first, self.last = (QDateEdit(day) for day in (today.addYears(-1), today))
        for edit, name in ((self.first, "First date"), (self.last, "Last date")):
            edit.setDisplayFormat("yyyy-MM-dd")
            edit.setCalendarPopup(True)
            edit.setAccessibleName(name)
            edit.setToolTip(name)
        self._range = QWidget()
        self._lay_out()
        self._pause = QTimer(self, interval=TYPING_PAUSE_MS, singleShot=True)
        self._pause.timeout.connect(self.tell)
        self.search.textChanged.connect(lambda _: self._pause.start())
        for choice in (self.modality, self.period, self.body_part):
            choice.activated.connect(lambda _: self.tell())
        for edit in (self.first, self.last):
            edit.dateChanged.connect(lambda _: self._pause.start())
        self.period.currentTextChanged.connect(lambda text: self._range.setVisible(text == RANGE))
        self._range.hide()

    def _lay_out(self) -> None:
        choices, dates = QHBoxLayout(), QHBoxLayout(self._range)
        for choice in (self.modality, self.period, self.body_part):
            choices.addWidget(choice, 1)
        dates.addWidget(self.first, 1)
        dates.addWidget(QLabel("to"))
        dates.addWidget(self.last, 1)
        layout = QVBoxLayout(self)
        for one in (choices, dates, layout):
            one.setContentsMargins(0, 0, 0, 0)
            one.setSpacing(GRID // 2)
        layout.addWidget(self.search)
        layout.addLayout(choices)
        layout.addWidget(self._range)

    @property
    def is_set(self) -> bool:
        """Whether anything is filtered out."""
        chosen = any(choice.currentIndex() > 0 for choice in (self.modality, self.period, self.body_part))
        return chosen or bool(self.search.text().strip())

    def show_values(self, modalities: tuple[str, ...], body_parts: tuple[str, ...]) -> None:
        """Offer the values that there are; what is chosen stays chosen."""
        for choice, values in ((self.modality, modalities), (self.body_part, body_parts)):
            chosen = choice.currentData()
            for index in reversed(range(1, choice.count())):
                choice.removeItem(index)
            for value in dict.fromkeys((*values, *filter(None, (chosen,)))):
                choice.addItem(value, value)
            choice.setCurrentIndex(max(0, choice.findData(chosen)) if chosen else 0)

    def tell(self) -> None:
        """Tell what is wanted now."""
        self._pause.stop()
        first, last = self._dates()
        self.changed.emit(
            self.search.text(), self.modality.currentData() or "", self.body_part.currentData() or "", first, last
        )

    def clear(self) -> None:
        """Want everything again."""
        self.search.clear()
        for choice in (self.modality, self.period, self.body_part):
            choice.setCurrentIndex(0)
        self.tell()

    def type_in(self, text: str) -> None:
        """Go on with what was typed elsewhere."""
        self.search.setFocus()
        self.search.insert(text)

    def _dates(self) -> tuple[str, str]:
        if self.period.currentText() == RANGE:
            iso = Qt.DateFormat.ISODate
            return self.first.date().toString(iso), self.last.date().toString(iso)
        days = self.period.currentData()
        today = date.today()
        return ("", "") if days is None else ((today - timedelta(days=days)).isoformat(), today.isoformat())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter):
                if self._pause.isActive():
                    self.tell()
                self.entered.emit()
                return True
            if event.key() == Qt.Key.Key_Escape and self.is_set:
                self.clear()
                return True
        return super().eventFilter(watched, event)


def _choice(name: str, *first: str) -> QComboBox:
    choice = QComboBox()
    choice.setAccessibleName(name)
    choice.setToolTip(name)
    choice.setMinimumContentsLength(5)
    choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    for text in first:
        choice.addItem(text, "")
    return choice
