"""The grey CT slice of one view."""

from __future__ import annotations

import numpy as np
from vtkmodules.vtkCommonCore import vtkLookupTable
from vtkmodules.vtkRenderingCore import vtkImageSlice, vtkImageSliceMapper, vtkRenderer

from star_viewer.display import Interpolation
from star_viewer.scene.cameras import to_turn_matrix
from star_viewer.scene.cutting import Cutter
from star_viewer.scene.orientation import SliceKind
from star_viewer.scene.state import SceneState, is_unchanged
from star_viewer.scene.vtk_data import build_image, build_lookup_table, planar_to_matrix4

_AIR_HU = -1024.0


class CtLayer:
    """Shows one slice or slab, interpolated on screen as asked and grey through the window."""

    def __init__(self, kind: SliceKind, renderer: vtkRenderer) -> None:
        self._kind = kind
        self._cutter = Cutter(_AIR_HU)
        self._mapper = vtkImageSliceMapper()
        self._mapper.BorderOn()
        self._slice = vtkImageSlice()
        self._slice.SetMapper(self._mapper)
        self._slice.GetProperty().SetLayerNumber(0)
        self._slice.VisibilityOff()
        self._shown: tuple[object, ...] = ()
        self._to_screen = np.eye(3)
        self._greys = {inverted: _build_greys(inverted) for inverted in (False, True)}
        renderer.AddViewProp(self._slice)

    def update(self, state: SceneState) -> None:
        """Follow the volume, the plane, the slice, the slab and the window."""
        if state.volume is None:
            self._slice.VisibilityOff()
            self._shown = ()
            return
        plane, slice_index, style = state.planes[self._kind], state.slice_index(self._kind), state.display
        wanted = (state.volume, plane, slice_index, state.slab, style.interpolation)
        if not is_unchanged(self._shown, wanted):
            cut = self._cutter.cut(
                state.volume.voxels_hu, plane, slice_index, slab=state.slab, interpolation=style.interpolation
            )
            self._mapper.SetInputData(build_image(cut.pixels))
            self._to_screen = cut.to_screen
            self._shown = wanted
        turn = to_turn_matrix(state.slice_cameras[self._kind].turn)
        self._slice.SetUserMatrix(planar_to_matrix4(turn @ self._to_screen))
        look = self._slice.GetProperty()
        if style.interpolation is Interpolation.NEAREST:
            look.SetInterpolationTypeToNearest()
        else:
            look.SetInterpolationTypeToLinear()
        look.SetLookupTable(self._greys[style.inverted])
        look.SetColorWindow(state.window_level.width_hu)
        look.SetColorLevel(state.window_level.centre_hu)
        self._slice.VisibilityOn()


def _build_greys(inverted: bool) -> vtkLookupTable:
    ramp = np.arange(256, dtype=np.uint8)[:: -1 if inverted else 1]
    greys = np.stack([ramp, ramp, ramp, np.full(256, 255, np.uint8)], axis=1)
    return build_lookup_table(greys, 255.0)
