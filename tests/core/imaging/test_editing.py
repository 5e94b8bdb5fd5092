"""Editing of structures: every tool gives a patch, and a patch applied twice takes itself back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from star_core.cohort.phantom import draw_scan
from star_core.errors import SegmentationError
from star_core.imaging.couinaud.segments import segment_couinaud
from star_core.imaging.editing import shape
from star_core.imaging.editing.brush import Brush, paint
from star_core.imaging.editing.patch import MaskPatch, apply_patch, build_patch, pack_patch, unpack_patch
from star_core.imaging.editing.remnant import (
    CuttingPlane,
    RemnantMeter,
    cut_by_plane,
    cut_by_segments,
    keep_whole_liver,
    measure_remnant,
    plane_along_middle_vein,
    suggest_plane,
)
from star_core.types import BoolArray, Geometry, Masks, PointMm, Segment, Structure, Volume

GRID = Geometry(shape=(24, 40, 40), affine_lps=np.array([[0, 0, 1, -20], [0, 1, 0, -20], [2, 0, 0, -24], [0, 0, 0, 1]]))
LIVER = Structure.LIVER


def masks_of(liver: BoolArray) -> Masks:
    return Masks(bits=liver.astype(np.uint8), geometry=liver_grid(liver), known=LIVER)


def liver_grid(liver: BoolArray) -> Geometry:
    return replace(GRID, shape=liver.shape)


def volume_of(grey_hu: float) -> Volume:
    return Volume(voxels_hu=np.full(GRID.shape, grey_hu, np.int16), geometry=GRID, series_uid="1.2")


def nothing() -> Masks:
    return masks_of(np.zeros(GRID.shape, dtype=bool))


def ball(radius_mm: float) -> BoolArray:
    index = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float64) for n in GRID.shape), indexing="ij"), axis=-1)
    inside: BoolArray = np.linalg.norm(GRID.index_to_lps(index), axis=-1) <= radius_mm
    return inside


def dice(a: BoolArray, b: BoolArray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


# --------------------------------------------------------------------------- patches


@given(seed=st.integers(0, 2**20), structure=st.sampled_from(list(Structure)))
@settings(max_examples=30, deadline=None)
def test_a_patch_is_kept_as_bytes_and_takes_itself_back(seed: int, structure: Structure) -> None:
    generator = np.random.default_rng(seed)
    before = Masks(
        bits=generator.integers(0, 32, (6, 7, 8)).astype(np.uint8), geometry=replace(GRID, shape=(6, 7, 8)), known=LIVER
    )
    patch = build_patch(
        structure, (1, 2, 3), before.mask_of(structure)[1:4, 2:6, 3:7], generator.random((3, 4, 4)) < 0.5
    )
    again = unpack_patch(pack_patch(patch))
    after = apply_patch(before, again)
    np.testing.assert_array_equal(apply_patch(after, patch).bits, before.bits)
    assert (after.bits ^ before.bits).max(initial=0) in (0, int(structure))


@pytest.mark.parametrize("damage", [b"", b"SMPT", b"XXXX" + bytes(40)])
def test_a_damaged_patch_is_refused(damage: bytes) -> None:
    with pytest.raises(SegmentationError, match="damaged"):
        unpack_patch(damage)


def test_a_patch_that_claims_more_than_it_holds_is_refused() -> None:
    packed = bytearray(pack_patch(build_patch(LIVER, (0, 0, 0), np.zeros((2, 2, 2), bool), np.ones((2, 2, 2), bool))))
    packed[18:22] = (1000).to_bytes(4, "little")
    with pytest.raises(SegmentationError):
        unpack_patch(bytes(packed))


def test_a_patch_of_another_scan_is_refused() -> None:
    patch = MaskPatch(structure=LIVER, start=(20, 0, 0), toggled=np.ones((10, 2, 2), dtype=bool))
    with pytest.raises(SegmentationError, match="beyond the scan"):
        apply_patch(nothing(), patch)


# --------------------------------------------------------------------------- brush


def test_a_round_brush_paints_a_ball_in_mm() -> None:
    painted = apply_patch(nothing(), paint(nothing(), volume_of(0), LIVER, [(0.0, 0.0, 0.0)], Brush(radius_mm=8.0)))
    np.testing.assert_array_equal(painted.mask_of(LIVER), ball(8.0))


def test_a_flat_brush_stays_on_its_slice_and_fills_the_stroke() -> None:
    stroke: list[PointMm] = [(-12.0, 0.0, 0.0), (12.0, 0.0, 0.0)]
    patch = paint(nothing(), volume_of(0), LIVER, stroke, Brush(radius_mm=3.0, slice_axis=0))
    mask = apply_patch(nothing(), patch).mask_of(LIVER)
    assert list(np.flatnonzero(mask.any(axis=(1, 2)))) == [12]
    assert mask[12, 20, 8:33].all()
    assert not mask[12, 24].any()


def test_a_flat_brush_stays_on_a_slice_across_the_grid() -> None:
    slope = np.sqrt(0.5)
    brush = Brush(radius_mm=10.0, plane_normal=(slope, 0.0, -slope))
    mask = apply_patch(nothing(), paint(nothing(), volume_of(0), LIVER, [(0.0, 0.0, 0.0)], brush)).mask_of(LIVER)
    x_mm, _, z_mm = GRID.index_to_lps(np.argwhere(mask).astype(np.float64)).T
    assert np.abs(x_mm - z_mm).max() <= 1.0 + 1e-9
    assert mask.any(axis=(0, 2)).sum() == 21
    assert mask.any(axis=(1, 2)).sum() == 7


def test_a_long_stroke_is_the_sum_of_its_pieces() -> None:
    stroke: list[PointMm] = [(-12.0, -9.0, -8.0), (3.0, 7.0, 4.0), (10.0, -4.0, 10.0)]
    whole = apply_patch(nothing(), paint(nothing(), volume_of(0), LIVER, stroke, Brush(radius_mm=4.0)))
    dense: list[PointMm] = [
        (float(x), float(y), float(z))
        for a, b in ((0, 1), (1, 2))
        for x, y, z in np.linspace(stroke[a], stroke[b], 100)
    ]
    pieces = nothing()
    for point in dense:
        pieces = apply_patch(pieces, paint(pieces, volume_of(0), LIVER, [point], Brush(radius_mm=4.0)))
    assert dice(whole.mask_of(LIVER), pieces.mask_of(LIVER)) > 0.99


def test_an_eraser_takes_away_and_a_gate_of_hu_holds_the_brush() -> None:
    full = masks_of(np.ones(GRID.shape, dtype=bool))
    erased = apply_patch(full, paint(full, volume_of(0), LIVER, [(0.0, 0.0, 0.0)], Brush(radius_mm=5.0, erases=True)))
    np.testing.assert_array_equal(~erased.mask_of(LIVER), ball(5.0))
    grey = np.zeros(GRID.shape, np.int16)
    grey[:, :, 20:] = 100
    volume = Volume(voxels_hu=grey, geometry=GRID, series_uid="1.2")
    gated = paint(nothing(), volume, LIVER, [(0.0, 0.0, 0.0)], Brush(radius_mm=5.0, hu_range=(50.0, 150.0)))
    np.testing.assert_array_equal(apply_patch(nothing(), gated).mask_of(LIVER), ball(5.0) & (grey == 100))


# --------------------------------------------------------------------------- shape


def test_slices_between_drawn_ones_are_filled() -> None:
    whole = ball(16.0)
    drawn = whole.copy()
    drawn[np.arange(24) % 4 != 0] = False
    filled = apply_patch(masks_of(drawn), shape.fill_between_slices(masks_of(drawn), LIVER)).mask_of(LIVER)
    first, last = np.flatnonzero(drawn.any(axis=(1, 2)))[[0, -1]]
    assert dice(filled[first : last + 1], whole[first : last + 1]) > 0.9
    assert (filled | ~drawn).all()


def test_filling_needs_slices_apart() -> None:
    with pytest.raises(SegmentationError, match="no empty slice"):
        shape.fill_between_slices(masks_of(ball(8.0)), LIVER)


def test_smoothing_rounds_off_and_keeps_the_volume() -> None:
    rough = ball(12.0)
    rough ^= (np.random.default_rng(1).random(GRID.shape) < 0.2) & ndimage.binary_dilation(rough) & ~ball(10.0)
    smoothed = apply_patch(masks_of(rough), shape.smooth(masks_of(rough), LIVER, 2.0)).mask_of(LIVER)
    assert dice(smoothed, ball(12.0)) > dice(rough, ball(12.0))
    assert smoothed.sum() == pytest.approx(rough.sum(), rel=0.02)


def test_islands_are_kept_and_removed() -> None:
    mask = ball(6.0)
    mask[2, 2, 2] = True
    mask[20:23, 30:36, 30:36] = True
    masks = masks_of(mask)
    np.testing.assert_array_equal(apply_patch(masks, shape.keep_largest(masks, LIVER)).mask_of(LIVER), ball(6.0))
    point = tuple(GRID.index_to_lps(np.array([21.0, 32.0, 32.0])))
    kept = apply_patch(masks, shape.keep_at(masks, LIVER, (point[0], point[1], point[2]))).mask_of(LIVER)
    assert kept.sum() == 3 * 6 * 6
    assert apply_patch(masks, shape.remove_small(masks, LIVER, 0.01)).mask_of(LIVER).sum() == mask.sum() - 1
    with pytest.raises(SegmentationError, match="does not lie in"):
        shape.keep_at(masks, LIVER, (19.0, -19.0, 0.0))


def test_holes_in_slices_are_filled() -> None:
    shell = ball(14.0) & ~ball(6.0)
    filled = apply_patch(masks_of(shell), shape.fill_holes(masks_of(shell), LIVER)).mask_of(LIVER)
    np.testing.assert_array_equal(filled, ball(14.0))


def test_an_empty_structure_has_no_shape() -> None:
    with pytest.raises(SegmentationError, match="empty"):
        shape.smooth(nothing(), LIVER)


# --------------------------------------------------------------------------- remnant


@pytest.fixture(scope="module")
def phantom_masks() -> Masks:
    return draw_scan(np.random.default_rng(4), slice_mm=5.0, in_plane=128).masks


def test_a_plane_parts_the_liver(phantom_masks: Masks) -> None:
    plane = suggest_plane(phantom_masks, np.array([-1.0, 0.0, 0.0]))
    cut = apply_patch(phantom_masks, cut_by_plane(phantom_masks, plane))
    remnant = cut.mask_of(Structure.REMNANT)
    x_mm = cut.geometry.index_to_lps(np.argwhere(remnant).astype(np.float64))[:, 0]
    assert x_mm.min() >= plane.point_mm[0] - 1e-6
    volumes = measure_remnant(cut)
    assert 0.2 < volumes.share < 0.8
    other = replace(plane, normal=(1.0, 0.0, 0.0))
    rest = measure_remnant(apply_patch(phantom_masks, cut_by_plane(phantom_masks, other)))
    assert volumes.share + rest.share == pytest.approx(1.0, abs=0.01)


def test_removed_segments_leave_the_rest(phantom_masks: Masks) -> None:
    segments = segment_couinaud(phantom_masks)
    right = (Segment.V, Segment.VI, Segment.VII, Segment.VIII)
    cut = apply_patch(phantom_masks, cut_by_segments(phantom_masks, segments, right))
    left = np.isin(segments.labels, (1, 2, 3, 4)) & ~phantom_masks.mask_of(Structure.TUMOUR)
    np.testing.assert_array_equal(cut.mask_of(Structure.REMNANT), left)


def test_nothing_is_cut_where_nothing_would_remain(phantom_masks: Masks) -> None:
    with pytest.raises(SegmentationError, match="Nothing of the liver would remain"):
        cut_by_plane(phantom_masks, CuttingPlane(point_mm=(500.0, 0.0, 0.0), normal=(-1.0, 0.0, 0.0)))
    with pytest.raises(SegmentationError, match="no liver"):
        cut_by_plane(nothing(), CuttingPlane(point_mm=(0.0, 0.0, 0.0), normal=(1.0, 0.0, 0.0)))


def test_a_remnant_that_is_not_cut_yet_measures_as_it_will(phantom_masks: Masks) -> None:
    meter, segments = RemnantMeter(phantom_masks), segment_couinaud(phantom_masks)
    for normal in (np.array([-1.0, 0.2, 0.1]), np.array([0.3, -0.5, 1.0])):
        plane = suggest_plane(phantom_masks, normal)
        cut = measure_remnant(apply_patch(phantom_masks, cut_by_plane(phantom_masks, plane)))
        assert meter.measure_plane(plane).remnant_ml == pytest.approx(cut.remnant_ml, rel=1e-3)
    removed = (Segment.II, Segment.III)
    cut = measure_remnant(apply_patch(phantom_masks, cut_by_segments(phantom_masks, segments, removed)))
    assert meter.measure_segments(segments, removed) == cut
    assert meter.measure() == measure_remnant(phantom_masks)
    with pytest.raises(SegmentationError, match="no liver"):
        RemnantMeter(nothing())


def test_the_remnant_begins_with_the_whole_liver_without_tumours(phantom_masks: Masks) -> None:
    after = apply_patch(phantom_masks, keep_whole_liver(phantom_masks))
    assert measure_remnant(after).share == pytest.approx(1.0)
    assert not (after.mask_of(Structure.REMNANT) & after.mask_of(Structure.TUMOUR)).any()


def test_a_plane_along_the_middle_vein_removes_the_right_liver(phantom_masks: Masks) -> None:
    segments = segment_couinaud(phantom_masks)
    plane = plane_along_middle_vein(segments.landmarks)
    cut = apply_patch(phantom_masks, cut_by_plane(phantom_masks, plane)).mask_of(Structure.REMNANT)
    tissue = ~phantom_masks.mask_of(Structure.TUMOUR)
    right, left = np.isin(segments.labels, (5, 6, 7, 8)) & tissue, np.isin(segments.labels, (2, 3, 4)) & tissue
    assert (cut & right).sum() < 0.05 * right.sum()
    assert (cut & left).sum() > 0.95 * left.sum()
