"""The study tree's model: filled as far as somebody looks, and changed in place, so that what is open stays open."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QFont

from star_viewer.browser.nodes import Kind, Node, subtitle_of, title_of, tooltip_of

Index = QModelIndex | QPersistentModelIndex
MOST_STEPS = 20
SUBTITLE = int(Qt.ItemDataRole.UserRole)
COLUMNS = ("Patient, study, series", "Identifier", "Born", "Sex", "Date", "Modality", "Images", "Body part")


class Wish(NamedTuple):
    """A row that is wished for; ``beneath`` is ``None`` where its own rows are told of elsewhere."""

    kind: Kind
    key: str
    data: Any
    beneath: list[Wish] | None = None


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

    def want_more(self) -> None:
        """Ask for the next page, if there is one; the view asks near its end, because Qt's own asking never stops."""
        if self._has_more:
            self._has_more = False
            self.more_wanted.emit(len(self._rows))

    def show_contents(self, contents: Any) -> None:
        """Show what a study holds (``StudyContents``): segmentations and results beneath their CT."""
        study = self.find(Kind.STUDY, str(contents.study))
        if study is None:
            return
        study.loaded, study.asked = True, False
        beneath: dict[int, list[Wish]] = {}
        for row in contents.series:
            if row.id in contents.drawn_on:
                beneath.setdefault(contents.drawn_on[row.id], []).append(Wish(Kind.SERIES, str(row.id), row))
        for result in contents.results:
            beneath.setdefault(result.series, []).append(Wish(Kind.RESULT, f"result {result.id}", result))
        shown = [row for row in contents.series if row.id not in contents.drawn_on]
        wishes = [Wish(Kind.SERIES, str(row.id), row, beneath.get(row.id, [])) for row in shown]
        self._sync_children(study, wishes)

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
        return node is not None and node.kind is Kind.STUDY and not node.loaded and not node.asked

    def fetchMore(self, parent: Index) -> None:
        node = self._node_or_root(parent)
        if node is not None and node.kind is Kind.STUDY:
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
        patients: dict[int, list[Any]] = {}
        for row in self._rows:
            patients.setdefault(row.patient, []).append(row)
        top = [
            Wish(Kind.PATIENT, str(patient), rows[0], [Wish(Kind.STUDY, str(row.id), row) for row in rows])
            for patient, rows in patients.items()
        ]
        if self._folder is not None:
            top.insert(0, Wish(Kind.FOLDER, "folder", self._folder[0], self._folder_wishes(self._folder[1])))
        there = {(node.kind, node.key) for node in self._root.children}
        if len(there ^ {(wish.kind, wish.key) for wish in top}) > MOST_STEPS and len(self._root.children) > 0:
            self._start_anew(top)
        else:
            self._sync_children(self._root, top)

    def _start_anew(self, wishes: Sequence[Wish]) -> None:
        """Show other rows at once: a view is much slower when it is told of each."""
        self.beginResetModel()
        kept = {(child.kind, child.key): child for child in self._root.children}
        fresh = [kept.get((wish.kind, wish.key)) or self._build(wish, self._root) for wish in wishes]
        for child in set(kept.values()) - set(fresh):
            self._forget(child)
        self._root.children = fresh
        self.endResetModel()
        self._sync_children(self._root, wishes)

    def _folder_wishes(self, series: Iterable[Any]) -> list[Wish]:
        nodes = [Wish(Kind.FILE_SERIES, row.series_uid, row) for row in series]
        return [
            wish for wish in nodes if self._text in title_of(Node(wish.kind, wish.key, 0, None, wish.data)).casefold()
        ]

    def _sync_children(self, node: Node, wishes: Sequence[Wish], place_of_node: int | None = None) -> None:
        """Make the rows beneath a node those that are wished for, in their order, and keep those that stay."""
        parent = self.index_of(node) if place_of_node is None else self.createIndex(place_of_node, 0, node.number)
        wanted = {(wish.kind, wish.key) for wish in wishes}
        self._remove_others(parent, node, wanted)
        there = {(child.kind, child.key): child for child in node.children}
        place = 0
        for is_there, run in itertools.groupby(wishes, lambda wish: (wish.kind, wish.key) in there):
            group = list(run)
            if not is_there:
                self.beginInsertRows(parent, place, place + len(group) - 1)
                node.children[place:place] = [self._build(wish, node) for wish in group]
                self.endInsertRows()
            for offset, wish in enumerate(group if is_there else ()):
                self._keep(parent, node, place + offset, there[wish.kind, wish.key], wish)
            place += len(group)

    def _remove_others(self, parent: QModelIndex, node: Node, wanted: set[tuple[Kind, str]]) -> None:
        last = len(node.children)
        for stays, run in itertools.groupby(
            reversed(node.children[:]), lambda child: (child.kind, child.key) in wanted
        ):
            gone = list(run)
            first = last - len(gone)
            if not stays:
                self.beginRemoveRows(parent, first, last - 1)
                del node.children[first:last]
                for child in gone:
                    self._forget(child)
                self.endRemoveRows()
            last = first

    def _keep(self, parent: QModelIndex, node: Node, place: int, child: Node, wish: Wish) -> None:
        """Bring a row that stays to its place, with what is told of it now."""
        if node.children[place] is not child:
            found = node.children.index(child, place)
            self.beginMoveRows(parent, found, found, parent, place)
            node.children.insert(place, node.children.pop(found))
            self.endMoveRows()
        if child.data != wish.data:
            child.data = wish.data
            self.dataChanged.emit(self.index(place, 0, parent), self.index(place, len(COLUMNS) - 1, parent))
            if child.kind is Kind.STUDY and child.loaded:
                self.contents_wanted.emit(wish.data.id)
        if wish.beneath is not None:
            self._sync_children(child, wish.beneath, place)

    def _build(self, wish: Wish, parent: Node) -> Node:
        node = Node(wish.kind, wish.key, next(self._numbers), parent, wish.data)
        self._by_number[node.number] = node
        node.children = [self._build(deeper, node) for deeper in wish.beneath or ()]
        return node

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
