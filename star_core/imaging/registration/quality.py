"""How good a registration is, and whether it can be believed at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from star_core.errors import RegistrationError
from star_core.imaging.registration.images import HIGHEST_HU, LOWEST_HU, to_transform
from star_core.types import BoolArray, DoubleArray, FloatArray
from star_core.types.registration import Deformation, Registration, RegistrationKind, RegistrationQuality

if TYPE_CHECKING:
    import SimpleITK as sitk  # noqa: N813

LARGEST_ANGLE_DEGREES = 35.0
FEWEST_OVERLAP = 0.3
SCALES = (0.75, 1.33)
LARGEST_BENDING_MM = 80.0
# The scans of two patients agreed by 0.38 at most (3D-IRCADb-01 patient 17 and CHAOS 3, as rigid bodies).
LEAST_SIMILARITY = 0.42
_OUTSIDE = -2000.0
_FEWEST_CELLS = 500
_REMEDY = "Check that both are of this patient and show the liver, adjust it by hand, or leave this follow-up out."


def measure_quality(
    fixed: sitk.Image, moving: sitk.Image, to_later: DoubleArray, deformation: Deformation | None
) -> RegistrationQuality:
    """Return the agreement of two coarse images under a registration that has not been judged yet."""
    import SimpleITK as sitk  # noqa: N813

    unjudged = Registration(
        kind=RegistrationKind.RIGID if deformation is None else RegistrationKind.B_SPLINE,
        to_later_lps=to_later,
        quality=RegistrationQuality(similarity_before=0.0, similarity_after=0.0, overlap_share=0.0),
        deformation=deformation,
    )
    first = sitk.GetArrayViewFromImage(fixed)
    body = first > LOWEST_HU
    before, _ = _agree(first, body, _resample(moving, fixed, sitk.Transform()))
    after, overlap = _agree(first, body, _resample(moving, fixed, to_transform(unjudged)))
    largest_mm, jacobian = 0.0, 1.0
    if deformation is not None:
        largest_mm = float(np.linalg.norm(deformation.displacement_mm[body], axis=-1).max())
        jacobian = float(_jacobian(deformation)[body].min())
    return RegistrationQuality(
        similarity_before=before,
        similarity_after=after,
        overlap_share=overlap,
        largest_displacement_mm=largest_mm,
        smallest_jacobian=jacobian,
    )


def check_plausible(to_later: DoubleArray, quality: RegistrationQuality) -> None:
    """Refuse what cannot be.

    Raises
    ------
    RegistrationError
        Naming the reason.
    """
    rotation, scales = _polar(to_later[:3, :3])
    angle = float(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1.0) / 2.0, -1.0, 1.0))))
    reasons = [
        (angle > LARGEST_ANGLE_DEGREES, f"it would be turned by {angle:.0f} degrees"),
        (
            scales.min() < SCALES[0] or scales.max() > SCALES[1],
            f"it would be scaled by {scales.min():.2f} to {scales.max():.2f}",
        ),
        (
            quality.overlap_share < FEWEST_OVERLAP,
            f"it would share {100 * quality.overlap_share:.0f} % of the first",
        ),
        (quality.smallest_jacobian <= 0.0, "tissue would fold over itself"),
        (
            quality.largest_displacement_mm > LARGEST_BENDING_MM,
            f"tissue would be bent by {quality.largest_displacement_mm:.0f} mm",
        ),
        (
            quality.similarity_after < max(LEAST_SIMILARITY, quality.similarity_before - 0.02),
            f"grey values would agree by {quality.similarity_after:.2f}, as they lie {quality.similarity_before:.2f}",
        ),
    ]
    found = [reason for refused, reason in reasons if refused]
    if found:
        message = f"The follow-up CT could not be aligned with the first one: {'; '.join(found)}."
        raise RegistrationError(message, remedy=_REMEDY)


def _resample(moving: sitk.Image, fixed: sitk.Image, transform: sitk.Transform) -> FloatArray:
    import SimpleITK as sitk  # noqa: N813

    resampled: FloatArray = sitk.GetArrayFromImage(sitk.Resample(moving, fixed, transform, sitk.sitkLinear, _OUTSIDE))
    return resampled


def _agree(first: FloatArray, body: BoolArray, later: FloatArray) -> tuple[float, float]:
    """Return the correlation of grey values in the body where both reach, and the share of the body that is."""
    both = body & (later > _OUTSIDE / 2)
    share = float(np.count_nonzero(both)) / max(int(np.count_nonzero(body)), 1)
    if np.count_nonzero(both) < _FEWEST_CELLS:
        return 0.0, share
    one = np.clip(first[both], LOWEST_HU, HIGHEST_HU).astype(np.float64)
    other = np.clip(later[both], LOWEST_HU, HIGHEST_HU).astype(np.float64)
    if one.std() == 0.0 or other.std() == 0.0:
        return 0.0, share
    return float(np.corrcoef(one, other)[0, 1]), share


def _jacobian(deformation: Deformation) -> DoubleArray:
    """Return (D, H, W): change of volume under p + displacement(p)."""
    inverse = np.linalg.inv(deformation.geometry.affine_lps[:3, :3])
    displacement = deformation.displacement_mm.astype(np.float64)
    by_index = np.stack([np.gradient(displacement, axis=axis) for axis in range(3)], axis=-1)
    determinant: DoubleArray = np.linalg.det(np.eye(3) + by_index @ inverse)
    return determinant


def _polar(matrix: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Return a matrix's nearest rotation and its stretches."""
    left, stretches, right = np.linalg.svd(matrix)
    return left @ right, stretches
