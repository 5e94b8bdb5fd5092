"""The automatic liver: from a CT to a mask, and what a reader must know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from star_core.imaging.geometry import to_canonical
from star_core.imaging.liver.border import refine_border
from star_core.imaging.liver.clicks import Click, refine_liver
from star_core.imaging.liver.core import ENHANCED_LIVER_HU, find_core
from star_core.imaging.liver.grid import WorkingGrid, build_working_grid, smooth_within_edges
from star_core.imaging.liver.lesions import add_lesions
from star_core.imaging.liver.morphology import box_around, cut_bridges, largest_piece
from star_core.imaging.liver.surroundings import Surroundings, find_region, find_surroundings
from star_core.types import BoolArray, Finding, FloatArray, ProgressCallback, Severity, Volume, ignore_progress

_STEPS = 4
_VOLUME_CODES = ("liver-estimated", "liver-implausible")
# From a remnant that is just enough to live on to a liver full of metastases.
PLAUSIBLE_ML = (300.0, 4000.0)
_FEWEST_CELLS = 8
_ENHANCED_HU, _BONE_HU = 110.0, 400.0
_ENHANCED_ML, _VESSEL_MM = 15.0, 5.0
_METAL_HU = 2500
_CUT_CM2 = 5.0
_THICK_MM = 5.0


class Phase(StrEnum):
    """What the grey values tell of contrast medium."""

    PORTAL_VENOUS = "portal venous"
    EARLY_OR_FATTY = "contrast, but the liver is dark: arterial phase or fatty liver"
    NATIVE = "no contrast"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiverSegmentation:
    """A liver found by the program.

    Parameters
    ----------
    mask
        bool (D, H, W) on the CT's grid; empty where no liver was found.
    volume_ml
        Its volume.
    level_hu
        Median HU of its tissue, ``None`` where none was found.
    phase
        What the grey values tell of contrast medium, ``None`` where no liver was found.
    findings
        Always ``liver-estimated``; ``liver-implausible`` (a refusal) where it must not be used.
    """

    mask: BoolArray
    volume_ml: float
    level_hu: float | None
    phase: Phase | None
    findings: tuple[Finding, ...]

    @property
    def is_usable(self) -> bool:
        """Whether no finding refuses it."""
        return all(finding.severity is not Severity.REFUSAL for finding in self.findings)


def segment_liver(volume: Volume, *, progress: ProgressCallback = ignore_progress) -> LiverSegmentation:
    """Find the liver with its tumours and the vessels inside it, by grey values and anatomy; no weights are needed.

    On cells of 3 mm: the lungs' lower surface and the spine say where a liver can be; its level is the one whose
    largest compact piece right of the spine is largest; pieces of that level are kept, thin bridges cut, lesions that
    liver encloses added. Then the border is set among the CT's own voxels.

    Parameters
    ----------
    volume
        A CT in any orientation; its geometry tells where right and above are.
    progress
        Called with steps done and their total; may raise :class:`star_core.errors.CancelledError`.
    """
    progress(0, _STEPS)
    voxels_hu, geometry = to_canonical(volume.voxels_hu, volume.geometry)
    mask = np.zeros(volume.geometry.shape, dtype=bool)
    canonical, _ = to_canonical(mask, volume.geometry)
    grid = build_working_grid(voxels_hu, geometry.spacing_mm)
    grid = grid.crop(find_region(grid))
    progress(1, _STEPS)
    if min(grid.hu.shape[1:]) < _FEWEST_CELLS:
        return _nothing(mask)
    smooth_hu = smooth_within_edges(grid.hu)
    around = find_surroundings(grid, smooth_hu)
    core = find_core(grid, smooth_hu, around)
    progress(2, _STEPS)
    if core is None:
        return _nothing(mask)
    coarse = add_lesions(core, grid, smooth_hu, around)
    progress(3, _STEPS)
    if not coarse.any():
        return _nothing(mask)
    box = refine_border(voxels_hu, geometry.spacing_mm, coarse, grid, canonical)
    canonical[box] = largest_piece(canonical[box])
    volume_ml = float(np.count_nonzero(mask)) * volume.geometry.voxel_volume_ml
    phase = find_phase(core.level_hu, coarse, grid, smooth_hu, around)
    findings = (
        *_about_volume(volume_ml),
        *_about_phase(phase, core.level_hu),
        *_about_scan(voxels_hu, canonical, geometry.spacing_mm, grid, coarse),
    )
    progress(_STEPS, _STEPS)
    return LiverSegmentation(mask=mask, volume_ml=volume_ml, level_hu=core.level_hu, phase=phase, findings=findings)


def mend_liver(volume: Volume, found: LiverSegmentation, clicks: Sequence[Click]) -> LiverSegmentation:
    """Return a segmentation corrected by clicks; see :func:`star_core.imaging.liver.clicks.refine_liver`.

    Raises
    ------
    SegmentationError
        When a click lies outside the CT.
    """
    mask = refine_liver(volume, found.mask, clicks)
    volume_ml = float(np.count_nonzero(mask)) * volume.geometry.voxel_volume_ml
    others = tuple(finding for finding in found.findings if finding.code not in _VOLUME_CODES)
    return replace(found, mask=mask, volume_ml=volume_ml, findings=(*_about_volume(volume_ml, len(clicks)), *others))


def describe_foreign_liver(volume: Volume, mask: BoolArray, program: str) -> LiverSegmentation:
    """Return another program's liver (D, H, W) with the findings on its volume and where it is cut off."""
    volume_ml = float(np.count_nonzero(mask)) * volume.geometry.voxel_volume_ml
    canonical, geometry = to_canonical(mask, volume.geometry)
    level = float(np.median(volume.voxels_hu[mask])) if mask.any() else None
    findings = (*_about_volume(volume_ml, by=program), *_about_edges(canonical, geometry.spacing_mm))
    return LiverSegmentation(mask=mask, volume_ml=volume_ml, level_hu=level, phase=None, findings=findings)


def find_phase(
    level_hu: float, liver: BoolArray, grid: WorkingGrid, smooth_hu: FloatArray, around: Surroundings
) -> Phase:
    """Tell from kidneys, heart and vessels whether contrast medium was given, and from the liver when."""
    if level_hu >= ENHANCED_LIVER_HU:
        return Phase.PORTAL_VENOUS
    z = box_around(liver, 0.0, grid.spacing_mm)[0]
    bright = around.body[z] & ~around.wall[z] & (smooth_hu[z] > _ENHANCED_HU) & (grid.hu[z] < _BONE_HU)
    away = int(np.ceil(30.0 / grid.spacing_mm[2]))
    bright[:, :, max(0, around.spine_column - away) : around.spine_column + away] = False
    enhanced_ml = np.count_nonzero(cut_bridges(bright, _VESSEL_MM, grid.spacing_mm)) * grid.cell_ml
    return Phase.EARLY_OR_FATTY if enhanced_ml > _ENHANCED_ML else Phase.NATIVE


def _nothing(mask: BoolArray) -> LiverSegmentation:
    return LiverSegmentation(mask=mask, volume_ml=0.0, level_hu=None, phase=None, findings=_about_volume(0.0))


def _about_volume(volume_ml: float, clicks: int = 0, by: str = "the program from grey values") -> tuple[Finding, ...]:
    how = f"corrected by {clicks} click{'s' if clicks > 1 else ''}" if clicks else "not checked by a reader"
    message = (
        f"The liver ({volume_ml:.0f} ml) was found by {by} and {how}: tumours and vessels in it are not told apart."
    )
    estimated = Finding(code="liver-estimated", severity=Severity.WARNING, message=message)
    if PLAUSIBLE_ML[0] <= volume_ml <= PLAUSIBLE_ML[1]:
        return (estimated,)
    found = "No liver was found" if volume_ml == 0 else f"The liver that was found has {volume_ml:.0f} ml"
    message = (
        f"{found}, expected {PLAUSIBLE_ML[0]:.0f} to {PLAUSIBLE_ML[1]:.0f} ml. Do not use this result; draw the liver, "
        "click into it, or give a segmentation."
    )
    return estimated, Finding(code="liver-implausible", severity=Severity.REFUSAL, message=message)


def _about_phase(phase: Phase, level_hu: float) -> tuple[Finding, ...]:
    match phase:
        case Phase.PORTAL_VENOUS:
            return ()
        case Phase.EARLY_OR_FATTY:
            code, reason = "liver-dark", "the liver is dark for a CT with contrast (arterial phase or fatty liver)"
        case Phase.NATIVE:
            code, reason = "liver-native", "no contrast medium is seen"
    message = (
        f"The liver has {level_hu:.0f} HU: {reason}. Look at its borders with muscle, stomach, vena cava and heart."
    )
    return (Finding(code=code, severity=Severity.WARNING, message=message),)


def _about_scan(
    voxels_hu: NDArray[np.int16],
    canonical: BoolArray,
    spacing_mm: tuple[float, float, float],
    grid: WorkingGrid,
    coarse: BoolArray,
) -> tuple[Finding, ...]:
    findings = list(_about_edges(canonical, spacing_mm))
    z = box_around(coarse, 0.0, grid.spacing_mm)[0]
    first, last = ((side + grid.start[0]) * grid.factors[0] for side in (z.start, z.stop))
    if int(voxels_hu[first:last].max(initial=0)) >= _METAL_HU:
        message = "There is metal in the slices of the liver: look for streaks at its border."
        findings.append(Finding(code="liver-metal", severity=Severity.WARNING, message=message))
    if spacing_mm[0] > _THICK_MM:
        message = f"Slices are {spacing_mm[0]:.1f} mm apart: the liver's upper and lower ends are uncertain by as much."
        findings.append(Finding(code="liver-thick-slices", severity=Severity.NOTE, message=message))
    return tuple(findings)


def _about_edges(canonical: BoolArray, spacing_mm: tuple[float, float, float]) -> tuple[Finding, ...]:
    voxel_cm2 = spacing_mm[1] * spacing_mm[2] / 100.0
    ends = (("below", canonical[0]), ("above", canonical[-1]))
    cut = " and ".join(name for name, end in ends if np.count_nonzero(end) * voxel_cm2 > _CUT_CM2)
    if not cut:
        return ()
    message = f"The liver is cut off {cut} by the edge of the scan: its volume is that of the part seen."
    return (Finding(code="liver-cut-off", severity=Severity.WARNING, message=message),)
