"""What is open: the case, its assessment, the year and how the reader looks at them.

Views read the session and connect to its signals; only jobs put results in. Every setter emits its signal when, and
only when, the value changes, so two views may set each other without a loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from PySide6.QtCore import QObject, Signal

from star_core.imaging.annotations import Annotation
from star_core.imaging.measure import Measurement, compute_measurement
from star_core.types import N_YEARS, Assessment, Case, ClinicalRecord, DoubleArray, Masks, Volume
from star_viewer.anatomy import Anatomy
from star_viewer.display import WINDOW_PRESETS as WINDOW_PRESETS
from star_viewer.display import ColourMap, Display
from star_viewer.display import WindowLevel as WindowLevel
from star_viewer.history import Content, History
from star_viewer.mask_tools import MaskTools

PointMm = tuple[float, float, float]
MAX_MEASURED = 4000


class IncidenceMode(StrEnum):
    """Whether a year shows the risk up to its end or the part that it adds."""

    CUMULATIVE = "cumulative"
    ANNUAL = "annual"


@dataclass(frozen=True, slots=True)
class OverlayStyle:
    """How the risk map lies on the CT: opacity 0..1 and the density below which it is transparent."""

    visible: bool = True
    opacity: float = 0.55
    threshold_fraction: float = 0.15
    colour_map: ColourMap = ColourMap.INFERNO


@dataclass(frozen=True, slots=True, eq=False)
class LaterScan:
    """A follow-up CT on the first one's grid, the (4, 4) motion on LPS mm given to it by hand, and how it is named."""

    volume: Volume
    motion_lps: DoubleArray
    label: str


class Session(QObject):
    """The state of one window; see the module's text for who may change what."""

    case_closing = Signal()  # the case before another one comes
    volume_changed = Signal(object)  # Volume | None
    masks_changed = Signal(object)  # Masks | None
    clinical_changed = Signal(object)  # ClinicalRecord
    assessment_changed = Signal(object)  # Assessment | None
    model_changed = Signal(str)
    year_changed = Signal(int)
    incidence_mode_changed = Signal(object)  # IncidenceMode
    crosshair_changed = Signal(object)  # PointMm, LPS mm
    window_level_changed = Signal(object)  # WindowLevel
    overlay_changed = Signal(object)  # OverlayStyle
    annotations_changed = Signal(object)  # tuple of Annotation
    edits_changed = Signal(object)  # Mapping of what was edited to the hash of a file
    selection_changed = Signal(str)  # id of an annotation, or nothing
    later_changed = Signal(object)  # LaterScan | None
    pen_changed = Signal(object)  # StrEnum | None: AnnotationKind, or the kind of another tool

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.display = Display(self)
        self.mask_tools = MaskTools(self)
        self.anatomy = Anatomy(self)
        self._case: Case | None = None
        self._masks: Masks | None = None
        self._assessment: Assessment | None = None
        self._clinical = ClinicalRecord()
        self._model_name = ""
        self._year = 1
        self._incidence_mode = IncidenceMode.CUMULATIVE
        self._crosshair_mm: PointMm = (0.0, 0.0, 0.0)
        self._window_level = WINDOW_PRESETS["abdomen"]
        self._overlay = OverlayStyle()
        self._annotations: tuple[Annotation, ...] = ()
        self._edits: Mapping[str, str] = {}
        self._selection = ""
        self._later: LaterScan | None = None
        self._pen: StrEnum | None = None
        self._measured: dict[Annotation, Measurement] = {}
        self.history = History(self, self)

    # ------------------------------------------------------------------ the case

    @property
    def case(self) -> Case | None:
        """The open case, with the record as it stands in the form and the structures as they were edited."""
        return None if self._case is None else replace(self._case, clinical=self._clinical, masks=self._masks)

    @property
    def volume(self) -> Volume | None:
        """The baseline CT of the open case."""
        return None if self._case is None else self._case.baseline_scan

    @property
    def masks(self) -> Masks | None:
        """The structures of the open case, as they were edited."""
        return self._masks

    def set_masks(self, masks: Masks | None) -> None:
        """Take over structures after an edit; what a reader does goes through ``structures``."""
        if masks is not self._masks:
            self._masks = masks
            self.masks_changed.emit(masks)

    def set_case(self, case: Case | None) -> None:
        """Open another case; its assessment has yet to come."""
        self.case_closing.emit()
        self._case = case
        self._masks = None if case is None else case.masks
        self._measured.clear()
        self.history.clear()
        self.set_pen(None)
        self.set_later(None)
        self.set_annotations(())
        self.set_edits({})
        self.set_assessment(None)
        self.volume_changed.emit(self.volume)
        self.masks_changed.emit(self.masks)
        if case is not None:
            self.set_clinical(case.clinical)
            self.set_crosshair(_centre_mm(case.baseline_scan))

    @property
    def clinical(self) -> ClinicalRecord:
        """The clinical record as it stands in the form."""
        return self._clinical

    def set_clinical(self, record: ClinicalRecord) -> None:
        """Take over a record from the form or from a file."""
        if record != self._clinical:
            self._clinical = record
            self.clinical_changed.emit(record)

    @property
    def content(self) -> Content:
        """What the reader made of the case; ``history`` changes it so that it can be undone."""
        return Content(clinical=self._clinical, annotations=self._annotations, edits=self._edits)

    def set_content(self, content: Content) -> None:
        """Take over what was made of the case; called by the history, and when it is brought back."""
        self.set_clinical(content.clinical)
        self.set_annotations(content.annotations)
        self.set_edits(content.edits)

    @property
    def annotations(self) -> tuple[Annotation, ...]:
        """What was drawn on the slices, oldest first."""
        return self._annotations

    def set_annotations(self, annotations: tuple[Annotation, ...]) -> None:
        """Take over what was drawn; what a reader does goes through the history."""
        if annotations != self._annotations:
            self._annotations = annotations
            if self.selected is None:
                self.select("")
            self.annotations_changed.emit(annotations)

    @property
    def edits(self) -> Mapping[str, str]:
        """What else was edited, by name: the content hash of a file that is kept beside."""
        return self._edits

    def set_edits(self, edits: Mapping[str, str]) -> None:
        """Take over what was edited; what a reader does goes through the history."""
        if edits != self._edits:
            self._edits = dict(edits)
            self.edits_changed.emit(self._edits)

    def measure(self, annotation: Annotation) -> Measurement:
        """Return what an annotation measures on the open scan; computed once."""
        found = self._measured.get(annotation)
        if found is None and self.volume is not None:
            if len(self._measured) >= MAX_MEASURED:
                self._measured.clear()
            found = self._measured[annotation] = compute_measurement(annotation, self.volume)
        return found or Measurement()

    @property
    def assessment(self) -> Assessment | None:
        """The newest result for the open case, or ``None`` while there is none."""
        return self._assessment

    def set_assessment(self, assessment: Assessment | None) -> None:
        """Take over a result; called by jobs only."""
        if assessment is not self._assessment:
            self._assessment = assessment
            self.assessment_changed.emit(assessment)

    @property
    def model_name(self) -> str:
        """Name of the model that assesses the case."""
        return self._model_name

    def set_model_name(self, name: str) -> None:
        """Choose the model for the next assessment."""
        if name != self._model_name:
            self._model_name = name
            self.model_changed.emit(name)

    # ------------------------------------------------------------------ how it is looked at

    @property
    def year(self) -> int:
        """Postoperative year shown, 1..12."""
        return self._year

    def set_year(self, year: int) -> None:
        """Show another year; values beyond the ends are clamped."""
        year = min(max(year, 1), N_YEARS)
        if year != self._year:
            self._year = year
            self.year_changed.emit(year)

    @property
    def incidence_mode(self) -> IncidenceMode:
        """Cumulative or annual."""
        return self._incidence_mode

    def set_incidence_mode(self, mode: IncidenceMode) -> None:
        """Switch between cumulative and annual risk."""
        if mode != self._incidence_mode:
            self._incidence_mode = mode
            self.incidence_mode_changed.emit(mode)

    @property
    def crosshair_mm(self) -> PointMm:
        """The point that all views show, LPS mm."""
        return self._crosshair_mm

    def set_crosshair(self, point_mm: PointMm) -> None:
        """Move the crosshair of all views."""
        if point_mm != self._crosshair_mm:
            self._crosshair_mm = point_mm
            self.crosshair_changed.emit(point_mm)

    @property
    def window_level(self) -> WindowLevel:
        """Grey window of the CT."""
        return self._window_level

    def set_window_level(self, window_level: WindowLevel) -> None:
        """Change the grey window of all views; the width stays at least 1 HU."""
        window_level = replace(window_level, width_hu=max(window_level.width_hu, 1.0))
        if window_level != self._window_level:
            self._window_level = window_level
            self.window_level_changed.emit(window_level)

    @property
    def overlay(self) -> OverlayStyle:
        """How the risk map lies on the CT."""
        return self._overlay

    @property
    def selected(self) -> Annotation | None:
        """The annotation that keys and the list are about."""
        return next((one for one in self._annotations if one.id == self._selection), None)

    def select(self, annotation_id: str) -> None:
        """Choose an annotation by its id, or none."""
        if annotation_id != self._selection:
            self._selection = annotation_id
            self.selection_changed.emit(annotation_id)

    @property
    def pen(self) -> StrEnum | None:
        """What the next clicks on a slice do, if anything: one tool at a time."""
        return self._pen

    def set_pen(self, kind: StrEnum | None) -> None:
        """Take up a tool, or lay it down."""
        if kind is not self._pen:
            self._pen = kind
            self.pen_changed.emit(kind)

    @property
    def later(self) -> LaterScan | None:
        """The follow-up CT that is seen with the first one, if any."""
        return self._later

    def set_later(self, later: LaterScan | None) -> None:
        """See a follow-up CT, or move it."""
        if later is not self._later:
            self._later = later
            self.later_changed.emit(later)

    def set_overlay(self, style: OverlayStyle) -> None:
        """Change how the risk map lies on the CT."""
        if style != self._overlay:
            self._overlay = style
            self.overlay_changed.emit(style)


def _centre_mm(volume: Volume) -> PointMm:
    middle = (np.array(volume.geometry.shape) - 1) / 2
    left_mm, posterior_mm, superior_mm = volume.geometry.index_to_lps(middle)
    return float(left_mm), float(posterior_mm), float(superior_mm)
