"""How well a forecast ranks patients: Uno's C and the time-dependent AUC; Harrell's C stands in ``metrics``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from star_core.evaluation.curves import StepCurve, fit_censoring
from star_core.evaluation.metrics import find_pairs
from star_core.types import BoolArray, DoubleArray


def compute_uno_concordance(
    risk: DoubleArray,
    months: DoubleArray,
    event: BoolArray,
    *,
    until_months: float = np.inf,
    censoring: StepCurve | None = None,
    group: NDArray[np.int64] | None = None,
) -> float:
    """Return Uno's C of ``risk`` (n,): pairs weighted by 1 / G(t-)^2 of the earlier patient's event, up to a month.

    ``censoring`` is G, estimated from the same patients where not given. ``nan`` without usable pairs.
    Source: Uno et al. 2011, doi 10.1002/sim.4154.
    """
    weight = _event_weights(months, event & (months < until_months), censoring or fit_censoring(months, event)) ** 2
    later = (months[:, None] < months[None, :]) | ((months[:, None] == months[None, :]) & ~event[None, :])
    later &= find_pairs(group, len(risk))
    weights = weight[:, None] * later
    total = weights.sum()
    return float((weights * _order(risk)).sum() / total) if total > 0 else float("nan")


def compute_auc(
    risk: DoubleArray, months: DoubleArray, event: BoolArray, at_months: float, *, censoring: StepCurve | None = None
) -> float:
    """Return the cumulative/dynamic AUC at a time: those with the event by then against those still free of it.

    Cases are weighted by 1 / G(t-) (inverse probability of censoring). ``nan`` without cases or controls.
    Source: Uno et al. 2007, doi 10.1198/016214507000000149; Hung and Chiang 2010, doi 10.1002/cjs.10046.
    """
    return compute_cause_auc(risk, months, event.astype(np.int64), at_months, of=1, censoring=censoring)


def compute_cause_auc(
    risk: DoubleArray,
    months: DoubleArray,
    cause: NDArray[np.int64],
    at_months: float,
    *,
    of: int,
    censoring: StepCurve | None = None,
    group: NDArray[np.int64] | None = None,
) -> float:
    """Return the AUC of one cause's incidence at a time; controls are all patients free of that cause's event by then.

    ``cause`` (n,) is 0 where censored. Patients who had another event first count as controls with their own weight.
    Source: Blanche et al. 2013, doi 10.1002/sim.5958 (definition with controls of both kinds).
    """
    curve = censoring or fit_censoring(months, cause > 0)
    weight = _event_weights(months, (cause > 0) & (months <= at_months), curve)
    case = weight * (cause == of)
    remaining = float(curve.at(at_months))
    free = (months > at_months) / remaining if remaining > 0 else np.zeros(len(months))
    control = weight * ((cause > 0) & (cause != of)) + free
    pairs = find_pairs(group, len(risk))
    total = case @ pairs @ control
    return float(case @ (_order(risk) * pairs) @ control / total) if total > 0 else float("nan")


def _event_weights(months: DoubleArray, event: BoolArray, censoring: StepCurve) -> DoubleArray:
    """Return 1 / G(t-) of patients with an event, else 0."""
    kept = censoring.before(months)
    return np.divide(1.0, kept, out=np.zeros(len(months)), where=event & (kept > 0))


def _order(risk: DoubleArray) -> DoubleArray:
    order: DoubleArray = (risk[:, None] > risk[None, :]) + 0.5 * (risk[:, None] == risk[None, :])
    return order
