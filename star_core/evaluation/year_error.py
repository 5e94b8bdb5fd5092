"""The paper's measures on year classes: TAA, MSE and MAE, beside the best constant prediction."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from star_core.types import BoolArray, DoubleArray

BEYOND = 13


class CensoringRule(StrEnum):
    """What becomes of patients who were censored: their time is taken as the event's (as the paper), or left out."""

    IGNORED = "ignored"
    KNOWN_ONLY = "known only"


@dataclass(frozen=True, slots=True, kw_only=True)
class YearError:
    """Share of right years, mean squared and mean absolute error in years, and on how many patients."""

    taa: float
    mse: float
    mae: float
    n: int


def to_year(months: DoubleArray) -> NDArray[np.int64]:
    """Return the year index of times: ceil(months / 12), at least 1, at most 13 for all beyond year 12."""
    years: NDArray[np.int64] = np.clip(np.ceil(months / 12.0), 1, BEYOND).astype(np.int64)
    return years


def to_median_year(survival: DoubleArray) -> NDArray[np.int64]:
    """Return the first year (n,) at whose end survival (n, T) is at most one half; 13 where it never is."""
    below = survival <= 0.5
    years: NDArray[np.int64] = np.where(below.any(axis=1), below.argmax(axis=1) + 1, survival.shape[1] + 1)
    return years


def to_modal_year(survival: DoubleArray) -> NDArray[np.int64]:
    """Return the likeliest class (n,): the largest fall of survival (n, T) within a year, or 13 for beyond."""
    start = np.ones((len(survival), 1))
    falls = -np.diff(np.concatenate([start, survival], axis=1), axis=1)
    classes: NDArray[np.int64] = np.concatenate([falls, survival[:, -1:]], axis=1).argmax(axis=1) + 1
    return classes


def choose_patients(months: DoubleArray, event: BoolArray, rule: CensoringRule) -> BoolArray:
    """Return which patients (n,) a rule judges; whoever was followed beyond year 12 has a known class, 13."""
    known: BoolArray = event | (to_year(months) == BEYOND)
    return np.ones(len(event), bool) if rule is CensoringRule.IGNORED else known


def compute_year_error(forecast: NDArray[np.int64], truth: NDArray[np.int64]) -> YearError:
    """Return TAA, MSE and MAE of forecast against true years, both (n,); ``nan`` without patients."""
    if not len(truth):
        return YearError(taa=float("nan"), mse=float("nan"), mae=float("nan"), n=0)
    miss = np.abs(forecast - truth).astype(np.float64)
    return YearError(taa=float((miss == 0).mean()), mse=float((miss**2).mean()), mae=float(miss.mean()), n=len(truth))


def find_best_constant(truth: NDArray[np.int64]) -> dict[str, tuple[int, float]]:
    """Return for ``taa``, ``mse`` and ``mae`` the best year to tell everybody, and what it scores.

    It is searched on the judged patients themselves: no constant could do better, so it is a hard bar.
    """
    scores = {year: compute_year_error(np.full(len(truth), year, np.int64), truth) for year in range(1, BEYOND + 1)}
    taa = max(scores, key=lambda year: scores[year].taa)
    mse = min(scores, key=lambda year: scores[year].mse)
    mae = min(scores, key=lambda year: scores[year].mae)
    return {"taa": (taa, scores[taa].taa), "mse": (mse, scores[mse].mse), "mae": (mae, scores[mae].mae)}


def wilson_interval(right: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share; ``nan`` for nobody. Source: doi 10.1080/01621459.1927.10502953."""
    if n == 0:
        return float("nan"), float("nan")
    z = 1.959963984540054
    share, denominator = right / n, 1.0 + z**2 / n
    centre = share + z**2 / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float((centre - half) / denominator), float((centre + half) / denominator)
