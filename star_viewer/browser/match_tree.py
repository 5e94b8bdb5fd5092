"""Studies that a server has, in a table; series beneath them on demand, and more at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QPaintEvent
from PySide6.QtWidgets import QAbstractItemView, QTreeWidget, QTreeWidgetItem, QWidget

from star_viewer.browser.list_views import paint_empty_text, place_of_menu
from star_viewer.browser.match_painter import MatchPainter
from star_viewer.browser.study_tree import is_text
from star_viewer.theme import GRID

COLUMNS = ("Patient", "Identifier", "Date", "Description", "Kinds", "Series", "Images", "Accession no.", "Here")
HERE = len(COLUMNS) - 1
WHOLE = "here"
_WIDTHS = (34, 16, 12, 36, 10, 8, 9, 16, 20)
_DATA = Qt.ItemDataRole.UserRole
_MORE, _LOADING = "more", "loading"


class MatchTree(QTreeWidget):
    """Shows studies (values of ``StudyMatch``) and what of them is here; narrow with one column, wide with all."""

    study_activated = Signal(object)  # StudyMatch
    more_wanted = Signal()
    series_wanted = Signal(str)  # study_uid
    left = Signal()
    menu_asked = Signal(QPoint)  # on the screen

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.empty_text = ""
        self._wide = False
        self._items: dict[str, QTreeWidgetItem] = {}
        self.setAccessibleName("Studies of the server")
        self.setColumnCount(len(COLUMNS))
        self.setHeaderLabels(list(COLUMNS))
        self._painter = MatchPainter(self)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setIndentation(2 * GRID)
        self.setExpandsOnDoubleClick(False)
        self.setTabKeyNavigation(False)
        self.itemExpanded.connect(self._ask_for_series)
        self.itemActivated.connect(lambda item, _: self._activate(item))
        self.set_wide(False)

    # ------------------------------------------------------------------ what is shown

    def show_matches(self, studies: tuple[Any, ...], *, offset: int, has_more: bool) -> None:
        """Show a page of studies; the first page takes the place of what was there."""
        if offset == 0:
            self.clear()
            self._items = {}
        else:
            self._remove_more()
        for study in studies:
            if study.study_uid not in self._items:
                item = QTreeWidgetItem()
                item.setData(0, _DATA, study)
                item.setChildIndicatorPolicy(QTreeWidgetItem.ChildIndicatorPolicy.ShowIndicator)
                self._items[study.study_uid] = item
                self.addTopLevelItem(item)
                self._write(item)
        if has_more:
            more = QTreeWidgetItem([self._more_text()])
            more.setData(0, _DATA, _MORE)
            self.addTopLevelItem(more)

    def show_series(self, study_uid: str, series: tuple[Any, ...]) -> None:
        """Show the series (values of ``SeriesMatch``) of a study."""
        item = self._items.get(study_uid)
        if item is None:
            return
        item.takeChildren()
        for one in series:
            child = QTreeWidgetItem()
            child.setData(0, _DATA, one)
            item.addChild(child)
            self._write(child)
        if not series:
            item.addChild(QTreeWidgetItem(["no series"]))

    def forget_series(self, study_uid: str) -> None:
        """Close a study whose series could not be listed, so that they can be asked for again."""
        item = self._items.get(study_uid)
        if item is not None:
            item.setExpanded(False)
            item.takeChildren()

    def forget_waiting(self) -> None:
        """Let what was asked for and will not come be asked for again."""
        for study_uid, item in self._items.items():
            child = item.child(0)
            if child is not None and child.data(0, _DATA) == _LOADING:
                self.forget_series(study_uid)
        last = self.topLevelItem(self.topLevelItemCount() - 1)
        if last is not None and last.data(0, _DATA) == _MORE:
            last.setText(0, self._more_text())

    def show_here(self, texts: Mapping[str, str]) -> None:
        """Say of studies, by Study Instance UID, how much of them is here."""
        for study_uid, text in texts.items():
            item = self._items.get(study_uid)
            if item is not None:
                item.setText(HERE, text)
                self._write(item)

    def here_text(self, study_uid: str) -> str:
        """Return what is said of a study."""
        item = self._items.get(study_uid)
        return "" if item is None else item.text(HERE)

    def set_wide(self, wide: bool) -> None:
        """Show all columns, or the first alone with everything in it."""
        self._wide = wide
        self.setHeaderHidden(not wide)
        self.setItemDelegateForColumn(0, None if wide else self._painter)  # type: ignore[arg-type]
        self.header().setStretchLastSection(True)
        for column, width in enumerate(_WIDTHS):
            self.setColumnHidden(column, column > 0 and not wide)
            self.setColumnWidth(column, width * GRID)
        for item in self._items.values():
            self._write(item)
            for place in range(item.childCount()):
                self._write(item.child(place))

    @property
    def count(self) -> int:
        """How many studies are shown."""
        return len(self._items)

    def chosen(self) -> tuple[Any, ...]:
        """Return the studies that are selected, or that a selected series belongs to."""
        items: list[QTreeWidgetItem | None] = [*self.selectedItems()] or [self.currentItem()]
        found = {study.study_uid: study for item in items if (study := _study_of(item)) is not None}
        return tuple(found.values())

    def choose_first(self) -> None:
        """Take the focus, and choose the first row where none is chosen."""
        self.setFocus()
        first = self.topLevelItem(0)
        if first is not None and not self.selectedItems():
            self.setCurrentItem(first)

    # ------------------------------------------------------------------ inside

    def _write(self, item: QTreeWidgetItem | None) -> None:
        if item is None:
            return
        value, here = item.data(0, _DATA), item.text(HERE)
        if value is None or isinstance(value, str):
            return
        texts = _study_texts(value) if hasattr(value, "patient_name") else _series_texts(value)
        if not self._wide:
            item.setText(0, "\n".join(filter(None, _to_lines(texts, here))))
        else:
            for column, text in enumerate(texts):
                item.setText(column, text)
        item.setToolTip(0, "\n".join(filter(None, (" · ".join(filter(None, texts)), here))))

    def _more_text(self) -> str:
        return f"More… ({len(self._items):,} are shown)"

    def _remove_more(self) -> None:
        last = self.topLevelItemCount() - 1
        item = self.topLevelItem(last)
        if item is not None and item.data(0, _DATA) == _MORE:
            self.takeTopLevelItem(last)

    def _ask_for_series(self, item: QTreeWidgetItem) -> None:
        study = item.data(0, _DATA)
        if item.childCount() == 0 and hasattr(study, "study_uid"):
            waiting = QTreeWidgetItem(["asking the server…"])
            waiting.setData(0, _DATA, _LOADING)
            item.addChild(waiting)
            self.series_wanted.emit(study.study_uid)

    def _activate(self, item: QTreeWidgetItem) -> None:
        if item.data(0, _DATA) == _MORE:
            item.setText(0, "asking for more…")
            self.more_wanted.emit()
        elif (study := _study_of(item)) is not None:
            self.study_activated.emit(study)

    # ------------------------------------------------------------------ Qt

    def event(self, event: QEvent) -> bool:
        # Letters typed here look for a row; without this they would be keys of the window, such as M for annual risk.
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and is_text(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        item = self.currentItem()
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        elif event.key() == Qt.Key.Key_Space and item is not None:
            item.setExpanded(not item.isExpanded())
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_asked.emit(place_of_menu(self, event))

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.empty_text and self.topLevelItemCount() == 0:
            paint_empty_text(self, self.empty_text)


def _study_of(item: QTreeWidgetItem | None) -> Any | None:
    if item is None:
        return None
    top = item.parent() or item
    value = top.data(0, _DATA)
    return value if hasattr(value, "study_uid") else None


def _study_texts(study: Any) -> tuple[str, ...]:
    """Return the texts of a study's row, all but the last."""
    return (
        study.patient_name or "No name",
        study.patient_id,
        study.date or "no date",
        study.description or "no description",
        " ".join(study.modalities),
        _to_text(study.series_count),
        _to_text(study.instance_count),
        study.accession,
    )


def _series_texts(series: Any) -> tuple[str, ...]:
    title = " · ".join(filter(None, (series.modality, _to_text(series.number), series.description or "no description")))
    return title, "", "", series.body_part, series.modality, "", _to_text(series.instance_count), ""


def _to_lines(texts: tuple[str, ...], here: str) -> tuple[str, ...]:
    """Return the lines of a row that has one column."""
    patient, patient_id, date, description, kinds, series, images, _ = texts
    if not date:  # a series
        return patient, " · ".join(filter(None, (f"{images} images" if images else "", description)))
    what = " · ".join(filter(None, (kinds, f"{images} images" if images else f"{series} series" if series else "")))
    return (
        " · ".join(filter(None, (patient, patient_id))),
        f"{date} · {description}",
        " — ".join(filter(None, (what, here))),
    )


def _to_text(number: int | None) -> str:
    return "" if number is None else f"{number:,}" if number >= 10_000 else str(number)
