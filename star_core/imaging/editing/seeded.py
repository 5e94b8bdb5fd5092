"""A tumour from one click: grey values between it and the liver, connected to the click."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from star_core.errors import SegmentationError
from star_core.imaging.editing.patch import MaskPatch, build_patch
from star_core.types import BoolArray, FloatArray, Masks, PointMm, Structure, Volume

_BOX_MM = 60.0
_SURFACE_MM, _TO_SURFACE_MM = 3.0, 4.5
_AT_CLICK_MM, _BLUR_MM, _BRIDGE_MM = 2.5, 1.0, 1.5
# Below three times the noise what is like the click runs through the tissue between.
_LEAST_CONTRAST_HU, _LEAST_NOISES = 8.0, 3.0
_RIM_FROM_RADIUS_MM, _LARGEST_RIM_MM, _RIM_LOOK_MM, _RIM_BLUR_MM, _RIM_CONTRAST = 8.0, 10.0, 4.0, 2.0, 0.2
_LEAK_SHARE = 0.35
_VESSELS = Structure.HEPATIC_VEINS | Structure.PORTAL_VEINS


def grow_tumour(volume: Volume, masks: Masks, click_mm: PointMm) -> MaskPatch:
    """Return the tumour at a click (LPS mm), darker or brighter than the liver around it, added to those there are.

    Values nearer to the click's than to the liver's belong to it. A large metastasis is darkest inside: around it a
    rim follows that differs less from the liver, on smoother values.

    Raises
    ------
    SegmentationError
        When the click differs from the liver by less than 3 times its noise, lies outside of it, or no border can
        be found.
    """
    region = _Region(volume, masks, click_mm)
    contrast_hu = region.level_hu - region.liver_hu
    if abs(contrast_hu) < max(_LEAST_CONTRAST_HU, _LEAST_NOISES * region.noise_hu):
        raise SegmentationError(
            f"The point ({region.level_hu:.0f} HU) does not differ enough from the liver around it "
            f"({region.liver_hu:.0f} HU, noise {region.noise_hu:.0f} HU).",
            remedy="Click in the middle of the tumour, or draw it with the brush.",
        )
    room = region.liver & ~region.mask_of(_VESSELS)
    tumour = ndimage.binary_fill_holes(_with_rim(_find_dark(region, room, contrast_hu), region, room, contrast_hu))
    tumour &= region.liver
    if not tumour.any() or np.count_nonzero(tumour) > _LEAK_SHARE * np.count_nonzero(region.liver):
        raise SegmentationError(
            "No border of the tumour can be found: what is like it reaches through the liver.",
            remedy="Draw it with the brush, held to a range of HU.",
        )
    before = region.mask_of(Structure.TUMOUR)
    return build_patch(Structure.TUMOUR, region.start, before, before | tumour)


def _find_dark(region: _Region, room: BoolArray, contrast_hu: float) -> BoolArray:
    """Return the piece at the click whose values are nearer to the click's than to the liver's."""
    beyond = region.is_beyond(0.5 * contrast_hu, _BLUR_MM)
    piece = region.open_at_click(room & ~region.surface & beyond)
    if not piece.any():
        return region.open_at_click(room & beyond)
    grown: BoolArray = piece | (region.grow(piece, _TO_SURFACE_MM) & room & beyond)
    return grown


def _with_rim(tumour: BoolArray, region: _Region, room: BoolArray, contrast_hu: float) -> BoolArray:
    """Return a large tumour with the rim around it, where there is one."""
    radius_mm = region.radius_mm(tumour)
    if radius_mm <= _RIM_FROM_RADIUS_MM:
        return tumour
    beyond_hu = _RIM_CONTRAST * contrast_hu
    around = region.grow(tumour, _RIM_LOOK_MM) & room & ~region.grow(tumour, 1.0)
    if not around.any() or region.is_beyond(beyond_hu, _BLUR_MM)[around].mean() <= 0.5:
        return tumour
    near = region.grow(tumour, min(_LARGEST_RIM_MM, radius_mm))
    rim = room & ~region.surface & near & region.is_beyond(beyond_hu, _RIM_BLUR_MM)
    return region.open_at_click(tumour | rim)


class _Region:
    """The box around a click: grey values, the liver in it, and the levels of both."""

    def __init__(self, volume: Volume, masks: Masks, click_mm: PointMm) -> None:
        geometry = masks.geometry
        place = np.rint(geometry.lps_to_index(np.array(click_mm))).astype(int)
        if (place < 0).any() or (place >= np.array(geometry.shape)).any():
            raise SegmentationError("The point lies outside of the scan.", remedy="Click inside of the liver.")
        self._masks = masks
        self._spacing_mm = geometry.spacing_mm
        reach = [int(np.ceil(_BOX_MM / mm)) for mm in self._spacing_mm]
        low = [max(0, int(at) - by) for at, by in zip(place, reach, strict=True)]
        self.start = (low[0], low[1], low[2])
        self._box = tuple(slice(a, int(at) + by + 1) for a, at, by in zip(low, place, reach, strict=True))
        click = place - np.array(low)
        self._click = (int(click[0]), int(click[1]), int(click[2]))
        self._raw_hu = volume.voxels_hu[self._box].astype(np.float32)
        self.liver = self.mask_of(Structure.LIVER)
        if not self.liver[self._click]:
            raise SegmentationError("The point lies outside of the liver.", remedy="Click inside of the liver.")
        # Where the liver ends its voxels hold fat, lung or bowel as well, and look like a tumour.
        self.surface = self.liver & (
            ~ndimage.binary_erosion(self.liver, border_value=1)
            | (ndimage.distance_transform_edt(self.liver, sampling=self._spacing_mm) <= _SURFACE_MM)
        )
        self._away_mm = self._distance_to_click()
        grey_hu = self._blurred(_BLUR_MM)
        self.level_hu = float(np.median(grey_hu[self._away_mm <= _AT_CLICK_MM]))
        tissue = self.liver & ~self.mask_of(_VESSELS | Structure.TUMOUR) & (self._away_mm > 2 * _AT_CLICK_MM)
        values = grey_hu[tissue if tissue.any() else self.liver]
        self.liver_hu = float(np.median(values))
        # The median deviation holds against the vessels and tumours that are among the values.
        self.noise_hu = 1.48 * float(np.median(np.abs(values - self.liver_hu)))

    def mask_of(self, structure: Structure) -> BoolArray:
        """Return a structure (or the union of several) in the box."""
        mask: BoolArray = (self._masks.bits[self._box] & np.uint8(structure)) != 0
        return mask

    def is_beyond(self, difference_hu: float, blur_mm: float) -> BoolArray:
        """Tell which blurred values differ from the liver by more than ``difference_hu``, in its direction."""
        away = self._blurred(blur_mm) - self.liver_hu
        beyond: BoolArray = away < difference_hu if difference_hu < 0 else away > difference_hu
        return beyond

    def connected(self, mask: BoolArray) -> BoolArray:
        """Return the piece of a mask at the click, nothing where there is none."""
        labels, count = ndimage.label(mask)
        at_click = labels[(self._away_mm <= _AT_CLICK_MM) & (labels > 0)]
        if count == 0 or not len(at_click):
            return np.zeros_like(mask)
        piece: BoolArray = np.asarray(labels == np.bincount(at_click).argmax())
        return piece

    def open_at_click(self, mask: BoolArray) -> BoolArray:
        """Return the piece at the click without bridges thinner than about 3 mm; where all of it is thin, all of it."""
        whole = self.connected(mask)
        depth_mm = ndimage.distance_transform_edt(whole, sampling=self._spacing_mm)
        core = self.connected(depth_mm > _BRIDGE_MM)
        return self.grow(core, _BRIDGE_MM + 0.5) & whole if core.any() else whole

    def grow(self, mask: BoolArray, by_mm: float) -> BoolArray:
        """Return a mask grown by a margin."""
        grown: BoolArray = ndimage.distance_transform_edt(~mask, sampling=self._spacing_mm) <= by_mm
        return grown

    def radius_mm(self, mask: BoolArray) -> float:
        """Return the radius of the largest ball in a mask."""
        return float(ndimage.distance_transform_edt(mask, sampling=self._spacing_mm).max())

    def _blurred(self, blur_mm: float) -> FloatArray:
        blurred: FloatArray = ndimage.gaussian_filter(self._raw_hu, [blur_mm / mm for mm in self._spacing_mm])
        return blurred

    def _distance_to_click(self) -> FloatArray:
        axes = [
            (np.arange(size, dtype=np.float32) - at) * np.float32(mm)
            for size, at, mm in zip(self._raw_hu.shape, self._click, self._spacing_mm, strict=True)
        ]
        z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
        distance: FloatArray = np.sqrt(z * z + y * y + x * x)
        return distance
