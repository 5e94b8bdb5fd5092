"""Every action by typing: find it, press Return."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QDialog, QLabel, QLineEdit, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from star_viewer.theme import GRID

_STEPS = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


class PaletteDialog(QDialog):
    """Lists the actions whose words hold all that is typed; those that begin with it come first."""

    def __init__(self, actions: Iterable[tuple[str, QAction]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Find an action")
        self._actions = [(menu, action) for menu, action in actions if action.isEnabled()]
        self.search = QLineEdit()
        self.search.setPlaceholderText("Type what you want to do")
        self.search.setAccessibleName("Find an action")
        self.search.setClearButtonEnabled(True)
        self.list = QTreeWidget()
        self.list.setColumnCount(3)
        self.list.setHeaderHidden(True)
        self.list.setRootIsDecorated(False)
        self.list.setAllColumnsShowFocus(True)
        self.list.setUniformRowHeights(True)
        self.list.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.list.setAccessibleName("Actions")
        self.nothing = QLabel("No action has these words.")
        self.nothing.setProperty("role", "faint")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        for widget in (self.search, self.list, self.nothing):
            layout.addWidget(widget)
        self.resize(80 * GRID, 60 * GRID)
        self.search.textChanged.connect(self._filter)
        self.search.returnPressed.connect(self._run)
        for widget in (self.search, self.list):
            widget.installEventFilter(self)
        self.list.itemClicked.connect(lambda *_: self._run())
        self._filter("")
        self.search.setFocus()

    def found(self) -> list[QAction]:
        """Return the actions that are listed, best first."""
        items = [self.list.topLevelItem(row) for row in range(self.list.topLevelItemCount())]
        return [item.data(0, Qt.ItemDataRole.UserRole) for item in items if item is not None]

    def _filter(self, text: str) -> None:
        words = text.casefold().split()
        hits = [one for one in self._actions if all(word in _words_of(*one) for word in words)]
        hits.sort(key=lambda one: not one[1].text().casefold().startswith(text.strip().casefold()))
        self.list.clear()
        for menu, action in hits:
            item = QTreeWidgetItem([action.text(), menu, _key_of(action)])
            item.setToolTip(0, action.toolTip())
            item.setData(0, Qt.ItemDataRole.UserRole, action)
            self.list.addTopLevelItem(item)
        self.list.setColumnWidth(0, 42 * GRID)
        self.list.setColumnWidth(1, 14 * GRID)
        first = self.list.topLevelItem(0)
        if first is not None:
            self.list.setCurrentItem(first)
        self.nothing.setVisible(not hits)

    def _run(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            action = item.data(0, Qt.ItemDataRole.UserRole)
            self.accept()  # first, so that what the action opens has the focus
            action.trigger()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the arrow keys walk through the list while the focus stays where one types; Return runs from either."""
        if event.type() != QEvent.Type.KeyPress or not isinstance(event, QKeyEvent):
            return super().eventFilter(watched, event)
        if watched is self.list and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._run()
            return True
        if watched is self.search and event.key() in _STEPS:
            step = QKeyEvent(QEvent.Type.KeyPress, event.key(), event.modifiers())
            self.list.keyPressEvent(step)
            return True
        return super().eventFilter(watched, event)


def _words_of(menu: str, action: QAction) -> str:
    return f"{action.text()} {action.toolTip()} {menu}".casefold()


def _key_of(action: QAction) -> str:
    return action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
