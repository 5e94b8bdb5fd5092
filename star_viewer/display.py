"""How a case is shown, apart from what is open: layout, slabs, layers, 3D presets, clipping, grey windows.

Plain frozen values and one object that tells changes. Views and panels read it; nothing here concerns a patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from PySide6.QtCore import QObject, Signal

from star_core.types import STRUCTURES, Segment, Structure

Rgb = tuple[int, int, int]
STRUCTURE_COLOURS: dict[Structure, Rgb] = {
    Structure.LIVER: (122, 214, 208),
    Structure.REMNANT: (244, 230, 140),
    Structure.HEPATIC_VEINS: (82, 146, 226),
    Structure.PORTAL_VEINS: (172, 146, 232),
    Structure.TUMOUR: (152, 222, 104),
}
STRUCTURE_NAMES: dict[Structure, str] = {
    Structure.LIVER: "Liver",
    Structure.REMNANT: "Liver remnant",
    Structure.HEPATIC_VEINS: "Hepatic veins",
    Structure.PORTAL_VEINS: "Portal veins",
    Structure.TUMOUR: "Tumours",
}
# A pale scheme by Paul Tol that colour-blind readers tell apart; neighbours in the liver differ in lightness too.
SEGMENT_COLOURS: dict[Segment, Rgb] = {
    Segment.I: (255, 170, 187),
    Segment.II: (119, 170, 221),
    Segment.III: (238, 221, 136),
    Segment.IV: (68, 187, 153),
    Segment.V: (238, 136, 102),
    Segment.VI: (153, 221, 255),
    Segment.VII: (170, 170, 0),
    Segment.VIII: (221, 221, 221),
}
THINNEST_SLAB_MM, THICKEST_SLAB_MM = 2.0, 200.0


@dataclass(frozen=True, slots=True)
class WindowLevel:
    """Grey window: centre and width in HU."""

    centre_hu: float
    width_hu: float


@dataclass(frozen=True, slots=True)
class WindowPreset:
    """A grey window with a name; its place in the list is its number key."""

    name: str
    window_level: WindowLevel


WINDOW_PRESETS: dict[str, WindowLevel] = {
    "abdomen": WindowLevel(40, 400),
    "liver": WindowLevel(100, 150),
    "bone": WindowLevel(400, 1800),
    "lung": WindowLevel(-600, 1500),
    "vessels": WindowLevel(130, 260),
    "whole": WindowLevel(500, 3000),
}
"""What the presets are until they are changed in the preferences."""


class Layout(StrEnum):
    """Which views share the space."""

    ONE = "one"
    TWO = "two"
    FOUR = "four"
    SOLID = "3d"


class Interpolation(StrEnum):
    """How CT voxels become screen pixels."""

    NEAREST = "nearest"
    LINEAR = "linear"
    CUBIC = "cubic"


class Comparison(StrEnum):
    """How a later CT is seen with the first one; the value is its name on screen."""

    FIRST = "first CT"
    LATER = "later CT"
    SIDE = "side by side"
    FADE = "fade"
    DIFFERENCE = "difference"


class SlabMode(StrEnum):
    """What a slice view shows of the slices about the crosshair's; the value is its name on screen."""

    THIN = "thin"
    MAXIMUM = "MIP"
    MEAN = "mean"
    MINIMUM = "MinIP"


@dataclass(frozen=True, slots=True)
class Slab:
    """How many millimetres are shown together, and how."""

    mode: SlabMode = SlabMode.THIN
    thickness_mm: float = 0.0


class ColourMap(StrEnum):
    """Colours of the risk: uniform in lightness, and told apart by colour-blind readers."""

    INFERNO = "inferno"
    MAGMA = "magma"
    VIRIDIS = "viridis"
    CIVIDIS = "cividis"


class SolidPreset(StrEnum):
    """What the 3D view shows; the value is its name on screen."""

    STRUCTURES = "structures and risk"
    RISK = "risk alone"
    PAINTED = "risk on the liver's surface"
    LIVER = "CT, liver only"
    VESSELS = "CT, vessels (portal venous)"
    BONE = "CT, bone"


@dataclass(frozen=True, slots=True)
class StructureStyle:
    """How one structure is shown, as outline and as surface."""

    visible: bool = True
    opacity: float = 1.0


def _all_shown() -> dict[Structure, StructureStyle]:
    return {structure: StructureStyle() for structure in STRUCTURES}


@dataclass(frozen=True, slots=True)
class DisplayStyle:
    """Everything about showing that is not the case's own.

    ``clip`` names the slice views whose planes cut the 3D view open, ``clip_far`` keeps the other side of them.
    ``fade`` is the share of the later CT, 0..1.
    """

    layout: Layout = Layout.FOUR
    corner_text: bool = True
    inverted: bool = False
    interpolation: Interpolation = Interpolation.LINEAR
    slab_mode: SlabMode = SlabMode.THIN
    slab_mm: float = 10.0
    structures: Mapping[Structure, StructureStyle] = field(default_factory=_all_shown)
    segments: StructureStyle = StructureStyle(visible=False, opacity=0.5)
    landmarks: bool = False
    preset: SolidPreset = SolidPreset.STRUCTURES
    clip: frozenset[str] = frozenset()
    clip_far: bool = False
    comparison: Comparison = Comparison.FIRST
    fade: float = 0.5


class Display(QObject):
    """The style of one window; tells a change when, and only when, there is one."""

    changed = Signal(object)  # DisplayStyle
    presets_changed = Signal(object)  # tuple[WindowPreset, ...]

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._style = DisplayStyle()
        self._presets = default_presets()

    @property
    def style(self) -> DisplayStyle:
        """How the case is shown now."""
        return self._style

    def change(self, **values: object) -> None:
        """Change some of the style's fields."""
        style = replace(self._style, **values)  # type: ignore[arg-type]
        slab_mm = min(max(style.slab_mm, THINNEST_SLAB_MM), THICKEST_SLAB_MM)
        style = replace(style, slab_mm=slab_mm)
        if style != self._style:
            self._style = style
            self.changed.emit(style)

    def change_structure(self, structure: Structure, **values: object) -> None:
        """Change how one structure is shown."""
        now = self._style.structures[structure]
        self.change(structures={**self._style.structures, structure: replace(now, **values)})  # type: ignore[arg-type]

    def change_segments(self, **values: object) -> None:
        """Change how Couinaud's segments are shown."""
        self.change(segments=replace(self._style.segments, **values))  # type: ignore[arg-type]

    @property
    def presets(self) -> tuple[WindowPreset, ...]:
        """The grey windows on the number keys."""
        return self._presets

    def set_presets(self, presets: tuple[WindowPreset, ...]) -> None:
        """Take over other grey windows."""
        if presets != self._presets:
            self._presets = presets
            self.presets_changed.emit(presets)


def default_presets() -> tuple[WindowPreset, ...]:
    """Return the presets of a first start."""
    return tuple(WindowPreset(name.capitalize(), window_level) for name, window_level in WINDOW_PRESETS.items())
