"""Pixels and millimetres."""

from __future__ import annotations

import numpy as np
import pytest

from star_viewer.scene.cameras import OrbitCamera, SliceCamera, build_screen_map
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
