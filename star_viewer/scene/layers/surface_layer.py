"""The structures as solid bodies in the 3D view."""

from __future__ import annotations

from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkRenderer

from star_viewer.scene.state import SceneState
from star_viewer.scene.surfaces import Surface
from star_viewer.scene.vtk_data import build_mesh, build_vectors


class SurfaceLayer:
    """Shows the surfaces that were built for the case."""

    def __init__(self, renderer: vtkRenderer) -> None:
        self._renderer = renderer
        self._surfaces: tuple[Surface, ...] = ()
        self._actors: list[vtkActor] = []

    def update(self, state: SceneState) -> None:
        """Follow the surfaces."""
        if state.surfaces is self._surfaces:
            return
        for actor in self._actors:
            self._renderer.RemoveActor(actor)
        self._surfaces = state.surfaces
        self._actors = [_build_actor(surface) for surface in state.surfaces]
        for actor in self._actors:
            self._renderer.AddActor(actor)


def _build_actor(surface: Surface) -> vtkActor:
    mesh = build_mesh(surface.mesh.points_mm, surface.mesh.triangles)
    mesh.GetPointData().SetNormals(build_vectors(surface.mesh.normals))
    mapper = vtkPolyDataMapper()
    mapper.SetInputData(mesh)
    mapper.ScalarVisibilityOff()
    actor = vtkActor()
    actor.SetMapper(mapper)
    look = actor.GetProperty()
    look.SetInterpolationToGouraud()
    look.SetColor(*(channel / 255 for channel in surface.colour))
    look.SetOpacity(surface.opacity)
    look.SetAmbient(0.12 if surface.opacity == 1 else 0.3)
    look.SetDiffuse(0.85)
    look.SetSpecular(0.18)
    look.SetSpecularPower(25)
    if surface.opacity < 1:
        # One wall only: the far wall of a translucent body would darken what lies inside.
        look.BackfaceCullingOn()
    return actor
