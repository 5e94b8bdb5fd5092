"""What the tools that draw structures are set to: which structure, how wide, which grey values; what they drew last."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from PySide6.QtCore import QObject, Signal

from star_core.imaging.annotations import AnnotationPlane
from star_core.types import PointMm, Structure

SMALLEST_MM, LARGEST_MM = 0.5, 60.0
RADIUS_STEP = 1.2


class MaskTool(StrEnum):
    """The tools on a slice; the session's ``pen`` tells which is in hand."""

    BRUSH = "brush"
    ERASER = "eraser"
    ADD_LIVER = "add to the liver"
    TAKE_LIVER = "take from the liver"
    GROW_TUMOUR = "tumour at a click"

    @property
    def paints(self) -> bool:
        """Whether it draws with a round tip; the others take a click."""
        return self in (MaskTool.BRUSH, MaskTool.ERASER)


class Tip(StrEnum):
    """The form of the brush; the value is its name on screen."""

    FLAT = "on the slice"
    BALL = "ball"


@dataclass(frozen=True, slots=True)
class MaskToolStyle:
    """Structure that is edited, and the brush: radius in mm, form, and the HU that it is held to where ``gated``."""

    structure: Structure = Structure.LIVER
    radius_mm: float = 8.0
    tip: Tip = Tip.FLAT
    gated: bool = False
    lowest_hu: float = 60.0
    highest_hu: float = 200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """What was drawn at one go, or where was clicked: the tool, its setting then, points in LPS mm and the slice.

    ``slice_axis`` is the grid axis that the slice lies across, ``None`` on a slice across the grid.
    """

    tool: MaskTool
    style: MaskToolStyle
    path_mm: tuple[PointMm, ...]
    plane: AnnotationPlane
    slice_axis: int | None = None

    @property
    def structure(self) -> Structure:
        """The structure that it changes."""
        return structure_of(self.tool, self.style)


def structure_of(tool: MaskTool, style: MaskToolStyle) -> Structure:
    """Return the structure that a tool changes: the chosen one, unless the tool is about another."""
    match tool:
        case MaskTool.ADD_LIVER | MaskTool.TAKE_LIVER:
            return Structure.LIVER
        case MaskTool.GROW_TUMOUR:
            return Structure.TUMOUR
    return style.structure


class MaskTools(QObject):
    """The setting of one window's tools; what is drawn stays listed as pending until it is part of the structures."""

    changed = Signal(object)  # MaskToolStyle
    drawn = Signal(object)  # Stroke
    pending_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._style = MaskToolStyle()
        self._pending: tuple[Stroke, ...] = ()

    @property
    def style(self) -> MaskToolStyle:
        """How the tools are set now."""
        return self._style

    def change(self, **values: object) -> None:
        """Change some of the setting; the radius stays within its limits, and the HU in order."""
        style = replace(self._style, **values)  # type: ignore[arg-type]
        lowest, highest = sorted((style.lowest_hu, style.highest_hu))
        radius_mm = min(max(style.radius_mm, SMALLEST_MM), LARGEST_MM)
        style = replace(style, radius_mm=round(radius_mm, 1), lowest_hu=lowest, highest_hu=highest)
        if style != self._style:
            self._style = style
            self.changed.emit(style)

    def widen(self, steps: int) -> None:
        """Make the brush wider by steps of a fifth, or narrower."""
        self.change(radius_mm=self._style.radius_mm * RADIUS_STEP**steps)

    @property
    def pending(self) -> tuple[Stroke, ...]:
        """What was drawn and is not yet part of the structures."""
        return self._pending

    def draw(self, stroke: Stroke) -> None:
        """Hand over what was drawn."""
        self._pending = (*self._pending, stroke)
        self.drawn.emit(stroke)
        self.pending_changed.emit()

    def settle(self) -> None:
        """Forget what was pending: it is part of the structures, or cannot be."""
        if self._pending:
            self._pending = ()
            self.pending_changed.emit()
