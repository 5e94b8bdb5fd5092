"""Splits and folds: by patient, in proportion, by seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from star_core.cohort.manifest import Manifest, ManifestPatient
from star_core.cohort.splits import fold_patients, split_patients
from star_core.errors import CohortError
from star_core.types import Cause, ClinicalRecord, Outcome

OUTCOMES = [(cause, died) for cause in (None, *Cause) for died in (False, True) if died or cause is not Cause.DEATH]


def build_manifest(outcomes: Iterable[tuple[Cause | None, bool]]) -> Manifest:
    patients = tuple(
        ManifestPatient(
            patient_id=f"P-{number:04d}",
            input_sha256="0" * 64,
            clinical=ClinicalRecord(),
            outcome=Outcome(event_months=5.0, cause=cause, survival_months=9.0, died=died),
        )
        for number, (cause, died) in enumerate(outcomes)
    )
    return Manifest(
        folder=Path(),
        kind="phantom",
        name="made up",
        created_utc="2026-01-01T00:00:00+00:00",
        seed=None,
        preprocessing={},
        patients=patients,
    )


def strata_of(patients: Iterable[ManifestPatient]) -> Counter[tuple[str, bool]]:
    return Counter((str(patient.outcome.cause), patient.outcome.died) for patient in patients)


manifests = st.lists(st.sampled_from(OUTCOMES), min_size=20, max_size=300).map(build_manifest)


def test_the_collections_197_patients_are_split_157_20_20() -> None:
    manifest = build_manifest(OUTCOMES[number % len(OUTCOMES)] for number in range(197))
    assert Counter(split_patients(manifest, seed=4).values()) == {"train": 157, "validation": 20, "test": 20}


@settings(max_examples=60, deadline=None)
@given(manifest=manifests, seed=st.integers(0, 2**31))
def test_every_use_holds_its_share_of_every_stratum_to_within_one(manifest: Manifest, seed: int) -> None:
    n = len(manifest.patients)
    uses = split_patients(manifest, seed=seed)
    assert set(uses) == {patient.patient_id for patient in manifest.patients}
    sizes = Counter(uses.values())
    assert sizes["test"] == sizes["validation"] == round(n * 20 / 197)
    whole = strata_of(manifest.patients)
    for use in ("test", "validation", "train"):
        found = strata_of(patient for patient in manifest.patients if uses[patient.patient_id] == use)
        for stratum, count in whole.items():
            # Held patients are right to within one; taking turns adds at most one half.
            assert abs(found[stratum] - count * sizes[use] / n) < 1.5


def test_a_split_follows_its_seed_and_not_the_order_of_patients() -> None:
    manifest = build_manifest(OUTCOMES * 9)
    turned = replace(manifest, patients=manifest.patients[::-1])
    assert split_patients(manifest, seed=1) == split_patients(turned, seed=1)
    assert split_patients(manifest, seed=1) != split_patients(manifest, seed=2)


def test_the_manifests_own_split_wins_and_half_of_one_is_refused() -> None:
    manifest = build_manifest(OUTCOMES * 3)
    own = replace(manifest, patients=tuple(replace(patient, split="test") for patient in manifest.patients))
    assert set(split_patients(own, seed=0).values()) == {"test"}
    half = replace(manifest, patients=(*own.patients[:5], *manifest.patients[5:]))
    with pytest.raises(CohortError, match="P-0005"):
        split_patients(half, seed=0)


@settings(max_examples=40, deadline=None)
@given(manifest=manifests, folds=st.integers(2, 6), repeat=st.integers(0, 3), seed=st.integers(0, 2**31))
def test_folds_test_everyone_once_and_never_train_on_who_is_tested(
    manifest: Manifest, folds: int, repeat: int, seed: int
) -> None:
    splits = fold_patients(manifest, folds=folds, repeat=repeat, seed=seed)
    everyone = Counter(patient.patient_id for patient in manifest.patients)
    assert Counter(patient.patient_id for split in splits for patient in split.test) == everyone
    whole = strata_of(manifest.patients)
    for split in splits:
        together = (*split.train, *split.validation, *split.test)
        assert Counter(patient.patient_id for patient in together) == everyone
        assert len(split.validation) == max(round(0.1 * (len(together) - len(split.test))), 1)
        found = strata_of(split.test)
        assert all(abs(found[stratum] - count / folds) < 1 for stratum, count in whole.items())
        rest, held = strata_of((*split.train, *split.validation)), strata_of(split.validation)
        share = len(split.validation) / (len(split.train) + len(split.validation))
        assert all(abs(held[stratum] - count * share) < 1 for stratum, count in rest.items())


def test_repeats_and_seeds_differ_and_are_repeated() -> None:
    manifest = build_manifest(OUTCOMES * 9)

    def tested(repeat: int, seed: int) -> list[set[str]]:
        return [{p.patient_id for p in s.test} for s in fold_patients(manifest, folds=5, repeat=repeat, seed=seed)]

    assert tested(0, 0) == tested(0, 0)
    assert tested(0, 0) != tested(1, 0)
    assert tested(0, 0) != tested(0, 1)


@pytest.mark.parametrize("folds", [1, 8])
def test_too_few_or_too_many_folds_are_refused(folds: int) -> None:
    with pytest.raises(CohortError, match="folds"):
        fold_patients(build_manifest(OUTCOMES * 3), folds=folds, repeat=0, seed=0)
