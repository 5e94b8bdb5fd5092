"""The structures' outlines on one slice view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkFiltersCore import vtkFlyingEdges2D
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkRenderer

from star_core.types import FloatArray, Masks, Structure
from star_viewer.scene.colours import STRUCTURE_COLOURS
from star_viewer.scene.orientation import SliceKind
from star_viewer.scene.state import SceneState
from star_viewer.scene.vtk_data import build_image, planar_to_matrix4

_OUTLINED = (
    Structure.LIVER,
    Structure.REMNANT,
    Structure.HEPATIC_VEINS,
    Structure.PORTAL_VEINS,
    Structure.TUMOUR,
)
_OPACITY = {Structure.REMNANT: 0.7, Structure.LIVER: 0.85}
_LEVEL = 0.45


class OutlineLayer:
    """Thin lines around each structure on the slice, traced anew when the slice changes."""

    def __init__(self, kind: SliceKind, renderer: vtkRenderer) -> None:
        self._kind = kind
        self._shown: tuple[Masks, int] | None = None
        self._actors: dict[Structure, vtkActor] = {}
        self._mappers: dict[Structure, vtkPolyDataMapper] = {}
        for height, structure in enumerate(_OUTLINED):
            actor, mapper = vtkActor(), vtkPolyDataMapper()
            mapper.ScalarVisibilityOff()
            actor.SetMapper(mapper)
            look = actor.GetProperty()
            look.LightingOff()
            look.SetColor(*(channel / 255 for channel in STRUCTURE_COLOURS[structure]))
            look.SetOpacity(_OPACITY.get(structure, 1.0))
            look.SetLineWidth(1.4)
            actor.SetPosition(0.0, 0.0, 1.0 + 0.1 * height)
            actor.VisibilityOff()
            renderer.AddActor(actor)
            self._actors[structure] = actor
            self._mappers[structure] = mapper

    def update(self, state: SceneState) -> None:
        """Follow the masks and the slice."""
        if state.masks is None or state.volume is None:
            for actor in self._actors.values():
                actor.VisibilityOff()
            self._shown = None
            return
        slice_index = state.slice_index(self._kind)
        if self._shown is None or self._shown[0] is not state.masks or self._shown[1] != slice_index:
            self._trace(state, state.masks, slice_index)
            self._shown = (state.masks, slice_index)

    def _trace(self, state: SceneState, masks: Masks, slice_index: int) -> None:
        plane = state.planes[self._kind]
        image_to_screen = plane.image_to_screen(slice_index)
        bits = np.take(masks.bits, slice_index, plane.normal_axis)
        for structure, actor in self._actors.items():
            found = _cut_out((bits & np.uint8(structure)) != 0)
            actor.SetVisibility(found is not None)
            if found is None:
                continue
            field, (row, column) = found
            edges = vtkFlyingEdges2D()
            edges.SetInputData(build_image(field))
            edges.ComputeScalarsOff()
            edges.SetValue(0, _LEVEL)
            edges.Update()
            self._mappers[structure].SetInputData(edges.GetOutput())
            shift = np.array([[1.0, 0.0, column], [0.0, 1.0, row], [0.0, 0.0, 1.0]])
            actor.SetUserMatrix(planar_to_matrix4(image_to_screen @ shift))


def _cut_out(inside: NDArray[np.bool_]) -> tuple[FloatArray, tuple[int, int]] | None:
    """Return the smoothed mask cut to its box with a margin, and the box's first row and column."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not rows.size:
        return None
    box = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    field = np.pad(box, 2).astype(np.float32)
    # A (1 2 1) / 4 kernel each way rounds the voxel steps and keeps vessels one voxel wide.
    for axis in (0, 1):
        field = 0.5 * field + 0.25 * (np.roll(field, 1, axis) + np.roll(field, -1, axis))
    return field.astype(np.float32, copy=False), (int(rows[0]) - 2, int(columns[0]) - 2)
