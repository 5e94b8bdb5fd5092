"""All keys by group, as the actions define them; a word finds a key."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from star_viewer.theme import GRID

IN_A_VIEW = "In a view"
_HANDS = (
    ("Arrow keys, wheel", "Next and previous slice; in 3D turn"),
    ("Page up, page down", "Ten slices"),
    ("Home, End", "First and last slice"),
    ("Left drag", "Crosshair; in 3D turn"),
    ("Drag a round handle", "Turn the planes about the crosshair"),
    ("Right drag", "Window and level; in 3D zoom"),
    ("Middle drag", "Pan"),
    ("Ctrl + wheel, + and -", "Zoom"),
    ("Double click, Return", "One view large, and back; on an annotation: rename it"),
    ("F2, Del, Shift + arrows", "Rename, delete, move the selected annotation"),
    ("Arrows, Enter while drawing", "Move the crosshair, place a point"),
    ("Shift + wheel", "Size of the brush that is in hand"),
    ("Shift + drag, right drag", "Erase with the brush that is in hand"),
    ("Enter, Shift + Enter", "Dab or click with the tool in hand, erase"),
    ("Esc", "All views again"),
)


class KeysDialog(QDialog):
    """A tree of groups; what is typed leaves the lines that hold it."""

    def __init__(self, actions: Iterable[tuple[str, QAction]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search keys and what they do")
        self.search.setAccessibleName("Search keys")
        self.search.setClearButtonEnabled(True)
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels(["Key", "Does"])
        self.tree.setAccessibleName("Keys")
        self._fill(actions)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        layout.setSpacing(GRID)
        for widget in (self.search, self.tree, buttons):
            layout.addWidget(widget)
        self.resize(76 * GRID, 84 * GRID)
        self.search.textChanged.connect(self._filter)
        self.search.setFocus()

    def _fill(self, actions: Iterable[tuple[str, QAction]]) -> None:
        native = QKeySequence.SequenceFormat.NativeText
        groups = {IN_A_VIEW: [(key, does, "") for key, does in _HANDS]}
        for menu, action in actions:
            if not action.shortcut().isEmpty():
                does = action.toolTip().rpartition(" (")[0]
                groups.setdefault(menu, []).append((action.shortcut().toString(native), does, action.text()))
        for group, lines in groups.items():
            parent = QTreeWidgetItem([group])
            self.tree.addTopLevelItem(parent)
            for key, does, name in lines:
                line = QTreeWidgetItem([key, does])
                line.setData(0, Qt.ItemDataRole.UserRole, name)
                parent.addChild(line)
            parent.setFirstColumnSpanned(True)
            font = parent.font(0)
            font.setBold(True)
            parent.setFont(0, font)
        self.tree.expandAll()
        self.tree.setColumnWidth(0, 26 * GRID)

    def shown(self) -> list[tuple[str, str]]:
        """Return the lines that are shown: key and what it does."""
        lines = [line for group in self._groups() for line in _lines_of(group)]
        return [(line.text(0), line.text(1)) for line in lines if not line.isHidden()]

    def _groups(self) -> list[QTreeWidgetItem]:
        items = [self.tree.topLevelItem(row) for row in range(self.tree.topLevelItemCount())]
        return [item for item in items if item is not None]

    def _filter(self, text: str) -> None:
        words = text.casefold().split()
        for group in self._groups():
            for line in _lines_of(group):
                name = line.data(0, Qt.ItemDataRole.UserRole)
                told = f"{group.text(0)} {line.text(0)} {line.text(1)} {name}".casefold()
                line.setHidden(not all(word in told for word in words))
            group.setHidden(all(line.isHidden() for line in _lines_of(group)))


def _lines_of(group: QTreeWidgetItem) -> list[QTreeWidgetItem]:
    lines = [group.child(row) for row in range(group.childCount())]
    return [line for line in lines if line is not None]
