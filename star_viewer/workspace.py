"""Everything a reader did on a case as one frozen value, and the JSON entries that a journal keeps of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from star_core.clinical.record import record_from_mapping, record_to_mapping
from star_core.errors import AnnotationError, ClinicalRecordError
from star_core.imaging.annotations import MAX_ANNOTATIONS, Annotation, annotation_from_json, annotation_to_json
from star_core.types import N_YEARS, STRUCTURES, ClinicalRecord
from star_viewer.display import (
    THICKEST_SLAB_MM,
    THINNEST_SLAB_MM,
    DisplayStyle,
    SlabMode,
    SolidPreset,
    StructureStyle,
)
from star_viewer.history import Content
from star_viewer.session import WINDOW_PRESETS, IncidenceMode, OverlayStyle, PointMm, Session, WindowLevel

FORMAT = 1
Entry = dict[str, Any]
_KEPT_STYLE = ("inverted", "slab_mode", "slab_mm", "structures", "preset", "clip", "clip_far")
_HASH = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewState:
    """How the case is looked at: kept, and not undone.

    ``layout`` is what the views tell of themselves (cameras, planes, which one is large), as JSON can hold it. Of
    ``style`` the reader's own habits (which views share the space, corner text, interpolation) are settings, not kept.
    """

    year: int = 1
    mode: IncidenceMode = IncidenceMode.CUMULATIVE
    crosshair_mm: PointMm = (0.0, 0.0, 0.0)
    window_level: WindowLevel = WINDOW_PRESETS["abdomen"]
    overlay: OverlayStyle = field(default_factory=OverlayStyle)
    model_name: str = ""
    style: DisplayStyle = field(default_factory=DisplayStyle)
    layout: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """What was made of a case, and how it is looked at."""

    content: Content = field(default_factory=Content)
    view: ViewState = field(default_factory=ViewState)


def read_view(session: Session, layout: Mapping[str, Any]) -> ViewState:
    """Return how the open case is looked at."""
    return ViewState(
        year=session.year,
        mode=session.incidence_mode,
        crosshair_mm=session.crosshair_mm,
        window_level=session.window_level,
        overlay=session.overlay,
        model_name=session.model_name,
        style=_without_habits(session.display.style),
        layout=layout,
    )


def restore_view(session: Session, view: ViewState) -> None:
    """Look at the open case as it was looked at; the model in use stays the one that was chosen last."""
    session.set_year(view.year)
    session.set_incidence_mode(view.mode)
    session.set_crosshair(view.crosshair_mm)
    session.set_window_level(view.window_level)
    # The colour map is a setting of the reader, not of the case.
    session.set_overlay(replace(view.overlay, colour_map=session.overlay.colour_map))
    session.display.change(**{name: getattr(view.style, name) for name in _KEPT_STYLE})


def _without_habits(style: DisplayStyle) -> DisplayStyle:
    return replace(DisplayStyle(), **{name: getattr(style, name) for name in _KEPT_STYLE})


# --------------------------------------------------------------------------- entries


def to_entry(workspace: Workspace, before: Workspace | None = None) -> Entry:
    """Return what differs from ``before`` as a journal's entry, everything where that is ``None``; empty if nothing."""
    entry: Entry = {}
    content, view = workspace.content, workspace.view
    if before is None or content.clinical != before.content.clinical:
        entry["clinical"] = record_to_mapping(content.clinical)
    if before is None or content.annotations != before.content.annotations:
        known = {} if before is None else {one.id: one for one in before.content.annotations}
        entry["put"] = [annotation_to_json(one) for one in content.annotations if known.get(one.id) != one]
        entry["order"] = [one.id for one in content.annotations]
    if before is None or content.edits != before.content.edits:
        entry["edits"] = dict(content.edits)
    if before is None or view != before.view:
        entry["view"] = _view_to_json(view)
    return entry


class Replay:
    """Builds a workspace from entries, one after another; what cannot be used is left out and told."""

    def __init__(self) -> None:
        self.clinical: ClinicalRecord | None = None
        self.base: ClinicalRecord | None = None
        self.problems: list[str] = []
        self._known: dict[str, Annotation] = {}
        self._order: tuple[str, ...] = ()
        self._edits: dict[str, str] = {}
        self._view: ViewState | None = None
        self._empty = True

    def take(self, entry: Mapping[str, Any]) -> None:
        """Follow one entry."""
        self._empty = False
        for name, take in (
            ("base", self._take_base),
            ("clinical", self._take_clinical),
            ("put", self._take_annotations),
            ("order", self._take_order),
            ("edits", self._take_edits),
            ("view", self._take_view),
        ):
            if name in entry:
                try:
                    take(entry[name])
                except (AnnotationError, ClinicalRecordError, ValidationError, ValueError, TypeError, AttributeError):
                    self.problems.append(_WORDS[name])

    def workspace(self) -> Workspace | None:
        """Return what came of all entries, ``None`` if there was none."""
        if self._empty:
            return None
        annotations = tuple(self._known[one] for one in self._order if one in self._known)
        if len(annotations) < len(self._order):
            self.problems.append(_WORDS["put"])
        content = Content(clinical=self.clinical or ClinicalRecord(), annotations=annotations, edits=self._edits)
        return Workspace(content=content, view=self._view or ViewState())

    @property
    def has_view(self) -> bool:
        """Whether an entry told how the case was looked at."""
        return self._view is not None

    def _take_base(self, raw: Any) -> None:
        self.base = record_from_mapping(raw)

    def _take_clinical(self, raw: Any) -> None:
        self.clinical = record_from_mapping(raw)

    def _take_annotations(self, raw: Any) -> None:
        for one in list(raw)[:MAX_ANNOTATIONS]:
            annotation = annotation_from_json(one)
            self._known[annotation.id] = annotation

    def _take_order(self, raw: Any) -> None:
        if not isinstance(raw, list) or not all(isinstance(one, str) for one in raw):
            raise ValueError("no list of ids")
        self._order = tuple(dict.fromkeys(raw))[:MAX_ANNOTATIONS]
        self._known = {one: self._known[one] for one in self._order if one in self._known}

    def _take_edits(self, raw: Any) -> None:
        edits = {str(name): str(digest) for name, digest in raw.items()}
        if not all(_NAME.fullmatch(name) and _HASH.fullmatch(digest) for name, digest in edits.items()):
            raise ValueError("no names and hashes")
        self._edits = edits

    def _take_view(self, raw: Any) -> None:
        self._view = _ViewEntry.model_validate(raw).to_view()


_WORDS = {
    "base": "the record as it was opened",
    "clinical": "a change of the record",
    "put": "an annotation",
    "order": "the list of annotations",
    "edits": "an edit",
    "view": "how the case was looked at",
}


def _view_to_json(view: ViewState) -> Entry:
    return {
        "year": view.year,
        "mode": view.mode.value,
        "crosshair_mm": tuple(map(float, view.crosshair_mm)),
        "window": (float(view.window_level.centre_hu), float(view.window_level.width_hu)),
        "overlay": (view.overlay.visible, float(view.overlay.opacity), float(view.overlay.threshold_fraction)),
        "model": view.model_name,
        "style": _style_to_json(view.style),
        "layout": dict(view.layout),
    }


def _style_to_json(style: DisplayStyle) -> Entry:
    return {
        "inverted": style.inverted,
        "slab": (style.slab_mode.value, float(style.slab_mm)),
        "preset": style.preset.value,
        "clip": sorted(style.clip),
        "clip_far": style.clip_far,
        "structures": {
            str(structure.name): (one.visible, float(one.opacity)) for structure, one in style.structures.items()
        },
    }


_Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
_Part = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]


class _StyleEntry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    inverted: bool = False
    slab: tuple[SlabMode, Annotated[float, Field(ge=THINNEST_SLAB_MM, le=THICKEST_SLAB_MM)]] = (SlabMode.THIN, 10.0)
    preset: SolidPreset = SolidPreset.STRUCTURES
    clip: frozenset[Literal["axial", "sagittal", "coronal"]] = frozenset()
    clip_far: bool = False
    structures: dict[str, tuple[bool, _Part]] = {}

    def to_style(self) -> DisplayStyle:
        shown = {one: self.structures.get(str(one.name), (True, 1.0)) for one in STRUCTURES}
        return DisplayStyle(
            inverted=self.inverted,
            slab_mode=self.slab[0],
            slab_mm=self.slab[1],
            preset=self.preset,
            clip=frozenset(map(str, self.clip)),
            clip_far=self.clip_far,
            structures={one: StructureStyle(*how) for one, how in shown.items()},
        )


class _ViewEntry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    year: Annotated[int, Field(ge=1, le=N_YEARS)]
    mode: IncidenceMode
    crosshair_mm: tuple[_Number, _Number, _Number]
    window: tuple[_Number, Annotated[float, Field(ge=1.0, le=1e6)]]
    overlay: tuple[bool, _Part, _Part]
    model: Annotated[str, Field(max_length=200)] = ""
    style: _StyleEntry = _StyleEntry()
    layout: dict[str, Any] = {}

    def to_view(self) -> ViewState:
        visible, opacity, threshold = self.overlay
        return ViewState(
            year=self.year,
            mode=self.mode,
            crosshair_mm=self.crosshair_mm,
            window_level=WindowLevel(*self.window),
            overlay=OverlayStyle(visible=visible, opacity=opacity, threshold_fraction=threshold),
            model_name=self.model,
            style=self.style.to_style(),
            layout=self.layout,
        )


def join_records(fresh: ClinicalRecord, base: ClinicalRecord, changed: ClinicalRecord) -> ClinicalRecord:
    """Return ``fresh`` with the fields in which ``changed`` differs from ``base``."""
    fields = record_to_mapping(changed)
    return replace(
        fresh, **{name: getattr(changed, name) for name in fields if getattr(changed, name) != getattr(base, name)}
    )
