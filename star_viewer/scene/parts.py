"""What the scene is made of beside the session's own values: surfaces, laid-out maps, paint, the coarse CT."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication

from star_core.types import Assessment, DoubleArray, Masks, RiskMap, Volume
from star_viewer.display import DisplayStyle
from star_viewer.scene.body import CoarseCt
from star_viewer.scene.builder import SceneBuilder
from star_viewer.scene.presets import LOOKS
from star_viewer.scene.risk_frames import RiskFrames, RiskPaint
from star_viewer.scene.surfaces import LIVER, BuiltSurfaces, Surface
from star_viewer.session import Session

EDIT_PAUSE_MS = 300


class SceneParts(QObject):
    """Follows the session, lets its parts be built beside the window, and takes over what is still wanted.

    Paint and the coarse CT are built when a preset first asks for them. While structures are edited the old surfaces
    stay until the hand rests and the new ones are built.
    """

    changed = Signal()
    failed = Signal(str)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._builder = SceneBuilder(self)
        self._asked: set[str] = set()
        self.surfaces: tuple[Surface, ...] = ()
        self._built: BuiltSurfaces | None = None
        self._volume: Volume | None = None
        self._hand_rests = QTimer(self, singleShot=True, interval=EDIT_PAUSE_MS)
        self._hand_rests.timeout.connect(self._build_at_rest)
        self.risk: RiskFrames | None = None
        self.paint: RiskPaint | None = None
        self.body: CoarseCt | None = None
        session.masks_changed.connect(self._take_masks)
        session.assessment_changed.connect(self._take_assessment)
        self._builder.surfaces_built.connect(self._take_surfaces)
        self._builder.risk_built.connect(self._take_risk)
        self._builder.paint_built.connect(self._take_paint)
        self._builder.body_built.connect(self._take_body)
        self._builder.failed.connect(self.failed)

    @property
    def busy(self) -> bool:
        """Whether something is still being built."""
        return self._builder.busy or self._hand_rests.isActive()

    def take_over(self) -> None:
        """Build what belongs to the case that is open already."""
        self._take_masks(self._session.masks)
        self._take_assessment(self._session.assessment)

    def follow(self, style: DisplayStyle) -> None:
        """Have what the style shows."""
        look = LOOKS[style.preset]
        volume, masks = self._session.volume, self._session.masks
        if look.is_painted and "paint" not in self._asked and self.risk is not None:
            liver = next((surface for surface in self.surfaces if surface.name == LIVER), None)
            if liver is not None:
                self._asked.add("paint")
                self._builder.build_paint(self.risk, liver.mesh.points_mm, liver.mesh.normals)
        if look.ct is None or volume is None:
            return
        wanted = masks if look.ct.liver_only else None
        body = self.body
        if body is not None and (body.source is not volume or (body.masks is None) is not (wanted is None)):
            self.body = None
        is_stale = self.body is None or self.body.masks is not wanted
        what = "liver" if wanted is not None else "body"
        if is_stale and what not in self._asked and not self._hand_rests.isActive():
            self._asked.add(what)
            self._builder.build_body(volume, wanted)

    def bounds_mm(self) -> DoubleArray | None:
        """Return the (2, 3) box to look at: the largest surface, else the map."""
        if self.surfaces:
            return max((surface.bounds_mm() for surface in self.surfaces), key=lambda box: float(np.ptp(box)))
        return None if self.risk is None else self.risk.bounds_mm()

    def finalise(self) -> None:
        """Wait for what is being built and take no more."""
        self._hand_rests.stop()
        self._builder.finalise()

    # ------------------------------------------------------------------ asking and taking over

    def _take_masks(self, masks: Masks | None) -> None:
        volume = self._session.volume
        if volume is not None and volume is self._volume:
            self._hand_rests.start()
        else:
            self._hand_rests.stop()
            self._volume, self._built = volume, None
            self.surfaces, self.body, self.paint = (), None, None
            self._asked.clear()
            self._build_surfaces()
        self._tell()

    def _build_at_rest(self) -> None:
        if QGuiApplication.mouseButtons() == Qt.MouseButton.NoButton:
            self._build_surfaces()
        else:  # the next stroke is being painted
            self._hand_rests.start()

    def _build_surfaces(self) -> None:
        source = self._session.masks or self._session.volume
        if source is not None:
            self._builder.build_surfaces(source, self._built)
        self.follow(self._session.display.style)

    def _take_assessment(self, assessment: Assessment | None) -> None:
        if assessment is None:
            self.risk = self.paint = None
        else:
            self._builder.build_risk(assessment.risk_map)
        self._tell()

    def _take_surfaces(self, source: Masks | Volume, surfaces: tuple[Surface, ...]) -> None:
        session = self._session
        if source is session.masks or (session.masks is None and source is session.volume):
            self.surfaces = surfaces
            self._built = BuiltSurfaces(source, surfaces) if isinstance(source, Masks) else None
            if self.paint is not None and all(one.mesh.points_mm is not self.paint.points_mm for one in surfaces):
                self.paint = None
            if self.paint is None:
                self._asked.discard("paint")
            self._tell()

    def _take_risk(self, source: RiskMap, frames: RiskFrames) -> None:
        assessment = self._session.assessment
        if assessment is not None and source is assessment.risk_map:
            self.risk = frames
            self._asked.discard("paint")
            self._tell()

    def _take_paint(self, source: RiskFrames, paint: RiskPaint) -> None:
        if source is self.risk and any(surface.mesh.points_mm is paint.points_mm for surface in self.surfaces):
            self.paint = paint
            self._tell()

    def _take_body(self, source: Volume, body: CoarseCt | None) -> None:
        if body is not None and source is self._session.volume:
            self._asked -= {"body", "liver"}
            self.body = body
            self.follow(self._session.display.style)
            self._tell()

    def _tell(self) -> None:
        self.follow(self._session.display.style)
        self.changed.emit()
