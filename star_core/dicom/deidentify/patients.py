"""Which files are of one patient, and what that patient is called from now on."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from star_core.dicom.deidentify.traces import TraceFinder, to_phrases
from star_core.dicom.deidentify.values import KeyedValues
from star_core.errors import DicomError


@dataclass(slots=True, kw_only=True)
class SourceFile:
    """A file that can be de-identified, as the first reading found it; ``place`` counts the files given from 0."""

    place: int
    sop_uid: str
    series_uid: str
    study_uid: str
    patient_id: str
    patient_name: str
    issuer: str
    modality: str
    number: float | None
    height_mm: float | None
    phrases: list[str]
    dates: list[str]
    risks: list[str]
    patient: str = ""


@dataclass(slots=True, kw_only=True)
class Patient:
    """One patient: the old identifiers, the new name, and every trace that any file of theirs holds."""

    patient_id: str
    patient_name: str
    pseudonym: str
    shift_days: int
    phrases: set[str] = field(default_factory=set)
    dates: set[str] = field(default_factory=set)
    issuers: set[str] = field(default_factory=set)


def group_patients(files: Iterable[SourceFile], values: KeyedValues, mapping: Mapping[str, str]) -> dict[str, Patient]:
    """Return the patients by a key that is also set in each of their files.

    PatientID decides. A file without one, as some programs write segmentations, belongs to the patient of its study;
    else the name decides, and at last the study.

    Raises
    ------
    DicomError
        When two patients would get one pseudonym, or one that names them.
    """
    files = list(files)
    identifiers = _one_by_study(files, "patient_id")
    names = _one_by_study(files, "patient_name")
    found: dict[str, Patient] = {}
    for file in files:
        identifier = file.patient_id or identifiers.get(file.study_uid, "")
        name = file.patient_name or names.get(file.study_uid, "")
        file.patient = f"i{identifier}" if identifier else f"n{name.casefold()}" if name else f"s{file.study_uid}"
        if file.patient not in found:
            pseudonym = mapping.get(identifier) or values.build_pseudonym(file.patient)
            found[file.patient] = Patient(
                patient_id=identifier,
                patient_name=name,
                pseudonym=pseudonym,
                shift_days=values.compute_shift_days(pseudonym),
            )
        patient = found[file.patient]
        patient.phrases.update(file.phrases, to_phrases(file.patient_id))
        patient.dates.update(file.dates)
        if file.issuer:
            patient.issuers.add(file.issuer)
    _refuse_unusable_pseudonyms(found, mapping)
    return found


def _one_by_study(files: Iterable[SourceFile], what: str) -> dict[str, str]:
    """Return the identifier or name of a study's files where it is one and the same in all that have it."""
    seen: dict[str, set[str]] = defaultdict(set)
    for file in files:
        if value := getattr(file, what):
            seen[file.study_uid].add(value)
    return {study: next(iter(values)) for study, values in seen.items() if study and len(values) == 1}


def _refuse_unusable_pseudonyms(patients: Mapping[str, Patient], mapping: Mapping[str, str]) -> None:
    """Refuse a keyed pseudonym that is another patient's too; a table may join two identifiers of one person."""
    counts = Counter(patient.pseudonym for patient in patients.values())
    for patient in patients.values():
        if counts[patient.pseudonym] > 1 and patient.patient_id not in mapping:
            raise DicomError(
                "Two patients would get the same pseudonym.",
                remedy="Use another key file, or give pseudonyms in a table.",
            )
        if TraceFinder(patient.phrases).is_in_text(patient.pseudonym):
            raise DicomError(
                "A pseudonym of the table holds a name or identifier of its own patient.",
                remedy="Choose pseudonyms that say nothing about the patient.",
            )
