"""From a :class:`ModelInput` to the channels that the network reads."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from star_core.model.config import InputChannels
from star_core.types import FloatArray, ModelInput, Structure

TUMOUR_REACH_MM = 20.0
VESSEL_REACH_MM = 10.0

_STRUCTURE_CHANNELS = (Structure.LIVER, Structure.HEPATIC_VEINS, Structure.PORTAL_VEINS, Structure.TUMOUR)
N_CHANNELS = {InputChannels.CT: 1, InputChannels.CT_MASKS: 1 + len(_STRUCTURE_CHANNELS) + 3}


def build_channels(model_input: ModelInput, kind: InputChannels) -> FloatArray:
    """Return float32 (C, D, H, W): the image, then for ``ct+masks`` the structures and how near tissue lies to them.

    The structure channels are the share of each cell filled by liver, hepatic veins, portal veins and tumour, then the
    share of tissue at risk, then ``exp(-distance / reach)`` to the nearest tumour and portal branch. A structure that
    was not looked for is 0 everywhere, as in training with structures left out.
    """
    if kind is InputChannels.CT:
        return model_input.image
    spacing_mm = model_input.geometry.spacing_mm
    structures = [model_input.fraction_of(structure) for structure in _STRUCTURE_CHANNELS]
    return np.stack(
        [
            model_input.image[0],
            *structures,
            model_input.at_risk_fraction,
            _proximity(model_input.fraction_of(Structure.TUMOUR), spacing_mm, TUMOUR_REACH_MM),
            _proximity(model_input.fraction_of(Structure.PORTAL_VEINS), spacing_mm, VESSEL_REACH_MM),
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
