"""The manifest: one folder and one file for every kind of cohort, so that training never knows which it is.

``manifest.json`` lists the patients; ``inputs/`` holds each scan prepared for the network as safetensors, named by
its own SHA-256. Nothing in a cohort folder is ever unpickled, and no path leads out of it.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from star_core.clinical.fields import encode_record
from star_core.clinical.record import record_from_mapping, record_to_mapping
from star_core.errors import ClinicalRecordError, CohortError, StorageError
from star_core.storage import new_file
from star_core.types import STRUCTURES, Cause, CentringRule, ClinicalRecord, Geometry, ModelInput, Outcome, Structure

MANIFEST_FILE = "manifest.json"
INPUTS_FOLDER = "inputs"
FORMAT_VERSION = 1
_FRACTION_LEVELS = 255

Use = Literal["train", "validation", "test"]
Kind = Literal["phantom", "twin", "synthetic", "tcia", "local"]
SYNTHETIC_KINDS: frozenset[Kind] = frozenset({"phantom", "twin", "synthetic"})


class _OutcomeEntry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    event_months: float = Field(ge=0.0, le=1200.0, allow_inf_nan=False)
    cause: Cause | None
    survival_months: float = Field(ge=0.0, le=1200.0, allow_inf_nan=False)
    died: bool
    site_lps_mm: tuple[float, float, float] | None = None


class _PatientEntry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    patient_id: str = Field(min_length=1, max_length=64)
    input_sha256: str | None = Field(pattern=r"^[0-9a-f]{64}$")
    clinical: dict[str, Any]
    outcome: _OutcomeEntry
    split: Use | None = None


class _LeftOutEntry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    patient_id: str
    reason: str


class _ManifestFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int = FORMAT_VERSION
    kind: Kind
    name: str = Field(min_length=1, max_length=128)
    created_utc: str
    seed: int | None = None
    preprocessing: dict[str, str | float | int | bool | None]
    patients: list[_PatientEntry]
    left_out: list[_LeftOutEntry] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestPatient:
    """One patient of a cohort; ``input_sha256`` names and proves the prepared scan, ``None`` where there is none."""

    patient_id: str
    input_sha256: str | None
    clinical: ClinicalRecord
    outcome: Outcome
    split: Use | None = None

    @property
    def has_scan(self) -> bool:
        """Whether there is a prepared scan; without one only models of the record can be used."""
        return self.input_sha256 is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Who or what a cohort was made without, by the user's leave; ``patient_id`` is empty for the whole cohort."""

    patient_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A cohort: ``folder`` is where it lies, ``preprocessing`` how its scans were prepared."""

    folder: Path
    kind: Kind
    name: str
    created_utc: str
    seed: int | None
    preprocessing: dict[str, str | float | int | bool | None]
    patients: tuple[ManifestPatient, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def is_synthetic(self) -> bool:
        """Tell whether no scan in it is of a real patient."""
        return self.kind in SYNTHETIC_KINDS


def read_manifest(folder: Path) -> Manifest:
    """Read and check a cohort's manifest.

    Raises
    ------
    StorageError
        When there is no manifest in ``folder``.
    CohortError
        When it is damaged, or a patient is listed twice, lacks a scan or has an impossible record or outcome; the
        message names every such patient.
    """
    try:
        text = (folder / MANIFEST_FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(
            f"Folder {folder.name!r} holds no readable {MANIFEST_FILE}.",
            remedy="Choose a cohort's folder, or make one with `star cohort`.",
            details=str(error),
        ) from error
    try:
        content = _ManifestFile.model_validate_json(text)
    except ValidationError as error:
        raise CohortError(
            f"The manifest in {folder.name!r} does not follow the schema: {_first_problem(error)}.",
            remedy="Make the cohort again, or mend this entry.",
            details=str(error),
        ) from error
    patients, problems = [], _find_duplicates(content.patients)
    for entry in content.patients:
        try:
            patients.append(_to_patient(folder, entry))
        except (ClinicalRecordError, CohortError) as error:
            problems.append(f"{entry.patient_id}: {error.message}")
    if problems:
        shown = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
        raise CohortError(
            f"{len(problems)} problems in cohort {content.name!r}: {shown}",
            remedy="Mend or remove these patients; nothing is trained silently on less than was given.",
        )
    return Manifest(
        folder=folder,
        kind=content.kind,
        name=content.name,
        created_utc=content.created_utc,
        seed=content.seed,
        preprocessing=content.preprocessing,
        patients=tuple(patients),
        left_out=tuple(LeftOut(patient_id=entry.patient_id, reason=entry.reason) for entry in content.left_out),
    )


def manifest_sha256(manifest: Manifest) -> str:
    """Return the SHA-256 of a cohort's manifest file: the same patients, scans and outcomes, the same number."""
    return hashlib.sha256((manifest.folder / MANIFEST_FILE).read_bytes()).hexdigest()


def write_manifest(manifest: Manifest) -> None:
    """Write ``manifest.json`` into the cohort's folder, all or nothing.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    content = _ManifestFile(
        kind=manifest.kind,
        name=manifest.name,
        created_utc=manifest.created_utc,
        seed=manifest.seed,
        preprocessing=manifest.preprocessing,
        patients=[_to_entry(patient) for patient in manifest.patients],
        left_out=[_LeftOutEntry(patient_id=entry.patient_id, reason=entry.reason) for entry in manifest.left_out],
    )
    with new_file(manifest.folder / MANIFEST_FILE) as partial:
        partial.write_text(content.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"


def patient_to_json(patient: ManifestPatient) -> dict[str, Any]:
    """Return a patient's entry as ``manifest.json`` holds it."""
    return _to_entry(patient).model_dump(mode="json")


def patient_from_json(folder: Path, content: object) -> ManifestPatient:
    """Return the patient of an entry whose prepared scan lies in ``folder``.

    Raises
    ------
    CohortError
        When the entry does not follow the schema, or its scan is missing.
    """
    try:
        entry = _PatientEntry.model_validate(content)
    except ValidationError as error:
        raise CohortError(f"The entry does not follow the schema: {_first_problem(error)}.") from error
    return _to_patient(folder, entry)


def _to_entry(patient: ManifestPatient) -> _PatientEntry:
    outcome = patient.outcome
    return _PatientEntry(
        patient_id=patient.patient_id,
        input_sha256=patient.input_sha256,
        clinical=record_to_mapping(patient.clinical),
        outcome=_OutcomeEntry(
            event_months=outcome.event_months,
            cause=outcome.cause,
            survival_months=outcome.survival_months,
            died=outcome.died,
            site_lps_mm=outcome.site_lps_mm,
        ),
        split=patient.split,
    )


def _find_duplicates(entries: list[_PatientEntry]) -> list[str]:
    seen: set[str] = set()
    duplicates = []
    for entry in entries:
        if entry.patient_id in seen:
            duplicates.append(f"{entry.patient_id}: listed twice")
        seen.add(entry.patient_id)
    return duplicates


def _to_patient(folder: Path, entry: _PatientEntry) -> ManifestPatient:
    outcome = entry.outcome
    if outcome.survival_months < outcome.event_months - 1e-6:
        raise CohortError(
            f"followed for {outcome.survival_months} months, but first event or censoring at {outcome.event_months}"
        )
    if entry.input_sha256 is not None and not input_path(folder, entry.input_sha256).is_file():
        raise CohortError("its prepared scan is missing")
    return ManifestPatient(
        patient_id=entry.patient_id,
        input_sha256=entry.input_sha256,
        clinical=record_from_mapping(entry.clinical),
        outcome=Outcome(
            event_months=outcome.event_months,
            cause=outcome.cause,
            survival_months=outcome.survival_months,
            died=outcome.died,
            site_lps_mm=outcome.site_lps_mm,
        ),
        split=entry.split,
    )


# --------------------------------------------------------------------------- prepared scans


def input_path(folder: Path, sha256: str) -> Path:
    """Return where a cohort keeps the prepared scan of that SHA-256."""
    return folder / INPUTS_FOLDER / f"{sha256[:24]}.safetensors"


def write_input(folder: Path, model_input: ModelInput) -> str:
    """Write a prepared scan without its record and return its SHA-256. Image as float16, fractions in 255 steps."""
    from safetensors.numpy import save

    content = save(
        {
            "image": model_input.image.astype(np.float16),
            "fractions": np.rint(model_input.fractions * _FRACTION_LEVELS).astype(np.uint8),
            "affine_lps": np.array(model_input.geometry.affine_lps),
            "centre_index": np.array([model_input.centre_index]),
        },
        metadata={"known": str(int(model_input.known)), "centring_rule": model_input.centring_rule.value},
    )
    content = _sort_header(content)
    sha256 = hashlib.sha256(content).hexdigest()
    path = input_path(folder, sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path) as partial:
        partial.write_bytes(content)
    return sha256


def _sort_header(content: bytes) -> bytes:
    """Return a safetensors file with its header in order: the library shuffles it, and content names the file."""
    (size,) = struct.unpack("<Q", content[:8])
    header = json.dumps(json.loads(content[8 : 8 + size]), sort_keys=True).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + content[8 + size :]


def require_scan(patient: ManifestPatient) -> str:
    """Return the SHA-256 of a patient's prepared scan.

    Raises
    ------
    CohortError
        When the patient has a record only; the message names the patient.
    """
    if patient.input_sha256 is None:
        raise CohortError(
            f"Patient {patient.patient_id} has a record but no scan.",
            remedy="Use a model of the record (such as preset clinical, or cox), or make the cohort with scans.",
        )
    return patient.input_sha256


def load_input(manifest: Manifest, patient: ManifestPatient, *, with_scan: bool = True) -> ModelInput:
    """Return a patient's prepared scan with the encoded record; without ``with_scan`` one empty voxel stands for it.

    Raises
    ------
    CohortError
        As :func:`read_input`, when a scan is asked for.
    """
    return read_input(manifest.folder, patient) if with_scan else _build_record_input(patient.clinical)


def read_input(folder: Path, patient: ManifestPatient) -> ModelInput:
    """Return a patient's prepared scan with the encoded record from a cohort's folder.

    Raises
    ------
    CohortError
        When the patient has no scan, or its file is missing or was altered; the message names the patient.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    sha256 = require_scan(patient)
    path = input_path(folder, sha256)
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise CohortError(f"Patient {patient.patient_id}: the prepared scan was altered.", remedy=_REMAKE)
        arrays = load(content)
        (header_size,) = struct.unpack("<Q", content[:8])
        metadata = json.loads(content[8 : 8 + header_size])["__metadata__"]
    except (OSError, SafetensorError) as error:
        raise CohortError(
            f"Patient {patient.patient_id}: the prepared scan cannot be read.", remedy=_REMAKE, details=str(error)
        ) from error
    values, missing = encode_record(patient.clinical)
    image = arrays["image"].astype(np.float32)
    depth, height, width = image.shape[1:]
    return ModelInput(
        image=image,
        fractions=arrays["fractions"].astype(np.float32) / np.float32(_FRACTION_LEVELS),
        known=Structure(int(metadata["known"])),
        clinical=values,
        clinical_missing=missing,
        geometry=Geometry(shape=(depth, height, width), affine_lps=arrays["affine_lps"]),
        centring_rule=CentringRule(metadata["centring_rule"]),
        centre_index=float(arrays["centre_index"][0]),
    )


_REMAKE = "Make the cohort again, or remove this patient from the manifest."


def _build_record_input(record: ClinicalRecord) -> ModelInput:
    values, missing = encode_record(record)
    return ModelInput(
        image=np.zeros((1, 1, 1, 1), dtype=np.float32),
        fractions=np.zeros((len(STRUCTURES), 1, 1, 1), dtype=np.float32),
        known=Structure(0),
        clinical=values,
        clinical_missing=missing,
        geometry=Geometry(shape=(1, 1, 1), affine_lps=np.eye(4)),
        centring_rule=CentringRule.VOLUME_CENTRE,
        centre_index=0.0,
    )
