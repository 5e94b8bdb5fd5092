"""The CT as a volume in the 3D view: bone, vessels, or the liver alone."""

from __future__ import annotations

from vtkmodules.vtkCommonDataModel import vtkImageData, vtkPiecewiseFunction
from vtkmodules.vtkRenderingCore import vtkColorTransferFunction, vtkRenderer, vtkVolume
from vtkmodules.vtkRenderingVolume import vtkFixedPointVolumeRayCastMapper

from star_viewer.scene.body import AIR_HU, CoarseCt
from star_viewer.scene.layers.clipping import Clipping
from star_viewer.scene.layers.risk_volume_layer import to_placement
from star_viewer.scene.presets import LOOKS, CtLook
from star_viewer.scene.state import SceneState
from star_viewer.scene.vtk_data import build_image, to_matrix4

_DRAFT_PIXELS, _DRAFT_STEP = 5.0, 2.5
_UNIT_MM = 4.0


class CtVolumeLayer:
    """Casts rays through the coarse CT on the CPU, as :class:`RiskVolumeLayer` does through the map."""

    def __init__(self, renderer: vtkRenderer) -> None:
        self._mapper = vtkFixedPointVolumeRayCastMapper()
        self._mapper.AutoAdjustSampleDistancesOff()
        self._mapper.IntermixIntersectingGeometryOn()
        self._volume = vtkVolume()
        self._volume.VisibilityOff()
        look = self._volume.GetProperty()
        look.SetInterpolationTypeToLinear()
        look.SetScalarOpacityUnitDistance(_UNIT_MM)
        look.SetAmbient(0.25)
        look.SetDiffuse(0.8)
        look.SetSpecular(0.15)
        self._clipping = Clipping()
        self._image: vtkImageData | None = None
        self._body: CoarseCt | None = None
        self._styled: CtLook | None = None
        renderer.AddVolume(self._volume)

    def update(self, state: SceneState) -> None:
        """Follow the preset, the CT, the clipping and whether a draft is enough."""
        look = LOOKS[state.display.preset].ct
        if look is None or state.body is None:
            self._volume.VisibilityOff()
            return
        if state.body is not self._body:
            self._take_over(state.body)
        if look is not self._styled:
            self._style(look)
        self._clipping.update(state, [self._mapper])
        finest_mm = min(state.body.geometry.spacing_mm)
        self._mapper.SetImageSampleDistance(_DRAFT_PIXELS if state.draft else 1.0)
        step_mm = finest_mm * (_DRAFT_STEP if state.draft else 1.0)
        self._mapper.SetSampleDistance(step_mm)
        self._mapper.SetInteractiveSampleDistance(step_mm)
        self._volume.VisibilityOn()

    def _take_over(self, body: CoarseCt) -> None:
        self._image = build_image((body.hu - AIR_HU).clip(0).astype("uint16"), spacing=body.geometry.spacing_mm[::-1])
        self._mapper.SetInputData(self._image)
        self._volume.SetMapper(self._mapper)
        self._volume.SetUserMatrix(to_matrix4(to_placement(body.geometry)))
        self._body = body

    def _style(self, look: CtLook) -> None:
        opacities, colours = vtkPiecewiseFunction(), vtkColorTransferFunction()
        for hu, opacity in look.opacities:
            opacities.AddPoint(hu - AIR_HU, opacity)
        for hu, red, green, blue in look.colours:
            colours.AddRGBPoint(hu - AIR_HU, red, green, blue)
        shown = self._volume.GetProperty()
        shown.SetScalarOpacity(opacities)
        shown.SetColor(colours)
        shown.SetShade(look.shaded)
        self._styled = look
