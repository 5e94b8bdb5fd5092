"""What is to be drawn, as one frozen value, and the pictures that answer it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from star_core.types import CouinaudSegments, Masks, Volume
from star_viewer.display import Comparison, DisplayStyle, Slab, SlabMode
from star_viewer.scene.body import CoarseCt
from star_viewer.scene.cameras import OrbitCamera, SliceCamera
from star_viewer.scene.oblique import Plane
from star_viewer.scene.orientation import SliceKind
from star_viewer.scene.risk_frames import RiskFrames, RiskPaint
from star_viewer.scene.surfaces import Surface
from star_viewer.session import IncidenceMode, LaterScan, OverlayStyle, PointMm, WindowLevel

SOLID = "solid"
ENDED_HU = -1500
"""At or below this, below air, a later CT has ended."""


class LaterView(StrEnum):
    """The views of the later CT beside those of the first one."""

    AXIAL = "later axial"
    CORONAL = "later coronal"
    SAGITTAL = "later sagittal"

    @property
    def kind(self) -> SliceKind:
        """The slice view beside which it stands."""
        return SliceKind[self.name]


ViewName = SliceKind | LaterView | str
"""A slice view, one of the later CT, or :data:`SOLID` for the 3D view."""


def slice_kind_of(name: ViewName) -> SliceKind | None:
    """Return which slices a view shows, ``None`` for the 3D view."""
    if isinstance(name, LaterView):
        return name.kind
    return name if isinstance(name, SliceKind) else None


Picture = NDArray[np.uint8]
"""(height, width, 4) RGBX of one view, top row first."""


@dataclass(frozen=True, slots=True)
class Rect:
    """Place of a view on the shared canvas in device pixels, y downwards."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SceneState:
    """One moment of the scene; layers compare its parts by identity to see what changed."""

    volume: Volume | None
    planes: Mapping[SliceKind, Plane]
    masks: Masks | None
    surfaces: tuple[Surface, ...]
    risk: RiskFrames | None
    year: int
    mode: IncidenceMode
    crosshair_mm: PointMm
    window_level: WindowLevel
    overlay: OverlayStyle
    slice_cameras: Mapping[SliceKind, SliceCamera]
    orbit: OrbitCamera
    canvas: tuple[int, int]
    rects: Mapping[ViewName, Rect]
    display: DisplayStyle = field(default_factory=DisplayStyle)
    segments: CouinaudSegments | None = None
    corner_lines: tuple[str, ...] = ()
    paint: RiskPaint | None = None
    body: CoarseCt | None = None
    later: LaterScan | None = None
    draft: bool = False
    generation: int = 0  # counts volumes taken over, so that a view that was cleared is drawn anew

    @property
    def slab(self) -> Slab:
        """What the slice views show of the neighbouring slices."""
        mode = self.display.slab_mode
        return Slab(mode, 0.0 if mode is SlabMode.THIN else self.display.slab_mm)

    @property
    def comparison(self) -> Comparison:
        """How the later CT is seen; without one the first is seen alone."""
        return Comparison.FIRST if self.later is None else self.display.comparison

    @property
    def difference_hu(self) -> float:
        """The difference at the ends of its scale: half of the grey window."""
        return self.window_level.width_hu / 2

    def shown_text(self, *, beside: bool) -> str:
        """Return which CT a slice view shows, ``beside`` for a view of the later one; empty where there is but one."""
        if self.later is None:
            return ""
        named = f"later CT, {self.later.label}"
        match self.comparison:
            case Comparison.SIDE:
                return named if beside else "first CT"
            case Comparison.LATER:
                return named
            case Comparison.FADE:
                return f"{100 * self.display.fade:.0f} % {named}"
            case Comparison.DIFFERENCE:
                return f"{named}, minus first"
        return "first CT"

    def slice_index(self, kind: SliceKind) -> int:
        """Return the index of the slice that a view shows."""
        return self.planes[kind].slice_index_of(np.array(self.crosshair_mm))


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """New pixels of a view and where their upper left corner lies in it."""

    x: int
    y: int
    pixels: Picture


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What changed in the views since the frame before; ``state`` is what all views show now."""

    state: SceneState
    patches: Mapping[ViewName, Patch] = field(default_factory=dict)


def is_unchanged(drawn: tuple[object, ...], wanted: tuple[object, ...]) -> bool:
    """Compare what two pictures depend on; images by identity, as comparing voxels would cost more than drawing."""
    return len(drawn) == len(wanted) and all(
        one is other or (not isinstance(one, Volume | Masks | CouinaudSegments) and one == other)
        for one, other in zip(drawn, wanted, strict=True)
    )
