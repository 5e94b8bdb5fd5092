"""The structures' outlines on one slice view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkFiltersCore import vtkFlyingEdges2D
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkRenderer

from star_core.types import DoubleArray, FloatArray, Masks, Structure
from star_viewer.display import Interpolation
from star_viewer.scene.cameras import to_turn_matrix
from star_viewer.scene.colours import STRUCTURE_COLOURS
from star_viewer.scene.cutting import Cutter
from star_viewer.scene.orientation import SliceKind
from star_viewer.scene.state import SceneState, is_unchanged
from star_viewer.scene.vtk_data import build_ids, build_image, build_vectors, planar_to_matrix4, to_array

# Later lines lie on top.
_OUTLINED = (
    Structure.REMNANT,
    Structure.LIVER,
    Structure.HEPATIC_VEINS,
    Structure.PORTAL_VEINS,
    Structure.TUMOUR,
)
_LEVEL = 0.45
_HEIGHT = 1.0


class OutlineLayer:
    """Thin lines around each structure on the slice, traced anew when the slice changes; all in one mesh."""

    def __init__(self, kind: SliceKind, renderer: vtkRenderer) -> None:
        self._kind = kind
        self._shown: tuple[object, ...] = ()
        self._cutter = Cutter(0.0)
        self._mapper = vtkPolyDataMapper()
        self._mapper.SetScalarModeToUseCellData()
        self._actor = vtkActor()
        self._actor.SetMapper(self._mapper)
        self._actor.GetProperty().LightingOff()
        self._actor.VisibilityOff()
        renderer.AddActor(self._actor)

    def update(self, state: SceneState) -> None:
        """Follow the masks and the slice."""
        if state.masks is None or state.volume is None:
            self._actor.VisibilityOff()
            self._shown = ()
            return
        slice_index = state.slice_index(self._kind)
        wanted = (state.masks, state.planes[self._kind], slice_index, state.display.structures)
        if not is_unchanged(self._shown, wanted):
            self._trace(state, state.masks, slice_index)
            self._shown = wanted
        turn = to_turn_matrix(state.slice_cameras[self._kind].turn)
        self._actor.SetUserMatrix(planar_to_matrix4(turn))

    def _trace(self, state: SceneState, masks: Masks, slice_index: int) -> None:
        # Bits are no quantities: between voxels the nearest one is taken.
        cut = self._cutter.cut(masks.bits, state.planes[self._kind], slice_index, interpolation=Interpolation.NEAREST)
        points, segments, colours, count = [], [], [], 0
        for structure in _OUTLINED:
            style = state.display.structures[structure]
            traced = _trace_mask((cut.pixels & np.uint8(structure)) != 0) if style.visible else None
            if traced is not None:
                points.append(traced[0])
                segments.append(traced[1] + count)
                rgba = (*STRUCTURE_COLOURS[structure], round(255 * style.opacity))
                colours.append(np.tile(np.array(rgba, np.uint8), (len(traced[1]), 1)))
                count += len(traced[0])
        self._actor.SetVisibility(bool(points))
        if points:
            screen_mm = np.concatenate(points) @ cut.to_screen[:2, :2].T + cut.to_screen[:2, 2]
            self._mapper.SetInputData(_build_lines(screen_mm, np.concatenate(segments), np.concatenate(colours)))


def _trace_mask(inside: NDArray[np.bool_]) -> tuple[DoubleArray, NDArray[np.int64]] | None:
    """Return (N, 2) points (column, row) and (M, 2) point numbers of the segments around a mask."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not rows.size:
        return None
    field = _smooth(inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    edges = vtkFlyingEdges2D()
    edges.SetInputData(build_image(field))
    edges.ComputeScalarsOff()
    edges.SetValue(0, _LEVEL)
    edges.Update()
    lines = edges.GetOutput()
    if lines.GetNumberOfCells() == 0:
        return None
    points = to_array(lines.GetPoints().GetData())[:, :2].astype(np.float64)
    segments = np.array(to_array(lines.GetLines().GetConnectivityArray()), dtype=np.int64).reshape(-1, 2)
    return points + np.array([columns[0] - _MARGIN, rows[0] - _MARGIN]), segments


_MARGIN = 2


def _smooth(inside: NDArray[np.bool_]) -> FloatArray:
    """Round the voxel steps by a (1 2 1) / 4 kernel each way, which keeps vessels one voxel wide; add a margin."""
    field = np.pad(inside, _MARGIN).astype(np.float32)
    for axis in (0, 1):
        field = 0.5 * field + 0.25 * (np.roll(field, 1, axis) + np.roll(field, -1, axis))
    return field.astype(np.float32, copy=False)


def _build_lines(screen_mm: DoubleArray, segments: NDArray[np.int64], colours: NDArray[np.uint8]) -> vtkPolyData:
    points = vtkPoints()
    heights = np.full((len(screen_mm), 1), _HEIGHT)
    points.SetData(build_vectors(np.hstack([screen_mm, heights]).astype(np.float32)))
    cells = vtkCellArray()
    cells.SetData(build_ids(np.arange(0, 2 * len(segments) + 1, 2)), build_ids(segments.reshape(-1)))
    mesh = vtkPolyData()
    mesh.SetPoints(points)
    mesh.SetLines(cells)
    mesh.GetCellData().SetScalars(build_vectors(colours))
    return mesh
