"""From the CT to the network's grid and back."""

from __future__ import annotations

import numpy as np
import pytest

from star_core.imaging.preprocess import PlaneSpacing, PreprocessConfig, StructureSampling, prepare_image
from star_core.types import CentringRule, Geometry, Masks, Structure, Volume

SHAPE = (60, 160, 192)
SPACING_MM = (3.0, 2.0, 2.0)


def axial(shape: tuple[int, int, int] = SHAPE, spacing_mm: tuple[float, float, float] = SPACING_MM) -> Geometry:
    affine_lps = np.zeros((4, 4))
    affine_lps[2, 0], affine_lps[1, 1], affine_lps[0, 2] = spacing_mm
    affine_lps[:, 3] = [-190.0, -160.0, -400.0, 1.0]
    return Geometry(shape=shape, affine_lps=affine_lps)


def ball(geometry: Geometry, centre: tuple[float, float, float], radius_mm: float) -> np.ndarray:
    index = np.moveaxis(np.indices(geometry.shape), 0, -1) - np.array(centre)
    return ((index * np.array(geometry.spacing_mm)) ** 2).sum(axis=-1) <= radius_mm**2


def build(hu: int = 40, value_inside: int = 110) -> tuple[Volume, Masks]:
    geometry = axial()
    liver = ball(geometry, (30, 80, 90), 60.0)
    voxels = np.full(SHAPE, hu, np.int16)
    voxels[liver] = value_inside
    bits = np.where(liver, np.uint8(Structure.LIVER), np.uint8(0))
    masks = Masks(bits=bits, geometry=geometry, known=Structure.LIVER)
    return Volume(voxels_hu=voxels, geometry=geometry, series_uid="1"), masks


def test_output_has_the_papers_size_and_range() -> None:
    prepared = prepare_image(*build())
    assert prepared.image.shape == (1, 40, 128, 128)
    assert prepared.image.dtype == np.float32
    assert prepared.image.min() >= -1.0
    assert prepared.image.max() <= 1.0


def test_structures_keep_their_volume_and_their_place() -> None:
    volume, masks = build()
    prepared = prepare_image(volume, masks)
    liver = prepared.fractions[0]
    volume_ml = float(liver.sum()) * prepared.geometry.voxel_volume_ml
    # The closing rounds the ball's rim off a little.
    assert volume_ml == pytest.approx(masks.volume_ml(Structure.LIVER), rel=0.03)
    index = np.moveaxis(np.indices(liver.shape), 0, -1).astype(float)
    centre_mm = np.average(prepared.geometry.index_to_lps(index).reshape(-1, 3), axis=0, weights=liver.ravel())
    expected_mm = volume.geometry.index_to_lps(np.array([30.0, 80.0, 90.0]))
    half_voxel_mm = np.array(prepared.geometry.spacing_mm)[::-1] / 2
    assert (np.abs(centre_mm - expected_mm) < half_voxel_mm).all()


def test_a_patient_stored_upside_down_is_prepared_the_same() -> None:
    volume, masks = build()
    flipped_affine = np.array(volume.geometry.affine_lps)
    flipped_affine[:3, 3] += flipped_affine[:3, 0] * (SHAPE[0] - 1)
    flipped_affine[:3, 0] *= -1
    geometry = Geometry(shape=SHAPE, affine_lps=flipped_affine)
    flipped = Volume(voxels_hu=volume.voxels_hu[::-1], geometry=geometry, series_uid="1")
    flipped_masks = Masks(bits=masks.bits[::-1], geometry=geometry, known=masks.known)
    expected, found = prepare_image(volume, masks), prepare_image(flipped, flipped_masks)
    np.testing.assert_allclose(found.image, expected.image, atol=1e-5)
    np.testing.assert_allclose(found.fractions, expected.fractions, atol=1e-6)
    assert found.geometry.is_close_to(expected.geometry)


def test_missing_planes_are_padded_with_air() -> None:
    volume, masks = build()
    prepared = prepare_image(volume, masks, centre_index=0.0)
    assert prepared.centring_rule is CentringRule.USER
    assert (prepared.image[0, 0] == -1.0).all()
    assert prepared.steps["padded_planes"] == 20


def test_slices_option_takes_the_scanners_own_slices() -> None:
    volume, masks = build()
    config = PreprocessConfig(z=PlaneSpacing.SLICES)
    prepared = prepare_image(volume, masks, config=config, centre_index=30.0)
    assert prepared.geometry.spacing_mm[0] == pytest.approx(3.0)
    np.testing.assert_allclose(
        prepared.geometry.index_to_lps(np.array([20.0, 63.5, 63.5])),
        volume.geometry.index_to_lps(np.array([30.0, 79.5, 95.5])),
        atol=1e-9,
    )


def test_nearest_structures_are_those_of_the_paper() -> None:
    from scipy import ndimage

    volume, masks = build()
    config = PreprocessConfig(z=PlaneSpacing.SLICES, structures=StructureSampling.NEAREST)
    prepared = prepare_image(volume, masks, config=config, centre_index=30.0)
    assert set(np.unique(prepared.fractions[0])) == {0.0, 1.0}
    rows = np.rint((np.arange(128) + 0.5) * SHAPE[1] / 128 - 0.5).astype(int)
    columns = np.rint((np.arange(128) + 0.5) * SHAPE[2] / 128 - 0.5).astype(int)
    nearest = masks.mask_of(Structure.LIVER)[30][np.ix_(rows, columns)]
    expected = ndimage.binary_closing(np.pad(nearest, 1), np.ones((3, 3)))[1:-1, 1:-1]
    np.testing.assert_array_equal(prepared.fractions[0, 20], expected)


def test_a_liver_that_does_not_fit_is_a_finding() -> None:
    # 40 planes of 5 mm reach 100 mm; seen from the lowest slice the liver ends at 150 mm.
    assert prepare_image(*build()).findings == ()
    (finding,) = prepare_image(*build(), centre_index=0.0).findings
    assert finding.code == "liver-not-covered"
    assert "expected at least 95 %" in finding.message


@pytest.mark.parametrize(
    ("structures", "rule"),
    [
        (Structure(0), CentringRule.VOLUME_CENTRE),
        (Structure.LIVER, CentringRule.LIVER_CENTROID),
        (Structure.LIVER | Structure.PORTAL_VEINS, CentringRule.PORTAL_CENTROID),
    ],
)
def test_the_centre_follows_the_best_structure_there_is(structures: Structure, rule: CentringRule) -> None:
    volume, masks = build()
    blob = ball(volume.geometry, (36, 80, 90), 12.0)
    bits = masks.bits * np.uint8(bool(structures & Structure.LIVER))
    if structures & Structure.PORTAL_VEINS:
        bits = bits | np.where(blob, np.uint8(Structure.PORTAL_VEINS), np.uint8(0))
    prepared = prepare_image(volume, Masks(bits=bits, geometry=volume.geometry, known=structures))
    assert prepared.centring_rule is rule
    expected = {CentringRule.VOLUME_CENTRE: 29.5, CentringRule.LIVER_CENTROID: 30.0}.get(rule, 36.0)
    assert prepared.centre_index == pytest.approx(expected, abs=0.6)


def test_a_branching_portal_vein_gives_its_branching_point() -> None:
    volume, masks = build()
    index = np.moveaxis(np.indices(SHAPE), 0, -1) * np.array(SPACING_MM)

    def tube(start: tuple[float, ...], end: tuple[float, ...], radius_mm: float) -> np.ndarray:
        a, b = np.array(start) * SPACING_MM, np.array(end) * SPACING_MM
        along = np.clip(((index - a) @ (b - a)) / ((b - a) @ (b - a)), 0, 1)
        return np.linalg.norm(index - a - along[..., None] * (b - a), axis=-1) <= radius_mm

    branching = (34.0, 80.0, 90.0)
    portal = tube((18, 90, 100), branching, 7.0)
    portal |= tube(branching, (42, 72, 66), 5.0) | tube(branching, (44, 70, 112), 5.0)
    bits = masks.bits | np.where(portal, np.uint8(Structure.PORTAL_VEINS), np.uint8(0))
    prepared = prepare_image(volume, Masks(bits=bits, geometry=volume.geometry, known=Structure(9)))
    assert prepared.centring_rule is CentringRule.PORTAL_BIFURCATION
    assert prepared.centre_index == pytest.approx(34.0, abs=3.0)
