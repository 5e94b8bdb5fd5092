"""The structures: which there are, how large, which one is edited, and the tools that edit it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from star_core.types import STRUCTURES, Masks, Structure
from star_viewer.actions import Actions
from star_viewer.display import STRUCTURE_COLOURS, STRUCTURE_NAMES
from star_viewer.edit_specs import SHAPE_NAMES, TOOL_NAMES
from star_viewer.key_button import KeyButton
from star_viewer.mask_tools import LARGEST_MM, SMALLEST_MM, MaskToolStyle, Tip
from star_viewer.panels.choice_box import ChoiceBox
from star_viewer.session import Session
from star_viewer.theme import GRID

_NO_LIVER = "No liver is drawn on this CT. The model estimates one for itself; find it here to see and mend it."
_COLUMNS, _ROW, _WIDE = 3, 5 * GRID // 2, 41 * GRID
_METHODS = {"classical": "by grey values", "totalsegmentator": "by TotalSegmentator"}


class StructuresPanel(QScrollArea):
    """Follows the session's structures and ``mask_tools``; buttons are the actions of the menu *Structures*."""

    find_asked = Signal(str)  # method

    def __init__(self, session: Session, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._tools, self._actions = session, session.mask_tools, actions
        self._volumes_ml: Mapping[Structure, float] = {}
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Structures")
        self._build_find()
        self.table = _StructuresTable()
        self.tools = _buttons(actions, TOOL_NAMES.values())
        self.shapes = _buttons(actions, SHAPE_NAMES)
        self.export_button = _button(actions, "export_masks")
        self._grids = (QGridLayout(), QGridLayout())
        self._columns = 0
        self._place_buttons(_COLUMNS)
        self._build_brush()
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(GRID, GRID, GRID, GRID)
        layout.setSpacing(3 * GRID // 4)
        layout.addWidget(self.hint)
        layout.addLayout(self._find_row)
        layout.addWidget(self.table)
        layout.addLayout(self._grids[0])
        layout.addLayout(self._brush_form)
        layout.addLayout(self._grids[1])
        layout.addWidget(self.export_button)
        layout.addStretch(1)
        self.setWidget(page)
        self._connect()

    # ------------------------------------------------------------------ building

    def _build_find(self) -> None:
        self.hint = QLabel(_NO_LIVER)
        self.hint.setProperty("role", "faint")
        self.hint.setWordWrap(True)
        self.find_button = KeyButton("Find the liver")
        self.find_button.setToolTip(self._actions["find_liver"].toolTip())
        self.method = ChoiceBox()
        self.method.setAccessibleName("How the liver is found")
        self.method.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.busy = QLabel()
        self.busy.setProperty("role", "faint")
        self._find_row = QHBoxLayout()
        self._find_row.addWidget(self.find_button)
        self._find_row.addWidget(self.method, 2)
        self._find_row.addWidget(self.busy, 1)
        self.show_methods(("classical",))

    def _build_brush(self) -> None:
        self.radius = _field("Radius of the brush", SMALLEST_MM, LARGEST_MM, " mm", decimals=1)
        self.tip = ChoiceBox()
        self.tip.setAccessibleName("Form of the brush")
        for tip in Tip:
            self.tip.addItem(tip.value, tip)
        self.gated = QCheckBox("HU")
        self.gated.setAccessibleName("Hold the brush to a range of HU")
        self.gated.setToolTip("Paint and erase only where the grey value lies in this range")
        self.lowest = _field("Lowest HU for the brush", -1000.0, 3000.0, "")
        self.highest = _field("Highest HU for the brush", -1000.0, 3000.0, "")
        brush, gate = QHBoxLayout(), QHBoxLayout()
        brush.addWidget(self.radius, 1)
        brush.addWidget(self.tip, 1)
        for widget in (self.gated, self.lowest, QLabel("to"), self.highest):
            gate.addWidget(widget, 0 if isinstance(widget, QLabel) else 1)
        self._brush_form = QFormLayout()
        self._brush_form.setVerticalSpacing(GRID // 2)
        self._brush_form.addRow("Brush", brush)
        self._brush_form.addRow("Only in", gate)

    def _connect(self) -> None:
        tools, session = self._tools, self._session
        self.find_button.clicked.connect(lambda: self.find_asked.emit(self.method.currentData()))
        self.table.itemSelectionChanged.connect(self._choose)
        self.radius.valueChanged.connect(lambda mm: tools.change(radius_mm=mm))
        self.tip.activated.connect(lambda _: tools.change(tip=Tip(self.tip.currentData())))
        self.gated.toggled.connect(lambda on: tools.change(gated=on))
        self.lowest.editingFinished.connect(lambda: tools.change(lowest_hu=self.lowest.value()))
        self.highest.editingFinished.connect(lambda: tools.change(highest_hu=self.highest.value()))
        tools.changed.connect(self._show_style)
        session.masks_changed.connect(self._show_masks)
        session.volume_changed.connect(lambda _: self._show_masks(session.masks))
        self._show_style(tools.style)
        self._show_masks(session.masks)

    def _place_buttons(self, columns: int) -> None:
        if columns == self._columns:
            return
        self._columns = columns
        for grid, buttons in zip(self._grids, (self.tools, self.shapes), strict=True):
            grid.setSpacing(GRID // 2)
            for place, button in enumerate(buttons.values()):
                grid.addWidget(button, place // columns, place % columns)
            for column in range(_COLUMNS):
                grid.setColumnStretch(column, 1 if column < columns else 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the buttons into as many columns as their words allow."""
        super().resizeEvent(event)
        self._place_buttons(_COLUMNS if self.viewport().width() >= _WIDE else _COLUMNS - 1)

    # ------------------------------------------------------------------ following

    def show_methods(self, methods: tuple[str, ...]) -> None:
        """Offer the ways in which a liver can be found here; a single one is no choice."""
        self.method.clear()
        for method in methods:
            self.method.addItem(_METHODS[method], method)
        self.method.setVisible(len(methods) > 1)

    def show_busy(self, busy: bool) -> None:
        """Say that an edit is worked out."""
        self.busy.setText("working" if busy else "")

    def show_volumes(self, volumes_ml: Mapping[Structure, float]) -> None:
        """Show how large the structures are."""
        self._volumes_ml = volumes_ml
        self._show_numbers(self._session.masks)

    def _show_masks(self, masks: Masks | None) -> None:
        has_case = self._session.volume is not None
        has_liver = masks is not None and bool(masks.known & Structure.LIVER)
        self.hint.setVisible(has_case and not has_liver)
        self.find_button.setDefault(has_case and not has_liver)
        self.find_button.setEnabled(has_case)
        if masks is None:
            self._volumes_ml = {}
        self._show_numbers(masks)

    def _show_numbers(self, masks: Masks | None) -> None:
        known = Structure(0) if masks is None else masks.known
        for row, structure in enumerate(STRUCTURES):
            volume_ml = self._volumes_ml.get(structure)
            drawn = "" if volume_ml is None else f"{volume_ml:.1f} ml"
            self.table.show_volume(row, drawn if known & structure else "not drawn")

    def _show_style(self, style: MaskToolStyle) -> None:
        self.table.choose(STRUCTURES.index(style.structure))
        self.radius.setValue(style.radius_mm)
        self.tip.setCurrentIndex(self.tip.findData(style.tip))
        self.gated.setChecked(style.gated)
        for field, hu in ((self.lowest, style.lowest_hu), (self.highest, style.highest_hu)):
            field.setValue(hu)
            field.setEnabled(style.gated)

    def _choose(self) -> None:
        row = self.table.currentRow()
        if self.table.selectedItems() and 0 <= row < len(STRUCTURES):
            self._tools.change(structure=STRUCTURES[row])


class _StructuresTable(QTableWidget):
    """One row a structure; the chosen row is the one that is edited."""

    def __init__(self) -> None:
        super().__init__(len(STRUCTURES), 2)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setAccessibleName("Structures")
        self.setAccessibleDescription("Up and Down choose the structure that the tools edit")
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalHeader().hide()
        self.horizontalHeader().hide()
        self.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.verticalHeader().setDefaultSectionSize(_ROW)
        self.setFixedHeight(_ROW * len(STRUCTURES) + 4)
        for row, structure in enumerate(STRUCTURES):
            swatch = QPixmap(GRID + 4, GRID + 4)
            swatch.fill(QColor(*STRUCTURE_COLOURS[structure]))
            icon = QIcon(swatch)
            icon.addPixmap(swatch, QIcon.Mode.Selected)  # or Qt would tint the colour of the chosen one
            self.setItem(row, 0, QTableWidgetItem(icon, STRUCTURE_NAMES[structure]))
            volume = QTableWidgetItem()
            volume.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.setItem(row, 1, volume)

    def show_volume(self, row: int, text: str) -> None:
        """Say how large a structure is."""
        item = self.item(row, 1)
        if item is not None:
            item.setText(text)

    def choose(self, row: int) -> None:
        """Mark the structure that is edited."""
        if self.currentRow() != row or not self.selectedItems():
            self.blockSignals(True)
            self.setCurrentCell(row, 0)
            self.selectRow(row)
            self.blockSignals(False)


def _button(actions: Actions, name: str) -> QToolButton:
    button = QToolButton()
    button.setDefaultAction(actions[name])
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.setAccessibleName(actions[name].text())
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    button.setProperty("role", "tool")
    button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return button


def _buttons(actions: Actions, names: Iterable[str]) -> dict[str, QToolButton]:
    return {name: _button(actions, name) for name in names}


def _field(name: str, least: float, most: float, suffix: str, *, decimals: int = 0) -> QDoubleSpinBox:
    field = QDoubleSpinBox()
    field.setRange(least, most)
    field.setDecimals(decimals)
    field.setSuffix(suffix)
    field.setAccessibleName(name)
    field.setToolTip(name)
    field.setMinimumWidth(7 * GRID)
    field.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    return field
