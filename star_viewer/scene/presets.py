"""What each preset of the 3D view shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from star_viewer.display import SolidPreset


@dataclass(frozen=True, slots=True)
class CtLook:
    """HU to opacity, and HU to colour (red, green, blue from 0 to 1); ``shaded`` draws light and shadow."""

    opacities: tuple[tuple[float, float], ...]
    colours: tuple[tuple[float, float, float, float], ...]
    liver_only: bool = False
    shaded: bool = True


@dataclass(frozen=True, slots=True)
class SolidLook:
    """``surfaces`` gives the opacity of each surface that is shown, by its name."""

    surfaces: Mapping[str, float] = field(default_factory=dict)
    has_cloud: bool = True
    is_painted: bool = False
    ct: CtLook | None = None


_BONE = CtLook(
    opacities=((140, 0.0), (220, 0.12), (400, 0.6), (1200, 0.9)),
    colours=((140, 0.72, 0.42, 0.32), (260, 0.88, 0.72, 0.55), (500, 0.96, 0.93, 0.85), (1200, 1.0, 1.0, 0.98)),
)
# In the portal venous phase veins stand at 150 to 200 HU, the liver about 110, other soft tissue below 90.
_VESSELS = CtLook(
    opacities=((125, 0.0), (150, 0.05), (180, 0.35), (240, 0.6), (600, 0.8)),
    colours=((125, 0.45, 0.2, 0.18), (150, 0.75, 0.3, 0.22), (200, 0.9, 0.55, 0.4), (350, 0.95, 0.88, 0.78)),
)
_LIVER = CtLook(
    opacities=((-20, 0.0), (40, 0.05), (100, 0.1), (140, 0.25), (200, 0.6)),
    colours=((-20, 0.35, 0.12, 0.1), (70, 0.55, 0.25, 0.2), (115, 0.72, 0.42, 0.33), (170, 0.95, 0.8, 0.7)),
    liver_only=True,
)

_VEINS = {"HEPATIC_VEINS": 1.0, "PORTAL_VEINS": 1.0}
LOOKS: dict[SolidPreset, SolidLook] = {
    SolidPreset.STRUCTURES: SolidLook({"LIVER": 0.34, "TUMOUR": 1.0, "BONE": 1.0, **_VEINS}),
    SolidPreset.RISK: SolidLook({"LIVER": 0.12}),
    SolidPreset.PAINTED: SolidLook({"LIVER": 1.0, "TUMOUR": 1.0, **_VEINS}, has_cloud=False, is_painted=True),
    SolidPreset.LIVER: SolidLook({"TUMOUR": 1.0}, ct=_LIVER),
    SolidPreset.VESSELS: SolidLook({"TUMOUR": 1.0}, ct=_VESSELS),
    SolidPreset.BONE: SolidLook({"LIVER": 0.34, "TUMOUR": 1.0}, ct=_BONE),
}
