"""What is known of the chosen row: of a series its geometry, its scanner, its segments and every finding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QFormLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from star_core.types import Severity
from star_viewer.browser.nodes import MEASUREMENT, Kind, Node, subtitle_of, title_of, to_local_time
from star_viewer.theme import GRID

PICTURE = 24 * GRID
_ROLES = {Severity.REFUSAL: "problem", Severity.WARNING: "notice", Severity.NOTE: "faint"}
_ORDER = (Severity.REFUSAL, Severity.WARNING, Severity.NOTE)
Facts = Iterable[tuple[str, str]]


class DetailsPane(QScrollArea):
    """Shows one row; what has to be read from the files comes a moment later."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Details")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumWidth(40 * GRID)
        self._node: Node | None = None
        self._picture: QPixmap | None = None
        self.show_node(None)

    @property
    def texts(self) -> tuple[str, ...]:
        """What stands there, from top to bottom."""
        return tuple(label.text() for label in self.findChildren(QLabel) if label.text())

    def show_node(self, node: Node | None, picture: QPixmap | None = None) -> None:
        """Show what the archive knows of a row."""
        self._node, self._picture = node, picture
        if node is None:
            self._fill("Nothing is chosen", "Arrow keys choose a row, Enter opens it.", (), ())
            return
        reads = node.kind is Kind.SERIES
        notes = (("faint", "Looking at the files…"),) if reads else ()
        self._fill(title_of(node), subtitle_of(node), _facts_of(node), notes)

    def show_details(self, series: int, details: Any) -> None:
        """Show what the files of a series say (``SeriesDetails``), if it is still the one that is shown."""
        if self._shows(series) and self._node is not None:
            findings = sorted(details.findings, key=lambda finding: _ORDER.index(finding.severity))
            notes = [(_ROLES[finding.severity], f"{finding.severity.value}: {finding.message}") for finding in findings]
            facts = (*_facts_of(self._node), *_facts_of_files(details))
            self._fill(title_of(self._node), subtitle_of(self._node), facts, notes or [("faint", "No findings.")])

    def show_problem(self, series: int, message: str) -> None:
        """Say why the files of a series cannot be looked at."""
        if self._shows(series) and self._node is not None:
            notes = [("problem", message)]
            self._fill(title_of(self._node), subtitle_of(self._node), _facts_of(self._node), notes)

    def show_picture(self, series: int, picture: QPixmap | None) -> None:
        """Show the small picture of a series once it has come."""
        if self._shows(series) and picture is not None:
            self._picture = picture
            self._put_picture()

    def _shows(self, series: int) -> bool:
        return self._node is not None and self._node.kind is Kind.SERIES and self._node.data.id == series

    def _fill(self, title: str, subtitle: str, facts: Facts, notes: Iterable[tuple[str, str]]) -> None:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        layout.setSpacing(GRID)
        self._picture_label = QLabel()
        layout.addWidget(self._picture_label)
        layout.addWidget(_label(title, "title"))
        if subtitle:
            layout.addWidget(_label(subtitle, "faint"))
        form = QFormLayout()
        form.setHorizontalSpacing(2 * GRID)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name, value in facts:
            if value:
                form.addRow(_label(name, "faint", wrap=False), _label(value))
        layout.addLayout(form)
        for role, text in notes:
            layout.addWidget(_label(text, role))
        layout.addStretch(1)
        self.setWidget(page)
        self._put_picture()

    def _put_picture(self) -> None:
        self._picture_label.setVisible(self._picture is not None)
        if self._picture is not None:
            modes = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            self._picture_label.setPixmap(self._picture.scaled(PICTURE, PICTURE, *modes))


def _label(text: str, role: str = "", *, wrap: bool = True) -> QLabel:
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(wrap)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    if role:
        label.setProperty("role", role)
    return label


def _facts_of(node: Node) -> Facts:
    row = node.data
    match node.kind:
        case Kind.PATIENT:
            return (
                ("Identifier", row.patient_id),
                ("Born", row.birth_date),
                ("Sex", row.sex),
                ("Studies shown", str(len(node.children))),
            )
        case Kind.STUDY:
            time = f"{row.time[:2]}:{row.time[2:4]}" if len(row.time) >= 4 else ""
            return (
                ("Patient", row.patient_name),
                ("Identifier", row.patient_id),
                ("Date", " ".join(filter(None, (row.date, time)))),
                ("Accession", row.accession),
                ("Modalities", ", ".join(row.modalities)),
                ("Images", f"{row.instance_count:,}"),
            )
        case Kind.RESULT if row.kind == MEASUREMENT:
            count = f"{row.summary.get('annotations', 0):.0f}"
            return (("Annotations", count), ("Drawn", to_local_time(row.created_utc)))
        case Kind.RESULT:
            figures = [
                (f"Recurrence by year {name.rpartition('_')[2]}", f"{100 * value:.1f} %")
                for name, value in row.summary.items()
            ]
            return (
                ("Model", row.model_name),
                ("Model id", row.model_id[:12]),
                ("Computed", to_local_time(row.created_utc)),
                *figures,
            )
    return ()


def _facts_of_files(details: Any) -> Facts:
    shape, spacing, hu_range = details.shape, details.spacing_mm, details.hu_range
    contrast = f"{details.contrast_agent}" if details.contrast_agent else ""
    return (
        ("Slices", "" if shape is None else f"{shape[0]} of {shape[2]} × {shape[1]} pixels"),
        ("Spacing", "" if spacing is None else f"{spacing[0]:.2f} × {spacing[1]:.3f} × {spacing[2]:.3f} mm"),
        ("Thickness", "" if details.slice_thickness_mm is None else f"{details.slice_thickness_mm:g} mm"),
        ("Grey values", "" if hu_range is None else f"{hu_range[0]:,} to {hu_range[1]:,} HU"),
        ("Scanner", details.manufacturer),
        ("Voltage", "" if details.tube_voltage_kv is None else f"{details.tube_voltage_kv:g} kV"),
        ("Kernel", details.convolution_kernel),
        ("Position", details.patient_position),
        ("Contrast", contrast),
        ("Stored as", ", ".join(details.transfer_syntaxes)),
        *((f"Segment {one.number}", _in_words(one)) for one in details.segments),
    )


def _in_words(segment: Any) -> str:
    known = f", taken as {segment.structure}" if segment.structure else ", not used here"
    return f"{segment.label or 'without a name'}: {segment.volume_ml:,.1f} ml{known}"
