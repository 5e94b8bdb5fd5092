"""Patients to train on, to stop by, and to be judged on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from star_core.cohort.manifest import Manifest, ManifestPatient, Use
from star_core.errors import CohortError

PUBLISHED_PATIENTS = 197
PUBLISHED_TEST = PUBLISHED_VALIDATION = 20
VALIDATION_SHARE = 0.1


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
    """Return the use of each patient by id: the manifest's own, else drawn by ``seed`` in the shares 157 / 20 / 20.

    Patients are dealt out within strata of cause of the first event (or censoring) and death, so that each use sees
    each outcome in proportion, to within one patient.

    Raises
    ------
    CohortError
        When the manifest gives a use to some patients and not to others.
    """
    without_use = [patient.patient_id for patient in manifest.patients if patient.split is None]
    if not without_use:
        return {patient.patient_id: patient.split for patient in manifest.patients if patient.split is not None}
    if len(without_use) < len(manifest.patients):
        raise CohortError(
            f"{len(without_use)} of {len(manifest.patients)} patients of cohort {manifest.name!r} have no split, "
            f"{without_use[0]} first.",
            remedy="Give every patient of the manifest a split, or none.",
        )
    generator = np.random.default_rng(seed)
    ordered = _order_by_strata(manifest.patients, generator)
    test, validation = (
        round(len(ordered) * held / PUBLISHED_PATIENTS) for held in (PUBLISHED_TEST, PUBLISHED_VALIDATION)
    )
    held = _choose_evenly(len(ordered), test + validation, generator)
    uses: dict[str, Use] = {patient.patient_id: "train" for patient in ordered}
    # Taking turns along the strata keeps test and validation in proportion too.
    first = int(generator.integers(2))
    for turn, place in enumerate(held):
        uses[ordered[place].patient_id] = "test" if (turn + first) % 2 else "validation"
    return uses


def fold_patients(manifest: Manifest, *, folds: int, repeat: int, seed: int) -> tuple[Split, ...]:
    """Return ``folds`` splits in which every patient is tested once.

    Folds are dealt out within strata of cause and death; of what is left over a stratified tenth is for validation.
    The same ``seed`` and ``repeat`` give the same folds whichever models are compared; the manifest's own split has
    no part in it.

    Raises
    ------
    CohortError
        When there are fewer than two folds, or fewer patients than three a fold.
    """
    if folds < 2 or len(manifest.patients) < 3 * folds:
        raise CohortError(
            f"Cohort {manifest.name!r} with {len(manifest.patients)} patients cannot be cut into {folds} folds, "
            "expected at least 2 folds and 3 patients a fold.",
            remedy="Choose another number of folds (--folds).",
        )
    generator = np.random.default_rng([seed, repeat])
    ordered = _order_by_strata(manifest.patients, generator)
    splits = []
    for fold in range(folds):
        test = tuple(ordered[fold::folds])
        rest = [patient for place, patient in enumerate(ordered) if place % folds != fold]
        count = max(round(len(rest) * VALIDATION_SHARE), 1)
        chosen = set(_choose_evenly(len(rest), count, generator))
        train = tuple(patient for place, patient in enumerate(rest) if place not in chosen)
        splits.append(Split(train=train, validation=tuple(rest[place] for place in sorted(chosen)), test=test))
    return tuple(splits)


def _order_by_strata(patients: Sequence[ManifestPatient], generator: np.random.Generator) -> list[ManifestPatient]:
    """Return the patients stratum by stratum, shuffled within each; the order they were listed in does not matter."""
    strata: dict[tuple[str, bool], list[ManifestPatient]] = {}
    for patient in sorted(patients, key=lambda patient: patient.patient_id):
        strata.setdefault((str(patient.outcome.cause), patient.outcome.died), []).append(patient)
    return [strata[key][place] for key in sorted(strata) for place in generator.permutation(len(strata[key]))]


def _choose_evenly(total: int, count: int, generator: np.random.Generator) -> list[int]:
    """Return ``count`` of ``total`` places at even distances from a random start (systematic sampling).

    Any run of places, such as a stratum, holds its share to within one.
    """
    start = int(generator.integers(max(total, 1)))
    passed = [(place * count + start) // max(total, 1) for place in range(total + 1)]
    return [place for place in range(total) if passed[place + 1] > passed[place]]
