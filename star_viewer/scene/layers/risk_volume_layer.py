"""The risk map as a glowing volume in the 3D view."""

from __future__ import annotations

import numpy as np
from vtkmodules.vtkCommonDataModel import vtkImageData, vtkPiecewiseFunction
from vtkmodules.vtkRenderingCore import vtkColorTransferFunction, vtkRenderer, vtkVolume
from vtkmodules.vtkRenderingVolume import vtkFixedPointVolumeRayCastMapper

from star_core.types import Geometry
from star_viewer.display import ColourMap
from star_viewer.scene.colours import build_risk_table
from star_viewer.scene.layers.clipping import Clipping
from star_viewer.scene.presets import LOOKS
from star_viewer.scene.risk_frames import RiskFrames
from star_viewer.scene.state import SceneState
from star_viewer.scene.vtk_data import build_image, build_scalars, to_matrix4

_DRAFT_PIXELS, _DRAFT_PIXELS_WITH_CT = 2.0, 4.0
_UNIT_MM = 10.0


class RiskVolumeLayer:
    """Casts rays on the CPU: where there is no graphics card this is several times faster than emulated shaders.

    Measured with software OpenGL on two cores, 700 x 500 pixels: 15 ms at every second pixel and 45 ms at every pixel,
    against 140 ms for the shader version.
    """

    def __init__(self, renderer: vtkRenderer) -> None:
        self._mapper = vtkFixedPointVolumeRayCastMapper()
        self._mapper.AutoAdjustSampleDistancesOff()
        self._mapper.IntermixIntersectingGeometryOn()
        self._volume = vtkVolume()
        self._volume.VisibilityOff()
        look = self._volume.GetProperty()
        look.SetInterpolationTypeToLinear()
        look.ShadeOff()
        look.SetScalarOpacityUnitDistance(_UNIT_MM)
        self._clipping = Clipping()
        self._image = vtkImageData()
        self._frames: RiskFrames | None = None
        self._shown: tuple[object, ...] = ()
        self._styled: object = None
        renderer.AddVolume(self._volume)

    def update(self, state: SceneState) -> None:
        """Follow the map, the year, the overlay's style and whether a draft is enough."""
        look = LOOKS[state.display.preset]
        if not look.has_cloud:
            self._volume.VisibilityOff()
            return
        if state.risk is None or not state.overlay.visible or min(state.risk.geometry.shape) < 2:
            self._volume.VisibilityOff()
            return
        if state.risk is not self._frames:
            self._take_over(state.risk)
        shown = (state.mode, state.year)
        if shown != self._shown:
            self._image.GetPointData().SetScalars(self._scalars[state.mode][state.year - 1])
            self._image.Modified()
            self._shown = shown
        if state.overlay != self._styled:
            self._volume.GetProperty().SetScalarOpacity(
                _build_opacities(state.overlay.opacity, state.overlay.threshold_fraction)
            )
            self._volume.GetProperty().SetColor(_build_colours(state.overlay.colour_map))
            self._styled = state.overlay
        self._clipping.update(state, [self._mapper])
        draft_pixels = _DRAFT_PIXELS if look.ct is None else _DRAFT_PIXELS_WITH_CT
        self._mapper.SetImageSampleDistance(draft_pixels if state.draft else 1.0)
        self._volume.VisibilityOn()

    def _take_over(self, frames: RiskFrames) -> None:
        self._frames = frames
        spacing_mm = frames.geometry.spacing_mm
        self._scalars = {mode: [build_scalars(year) for year in values] for mode, values in frames.levels.items()}
        self._image = build_image(next(iter(frames.levels.values()))[0], spacing=spacing_mm[::-1])
        self._mapper.SetInputData(self._image)
        self._mapper.SetSampleDistance(0.7 * min(spacing_mm))
        self._mapper.SetInteractiveSampleDistance(0.7 * min(spacing_mm))
        self._volume.SetMapper(self._mapper)
        self._volume.SetUserMatrix(to_matrix4(to_placement(frames.geometry)))
        self._shown = ()


def to_placement(geometry: Geometry) -> np.ndarray:
    """Return the (4, 4) placement in LPS of an image that already has its spacing, x along columns."""
    matrix = np.eye(4)
    directions = geometry.affine_lps[:3, :3] / np.linalg.norm(geometry.affine_lps[:3, :3], axis=0)
    matrix[:3, :3] = directions[:, ::-1]
    matrix[:3, 3] = geometry.affine_lps[:3, 3]
    return matrix


def _build_colours(colour_map: ColourMap) -> vtkColorTransferFunction:
    colours = vtkColorTransferFunction()
    for level, (red, green, blue) in zip(range(0, 256, 15), build_risk_table(18, colour_map), strict=True):
        colours.AddRGBPoint(level, red / 255, green / 255, blue / 255)
    return colours


def _build_opacities(opacity: float, threshold_fraction: float) -> vtkPiecewiseFunction:
    threshold = max(255 * threshold_fraction, 1.0)
    opacities = vtkPiecewiseFunction()
    opacities.AddPoint(0, 0.0)
    opacities.AddPoint(max(threshold - 1, 0.5), 0.0)
    opacities.AddPoint(threshold + 4, 0.12 * opacity)
    opacities.AddPoint(255, 0.9 * opacity)
    return opacities
