"""What surrounds the liver of a synthetic patient, and how all of it looks to the scanner."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from star_core.cohort import anatomy
from star_core.cohort.anatomy import Canvas
from star_core.types import BoolArray, FloatArray, Structure


def draw_body(canvas: Canvas) -> dict[str, BoolArray]:
    """Return the trunk and the organs around the liver."""
    box = (slice(None), slice(None), slice(None))
    x, y, z = canvas.coordinates(box)
    trunk = ((x / 172) ** 2 + ((y - 8) / 122) ** 2) + 0.0 * z < 1.0
    muscle = ((x / 156) ** 2 + ((y - 8) / 107) ** 2) + 0.0 * z < 1.0
    inside = ((x / 148) ** 2 + ((y - 8) / 99) ** 2) + 0.0 * z < 1.0
    dome = 70.0 - ((x + 60) / 105) ** 2 * 55 - ((y - 5) / 95) ** 2 * 40
    dome_left = 74.0 - ((x - 75) / 75) ** 2 * 50 - ((y - 5) / 95) ** 2 * 40
    lungs = inside & (z > np.maximum(dome, dome_left)) & ((x + 5) ** 2 + (y + 10) ** 2 > 45**2)
    organs = {
        "spleen": canvas.ellipsoid(np.array([108.0, 38.0, 28.0]), np.array([32.0, 46.0, 50.0])),
        "kidneys": canvas.ellipsoid(np.array([-62.0, 70.0, -55.0]), np.array([29.0, 27.0, 52.0]))
        | canvas.ellipsoid(np.array([62.0, 72.0, -40.0]), np.array([29.0, 27.0, 52.0])),
        "stomach": canvas.ellipsoid(np.array([62.0, -38.0, 8.0]), np.array([46.0, 34.0, 42.0])),
        "bowel": canvas.ellipsoid(np.array([30.0, -40.0, -95.0]), np.array([95.0, 42.0, 45.0])),
        "heart": canvas.ellipsoid(np.array([20.0, -35.0, 125.0]), np.array([58.0, 48.0, 45.0])),
        "spine": canvas.ellipsoid(np.array([0.0, 72.0, 0.0]), np.array([23.0, 19.0, 500.0])),
        "canal": canvas.ellipsoid(np.array([0.0, 95.0, 0.0]), np.array([9.0, 8.0, 500.0])),
        "aorta": canvas.ellipsoid(np.array([14.0, 44.0, 0.0]), np.array([10.0, 10.0, 500.0])),
        "cava": canvas.ellipsoid(np.array([-18.0, 36.0, 0.0]), np.array([12.0, 9.0, 500.0])),
    }
    return {"trunk": trunk, "muscle": muscle, "inside": inside & ~lungs, "lungs": lungs, **organs}


def paint_hu(
    canvas: Canvas,
    body: Mapping[str, BoolArray],
    structures: Mapping[Structure, BoolArray],
    steatosis: bool,
    generator: np.random.Generator,
) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    """Return int16 (D, H, W) HU: tissues painted, blurred by the scanner, with noise; a fatty liver is darker."""
    liver_hu = float(generator.normal(80.0 if steatosis else 110.0, 8.0))
    vessel_hu = float(generator.normal(165.0, 12.0))
    tumour_hu = float(generator.normal(min(68.0, liver_hu - 18.0), 6.0))
    hu: FloatArray = np.full(canvas.geometry.shape, -1000.0, dtype=np.float32)
    for name, value in (("trunk", -100.0), ("muscle", 58.0), ("inside", -95.0), ("lungs", -860.0)):
        hu[body[name]] = value
    for name, value in (
        ("bowel", 25.0),
        ("stomach", 12.0),
        ("spleen", 122.0),
        ("kidneys", 185.0),
        ("heart", 140.0),
    ):
        hu[body[name] & (body["inside"] | body["lungs"])] = value
    hu[structures[Structure.LIVER]] = liver_hu
    for name, value in (("cava", 145.0), ("aorta", 160.0), ("spine", 230.0), ("canal", 30.0)):
        hu[body[name]] = value
    hu[structures[Structure.HEPATIC_VEINS]] = vessel_hu - 8.0
    hu[structures[Structure.PORTAL_VEINS]] = vessel_hu
    tumour = structures[Structure.TUMOUR]
    hu[tumour] = tumour_hu
    hu = anatomy.soften(hu, canvas.geometry.spacing_mm, 1.1)
    hu += 5.0 * anatomy.smooth_noise(hu.shape, (6, 12, 12), generator) * (hu > -50)
    noise = generator.standard_normal(hu.shape, dtype=np.float32)
    hu += 11.0 * anatomy.soften(noise, (4.0, 1.0, 1.0), 0.7) * 1.8
    return np.rint(np.clip(hu, -1024.0, 1500.0)).astype(np.int16)


def to_bits(structures: Mapping[Structure, BoolArray]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return uint8 (D, H, W): each voxel the combination of its structures."""
    first = next(iter(structures.values()))
    bits = np.zeros(first.shape, dtype=np.uint8)
    for structure, mask in structures.items():
        bits |= mask.astype(np.uint8) * np.uint8(structure)
    return bits
