"""Surfaces lie where their structures lie, with the outside outside."""

from __future__ import annotations

import numpy as np
import pytest

from star_core.types import Masks, Structure
from star_viewer.scene.surfaces import Surface, build_body_surfaces, build_mask_surfaces
from tests.viewer.scene.factory import build_geometry, build_masks, build_volume, turn

GRID = build_geometry((4.0, 2.0, 2.0))


def _tumour(masks: Masks) -> Surface:
    return next(surface for surface in build_mask_surfaces(masks) if surface.name == "TUMOUR")


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2)])
@pytest.mark.parametrize("flips", [(), (0,), (0, 2), (0, 1, 2)])
def test_a_tumour_is_a_ball_at_its_place_with_normals_outwards(
    order: tuple[int, int, int], flips: tuple[int, ...]
) -> None:
    mesh = _tumour(build_masks(turn(GRID, flips, order))).mesh
    from_centre_mm = mesh.points_mm - np.array([-65.0, 10.0, -10.0])
    radii_mm = np.linalg.norm(from_centre_mm, axis=1)
    assert abs(float(np.median(radii_mm)) - 14.0) < 1.5
    outwards = (mesh.normals * from_centre_mm).sum(axis=1) / radii_mm
    assert float(np.mean(outwards)) > 0.9
    corners = mesh.points_mm[mesh.triangles].astype(np.float64)
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    middle_mm = corners.mean(axis=1) - np.array([-65.0, 10.0, -10.0])
    assert float(np.mean((faces * middle_mm).sum(axis=1) > 0)) > 0.95


def test_empty_structures_have_no_surface() -> None:
    nothing = Masks(bits=np.zeros(GRID.shape, np.uint8), geometry=GRID, known=Structure.TUMOUR)
    assert build_mask_surfaces(nothing) == ()


def test_bones_stand_in_for_missing_masks() -> None:
    (bone,) = build_body_surfaces(build_volume(GRID))
    low_mm, high_mm = bone.bounds_mm()
    assert low_mm[0] < -10
    assert high_mm[1] > 70
