"""The grey CT slice of one view."""

from __future__ import annotations

import numpy as np
from vtkmodules.vtkRenderingCore import vtkImageSlice, vtkImageSliceMapper, vtkRenderer

from star_viewer.scene.orientation import SliceKind
from star_viewer.scene.state import SceneState
from star_viewer.scene.vtk_data import build_image, planar_to_matrix4


class CtLayer:
    """Shows one acquired slice, interpolated linearly on screen and grey through the window."""

    def __init__(self, kind: SliceKind, renderer: vtkRenderer) -> None:
        self._kind = kind
        self._mapper = vtkImageSliceMapper()
        self._mapper.BorderOn()
        self._slice = vtkImageSlice()
        self._slice.SetMapper(self._mapper)
        self._slice.GetProperty().SetInterpolationTypeToLinear()
        self._slice.GetProperty().SetLayerNumber(0)
        self._slice.VisibilityOff()
        self._shown: tuple[object, int] | None = None
        renderer.AddViewProp(self._slice)

    def update(self, state: SceneState) -> None:
        """Follow the volume, the slice and the window."""
        if state.volume is None:
            self._slice.VisibilityOff()
            self._shown = None
            return
        slice_index = state.slice_index(self._kind)
        if self._shown is None or self._shown[0] is not state.volume or self._shown[1] != slice_index:
            plane = state.planes[self._kind]
            self._mapper.SetInputData(build_image(np.take(state.volume.voxels_hu, slice_index, plane.normal_axis)))
            self._slice.SetUserMatrix(planar_to_matrix4(plane.image_to_screen(slice_index)))
            self._shown = (state.volume, slice_index)
        look = self._slice.GetProperty()
        look.SetColorWindow(state.window_level.width_hu)
        look.SetColorLevel(state.window_level.centre_hu)
        self._slice.VisibilityOn()
