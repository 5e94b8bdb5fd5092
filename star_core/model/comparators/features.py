"""Records as feature columns for models without images: preoperative fields only, missing values marked and filled.

The medians that fill gaps and the scale of each column are those of the training patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from star_core.clinical.fields import MODEL_FIELDS, encode_record
from star_core.types import BoolArray, ClinicalRecord, DoubleArray

ALL_FIELDS = tuple(field.name for field in MODEL_FIELDS)


def build_columns(records: Sequence[ClinicalRecord], names: Sequence[str] = ALL_FIELDS) -> DoubleArray:
    """Return float64 (n, p): the named preoperative fields on the network's scale, ``nan`` where missing."""
    encoded = [encode_record(record) for record in records]
    values = np.array([value for value, _ in encoded], dtype=np.float64).reshape(len(records), len(MODEL_FIELDS))
    missing = np.array([gap for _, gap in encoded], dtype=np.bool_).reshape(len(records), len(MODEL_FIELDS))
    columns: DoubleArray = np.where(missing, np.nan, values)
    return columns[:, [ALL_FIELDS.index(name) for name in names]]


@dataclass(frozen=True)
class Preparation:
    """What was learnt from training columns: medians (p,), which gaps to mark (g, p), mean and spread (p + g,)."""

    medians: DoubleArray
    marks: BoolArray
    mean: DoubleArray
    spread: DoubleArray

    def apply(self, columns: DoubleArray) -> DoubleArray:
        """Return (n, p + g) without gaps, of mean 0 and spread 1 in the training patients."""
        scaled: DoubleArray = (self._fill(columns) - self.mean) / self.spread
        return scaled

    def _fill(self, columns: DoubleArray) -> DoubleArray:
        gaps = np.isnan(columns)
        # Fields that are always missing together, as CEA and the score made from it, share one mark.
        marked = gaps[:, self.marks.argmax(axis=1)] if len(self.marks) else gaps[:, :0]
        return np.concatenate([np.where(gaps, self.medians, columns), marked], axis=1)


def learn_preparation(columns: DoubleArray) -> Preparation:
    """Return the preparation of training columns (n, p); a column without any value counts as constant."""
    gaps = np.isnan(columns)
    empty = gaps.all(axis=0)
    medians = np.zeros(columns.shape[1])
    medians[~empty] = np.nanmedian(columns[:, ~empty], axis=0)
    partial = np.flatnonzero(gaps.any(axis=0) & ~empty)
    patterns = np.unique(gaps[:, partial].T, axis=0)
    marks = np.zeros((len(patterns), columns.shape[1]), dtype=np.bool_)
    for column in partial:
        marks[np.flatnonzero((patterns == gaps[:, column]).all(axis=1))[0], column] = True
    plain = Preparation(medians=medians, marks=marks, mean=np.zeros(1), spread=np.ones(1))
    filled = plain.apply(columns)
    spread = filled.std(axis=0)
    return Preparation(
        medians=medians, marks=marks, mean=filled.mean(axis=0), spread=np.where(spread > 1e-9, spread, 1.0)
    )
