"""What must be there before anything is made of it."""

from __future__ import annotations

from star_core.errors import SegmentationError
from star_core.types import BoolArray, Masks, Structure


def require_liver(masks: Masks, purpose: str) -> BoolArray:
    """Return the liver's mask, bool (D, H, W); ``purpose`` ends the message: "to cut".

    Raises
    ------
    SegmentationError
        When there is no liver.
    """
    liver = masks.mask_of(Structure.LIVER)
    if not liver.any():
        raise SegmentationError(f"There is no liver {purpose}.", remedy="Segment the liver first.")
    return liver
