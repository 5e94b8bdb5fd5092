"""Whether forecast probabilities mean what they say: groups of risk, slope, and D-calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_core.evaluation.curves import fit_aalen_johansen
from star_core.types import BoolArray, DoubleArray

_SMALLEST = 1e-6
_NEWTON_STEPS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationGroup:
    """Patients of similar risk: mean forecast, what was observed by then (Aalen-Johansen), and their number."""

    forecast: float
    observed: float
    n: int


def compute_calibration_curve(
    incidence: DoubleArray,
    months: DoubleArray,
    cause: NDArray[np.int64],
    at_months: float,
    *,
    of: int = 1,
    groups: int = 5,
) -> tuple[CalibrationGroup, ...]:
    """Return forecast against observed incidence at a time in ``groups`` of equal size by forecast risk.

    ``cause`` (n,) is 0 where censored. With one cause the observed share is one less Kaplan-Meier's.
    """
    order = np.argsort(incidence, kind="stable")
    return tuple(
        CalibrationGroup(
            forecast=float(incidence[part].mean()),
            observed=float(fit_aalen_johansen(months[part], cause[part], of).at(at_months)),
            n=len(part),
        )
        for part in np.array_split(order, groups)
        if len(part)
    )


def compute_calibration_slope(
    incidence: DoubleArray, months: DoubleArray, event: BoolArray, at_months: float
) -> tuple[float, float]:
    """Return slope and intercept at a time of the observed against the forecast cumulative hazard, on the log scale.

    Poisson recalibration: events by ``at_months`` follow a Poisson law with mean t_i / at * H_i^slope * e^intercept,
    where H_i = -log(1 - incidence_i) and t_i is the time under observation up to ``at_months``; log H is the
    complementary log-log of the forecast. The hazard is taken as constant until then. 1 and 0 are perfect; below 1,
    forecasts are too extreme. ``nan`` where forecasts do not differ or nothing happened. For one cause of several,
    ``event`` marks that cause and H comes from 1 - CIF: an approximation that ends follow-up at other events.
    Source: Crowson et al. 2016, doi 10.1177/0962280213497434.
    """
    clipped = np.clip(incidence, _SMALLEST, 1.0 - _SMALLEST)
    log_hazard = np.log(-np.log1p(-clipped))
    seen = (event & (months <= at_months)).astype(np.float64)
    exposure = np.maximum(np.minimum(months, at_months) / at_months, _SMALLEST)
    if seen.sum() < 2 or np.ptp(log_hazard) < 1e-9 or not np.isfinite(incidence).all():
        return float("nan"), float("nan")
    centre = log_hazard.mean()
    design = np.column_stack([np.ones_like(log_hazard), log_hazard - centre])
    beta = np.array([np.log(seen.sum() / exposure.sum()), 0.0])
    for _ in range(_NEWTON_STEPS):
        mean = exposure * np.exp(np.clip(design @ beta, -30.0, 30.0))
        step = np.linalg.lstsq(design.T * mean @ design, design.T @ (seen - mean), rcond=None)[0]
        beta = beta + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-10:
            break
    return float(beta[1]), float(beta[0] - beta[1] * centre)


def compute_d_calibration(
    survival: DoubleArray, months: DoubleArray, event: BoolArray, *, bins: int = 5
) -> tuple[DoubleArray, float]:
    """Return the share of patients in each of ``bins`` of survival probability at their own time, and the p-value.

    ``survival`` is (n, T) at the end of years 1..T; between years it falls exponentially (constant hazard). An event
    counts in the bin of S(t_i); a censored patient is spread evenly over all probabilities below S(c_i). Under a
    calibrated model each bin holds 1 / ``bins``; the p-value is Pearson's chi-squared. Patients beyond year T count as
    censored at its end. Bins go from low to high survival. Source: Haider et al. 2020, JMLR 21(85).
    """
    from scipy.stats import chi2

    horizon = survival.shape[1] * 12.0
    at = survival_at_months(survival, np.minimum(months, horizon))
    seen = event & (months <= horizon)
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip(np.ceil(at * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(place[seen], minlength=bins).astype(np.float64)
    for value in at[~seen]:
        covered = np.clip(np.minimum(edges[1:], value) - edges[:-1], 0.0, None)
        counts += covered / max(value, _SMALLEST) if value > _SMALLEST else np.eye(bins)[0]
    expected = len(at) / bins
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return counts / len(at), float(chi2.sf(statistic, bins - 1))


def survival_at_months(survival: DoubleArray, months: DoubleArray) -> DoubleArray:
    """Return each patient's survival (n,) at its own time, from yearly curves (n, T), by constant yearly hazards."""
    years = months / 12.0
    log_survival = np.log(np.clip(survival, 1e-12, 1.0))
    log_survival = np.concatenate([np.zeros((len(survival), 1)), log_survival], axis=1)
    year = np.clip(np.floor(years).astype(int), 0, survival.shape[1] - 1)
    rows = np.arange(len(survival))
    low, high = log_survival[rows, year], log_survival[rows, year + 1]
    result: DoubleArray = np.exp(low + (high - low) * np.clip(years - year, 0.0, 1.0))
    return result
