"""The liver without learnt weights: found by itself, and mended by clicks."""

from star_core.imaging.liver.clicks import Click, refine_liver
from star_core.imaging.liver.segment import LiverSegmentation, Phase, mend_liver, segment_liver

__all__ = ["Click", "LiverSegmentation", "Phase", "mend_liver", "refine_liver", "segment_liver"]
