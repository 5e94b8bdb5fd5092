"""A liver estimate for a CT without segmentation: classical, quick, and always said to be an estimate."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from star_core.imaging.geometry import to_canonical
from star_core.types import BoolArray, Finding, FloatArray, Geometry, Severity, Volume

_GRID_MM = 3.0
_SOFT_TISSUE_HU = (20.0, 220.0)
_PLAUSIBLE_ML = (600.0, 3500.0)


def estimate_liver(volume: Volume) -> tuple[BoolArray, tuple[Finding, ...]]:
    """Return an estimated liver mask (D, H, W) on the CT's grid, and what a reader must know of it.

    The largest organ of the right upper abdomen with even grey values: on a 3 mm grid, the most frequent soft-tissue
    value there is the liver's, tissue near it is kept, bridges to neighbours are cut by opening, and the largest piece
    is grown back. Meant for portal venous phase.
    """
    voxels_hu, geometry = to_canonical(volume.voxels_hu, volume.geometry)
    steps = [max(1, round(_GRID_MM / mm)) for mm in geometry.spacing_mm]
    coarse = voxels_hu[:: steps[0], :: steps[1], :: steps[2]].astype(np.float32)
    coarse_mm = [mm * step for mm, step in zip(geometry.spacing_mm, steps, strict=True)]
    liver = _segment(coarse, coarse_mm)
    full = liver.repeat(steps[0], 0).repeat(steps[1], 1).repeat(steps[2], 2)
    depth, height, width = voxels_hu.shape
    canonical: BoolArray = np.zeros(voxels_hu.shape, dtype=bool)
    canonical[...] = full[:depth, :height, :width]
    mask = _from_canonical(canonical, volume.geometry)
    volume_ml = float(np.count_nonzero(mask)) * volume.geometry.voxel_volume_ml
    return mask, _findings(volume_ml)


def _segment(hu: FloatArray, spacing_mm: list[float]) -> BoolArray:
    smooth = ndimage.median_filter(hu, 3)
    body = _body(smooth)
    if not body.any():
        return np.zeros(hu.shape, dtype=bool)
    columns = np.flatnonzero(body.any(axis=(0, 1)))
    rows = np.flatnonzero(body.any(axis=(0, 2)))
    middle = (columns[0] + columns[-1]) // 2
    right = np.zeros(hu.shape, dtype=bool)
    # The patient's right is at low column indices; the spine and the back muscles lie in the last quarter of the rows.
    right[:, : rows[0] + 3 * (rows[-1] - rows[0]) // 4, :middle] = True
    soft = body & right & (smooth > _SOFT_TISSUE_HU[0]) & (smooth < _SOFT_TISSUE_HU[1])
    soft = ndimage.binary_erosion(soft, iterations=2)
    if np.count_nonzero(soft) < 100:
        return np.zeros(hu.shape, dtype=bool)
    counts, edges = np.histogram(smooth[soft], bins=100, range=_SOFT_TISSUE_HU)
    level = float(edges[int(np.argmax(ndimage.gaussian_filter1d(counts.astype(float), 2.0)))] + 1.0)
    even = ndimage.gaussian_filter(np.where(body, hu, -200.0), [1.5 / mm for mm in spacing_mm])
    near = body & (even > level - 32.0) & (even < level + 45.0)
    radius = max(1, round(7.0 / float(np.mean(spacing_mm[1:]))))
    core = ndimage.binary_opening(near, _ball(radius, spacing_mm))
    labels, count = ndimage.label(core)
    if count == 0:
        return np.zeros(hu.shape, dtype=bool)
    sizes = ndimage.sum_labels(right & core, labels, np.arange(1, count + 1))
    piece = labels == 1 + int(np.argmax(sizes))
    grown = ndimage.binary_dilation(piece, _ball(2, spacing_mm)) & near
    filled: BoolArray = ndimage.binary_closing(grown, iterations=2)
    for index in range(len(filled)):
        filled[index] = ndimage.binary_fill_holes(filled[index])
    return filled


def _body(hu: FloatArray) -> BoolArray:
    labels, count = ndimage.label(ndimage.binary_opening(hu > -300.0, iterations=2))
    if count == 0:
        return np.zeros(hu.shape, dtype=bool)
    body: BoolArray = np.asarray(labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:])))
    return body


def _ball(radius: int, spacing_mm: list[float]) -> BoolArray:
    """Return a ball of ``radius`` in-plane cells, flatter where slices are thick."""
    along_z = max(1, round(radius * spacing_mm[1] / spacing_mm[0]))
    z, y, x = np.ogrid[-along_z : along_z + 1, -radius : radius + 1, -radius : radius + 1]
    ball: BoolArray = (z / (along_z + 0.5)) ** 2 + (y / (radius + 0.5)) ** 2 + (x / (radius + 0.5)) ** 2 <= 1.0
    return ball


def _from_canonical(canonical: BoolArray, geometry: Geometry) -> BoolArray:
    """Return a canonical mask on the grid it came from."""
    index = np.arange(int(np.prod(geometry.shape))).reshape(geometry.shape)
    order, _ = to_canonical(index, geometry)
    mask = np.empty(geometry.shape, dtype=bool)
    mask.ravel()[order.ravel()] = canonical.ravel()
    return mask


def _findings(volume_ml: float) -> tuple[Finding, ...]:
    message = (
        f"No liver segmentation was given: the liver ({volume_ml:.0f} ml) was estimated from grey values, "
        "tumours and vessels are unknown."
    )
    findings = [Finding(code="liver-estimated", severity=Severity.WARNING, message=message)]
    if not _PLAUSIBLE_ML[0] <= volume_ml <= _PLAUSIBLE_ML[1]:
        findings.append(
            Finding(
                code="liver-implausible",
                severity=Severity.REFUSAL,
                message=f"The estimated liver has {volume_ml:.0f} ml, expected {_PLAUSIBLE_ML[0]:.0f} to "
                f"{_PLAUSIBLE_ML[1]:.0f}. Do not use this result; give a segmentation.",
            )
        )
    return tuple(findings)
