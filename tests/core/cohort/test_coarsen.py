"""Coarser grids: the same scans, volumes and outcomes in larger cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from star_core.cohort.coarsen import coarsen_cohort
from star_core.cohort.manifest import Manifest, load_input
from star_core.cohort.phantom import draw_phantom
from star_core.errors import CohortError
from tests.core.conftest import SMALL


def test_a_coarsened_cohort_is_what_preparing_coarsely_gives(cohort: Manifest, tmp_path: Path) -> None:
    coarse = coarsen_cohort(cohort.folder, tmp_path / "coarse", reduce=4)
    assert coarse.preprocessing["reduce"] == 4
    assert [p.outcome for p in coarse.patients] == [p.outcome for p in cohort.patients]
    found = load_input(coarse, coarse.patients[0])
    drawn = draw_phantom(5 * 1_000_003, config=SMALL).model_input
    np.testing.assert_allclose(found.image, drawn.image, atol=2e-3)
    np.testing.assert_allclose(found.fractions, drawn.fractions, atol=5e-3)
    np.testing.assert_allclose(found.geometry.affine_lps, drawn.geometry.affine_lps)


def test_a_coarse_cohort_is_not_coarsened_again(small_cohort: Manifest, tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="reduced by 4"):
        coarsen_cohort(small_cohort.folder, tmp_path / "coarser", reduce=2)
