"""What acting on a forecast would bring: net benefit over thresholds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from star_core.evaluation.curves import fit_aalen_johansen
from star_core.types import DoubleArray


def compute_net_benefit(
    incidence: DoubleArray,
    months: DoubleArray,
    cause: NDArray[np.int64],
    at_months: float,
    thresholds: DoubleArray,
    *,
    of: int = 1,
) -> DoubleArray:
    """Return the net benefit (k,) of treating patients whose forecast incidence reaches each threshold (k,).

    NB(p) = P(treated) (CIF - (1 - CIF) p / (1 - p)), where CIF is the incidence observed among the treated by
    Kaplan-Meier (Aalen-Johansen with several causes). Nobody treated gives 0.
    Source: Vickers et al. 2008, doi 10.1186/1472-6947-8-53.
    """
    benefit = np.zeros(len(thresholds))
    for place, threshold in enumerate(thresholds):
        treated = incidence >= threshold
        if treated.any():
            seen = float(fit_aalen_johansen(months[treated], cause[treated], of).at(at_months))
            benefit[place] = treated.mean() * (seen - (1.0 - seen) * threshold / (1.0 - threshold))
    return benefit
