"""Geometry and the value types."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from star_core.types import Forecast, Geometry, Masks, RiskMap, Structure, Volume
from tests.strategies import geometries


@given(geometries(), st.tuples(*[st.floats(-50, 300)] * 3))
def test_index_to_lps_and_back_gives_the_index(geometry: Geometry, index: tuple[float, float, float]) -> None:
    there_and_back = geometry.lps_to_index(geometry.index_to_lps(np.array(index)))
    np.testing.assert_allclose(there_and_back, index, atol=1e-6)


@given(geometries())
def test_spacing_times_each_other_is_the_voxel_volume(geometry: Geometry) -> None:
    # The grids are oblique but their axes are at right angles.
    assert geometry.voxel_volume_ml == pytest.approx(np.prod(geometry.spacing_mm) / 1000.0, rel=1e-6)


def test_a_standing_axial_grid_by_hand() -> None:
    affine_lps = np.array([[0, 0, 0.5, -100], [0, 0.5, 0, -50], [2.5, 0, 0, 10], [0, 0, 0, 1]])
    geometry = Geometry(shape=(4, 8, 16), affine_lps=affine_lps)
    assert geometry.spacing_mm == (2.5, 0.5, 0.5)
    np.testing.assert_allclose(geometry.index_to_lps(np.array([2, 4, 6])), [-97.0, -48.0, 15.0])


def test_a_grid_moved_by_less_than_the_tolerance_is_the_same_grid() -> None:
    geometry = Geometry(shape=(3, 4, 5), affine_lps=np.eye(4))
    for shift_mm, same in ((0.005, True), (0.5, False)):
        affine_lps = np.eye(4)
        affine_lps[0, 3] = shift_mm
        assert geometry.is_close_to(Geometry(shape=(3, 4, 5), affine_lps=affine_lps)) is same
    assert not geometry.is_close_to(Geometry(shape=(3, 4, 6), affine_lps=np.eye(4)))


@pytest.mark.parametrize("affine_lps", [np.zeros((4, 4)), np.eye(3), np.full((4, 4), np.nan)])
def test_a_matrix_that_is_no_grid_is_refused(affine_lps: np.ndarray) -> None:
    with pytest.raises(ValueError, match="affine_lps"):
        Geometry(shape=(2, 2, 2), affine_lps=affine_lps)


def test_arrays_of_values_cannot_be_written() -> None:
    geometry = Geometry(shape=(2, 2, 2), affine_lps=np.eye(4))
    volume = Volume(voxels_hu=np.zeros((2, 2, 2), np.int16), geometry=geometry, series_uid="1")
    with pytest.raises(ValueError, match="read-only"):
        volume.voxels_hu[0, 0, 0] = 1


def test_structures_overlap_and_are_measured_in_ml() -> None:
    bits = np.zeros((2, 2, 2), np.uint8)
    bits[0] = Structure.LIVER
    bits[0, 0, 0] |= Structure.TUMOUR
    affine_lps = np.diag([10.0, 10.0, 10.0, 1.0])
    masks = Masks(bits=bits, geometry=Geometry(shape=(2, 2, 2), affine_lps=affine_lps), known=Structure(17))
    assert masks.volume_ml(Structure.LIVER) == pytest.approx(4.0)
    assert masks.volume_ml(Structure.TUMOUR) == pytest.approx(1.0)
    assert masks.mask_of(Structure.LIVER | Structure.TUMOUR).sum() == 4


def test_annual_maps_add_up_to_the_cumulative_one() -> None:
    density = np.cumsum(np.random.default_rng(0).random((12, 2, 3, 4), np.float32), axis=0)
    risk_map = RiskMap(density_per_ml=density, geometry=Geometry(shape=(2, 3, 4), affine_lps=np.eye(4)))
    np.testing.assert_allclose(risk_map.annual_density_per_ml().sum(axis=0), density[-1], rtol=1e-5)


def test_years_with_fewer_than_ten_at_risk_are_unsupported() -> None:
    flat = np.ones(3)
    forecast = Forecast(
        rates={},
        cumulative_incidence={},
        event_free_survival=flat,
        overall_survival=flat,
        intervals={},
        at_risk=np.array([11, 10, 9]),
    )
    assert forecast.supported.tolist() == [True, True, False]
