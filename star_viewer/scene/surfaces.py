"""Smooth surfaces of structures, built off the GUI thread; VTK's filters give up the interpreter lock meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from star_core.types import BoolArray, DoubleArray, FloatArray, Geometry, Masks, Structure, Volume
from star_viewer.scene.colours import BONE, LIVER_SURFACE, STRUCTURE_COLOURS, Rgb

if TYPE_CHECKING:
    from star_viewer.scene.mesh_filters import Mesh

LIVER = "LIVER"
_BONE_HU = 220
_BONE_TRIANGLES = 30_000


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A structure's surface in patient space and how it looks."""

    name: str
    mesh: Mesh
    colour: Rgb
    opacity: float

    def bounds_mm(self) -> DoubleArray:
        """Return the (2, 3) low and high corner in LPS mm."""
        return np.stack([self.mesh.points_mm.min(axis=0), self.mesh.points_mm.max(axis=0)]).astype(np.float64)


@dataclass(frozen=True, slots=True)
class _Recipe:
    cell_mm: float
    most_triangles: int
    level: float
    colour: Rgb
    opacity: float


_RECIPES = {
    Structure.LIVER: _Recipe(3.0, 8_000, 0.5, LIVER_SURFACE, 0.34),
    Structure.HEPATIC_VEINS: _Recipe(1.5, 10_000, 0.35, STRUCTURE_COLOURS[Structure.HEPATIC_VEINS], 1.0),
    Structure.PORTAL_VEINS: _Recipe(1.5, 10_000, 0.35, STRUCTURE_COLOURS[Structure.PORTAL_VEINS], 1.0),
    Structure.TUMOUR: _Recipe(1.5, 4_000, 0.5, STRUCTURE_COLOURS[Structure.TUMOUR], 1.0),
}


@dataclass(frozen=True, slots=True, eq=False)
class BuiltSurfaces:
    """Surfaces and the masks that they were built from."""

    masks: Masks
    surfaces: tuple[Surface, ...]


def build_mask_surfaces(masks: Masks, before: BuiltSurfaces | None = None) -> tuple[Surface, ...]:
    """Build a surface for each structure that 3D shows and that is present; what did not change since is kept."""
    from star_viewer.scene.mesh_filters import build_mesh_of  # loads VTK: in the worker, not at start-up

    changed = _find_changed(masks, before)
    kept = {} if before is None else {surface.name: surface for surface in before.surfaces}
    surfaces = []
    for structure, recipe in _RECIPES.items():
        if not changed & structure:
            if structure.name in kept:
                surfaces.append(kept[structure.name])
            continue
        inside = masks.mask_of(structure)
        box = _padded_box(inside)
        if box is None:
            continue
        field, geometry = _coarsen(inside, masks.geometry, box, recipe.cell_mm)
        mesh = build_mesh_of(field, geometry, level=recipe.level, most_triangles=recipe.most_triangles)
        if mesh is not None:
            surfaces.append(Surface(structure.name or "", mesh, recipe.colour, recipe.opacity))
    return tuple(surfaces)


def _find_changed(masks: Masks, before: BuiltSurfaces | None) -> int:
    """Return the bits of the structures whose voxels changed; slice by slice, so that no copy of all is made."""
    if before is None or before.masks.geometry != masks.geometry:
        return int(sum(_RECIPES))
    changed = 0
    for now, then in zip(masks.bits, before.masks.bits, strict=True):
        changed |= int(np.bitwise_or.reduce(now ^ then, axis=None))
    return changed


def build_body_surfaces(volume: Volume) -> tuple[Surface, ...]:
    """Build the bones as a landmark for a patient without masks."""
    from star_viewer.scene.mesh_filters import build_mesh_of

    steps = [max(round(3.0 / spacing_mm), 1) for spacing_mm in volume.geometry.spacing_mm]
    coarse = volume.voxels_hu[:: steps[0], :: steps[1], :: steps[2]]
    if min(coarse.shape) < 2:
        return ()
    affine_lps = np.array(volume.geometry.affine_lps)
    affine_lps[:3, :3] = affine_lps[:3, :3] * steps
    geometry = Geometry(shape=(coarse.shape[0], coarse.shape[1], coarse.shape[2]), affine_lps=affine_lps)
    mesh = build_mesh_of(coarse.astype(np.float32), geometry, level=_BONE_HU, most_triangles=_BONE_TRIANGLES)
    return () if mesh is None else (Surface("BONE", mesh, BONE, 1.0),)


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
