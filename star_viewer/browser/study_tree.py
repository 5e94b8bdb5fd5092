"""The study tree: keys, right click, and what it says while it is empty."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QItemSelectionModel, QPoint, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QPaintEvent
from PySide6.QtWidgets import QAbstractItemView, QTreeView, QWidget

from star_viewer.browser.list_views import paint_empty_text, place_of_menu
from star_viewer.browser.nodes import Kind, Node
from star_viewer.browser.study_model import COLUMNS, StudyModel
from star_viewer.theme import GRID

_WIDTHS = (42, 16, 12, 6, 14, 14, 10, 14)


class StudyTree(QTreeView):
    """Shows the model; narrow with one column, wide with all of them."""

    typed = Signal(str)
    left = Signal()
    menu_asked = Signal(QPoint)  # on the screen
    current_changed = Signal(object)  # Node | None

    def __init__(self, model: StudyModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setModel(model)
        self._model = model
        self.empty_text = ""
        self.setAccessibleName("Studies")
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setUniformRowHeights(True)
        self.setIndentation(2 * GRID)
        self.setExpandsOnDoubleClick(False)
        self.setTabKeyNavigation(False)
        self.set_wide(False)
        self._unfolded: set[tuple[Kind, str]] = set()
        self._kept: tuple[Kind, str] | None = None
        self.verticalScrollBar().valueChanged.connect(self._ask_near_the_end)
        model.modelAboutToBeReset.connect(self._note_unfolded)
        model.modelReset.connect(self._unfold_again)
        model.rowsRemoved.connect(self._choose_neighbour)
        self.selectionModel().currentChanged.connect(lambda now, _: self.current_changed.emit(model.node_at(now)))

    def set_wide(self, wide: bool) -> None:
        """Show all columns, or the first alone."""
        self.setHeaderHidden(not wide)
        self.header().setStretchLastSection(True)
        for column in range(1, len(COLUMNS)):
            self.setColumnHidden(column, not wide)
        if wide:
            for column, width in enumerate(_WIDTHS):
                self.setColumnWidth(column, width * GRID)

    @property
    def current(self) -> Node | None:
        """The row that the keys act on."""
        return self._model.node_at(self.currentIndex())

    def chosen(self) -> list[Node]:
        """Return the rows that are selected."""
        nodes = (self._model.node_at(index) for index in self.selectionModel().selectedRows())
        return [node for node in nodes if node is not None]

    def choose(self, node: Node) -> None:
        """Make a row the current one and show it."""
        index = self._model.index_of(node)
        flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
        self.selectionModel().setCurrentIndex(index, flags)
        self.scrollTo(index)

    def choose_first(self) -> None:
        """Take the focus, and choose the first row where none is chosen."""
        self.setFocus()
        if not self.selectionModel().hasSelection():
            node = self.current or self._model.node_at(self._model.index(0, 0))
            if node is not None:
                self.choose(node)

    def _choose_neighbour(self) -> None:
        """Choose the row that the keys fell on when the chosen one went away."""
        node = self.current
        if node is not None and not self.selectionModel().hasSelection():
            self.choose(node)

    def _ask_near_the_end(self, value: int) -> None:
        if value >= self.verticalScrollBar().maximum() - self.viewport().height():
            self._model.want_more()

    def _note_unfolded(self) -> None:
        """Remember what is open and chosen before other rows come at once."""
        indexes = [self._model.index(row, 0) for row in range(self._model.rowCount())]
        nodes = [self._model.node_at(index) for index in indexes if self.isExpanded(index)]
        opened = [
            deeper for node in nodes if node for deeper in (node, *node.below(Kind.STUDY), *node.below(Kind.SERIES))
        ]
        self._unfolded = {(one.kind, one.key) for one in opened if self.isExpanded(self._model.index_of(one))}
        self._kept = None if self.current is None else (self.current.kind, self.current.key)

    def _unfold_again(self) -> None:
        """Open and choose again what is still there."""
        for kind, key in (*self._unfolded, *filter(None, [self._kept])):
            node = self._model.find(kind, key)
            if node is None:
                continue
            if (kind, key) in self._unfolded:
                self.expand(self._model.index_of(node))
            if (kind, key) == self._kept:
                self.choose(node)

    def toggle(self, node: Node) -> None:
        """Open or close what is beneath a row."""
        index = self._model.index_of(node)
        self.setExpanded(index, not self.isExpanded(index))

    # ------------------------------------------------------------------ Qt

    def event(self, event: QEvent) -> bool:
        # Letters typed here search; without this they would be keys of the window, such as M for annual risk.
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and is_text(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        node = self.current
        if event.key() == Qt.Key.Key_Space and node is not None:
            self.toggle(node)
        elif event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        elif is_text(event):
            self.typed.emit(event.text())
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_asked.emit(place_of_menu(self, event))

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.empty_text and self._model.rowCount() == 0:
            paint_empty_text(self, self.empty_text)


def studies_of(nodes: list[Node]) -> tuple[int, ...]:
    """Return the studies that rows belong to: a patient stands for all that are shown, a series for its own."""
    found: dict[int, None] = {}
    for node in nodes:
        study = node.above(Kind.STUDY)
        for one in node.children if node.kind is Kind.PATIENT else filter(None, [study]):
            found[one.data.id] = None
    return tuple(found)


def is_text(event: QKeyEvent) -> bool:
    """Tell whether a key writes something, alone or with Shift."""
    plain = event.modifiers() & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier)
    return not plain.value and event.text() != "" and event.text().isprintable()
