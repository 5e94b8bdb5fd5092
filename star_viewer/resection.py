"""What a planned resection would leave, measured beside the window while the hand moves."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject

from star_core.errors import StarError
from star_core.imaging.editing.remnant import CuttingPlane, RemnantMeter, RemnantVolumes, measure_remnant
from star_core.types import CouinaudSegments, Masks, Segment, Structure
from star_viewer.anatomy import NewestOnly
from star_viewer.session import Session


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """Structures, and what is planned on them: a plane, else segments, else nothing yet."""

    masks: Masks
    plane: CuttingPlane | None
    segments: CouinaudSegments | None
    removed: frozenset[Segment]


class Resection(QObject):
    """Puts the volumes into the session's anatomy."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._anatomy = session, session.anatomy
        self._meter: tuple[Masks, RemnantMeter] | None = None
        self._measurer: NewestOnly[_Plan] = NewestOnly("star-resection", self._measure, self)
        self._measurer.answered.connect(self._take)
        self._measurer.failed.connect(self._refuse)
        session.masks_changed.connect(self._follow)
        session.case_closing.connect(self._forget)
        anatomy = self._anatomy
        for signal in (anatomy.plane_changed, anatomy.removed_changed):
            signal.connect(self._follow)
        anatomy.segments_changed.connect(self._follow_segments)
        self._follow()

    @property
    def is_busy(self) -> bool:
        """Whether volumes are still measured."""
        return self._measurer.is_busy

    def close(self) -> None:
        """Wait for what is measured and take no more."""
        self._measurer.close()
        self._meter = None

    def _forget(self) -> None:
        self._anatomy.set_plane(None)
        self._anatomy.set_removed(frozenset())
        self._anatomy.set_volumes(None)

    def _follow(self, *_: object) -> None:
        masks = self._session.masks
        if masks is None or not masks.known & Structure.LIVER:
            self._anatomy.set_volumes(None)
            return
        anatomy = self._anatomy
        self._measurer.ask(_Plan(masks, anatomy.plane, anatomy.segments, anatomy.removed))

    def _follow_segments(self, _: CouinaudSegments | None) -> None:
        if self._anatomy.removed:
            self._follow()

    def _measure(self, plan: _Plan) -> RemnantVolumes:
        if plan.plane is None and not plan.removed:
            self._meter = None
            return measure_remnant(plan.masks)
        if self._meter is None or self._meter[0] is not plan.masks:
            self._meter = (plan.masks, RemnantMeter(plan.masks))
        meter = self._meter[1]
        if plan.plane is not None:
            return meter.measure_plane(plan.plane)
        return meter.measure() if plan.segments is None else meter.measure_segments(plan.segments, plan.removed)

    def _take(self, plan: _Plan, volumes: RemnantVolumes) -> None:
        if plan.masks is self._session.masks:
            self._anatomy.set_volumes(volumes)

    def _refuse(self, plan: _Plan, _: StarError) -> None:
        if plan.masks is self._session.masks:
            self._anatomy.set_volumes(None)
