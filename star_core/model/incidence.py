"""Outcome mathematics on arrays: rates to incidences, and the map that adds up to them.

Rates are constant within a year. With ``Lambda_c(t)`` the rate of cause c in year t, ``Lambda`` their sum and
``S(t) = exp(-sum_{s<=t} Lambda(s))``,

    CIF_c(t) = sum_{s<=t} S(s-1) * Lambda_c(s) / Lambda(s) * (1 - exp(-Lambda(s))).

Replacing ``Lambda_c(s)`` by the voxel's own rate gives the voxel's share, so the map sums to the incidence.
Source: cumulative incidence under piecewise exponential competing risks (Kalbfleisch and Prentice,
The Statistical Analysis of Failure Time Data, 2nd ed., ch. 8, doi 10.1002/9781118032985).
"""

from __future__ import annotations

import numpy as np

from star_core.types import DoubleArray, FloatArray


def compute_event_free_survival(rates: DoubleArray) -> DoubleArray:
    """Return S(t), (..., T), from rates per year (..., T, causes)."""
    survival: DoubleArray = np.exp(-np.cumsum(rates.sum(axis=-1), axis=-1))
    return survival


def compute_year_weights(rates: DoubleArray) -> DoubleArray:
    """Return ``S(t-1) (1 - exp(-Lambda(t))) / Lambda(t)``, (..., T): incidence in year t per unit of rate."""
    total = rates.sum(axis=-1)
    before = np.exp(-(np.cumsum(total, axis=-1) - total))
    within = np.where(total > 1e-12, -np.expm1(-total) / np.maximum(total, 1e-12), 1.0)
    weights: DoubleArray = before * within
    return weights


def compute_cumulative_incidence(rates: DoubleArray) -> DoubleArray:
    """Return CIF_c(t), (..., T, causes), from rates per year (..., T, causes)."""
    incidence: DoubleArray = np.cumsum(compute_year_weights(rates)[..., None] * rates, axis=-2)
    return incidence


def compute_survival(death_rate: DoubleArray) -> DoubleArray:
    """Return overall survival (..., T) from the yearly rate of death (..., T)."""
    survival: DoubleArray = np.exp(-np.cumsum(death_rate, axis=-1))
    return survival


def compute_risk_density(rate_per_ml: FloatArray, rates: DoubleArray) -> FloatArray:
    """Return the cumulative incidence of liver recurrence per ml, float32 (T, D, H, W).

    Parameters
    ----------
    rate_per_ml
        (T, D, H, W) events per year and ml; its sum over space times the voxel volume is the liver's rate.
    rates
        (T, causes) rates per year of all causes, the liver's among them.
    """
    weights = compute_year_weights(rates).astype(np.float32)
    density: FloatArray = np.cumsum(rate_per_ml * weights[:, None, None, None], axis=0, dtype=np.float32)
    return density
