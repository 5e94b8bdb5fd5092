"""Planes that cut the 3D view open where slice views lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vtkmodules.vtkCommonDataModel import vtkPlane

from star_viewer.scene.state import SceneState


class Clipping:
    """Keeps the planes of VTK's mappers as a state wants them, and leaves mappers alone while nothing changes."""

    def __init__(self) -> None:
        self._shown: tuple[object, ...] | None = None

    def update(self, state: SceneState, mappers: Sequence[Any]) -> None:
        """Give the planes to all mappers; for other mappers another object is needed."""
        wanted = (clip_key(state), len(mappers))
        if wanted != self._shown:
            planes = _build_planes(state)
            for mapper in mappers:
                mapper.RemoveAllClippingPlanes()
                for plane in planes:
                    mapper.AddClippingPlane(plane)
            self._shown = wanted


def _build_planes(state: SceneState) -> list[vtkPlane]:
    """Return VTK's planes; each takes away what lies on the reader's side of a slice, or on the far side."""
    planes = []
    for kind, plane in state.planes.items():
        if kind in state.display.clip:
            sign = 1.0 if state.display.clip_far else -1.0
            clip = vtkPlane()
            clip.SetOrigin(*state.crosshair_mm)
            clip.SetNormal(*(sign * plane.frame_lps[2]))
            planes.append(clip)
    return planes


def clip_key(state: SceneState) -> tuple[object, ...]:
    """Return all that the planes depend on."""
    if not state.display.clip:
        return ()
    cutting = tuple(plane for kind, plane in state.planes.items() if kind in state.display.clip)
    return (state.display.clip, state.display.clip_far, state.crosshair_mm, cutting)
