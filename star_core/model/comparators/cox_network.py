"""Cause-specific Cox models as a network without layers, so that they are bundled, shown and fine-tuned like any other.

The log rate of each cause, and of death, is linear in the record plus a baseline by year: exactly STAR's heads on the
record itself. The coefficients are those of ridge-penalised Cox models, the baselines Breslow's, summed by year.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from star_core.cohort.manifest import ManifestPatient
from star_core.model.comparators.cox import choose_penalty
from star_core.model.comparators.curves import YEAR_ENDS_MONTHS, OutcomeArrays, read_outcomes
from star_core.model.comparators.features import Preparation, build_columns, learn_preparation
from star_core.model.comparators.proportional import fit_proportional_hazards
from star_core.model.config import ComparatorConfig
from star_core.model.integrator import FusedFeatures
from star_core.model.projector import Projector, Rates
from star_core.model.star import Network, StarBatch
from star_core.model.tracker import ImageFeatures
from star_core.types import CAUSES, N_YEARS, BoolArray, DoubleArray

_SMALLEST_RATE = 1e-5


class CoxNetwork(Network):
    """The record, linear heads, and a baseline by year."""

    def __init__(self, config: ComparatorConfig) -> None:
        super().__init__()
        self.config: ComparatorConfig = config
        self.projector = Projector(config.model_copy(update={"width": 2 * config.n_clinical}))

    def track(self, batch: StarBatch, *, keep_recon: bool = False) -> ImageFeatures:
        """Return no features: the scan is not read."""
        return ImageFeatures(pooled=batch.clinical.new_zeros(len(batch.slots), self.config.n_years, 0))

    def project(self, features: ImageFeatures, batch: StarBatch) -> tuple[Rates, FusedFeatures]:
        """Return the rates of the records."""
        fused = _to_features(batch.clinical, batch.missing)[:, None].expand(-1, self.config.n_years, -1)
        return self.projector(fused, None, batch.at_risk_ml), FusedFeatures(fused)


def _to_features(clinical: Tensor, missing: Tensor) -> Tensor:
    return torch.cat([clinical * (1.0 - missing), missing], dim=-1)


@dataclass(frozen=True)
class LinearRates:
    """Log rates by cause, death last: ``weight`` (4, 2F) on values and gaps, ``baseline`` (T, 4)."""

    weight: DoubleArray
    baseline: DoubleArray


def fit_cox_network(network: CoxNetwork, patients: Sequence[ManifestPatient], *, seed: int) -> None:
    """Set a network's weights in place; its members are fits to resampled patients under the same penalties.

    Raises
    ------
    TrainingError
        When there are too few patients or events.
    """
    outcomes = read_outcomes(patients, "cox")
    columns = build_columns([patient.clinical for patient in patients])
    preparation = learn_preparation(columns)
    features = preparation.apply(columns)
    penalties = [choose_penalty(features, months, event, seed=seed) for months, event in _events(outcomes)]
    fitted = _fit(features, outcomes, preparation, penalties)
    generator = np.random.default_rng(seed)
    members = []
    for _ in range(network.config.n_members):
        drawn = generator.integers(0, len(patients), len(patients))
        members.append(_fit(features[drawn], _take(outcomes, drawn), preparation, penalties))
    _write(network.projector, fitted, members)


def _events(outcomes: OutcomeArrays) -> list[tuple[DoubleArray, BoolArray]]:
    """Return times and events of each cause, then of death."""
    causes = [(outcomes.event_months, outcomes.cause == index) for index in range(len(CAUSES))]
    return [*causes, (outcomes.survival_months, outcomes.died)]


def _take(outcomes: OutcomeArrays, rows: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> OutcomeArrays:
    return OutcomeArrays(
        event_months=outcomes.event_months[rows],
        cause=outcomes.cause[rows],
        survival_months=outcomes.survival_months[rows],
        died=outcomes.died[rows],
    )


def _fit(
    features: DoubleArray, outcomes: OutcomeArrays, preparation: Preparation, penalties: Sequence[float]
) -> LinearRates:
    weights, baselines = [], []
    for (months, event), penalty in zip(_events(outcomes), penalties, strict=True):
        model = fit_proportional_hazards(features, months, event, penalty)
        weight, shift = _to_record(model.coefficients, preparation)
        at_ends = model.cumulative_hazard(np.zeros((1, features.shape[1])), YEAR_ENDS_MONTHS)[0]
        yearly = np.diff(at_ends, prepend=0.0)
        weights.append(weight)
        baselines.append(np.log(np.maximum(yearly, _SMALLEST_RATE)) + shift)
    return LinearRates(np.stack(weights), np.stack(baselines, axis=-1))


def _to_record(coefficients: DoubleArray, preparation: Preparation) -> tuple[DoubleArray, float]:
    """Return weights (2F,) on values and gaps, and a constant, that give the same log hazard as prepared features."""
    fields = len(preparation.medians)
    scaled = coefficients / preparation.spread
    values, marks = scaled[:fields], scaled[fields:]
    gaps = values * preparation.medians
    for weight, fields_marked in zip(marks, preparation.marks, strict=True):
        gaps[int(fields_marked.argmax())] += weight
    return np.concatenate([values, gaps]), -float(scaled @ preparation.mean)


def _write(projector: Projector, fitted: LinearRates, members: Sequence[LinearRates]) -> None:
    """Put the fit into the heads, and each member's distance from it into the members' layer."""
    heads = projector.heads
    with torch.no_grad():
        heads.rates.weight.copy_(torch.from_numpy(fitted.weight))  # type: ignore[union-attr, operator]
        heads.rates.bias.zero_()  # type: ignore[union-attr, operator]
        heads.baseline.copy_(torch.from_numpy(fitted.baseline))
        weight = np.concatenate([member.weight - fitted.weight for member in members])
        # A member has one level for all years: the ratio of its total baseline to the fit's.
        level = [np.log(_total(member) / _total(fitted)) for member in members]
        projector.members.weight.copy_(torch.from_numpy(weight))
        projector.members.bias.copy_(torch.from_numpy(np.concatenate(level)))


def _total(rates: LinearRates) -> DoubleArray:
    total: DoubleArray = np.exp(rates.baseline).sum(axis=0)
    assert rates.baseline.shape == (N_YEARS, len(CAUSES) + 1)
    return total
