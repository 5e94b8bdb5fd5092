"""Couinaud's segments on one slice view: a faint fill, and a thin border between neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkRenderingCore import vtkImageSlice, vtkImageSliceMapper, vtkRenderer

from star_core.types import SEGMENTS, BoolArray
from star_viewer.display import SEGMENT_COLOURS, Interpolation
from star_viewer.scene.cameras import to_turn_matrix
from star_viewer.scene.cutting import Cutter
from star_viewer.scene.orientation import SliceKind
from star_viewer.scene.state import SceneState, is_unchanged
from star_viewer.scene.vtk_data import build_image, build_lookup_table, planar_to_matrix4

_BORDER = len(SEGMENTS) + 1
_BORDER_COLOUR = (235, 240, 245)
_FILL_SHARE = 0.6
_LAYERS = (1, 3)


class SegmentLayer:
    """Cuts the labels where the slice lies; colours come from a table."""

    def __init__(self, kind: SliceKind, renderer: vtkRenderer) -> None:
        self._kind = kind
        self._cutter = Cutter(0.0)
        self._mapper = vtkImageSliceMapper()
        self._mapper.BorderOn()
        # The fill lies beneath the risk, whose colours must stay what they are; the borders lie above it.
        self._fill, self._border = (_build_slice(self._mapper, layer) for layer in _LAYERS)
        self._shown: tuple[object, ...] = ()
        self._opacity = -1.0
        self._to_screen = np.eye(3)
        for part in (self._fill, self._border):
            renderer.AddViewProp(part)

    def update(self, state: SceneState) -> None:
        """Follow the segments, the slice and the opacity."""
        style = state.display.segments
        if state.segments is None or state.volume is None or not style.visible:
            for part in (self._fill, self._border):
                part.VisibilityOff()
            self._shown = ()
            return
        plane, slice_index = state.planes[self._kind], state.slice_index(self._kind)
        wanted = (state.segments, plane, slice_index)
        if not is_unchanged(self._shown, wanted):
            # Labels are no quantities: between voxels the nearest one is taken.
            cut = self._cutter.cut(state.segments.labels, plane, slice_index, interpolation=Interpolation.NEAREST)
            self._mapper.SetInputData(build_image(mark_borders(cut.pixels)))
            self._to_screen, self._shown = cut.to_screen, wanted
        if style.opacity != self._opacity:
            for part, colours in zip((self._fill, self._border), _build_colours(style.opacity), strict=True):
                part.GetProperty().SetLookupTable(build_lookup_table(colours, float(_BORDER)))
            self._opacity = style.opacity
        turn = to_turn_matrix(state.slice_cameras[self._kind].turn)
        for part in (self._fill, self._border):
            part.SetUserMatrix(planar_to_matrix4(turn @ self._to_screen))
            part.VisibilityOn()


def _build_slice(mapper: vtkImageSliceMapper, layer: int) -> vtkImageSlice:
    part = vtkImageSlice()
    part.SetMapper(mapper)
    look = part.GetProperty()
    look.SetInterpolationTypeToNearest()
    look.SetLayerNumber(layer)
    look.UseLookupTableScalarRangeOn()
    part.VisibilityOff()
    return part


def mark_borders(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return labels (H, W) with one pixel between two segments labelled as border."""
    marked = labels.copy()
    down: BoolArray = (labels[:-1] != labels[1:]) & (labels[:-1] > 0) & (labels[1:] > 0)
    right: BoolArray = (labels[:, :-1] != labels[:, 1:]) & (labels[:, :-1] > 0) & (labels[:, 1:] > 0)
    marked[:-1][down] = _BORDER
    marked[:, :-1][right] = _BORDER
    return marked


def _build_colours(opacity: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the RGBA tables of the fill and of the borders."""
    fill, border = np.zeros((2, _BORDER + 1, 4), dtype=np.uint8)
    for number, segment in enumerate(SEGMENTS, start=1):
        fill[number] = (*SEGMENT_COLOURS[segment], round(255 * _FILL_SHARE * opacity))
    border[_BORDER] = (*_BORDER_COLOUR, round(255 * min(1.0, 1.3 * opacity)))
    return fill, border
