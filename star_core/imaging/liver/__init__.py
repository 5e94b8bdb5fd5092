"""The liver without learnt weights: found by itself, and mended by clicks."""

from star_core.imaging.liver.segment import LiverSegmentation, Phase, segment_liver

__all__ = ["LiverSegmentation", "Phase", "segment_liver"]
