"""Canonical orientation and maps from one grid to another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from star_core.imaging.geometry import resample_to, to_canonical
from star_core.types import Geometry
from tests.strategies import geometries


@given(geometries(max_size=4))
@settings(max_examples=50)
def test_every_voxel_keeps_its_place_in_the_patient(geometry: Geometry) -> None:
    places_mm = geometry.index_to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1).astype(float))
    number = np.arange(int(np.prod(geometry.shape))).reshape(geometry.shape)
    turned, canonical = to_canonical(number, geometry)
    turned_mm = canonical.index_to_lps(np.moveaxis(np.indices(canonical.shape), 0, -1).astype(float))
    order = turned.ravel()
    np.testing.assert_allclose(turned_mm.reshape(-1, 3), places_mm.reshape(-1, 3)[order], atol=1e-6)


@given(geometries(max_size=4))
@settings(max_examples=50)
def test_canonical_axes_run_superior_posterior_and_left(geometry: Geometry) -> None:
    _, canonical = to_canonical(np.zeros(geometry.shape), geometry)
    for axis, lps_axis in enumerate((2, 1, 0)):
        assert canonical.affine_lps[lps_axis, axis] >= 0


def test_a_linear_field_is_resampled_exactly_between_grids() -> None:
    source = Geometry(shape=(20, 24, 28), affine_lps=np.diag([2.0, 1.5, 1.0, 1.0]))
    target = Geometry(shape=(5, 6, 7), affine_lps=np.diag([5.0, 3.5, 3.0, 1.0]))
    field = source.index_to_lps(np.moveaxis(np.indices(source.shape), 0, -1).astype(float)).sum(axis=-1)
    expected = target.index_to_lps(np.moveaxis(np.indices(target.shape), 0, -1).astype(float)).sum(axis=-1)
    np.testing.assert_allclose(resample_to(field.astype(np.float32), source, target), expected, atol=1e-4)


def test_outside_the_source_the_given_value_stands() -> None:
    source = Geometry(shape=(2, 2, 2), affine_lps=np.eye(4))
    far = np.eye(4)
    far[:3, 3] = 100.0
    target = Geometry(shape=(1, 1, 1), affine_lps=far)
    assert resample_to(np.ones((2, 2, 2), np.float32), source, target, outside=-1.0).item() == pytest.approx(-1.0)
