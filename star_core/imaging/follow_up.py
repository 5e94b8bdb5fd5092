"""A later scan on the model grid of the first one, for its year's slot in the network's sequence."""

from __future__ import annotations

import numpy as np

from star_core.imaging.geometry import resample_to
from star_core.imaging.preprocess import PreprocessConfig, prepare_image
from star_core.types import DoubleArray, FollowUpInput, Geometry, Masks, Volume

_AIR = -1.0


def prepare_follow_up(
    volume: Volume,
    masks: Masks | None,
    *,
    year: int,
    grid: Geometry,
    config: PreprocessConfig | None = None,
    to_first_lps: DoubleArray | None = None,
) -> FollowUpInput:
    """Prepare a follow-up CT like the first scan, then bring it to that scan's model grid.

    Parameters
    ----------
    volume, masks
        The later CT in HU and its structures on the CT's grid, or ``None``.
    year
        Postoperative year (1..12) of the scan: ceil(months since surgery / 12).
    grid
        Model grid of the scan before surgery.
    config
        Settings of the first scan's preparation.
    to_first_lps
        (4, 4) registration: LPS mm of the later scan to LPS mm of the first. Both share one space when not given.
    """
    prepared = prepare_image(volume, masks, config=config)
    moved = prepared.geometry
    if to_first_lps is not None:
        moved = Geometry(shape=moved.shape, affine_lps=to_first_lps @ moved.affine_lps)
    fractions = [resample_to(fraction, moved, grid) for fraction in prepared.fractions]
    return FollowUpInput(
        year=year,
        image=resample_to(prepared.image[0], moved, grid, outside=_AIR)[None],
        fractions=np.stack(fractions).clip(0.0, 1.0),
        known=prepared.known,
    )
