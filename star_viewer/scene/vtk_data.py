"""Bridges from NumPy values to VTK data; the only place that knows how VTK lays out memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util import numpy_support
from vtkmodules.vtkCommonCore import vtkDataArray, vtkLookupTable, vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkImageData, vtkPolyData
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from star_core.types import DoubleArray, Geometry


def build_scalars(array: NDArray[np.generic]) -> vtkDataArray:
    """Return a VTK array over the same memory; VTK keeps the memory alive."""
    scalars: vtkDataArray = _to_vtk(np.ascontiguousarray(array).reshape(-1))
    return scalars


def build_vectors(array: NDArray[np.generic]) -> Any:
    """Return an (N, C) array copied into a VTK array of C components."""
    return _to_vtk(np.ascontiguousarray(array), deep=True)


def to_array(vtk_array: Any) -> NDArray[Any]:
    """Return a view of a VTK array's memory; copy it where the VTK array does not live on."""
    array: NDArray[Any] = numpy_support.vtk_to_numpy(vtk_array)  # type: ignore[no-untyped-call]
    return array


def _to_vtk(array: NDArray[Any], *, deep: bool = False) -> Any:
    return numpy_support.numpy_to_vtk(array, deep=deep)  # type: ignore[no-untyped-call]


def build_ids(array: NDArray[np.integer[Any]]) -> Any:
    """Return point numbers or offsets copied into VTK's array of ids."""
    array = np.ascontiguousarray(array, dtype=np.int64)
    return numpy_support.numpy_to_vtkIdTypeArray(array, deep=True)  # type: ignore[no-untyped-call]


def build_image(array: NDArray[np.generic], *, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> vtkImageData:
    """Return a (D, H, W) or (H, W) array as an image whose x runs along the last axis; ``spacing`` is (x, y, z)."""
    shape = array.shape if array.ndim == 3 else (1, *array.shape)
    image = vtkImageData()
    image.SetDimensions(shape[2], shape[1], shape[0])
    image.SetSpacing(*spacing)
    image.GetPointData().SetScalars(build_scalars(array))
    return image


def to_matrix4(matrix: DoubleArray) -> vtkMatrix4x4:
    """Return a (4, 4) array as VTK's matrix."""
    vtk_matrix = vtkMatrix4x4()
    vtk_matrix.DeepCopy([float(value) for value in np.asarray(matrix).ravel()])
    return vtk_matrix


def planar_to_matrix4(matrix: DoubleArray) -> vtkMatrix4x4:
    """Return a (3, 3) homogeneous map of the plane as VTK's (4, 4) matrix."""
    full = np.eye(4)
    full[:2, :2] = matrix[:2, :2]
    full[:2, 3] = matrix[:2, 2]
    return to_matrix4(full)


def multiply_points(mesh: vtkPolyData, geometry: Geometry) -> vtkPolyData:
    """Take a mesh from index space times spacing (x = column, y = row, z = slice) to LPS mm, outside kept outside."""
    points = to_array(mesh.GetPoints().GetData()).astype(np.float64)
    directions = geometry.affine_lps[:3, :3] / np.linalg.norm(geometry.affine_lps[:3, :3], axis=0)
    points_mm = points[:, ::-1] @ directions.T + geometry.affine_lps[:3, 3]
    triangles = to_array(mesh.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    # Reversing (slice, row, column) to (x, y, z) mirrors once; a left-handed grid mirrors a second time.
    if np.linalg.det(directions) > 0:
        triangles = triangles[:, ::-1]
    return build_mesh(points_mm.astype(np.float32), triangles)


def build_mesh(points_mm: NDArray[np.float32], triangles: NDArray[np.int64]) -> vtkPolyData:
    """Return triangles as VTK's polygons."""
    points = vtkPoints()
    points.SetData(build_vectors(points_mm))
    cells = vtkCellArray()
    offsets = build_ids(np.arange(0, 3 * len(triangles) + 1, 3))
    connectivity = build_ids(triangles.reshape(-1))
    cells.SetData(offsets, connectivity)
    mesh = vtkPolyData()
    mesh.SetPoints(points)
    mesh.SetPolys(cells)
    return mesh


def build_lookup_table(colours: NDArray[np.uint8], top: float) -> vtkLookupTable:
    """Return a table from 0 to ``top`` over (N, 4) RGBA bytes."""
    table = vtkLookupTable()
    table.SetNumberOfTableValues(len(colours))
    table.SetTable(build_vectors(colours))
    table.SetRange(0.0, top)
    return table
