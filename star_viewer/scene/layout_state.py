"""How the views stand, as JSON that a journal can hold: which one is large, zoom and place of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from star_viewer.scene.cameras import UPRIGHT, OrbitCamera, SliceCamera
from star_viewer.scene.oblique import ObliquePlane, Plane, place_plane
from star_viewer.scene.orientation import SliceKind
from star_viewer.scene.state import SOLID, ViewName

_ORTHOGONAL = 1e-3
_Number = Annotated[float, Field(ge=-1e5, le=1e5, allow_inf_nan=False)]
_Row = tuple[_Number, _Number, _Number]
_Turn = tuple[int, int, int, int]


class PlanePlace(BaseModel):
    """A plane across the grid: its frame, the depth of its first slice and its extent in mm."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    frame: tuple[_Row, _Row, _Row]
    depth_mm: _Number
    extent: tuple[_Number, _Number, _Number, _Number]


class ViewPlaces(BaseModel):
    """How the views stand.

    Which one is large, (zoom, right mm, up mm) and turn of each slice view, planes that lie across the grid, and how
    the model is turned.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    large: SliceKind | None = None
    solid_large: bool = False
    slices: dict[SliceKind, _Row] = {}
    turns: dict[SliceKind, _Turn] = {}
    oblique: dict[SliceKind, PlanePlace] = {}
    frame: tuple[_Row, _Row, _Row]
    orbit: _Row

    @property
    def large_view(self) -> ViewName | None:
        """The view that has the whole space."""
        return SOLID if self.solid_large else self.large

    def slice_camera(self, kind: SliceKind) -> SliceCamera:
        """Return the camera of a slice view."""
        zoom, u_mm, v_mm = self.slices.get(kind, (1.0, 0.0, 0.0))
        turn = self.turns.get(kind, UPRIGHT)
        if abs(turn[0] * turn[3] - turn[1] * turn[2]) != 1 or sum(map(abs, turn)) != 2:
            raise ValueError("no quarter turn")
        return SliceCamera(pan_mm=(u_mm, v_mm), turn=turn).zoomed(zoom)

    def planes(self, aligned: Mapping[SliceKind, Plane]) -> dict[SliceKind, Plane]:
        """Return the planes as they lay; those that lay along the grid are ``aligned``.

        Raises
        ------
        ValueError
            When one does not fit the grid.
        """
        planes = dict(aligned)
        for kind, place in self.oblique.items():
            if kind in planes:
                geometry, frame = planes[kind].geometry, np.array(place.frame)
                planes[kind] = place_plane(kind, geometry, frame, place.depth_mm, place.extent)
        return planes

    def orbit_camera(self, now: OrbitCamera) -> OrbitCamera:
        """Return a camera turned as it was; what it looks at stays.

        Raises
        ------
        ValueError
            When its directions are no frame.
        """
        frame = np.array(self.frame)
        if np.abs(frame @ frame.T - np.eye(3)).max() > _ORTHOGONAL:
            raise ValueError("no frame")
        zoom, right, up = self.orbit
        return replace(now, frame_lps=self.frame, zoom=1.0, pan=(right, up)).zoomed(zoom)


def places_to_json(
    large: ViewName | None,
    slices: Mapping[SliceKind, SliceCamera],
    orbit: OrbitCamera,
    planes: Mapping[SliceKind, Plane],
) -> dict[str, Any]:
    """Return how the views stand."""
    return {
        "large": large.value if isinstance(large, SliceKind) else None,
        "solid_large": large == SOLID,
        "slices": {kind.value: [camera.zoom, *camera.pan_mm] for kind, camera in slices.items()},
        "turns": {kind.value: list(camera.turn) for kind, camera in slices.items()},
        "oblique": {
            kind.value: {"frame": plane.frame_lps.tolist(), "depth_mm": plane.depth_mm, "extent": list(plane.extent)}
            for kind, plane in planes.items()
            if isinstance(plane, ObliquePlane)
        },
        "frame": [list(row) for row in orbit.frame_lps],
        "orbit": [orbit.zoom, *orbit.pan],
    }
