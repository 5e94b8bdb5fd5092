"""Pictures of years that were drawn before, or ahead of time, kept while everything but the year stays as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from star_core.types import N_YEARS
from star_viewer.display import Comparison
from star_viewer.scene.layers.clipping import clip_key
from star_viewer.scene.state import LaterView, Patch, Rect, SceneState, ViewName, is_unchanged, slice_kind_of

MOST_BYTES = 200_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Needs:
    """Everything that a view's picture depends on.

    ``risk`` changes nothing outside the risk map; ``rest`` is all else but ``draft``, whether a coarse picture is
    enough.
    """

    risk: tuple[object, ...]
    rest: tuple[object, ...]
    draft: bool = False

    def serves(self, wanted: Needs) -> bool:
        """Tell whether a picture of this is good enough for what is wanted."""
        return self.risk == wanted.risk and self.differs_in_risk_only(wanted) and (wanted.draft or not self.draft)

    def differs_in_risk_only(self, wanted: Needs) -> bool:
        """Tell whether nothing changed but the risk."""
        return is_unchanged(self.rest, wanted.rest)

    def sharpened(self) -> Needs:
        """Return the same without leave for a draft."""
        return replace(self, draft=False)


def needs_of(state: SceneState, name: ViewName) -> Needs:
    """Return what a view's picture of a state depends on."""
    risk = (state.year, state.mode, state.overlay)
    shared = (state.risk, state.volume, state.generation, state.rects[name], state.display.structures)
    kind = slice_kind_of(name)
    if kind is not None:
        style = state.display
        look = (state.window_level, style.inverted, style.interpolation, state.slab)
        place = (state.planes[kind], state.slice_index(kind), state.slice_cameras[kind])
        segments = state.segments if style.segments.visible else None
        structures = (state.masks, segments, style.segments)
        compared = (state.later, state.comparison, style.fade if state.comparison is Comparison.FADE else 0.0)
        # On the later CT no risk is shown.
        return Needs(() if isinstance(name, LaterView) else risk, (*shared, *structures, *place, *look, *compared))
    seen = (state.surfaces, state.paint, state.body, state.display.preset, state.orbit)
    return Needs(risk, (*shared, *seen, clip_key(state)), state.draft)


class KeptPictures:
    """Sharp pictures by view and moment; those of a view are forgotten when anything but the risk changes there."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._views: dict[ViewName, tuple[Needs, dict[tuple[object, ...], Patch]]] = {}

    def find(self, name: ViewName, needs: Needs) -> Patch | None:
        """Return the kept picture, or ``None``."""
        held = self._views.get(name)
        return held[1].get(needs.risk) if held is not None and held[0].differs_in_risk_only(needs) else None

    def keep(self, name: ViewName, needs: Needs, part: Rect, patch: Patch) -> None:
        """Keep the part of a picture in which years differ; drafts are not worth keeping."""
        held = self._views.get(name)
        if held is None or not held[0].differs_in_risk_only(needs):
            held = self._views[name] = (needs, {})
        if needs.draft:
            return
        if (patch.x, patch.y, *patch.pixels.shape[1::-1]) != (part.x, part.y, part.width, part.height):
            pixels = patch.pixels[part.y : part.y + part.height, part.x : part.x + part.width]
            patch = Patch(part.x, part.y, np.array(pixels))
        held[1][needs.risk] = patch
        self._make_room()

    def _make_room(self) -> None:
        def count_bytes() -> int:
            return sum(patch.pixels.nbytes for _, patches in self._views.values() for patch in patches.values())

        while count_bytes() > self._most_bytes:
            fullest = max((patches for _, patches in self._views.values()), key=len)
            if len(fullest) <= 1:
                return
            fullest.pop(next(iter(fullest)))

    def years_ahead(self, year: int, bytes_a_year: int) -> tuple[int, ...]:
        """Return the years whose pictures fit, those that a hand reaches first before the others."""
        fitting = self._most_bytes // max(bytes_a_year, 1)
        order = sorted(range(1, N_YEARS + 1), key=lambda other: (abs(other - year), other < year))
        return tuple(order[:fitting])

    def clear(self) -> None:
        """Forget everything."""
        self._views.clear()
