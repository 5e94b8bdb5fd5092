"""Connects landmarks, segments and the resection to the window: tools on the slices, panels, actions, files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from star_core.errors import StarError
from star_core.imaging.couinaud.segments import segment_couinaud
from star_core.imaging.editing.patch import MaskPatch
from star_core.imaging.editing.remnant import (
    CuttingPlane,
    cut_by_plane,
    cut_by_segments,
    keep_whole_liver,
    plane_along_middle_vein,
    suggest_plane,
)
from star_core.types import CouinaudLandmarks, Masks, Segment, Severity, Volume
from star_viewer.anatomy import NewestOnly
from star_viewer.display import DisplayStyle
from star_viewer.main_window import MainWindow
from star_viewer.scene.plane_line import flip_plane
from star_viewer.scene.plane_pen import PlanePen
from star_viewer.session import Session
from star_viewer.structures import Structures
from star_viewer.workflow import Workflow

if TYPE_CHECKING:
    from star_viewer.scene.four_views import FourViews

_TO_THE_RIGHT = np.array([-1.0, 0.0, 0.0])


class Resecting(QObject):
    """Lets the reader mark, colour, cut and export what lies inside the liver."""

    def __init__(self, window: MainWindow, session: Session, workflow: Workflow, structures: Structures) -> None:
        super().__init__(window)
        self._window, self._session, self._workflow, self._structures = window, session, workflow, structures
        self._anatomy = session.anatomy
        self._suggester: NewestOnly[Masks] = NewestOnly(
            "star-suggest-plane", lambda masks: suggest_plane(masks, _TO_THE_RIGHT), self
        )
        self._suggester.answered.connect(self._take_suggestion)
        self._suggester.failed.connect(lambda _, error: self._tell(error))
        self._add_tools()
        self._connect_panels()
        self._connect_actions()
        session.display.changed.connect(self._follow_style)
        session.pen_changed.connect(lambda pen: self._check("cutting_plane", pen is PlanePen.PLANE))
        self._anatomy.plane_changed.connect(self._follow_plane)
        self._anatomy.cut_asked.connect(self._cut)
        workflow.segments_written.connect(self._tell_written)

    def close(self) -> None:
        """Wait for what is worked out and take no more."""
        self._suggester.close()

    @property
    def _views(self) -> FourViews | None:
        views: Any = self._window.views
        return views if hasattr(views, "slice_panes") else None

    def _add_tools(self) -> None:
        if self._views is not None:
            from star_viewer.scene.landmark_tool import LandmarkTool
            from star_viewer.scene.plane_tool import PlaneTool
            from star_viewer.scene.segment_names import SegmentNames

            for pane in self._views.slice_panes:
                pane.tools += [SegmentNames(pane), LandmarkTool(pane), PlaneTool(pane)]

    def _connect_panels(self) -> None:
        resection, landmarks = self._window.resection, self._window.landmarks
        landmarks.place_asked.connect(self._place)
        landmarks.export_asked.connect(self._export)
        for signal, slot in (
            (resection.middle_asked, self._lay_middle),
            (resection.slice_asked, self._lay_along_slice),
            (resection.flip_asked, self._flip),
            (resection.cut_asked, self._cut),
            (resection.remove_asked, self._remove),
            (resection.whole_asked, lambda: self._structures.edit("begin the remnant anew", _keep_whole)),
        ):
            signal.connect(slot)

    def _connect_actions(self) -> None:
        window, display = self._window, self._session.display
        slots: dict[str, Callable[[], object]] = {
            "landmarks": self._show_landmarks,
            "place_landmark": self._place,
            "segments": lambda: display.change_segments(visible=not display.style.segments.visible),
            "export_segments": self._export,
            "resection": lambda: window.tabs.setCurrentWidget(window.resection),
            "cutting_plane": self._take_up_plane,
            "cut": self._cut_as_planned,
        }
        for name, slot in slots.items():
            window.star_actions[name].triggered.connect(lambda _=False, do=slot: do())

    # ------------------------------------------------------------------ landmarks and segments

    def _show_landmarks(self) -> None:
        self._session.display.change(landmarks=True)
        self._window.tabs.setCurrentWidget(self._window.landmarks)

    def _place(self) -> None:
        if self._anatomy.landmarks is not None:
            self._session.display.change(landmarks=True)
            self._session.set_pen(self._anatomy.chosen)
            if self._views is not None:
                self._views.leading_slice.setFocus()

    def _follow_style(self, style: DisplayStyle) -> None:
        self._check("segments", style.segments.visible)

    def _check(self, name: str, on: bool) -> None:
        self._window.star_actions[name].setChecked(on)

    def _export(self) -> None:
        case = self._session.case
        if case is None or self._anatomy.segments is None:
            self._window.banners.tell("There are no segments to write yet: they need a liver.")
            return
        suggested = f"{case.case_id}-segments.dcm"
        file, _ = QFileDialog.getSaveFileName(
            self._window,
            "Export the segments",
            suggested,
            "DICOM (*.dcm)",
            options=QFileDialog.Option.DontConfirmOverwrite,
        )
        if file:
            self._workflow.write_segments(Path(file))

    def _tell_written(self, path: str) -> None:
        self._window.banners.tell(f"The segments were written to {Path(path).name}.", severity=Severity.NOTE)

    # ------------------------------------------------------------------ the plane

    def _lay_middle(self) -> None:
        landmarks, masks = self._anatomy.landmarks, self._session.masks
        if landmarks is not None:
            self._lay(plane_along_middle_vein(landmarks))
        elif masks is not None:
            self._suggester.ask(masks)

    def _take_suggestion(self, masks: Masks, plane: CuttingPlane) -> None:
        if masks is self._session.masks:
            self._lay(plane)

    def _lay_along_slice(self) -> None:
        shown = None if self._views is None else self._views.leading_slice.shown_plane()
        if shown is not None:
            x, y, z = (float(value) for value in shown.normal)
            self._lay(CuttingPlane(point_mm=self._session.crosshair_mm, normal=(x, y, z)))

    def _lay(self, plane: CuttingPlane) -> None:
        self._anatomy.set_removed(frozenset())
        self._anatomy.set_plane(plane)

    def _flip(self) -> None:
        if self._anatomy.plane is not None:
            self._anatomy.set_plane(flip_plane(self._anatomy.plane))

    def _take_up_plane(self) -> None:
        if self._session.pen is PlanePen.PLANE:
            self._session.set_pen(None)
            return
        if self._anatomy.plane is None:
            self._lay_middle()
        if self._session.volume is not None:
            self._session.set_pen(PlanePen.PLANE)
            self._window.tabs.setCurrentWidget(self._window.resection)
            if self._views is not None:
                self._views.leading_slice.setFocus()
        self._check("cutting_plane", self._session.pen is PlanePen.PLANE)

    def _follow_plane(self, plane: CuttingPlane | None) -> None:
        if plane is None and self._session.pen is PlanePen.PLANE:
            self._session.set_pen(None)

    # ------------------------------------------------------------------ cutting

    def _cut_as_planned(self) -> None:
        if self._anatomy.plane is not None:
            self._cut()
        else:
            self._remove()

    def _cut(self) -> None:
        plane = self._anatomy.plane
        if plane is not None:
            self._structures.edit("cut the liver by a plane", partial(_cut_plane, plane))
            self._anatomy.set_plane(None)

    def _remove(self) -> None:
        landmarks, removed = self._anatomy.landmarks, self._anatomy.removed
        if landmarks is not None and removed:
            names = ", ".join(segment for segment in Segment if segment in removed)
            self._structures.edit(f"remove segment {names}", partial(_cut_segments, landmarks, removed))
            self._anatomy.set_removed(frozenset())

    def _tell(self, error: StarError) -> None:
        self._window.banners.tell(f"{error.message} {error.remedy}".strip(), severity=Severity.REFUSAL)


def _cut_plane(plane: CuttingPlane, masks: Masks, _: Volume) -> MaskPatch:
    return cut_by_plane(masks, plane)


def _cut_segments(landmarks: CouinaudLandmarks, removed: frozenset[Segment], masks: Masks, _: Volume) -> MaskPatch:
    return cut_by_segments(masks, segment_couinaud(masks, landmarks), removed)


def _keep_whole(masks: Masks, _: Volume) -> MaskPatch:
    return keep_whole_liver(masks)
