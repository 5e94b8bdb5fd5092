"""The image of one slice: voxels as acquired where the grid allows it, interpolated where a plane lies across it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkImagingCore import vtkImageReslice

from star_core.types import DoubleArray
from star_viewer.display import Interpolation, Slab, SlabMode
from star_viewer.scene.oblique import ObliquePlane, Plane, cover_mm
from star_viewer.scene.orientation import SlicePlane
from star_viewer.scene.vtk_data import build_image, to_array, to_matrix4

_FINEST_MM, _MOST_CELLS = 0.6, 700
_SHEARED_COSINE = 0.9995
_SLAB_STEP_MM = 1.0


THIN = Slab()


@dataclass(frozen=True, slots=True, eq=False)
class SliceImage:
    """(H, W) pixels and the (3, 3) map from (column, row, 1) to screen mm."""

    pixels: NDArray[Any]
    to_screen: DoubleArray


class Cutter:
    """Cuts slices of one array after another; VTK's filter and the array it looks at are kept between cuts."""

    def __init__(self, background: float) -> None:
        self._background = background
        self._voxels: NDArray[Any] | None = None
        self._reslice: vtkImageReslice | None = None

    def cut(
        self,
        voxels: NDArray[Any],
        plane: Plane,
        slice_index: int,
        *,
        slab: Slab = THIN,
        interpolation: Interpolation = Interpolation.LINEAR,
        motion_lps: DoubleArray | None = None,
    ) -> SliceImage:
        """Return the slice of a (D, H, W) array on the plane's grid.

        With ``motion_lps``, a (4, 4) motion on LPS mm, the array is seen as if it had been moved. It is then
        interpolated also where nothing moves, so that two arrays can be compared cell by cell.
        """
        if motion_lps is not None:
            return self._cut_across(voxels, plane, slice_index, slab, interpolation, motion_lps)
        if isinstance(plane, SlicePlane) and (slab.mode is SlabMode.THIN or not _is_sheared(plane)):
            indices = slab_indices(plane, slice_index, slab)
            if interpolation is Interpolation.CUBIC:
                return self._refine(
                    _project(voxels, plane.normal_axis, indices, slab.mode), plane.image_to_screen(slice_index)
                )
            return SliceImage(
                _project(voxels, plane.normal_axis, indices, slab.mode), plane.image_to_screen(slice_index)
            )
        return self._cut_across(voxels, plane, slice_index, slab, interpolation)

    def _refine(self, pixels: NDArray[Any], to_screen: DoubleArray) -> SliceImage:
        """Put pixels between those of a slice by cubic interpolation, as software OpenGL has none of its own."""
        factor = max(min(_MOST_CELLS * 2 // max(pixels.shape), 4), 1)
        height, width = ((size - 1) * factor + 1 for size in pixels.shape)
        refine = vtkImageReslice()
        refine.SetInputData(build_image(pixels))
        refine.SetInterpolationModeToCubic()
        refine.SetOutputSpacing(1 / factor, 1 / factor, 1.0)
        refine.SetOutputOrigin(0.0, 0.0, 0.0)
        refine.SetOutputExtent(0, width - 1, 0, height - 1, 0, 0)
        refine.Update()
        refined = to_array(refine.GetOutput().GetPointData().GetScalars()).reshape(height, width)
        return SliceImage(np.array(refined), to_screen @ np.diag([1 / factor, 1 / factor, 1.0]))

    def _cut_across(
        self,
        voxels: NDArray[Any],
        plane: Plane,
        slice_index: int,
        slab: Slab,
        interpolation: Interpolation,
        motion_lps: DoubleArray | None = None,
    ) -> SliceImage:
        reslice = self._reslice_of(voxels)
        cells_to_screen, width, height = _lay_cells(plane)
        to_lps = plane.screen_to_lps(slice_index) @ _lift(cells_to_screen)
        if motion_lps is not None:
            to_lps = np.linalg.inv(motion_lps) @ to_lps
        to_index = np.linalg.inv(plane.geometry.affine_lps) @ to_lps
        # VTK's (x, y, z) are (column, row, slice).
        reslice.SetResliceAxes(to_matrix4(to_index[[2, 1, 0, 3]]))
        reslice.SetOutputExtent(0, width - 1, 0, height - 1, 0, 0)
        _set_interpolation(reslice, interpolation)
        _set_slab(reslice, slab)
        reslice.Update()
        pixels = to_array(reslice.GetOutput().GetPointData().GetScalars()).reshape(height, width)
        return SliceImage(np.array(pixels), cells_to_screen)

    def _reslice_of(self, voxels: NDArray[Any]) -> vtkImageReslice:
        if self._reslice is None or self._voxels is not voxels:
            reslice = vtkImageReslice()
            reslice.SetOutputDimensionality(2)
            reslice.SetOutputSpacing(1.0, 1.0, 1.0)
            reslice.SetOutputOrigin(0.0, 0.0, 0.0)
            reslice.SetBackgroundLevel(self._background)
            reslice.SetInputData(build_image(voxels))
            self._reslice, self._voxels = reslice, voxels
        return self._reslice


def slab_indices(plane: SlicePlane, slice_index: int, slab: Slab) -> slice:
    """Return the slices whose centres lie within half the slab's thickness of the one shown."""
    if slab.mode is SlabMode.THIN:
        return slice(slice_index, slice_index + 1)
    edge_mm = plane.geometry.affine_lps[:3, plane.normal_axis]
    gap_mm = abs(float(edge_mm @ plane.frame_lps[2]))
    reach = int(slab.thickness_mm / 2 / gap_mm + 1e-6)
    return slice(max(slice_index - reach, 0), min(slice_index + reach + 1, plane.slice_count))


def _project(voxels: NDArray[Any], axis: int, indices: slice, mode: SlabMode) -> NDArray[Any]:
    projected: NDArray[Any]
    part = voxels[(slice(None),) * axis + (indices,)]
    match mode:
        case SlabMode.MAXIMUM:
            projected = part.max(axis=axis)
        case SlabMode.MINIMUM:
            projected = part.min(axis=axis)
        case SlabMode.MEAN:
            projected = np.round(part.mean(axis=axis, dtype=np.float32)).astype(voxels.dtype)
        case SlabMode.THIN:
            projected = np.ascontiguousarray(np.take(part, 0, axis))
    return projected


def _is_sheared(plane: SlicePlane) -> bool:
    """Tell whether slices are shifted against each other (a tilted gantry), so that a stack is no slab."""
    edge_mm = plane.geometry.affine_lps[:3, plane.normal_axis]
    return abs(float(edge_mm @ plane.frame_lps[2])) < _SHEARED_COSINE * float(np.linalg.norm(edge_mm))


def _lay_cells(plane: Plane) -> tuple[DoubleArray, int, int]:
    u_min, u_max, v_min, v_max = cover_mm(plane) if isinstance(plane, ObliquePlane) else plane.extent_mm()
    finest_mm = max(min(plane.geometry.spacing_mm), _FINEST_MM)
    cell_mm = max(finest_mm, (u_max - u_min) / _MOST_CELLS, (v_max - v_min) / _MOST_CELLS)
    matrix = np.diag([cell_mm, cell_mm, 1.0])
    matrix[:2, 2] = u_min, v_min
    return matrix, int((u_max - u_min) / cell_mm) + 1, int((v_max - v_min) / cell_mm) + 1


def _lift(planar: DoubleArray) -> DoubleArray:
    full = np.eye(4)
    full[:2, :2] = planar[:2, :2]
    full[:2, 3] = planar[:2, 2]
    return full


def _set_interpolation(reslice: vtkImageReslice, interpolation: Interpolation) -> None:
    match interpolation:
        case Interpolation.NEAREST:
            reslice.SetInterpolationModeToNearestNeighbor()
        case Interpolation.LINEAR:
            reslice.SetInterpolationModeToLinear()
        case Interpolation.CUBIC:
            reslice.SetInterpolationModeToCubic()


def _set_slab(reslice: vtkImageReslice, slab: Slab) -> None:
    reach = 0 if slab.mode is SlabMode.THIN else int(slab.thickness_mm / 2 / _SLAB_STEP_MM)
    reslice.SetSlabNumberOfSlices(2 * reach + 1)
    reslice.SetSlabSliceSpacingFraction(_SLAB_STEP_MM)
    match slab.mode:
        case SlabMode.MAXIMUM:
            reslice.SetSlabModeToMax()
        case SlabMode.MINIMUM:
            reslice.SetSlabModeToMin()
        case SlabMode.MEAN | SlabMode.THIN:
            reslice.SetSlabModeToMean()
