"""Arrays, the horizon in years, progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
DoubleArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

N_YEARS = 12
MODEL_GRID_SHAPE = (40, 128, 128)

ProgressCallback = Callable[[int, int], None]
"""``progress(done, total)``; raises :class:`star_core.errors.CancelledError` to stop between two steps."""


def ignore_progress(done: int, total: int) -> None:
    """Do nothing: the progress callback of a caller who does not watch."""


def count_values(values: NDArray[np.integer[Any]], largest: int) -> NDArray[np.int64]:
    """Return how often 0..``largest`` occur in (D, H, W), slice by slice: NumPy takes 8 bytes a voxel to count."""
    counts = np.zeros(largest + 1, dtype=np.int64)
    for plane in values:
        counts += np.bincount(plane.ravel(), minlength=largest + 1)
    return counts


def freeze_arrays(value: Any, *names: str) -> None:
    """Make the named arrays of a frozen value read-only; called when it is built."""
    for name in names:
        array = getattr(value, name)
        if array is not None:
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(value, name, view)
