"""The yearly maps laid out for drawing, once for each assessment, so that a change of year only picks an array."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_core.types import FloatArray, Geometry, RiskMap
from star_viewer.scene.orientation import assign_patient_axes
from star_viewer.session import IncidenceMode

PERCENT_PER_10_ML = 1000.0
"""Factor from probability per millilitre to per cent per 10 ml."""

PAINT_DEPTHS_MM = (0.0, 3.0, 6.0, 9.0)
_HIGHEST_QUANTILE = 0.995


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RiskFrames:
    """Yearly maps cut to where there is risk, turned so that the index axes run towards S, P and L.

    Parameters
    ----------
    source
        The map that these frames were built from.
    percent
        For each mode (T, D, H, W) float32, per cent per 10 ml.
    levels
        For each mode (T, D, H, W) uint8: ``percent`` with 255 at the top of the colour scale.
    top
        For each mode the value at the top of the colour scale, the same in all years.
    geometry
        The grid of the cut.
    """

    source: RiskMap
    percent: dict[IncidenceMode, FloatArray]
    levels: dict[IncidenceMode, NDArray[np.uint8]]
    top: dict[IncidenceMode, float]
    geometry: Geometry

    def bounds_mm(self) -> NDArray[np.float64]:
        """Return the (2, 3) low and high corner of the cut in LPS mm."""
        last = np.array(self.geometry.shape) - 1
        corners = np.array([[i, j, k] for i in (0, last[0]) for j in (0, last[1]) for k in (0, last[2])])
        corners_mm = self.geometry.index_to_lps(corners)
        return np.stack([corners_mm.min(axis=0), corners_mm.max(axis=0)])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RiskPaint:
    """The map read beneath the points of the liver's surface: for each mode (T, N) float32, per cent per 10 ml."""

    source: RiskFrames
    points_mm: FloatArray
    percent: dict[IncidenceMode, FloatArray]


def _box_of(inside: NDArray[np.bool_]) -> tuple[slice, ...]:
    box = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        hit = np.flatnonzero(inside.any(axis=others))
        low, high = (int(hit[0]), int(hit[-1])) if hit.size else (0, 0)
        box.append(slice(max(low - 1, 0), min(high + 2, inside.shape[axis])))
    return tuple(box)


def _cut_and_turn(risk_map: RiskMap) -> tuple[FloatArray, Geometry]:
    density = risk_map.density_per_ml
    box = _box_of(density.max(axis=0) > 0)
    affine_lps = np.array(risk_map.geometry.affine_lps)
    affine_lps[:3, 3] = risk_map.geometry.index_to_lps(np.array([part.start for part in box]))
    cut = density[(slice(None), *box)]
    left_axis, posterior_axis, superior_axis = assign_patient_axes(risk_map.geometry)
    order = (superior_axis, posterior_axis, left_axis)
    cut = cut.transpose(0, *(axis + 1 for axis in order))
    turned_lps = affine_lps.copy()
    turned_lps[:3, :3] = affine_lps[:3, list(order)]
    for axis, patient_axis in enumerate((2, 1, 0)):
        if turned_lps[patient_axis, axis] < 0:
            cut = np.flip(cut, axis + 1)
            turned_lps[:3, 3] += turned_lps[:3, axis] * (cut.shape[axis + 1] - 1)
            turned_lps[:3, axis] *= -1
    depth, height, width = cut.shape[1:]
    return np.ascontiguousarray(cut), Geometry(shape=(depth, height, width), affine_lps=turned_lps)


def round_up(value: float) -> float:
    """Return the next number that reads well on a scale: 1, 1.5, 2, 3, 4, 5, 6, 8 or 10 times a power of ten."""
    if value <= 0 or not np.isfinite(value):
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    steps = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
    top = power * next(step for step in steps if step * power >= value * (1 - 1e-9))
    return float(f"{top:.2g}")


def build_risk_frames(risk_map: RiskMap) -> RiskFrames:
    """Lay out the maps of an assessment for drawing; takes some 20 ms and runs off the GUI thread."""
    cumulative, geometry = _cut_and_turn(risk_map)
    cumulative = cumulative * np.float32(PERCENT_PER_10_ML)
    annual = np.diff(cumulative, axis=0, prepend=np.float32(0)).astype(np.float32, copy=False)
    percent = {IncidenceMode.CUMULATIVE: cumulative, IncidenceMode.ANNUAL: annual}
    top, levels = {}, {}
    for mode, values in percent.items():
        positive = values[values > 0]
        top[mode] = round_up(float(np.quantile(positive, _HIGHEST_QUANTILE)) if positive.size else 0.0)
        levels[mode] = np.clip(np.round(values * np.float32(255 / top[mode])), 0, 255).astype(np.uint8)
    return RiskFrames(source=risk_map, percent=percent, levels=levels, top=top, geometry=geometry)


def build_risk_paint(frames: RiskFrames, points_mm: FloatArray, normals: FloatArray) -> RiskPaint:
    """Read each year's map beneath a surface.

    A point gets the greatest value at the depths :data:`PAINT_DEPTHS_MM` beneath it, between voxel centres trilinearly
    and zero outside the grid: at the surface itself the map's voxels are filled with liver in part only.

    Parameters
    ----------
    points_mm
        (N, 3) points in LPS mm.
    normals
        (N, 3) unit directions outwards.
    """
    from scipy.ndimage import map_coordinates

    percent: dict[IncidenceMode, FloatArray] = {}
    indices = [
        frames.geometry.lps_to_index((points_mm - depth_mm * normals).astype(np.float64)).T
        for depth_mm in PAINT_DEPTHS_MM
    ]
    for mode, values in frames.percent.items():
        read = [[map_coordinates(year, index, order=1, mode="constant") for index in indices] for year in values]
        percent[mode] = np.max(read, axis=1).astype(np.float32)
    return RiskPaint(source=frames, points_mm=points_mm, percent=percent)
