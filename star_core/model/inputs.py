"""From a :class:`ModelInput` to the scans that the network reads, and to the scan that each year sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from star_core.model.config import InputChannels
from star_core.types import STRUCTURES, FloatArray, ModelInput, Structure

TUMOUR_REACH_MM = 20.0
VESSEL_REACH_MM = 10.0

_STRUCTURE_CHANNELS = (Structure.LIVER, Structure.HEPATIC_VEINS, Structure.PORTAL_VEINS, Structure.TUMOUR)
N_CHANNELS = {InputChannels.CT: 1, InputChannels.CT_MASKS: 1 + len(_STRUCTURE_CHANNELS) + 3, InputChannels.NONE: 0}


def find_slots(model_input: ModelInput, n_years: int) -> NDArray[np.int64]:
    """Return (T,): for each year the newest scan at or before it; 0 is the scan before surgery."""
    years = [0, *(scan.year for scan in model_input.follow_ups)]
    return np.searchsorted(years, np.arange(1, n_years + 1), side="right") - 1


def build_channels(model_input: ModelInput, kind: InputChannels) -> FloatArray:
    """Return float32 (S, C, D, H, W), the scan before surgery and then the follow-up scans in the order of years.

    Channels are the image, then for ``ct+masks`` the share of each cell filled by liver, hepatic veins, portal veins
    and tumour, then the share of tissue at risk, then ``exp(-distance / reach)`` to the nearest tumour and portal
    branch. A structure that was not looked for is 0 everywhere, as in training with structures left out.
    """
    scans = [(model_input.image, model_input.fractions)]
    scans += [(scan.image, scan.fractions) for scan in model_input.follow_ups]
    if kind is InputChannels.NONE:
        return np.zeros((len(scans), 0, 1, 1, 1), dtype=np.float32)
    if kind is InputChannels.CT:
        return np.stack([image for image, _ in scans])
    at_risk, spacing_mm = model_input.at_risk_fraction, model_input.geometry.spacing_mm
    return np.stack([_with_structures(image, fractions, at_risk, spacing_mm) for image, fractions in scans])


def _with_structures(
    image: FloatArray, fractions: FloatArray, at_risk: FloatArray, spacing_mm: tuple[float, float, float]
) -> FloatArray:
    by_structure = dict(zip(STRUCTURES, fractions, strict=True))
    return np.stack(
        [
            image[0],
            *(by_structure[structure] for structure in _STRUCTURE_CHANNELS),
            at_risk,
            _proximity(by_structure[Structure.TUMOUR], spacing_mm, TUMOUR_REACH_MM),
            _proximity(by_structure[Structure.PORTAL_VEINS], spacing_mm, VESSEL_REACH_MM),
        ]
    ).astype(np.float32, copy=False)


def _proximity(fraction: FloatArray, spacing_mm: tuple[float, float, float], reach_mm: float) -> FloatArray:
    # Two cells wide blocks: the first convolution has stride 2, and the distance transform is eight times cheaper.
    blocks = fraction.reshape(fraction.shape[0] // 2, 2, fraction.shape[1] // 2, 2, fraction.shape[2] // 2, 2)
    inside = blocks.max(axis=(1, 3, 5)) > 0.0
    if not inside.any():
        return np.zeros_like(fraction)
    distance_mm = distance_transform_edt(~inside, sampling=[2.0 * mm for mm in spacing_mm])
    proximity = np.exp(-distance_mm / reach_mm).astype(np.float32)
    near: FloatArray = proximity.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)
    return near
