"""Which screen side shows which side of the patient, however the grid was acquired."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from star_viewer.scene.orientation import SliceKind, assign_patient_axes, build_plane, to_letters
from tests.viewer.scene.factory import build_geometry, tilt, turn

GRID = build_geometry((5.0, 4.0, 3.0))
ALL_TURNS = [
    turn(GRID, flips, order)
    for order in permutations(range(3))
    for flips in ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2))
]
LETTERS = {
    SliceKind.AXIAL: ("R", "L", "A", "P"),
    SliceKind.CORONAL: ("R", "L", "S", "I"),
    SliceKind.SAGITTAL: ("A", "P", "S", "I"),
}


@pytest.mark.parametrize("kind", SliceKind)
def test_every_turn_of_a_grid_shows_the_radiological_letters(kind: SliceKind) -> None:
    assert {build_plane(kind, geometry).letters for geometry in ALL_TURNS} == {LETTERS[kind]}


def test_an_oblique_grid_names_both_directions() -> None:
    plane = build_plane(SliceKind.AXIAL, tilt(GRID, 20.0))
    assert plane.letters == ("R", "L", "AI", "PS")


def test_a_tilt_of_a_few_degrees_gets_no_second_letter() -> None:
    assert build_plane(SliceKind.CORONAL, tilt(GRID, 5.0)).letters == LETTERS[SliceKind.CORONAL]


def test_letters_come_strongest_first() -> None:
    assert to_letters(np.array([0.5, 0.0, -0.8])) == "IL"


@pytest.mark.parametrize("kind", SliceKind)
def test_the_patients_left_and_head_lie_on_the_expected_screen_sides(kind: SliceKind) -> None:
    left, posterior, superior = np.eye(3) * 10
    sides = {
        SliceKind.AXIAL: (left, -posterior),
        SliceKind.CORONAL: (left, superior),
        SliceKind.SAGITTAL: (posterior, superior),
    }
    for geometry in ALL_TURNS:
        plane = build_plane(kind, geometry)
        right, up = sides[kind]
        np.testing.assert_allclose(plane.to_screen_mm(right), [10, 0], atol=1e-9)
        np.testing.assert_allclose(plane.to_screen_mm(up), [0, 10], atol=1e-9)


@given(
    kind=st.sampled_from(SliceKind),
    geometry=st.sampled_from(ALL_TURNS),
    degrees=st.floats(-30, 30),
    row=st.integers(0, 20),
    column=st.integers(0, 20),
    part=st.floats(0, 1),
)
def test_image_to_screen_to_patient_finds_the_voxel_again(
    kind: SliceKind, geometry: object, degrees: float, row: int, column: int, part: float
) -> None:
    plane = build_plane(kind, tilt(geometry, degrees))  # type: ignore[arg-type]
    slice_index = round(part * (plane.slice_count - 1))
    index = np.zeros(3)
    index[plane.normal_axis] = slice_index
    index[list(plane.image_axes)] = row, column
    point_mm = plane.geometry.index_to_lps(index)
    screen = plane.image_to_screen(slice_index) @ [column, row, 1]
    np.testing.assert_allclose(screen[:2], plane.to_screen_mm(point_mm), atol=1e-6)
    back_mm = plane.screen_to_lps(slice_index) @ [screen[0], screen[1], 0, 1]
    np.testing.assert_allclose(back_mm[:3], point_mm, atol=1e-6)
    assert plane.slice_index_of(point_mm) == slice_index


@pytest.mark.parametrize(
    ("kind", "direction"), [("axial", (0, 0, 1)), ("coronal", (0, -1, 0)), ("sagittal", (1, 0, 0))]
)
def test_a_step_forwards_goes_to_head_front_and_left(kind: str, direction: tuple[int, ...]) -> None:
    for geometry in ALL_TURNS:
        plane = build_plane(SliceKind(kind), geometry)
        start_mm = plane.step(np.zeros(3), 0)
        moved_mm = plane.step(start_mm, 1) - start_mm
        np.testing.assert_allclose(moved_mm / np.linalg.norm(moved_mm), direction, atol=1e-9)


def test_steps_stop_at_the_ends() -> None:
    plane = build_plane(SliceKind.AXIAL, GRID)
    end_mm = plane.step(np.zeros(3), 10_000)
    assert plane.slice_index_of(end_mm) == plane.slice_count - 1
    np.testing.assert_allclose(plane.step(end_mm, 1), end_mm, atol=1e-9)


def test_patient_axes_are_each_used_once() -> None:
    for geometry, (x, y) in product(ALL_TURNS, [(0, 0), (1, 1)]):
        assert sorted(assign_patient_axes(tilt(geometry, 44.0 * x * y))) == [0, 1, 2]


def test_position_text_counts_from_the_feet() -> None:
    plane = build_plane(SliceKind.AXIAL, turn(GRID, (0,)))
    assert plane.position_text(np.array([0.0, 0.0, 77.5])) == "32 / 32   S 77.5 mm"
