"""Augmentation of training inputs (method, section 2): B-spline elastic deformation, noise and blur, by TorchIO.

TorchIO (doi 10.1016/j.cmpb.2021.106236) applies each transform; every random number is drawn here, from one generator,
so that a seed repeats a run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from star_core.types import DoubleArray, FloatArray, ModelInput

CONTROL_POINTS = (7, 7, 7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """Largest strengths; each use draws its own between zero and these.

    ``elastic_mm`` is the largest displacement of a control point, ``noise_sigma`` in units of the image ([-1, 1]),
    ``blur_sigma_mm`` the standard deviation of a Gaussian.
    """

    elastic_mm: float = 5.0
    noise_sigma: float = 0.1
    blur_sigma_mm: float = 0.5


def augment_input(
    model_input: ModelInput, site: FloatArray, augmentation: Augmentation, generator: np.random.Generator
) -> tuple[ModelInput, FloatArray]:
    """Return a changed copy of an input and of the (D, H, W) mask of its recurrence site, bent by the same field."""
    image = model_input.image
    fractions = model_input.fractions
    if augmentation.elastic_mm > 0:
        stacked = np.concatenate([image, fractions, site[None]])
        bent = _bend(stacked, model_input.geometry.affine_lps, augmentation.elastic_mm, generator)
        # Linear interpolation keeps fractions within [0, 1]; rounding may not.
        image, fractions, site = bent[:1], bent[1:-1].clip(0.0, 1.0), bent[-1].clip(0.0, 1.0)
    image = _blur(image, model_input.geometry.spacing_mm, generator.uniform(0.0, 1.0) * augmentation.blur_sigma_mm)
    sigma = np.float32(generator.uniform(0.0, 1.0) * augmentation.noise_sigma)
    image = image + sigma * generator.standard_normal(image.shape, dtype=np.float32)
    return replace(model_input, image=image, fractions=fractions), site


def _bend(
    channels: FloatArray, affine_lps: DoubleArray, largest_mm: float, generator: np.random.Generator
) -> FloatArray:
    import torch
    import torchio as tio

    control_points = generator.uniform(-largest_mm, largest_mm, (*CONTROL_POINTS, 3))
    # Nothing moves at the border, so that no empty space is drawn in.
    for axis in range(3):
        border = [slice(None)] * 3
        for edge in (0, -1):
            border[axis] = edge  # type: ignore[call-overload]
            control_points[tuple(border)] = 0.0
    transform = tio.ElasticDeformation(control_points=control_points, max_displacement=(largest_mm,) * 3)
    scan = tio.ScalarImage(tensor=torch.from_numpy(channels.copy()), affine=affine_lps)
    bent: FloatArray = transform(scan).data.numpy().astype(np.float32, copy=False)
    return bent


def _blur(image: FloatArray, spacing_mm: tuple[float, float, float], sigma_mm: float) -> FloatArray:
    from scipy import ndimage

    if sigma_mm <= 0:
        return image
    sigmas = [0.0, *(sigma_mm / mm for mm in spacing_mm)]
    blurred: FloatArray = ndimage.gaussian_filter(image, sigmas, output=np.float32)
    return blurred
