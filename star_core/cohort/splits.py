"""Patients to train on, to stop by, and to be judged on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from star_core.cohort.manifest import Manifest, ManifestPatient, Use

VALIDATION_SHARE = 0.1
TEST_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Split:
    """Patients of a cohort by use."""

    train: tuple[ManifestPatient, ...]
    validation: tuple[ManifestPatient, ...]
    test: tuple[ManifestPatient, ...]

    @property
    def sizes(self) -> dict[str, int]:
        """Number of patients by use."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}


def split_patients(manifest: Manifest, *, seed: int) -> dict[str, Use]:
    """Return the use of each patient by id: the manifest's own, else 8:1:1 drawn by ``seed``.

    Patients are dealt out within strata of cause (or censoring), so that each use sees each outcome in proportion.
    """
    if all(patient.split is not None for patient in manifest.patients):
        return {patient.patient_id: patient.split for patient in manifest.patients if patient.split is not None}
    generator = np.random.default_rng(seed)
    strata: dict[str, list[str]] = {}
    for patient in manifest.patients:
        strata.setdefault(str(patient.outcome.cause), []).append(patient.patient_id)
    ordered = [name for stratum in sorted(strata) for name in generator.permutation(strata[stratum])]
    # Every tenth of the stratified order, from two starts, gives exact shares overall and in each stratum.
    period = round(1.0 / TEST_SHARE)
    uses: dict[str, Use] = {}
    for place, name in enumerate(ordered):
        turn = place % period
        uses[str(name)] = "test" if turn == 3 else "validation" if turn == 7 else "train"
    return uses
