"""The structures as solid bodies in the 3D view, the liver painted with the risk where that is asked for."""

from __future__ import annotations

import numpy as np
from vtkmodules.vtkCommonCore import vtkDataArray
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkRenderer

from star_core.types import Structure
from star_viewer.display import DisplayStyle, StructureStyle
from star_viewer.scene.colours import build_risk_table
from star_viewer.scene.layers.clipping import Clipping
from star_viewer.scene.presets import LOOKS
from star_viewer.scene.risk_frames import RiskPaint
from star_viewer.scene.state import SceneState
from star_viewer.scene.surfaces import LIVER, Surface
from star_viewer.scene.vtk_data import build_lookup_table, build_mesh, build_scalars, build_vectors


class SurfaceLayer:
    """Shows the surfaces that were built for the case, as the preset, the layers' style and the clipping say."""

    def __init__(self, renderer: vtkRenderer) -> None:
        self._renderer = renderer
        self._surfaces: tuple[Surface, ...] = ()
        self._bodies: list[_Body] = []
        self._clipping = Clipping()

    def update(self, state: SceneState) -> None:
        """Follow the surfaces and how they are to be shown."""
        if state.surfaces is not self._surfaces:
            for body in self._bodies:
                self._renderer.RemoveActor(body.actor)
            self._surfaces = state.surfaces
            self._bodies = [_Body(surface) for surface in state.surfaces]
            self._clipping = Clipping()
            for body in self._bodies:
                self._renderer.AddActor(body.actor)
        self._clipping.update(state, [body.mapper for body in self._bodies])
        for body in self._bodies:
            body.update(state, is_clipped=bool(state.display.clip))


class _Body:
    """One surface and its VTK objects."""

    def __init__(self, surface: Surface) -> None:
        self.surface = surface
        self._mesh = build_mesh(surface.mesh.points_mm, surface.mesh.triangles)
        self._mesh.GetPointData().SetNormals(build_vectors(surface.mesh.normals))
        self.mapper = vtkPolyDataMapper()
        self.mapper.SetInputData(self._mesh)
        self.mapper.ScalarVisibilityOff()
        self.mapper.InterpolateScalarsBeforeMappingOn()
        self.actor = vtkActor()
        self.actor.SetMapper(self.mapper)
        look = self.actor.GetProperty()
        look.SetInterpolationToGouraud()
        look.SetColor(*(channel / 255 for channel in surface.colour))
        look.SetDiffuse(0.85)
        look.SetSpecular(0.18)
        look.SetSpecularPower(25)
        self._paint = _Paint(self._mesh, self.mapper)

    def update(self, state: SceneState, *, is_clipped: bool) -> None:
        look = LOOKS[state.display.preset]
        own = look.surfaces.get(self.surface.name, 0.0)
        style = _style_of(self.surface.name, state.display)
        self.actor.SetVisibility(own > 0 and style.visible and style.opacity > 0)
        opacity = own * style.opacity
        paint = state.paint if self.surface.name == LIVER and look.is_painted and state.overlay.visible else None
        self._paint.show(paint, state)
        shown = self.actor.GetProperty()
        shown.SetOpacity(opacity)
        shown.SetAmbient(0.12 if opacity == 1 else 0.3)
        # One wall only: the far wall of a translucent body would darken what lies inside.
        shown.SetBackfaceCulling(opacity < 1 and not is_clipped)


class _Paint:
    """The risk on a surface; a change of year only swaps the values at its points."""

    def __init__(self, mesh: vtkPolyData, mapper: vtkPolyDataMapper) -> None:
        self._mesh, self._mapper = mesh, mapper
        self._paint: RiskPaint | None = None
        self._scalars: dict[object, list[vtkDataArray]] = {}
        self._shown: tuple[object, ...] = ()
        self._coloured: tuple[object, ...] = ()

    def show(self, paint: RiskPaint | None, state: SceneState) -> None:
        self._mapper.SetScalarVisibility(paint is not None)
        if paint is None:
            return
        if paint is not self._paint:
            self._scalars = {mode: [build_scalars(year) for year in values] for mode, values in paint.percent.items()}
            self._paint, self._shown, self._coloured = paint, (), ()
        shown = (state.mode, state.year)
        if shown != self._shown:
            self._mesh.GetPointData().SetScalars(self._scalars[state.mode][state.year - 1])
            self._mesh.Modified()
            self._shown = shown
        coloured = (state.mode, state.overlay)
        if coloured != self._coloured:
            self._mapper.SetLookupTable(build_lookup_table(_build_paint_table(state), paint.source.top[state.mode]))
            self._mapper.UseLookupTableScalarRangeOn()
            self._coloured = coloured


def _build_paint_table(state: SceneState) -> np.ndarray:
    """Return (256, 4) colours: the liver's own below the threshold, the risk's above it."""
    table = np.full((256, 4), 255, dtype=np.uint8)
    table[:, :3] = build_risk_table(256, state.overlay.colour_map)
    table[np.linspace(0, 1, 256) < max(state.overlay.threshold_fraction, 1 / 256), :3] = _BARE_LIVER
    return table


_BARE_LIVER = (150, 132, 122)


def _style_of(name: str, style: DisplayStyle) -> StructureStyle:
    structure = Structure.__members__.get(name)
    return StructureStyle() if structure is None else style.structures[structure]
