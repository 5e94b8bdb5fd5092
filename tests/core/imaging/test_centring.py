"""The bifurcation of the portal vein, on drawn trees and on a real mask that reaches down to the bowel's veins."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from star_core.api import open_case
from star_core.imaging.centring import find_centre, find_portal_bifurcation
from star_core.imaging.geometry import to_canonical
from star_core.types import BoolArray, CentringRule, Geometry

GRID = Geometry(shape=(60, 60, 60), affine_lps=np.diag([2.0, 2.0, 2.0, 1.0])[[2, 1, 0, 3]])


def draw_fork(at: tuple[int, int, int], half_width: int) -> BoolArray:
    """Return a trunk from below that forks to both sides."""
    z, y, x = at
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[z - 12 : z + 1, y - half_width : y + half_width + 1, x - half_width : x + half_width + 1] = True
    mask[z - 1 : z + 2, y - 1 : y + 2, x - 15 : x + 16] = True
    return mask


def test_the_fork_of_a_tree_is_found() -> None:
    liver = np.ones(GRID.shape, dtype=bool)
    found = find_portal_bifurcation(draw_fork((40, 30, 30), 2), liver, GRID)
    assert found is not None
    np.testing.assert_allclose(found, (40, 30, 30), atol=3)


def test_a_thicker_fork_away_from_the_liver_does_not_count() -> None:
    portal = draw_fork((44, 30, 30), 2)
    portal |= draw_fork((18, 30, 30), 4)
    portal[18:33, 29:32, 29:32] = True
    liver = np.zeros(GRID.shape, dtype=bool)
    liver[36:] = True
    found = find_portal_bifurcation(portal, liver, GRID)
    assert found is not None
    np.testing.assert_allclose(found, (44, 30, 30), atol=4)


def test_without_a_branch_there_is_no_bifurcation() -> None:
    tube = np.zeros(GRID.shape, dtype=bool)
    tube[10:50, 29:32, 29:32] = True
    assert find_portal_bifurcation(tube, tube, GRID) is None
    assert find_portal_bifurcation(np.zeros(GRID.shape, dtype=bool), tube, GRID) is None


def test_a_real_mask_is_centred_at_the_hilum_not_where_the_splenic_vein_joins(ircad_folder: Path) -> None:
    masks = open_case(ircad_folder).masks
    assert masks is not None
    centre = find_centre(*to_canonical(masks.bits, masks.geometry))
    assert centre.rule is CentringRule.PORTAL_BIFURCATION
    # Seen on the CT: the portal vein forks in slices 59 to 66, the splenic vein joins in slices 40 to 49.
    assert 57 <= centre.slice_index <= 68
