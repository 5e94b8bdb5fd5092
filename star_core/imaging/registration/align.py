"""Aligning a later CT with the first one, by SimpleITK (doi 10.3389/fninf.2013.00045).

Mutual information (Mattes, doi 10.1109/TMI.2003.809072) on both scans at 4 mm, from coarse to fine; the same each time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from star_core.errors import CancelledError, RegistrationError
from star_core.imaging.registration.images import to_affine, to_coarse_image, to_deformation, to_matrix
from star_core.imaging.registration.quality import check_plausible, measure_quality
from star_core.types import DoubleArray, ProgressCallback, Volume, ignore_progress
from star_core.types.registration import Deformation, Registration, RegistrationKind

if TYPE_CHECKING:
    import SimpleITK as sitk  # noqa: N813

Look = Callable[[], None]
_SEED, _BINS, _SAMPLED = 1, 32, 0.2
_KNOT_MM = 60.0
_BENDING_STEPS = 25
_REMEDY = "Check that both are of this patient and show the liver, adjust it by hand, or leave this follow-up out."


def register(
    later: Volume,
    first: Volume,
    kind: RegistrationKind = RegistrationKind.RIGID,
    *,
    start_lps: DoubleArray | None = None,
    progress: ProgressCallback = ignore_progress,
) -> Registration:
    """Return where the first scan's points lie in the later scan.

    Parameters
    ----------
    later, first
        Two CTs of one patient.
    kind
        How freely the later scan may move; each kind begins with the result of the one before.
    start_lps
        (4, 4) LPS mm of ``first`` to LPS mm of ``later`` from which to begin, such as a reader's own adjustment; by the
        middles of both bodies when not given.
    progress
        Called with steps done and their total; may raise :class:`star_core.errors.CancelledError`.

    Raises
    ------
    RegistrationError
        When the result turns the patient, folds tissue, agrees less than before or leaves too little in common.
    """
    steps = 2 + list(RegistrationKind).index(kind)
    progress(0, steps)
    fixed, moving = to_coarse_image(first), to_coarse_image(later)
    try:
        to_later = _align_rigid(fixed, moving, start_lps, partial(progress, 0, steps))
        # Two patients would agree once one is bent enough: what is no match as a body is none at all.
        check_plausible(to_later, measure_quality(fixed, moving, to_later, None))
        progress(1, steps)
        if kind is not RegistrationKind.RIGID:
            to_later = _align_affine(fixed, moving, to_later, partial(progress, 1, steps))
            progress(2, steps)
        bends = kind is RegistrationKind.B_SPLINE
        deformation = _bend(fixed, moving, to_later, partial(progress, 2, steps)) if bends else None
    except RuntimeError as error:
        raise RegistrationError(
            "The follow-up CT could not be aligned with the first one.", remedy=_REMEDY, details=str(error)
        ) from error
    progress(steps - 1, steps)
    quality = measure_quality(fixed, moving, to_later, deformation)
    check_plausible(to_later, quality)
    progress(steps, steps)
    return Registration(kind=kind, to_later_lps=to_later, quality=quality, deformation=deformation)


def _align_rigid(fixed: sitk.Image, moving: sitk.Image, start_lps: DoubleArray | None, look: Look) -> DoubleArray:
    import SimpleITK as sitk  # noqa: N813

    start = sitk.CenteredTransformInitializer(
        fixed, moving, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    method = _method()
    if start_lps is not None:
        method.SetMovingInitialTransform(to_affine(start_lps))
        middle = sitk.Euler3DTransform(start).GetCenter()
        start = sitk.Euler3DTransform()
        start.SetCenter(middle)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 1e-3, 80)
    method.SetInitialTransform(start)
    found = to_matrix(sitk.Euler3DTransform(_run(method, fixed, moving, look)))
    return found if start_lps is None else start_lps @ found


def _align_affine(fixed: sitk.Image, moving: sitk.Image, to_later: DoubleArray, look: Look) -> DoubleArray:
    import SimpleITK as sitk  # noqa: N813

    start = sitk.AffineTransform(3)
    middle = [(size - 1) / 2 for size in fixed.GetSize()]
    start.SetCenter(fixed.TransformContinuousIndexToPhysicalPoint(middle))
    method = _method()
    method.SetMovingInitialTransform(to_affine(to_later))
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, 60)
    method.SetInitialTransform(start)
    found = to_matrix(sitk.AffineTransform(_run(method, fixed, moving, look)))
    return to_later @ found


def _bend(fixed: sitk.Image, moving: sitk.Image, to_later: DoubleArray, look: Look) -> Deformation:
    import SimpleITK as sitk  # noqa: N813

    extent_mm = [size * mm for size, mm in zip(fixed.GetSize(), fixed.GetSpacing(), strict=True)]
    mesh = [max(2, round(mm / _KNOT_MM)) for mm in extent_mm]
    method = _method(scaled=False)
    method.SetShrinkFactorsPerLevel([2])
    method.SetSmoothingSigmasPerLevel([1.0])
    method.SetMovingInitialTransform(to_affine(to_later))
    method.SetOptimizerAsLBFGSB(numberOfIterations=_BENDING_STEPS, maximumNumberOfCorrections=5)
    method.SetInitialTransform(sitk.BSplineTransformInitializer(fixed, mesh))
    return to_deformation(_run(method, fixed, moving, look), fixed)


def _method(*, scaled: bool = True) -> sitk.ImageRegistrationMethod:
    import SimpleITK as sitk  # noqa: N813

    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(_BINS)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(_SAMPLED, _SEED)
    method.SetInterpolator(sitk.sitkLinear)
    if scaled:
        method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2.0, 1.0, 0.0])
    return method


def _run(method: sitk.ImageRegistrationMethod, fixed: sitk.Image, moving: sitk.Image, look: Look) -> sitk.Transform:
    """Return what was optimised; ``look`` is called in every step and may cancel."""
    import SimpleITK as sitk  # noqa: N813

    cancelled: list[CancelledError] = []

    def look_up() -> None:
        # An exception must not pass through the optimiser's own frames.
        try:
            look()
        except CancelledError as error:
            cancelled.append(error)
            method.StopRegistration()

    method.AddCommand(sitk.sitkIterationEvent, look_up)
    found = method.Execute(fixed, moving)
    if cancelled:
        raise cancelled[0]
    return _last(found)


def _last(transform: sitk.Transform) -> sitk.Transform:
    """Return the transform that was optimised, without what it began from."""
    import SimpleITK as sitk  # noqa: N813

    if transform.GetName() != "CompositeTransform":
        return transform
    return sitk.CompositeTransform(transform).GetBackTransform()
