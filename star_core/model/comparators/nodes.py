"""Lesions and liver regions as nodes with features, for the comparators that do not look at voxels.

AMINN takes radiomic features of each lesion (by MIRP, doi 10.21105/joss.06413), STG plain features of lesions and of
eight regions of the liver with their places.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from star_core.errors import TrainingError
from star_core.types import BoolArray, DoubleArray, FloatArray, ModelInput, Structure

NODE_NETWORKS = ("aminn", "stg")
MAX_LESIONS = 8
N_REGIONS = 8
N_PLAIN = 10
N_RADIOMICS = 64
RADIOMICS_MM = 3.0
_IN_TUMOUR = 0.5
_FEWEST_CELLS = 8


@dataclass(frozen=True)
class Nodes:
    """``features`` float32 (N, F), ``present`` float32 (N,) 1 where a node exists, ``places_mm`` float32 (N, 3) LPS."""

    features: FloatArray
    present: FloatArray
    places_mm: FloatArray


def build_nodes(model_input: ModelInput, network: str) -> Nodes:
    """Return the nodes that a network sees."""
    return build_radiomic_nodes(model_input) if network == "aminn" else build_graph_nodes(model_input)


def find_lesions(model_input: ModelInput) -> tuple[BoolArray, ...]:
    """Return the masks (D, H, W) of connected tumours on the model grid, the largest first, at most eight."""
    tumour = model_input.fraction_of(Structure.TUMOUR)
    labels, count = ndimage.label(tumour > _IN_TUMOUR)
    if count == 0 and tumour.any():
        labels, count = ndimage.label(tumour > 0.0)  # tumours smaller than a cell
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    return tuple(labels == number + 1 for number in np.argsort(-sizes)[:MAX_LESIONS])


def build_graph_nodes(model_input: ModelInput) -> Nodes:
    """Return lesions, then the liver's octants about its centroid, with plain features."""
    liver = model_input.fraction_of(Structure.LIVER) > _IN_TUMOUR
    masks: list[BoolArray | None] = list(find_lesions(model_input))
    masks += [None] * (MAX_LESIONS - len(masks))
    masks += list(_octants(liver))
    vessels = model_input.fraction_of(Structure.PORTAL_VEINS) + model_input.fraction_of(Structure.HEPATIC_VEINS)
    to_vessel_mm = _distance_mm(vessels > 0.0, model_input)
    features = np.zeros((len(masks), N_PLAIN), dtype=np.float32)
    places = np.zeros((len(masks), 3), dtype=np.float32)
    for number, mask in enumerate(masks):
        if mask is not None and mask.any():
            place = model_input.geometry.index_to_lps(np.argwhere(mask).mean(axis=0))
            features[number] = _describe(mask, model_input, to_vessel_mm, is_lesion=number < MAX_LESIONS)
            places[number] = place
    present = np.array([mask is not None and bool(mask.any()) for mask in masks], dtype=np.float32)
    return Nodes(features, present, places)


def _describe(mask: BoolArray, model_input: ModelInput, to_vessel_mm: DoubleArray, *, is_lesion: bool) -> FloatArray:
    values = model_input.image[0][mask]
    volume_ml = mask.sum() * model_input.geometry.voxel_volume_ml
    diameter_cm = 2.0 * (3.0 * volume_ml / (4.0 * np.pi)) ** (1.0 / 3.0)
    at_risk = model_input.at_risk_fraction[mask].mean()
    tumour = model_input.fraction_of(Structure.TUMOUR)[mask].mean()
    return np.array(
        [
            float(is_lesion),
            np.log1p(volume_ml),
            diameter_cm / 3.0,
            values.mean(),
            values.std(),
            np.percentile(values, 10),
            np.percentile(values, 90),
            to_vessel_mm[mask].mean() / 20.0,
            at_risk,
            tumour,
        ],
        dtype=np.float32,
    )


def _octants(liver: BoolArray) -> Iterator[BoolArray]:
    if not liver.any():
        yield from (liver for _ in range(N_REGIONS))
        return
    centre = np.argwhere(liver).mean(axis=0)
    sides = [np.arange(size) >= middle for size, middle in zip(liver.shape, centre, strict=True)]
    for upper in product((False, True), repeat=3):
        inside = [side == wanted for side, wanted in zip(sides, upper, strict=True)]
        yield liver & inside[0][:, None, None] & inside[1][None, :, None] & inside[2][None, None, :]


def _distance_mm(mask: BoolArray, model_input: ModelInput) -> DoubleArray:
    if not mask.any():
        return np.full(mask.shape, 100.0)
    distance: DoubleArray = ndimage.distance_transform_edt(~mask, sampling=model_input.geometry.spacing_mm)
    return distance


# --------------------------------------------------------------------------- radiomics


def build_radiomic_nodes(model_input: ModelInput) -> Nodes:
    """Return radiomic features of each lesion, cut or filled up to ``N_RADIOMICS``.

    Raises
    ------
    TrainingError
        When MIRP is not installed.
    """
    features = np.zeros((MAX_LESIONS, N_RADIOMICS), dtype=np.float32)
    places = np.zeros((MAX_LESIONS, 3), dtype=np.float32)
    present = np.zeros(MAX_LESIONS, dtype=np.float32)
    for number, mask in enumerate(find_lesions(model_input)):
        values = compute_radiomics(model_input.image[0], mask, model_input.geometry.spacing_mm)
        features[number, : len(values)] = values
        places[number] = model_input.geometry.index_to_lps(np.argwhere(mask).mean(axis=0))
        present[number] = 1.0
    return Nodes(features, present, places)


def compute_radiomics(image: FloatArray, mask: BoolArray, spacing_mm: tuple[float, float, float]) -> FloatArray:
    """Return up to ``N_RADIOMICS`` features of a lesion: shape, first-order statistics, grey-level co-occurrence.

    The surroundings of the lesion are brought to cells of 3 mm first; lengths are in cells. Zeros where a lesion has
    too few cells for texture.
    """
    cropped, inside = _to_isotropic(image, mask, spacing_mm)
    if inside.sum() < _FEWEST_CELLS:
        return np.zeros(0, dtype=np.float32)
    extract = _extractor()
    with _quiet():
        table = extract(
            image=cropped * 100.0,
            mask=inside.astype(np.uint8),
            image_modality="ct",
            base_discretisation_method="fixed_bin_number",
            base_discretisation_n_bins=16,
            base_feature_families=["morphology", "statistics", "glcm"],
        )[0]
    columns = [name for name in table.columns if name.startswith(("morph_", "stat_", "cm_"))][:N_RADIOMICS]
    values = table[columns].to_numpy(dtype=np.float64)[0]
    finite: FloatArray = np.nan_to_num(values, posinf=0.0, neginf=0.0).astype(np.float32)
    return finite


def _to_isotropic(
    image: FloatArray, mask: BoolArray, spacing_mm: tuple[float, float, float]
) -> tuple[DoubleArray, NDArray[np.bool_]]:
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    wider = tuple(slice(max(part.start - 2, 0), part.stop + 2) for part in box)
    zoom = [mm / RADIOMICS_MM for mm in spacing_mm]
    cropped = ndimage.zoom(image[wider].astype(np.float64), zoom, order=1)
    inside = ndimage.zoom(mask[wider].astype(np.float64), zoom, order=1) > _IN_TUMOUR
    return cropped, inside


@lru_cache(maxsize=1)
def _extractor():  # type: ignore[no-untyped-def]
    try:
        with _quiet():
            from mirp import extract_features
    except ImportError as error:
        raise TrainingError(
            "AMINN needs the library MIRP for radiomic features.", remedy="Install it with: pip install mirp."
        ) from error
    return extract_features


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MIRP's remarks on each lesion from the user."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
