"""How far forecast probabilities lie from what happened: Brier scores with weights against censoring."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from star_core.evaluation.curves import StepCurve, fit_aalen_johansen, fit_censoring
from star_core.types import BoolArray, DoubleArray

MONTHS_PER_YEAR = 12.0


def compute_brier(
    incidence: DoubleArray,
    months: DoubleArray,
    event: BoolArray,
    at_months: float,
    *,
    censoring: StepCurve | None = None,
) -> float:
    """Return the Brier score at a time of the probability (n,) that the event has happened by then.

    Source: Graf et al. 1999, doi 10.1002/(sici)1097-0258(19990915/30)18:17/18<2529::aid-sim274>3.0.co;2-5.
    """
    return compute_cause_brier(incidence, months, event.astype(np.int64), at_months, of=1, censoring=censoring)


def compute_cause_brier(
    incidence: DoubleArray,
    months: DoubleArray,
    cause: NDArray[np.int64],
    at_months: float,
    *,
    of: int,
    censoring: StepCurve | None = None,
) -> float:
    """Return the Brier score at a time of the cumulative incidence (n,) of one cause among several.

    ``cause`` (n,) is 0 where censored. Patients are weighted by 1 / G(t-) at their event, or 1 / G(at) when still free;
    those censored before have weight 0. ``nan`` where nobody is left under observation.
    Source: Schoop et al. 2011, doi 10.1002/bimj.201000073.
    """
    curve = censoring or fit_censoring(months, cause > 0)
    remaining = float(curve.at(at_months))
    if remaining <= 0 or not np.isfinite(incidence).all():
        return float("nan")
    happened = (cause > 0) & (months <= at_months)
    kept = curve.before(months)
    weight = np.divide(1.0, kept, out=np.zeros(len(months)), where=happened & (kept > 0))
    weight = weight + (months > at_months) / remaining
    truth = happened & (cause == of)
    return float(np.mean(weight * (truth - incidence) ** 2))


def compute_integrated_brier(
    incidence: DoubleArray,
    months: DoubleArray,
    cause: NDArray[np.int64],
    years: NDArray[np.int64],
    *,
    of: int = 1,
    censoring: StepCurve | None = None,
) -> float:
    """Return the mean over time of the Brier score at ``years`` (k,) by the trapezium rule.

    ``incidence`` is (n, T), its column t - 1 for year t; with one year the score of that year.
    """
    curve = censoring or fit_censoring(months, cause > 0)
    scores = np.array(
        [
            compute_cause_brier(incidence[:, y - 1], months, cause, y * MONTHS_PER_YEAR, of=of, censoring=curve)
            for y in years
        ]
    )
    if len(years) == 1:
        return float(scores[0])
    return float(np.trapezoid(scores, years) / (years[-1] - years[0]))


def reference_incidence(
    months: DoubleArray, cause: NDArray[np.int64], years: NDArray[np.int64], n: int, *, of: int = 1
) -> DoubleArray:
    """Return the same curve (n, k) for everybody: Aalen-Johansen's, which is Kaplan-Meier's with one cause."""
    curve = fit_aalen_johansen(months, cause, of).at(years * MONTHS_PER_YEAR)
    return np.repeat(curve[None, :], n, axis=0)
