"""The study tree's model: filled as far as somebody looks, and changed in place, so that what is open stays open."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QFont

from star_viewer.browser.nodes import Kind, Node, subtitle_of, title_of, tooltip_of

Index = QModelIndex | QPersistentModelIndex
Wish = tuple[Kind, str, Any]
SUBTITLE = int(Qt.ItemDataRole.UserRole)
COLUMNS = ("Patient, study, series", "Identifier", "Born", "Sex", "Date", "Modality", "Images", "Body part")


class StudyModel(QAbstractItemModel):
    """Patients, their studies, and in these the series with segmentations and results beneath."""

    contents_wanted = Signal(int)  # study
    more_wanted = Signal(int)  # studies that are there

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._numbers = itertools.count(1)
        self._root = Node(Kind.ROOT, "", 0, None)
        self._by_number: dict[int, Node] = {0: self._root}
        self._rows: tuple[Any, ...] = ()
        self._folder: tuple[str, tuple[Any, ...]] | None = None
        self._text = ""
        self._open_uid = ""
        self._has_more = False

    # ------------------------------------------------------------------ what is shown

    @property
    def rows(self) -> tuple[Any, ...]:
        """The studies that are there, in the order in which they came."""
        return self._rows

    def show_studies(self, rows: Sequence[Any], *, offset: int, has_more: bool) -> None:
        """Show studies (values of ``StudyRow``), those from ``offset`` on."""
        self._rows = (*self._rows[:offset], *rows)
        self._has_more = has_more
        self._sync()

    def show_contents(self, contents: Any) -> None:
        """Show what a study holds (``StudyContents``): segmentations and results beneath their CT."""
        study = self.find(Kind.STUDY, str(contents.study))
        if study is None:
            return
        study.loaded, study.asked = True, False
        beneath: dict[int, list[Wish]] = {}
        for row in contents.series:
            if row.id in contents.drawn_on:
                beneath.setdefault(contents.drawn_on[row.id], []).append((Kind.SERIES, str(row.id), row))
        for result in contents.results:
            beneath.setdefault(result.series, []).append((Kind.RESULT, f"result {result.id}", result))
        shown = [row for row in contents.series if row.id not in contents.drawn_on]
        self._sync_children(study, [(Kind.SERIES, str(row.id), row) for row in shown])
        for node in study.children:
            self._sync_children(node, beneath.get(node.data.id, []))

    def show_folder(self, title: str, series: Sequence[Any] = ()) -> None:
        """Show a folder (``SeriesInfo``) that is open without being imported, at the top; an empty title ends that."""
        self._folder = (title, tuple(series)) if title else None
        self._sync()

    def set_text(self, text: str) -> None:
        """Show only those series of the folder that have a text; the archive searches for itself."""
        self._text = text.casefold()
        self._sync()

    def mark_open(self, series_uid: str) -> None:
        """Show which series is open, in bold."""
        self._open_uid = series_uid
        self._tell_changed(self._root)

    def forget_asking(self, study: int) -> None:
        """Ask for a study's contents again when somebody looks: the last answer failed."""
        node = self.find(Kind.STUDY, str(study))
        if node is not None:
            node.asked = False

    # ------------------------------------------------------------------ looking things up

    def node_at(self, index: Index) -> Node | None:
        """Return the row at an index."""
        return self._by_number.get(index.internalId()) if index.isValid() else None

    def index_of(self, node: Node, column: int = 0) -> QModelIndex:
        """Return the index of a row."""
        if node is self._root:
            return QModelIndex()
        return self.createIndex(node.place(), column, node.number)

    def find(self, kind: Kind, key: str) -> Node | None:
        """Return a row by its kind and key."""
        return next((node for node in self._root.below(kind) if node.key == key), None)

    # ------------------------------------------------------------------ Qt

    def index(self, row: int, column: int, parent: Index | None = None) -> QModelIndex:
        above = self._node_or_root(parent)
        if above is None or not 0 <= row < len(above.children) or not 0 <= column < len(COLUMNS):
            return QModelIndex()
        return self.createIndex(row, column, above.children[row].number)

    def parent(self, index: Index | None = None) -> Any:
        if index is None:
            return super().parent()
        node = self.node_at(index)
        return QModelIndex() if node is None or node.parent is None else self.index_of(node.parent)

    def rowCount(self, parent: Index | None = None) -> int:
        node = self._node_or_root(parent)
        return 0 if node is None or (parent is not None and parent.column() > 0) else len(node.children)

    def columnCount(self, parent: Index | None = None) -> int:
        return len(COLUMNS)

    def hasChildren(self, parent: Index | None = None) -> bool:
        node = self._node_or_root(parent)
        return node is not None and (bool(node.children) or (node.kind is Kind.STUDY and not node.loaded))

    def canFetchMore(self, parent: Index) -> bool:
        node = self._node_or_root(parent)
        if node is self._root:
            return self._has_more
        return node is not None and node.kind is Kind.STUDY and not node.loaded and not node.asked

    def fetchMore(self, parent: Index) -> None:
        node = self._node_or_root(parent)
        if node is self._root and self._has_more:
            self._has_more = False
            self.more_wanted.emit(len(self._rows))
        elif node is not None and node.kind is Kind.STUDY:
            node.asked = True
            self.contents_wanted.emit(node.data.id)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        node = self.node_at(index)
        if node is None:
            return None
        first = index.column() == 0
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return title_of(node) if first else _cell(node, index.column())
            case Qt.ItemDataRole.ToolTipRole:
                return tooltip_of(node)
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{node.kind}: {title_of(node)}, {subtitle_of(node)}" if first else None
            case Qt.ItemDataRole.FontRole if self._is_open(node):
                font = QFont()
                font.setBold(True)
                return font
        return subtitle_of(node) if role == SUBTITLE and first else None

    # ------------------------------------------------------------------ inside

    def _node_or_root(self, index: Index | None) -> Node | None:
        return self._root if index is None or not index.isValid() else self.node_at(index)

    def _is_open(self, node: Node) -> bool:
        is_series = node.kind in (Kind.SERIES, Kind.FILE_SERIES)
        return is_series and bool(self._open_uid) and bool(node.data.series_uid == self._open_uid)

    def _sync(self) -> None:
        top: list[Wish] = []
        if self._folder is not None:
            top.append((Kind.FOLDER, "folder", self._folder[0]))
        patients: dict[int, list[Any]] = {}
        for row in self._rows:
            patients.setdefault(row.patient, []).append(row)
        top += [(Kind.PATIENT, str(patient), rows[0]) for patient, rows in patients.items()]
        self._sync_children(self._root, top)
        for node in self._root.children:
            if node.kind is Kind.PATIENT:
                self._sync_children(node, [(Kind.STUDY, str(row.id), row) for row in patients[int(node.key)]])
            elif self._folder is not None:
                self._sync_children(node, self._folder_wishes(self._folder[1]))

    def _folder_wishes(self, series: Iterable[Any]) -> list[Wish]:
        nodes = [(Kind.FILE_SERIES, row.series_uid, row) for row in series]
        return [wish for wish in nodes if self._text in title_of(Node(wish[0], wish[1], 0, None, wish[2])).casefold()]

    def _sync_children(self, node: Node, wishes: Sequence[Wish]) -> None:
        """Make the rows beneath a node those that are wished for, in their order, and keep those that stay."""
        parent = self.index_of(node)
        wanted = {(kind, key) for kind, key, _ in wishes}
        for place in reversed(range(len(node.children))):
            if (node.children[place].kind, node.children[place].key) not in wanted:
                self.beginRemoveRows(parent, place, place)
                self._forget(node.children.pop(place))
                self.endRemoveRows()
        there = {(child.kind, child.key): child for child in node.children}
        for place, (kind, key, data) in enumerate(wishes):
            child = there.get((kind, key))
            if child is None:
                self._insert(parent, node, place, Node(kind, key, next(self._numbers), node, data))
                continue
            if node.children[place] is not child:
                found = node.children.index(child, place)
                self.beginMoveRows(parent, found, found, parent, place)
                node.children.insert(place, node.children.pop(found))
                self.endMoveRows()
            self._renew(child, data)
        if node.children:
            last = self.index(len(node.children) - 1, len(COLUMNS) - 1, parent)
            self.dataChanged.emit(self.index(0, 0, parent), last)

    def _insert(self, parent: QModelIndex, node: Node, place: int, child: Node) -> None:
        self.beginInsertRows(parent, place, place)
        node.children.insert(place, child)
        self._by_number[child.number] = child
        self.endInsertRows()

    def _renew(self, child: Node, data: Any) -> None:
        changed, child.data = child.data != data, data
        if changed and child.kind is Kind.STUDY and child.loaded:
            self.contents_wanted.emit(data.id)

    def _forget(self, node: Node) -> None:
        self._by_number.pop(node.number, None)
        for child in node.children:
            self._forget(child)

    def _tell_changed(self, node: Node) -> None:
        if node.children:
            parent = self.index_of(node)
            last = self.index(len(node.children) - 1, len(COLUMNS) - 1, parent)
            self.dataChanged.emit(self.index(0, 0, parent), last)
            for child in node.children:
                self._tell_changed(child)


def _cell(node: Node, column: int) -> str:
    row = node.data
    cells: tuple[str, ...]
    match node.kind:
        case Kind.PATIENT:
            cells = ("", row.patient_id, row.birth_date, row.sex, "", "", "", "")
        case Kind.STUDY:
            cells = ("", "", "", "", row.date, " ".join(row.modalities), f"{row.instance_count:,}", "")
        case Kind.SERIES:
            cells = ("", "", "", "", "", row.modality, f"{row.instance_count:,}", row.body_part)
        case Kind.FILE_SERIES:
            cells = ("", "", "", "", "", row.modality, f"{row.slice_count:,}", "")
        case Kind.RESULT:
            cells = ("", "", "", "", row.created_utc[:10], "", "", "")
        case _:
            cells = ("",) * len(COLUMNS)
    return str(cells[column])
