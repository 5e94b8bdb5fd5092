"""The risk map on one slice view."""

from __future__ import annotations

import numpy as np
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkImagingCore import vtkImageReslice
from vtkmodules.vtkRenderingCore import vtkImageSlice, vtkImageSliceMapper, vtkRenderer

from star_core.types import DoubleArray
from star_viewer.display import Comparison
from star_viewer.scene.cameras import to_turn_matrix
from star_viewer.scene.colours import build_overlay_table
from star_viewer.scene.oblique import Plane
from star_viewer.scene.orientation import SliceKind
from star_viewer.scene.risk_frames import RiskFrames
from star_viewer.scene.state import SceneState
from star_viewer.scene.vtk_data import build_image, build_lookup_table, build_scalars, planar_to_matrix4, to_matrix4

_CELL_MM = 1.5


class RiskLayer:
    """Cuts the coarse map where the slice lies, in millimetres; a change of year only swaps the map's values."""

    def __init__(self, kind: SliceKind, renderer: vtkRenderer) -> None:
        self._kind = kind
        self._image = vtkImageData()
        self._cut = vtkImageReslice()
        self._cut.SetOutputDimensionality(2)
        self._cut.SetInterpolationModeToLinear()
        self._cut.SetBackgroundLevel(0.0)
        self._cut.SetOutputSpacing(1.0, 1.0, 1.0)
        self._mapper = vtkImageSliceMapper()
        self._slice = vtkImageSlice()
        look = self._slice.GetProperty()
        look.SetInterpolationTypeToLinear()
        look.SetLayerNumber(2)
        look.UseLookupTableScalarRangeOn()
        self._slice.VisibilityOff()
        self._frames: RiskFrames | None = None
        self._shown: tuple[object, ...] = ()
        self._coloured: tuple[object, ...] = ()
        self._placed: tuple[object, ...] = ()
        renderer.AddViewProp(self._slice)

    def update(self, state: SceneState) -> None:
        """Follow the map, the year, the slice and the overlay's style."""
        # Beside the colours of a difference those of the risk could not be told.
        hidden = not state.overlay.visible or state.comparison is Comparison.DIFFERENCE
        if state.risk is None or state.volume is None or hidden:
            self._slice.VisibilityOff()
            return
        if state.risk is not self._frames:
            self._take_over(state.risk)
        self._show_year(state)
        self._colour(state)
        self._place(state)
        self._slice.VisibilityOn()

    def _take_over(self, frames: RiskFrames) -> None:
        self._frames = frames
        self._scalars = {mode: [build_scalars(year) for year in values] for mode, values in frames.percent.items()}
        self._image = build_image(next(iter(frames.percent.values()))[0])
        self._cut.SetInputData(self._image)
        self._mapper.SetInputConnection(self._cut.GetOutputPort())
        self._slice.SetMapper(self._mapper)
        self._shown = self._coloured = self._placed = ()

    def _show_year(self, state: SceneState) -> None:
        shown = (state.mode, state.year)
        if shown != self._shown:
            self._image.GetPointData().SetScalars(self._scalars[state.mode][state.year - 1])
            self._image.Modified()
            self._shown = shown

    def _colour(self, state: SceneState) -> None:
        assert state.risk is not None
        coloured = (state.mode, state.overlay)
        if coloured != self._coloured:
            colours = build_overlay_table(
                state.overlay.opacity, state.overlay.threshold_fraction, colour_map=state.overlay.colour_map
            )
            self._slice.GetProperty().SetLookupTable(build_lookup_table(colours, state.risk.top[state.mode]))
            self._coloured = coloured

    def _place(self, state: SceneState) -> None:
        assert state.risk is not None
        plane = state.planes[self._kind]
        slice_index = state.slice_index(self._kind)
        turn = state.slice_cameras[self._kind].turn
        if self._placed == (plane, slice_index, turn):
            return
        cut_to_screen, width, height = _layout(plane, state.risk)
        to_lps = plane.screen_to_lps(slice_index) @ _lift(cut_to_screen)
        to_index = np.linalg.inv(state.risk.geometry.affine_lps) @ to_lps
        # VTK's (x, y, z) are (column, row, slice).
        self._cut.SetResliceAxes(to_matrix4(to_index[[2, 1, 0, 3]]))
        self._cut.SetOutputExtent(0, width - 1, 0, height - 1, 0, 0)
        self._cut.SetOutputOrigin(0.0, 0.0, 0.0)
        self._slice.SetUserMatrix(planar_to_matrix4(to_turn_matrix(turn) @ cut_to_screen))
        self._placed = (plane, slice_index, turn)


def risk_extent_mm(plane: Plane, frames: RiskFrames) -> tuple[float, float, float, float]:
    """Return (u_min, u_max, v_min, v_max) of where a map can show on a view, on whichever slice."""
    low, high = frames.bounds_mm()
    corners_mm = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    u_mm, v_mm = plane.to_screen_mm(corners_mm).T
    margin_mm = 3 * _CELL_MM
    return (
        float(u_mm.min()) - margin_mm,
        float(u_mm.max()) + margin_mm,
        float(v_mm.min()) - margin_mm,
        float(v_mm.max()) + margin_mm,
    )


def _layout(plane: Plane, frames: RiskFrames) -> tuple[DoubleArray, int, int]:
    """Return the (3, 3) map from cells of the cut to screen mm and the cut's width and height in cells."""
    u_low, u_high, v_low, v_high = risk_extent_mm(plane, frames)
    matrix = np.diag([_CELL_MM, _CELL_MM, 1.0])
    matrix[:2, 2] = u_low + _CELL_MM, v_low + _CELL_MM
    return matrix, int((u_high - u_low) / _CELL_MM) - 1, int((v_high - v_low) / _CELL_MM) - 1


def _lift(planar: DoubleArray) -> DoubleArray:
    full = np.eye(4)
    full[:2, :2] = planar[:2, :2]
    full[:2, 3] = planar[:2, 2]
    return full
