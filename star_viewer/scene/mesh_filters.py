"""From a field on a grid to a smooth, light mesh; VTK's filters give up the interpreter lock while they work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkFiltersCore import (
    vtkFlyingEdges3D,
    vtkPolyDataNormals,
    vtkQuadricDecimation,
    vtkWindowedSincPolyDataFilter,
)

from star_core.types import FloatArray, Geometry
from star_viewer.scene.vtk_data import build_image, multiply_points, to_array


@dataclass(frozen=True, slots=True)
class Mesh:
    """Points and normals are float32 (N, 3) in LPS mm; triangles are int64 (M, 3) point numbers."""

    points_mm: FloatArray
    normals: FloatArray
    triangles: NDArray[np.int64]


def build_mesh_of(field: FloatArray, geometry: Geometry, *, level: float, most_triangles: int) -> Mesh | None:
    """Find the surface where a (D, H, W) field passes ``level``; ``None`` where it nowhere does."""
    mesh = _contour(field, geometry, level)
    if mesh.GetNumberOfCells() == 0:
        return None
    mesh = multiply_points(_thin_out(_smooth(mesh), most_triangles), geometry)
    normals = vtkPolyDataNormals()
    normals.SetInputData(mesh)
    normals.SplittingOff()
    normals.ConsistencyOff()
    normals.Update()
    mesh = normals.GetOutput()
    return Mesh(
        np.array(to_array(mesh.GetPoints().GetData()), dtype=np.float32),
        np.array(to_array(mesh.GetPointData().GetNormals()), dtype=np.float32),
        np.array(to_array(mesh.GetPolys().GetConnectivityArray()), dtype=np.int64).reshape(-1, 3),
    )


def _contour(field: FloatArray, geometry: Geometry, level: float) -> vtkPolyData:
    contour = vtkFlyingEdges3D()
    contour.SetInputData(build_image(field, spacing=geometry.spacing_mm[::-1]))
    contour.SetValue(0, level)
    contour.ComputeNormalsOff()
    contour.ComputeGradientsOff()
    contour.ComputeScalarsOff()
    contour.Update()
    mesh: vtkPolyData = contour.GetOutput()
    return mesh


def _smooth(mesh: vtkPolyData) -> vtkPolyData:
    smooth = vtkWindowedSincPolyDataFilter()
    smooth.SetInputData(mesh)
    smooth.SetNumberOfIterations(25)
    smooth.SetPassBand(0.03)
    smooth.NormalizeCoordinatesOn()
    smooth.NonManifoldSmoothingOn()
    smooth.Update()
    smoothed: vtkPolyData = smooth.GetOutput()
    return smoothed


def _thin_out(mesh: vtkPolyData, most_triangles: int) -> vtkPolyData:
    count = mesh.GetNumberOfCells()
    if count <= most_triangles:
        return mesh
    thin = vtkQuadricDecimation()
    thin.SetInputData(mesh)
    thin.SetTargetReduction(1 - most_triangles / count)
    thin.Update()
    thinned: vtkPolyData = thin.GetOutput()
    return thinned
