"""The studies on this computer: filters, tree, timeline, and the details beside them when there is room."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from star_viewer.browser.details import DetailsPane
from star_viewer.browser.filters import FilterBar
from star_viewer.browser.import_strip import ImportStrip
from star_viewer.browser.pictures import PictureStore
from star_viewer.browser.row_painter import RowPainter
from star_viewer.browser.study_model import StudyModel
from star_viewer.browser.study_tree import StudyTree
from star_viewer.browser.timeline import Timeline
from star_viewer.theme import GRID

EMPTY = "No studies yet.\nCtrl+I imports a folder, or drop one here."
NOTHING_FITS = "Nothing fits.\nEsc in the search shows everything."


class LocalBrowser(QWidget):
    """Narrow at the left of the window, or wide with all columns and details; dropped files are imported."""

    dropped = Signal(object)  # tuple of Path

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAcceptDrops(True)
        self.setToolTip("Drop here to import into the archive; drop on the picture to open only")
        self.model = StudyModel(self)
        self.pictures = PictureStore(self)
        self.filters = FilterBar()
        self.tree = StudyTree(self.model)
        self.tree.setItemDelegateForColumn(0, RowPainter(self.pictures, self.tree))
        self.tree.empty_text = EMPTY
        self.timeline = Timeline()
        self.strip = ImportStrip()
        self.details = DetailsPane()
        self.details.hide()
        column = QWidget()
        layout = QVBoxLayout(column)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID // 2)
        for widget in (self.filters, self.tree, self.timeline, self.strip):
            layout.addWidget(widget, 1 if widget is self.tree else 0)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(column)
        splitter.addWidget(self.details)
        splitter.setStretchFactor(0, 1)
        splitter.setSizes([1000, 44 * GRID])
        outer = QVBoxLayout(self)
        outer.setContentsMargins(GRID, GRID, GRID, GRID // 2)
        outer.addWidget(splitter)
        self._hovered = False
        self.tree.typed.connect(self.filters.type_in)
        self.filters.entered.connect(self.tree.choose_first)
        self.filters.search.textChanged.connect(self.model.set_text)
        self.pictures.arrived.connect(lambda _: self.tree.viewport().update())
        self.pictures.arrived.connect(lambda one: self.details.show_picture(one, self.pictures.picture_of(one)))

    def set_wide(self, wide: bool) -> None:
        """Show all columns and the details, or the tree alone."""
        self.tree.set_wide(wide)
        self.details.setVisible(wide)

    def show_empty_text(self) -> None:
        """Say why there is nothing, where there is nothing."""
        self.tree.empty_text = NOTHING_FITS if self.filters.is_set else EMPTY
        self.tree.viewport().update()

    # ------------------------------------------------------------------ Qt

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()
            self._show_hovered(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._show_hovered(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self._show_hovered(False)
        paths = tuple(Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile())
        if paths:
            event.acceptProposedAction()
            self.dropped.emit(paths)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._hovered:
            painter = QPainter(self)
            painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Highlight), 4))
            painter.drawRect(self.rect())

    def _show_hovered(self, hovered: bool) -> None:
        self._hovered = hovered
        self.update()
