"""Planes that cut the 3D view open where slice views lie."""

from __future__ import annotations

from vtkmodules.vtkCommonDataModel import vtkPlane

from star_viewer.scene.state import SceneState


def build_clip_planes(state: SceneState) -> list[vtkPlane]:
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
