"""Curves of what happened: Kaplan-Meier, Aalen-Johansen, numbers at risk; plain numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from star_core.types import BoolArray, DoubleArray


@dataclass(frozen=True, slots=True)
class StepCurve:
    """A right-continuous step curve: ``start`` before the first of ``months`` (k,), then ``values`` (k,)."""

    months: DoubleArray
    values: DoubleArray
    start: float

    def at(self, months: ArrayLike) -> DoubleArray:
        """Return the curve at ``months``, jumps there included."""
        return self._pick(np.searchsorted(self.months, np.asarray(months, np.float64), side="right"))

    def before(self, months: ArrayLike) -> DoubleArray:
        """Return the curve just before ``months`` (its left limit)."""
        return self._pick(np.searchsorted(self.months, np.asarray(months, np.float64), side="left"))

    def _pick(self, places: NDArray[np.int64]) -> DoubleArray:
        values: DoubleArray = np.concatenate([[self.start], self.values])[places]
        return values


def fit_kaplan_meier(months: DoubleArray, event: BoolArray) -> StepCurve:
    """Return the Kaplan-Meier estimate of surviving, of ``months`` (n,) and ``event`` (n,).

    Source: Kaplan and Meier 1958, doi 10.1080/01621459.1958.10501452.
    """
    times, at_risk, counts = _count(months, event.astype(np.int64), 1)
    return StepCurve(times, np.cumprod(1.0 - counts[0] / at_risk), 1.0)


def fit_censoring(months: DoubleArray, event: BoolArray) -> StepCurve:
    """Return the Kaplan-Meier estimate G of staying under observation; at a tied time events come before censoring."""
    times = np.unique(months)
    under = np.array([(months >= time).sum() - ((months == time) & event).sum() for time in times], np.float64)
    lost = np.array([((months == time) & ~event).sum() for time in times], np.float64)
    kept = 1.0 - np.divide(lost, under, out=np.zeros_like(lost), where=under > 0)
    remaining: DoubleArray = np.cumprod(kept, dtype=np.float64)
    return StepCurve(times, remaining, 1.0)


def fit_aalen_johansen(months: DoubleArray, cause: NDArray[np.int64], of: int) -> StepCurve:
    """Return the cumulative incidence of cause ``of``; ``cause`` (n,) is 0 where censored, else 1, 2, ...

    CIF_c(t) = sum over event times s <= t of S(s-) d_c(s) / n(s). Source: Aalen and Johansen 1978, Scand J Stat 5.
    """
    times, at_risk, counts = _count(months, cause, max(int(cause.max(initial=0)), of))
    survival = np.cumprod(1.0 - counts.sum(axis=0) / at_risk)
    before = np.concatenate([[1.0], survival[:-1]])
    return StepCurve(times, np.cumsum(before * counts[of - 1] / at_risk), 0.0)


def count_at_risk(months: DoubleArray, at_months: DoubleArray) -> NDArray[np.int64]:
    """Return how many patients are still under observation and free of the event at each of ``at_months``."""
    counts: NDArray[np.int64] = (months[None, :] >= at_months[:, None]).sum(axis=1)
    return counts


def _count(months: DoubleArray, cause: NDArray[np.int64], causes: int) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    times = np.unique(months)
    ordered = np.sort(months)
    at_risk = (len(months) - np.searchsorted(ordered, times, side="left")).astype(np.float64)
    counts = np.zeros((causes, len(times)))
    for number in range(1, causes + 1):
        np.add.at(counts[number - 1], np.searchsorted(times, months[cause == number]), 1.0)
    return times, at_risk, counts
