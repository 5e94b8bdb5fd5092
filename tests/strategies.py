"""Hypothesis strategies for the field's values."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from star_core.types import DoubleArray, Geometry


@st.composite
def geometries(draw: st.DrawFn, max_size: int = 300) -> Geometry:
    """Grids as scanners make them: any spacing, any rotation, any place within a few metres."""
    depth, height, width = (draw(st.integers(1, max_size)) for _ in range(3))
    spacing_mm = np.array([draw(st.floats(0.3, 10.0)) for _ in range(3)])
    angles = [draw(st.floats(-np.pi, np.pi)) for _ in range(3)]
    affine_lps = np.eye(4)
    affine_lps[:3, :3] = _rotation(*angles) * spacing_mm
    affine_lps[:3, 3] = [draw(st.floats(-2000.0, 2000.0)) for _ in range(3)]
    return Geometry(shape=(depth, height, width), affine_lps=affine_lps)


def _rotation(a: float, b: float, c: float) -> DoubleArray:
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    rotation: DoubleArray = about_x @ about_y @ about_z
    return rotation


def yearly_rates(causes: int = 3, years: int = 12) -> st.SearchStrategy[DoubleArray]:
    """Rates per year of competing causes, (T, causes): from nothing to certain within weeks."""
    return arrays(np.float64, (years, causes), elements=st.floats(0.0, 12.0))
