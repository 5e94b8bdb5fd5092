"""The CT slice of one view: the first CT, the later one, one fading into the other, or their difference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkCommonCore import vtkLookupTable
from vtkmodules.vtkRenderingCore import vtkImageSlice, vtkImageSliceMapper, vtkRenderer

from star_core.types import DoubleArray
from star_viewer.display import Comparison, Interpolation
from star_viewer.scene.cameras import to_turn_matrix
from star_viewer.scene.colours import build_difference_table
from star_viewer.scene.cutting import Cutter, SliceImage
from star_viewer.scene.orientation import SliceKind
from star_viewer.scene.state import ENDED_HU, SceneState, is_unchanged
from star_viewer.scene.vtk_data import build_image, build_lookup_table, build_vectors, planar_to_matrix4

_AIR_HU = -1024.0
_OUTSIDE_HU = -2048.0  # where the later CT ends, as it was resampled
_THIN_IN_BOTH_HU = -500


class CtLayer:
    """Shows one slice or slab, interpolated on screen as asked; a view of the later CT alone where ``is_later``."""

    def __init__(self, kind: SliceKind, renderer: vtkRenderer, *, is_later: bool = False) -> None:
        self._kind, self._is_later = kind, is_later
        self._first_cut, self._later_cut = _Cut(kind, _AIR_HU), _Cut(kind, _OUTSIDE_HU)
        self._first, self._later = _GreySlice(kind, renderer), _GreySlice(kind, renderer)
        self._difference = _DifferenceSlice(kind, renderer)

    def update(self, state: SceneState) -> None:
        """Follow the volumes, the plane, the slice, the slab, the window and how both CTs are compared."""
        shown = self._shown(state)
        fade = {Comparison.LATER: 1.0, Comparison.FADE: state.display.fade}.get(shown, 0.0)
        is_difference = shown is Comparison.DIFFERENCE
        first = None if state.volume is None else state.volume.voxels_hu
        later = None if state.later is None else state.later.volume.voxels_hu
        motion = None if state.later is None else state.later.motion_lps
        motion = None if motion is None or np.array_equal(motion, np.eye(4)) else motion
        still = None if motion is None or not is_difference else np.eye(4)
        first_cut = self._first_cut.cut(state, first, still) if fade < 1.0 else None
        later_cut = self._later_cut.cut(state, later, motion) if fade > 0.0 or is_difference else None
        self._first.update(state, None if is_difference else first_cut)
        self._later.update(state, None if is_difference else later_cut, fade)
        self._difference.update(state, first_cut if is_difference else None, later_cut)

    def _shown(self, state: SceneState) -> Comparison:
        if self._is_later:
            return Comparison.LATER
        return Comparison.FIRST if state.comparison is Comparison.SIDE else state.comparison


class _Cut:
    """The slice of one CT, cut anew when something about it changes."""

    def __init__(self, kind: SliceKind, background: float) -> None:
        self._kind, self._cutter = kind, Cutter(background)
        self._made: tuple[object, ...] = ()
        self._image: SliceImage | None = None
        self._voxels: NDArray[np.int16] | None = None
        self._motion: DoubleArray | None = None

    def cut(
        self, state: SceneState, voxels: NDArray[np.int16] | None, motion_lps: DoubleArray | None
    ) -> SliceImage | None:
        if voxels is None:
            self._image, self._made, self._voxels = None, (), None
            return None
        plane, slice_index, style = state.planes[self._kind], state.slice_index(self._kind), state.display
        wanted = (plane, slice_index, state.slab, style.interpolation)
        same_motion = (motion_lps is None) == (self._motion is None) and (
            motion_lps is None or np.array_equal(motion_lps, self._motion)  # type: ignore[arg-type]
        )
        if self._image is None or voxels is not self._voxels or not same_motion or not is_unchanged(self._made, wanted):
            self._image = self._cutter.cut(
                voxels, plane, slice_index, slab=state.slab, interpolation=style.interpolation, motion_lps=motion_lps
            )
            self._made, self._voxels, self._motion = wanted, voxels, motion_lps
        return self._image


class _Slice:
    """An image that lies on the view."""

    def __init__(self, kind: SliceKind, renderer: vtkRenderer) -> None:
        self._kind = kind
        self._mapper = vtkImageSliceMapper()
        self._mapper.BorderOn()
        self._slice = vtkImageSlice()
        self._slice.SetMapper(self._mapper)
        self._slice.GetProperty().SetLayerNumber(0)
        self._slice.VisibilityOff()
        renderer.AddViewProp(self._slice)

    def _place(self, state: SceneState, to_screen: DoubleArray) -> None:
        turn = to_turn_matrix(state.slice_cameras[self._kind].turn)
        self._slice.SetUserMatrix(planar_to_matrix4(turn @ to_screen))
        look = self._slice.GetProperty()
        if state.display.interpolation is Interpolation.NEAREST:
            look.SetInterpolationTypeToNearest()
        else:
            look.SetInterpolationTypeToLinear()
        self._slice.VisibilityOn()


class _GreySlice(_Slice):
    """A slice in grey through the window."""

    def __init__(self, kind: SliceKind, renderer: vtkRenderer) -> None:
        super().__init__(kind, renderer)
        self._greys = {inverted: _build_greys(inverted) for inverted in (False, True)}
        self._shown: SliceImage | None = None

    def update(self, state: SceneState, cut: SliceImage | None, opacity: float = 1.0) -> None:
        if cut is None or opacity <= 0.0:
            self._slice.VisibilityOff()
            return
        if cut is not self._shown:
            self._mapper.SetInputData(build_image(cut.pixels))
            self._shown = cut
        look = self._slice.GetProperty()
        look.SetLookupTable(self._greys[state.display.inverted])
        look.SetColorWindow(state.window_level.width_hu)
        look.SetColorLevel(state.window_level.centre_hu)
        look.SetOpacity(opacity)
        self._place(state, cut.to_screen)


class _DifferenceSlice(_Slice):
    """The later CT minus the first, in colours; nothing where one of them ends, or both are air or lung."""

    def __init__(self, kind: SliceKind, renderer: vtkRenderer) -> None:
        super().__init__(kind, renderer)
        self._slice.GetProperty().SetLookupTable(None)
        self._table = build_difference_table(255)
        self._shown: tuple[object, ...] = ()

    def update(self, state: SceneState, first: SliceImage | None, later: SliceImage | None) -> None:
        if first is None or later is None:
            self._slice.VisibilityOff()
            return
        wanted = (first, later, state.difference_hu)
        if not is_unchanged(self._shown, wanted):
            colours = _to_colours(first.pixels, later.pixels, state.difference_hu, self._table)
            height, width = first.pixels.shape
            image = build_image(np.zeros((height, width), np.uint8))
            image.GetPointData().SetScalars(build_vectors(colours.reshape(-1, 4)))
            self._mapper.SetInputData(image)
            self._shown = wanted
        # Colours are shown as they are: a window of 255 about their middle changes nothing.
        self._slice.GetProperty().SetColorWindow(255.0)
        self._slice.GetProperty().SetColorLevel(127.5)
        self._place(state, first.to_screen)


def _to_colours(
    first_hu: NDArray[np.int16], later_hu: NDArray[np.int16], most_hu: float, table: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return (H, W, 4) RGBA of two slices' difference."""
    difference = later_hu.astype(np.float32) - first_hu
    middle = (len(table) - 1) / 2
    index = np.clip(np.rint(middle + middle * difference / most_hu), 0, len(table) - 1).astype(np.intp)
    colours = np.empty((*first_hu.shape, 4), dtype=np.uint8)
    colours[..., :3] = table[index]
    ended = (first_hu <= ENDED_HU) | (later_hu <= ENDED_HU)
    colours[..., 3] = np.where(ended | (np.maximum(first_hu, later_hu) < _THIN_IN_BOTH_HU), 0, 255)
    return colours


def _build_greys(inverted: bool) -> vtkLookupTable:
    ramp = np.arange(256, dtype=np.uint8)[:: -1 if inverted else 1]
    greys = np.stack([ramp, ramp, ramp, np.full(256, 255, np.uint8)], axis=1)
    return build_lookup_table(greys, 255.0)
