"""NIfTI for research: volumes in, yearly maps out. Foreign files are decoded in a child process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from star_core.errors import DecodingError, SeriesGeometryError, StorageError
from star_core.isolation import Buffer, IsolatedWorker, IsolationError
from star_core.types import Acquisition, DoubleArray, Finding, FloatArray, Geometry, Severity, Volume

_TASK = "star_core.imaging.nifti:read_task"
_HEADER_BYTES = 352
_LOWEST_HU, _HIGHEST_HU = -1024, 32767


def read_nifti_volume(path: Path) -> Volume:
    """Read a NIfTI image in HU as a volume.

    Raises
    ------
    StorageError
        When there is no such file.
    DecodingError
        When it cannot be decoded.
    SeriesGeometryError
        When it is not one volume, or its axes are not at right angles.
    """
    if not path.is_file():
        raise StorageError(f"There is no file {path.name!r}.", remedy="Choose a .nii or .nii.gz file.")
    with IsolatedWorker() as worker:
        try:
            answer, payload = worker.call(_TASK, {"path": str(path.resolve())})
        except IsolationError as error:
            raise DecodingError(
                f"The NIfTI file {path.name!r} cannot be read: it is damaged or not NIfTI.",
                remedy="Export it again, or open the CT as DICOM.",
                details=str(error),
            ) from error
    shape, affine = tuple(answer["shape"]), np.array(answer["affine_lps"])
    _require_volume(path, shape, affine)
    geometry = Geometry(shape=(shape[0], shape[1], shape[2]), affine_lps=affine)
    return Volume(
        voxels_hu=np.frombuffer(payload, dtype=np.int16).reshape(shape),
        geometry=geometry,
        series_uid=f"nifti-{answer['sha256'][:32]}",
        acquisition=Acquisition(series_description="NIfTI"),
        findings=(
            Finding(
                code="nifti",
                severity=Severity.NOTE,
                message="Read from NIfTI: patient, phase and scanner are unknown; values were taken as HU.",
            ),
        ),
    )


def read_task(options: Mapping[str, Any], payload: bytes) -> tuple[dict[str, Any], Buffer]:
    """Decode a NIfTI file; runs in a child process."""
    import hashlib

    import SimpleITK as sitk  # noqa: N813

    image = sitk.ReadImage(options["path"], imageIO="NiftiImageIO")
    voxels = np.clip(np.rint(sitk.GetArrayFromImage(image)), _LOWEST_HU, _HIGHEST_HU).astype(np.int16)
    affine = np.eye(4)
    if image.GetDimension() == 3:
        # SimpleITK's world is LPS already; its index order is (column, row, slice).
        direction = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
        affine[:3, :3], affine[:3, 3] = direction[:, ::-1], image.GetOrigin()
    content = np.ascontiguousarray(voxels)
    answer = {
        "shape": list(voxels.shape),
        "affine_lps": affine.tolist(),
        "sha256": hashlib.sha256(content.tobytes()).hexdigest(),
    }
    return answer, content.tobytes()


def _require_volume(path: Path, shape: tuple[int, ...], affine: DoubleArray) -> None:
    if len(shape) != 3 or min(shape) < 2:
        raise SeriesGeometryError(
            f"{path.name!r} has shape {shape}, expected one volume of at least 2 slices.", remedy="Choose a 3-D image."
        )
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or np.abs(axes.T @ axes - np.eye(3)).max() > 1e-3:
        raise SeriesGeometryError(
            f"The axes of {path.name!r} are not at right angles.", remedy="Resample it onto a regular grid first."
        )


def write_nifti_series(values: FloatArray, geometry: Geometry, path: Path) -> None:
    """Write (T, D, H, W) float32 as 4-D NIfTI, one volume a year, placed in scanner coordinates.

    Raises
    ------
    StorageError
        When it cannot be written whole; ITK itself keeps silent about a full disk.
    """
    import SimpleITK as sitk  # noqa: N813

    spacing = geometry.spacing_mm[::-1]
    direction = geometry.affine_lps[:3, 2::-1] / np.array(spacing)
    volumes = []
    for volume in values:
        image = sitk.GetImageFromArray(np.ascontiguousarray(volume, dtype=np.float32))
        image.SetSpacing(spacing)
        image.SetOrigin(geometry.affine_lps[:3, 3].tolist())
        image.SetDirection(direction.ravel().tolist())
        volumes.append(image)
    sitk.WriteImage(sitk.JoinSeries(volumes), str(path), useCompression=True, compressionLevel=1)
    _require_whole(path, _HEADER_BYTES + values.size * 4)


def write_nifti_volume(volume: Volume, path: Path) -> None:
    """Write a CT in HU as NIfTI, int16, placed in scanner coordinates.

    Raises
    ------
    StorageError
        When it cannot be written whole.
    """
    import SimpleITK as sitk  # noqa: N813

    spacing = volume.geometry.spacing_mm[::-1]
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.voxels_hu))
    image.SetSpacing(spacing)
    image.SetOrigin(volume.geometry.affine_lps[:3, 3].tolist())
    image.SetDirection((volume.geometry.affine_lps[:3, 2::-1] / np.array(spacing)).ravel().tolist())
    sitk.WriteImage(image, str(path), useCompression=True, compressionLevel=1)
    _require_whole(path, _HEADER_BYTES + volume.voxels_hu.nbytes)


def _require_whole(path: Path, expected_bytes: int) -> None:
    import gzip
    import zlib

    found_bytes = 0
    try:
        with gzip.open(path) as file:
            while block := file.read(1 << 22):
                found_bytes += len(block)
    except (OSError, EOFError, zlib.error):
        found_bytes = -1
    if found_bytes != expected_bytes:
        raise StorageError(
            f"{path.name!r} could not be written whole.",
            remedy="Choose a folder you may write to, on a disk with free space.",
        )
