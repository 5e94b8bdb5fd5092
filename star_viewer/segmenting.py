"""Connects the tools that draw structures: what the hand does becomes an edit, what a program finds as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QFileDialog

from star_core.types import Masks, Severity, Structure
from star_viewer.display import STRUCTURE_NAMES
from star_viewer.edit_specs import EDIT_SPECS, SHAPE_NAMES, TOOL_NAMES
from star_viewer.jobs.mask_requests import ExportSegmentation, FindLiver, FoundLiver, ListLiverMethods
from star_viewer.jobs.requests import Request
from star_viewer.jobs.runner import JobRunner
from star_viewer.keeping import Keeping
from star_viewer.main_window import MainWindow
from star_viewer.mask_edits import draw_liver, make_stroke, shape_edit
from star_viewer.mask_meter import MaskMeter
from star_viewer.mask_tools import MaskTool, Stroke
from star_viewer.session import Session
from star_viewer.structures import EDITS_NAME, Structures
from star_viewer.workflow import Workflow

NO_LIVER = "No liver is drawn on this CT: the model estimates one for itself, unseen."
_SIZE_KEYS = (("overlay_less", "brush_smaller", "["), ("overlay_more", "brush_larger", "]"))
_WITHOUT_CASE = ("structures", "brush_smaller", "brush_larger")


class Segmenting(QObject):
    """Owns nothing of the case: it asks ``structures`` for edits and jobs for what takes long."""

    def __init__(
        self,
        window: MainWindow,
        session: Session,
        workflow: Workflow,
        runner: JobRunner,
        structures: Structures,
        keeping: Keeping,
    ) -> None:
        super().__init__(window)
        self._window, self._session, self._workflow = window, session, workflow
        self._runner, self._structures, self._tools = runner, structures, session.mask_tools
        self._meter = MaskMeter(session, self)
        self._methods: tuple[str, ...] = ()
        self._told_missing = False
        self._connect_actions()
        self._connect_state(keeping)

    def close(self) -> None:
        """Wait for what is measured and take no more."""
        self._meter.close()

    # ------------------------------------------------------------------ wiring

    def _connect_actions(self) -> None:
        actions = self._window.star_actions
        for tool, name in TOOL_NAMES.items():
            actions[name].triggered.connect(lambda on, tool=tool: self._take_up(tool, on))
        for name in SHAPE_NAMES:
            actions[name].triggered.connect(lambda _=False, name=name: self._reshape(name))
        for name, slot in (
            ("structures", self._show_panel),
            ("find_liver", lambda: self._find_liver("classical")),
            ("find_liver_ts", lambda: self._find_liver("totalsegmentator")),
            ("brush_smaller", lambda: self._tools.widen(-1)),
            ("brush_larger", lambda: self._tools.widen(1)),
            ("export_masks", self._ask_export),
        ):
            actions[name].triggered.connect(lambda _=False, do=slot: do())
        actions["find_liver_ts"].setVisible(False)

    def _connect_state(self, keeping: Keeping) -> None:
        session, structures, panel = self._session, self._structures, self._window.structures
        session.pen_changed.connect(self._show_pen)
        session.volume_changed.connect(self._take_volume)
        session.masks_changed.connect(self._take_masks)
        keeping.brought_back.connect(self._offer_liver)
        self._tools.drawn.connect(self._draw)
        structures.busy_changed.connect(panel.show_busy)
        structures.busy_changed.connect(self._settle)
        self._meter.measured.connect(panel.show_volumes)
        panel.find_asked.connect(self._find_liver)
        self._runner.finished.connect(self._take)
        self._take_volume(session.volume)

    def _take_volume(self, volume: object) -> None:
        self._tools.settle()
        for spec in EDIT_SPECS:
            if spec.name not in _WITHOUT_CASE:
                self._window.star_actions[spec.name].setEnabled(volume is not None)
        if volume is not None and not self._methods:
            self._runner.submit(ListLiverMethods())

    def _take_masks(self, masks: Masks | None) -> None:
        if self._told_missing and _has_liver(masks):
            self._window.banners.withdraw(NO_LIVER)
            self._told_missing = False

    def _settle(self, busy: bool) -> None:
        if not busy:
            self._tools.settle()

    # ------------------------------------------------------------------ tools

    def _show_panel(self) -> None:
        self._window.tabs.setCurrentWidget(self._window.structures)

    def _take_up(self, tool: MaskTool, on: bool) -> None:
        self._session.set_pen(tool if on else None)
        if on:
            self._show_panel()

    def _show_pen(self, pen: StrEnum | None) -> None:
        actions = self._window.star_actions
        for tool, name in TOOL_NAMES.items():
            actions[name].setChecked(tool is pen)
        painting = isinstance(pen, MaskTool) and pen.paints
        for other, brush, key in _SIZE_KEYS:  # the keys follow what is in hand
            actions[brush].setShortcut(QKeySequence())
            actions[other].setShortcut(QKeySequence() if painting else QKeySequence(key))
            actions[brush].setShortcut(QKeySequence(key) if painting else QKeySequence())

    def _draw(self, stroke: Stroke) -> None:
        self._structures.edit(_in_words(stroke), partial(make_stroke, stroke))

    def _reshape(self, name: str) -> None:
        structure = self._tools.style.structure
        text = f"{self._window.star_actions[name].text()}: {STRUCTURE_NAMES[structure]}".lower()
        self._structures.edit(text, partial(shape_edit, name, structure, self._session.crosshair_mm))

    # ------------------------------------------------------------------ finding the liver

    def _offer_liver(self) -> None:
        """Say that no liver is drawn, with the button that draws it; nothing runs unasked."""
        if self._session.volume is None or EDITS_NAME in self._session.edits or _has_liver(self._session.masks):
            return
        self._told_missing = True
        self._window.banners.tell(NO_LIVER, button="Find the liver", action=lambda: self._find_liver("classical"))

    def _find_liver(self, method: str) -> None:
        if self._workflow.source is not None and self._session.volume is not None:
            self._show_panel()
            self._runner.submit(FindLiver(source=self._workflow.source, method=method))

    def _take(self, request: Request, answer: Any) -> None:
        match request:
            case FindLiver() if request.source == self._workflow.source:
                self._take_liver(answer)
            case ListLiverMethods():
                self._methods = answer
                self._window.structures.show_methods(answer)
                self._window.star_actions["find_liver_ts"].setVisible("totalsegmentator" in answer)
            case ExportSegmentation():
                message = f"The segmentation was written to {request.path.name}."
                self._window.banners.tell(message, severity=Severity.NOTE)

    def _take_liver(self, found: FoundLiver) -> None:
        self._structures.edit("find the liver", partial(draw_liver, found.liver), is_automatic=True)
        self._window.banners.tell(" ".join(finding.message for finding in found.findings))

    # ------------------------------------------------------------------ export

    def _ask_export(self) -> None:
        masks = self._session.masks
        if masks is None or not masks.known:
            self._window.banners.tell("There is nothing to export: no structure is drawn.")
            return
        suggested = "segmentation.dcm" if self._session.case is None else f"{self._session.case.case_id}-seg.dcm"
        file, _ = QFileDialog.getSaveFileName(
            self._window,
            "Export segmentation",
            suggested,
            "DICOM (*.dcm)",
            options=QFileDialog.Option.DontConfirmOverwrite,
        )
        if file:
            self.export(Path(file))

    def export(self, path: Path) -> None:
        """Write the structures as they stand; an existing file is never replaced."""
        if self._workflow.source is None:
            return
        if not self._structures.is_settled:
            self._when_settled(lambda: self.export(path))
            return
        self._runner.submit(ExportSegmentation(source=self._workflow.source, path=path, edits=self._workflow.edits))

    def _when_settled(self, do: Callable[[], object]) -> None:
        def once() -> None:
            self._structures.settled.disconnect(once)
            do()

        self._structures.settled.connect(once)


def _has_liver(masks: Masks | None) -> bool:
    return masks is not None and bool(masks.known & Structure.LIVER)


def _in_words(stroke: Stroke) -> str:
    name = STRUCTURE_NAMES[stroke.structure].lower()
    words: Mapping[MaskTool, str] = {
        MaskTool.BRUSH: f"paint the {name}",
        MaskTool.ERASER: f"erase from the {name}",
        MaskTool.ADD_LIVER: "add to the liver",
        MaskTool.TAKE_LIVER: "take from the liver",
        MaskTool.GROW_TUMOUR: "tumour from a click",
    }
    return words[stroke.tool]
