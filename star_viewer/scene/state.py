"""What is to be drawn, as one frozen value, and the pictures that answer it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from star_core.types import Masks, Volume
from star_viewer.scene.cameras import OrbitCamera, SliceCamera
from star_viewer.scene.orientation import SliceKind, SlicePlane
from star_viewer.scene.risk_frames import RiskFrames
from star_viewer.scene.surfaces import Surface
from star_viewer.session import IncidenceMode, OverlayStyle, PointMm, WindowLevel

SOLID = "solid"
ViewName = SliceKind | str
"""A slice view, or :data:`SOLID` for the 3D view."""

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
    planes: Mapping[SliceKind, SlicePlane]
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
    draft: bool = False
    generation: int = 0  # counts volumes taken over, so that a view that was cleared is drawn anew

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
