"""Measures of survival forecasts as plain functions of arrays; checked against lifelines in the tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from star_core.types import BoolArray, DoubleArray


def compute_concordance(
    risk: DoubleArray, months: DoubleArray, event: BoolArray, *, group: NDArray[np.int64] | None = None
) -> float:
    """Return Harrell's C for ``risk`` (n,), higher meaning earlier, with ``months`` (n,) and ``event`` (n,).

    Pairs are usable when the earlier time is an event and, with ``group`` (n,), both are of one group; ties in risk
    count one half. ``nan`` without usable pairs.
    Source: Harrell et al. 1982, doi 10.1001/jama.1982.03320430047030.
    """
    earlier = (months[:, None] < months[None, :]) | ((months[:, None] == months[None, :]) & ~event[None, :])
    usable = earlier & event[:, None] & find_pairs(group, len(risk))
    if not usable.any():
        return float("nan")
    higher = (risk[:, None] > risk[None, :]) + 0.5 * (risk[:, None] == risk[None, :])
    return float(higher[usable].mean())


def find_pairs(group: NDArray[np.int64] | None, n: int) -> BoolArray:
    """Return (n, n): which patients may be compared, that is others of the same group.

    Models of different folds differ in level, so pairs across folds would compare models instead of patients.
    """
    others = ~np.eye(n, dtype=np.bool_)
    return others if group is None else others & (group[:, None] == group[None, :])


def bootstrap_interval(
    measure: Callable[[NDArray[np.int64]], float], n: int, *, seed: int, repeats: int = 1000
) -> tuple[float, float]:
    """Return the 95 % percentile interval of ``measure(indices)`` over resampled patients.

    Samples in which the measure does not exist are left out; ``nan`` where it never exists.
    """
    generator = np.random.default_rng(seed)
    values = np.array([measure(generator.integers(0, n, n)) for _ in range(repeats)])
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    lower, upper = np.percentile(values, [2.5, 97.5])
    return float(lower), float(upper)
