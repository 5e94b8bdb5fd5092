"""Several cohorts as one, for a model that learns from all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from star_core.cohort.cache import link_input
from star_core.cohort.journal import open_partial
from star_core.cohort.manifest import (
    Kind,
    LeftOut,
    Manifest,
    ManifestPatient,
    manifest_sha256,
    read_manifest,
    require_scan,
)
from star_core.errors import CohortError
from star_core.imaging.preprocess import PreprocessConfig
from star_core.types import ProgressCallback, ignore_progress

_LONGEST_NAME = 128


def join_cohorts(folders: Sequence[Path], out: Path, progress: ProgressCallback = ignore_progress) -> Manifest:
    """Write one cohort of the patients of several; scans are linked where the disk allows it, else copied.

    Names that several cohorts use get the cohort's number before them. Twins and phantoms together are "synthetic";
    synthetic and real patients are not joined. Splits are kept when every patient has one, else dropped.

    Raises
    ------
    StorageError
        When a cohort cannot be read, or ``out`` is not empty or cannot be written.
    CohortError
        When there are fewer than two, they were not prepared alike, or a patient is in two of them.
    """
    if len(folders) < 2:
        raise CohortError("Joining needs two cohorts or more.", remedy="Name the folders of the cohorts.")
    manifests = [read_manifest(folder) for folder in folders]
    kind = _choose_kind(manifests)
    _require_alike(manifests)
    _require_apart(manifests)
    identity = {"kind": kind, "joined": [manifest_sha256(manifest) for manifest in manifests]}
    total = sum(len(manifest.patients) for manifest in manifests)
    with open_partial(out, identity) as begun:
        patients: list[ManifestPatient] = []
        for manifest, names in zip(manifests, _name_apart(manifests), strict=True):
            for patient, name in zip(manifest.patients, names, strict=True):
                link_input(manifest.folder, begun.folder, require_scan(patient))
                patients.append(replace(patient, patient_id=name))
                progress(len(patients), total)
        if any(patient.split is None for patient in patients):
            patients = [replace(patient, split=None) for patient in patients]
        return begun.finish(
            Manifest(
                folder=out,
                kind=kind,
                name=_shorten(" + ".join(manifest.name for manifest in manifests)),
                created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
                seed=None,
                preprocessing=manifests[0].preprocessing,
                patients=tuple(patients),
                left_out=tuple(
                    LeftOut(patient_id=entry.patient_id, reason=entry.reason)
                    for manifest in manifests
                    for entry in manifest.left_out
                    if entry.patient_id
                ),
            )
        )


def _choose_kind(manifests: Sequence[Manifest]) -> Kind:
    kinds = {manifest.kind for manifest in manifests}
    if len(kinds) == 1:
        return manifests[0].kind
    if all(manifest.is_synthetic for manifest in manifests):
        return "synthetic"
    if any(manifest.is_synthetic for manifest in manifests):
        told = ", ".join(f"{manifest.name!r} ({manifest.kind})" for manifest in manifests)
        raise CohortError(
            f"Synthetic and real patients are not joined: {told}.",
            remedy="Train on the synthetic ones and fine-tune on the real ones.",
        )
    return "local"


def _require_alike(manifests: Sequence[Manifest]) -> None:
    first, prepared = manifests[0], [_read_preparation(manifest) for manifest in manifests]
    for other, preparation in zip(manifests[1:], prepared[1:], strict=True):
        different = [
            f"{name} is {value} and {preparation[name]}"
            for name, value in prepared[0].items()
            if value != preparation[name]
        ]
        if different:
            raise CohortError(
                f"Cohorts {first.name!r} and {other.name!r} were not prepared alike: {'; '.join(different)}.",
                remedy="Make one of them again with the same --preset and --reduce.",
            )


def _read_preparation(manifest: Manifest) -> dict[str, object]:
    """Return how scans were prepared, settings that a manifest leaves out at their defaults."""
    return PreprocessConfig.model_validate(manifest.preprocessing).model_dump(mode="json")


def _require_apart(manifests: Sequence[Manifest]) -> None:
    """Refuse a patient who is in two cohorts: training and test would share him.

    The same scan is the same patient; so is the same name among twins, whose rows have one outcome.
    """
    seen: dict[tuple[str, str], str] = {}
    for manifest in manifests:
        for patient in manifest.patients:
            marks = [("scan", require_scan(patient))]
            if manifest.kind in ("twin", "synthetic", "tcia"):
                marks.append((manifest.kind if manifest.kind == "tcia" else "twin", patient.patient_id))
            for mark in marks:
                if mark in seen and seen[mark] != str(manifest.folder):
                    raise CohortError(
                        f"Patient {patient.patient_id} is in two of the cohorts.",
                        remedy="Join cohorts of different patients (for phantoms: other seeds).",
                    )
                seen[mark] = str(manifest.folder)


def _name_apart(manifests: Sequence[Manifest]) -> list[list[str]]:
    counts = Counter(patient.patient_id for manifest in manifests for patient in manifest.patients)
    return [
        [
            patient.patient_id if counts[patient.patient_id] == 1 else f"{number}-{patient.patient_id}"
            for patient in manifest.patients
        ]
        for number, manifest in enumerate(manifests, start=1)
    ]


def _shorten(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 3] + "..."
