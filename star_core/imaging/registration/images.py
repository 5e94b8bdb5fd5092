"""Volumes and registrations as SimpleITK knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from star_core.imaging.geometry import to_canonical
from star_core.types import DoubleArray, Geometry, Volume
from star_core.types.registration import Deformation, Registration, invert

if TYPE_CHECKING:
    import SimpleITK as sitk  # noqa: N813

COARSE_MM = 4.0
LOWEST_HU, HIGHEST_HU = -160.0, 240.0
# Below what a CT gives for air, so that where a scan ends is told from air.
OUTSIDE_HU = -2048


def to_coarse_image(volume: Volume) -> sitk.Image:
    """Return the volume as a float image of about 4 mm cells, with what is not soft tissue cut off."""
    voxels, geometry = to_canonical(volume.voxels_hu, volume.geometry)
    steps = [max(1, round(COARSE_MM / mm)) for mm in geometry.spacing_mm]
    sparse = np.clip(voxels[:: steps[0], :: steps[1], :: steps[2]], LOWEST_HU, HIGHEST_HU).astype(np.float32)
    affine = geometry.affine_lps.copy()
    affine[:3, :3] *= steps
    return to_image(sparse, affine)


def to_image(voxels: np.ndarray[tuple[int, ...], np.dtype[np.generic]], affine_lps: DoubleArray) -> sitk.Image:
    """Return voxels (D, H, W) at their place in LPS mm, in SimpleITK's order of axes."""
    import SimpleITK as sitk  # noqa: N813

    image = sitk.GetImageFromArray(voxels)
    spacing = np.linalg.norm(affine_lps[:3, :3], axis=0)
    image.SetSpacing(spacing[::-1].tolist())
    image.SetDirection((affine_lps[:3, :3] / spacing)[:, ::-1].ravel().tolist())
    image.SetOrigin(affine_lps[:3, 3].tolist())
    return image


def to_transform(registration: Registration) -> sitk.Transform:
    """Return the registration as a transform from the first scan's points to the later one's."""
    import SimpleITK as sitk  # noqa: N813

    # SimpleITK applies the transforms of a composite from the last to the first.
    parts = [to_affine(registration.to_later_lps)]
    if registration.deformation is not None:
        parts.append(_to_field(registration.deformation))
    parts.append(to_affine(invert(registration.adjustment_lps)))
    return sitk.CompositeTransform(parts)


def to_affine(matrix: DoubleArray) -> sitk.AffineTransform:
    """Return a (4, 4) matrix on LPS mm as a transform."""
    import SimpleITK as sitk  # noqa: N813

    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3].tolist())
    return transform


def to_matrix(transform: sitk.Transform) -> DoubleArray:
    """Return a linear transform with a centre as a (4, 4) matrix on LPS mm."""
    centre, translation = np.array(transform.GetCenter()), np.array(transform.GetTranslation())
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    matrix[:3, 3] = translation + centre - matrix[:3, :3] @ centre
    return matrix


def to_deformation(transform: sitk.Transform, image: sitk.Image) -> Deformation:
    """Return a bending transform as displacements on an image's grid."""
    import SimpleITK as sitk  # noqa: N813

    field = sitk.TransformToDisplacementField(
        transform, sitk.sitkVectorFloat32, image.GetSize(), image.GetOrigin(), image.GetSpacing(), image.GetDirection()
    )
    affine = np.eye(4)
    spacing = np.array(image.GetSpacing())
    affine[:3, :3] = (np.array(image.GetDirection()).reshape(3, 3) * spacing)[:, ::-1]
    affine[:3, 3] = image.GetOrigin()
    values = sitk.GetArrayFromImage(field)
    depth, height, width = values.shape[:3]
    return Deformation(displacement_mm=values, geometry=Geometry(shape=(depth, height, width), affine_lps=affine))


def _to_field(deformation: Deformation) -> sitk.Transform:
    import SimpleITK as sitk  # noqa: N813

    affine = deformation.geometry.affine_lps
    field = sitk.GetImageFromArray(deformation.displacement_mm.astype(np.float64), isVector=True)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    field.SetSpacing(spacing[::-1].tolist())
    field.SetDirection((affine[:3, :3] / spacing)[:, ::-1].ravel().tolist())
    field.SetOrigin(affine[:3, 3].tolist())
    return sitk.DisplacementFieldTransform(field)
