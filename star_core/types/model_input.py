"""What the network sees."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from star_core.types.basics import FloatArray, freeze_arrays
from star_core.types.findings import Finding
from star_core.types.images import STRUCTURES, Structure
from star_core.types.space import Geometry


class CentringRule(StrEnum):
    """How the centre of the 40 planes along z was found (method, section 2, step 2)."""

    PORTAL_BIFURCATION = "portal-bifurcation"
    PORTAL_CENTROID = "portal-centroid"
    LIVER_CENTROID = "liver-centroid"
    VOLUME_CENTRE = "volume-centre"
    USER = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpInput:
    """A later scan, registered to the first and prepared on its model grid; arrays as in :class:`ModelInput`.

    ``year`` is the postoperative year (1..T) whose slot it fills.
    """

    year: int
    image: FloatArray
    fractions: FloatArray
    known: Structure

    def __post_init__(self) -> None:
        if self.year < 1:
            raise ValueError("a follow-up scan fills the slot of year 1 or later")
        freeze_arrays(self, "image", "fractions")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInput:
    """What the network sees.

    Parameters
    ----------
    image
        float32 (1, D, H, W) in [-1, 1], on ``geometry`` (the model grid).
    fractions
        float32 (5, D, H, W) in [0, 1]: share of each model voxel filled by each of ``STRUCTURES``, in that order.
    known
        Structures that were segmented or estimated.
    clinical, clinical_missing
        float32 (F,) scaled values and (F,) 1 where missing, in the order of ``clinical.fields.MODEL_FIELDS``.
    geometry
        The model grid in patient space.
    centring_rule, centre_index
        How the z centre was found, and the CT slice index it fell on.
    follow_ups
        Later scans of the patient, by rising year; each year sees the newest scan at or before it.
    """

    image: FloatArray
    fractions: FloatArray
    known: Structure
    clinical: FloatArray
    clinical_missing: FloatArray
    geometry: Geometry
    centring_rule: CentringRule
    centre_index: float
    findings: tuple[Finding, ...] = ()
    follow_ups: tuple[FollowUpInput, ...] = ()

    def __post_init__(self) -> None:
        freeze_arrays(self, "image", "fractions", "clinical", "clinical_missing")
        years = [scan.year for scan in self.follow_ups]
        if sorted(set(years)) != years:
            raise ValueError("follow-up scans must come in the order of their years, one a year")
        if any(scan.image.shape != self.image.shape for scan in self.follow_ups):
            raise ValueError("follow-up scans must lie on the grid of the first scan")

    def fraction_of(self, structure: Structure) -> FloatArray:
        """Return the (D, H, W) fraction of one structure."""
        fraction: FloatArray = self.fractions[STRUCTURES.index(structure)]
        return fraction

    @property
    def at_risk_fraction(self) -> FloatArray:
        """(D, H, W) share of tissue where liver recurrence can arise: the remnant, else the liver."""
        known_remnant = bool(self.known & Structure.REMNANT) and self.fraction_of(Structure.REMNANT).any()
        return self.fraction_of(Structure.REMNANT if known_remnant else Structure.LIVER)
