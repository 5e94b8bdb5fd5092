"""Smooth surfaces of structures, built off the GUI thread; VTK's filters give up the interpreter lock meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_core.types import BoolArray, DoubleArray, FloatArray, Geometry, Masks, Structure, Volume
from star_viewer.scene.colours import BONE, LIVER_SURFACE, STRUCTURE_COLOURS, Rgb

_MOST_TRIANGLES = 60_000
_BONE_HU = 220


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """A triangle mesh in patient space.

    ``points_mm`` and ``normals`` are float32 (N, 3) in LPS; ``triangles`` is int64 (M, 3) of point numbers.
    """

    name: str
    points_mm: FloatArray
    normals: FloatArray
    triangles: NDArray[np.int64]
    colour: Rgb
    opacity: float

    def bounds_mm(self) -> DoubleArray:
        """Return the (2, 3) low and high corner in LPS mm."""
        return np.stack([self.points_mm.min(axis=0), self.points_mm.max(axis=0)]).astype(np.float64)


@dataclass(frozen=True, slots=True)
class _Recipe:
    cell_mm: float
    level: float
    colour: Rgb
    opacity: float


_RECIPES = {
    Structure.LIVER: _Recipe(2.5, 0.5, LIVER_SURFACE, 0.30),
    Structure.HEPATIC_VEINS: _Recipe(1.3, 0.35, STRUCTURE_COLOURS[Structure.HEPATIC_VEINS], 1.0),
    Structure.PORTAL_VEINS: _Recipe(1.3, 0.35, STRUCTURE_COLOURS[Structure.PORTAL_VEINS], 1.0),
    Structure.TUMOUR: _Recipe(1.3, 0.5, STRUCTURE_COLOURS[Structure.TUMOUR], 1.0),
}


def build_mask_surfaces(masks: Masks) -> tuple[Surface, ...]:
    """Build a surface for each structure that 3D shows and that is present."""
    surfaces = []
    for structure, recipe in _RECIPES.items():
        inside = masks.mask_of(structure)
        box = _padded_box(inside)
        if box is None:
            continue
        field, geometry = _coarsen(inside, masks.geometry, box, recipe.cell_mm)
        surface = _build_surface(structure.name or "", field, geometry, recipe.level, recipe.colour, recipe.opacity)
        if surface is not None:
            surfaces.append(surface)
    return tuple(surfaces)


def build_body_surfaces(volume: Volume) -> tuple[Surface, ...]:
    """Build the bones as a landmark for a patient without masks."""
    steps = [max(round(3.0 / spacing_mm), 1) for spacing_mm in volume.geometry.spacing_mm]
    coarse = volume.voxels_hu[:: steps[0], :: steps[1], :: steps[2]]
    if min(coarse.shape) < 2:
        return ()
    affine_lps = np.array(volume.geometry.affine_lps)
    affine_lps[:3, :3] = affine_lps[:3, :3] * steps
    geometry = Geometry(shape=(coarse.shape[0], coarse.shape[1], coarse.shape[2]), affine_lps=affine_lps)
    surface = _build_surface("BONE", coarse.astype(np.float32), geometry, _BONE_HU, BONE, 1.0)
    return () if surface is None else (surface,)


def _padded_box(inside: BoolArray) -> tuple[slice, slice, slice] | None:
    slices = np.flatnonzero(inside.any(axis=(1, 2)))
    if not slices.size:
        return None
    shadow = np.asarray(inside.any(axis=0))
    rows, columns = np.flatnonzero(shadow.any(axis=1)), np.flatnonzero(shadow.any(axis=0))
    depth, height, width = (slice(int(hit[0]), int(hit[-1]) + 1) for hit in (slices, rows, columns))
    return depth, height, width


def _coarsen(
    inside: BoolArray, geometry: Geometry, box: tuple[slice, slice, slice], cell_mm: float
) -> tuple[FloatArray, Geometry]:
    """Average a mask over blocks of about ``cell_mm``, with an empty margin that closes its surface."""
    factors = [max(round(cell_mm / spacing_mm), 1) for spacing_mm in geometry.spacing_mm]
    cut = inside[box].astype(np.float32)
    pads = [(factor, factor + (-cut.shape[axis]) % factor) for axis, factor in enumerate(factors)]
    padded = np.pad(cut, pads)
    for axis, factor in enumerate(factors):
        shape = list(padded.shape)
        shape[axis : axis + 1] = [shape[axis] // factor, factor]
        padded = padded.reshape(shape).mean(axis=axis + 1)
    start = [part.start - factor + (factor - 1) / 2 for part, factor in zip(box, factors, strict=True)]
    affine_lps = np.array(geometry.affine_lps)
    affine_lps[:3, 3] = geometry.index_to_lps(np.array(start))
    affine_lps[:3, :3] = affine_lps[:3, :3] * factors
    depth, height, width = padded.shape
    coarse = Geometry(shape=(depth, height, width), affine_lps=affine_lps)
    return np.ascontiguousarray(padded, dtype=np.float32), coarse


def _build_surface(
    name: str, field: FloatArray, geometry: Geometry, level: float, colour: Rgb, opacity: float
) -> Surface | None:
    from vtkmodules.vtkFiltersCore import (
        vtkFlyingEdges3D,
        vtkPolyDataNormals,
        vtkQuadricClustering,
        vtkWindowedSincPolyDataFilter,
    )

    from star_viewer.scene.vtk_data import build_image, multiply_points, to_array

    image = build_image(field, spacing=geometry.spacing_mm[::-1])
    contour = vtkFlyingEdges3D()
    contour.SetInputData(image)
    contour.SetValue(0, level)
    contour.ComputeNormalsOff()
    contour.ComputeGradientsOff()
    contour.ComputeScalarsOff()
    contour.Update()
    mesh = contour.GetOutput()
    if mesh.GetNumberOfCells() == 0:
        return None
    if mesh.GetNumberOfCells() > _MOST_TRIANGLES:
        cluster = vtkQuadricClustering()
        cluster.SetInputData(mesh)
        cluster.AutoAdjustNumberOfDivisionsOn()
        cluster.SetNumberOfDivisions(110, 110, 110)
        cluster.Update()
        mesh = cluster.GetOutput()
    smooth = vtkWindowedSincPolyDataFilter()
    smooth.SetInputData(mesh)
    smooth.SetNumberOfIterations(25)
    smooth.SetPassBand(0.02)
    smooth.NormalizeCoordinatesOn()
    smooth.NonManifoldSmoothingOn()
    smooth.Update()
    normals = vtkPolyDataNormals()
    normals.SetInputData(multiply_points(smooth.GetOutput(), geometry))
    normals.SplittingOff()
    normals.AutoOrientNormalsOff()
    normals.ConsistencyOff()
    normals.Update()
    mesh = normals.GetOutput()
    triangles = to_array(mesh.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return Surface(
        name=name,
        points_mm=np.array(to_array(mesh.GetPoints().GetData()), dtype=np.float32),
        normals=np.array(to_array(mesh.GetPointData().GetNormals()), dtype=np.float32),
        triangles=np.array(triangles, dtype=np.int64),
        colour=colour,
        opacity=opacity,
    )
