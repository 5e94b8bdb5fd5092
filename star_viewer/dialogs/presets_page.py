"""The grey windows on the number keys: a name, a centre and a width each."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDoubleSpinBox, QGridLayout, QLabel, QLineEdit, QPushButton, QWidget

from star_viewer.display import WindowLevel, WindowPreset, default_presets
from star_viewer.theme import GRID

_LOWEST_HU, _HIGHEST_HU = -2000.0, 5000.0
_LONGEST_NAME = 16


class PresetsPage(QWidget):
    """Edits the presets; what is changed holds at once."""

    changed = Signal(object)  # tuple[WindowPreset, ...]

    def __init__(self, presets: tuple[WindowPreset, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: list[tuple[QLineEdit, QDoubleSpinBox, QDoubleSpinBox]] = []
        grid = QGridLayout(self)
        grid.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        grid.setHorizontalSpacing(2 * GRID)
        for column, heading in enumerate(("Key", "Name", "Centre", "Width")):
            label = QLabel(heading)
            label.setProperty("role", "faint")
            grid.addWidget(label, 0, column)
        for number in range(1, len(presets) + 1):
            self._add_row(grid, number)
        self.defaults_button = QPushButton("As at the first start")
        self.defaults_button.setToolTip("Give all keys the grey windows that they had at the first start")
        self.defaults_button.clicked.connect(self._restore)
        grid.addWidget(self.defaults_button, len(presets) + 1, 1)
        grid.setRowStretch(len(presets) + 2, 1)
        self._show(presets)

    def _add_row(self, grid: QGridLayout, number: int) -> None:
        name, centre, width = QLineEdit(), QDoubleSpinBox(), QDoubleSpinBox()
        name.setMaxLength(_LONGEST_NAME)
        centre.setRange(_LOWEST_HU, _HIGHEST_HU)
        width.setRange(1.0, _HIGHEST_HU - _LOWEST_HU)
        for box, what in ((centre, "centre"), (width, "width")):
            box.setDecimals(0)
            box.setSingleStep(10.0)
            box.setSuffix(" HU")
            box.setAccessibleName(f"Grey window {number}: {what}")
            box.valueChanged.connect(lambda _: self._tell())
        name.setAccessibleName(f"Grey window {number}: name")
        name.textChanged.connect(lambda _: self._tell())
        grid.addWidget(QLabel(str(number)), number, 0)
        for column, widget in enumerate((name, centre, width), start=1):
            grid.addWidget(widget, number, column)
        self.rows.append((name, centre, width))

    def _show(self, presets: tuple[WindowPreset, ...]) -> None:
        self.blockSignals(True)
        for (name, centre, width), preset in zip(self.rows, presets, strict=True):
            name.setText(preset.name)
            centre.setValue(preset.window_level.centre_hu)
            width.setValue(preset.window_level.width_hu)
        self.blockSignals(False)

    def _restore(self) -> None:
        self._show(default_presets())
        self._tell()

    def _tell(self) -> None:
        presets = tuple(
            WindowPreset(name.text().strip() or f"Window {number}", WindowLevel(centre.value(), width.value()))
            for number, (name, centre, width) in enumerate(self.rows, start=1)
        )
        self.changed.emit(presets)
