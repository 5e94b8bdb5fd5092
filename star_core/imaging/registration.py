"""Rigid registration of a later CT to the first one, by SimpleITK (doi 10.3389/fninf.2013.00045)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from star_core.errors import RegistrationError
from star_core.imaging.geometry import to_canonical
from star_core.types import DoubleArray, Volume

if TYPE_CHECKING:
    import SimpleITK as sitk  # noqa: N813

COARSE_MM = 4.0
LARGEST_ANGLE_DEGREES = 35.0
FEWEST_OVERLAP = 0.3
_SEED = 1
_LOWEST_HU, _HIGHEST_HU = -200.0, 300.0


def register_rigid(moving: Volume, fixed: Volume) -> DoubleArray:
    """Return (4, 4): LPS mm of ``moving`` to LPS mm of ``fixed``.

    Mutual information (Mattes, doi 10.1109/TMI.2003.809072) on both scans at 4 mm, three levels; the same each time.

    Raises
    ------
    RegistrationError
        When the result turns the patient or leaves too little in common to be believed.
    """
    import SimpleITK as sitk  # noqa: N813

    fixed_image, moving_image = _to_image(fixed), _to_image(moving)
    start = sitk.CenteredTransformInitializer(
        fixed_image, moving_image, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(0.2, _SEED)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 1e-3, 80)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2.0, 1.0, 0.0])
    method.SetInitialTransform(start)
    try:
        found = sitk.Euler3DTransform(
            sitk.CompositeTransform(method.Execute(fixed_image, moving_image)).GetBackTransform()
        )
    except RuntimeError as error:
        raise RegistrationError(_REFUSED, remedy=_REMEDY, details=str(error)) from error
    _check(found, fixed_image, moving_image)
    centre, translation = np.array(found.GetCenter()), np.array(found.GetTranslation())
    to_moving = np.eye(4)
    to_moving[:3, :3] = np.array(found.GetMatrix()).reshape(3, 3)
    to_moving[:3, 3] = translation + centre - to_moving[:3, :3] @ centre
    return np.linalg.inv(to_moving).astype(np.float64)


_REFUSED = "The follow-up CT could not be aligned with the first one."
_REMEDY = "Check that both are of this patient and show the liver, or leave this follow-up out."


def _to_image(volume: Volume) -> sitk.Image:
    """Return the volume as a SimpleITK image of about 4 mm cells, with what is not soft tissue cut off."""
    import SimpleITK as sitk  # noqa: N813

    voxels, geometry = to_canonical(volume.voxels_hu, volume.geometry)
    steps = [max(1, round(COARSE_MM / mm)) for mm in geometry.spacing_mm]
    sparse = voxels[:: steps[0], :: steps[1], :: steps[2]]
    affine = geometry.affine_lps
    image = sitk.GetImageFromArray(np.clip(sparse, _LOWEST_HU, _HIGHEST_HU).astype(np.float32))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing([float(spacing[axis] * steps[axis]) for axis in (2, 1, 0)])
    image.SetDirection((affine[:3, :3] / spacing)[:, ::-1].ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    return image


def _check(found: sitk.Euler3DTransform, fixed: sitk.Image, moving: sitk.Image) -> None:
    """Refuse a transform that turns the patient round or moves the scans apart."""
    import SimpleITK as sitk  # noqa: N813

    matrix = np.array(found.GetMatrix()).reshape(3, 3)
    angle = np.degrees(np.arccos(np.clip((np.trace(matrix) - 1.0) / 2.0, -1.0, 1.0)))
    inside = sitk.Resample(moving * 0.0 + 1.0, fixed, found, sitk.sitkNearestNeighbor, 0.0)
    overlap = float(sitk.GetArrayViewFromImage(inside).mean())
    if angle > LARGEST_ANGLE_DEGREES or overlap < FEWEST_OVERLAP:
        raise RegistrationError(
            f"{_REFUSED[:-1]}: it would be turned by {angle:.0f} degrees and share {100 * overlap:.0f} % of the first.",
            remedy=_REMEDY,
        )
