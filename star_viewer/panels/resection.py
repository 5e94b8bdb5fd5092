"""What a resection leaves: by a plane, by segments, or drawn; volumes follow the hand."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from star_core.imaging.editing.remnant import CuttingPlane, RemnantVolumes
from star_core.types import SEGMENTS, CouinaudSegments, Segment
from star_viewer.panels.choice_box import ChoiceBox
from star_viewer.session import Session
from star_viewer.theme import GRID

PRESETS: dict[str, frozenset[Segment]] = {
    "Right hepatectomy": frozenset({Segment.V, Segment.VI, Segment.VII, Segment.VIII}),
    "Left hepatectomy": frozenset({Segment.II, Segment.III, Segment.IV}),
    "Extended right hepatectomy": frozenset({Segment.IV, Segment.V, Segment.VI, Segment.VII, Segment.VIII}),
    "Extended left hepatectomy": frozenset({Segment.II, Segment.III, Segment.IV, Segment.V, Segment.VIII}),
    "Left lateral sectionectomy": frozenset({Segment.II, Segment.III}),
    "Right posterior sectionectomy": frozenset({Segment.VI, Segment.VII}),
}
"""The Brisbane 2000 terminology (Strasberg, J Hepatobiliary Pancreat Surg 2005, 12:351); segment I stays."""
_COLUMNS = 4
_NO_LIVER = "There is no liver to cut. Segment the liver first."


class ResectionPanel(QScrollArea):
    """Follows the session's anatomy, and changes what is planned; cutting is asked for."""

    middle_asked = Signal()  # a plane along the middle hepatic vein, or through the liver's middle
    slice_asked = Signal()  # a plane where the slice view used last lies
    flip_asked = Signal()
    cut_asked = Signal()  # the remnant that the plane leaves
    remove_asked = Signal()  # the remnant without the chosen segments
    whole_asked = Signal()  # the remnant is the whole liver, to draw on

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._anatomy = session, session.anatomy
        self.setWidgetResizable(True)
        self.setAccessibleName("Resection")
        self.remnant = QLabel()
        self.remnant.setProperty("role", "figure")
        self.volumes = QLabel()
        self.volumes.setWordWrap(True)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(GRID, GRID, GRID, GRID)
        layout.addWidget(self.remnant)
        layout.addWidget(self.volumes)
        for group in (self._build_plane(), self._build_segments(), self._build_drawing()):
            layout.addWidget(group)
        layout.addStretch(1)
        self.setWidget(page)
        anatomy = self._anatomy
        anatomy.volumes_changed.connect(self._show_volumes)
        anatomy.plane_changed.connect(self._show_plane)
        anatomy.removed_changed.connect(self._show_removed)
        anatomy.segments_changed.connect(self._show_segments)
        self._show_volumes(anatomy.volumes)
        self._show_plane(anatomy.plane)
        self._show_removed(anatomy.removed)
        self._show_segments(anatomy.segments)

    # ------------------------------------------------------------------ building

    def _build_plane(self) -> QGroupBox:
        self.middle = _button("Through the liver", "Lay the plane along the middle hepatic vein", self.middle_asked)
        self.along = _button("Along the slice", "Lay the plane where the slice view used last lies", self.slice_asked)
        self.flip = _button("Other side", "Remove the other side of the plane", self.flip_asked)
        self.away = QPushButton("Take away")
        self.away.setToolTip("Take the plane away; the remnant stays as it was")
        self.away.clicked.connect(lambda: self._anatomy.set_plane(None))
        self.cut = _button("Cut", "Make the remnant what lies on the near side (Ctrl+Alt+Return)", self.cut_asked)
        hint = _faint("Drag the line to move the plane, a round handle to turn it. Keys: Ctrl+Alt+C.")
        group = QGroupBox("By a plane")
        layout = QVBoxLayout(group)
        for row in ((self.middle, self.along), (self.flip, self.away, self.cut)):
            line = QHBoxLayout()
            for button in row:
                line.addWidget(button)
            line.addStretch(1)
            layout.addLayout(line)
        layout.addWidget(hint)
        return group

    def _build_segments(self) -> QGroupBox:
        self.preset = ChoiceBox()
        self.preset.setAccessibleName("Resection by segments")
        self.preset.addItem("choose segments, or a resection")
        self.preset.addItems(list(PRESETS))
        self.preset.activated.connect(self._take_preset)
        self.checks: dict[Segment, QCheckBox] = {}
        grid = QGridLayout()
        for number, segment in enumerate(SEGMENTS):
            check = QCheckBox(segment.value)
            check.setAccessibleName(f"Remove segment {segment}")
            check.toggled.connect(lambda on, one=segment: self._mark(one, on))
            grid.addWidget(check, number // _COLUMNS, number % _COLUMNS)
            self.checks[segment] = check
        self.remove = _button("Remove", "Make the remnant the liver without the chosen segments", self.remove_asked)
        group = QGroupBox("By segments")
        layout = QVBoxLayout(group)
        layout.addWidget(self.preset)
        layout.addLayout(grid)
        line = QHBoxLayout()
        line.addWidget(self.remove)
        line.addStretch(1)
        layout.addLayout(line)
        return group

    def _build_drawing(self) -> QGroupBox:
        self.whole = _button(
            "Begin with the whole liver", "Make the remnant the liver without tumours", self.whole_asked
        )
        group = QGroupBox("By drawing")
        layout = QHBoxLayout(group)
        layout.addWidget(self.whole)
        layout.addStretch(1)
        return group

    # ------------------------------------------------------------------ changing and following

    def _take_preset(self, place: int) -> None:
        if place > 0:
            self._anatomy.set_plane(None)
            self._anatomy.set_removed(list(PRESETS.values())[place - 1])

    def _mark(self, segment: Segment, on: bool) -> None:
        removed = self._anatomy.removed
        if on != (segment in removed):
            self._anatomy.set_plane(None)
            self._anatomy.set_removed(removed | {segment} if on else removed - {segment})

    def _show_volumes(self, volumes: RemnantVolumes | None) -> None:
        known = volumes is not None and volumes.liver_ml > 0
        for button in (self.middle, self.along, self.whole):
            button.setEnabled(known)
        if volumes is None or not known:
            self.remnant.setText("")
            self.volumes.setText(_NO_LIVER)
            return
        is_planned = self._anatomy.plane is not None or bool(self._anatomy.removed)
        name = "Planned remnant" if is_planned else "Remnant"
        self.remnant.setText(f"{name}: {volumes.remnant_ml:.0f} ml · {100 * volumes.share:.0f} %")
        self.volumes.setText(
            f"of the functional liver: {volumes.liver_ml:.0f} ml less {volumes.tumour_ml:.0f} ml of tumour"
        )

    def _show_plane(self, plane: CuttingPlane | None) -> None:
        for button in (self.flip, self.away, self.cut):
            button.setEnabled(plane is not None)
        self._show_volumes(self._anatomy.volumes)

    def _show_removed(self, removed: frozenset[Segment]) -> None:
        for segment, check in self.checks.items():
            check.setChecked(segment in removed)
        named = [name for name, segments in PRESETS.items() if segments == removed]
        self.preset.setCurrentIndex(self.preset.findText(named[0]) if named else 0)
        self._enable_remove()
        self._show_volumes(self._anatomy.volumes)

    def _show_segments(self, segments: CouinaudSegments | None) -> None:
        volumes = self._anatomy.segment_volumes_ml
        for segment, check in self.checks.items():
            check.setEnabled(volumes.get(segment, 0.0) > 0.0)
            check.setToolTip(f"{volumes[segment]:.0f} ml" if segment in volumes else "")
        self.preset.setEnabled(segments is not None)
        self._enable_remove()

    def _enable_remove(self) -> None:
        self.remove.setEnabled(bool(self._anatomy.removed) and self._anatomy.segments is not None)


def _button(text: str, tooltip: str, signal: object) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    button.clicked.connect(lambda: signal.emit())  # type: ignore[attr-defined]
    return button


def _faint(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", "faint")
    label.setWordWrap(True)
    return label
