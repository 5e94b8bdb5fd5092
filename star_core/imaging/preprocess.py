"""From a CT on its own grid to what the network sees (method, section 2); each step records what it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from star_core.imaging.centring import Centre, find_centre
from star_core.imaging.geometry import join_blocks, join_grid, to_canonical
from star_core.types import (
    MODEL_GRID_SHAPE,
    STRUCTURES,
    CentringRule,
    DoubleArray,
    Finding,
    FloatArray,
    Geometry,
    Masks,
    Severity,
    Structure,
    Volume,
)

PADDING_HU = -1024
_GREY_LEVELS = 255


class PlaneSpacing(StrEnum):
    """How the 40 planes lie along z: the CT's own slices as published, or every 5 mm."""

    SLICES = "slices"
    MILLIMETRES = "millimetres"


class StructureSampling(StrEnum):
    """How structures come to the model grid in the plane: shares of each cell, or nearest voxel as published.

    Shares keep volumes; both are closed (3 x 3), shares before and nearest voxels after.
    """

    AREA = "area"
    NEAREST = "nearest"


class PreprocessConfig(BaseModel):
    """Settings of the preprocessing; part of every cohort's manifest and every model's card.

    ``reduce`` joins cells of the model grid in cubic blocks, for studies that must end on a small machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    z: PlaneSpacing = PlaneSpacing.MILLIMETRES
    plane_mm: float = Field(default=5.0, gt=0.0)
    lowest_hu: int = -160
    highest_hu: int = 240
    clahe_clip_limit: float = 2.0
    clahe_tiles: int = 8
    structures: StructureSampling = StructureSampling.AREA
    reduce: Literal[1, 2, 4] = 1

    @property
    def grid_shape(self) -> tuple[int, int, int]:
        """Shape of the model grid: 40 x 128 x 128 cells, joined in blocks of ``reduce`` along each axis."""
        depth, height, width = MODEL_GRID_SHAPE
        return depth // self.reduce, height // self.reduce, width // self.reduce


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedImage:
    """The image part of a :class:`ModelInput`; ``steps`` says what each step of the method did."""

    image: FloatArray
    fractions: FloatArray
    known: Structure
    geometry: Geometry
    centring_rule: CentringRule
    centre_index: float
    findings: tuple[Finding, ...]
    steps: Mapping[str, str | float | int]


def prepare_image(
    volume: Volume,
    masks: Masks | None,
    *,
    config: PreprocessConfig | None = None,
    centre_index: float | None = None,
) -> PreparedImage:
    """Prepare a CT and its structures for the network.

    Parameters
    ----------
    volume
        CT in HU on any grid; it is brought to axial orientation first.
    masks
        Structures on the CT's grid, or ``None``.
    config
        Settings; the defaults when not given.
    centre_index
        Slice (of the axially oriented CT) chosen by a user as the centre along z.
    """
    config = config or PreprocessConfig()
    voxels_hu, geometry = to_canonical(volume.voxels_hu, volume.geometry)
    bits = None if masks is None else to_canonical(masks.bits, masks.geometry)[0]
    centre = find_centre(bits, geometry) if centre_index is None else Centre(CentringRule.USER, float(centre_index))
    along_z, plane_mm, first_index = _plane_weights(geometry, centre.slice_index, config)
    grid = _model_grid(geometry, first_index, plane_mm)
    return PreparedImage(
        image=join_blocks(_prepare_grey_values(voxels_hu, along_z, config)[None], config.reduce),
        fractions=join_blocks(_prepare_fractions(bits, along_z, geometry, config.structures), config.reduce),
        known=Structure(0) if masks is None else masks.known,
        geometry=join_grid(grid, config.reduce),
        centring_rule=centre.rule,
        centre_index=centre.slice_index,
        findings=_check_coverage(bits, along_z),
        steps={
            "centre": f"{centre.rule.value} at slice {centre.slice_index:.1f}",
            "planes": f"{MODEL_GRID_SHAPE[0]} planes of {plane_mm:.2f} mm ({config.z.value})",
            "padded_planes": int((along_z.sum(axis=1) < 0.5).sum()),
            "histogram": f"contrast-limited, {config.lowest_hu}..{config.highest_hu} HU, "
            f"{config.clahe_tiles} x {config.clahe_tiles} tiles, limit {config.clahe_clip_limit}",
            "in_plane": f"cubic spline {geometry.shape[1]} x {geometry.shape[2]} to 128 x 128",
            "structures": f"{config.structures.value}, closed 3 x 3",
            "grid": " x ".join(str(size) for size in config.grid_shape),
        },
    )


# --------------------------------------------------------------------------- the grid


def _plane_weights(
    geometry: Geometry, centre_index: float, config: PreprocessConfig
) -> tuple[DoubleArray, float, float]:
    """Return weights (40, D) of the CT's slices in each plane, the planes' distance, and the first plane's index.

    Planes of 5 mm are means over their own thickness, so that no thin slice is skipped and volumes are kept.
    """
    planes, slices = MODEL_GRID_SHAPE[0], geometry.shape[0]
    slice_mm = geometry.spacing_mm[0]
    if config.z is PlaneSpacing.SLICES:
        lowest = round(centre_index) - planes // 2
        weights = np.zeros((planes, slices))
        inside = np.arange(planes)[(np.arange(planes) + lowest >= 0) & (np.arange(planes) + lowest < slices)]
        weights[inside, inside + lowest] = 1.0
        return weights, slice_mm, float(lowest)
    step = config.plane_mm / slice_mm
    first = centre_index - step * (planes - 1) / 2
    middle = first + step * np.arange(planes)[:, None]
    index = np.arange(slices)[None, :]
    overlap = np.minimum(middle + step / 2, index + 0.5) - np.maximum(middle - step / 2, index - 0.5)
    return np.clip(overlap, 0.0, None) / step, config.plane_mm, float(first)


def _model_grid(geometry: Geometry, first_index: float, plane_mm: float) -> Geometry:
    """Return the model grid in patient space; cells share outer edges with the CT, so their centres are shifted."""
    _, height, width = MODEL_GRID_SHAPE
    row_step, column_step = geometry.shape[1] / height, geometry.shape[2] / width
    affine = geometry.affine_lps.copy()
    corner = np.array([first_index, (row_step - 1) / 2, (column_step - 1) / 2])
    affine[:3, 3] = geometry.index_to_lps(corner)
    affine[:3, 0] *= plane_mm / geometry.spacing_mm[0]
    affine[:3, 1] *= row_step
    affine[:3, 2] *= column_step
    return Geometry(shape=MODEL_GRID_SHAPE, affine_lps=affine)


# --------------------------------------------------------------------------- grey values


def _prepare_grey_values(voxels_hu: NDArray[np.int16], along_z: DoubleArray, config: PreprocessConfig) -> FloatArray:
    import cv2

    by_row = _spline_matrix(voxels_hu.shape[1], MODEL_GRID_SHAPE[1])
    by_column = _spline_matrix(voxels_hu.shape[2], MODEL_GRID_SHAPE[2])
    equaliser = cv2.createCLAHE(config.clahe_clip_limit, (config.clahe_tiles, config.clahe_tiles))
    image = np.full(MODEL_GRID_SHAPE, -1.0, dtype=np.float32)
    span_hu = config.highest_hu - config.lowest_hu
    for plane, weights in enumerate(along_z):
        if weights.sum() < 0.5:
            continue
        plane_hu = _mean_plane(voxels_hu, weights)
        scaled = np.clip((plane_hu - config.lowest_hu) / span_hu, 0.0, 1.0) * _GREY_LEVELS
        equalised = equaliser.apply(np.rint(scaled).astype(np.uint8)).astype(np.float32)
        small = by_row @ equalised @ by_column.T
        image[plane] = np.clip(small * (2.0 / _GREY_LEVELS) - 1.0, -1.0, 1.0)
    return image


def _mean_plane(voxels_hu: NDArray[np.int16], weights: DoubleArray) -> FloatArray:
    used = np.flatnonzero(weights)
    plane = np.full(voxels_hu.shape[1:], (1.0 - weights.sum()) * PADDING_HU, dtype=np.float32)
    for index in used:
        plane += np.float32(weights[index]) * voxels_hu[index]
    return plane


@lru_cache(maxsize=8)
def _spline_matrix(size: int, out: int) -> FloatArray:
    """Return (out, size): cubic spline interpolation of ``size`` samples at the centres of ``out`` equal cells."""
    from scipy.interpolate import make_interp_spline

    positions = (np.arange(out) + 0.5) * size / out - 0.5
    spline = make_interp_spline(np.arange(size), np.eye(size), k=3)
    matrix: FloatArray = spline(positions).astype(np.float32)
    return matrix


# --------------------------------------------------------------------------- structures


def _prepare_fractions(
    bits: NDArray[np.uint8] | None, along_z: DoubleArray, geometry: Geometry, sampling: StructureSampling
) -> FloatArray:
    """Return the share of each model cell inside each structure; along z every plane is a mean of its slices."""
    fractions = np.zeros((len(STRUCTURES), *MODEL_GRID_SHAPE), dtype=np.float32)
    if bits is None:
        return fractions
    import cv2

    by_row = _mean_matrix(geometry.shape[1], MODEL_GRID_SHAPE[1])
    by_column = _mean_matrix(geometry.shape[2], MODEL_GRID_SHAPE[2])
    rows, columns = _nearest(geometry.shape[1], by_row.shape[0]), _nearest(geometry.shape[2], by_column.shape[0])
    kernel = np.ones((3, 3), dtype=np.uint8)
    for index in np.flatnonzero(along_z.sum(axis=0)):
        in_slice = int(np.bitwise_or.reduce(bits[index], axis=None))
        for channel, structure in enumerate(STRUCTURES):
            if not in_slice & structure:
                continue
            mask = ((bits[index] & np.uint8(structure)) != 0).astype(np.uint8)
            share: FloatArray
            if sampling is StructureSampling.NEAREST:
                share = cv2.morphologyEx(mask[np.ix_(rows, columns)], cv2.MORPH_CLOSE, kernel).astype(np.float32)
            else:
                closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel).astype(np.float32)
                share = (by_row @ closed @ by_column.T).astype(np.float32, copy=False)
            for plane in np.flatnonzero(along_z[:, index]):
                fractions[channel, plane] += np.float32(along_z[plane, index]) * share
    return np.clip(fractions, 0.0, 1.0, out=fractions)


@lru_cache(maxsize=8)
def _mean_matrix(size: int, out: int) -> FloatArray:
    """Return (out, size): means of ``size`` samples over ``out`` equal cells."""
    step = size / out
    start = np.arange(out)[:, None] * step
    index = np.arange(size)[None, :]
    overlap = np.minimum(start + step, index + 1.0) - np.maximum(start, index)
    matrix: FloatArray = (np.clip(overlap, 0.0, None) / step).astype(np.float32)
    return matrix


def _nearest(size: int, out: int) -> NDArray[np.intp]:
    """Return the samples of ``size`` that lie nearest to the centres of ``out`` equal cells."""
    positions = (np.arange(out) + 0.5) * size / out - 0.5
    return np.rint(positions).clip(0, size - 1).astype(np.intp)


def _check_coverage(bits: NDArray[np.uint8] | None, along_z: DoubleArray) -> tuple[Finding, ...]:
    if bits is None:
        return ()
    per_slice = np.array([np.count_nonzero(plane & np.uint8(Structure.LIVER)) for plane in bits], dtype=np.float64)
    if per_slice.sum() == 0:
        return ()
    # Planes of 5 mm cover a slice wholly when their weights on it add up to slice / plane thickness.
    covered = np.clip(along_z.sum(axis=0) / along_z.sum(axis=0).max(), 0.0, 1.0)
    share = float((per_slice * covered).sum() / per_slice.sum())
    if share >= 0.95:
        return ()
    return (
        Finding(
            code="liver-not-covered",
            severity=Severity.WARNING,
            message=f"The model's {MODEL_GRID_SHAPE[0]} planes cover {100 * share:.0f} % of the liver, "
            "expected at least 95 %. Risk outside them is not shown.",
        ),
    )
