"""Pixels and millimetres."""

from __future__ import annotations

import numpy as np
import pytest

from star_viewer.scene.cameras import OrbitCamera, SliceCamera, build_screen_map, edge_letters
from star_viewer.scene.orientation import SliceKind, build_plane
from tests.viewer.scene.factory import build_geometry

PLANE = build_plane(SliceKind.AXIAL, build_geometry())


def test_pixels_to_millimetres_and_back() -> None:
    screen = build_screen_map(PLANE, SliceCamera(2.0, (5.0, -3.0)), (300, 200))
    assert screen.to_pixel(*screen.to_mm(17.0, 91.0)) == pytest.approx((17.0, 91.0))


def test_the_whole_slice_fits_at_zoom_one() -> None:
    screen = build_screen_map(PLANE, SliceCamera(), (300, 200))
    u_min, u_max, v_min, v_max = PLANE.extent_mm()
    left, top = screen.to_pixel(u_min, v_max)
    right, bottom = screen.to_pixel(u_max, v_min)
    assert 0 <= left < right <= 300
    assert 0 <= top < bottom <= 200


def test_the_model_is_first_seen_from_the_front_with_its_left_on_the_right() -> None:
    camera = OrbitCamera()
    x, y = camera.project(np.array([50.0, 0.0, 30.0]), (400, 400))
    assert x > 200
    assert y < 200
    position_mm, _, up = camera.look_at()
    assert position_mm[1] < 0
    np.testing.assert_allclose(up, [0, 0, 1])


def test_a_pull_to_the_right_turns_the_front_to_the_right() -> None:
    front_mm = np.array([0.0, -60.0, 0.0])
    before, _ = OrbitCamera().project(front_mm, (400, 400))
    after, _ = OrbitCamera().turned(20.0, 0.0).project(front_mm, (400, 400))
    assert after > before


def test_a_pull_upwards_turns_the_front_upwards() -> None:
    front_mm = np.array([0.0, -60.0, 0.0])
    _, before = OrbitCamera().project(front_mm, (400, 400))
    _, after = OrbitCamera().turned(0.0, 20.0).project(front_mm, (400, 400))
    assert after < before


def test_many_turns_keep_the_frame_orthonormal() -> None:
    camera = OrbitCamera()
    for _ in range(500):
        camera = camera.turned(7.0, 3.0)
    frame = np.array(camera.frame_lps)
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-12)


def test_a_fitted_camera_sees_the_whole_box() -> None:
    low, high = np.array([-80.0, -60.0, 0.0]), np.array([60.0, 90.0, 120.0])
    camera = OrbitCamera().fitted(np.stack([low, high])).turned(30.0, 20.0)
    x, y = camera.project((low + high) / 2, (400, 300))
    assert (x, y) == pytest.approx((200, 150))


@pytest.mark.parametrize("size", [(400, 300), (200, 500)])
def test_a_narrow_view_shows_the_model_whole_too(size: tuple[int, int]) -> None:
    camera = OrbitCamera().fitted(np.array([[-70.0, -50.0, -40.0], [70.0, 50.0, 40.0]]))
    for corner_mm in np.array([[x, y, z] for x in (-70, 70) for y in (-50, 50) for z in (-40, 40)]):
        x, y = camera.project(corner_mm, size)
        assert 0 <= x <= size[0]
        assert 0 <= y <= size[1]


def test_four_quarter_turns_and_two_mirrors_give_the_first_picture() -> None:
    camera = SliceCamera()
    assert camera.rotated(4) == camera.rotated(1).rotated(3) == camera
    assert camera.mirrored().mirrored() == camera.flipped().flipped() == camera
    assert camera.rotated(2) == camera.mirrored().flipped()


@pytest.mark.parametrize("change", ["mirrored", "flipped", "right", "left", "both"])
def test_turned_pixels_map_to_millimetres_and_back(change: str) -> None:
    camera = SliceCamera(1.4, (7.0, 9.0))
    turned = {
        "mirrored": camera.mirrored(),
        "flipped": camera.flipped(),
        "right": camera.rotated(1),
        "left": camera.rotated(-1),
        "both": camera.rotated(1).mirrored(),
    }[change]
    screen = build_screen_map(PLANE, turned, (300, 200))
    assert screen.to_pixel(*screen.to_mm(17.0, 91.0)) == pytest.approx((17.0, 91.0))
    before = screen.to_mm(17.0, 91.0)
    after = screen.to_mm(20.0, 87.0)
    assert screen.vector_to_mm(3.0, -4.0) == pytest.approx((after[0] - before[0], after[1] - before[1]))


def test_letters_follow_turns() -> None:
    camera = SliceCamera()
    assert edge_letters(PLANE.frame_lps, camera.turn) == ("R", "L", "A", "P")
    assert edge_letters(PLANE.frame_lps, camera.mirrored().turn) == ("L", "R", "A", "P")
    assert edge_letters(PLANE.frame_lps, camera.flipped().turn) == ("R", "L", "P", "A")
    # Clockwise: what was at the top is at the right.
    assert edge_letters(PLANE.frame_lps, camera.rotated(1).turn) == ("P", "A", "R", "L")
