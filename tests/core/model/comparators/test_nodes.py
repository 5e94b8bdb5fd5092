"""Lesions and regions: found by size, described in plain units, with radiomic features by MIRP."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from star_core.model.comparators.nodes import (
    MAX_LESIONS,
    N_RADIOMICS,
    N_REGIONS,
    build_graph_nodes,
    build_radiomic_nodes,
    compute_radiomics,
    find_lesions,
)
from star_core.types import STRUCTURES, ModelInput, Structure


def with_tumours(model_input: ModelInput, *corners: tuple[int, int, int, int]) -> ModelInput:
    """Return the input with cubic tumours (z, y, x, edge) and no others."""
    fractions = model_input.fractions.copy()
    tumour = fractions[STRUCTURES.index(Structure.TUMOUR)]
    tumour[:] = 0.0
    for z, y, x, edge in corners:
        tumour[z : z + edge, y : y + edge, x : x + edge] = 1.0
    return replace(model_input, fractions=fractions)


def test_lesions_come_by_size(small_input: ModelInput) -> None:
    lesions = find_lesions(with_tumours(small_input, (1, 4, 4, 2), (5, 16, 16, 3)))
    assert [int(mask.sum()) for mask in lesions] == [27, 8]


def test_a_graph_has_lesions_then_regions(small_input: ModelInput) -> None:
    nodes = build_graph_nodes(with_tumours(small_input, (4, 14, 12, 2)))
    assert len(nodes.features) == MAX_LESIONS + N_REGIONS
    assert nodes.present[:MAX_LESIONS].tolist() == [1.0] + [0.0] * (MAX_LESIONS - 1)
    assert nodes.present[MAX_LESIONS:].all()
    volume_ml = 8 * small_input.geometry.voxel_volume_ml
    np.testing.assert_allclose(nodes.features[0, 1], np.log1p(volume_ml), rtol=1e-5)
    expected = small_input.geometry.index_to_lps(np.array([4.5, 14.5, 12.5]))
    np.testing.assert_allclose(nodes.places_mm[0], expected, rtol=1e-4)


def test_a_patient_without_lesions_has_empty_nodes(small_input: ModelInput) -> None:
    nodes = build_radiomic_nodes(with_tumours(small_input))
    assert not nodes.present.any()
    assert not nodes.features.any()


def test_radiomics_measure_size_and_are_the_same_each_time() -> None:
    generator = np.random.default_rng(0)
    image = generator.normal(0.0, 0.2, (20, 20, 20)).astype(np.float32)
    small, large = (np.zeros(image.shape, dtype=bool) for _ in range(2))
    small[8:11, 8:11, 8:11] = True
    large[5:14, 5:14, 5:14] = True
    first = compute_radiomics(image, small, (3.0, 3.0, 3.0))
    assert first.shape == (N_RADIOMICS,)
    np.testing.assert_array_equal(first, compute_radiomics(image, small, (3.0, 3.0, 3.0)))
    assert compute_radiomics(image, large, (3.0, 3.0, 3.0))[0] > 10 * first[0]  # volume
