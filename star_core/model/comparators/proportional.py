"""Penalised proportional hazards on arrays: the partial likelihood's ridge estimate, and its baseline.

Source: Cox 1972, doi 10.1111/j.2517-6161.1972.tb00899.x; ridge penalty: Verweij and van Houwelingen 1994,
doi 10.1002/sim.4780132307; baseline: Breslow 1972, same discussion. Checked against lifelines in the tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_core.types import BoolArray, DoubleArray

_MAX_STEPS = 60
_TOLERANCE = 1e-9
_MAX_LOG_HAZARD = 30.0


@dataclass(frozen=True)
class ProportionalHazards:
    """A fitted model: ``coefficients`` (p,), and the baseline's jumps (k,) at rising ``jump_months`` (k,)."""

    coefficients: DoubleArray
    jump_months: DoubleArray
    jumps: DoubleArray

    def log_hazard(self, features: DoubleArray) -> DoubleArray:
        """Return the log hazard ratio (n,) of ``features`` (n, p), held within bounds that no patient reaches."""
        ratio: DoubleArray = np.clip(features @ self.coefficients, -_MAX_LOG_HAZARD, _MAX_LOG_HAZARD)
        return ratio

    def cumulative_hazard(self, features: DoubleArray, months: DoubleArray) -> DoubleArray:
        """Return H (n, m) of ``features`` (n, p) at ``months`` (m,); constant after the last jump."""
        baseline = np.concatenate([[0.0], np.cumsum(self.jumps)])
        at_months = baseline[np.searchsorted(self.jump_months, months, side="right")]
        hazard: DoubleArray = np.exp(self.log_hazard(features))[:, None] * at_months
        return hazard


def fit_proportional_hazards(
    features: DoubleArray, months: DoubleArray, event: BoolArray, penalty: float
) -> ProportionalHazards:
    """Return the maximiser of ``log PL(b) / n - penalty / 2 * |b|^2`` by Newton's method with halved steps.

    Parameters
    ----------
    features
        (n, p), each of mean 0 and spread 1, so that one penalty suits all.
    months, event
        (n,) time to the event or to censoring, and which it was. Ties are treated after Breslow.
    penalty
        At least 0; without events every coefficient is 0 and the baseline has no jump.
    """
    order = np.argsort(-months, kind="stable")
    x, t, d = features[order], months[order], event[order]
    # The risk set of an event holds everybody with the same or a later time.
    last = np.searchsorted(-t, -t[d], side="right") - 1
    coefficients = np.zeros(x.shape[1])
    if d.any():
        value, slope, curvature = _objective(coefficients, x, d, last, penalty)
        for _ in range(_MAX_STEPS):
            step = np.linalg.solve(curvature + 1e-10 * np.eye(len(coefficients)), slope)
            size = 1.0
            while size > 1e-6:
                candidate = coefficients + size * step
                found = _objective(candidate, x, d, last, penalty)
                if found[0] >= value:
                    break
                size /= 2.0
            else:
                break
            gain, coefficients, (value, slope, curvature) = found[0] - value, candidate, found
            if gain < _TOLERANCE:
                break
    return _with_baseline(coefficients, x, t, d, last)


def fit_towards(
    features: DoubleArray, months: DoubleArray, event: BoolArray, penalty: float, expected: DoubleArray
) -> ProportionalHazards:
    """Return the maximiser of ``log PL(b) / n - penalty / 2 * |b - expected|^2`` with ``b >= 0``.

    ``expected`` (p,), at least 0, are the coefficients that are believed before the patients are seen; every feature
    is known to raise the hazard or not to change it. Otherwise as :func:`fit_proportional_hazards`.
    """
    from scipy.optimize import minimize

    order = np.argsort(-months, kind="stable")
    x, t, d = features[order], months[order], event[order]
    last = np.searchsorted(-t, -t[d], side="right") - 1

    def loss(coefficients: DoubleArray) -> tuple[float, DoubleArray]:
        value, slope, _ = _objective(coefficients, x, d, last, 0.0)
        away = coefficients - expected
        return 0.5 * penalty * float(away @ away) - value, penalty * away - slope

    found = minimize(loss, expected, jac=True, bounds=[(0.0, None)] * x.shape[1], method="L-BFGS-B")
    return _with_baseline(np.asarray(found.x, dtype=np.float64), x, t, d, last)


def partial_log_likelihood(model: ProportionalHazards, x: DoubleArray, months: DoubleArray, event: BoolArray) -> float:
    """Return the log partial likelihood of patients (n, p) under a model."""
    order = np.argsort(-months, kind="stable")
    ratio, d = model.log_hazard(x)[order], event[order]
    last = np.searchsorted(-months[order], -months[order][d], side="right") - 1
    return float(ratio[d].sum() - np.logaddexp.accumulate(ratio)[last].sum())


def _objective(
    coefficients: DoubleArray, x: DoubleArray, d: BoolArray, last: NDArray[np.intp], penalty: float
) -> tuple[float, DoubleArray, DoubleArray]:
    """Return the penalised log-likelihood a patient, its gradient (p,) and its negative Hessian (p, p)."""
    n = len(x)
    ratio = np.clip(x @ coefficients, -_MAX_LOG_HAZARD, _MAX_LOG_HAZARD)
    weight = np.exp(ratio)
    total = np.cumsum(weight)[last]
    first = np.cumsum(weight[:, None] * x, axis=0)[last] / total[:, None]
    second = np.cumsum(weight[:, None, None] * x[:, :, None] * x[:, None, :], axis=0)[last] / total[:, None, None]
    value = float(ratio[d].sum() - np.log(total).sum()) / n - 0.5 * penalty * float(coefficients @ coefficients)
    slope = (x[d] - first).sum(axis=0) / n - penalty * coefficients
    curvature = (second - first[:, :, None] * first[:, None, :]).sum(axis=0) / n + penalty * np.eye(x.shape[1])
    return value, slope, curvature


def _with_baseline(
    coefficients: DoubleArray, x: DoubleArray, t: DoubleArray, d: BoolArray, last: NDArray[np.intp]
) -> ProportionalHazards:
    weight = np.exp(np.clip(x @ coefficients, -_MAX_LOG_HAZARD, _MAX_LOG_HAZARD))
    jumps = 1.0 / np.cumsum(weight)[last]
    return ProportionalHazards(coefficients=coefficients, jump_months=t[d][::-1].copy(), jumps=jumps[::-1].copy())
