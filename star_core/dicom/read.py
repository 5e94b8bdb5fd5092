"""From the files of one CT series to a volume in Hounsfield units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from star_core.dicom.decode import read_slices_into
from star_core.dicom.discover import BROKEN_FILES, SeriesFiles
from star_core.dicom.header import InstanceHeader
from star_core.dicom.pixels import unreadable
from star_core.dicom.stack import SliceStack, arrange_slices
from star_core.errors import DecodingError
from star_core.types import Acquisition, DoubleArray, Finding, ProgressCallback, Severity, Volume, ignore_progress

_ANY_BYTES = 512 << 20
_LARGEST_RATIO = 100


def read_volume(
    series: SeriesFiles, progress: ProgressCallback = ignore_progress, *, interpolate_gaps: bool = False
) -> Volume:
    """Read a CT series.

    Slices are sorted by their position along the normal, so that file order and names do not matter; each is rescaled
    by its own slope and intercept and rounded to int16. Padding voxels keep the value that the scanner stored.

    Parameters
    ----------
    series
        As :func:`star_core.dicom.discover.discover_series` found it.
    progress
        Called with the number of slices read and their total.
    interpolate_gaps
        Whether missing or uneven slices are filled by linear interpolation between their neighbours, and damaged
        files beside the series are left at a warning.

    Returns
    -------
    Volume
        int16 HU (D, H, W) with an LPS affine; its findings say what was noticed or left out.

    Raises
    ------
    star_core.errors.NotCtError
        The series holds no CT slices.
    star_core.errors.SeriesGeometryError
        The slices form no regular volume: :class:`~star_core.errors.SliceGapError`,
        :class:`~star_core.errors.DuplicateSlicesError`, :class:`~star_core.errors.GantryTiltError`,
        :class:`~star_core.errors.MixedSlicesError`, or a position that is missing.
    star_core.errors.DecodingError
        Pixels are missing, cut off or damaged.
    star_core.errors.CancelledError
        Raised by ``progress``.
    """
    stack = arrange_slices(series, allow_gaps=interpolate_gaps)
    if not interpolate_gaps:
        _require_whole(series)
    _require_pixels(series, stack.headers)
    _require_plausible_size(series, stack)
    voxels_hu = np.empty((len(stack.headers), *stack.geometry.shape[1:]), dtype=np.int16)
    clipped = read_slices_into(stack.headers, voxels_hu, progress)
    if not stack.is_complete:
        voxels_hu = _interpolate(voxels_hu, stack.slice_indices, stack.geometry.shape[0])
    return Volume(
        voxels_hu=voxels_hu,
        geometry=stack.geometry,
        series_uid=series.series_uid,
        acquisition=_acquisition(series, stack),
        findings=(*series.findings, *stack.findings, *_value_findings(stack.headers, clipped)),
    )


def _require_whole(series: SeriesFiles) -> None:
    for finding in series.findings:
        if finding.code == BROKEN_FILES:
            raise DecodingError(
                f"{series.label}: {finding.message} The folder may have been copied only in part.",
                remedy="Copy the folder again, or move the damaged files out of it.",
            )


def _require_pixels(series: SeriesFiles, headers: Sequence[InstanceHeader]) -> None:
    if missing := sum(header.pixel_length == 0 for header in headers):
        raise DecodingError(
            f"{series.label}: {missing} of {len(headers)} slices hold no pixels; their files end too early.",
            remedy="Copy the series again from its source.",
        )


def _require_plausible_size(series: SeriesFiles, stack: SliceStack) -> None:
    """Refuse, before memory is taken for them, voxels that files of this size cannot hold."""
    rows, columns = stack.geometry.shape[1:]
    claimed = 2 * rows * columns * len(stack.headers)
    try:
        on_disk = sum(path.stat().st_size for path in {header.path for header in stack.headers})
    except OSError as error:
        raise unreadable(error) from error
    if claimed > max(_ANY_BYTES, _LARGEST_RATIO * on_disk):
        raise DecodingError(
            f"{series.label}: {on_disk / 1e6:.1f} MB of files claim {claimed / 1e9:.1f} GB of voxels, more than any "
            "CT can be compressed.",
            remedy="Copy the series again from its source.",
        )


def _value_findings(headers: Sequence[InstanceHeader], clipped: Sequence[InstanceHeader]) -> list[Finding]:
    findings = []
    if silent := sum(header.slope is None or header.intercept is None for header in headers):
        findings.append(
            Finding(
                code="missing-rescale",
                severity=Severity.WARNING,
                message=f"{silent} of {len(headers)} slices have no rescale slope or intercept; their stored values "
                "were taken as Hounsfield units.",
            )
        )
    if clipped:
        findings.append(
            Finding(
                code="hu-clipped",
                severity=Severity.WARNING,
                message=f"{len(clipped)} of {len(headers)} slices hold values outside -32768..32767 HU; "
                "these were clipped.",
            )
        )
    return findings


def _interpolate(voxels_hu: NDArray[np.int16], indices: DoubleArray, depth: int) -> NDArray[np.int16]:
    """Resample slices at fractional ``indices`` (n,) onto the whole numbers 0..depth-1, linearly."""
    filled = np.empty((depth, *voxels_hu.shape[1:]), dtype=np.int16)
    for target in range(depth):
        above = int(np.clip(np.searchsorted(indices, target), 1, len(indices) - 1))
        share = np.clip((target - indices[above - 1]) / (indices[above] - indices[above - 1]), 0.0, 1.0)
        blend = voxels_hu[above - 1] * np.float32(1 - share) + voxels_hu[above] * np.float32(share)
        filled[target] = np.rint(blend)
    return filled


def _acquisition(series: SeriesFiles, stack: SliceStack) -> Acquisition:
    facts = series.facts
    return Acquisition(
        modality=series.modality,
        study_uid=series.study_uid,
        frame_of_reference_uid=series.frame_of_reference_uid,
        patient_key=series.patient_key,
        sop_instance_uids=tuple(header.sop_instance_uid for header in stack.headers) if stack.is_complete else (),
        series_number=series.series_number,
        series_description=series.description,
        manufacturer=facts.manufacturer,
        transfer_syntax_uid="\\".join(sorted({header.transfer_syntax_uid for header in stack.headers})),
        patient_position=facts.patient_position,
        slice_thickness_mm=facts.slice_thickness_mm,
        tube_voltage_kv=facts.tube_voltage_kv,
        convolution_kernel=facts.convolution_kernel,
        contrast_agent=facts.contrast_agent,
    )
