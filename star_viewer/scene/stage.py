"""The VTK side of the scene: one render window, one viewport for each view, and the layers in them.

A stage is built, used and released by one thread. All views share one offscreen window and thus one OpenGL context:
they are drawn in one pass and appear in the same frame, and Qt never owns an OpenGL surface.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np
import vtkmodules.vtkRenderingOpenGL2
import vtkmodules.vtkRenderingVolumeOpenGL2  # noqa: F401  (registers the OpenGL classes)
from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
from vtkmodules.vtkRenderingCore import vtkLight, vtkRenderer, vtkRenderWindow

from star_viewer.scene.cameras import VIEW_ANGLE_DEG, build_screen_map, to_turn_matrix
from star_viewer.scene.colours import BACKGROUND
from star_viewer.scene.kept_pictures import KeptPictures, Needs, needs_of
from star_viewer.scene.layers.ct_layer import CtLayer
from star_viewer.scene.layers.ct_volume_layer import CtVolumeLayer
from star_viewer.scene.layers.outline_layer import OutlineLayer
from star_viewer.scene.layers.risk_layer import RiskLayer, risk_extent_mm
from star_viewer.scene.layers.risk_volume_layer import RiskVolumeLayer
from star_viewer.scene.layers.segment_layer import SegmentLayer
from star_viewer.scene.layers.surface_layer import SurfaceLayer
from star_viewer.scene.orientation import SliceKind
from star_viewer.scene.state import SOLID, Frame, LaterView, Patch, Rect, SceneState, ViewName, slice_kind_of
from star_viewer.scene.vtk_data import to_array


class Layer(Protocol):
    """What every layer can do."""

    def update(self, state: SceneState) -> None:
        """Make the layer's VTK objects show a state."""


class Stage:
    """Draws states; see the module's text for threads."""

    def __init__(self) -> None:
        self._window = vtkRenderWindow()
        self._window.SetOffScreenRendering(True)
        self._window.SetMultiSamples(0)
        self._window.SetSize(64, 64)
        self._renderers: dict[ViewName, vtkRenderer] = {}
        self._layers: dict[ViewName, list[Layer]] = {}
        self._drawn: dict[ViewName, Needs] = {}
        self._kept = KeptPictures()
        self._may_stop = self._was_stopped = False
        self._buffer = vtkUnsignedCharArray()
        for kind in SliceKind:
            renderer = self._add_slice_renderer(kind)
            self._layers[kind] = [
                CtLayer(kind, renderer),
                SegmentLayer(kind, renderer),
                RiskLayer(kind, renderer),
                OutlineLayer(kind, renderer),
            ]
        for view in LaterView:
            renderer = self._add_slice_renderer(view)
            self._layers[view] = [CtLayer(view.kind, renderer, is_later=True), OutlineLayer(view.kind, renderer)]
        solid = self._add_renderer(SOLID)
        _add_lights(solid)
        self._layers[SOLID] = [SurfaceLayer(solid), CtVolumeLayer(solid), RiskVolumeLayer(solid)]

    def _add_slice_renderer(self, name: ViewName) -> vtkRenderer:
        renderer = self._add_renderer(name)
        renderer.GetActiveCamera().ParallelProjectionOn()
        return renderer

    def _add_renderer(self, name: ViewName) -> vtkRenderer:
        renderer = vtkRenderer()
        renderer.SetBackground(*(channel / 255 for channel in BACKGROUND))
        renderer.DrawOff()
        # Nothing translucent here overlaps itself; sorting it out costs half a frame in software.
        renderer.SetUseOIT(False)
        self._window.AddRenderer(renderer)
        self._renderers[name] = renderer
        return renderer

    def open(self) -> None:
        """Make the OpenGL context ahead of the first frame."""
        self._window.Render()

    def draw(self, state: SceneState) -> Frame:
        """Draw the views that differ from what was drawn last and return their pictures."""
        if tuple(self._window.GetSize()) != state.canvas:
            self._window.SetSize(*state.canvas)
            self._drawn.clear()
            self._kept.clear()
        patches: dict[ViewName, Patch] = {}
        parts: dict[ViewName, Rect] = {}
        before = dict(self._drawn)
        for name in state.rects:
            needs = needs_of(state, name)
            drawn = self._drawn.get(name)
            if drawn is not None and drawn.serves(needs):
                continue
            kept = self._kept.find(name, needs)
            if kept is not None and drawn is not None and drawn.differs_in_risk_only(needs):
                patches[name] = kept
                self._drawn[name] = needs.sharpened()
            else:
                parts[name] = self._changed_part(state, name)
                self._drawn[name] = needs
        only_sharper = bool(parts) and all(
            name in before and before[name].sharpened().serves(self._drawn[name]) for name in parts
        )
        drawn_parts = self._draw_parts(state, parts, may_stop=only_sharper)
        if parts and not drawn_parts:
            self._drawn = before
        for name, patch in drawn_parts.items():
            patches[name] = patch
            self._kept.keep(name, self._drawn[name], self._risk_part(state, name), patch)
        return Frame(state, patches)

    def prepare(self, state: SceneState) -> bool:
        """Draw one picture of another year ahead of time; return whether there is more to prepare.

        What is on screen stays; the next change of year finds its pictures finished.
        """
        if state.risk is None or not state.overlay.visible or state.draft or not self._drawn:
            return False
        sizes = {name: self._risk_part(state, name) for name in state.rects}
        for year in self._kept.years_ahead(state.year, sum(4 * part.width * part.height for part in sizes.values())):
            other = replace(state, year=year)
            for name, part in sizes.items():
                needs = needs_of(other, name)
                if self._kept.find(name, needs) is None:
                    drawn = self._draw_parts(other, {name: part}, may_stop=True)
                    if name in drawn:
                        self._kept.keep(name, needs, part, drawn[name])
                    return True
        return False

    def _draw_parts(
        self, state: SceneState, parts: Mapping[ViewName, Rect], *, may_stop: bool
    ) -> dict[ViewName, Patch]:
        """Draw parts of views; return nothing where drawing might stop for something newer, and did."""
        if not parts:
            return {}
        for name, renderer in self._renderers.items():
            renderer.SetDraw(name in parts)
        for name, part in parts.items():
            for layer in self._layers[name]:
                layer.update(state)
            self._aim(state, name, part)
        self._was_stopped, self._may_stop = False, may_stop
        self._window.Render()
        self._may_stop = False
        if self._was_stopped:
            return {}
        return {name: self._read(state, name, part) for name, part in parts.items()}

    def stop(self) -> None:
        """Leave what is drawn now unfinished, if it is not urgent; the one method that another thread may call.

        Rays look at this flag row by row.
        """
        if self._may_stop:
            self._was_stopped = True
            self._window.SetAbortRender(1)

    def _changed_part(self, state: SceneState, name: ViewName) -> Rect:
        """Return the part of a view to draw anew: where only the risk changed, no more than where risk can show."""
        drawn = self._drawn.get(name)
        if drawn is not None and state.risk is not None and drawn.differs_in_risk_only(needs_of(state, name)):
            return self._risk_part(state, name)
        return Rect(0, 0, state.rects[name].width, state.rects[name].height)

    def _risk_part(self, state: SceneState, name: ViewName) -> Rect:
        whole = Rect(0, 0, state.rects[name].width, state.rects[name].height)
        if isinstance(name, LaterView):
            return Rect(0, 0, 2, 2)
        if not isinstance(name, SliceKind) or state.risk is None:
            return whole
        plane = state.planes[name]
        screen = build_screen_map(plane, state.slice_cameras[name], (whole.width, whole.height))
        u_low, u_high, v_low, v_high = risk_extent_mm(plane, state.risk)
        xs, ys = zip(screen.to_pixel(u_low, v_low), screen.to_pixel(u_high, v_high), strict=True)
        x, y = max(int(min(xs)) - 1, 0), max(int(min(ys)) - 1, 0)
        width, height = min(int(max(xs)) + 2, whole.width) - x, min(int(max(ys)) + 2, whole.height) - y
        return Rect(x, y, width, height) if width > 1 and height > 1 else Rect(0, 0, 2, 2)

    def _aim(self, state: SceneState, name: ViewName, part: Rect) -> None:
        rect, (width, height) = state.rects[name], state.canvas
        x, y = rect.x + part.x, rect.y + part.y
        renderer = self._renderers[name]
        renderer.SetViewport(
            x / width, (height - y - part.height) / height, (x + part.width) / width, (height - y) / height
        )
        camera = renderer.GetActiveCamera()
        kind = slice_kind_of(name)
        if kind is not None:
            screen = build_screen_map(state.planes[kind], state.slice_cameras[kind], (rect.width, rect.height))
            u_mm, v_mm = screen.to_mm(part.x + part.width / 2, part.y + part.height / 2)
            # Layers lay their slices turned; the camera always stands upright.
            right_mm, up_mm = (to_turn_matrix(screen.turn)[:2, :2] @ [u_mm, v_mm]).tolist()
            camera.SetFocalPoint(right_mm, up_mm, 0.0)
            camera.SetPosition(right_mm, up_mm, 100.0)
            camera.SetViewUp(0.0, 1.0, 0.0)
            camera.SetParallelScale(part.height * screen.mm_per_pixel / 2)
            camera.SetClippingRange(1.0, 200.0)
            return
        position_mm, focus_mm, up = state.orbit.look_at((rect.width, rect.height))
        camera.SetFocalPoint(*focus_mm)
        camera.SetPosition(*position_mm)
        camera.SetViewUp(*up)
        camera.SetViewAngle(VIEW_ANGLE_DEG)
        renderer.ResetCameraClippingRange()

    def _read(self, state: SceneState, name: ViewName, part: Rect) -> Patch:
        left = state.rects[name].x + part.x
        bottom = state.canvas[1] - state.rects[name].y - part.y - part.height
        self._window.GetRGBACharPixelData(  # type: ignore[call-overload]
            left, bottom, left + part.width - 1, bottom + part.height - 1, 0, self._buffer
        )
        pixels = to_array(self._buffer)[: part.width * part.height * 4].reshape(part.height, part.width, 4)
        return Patch(part.x, part.y, np.array(pixels[::-1], order="C"))

    def release(self) -> None:
        """Give the OpenGL context back; the stage draws no more."""
        for renderer in self._renderers.values():
            renderer.RemoveAllViewProps()
            self._window.RemoveRenderer(renderer)
        self._window.Finalize()
        self._layers.clear()
        self._renderers.clear()


def _add_lights(renderer: vtkRenderer) -> None:
    renderer.AutomaticLightCreationOff()
    lights: Iterable[tuple[tuple[float, float, float], float]] = (((-0.5, 0.8, 1.0), 0.85), ((0.9, -0.3, 0.6), 0.3))
    for position, intensity in lights:
        light = vtkLight()
        light.SetLightTypeToCameraLight()
        light.SetPosition(*position)
        light.SetFocalPoint(0.0, 0.0, 0.0)
        light.SetIntensity(intensity)
        renderer.AddLight(light)
