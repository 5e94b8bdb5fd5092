"""Sanity checks of a map: it must come from what the network learnt, and from the tumours it is said to come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.stats import rankdata

from star_core.cohort.manifest import Manifest, ManifestPatient, load_input
from star_core.evaluation.maps import predict_density
from star_core.evaluation.metrics import bootstrap_interval
from star_core.model.star import Network
from star_core.types import STRUCTURES, BoolArray, FloatArray, ModelInput, ProgressCallback, Structure, ignore_progress

CHECKED_PATIENTS = 10
CHECK_YEAR = 5
NEAR_MM = 20.0
FILL_MM = 8.0
HEADS = ("projector.heads.", "tracker.decoder.to_logit.")
TRACKER = ("tracker.",)
CHECKS_HEADER = ("model", "check", "mean", "lower 95 %", "upper 95 %", "patients checked")
CHECKS = (
    "rank correlation with the map of random heads",
    "rank correlation with the map of random heads, without sign",
    "rank correlation with the map of a random tracker",
    "rank correlation with the map of a random tracker, without sign",
    "risk near tumours relative to the rest, tumours removed / as they are",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """Mean of a check over patients with its 95 % bootstrap interval."""

    model: str
    check: str
    value: float
    lower: float
    upper: float
    n: int

    def to_cells(self) -> tuple[object, ...]:
        """Return the row's cells in the order of ``CHECKS_HEADER``."""
        return self.model, self.check, self.value, self.lower, self.upper, self.n


def check_networks(
    networks: Mapping[str, Network],
    manifest: Manifest,
    patients: Sequence[ManifestPatient],
    *,
    seed: int,
    device: str = "auto",
    progress: ProgressCallback = ignore_progress,
) -> tuple[CheckRow, ...]:
    """Return each check of each network over the first ten patients whose scans show tumours.

    Maps are those of year 5 within the tissue at risk. Weights are drawn anew for each patient, so that the mean is
    over draws as well: with one draw for all, a random map that happens to follow the tumours would pass for learnt.
    """
    inputs = _load_inputs(manifest, patients)
    rows = []
    for name, network in networks.items():
        values = [_check_patient(network, model_input, seed + n, device) for n, model_input in enumerate(inputs)]
        for check, column in zip(CHECKS, zip(*values, strict=True), strict=True):
            rows.append(_to_row(name, check, np.array(column), seed))
    return tuple(rows)


def _load_inputs(manifest: Manifest, patients: Sequence[ManifestPatient]) -> list[ModelInput]:
    inputs: list[ModelInput] = []
    for patient in patients:
        if len(inputs) == CHECKED_PATIENTS:
            break
        if patient.has_scan:
            model_input = load_input(manifest, patient)
            if model_input.fraction_of(Structure.TUMOUR).any() and model_input.at_risk_fraction.any():
                inputs.append(model_input)
    return inputs


def _check_patient(network: Network, model_input: ModelInput, seed: int, device: str) -> tuple[float, ...]:
    tissue = model_input.at_risk_fraction
    density = predict_density(network, model_input, CHECK_YEAR, device)
    correlations = [
        compute_rank_correlation(
            density, predict_density(randomise(network, parts, seed), model_input, CHECK_YEAR, device), tissue > 0
        )
        for parts in (HEADS, TRACKER)
    ]
    without = predict_density(network, remove_tumours(model_input), CHECK_YEAR, device)
    before, after = (compute_nearness_ratio(each, model_input) for each in (density, without))
    heads, tracker = correlations
    return heads, abs(heads), tracker, abs(tracker), after / before


def _to_row(model: str, check: str, values: np.ndarray, seed: int) -> CheckRow:
    known = values[np.isfinite(values)]
    if not len(known):
        return CheckRow(model=model, check=check, value=np.nan, lower=np.nan, upper=np.nan, n=0)
    lower, upper = bootstrap_interval(lambda i: float(known[i].mean()), len(known), seed=seed)
    return CheckRow(model=model, check=check, value=float(known.mean()), lower=lower, upper=upper, n=len(known))


def compute_rank_correlation(one: FloatArray, other: FloatArray, inside: BoolArray) -> float:
    """Return Spearman's rank correlation of two maps (D, H, W) within a mask; 0 where one of them is constant."""
    ranks = [rankdata(each[inside]) for each in (one, other)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def randomise(network: Network, parts: Sequence[str], seed: int) -> Network:
    """Return a copy of a network in which the weights whose names begin with ``parts`` are drawn as before training.

    Among the heads is the convolution that gives the local logit: the projector's own heads only shift each year's
    logit as a whole, which leaves the order of voxels as it was.
    Source: Adebayo et al. 2018, arXiv 1810.03292.
    """
    import torch

    from star_core.model.build import build_network

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = build_network(network.config)
    learnt = network.state_dict()
    drawn = {name: value for name, value in fresh.state_dict().items() if name.startswith(tuple(parts))}
    fresh.load_state_dict({**learnt, **drawn})
    fresh.eval()
    return fresh


def remove_tumours(model_input: ModelInput) -> ModelInput:
    """Return the input as if there were no tumours: their fraction 0, and they and 8 mm around them parenchyma.

    Parenchyma is the median grey value of liver elsewhere; only liver is filled. The tissue at risk stays as it is,
    so that both maps are compared on the same voxels.
    """
    tumour = model_input.fraction_of(Structure.TUMOUR) > 0
    liver = model_input.fraction_of(Structure.LIVER) > 0.5
    near = _distance_mm(model_input) <= FILL_MM
    image = model_input.image.copy()
    elsewhere = liver & ~near
    if elsewhere.any():
        image[0, near & (liver | tumour)] = np.median(image[0, elsewhere])
    fractions = model_input.fractions.copy()
    fractions[STRUCTURES.index(Structure.TUMOUR)] = 0.0
    return replace(model_input, image=image, fractions=fractions)


def compute_nearness_ratio(density: FloatArray, model_input: ModelInput) -> float:
    """Return a map's mean within 20 mm of a tumour over its mean in the rest of the tissue; ``nan`` without either."""
    tissue, near = model_input.at_risk_fraction, _distance_mm(model_input) <= NEAR_MM
    weights = [np.where(part, tissue, 0.0).astype(np.float64) for part in (near, ~near)]
    if any(weight.sum() <= 0 for weight in weights):
        return float("nan")
    means = [float(np.average(density, weights=weight)) for weight in weights]
    return means[0] / means[1] if means[1] > 0 else float("nan")


def _distance_mm(model_input: ModelInput) -> FloatArray:
    tumour = model_input.fraction_of(Structure.TUMOUR) > 0
    if not tumour.any():
        return np.full(tumour.shape, np.inf, dtype=np.float32)
    distance: FloatArray = distance_transform_edt(~tumour, sampling=model_input.geometry.spacing_mm).astype(np.float32)
    return distance
