"""Whose study a series belongs to, for objects that are written into the same study (PS3.3 C.7.1.1, C.7.2.1)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from star_core.dicom.children import dicom_children
from star_core.errors import DicomError
from star_core.isolation import Buffer, IsolationError

_KEYWORDS = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientAge"),
    *("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber"),
    *("ReferringPhysicianName", "PatientIdentityRemoved", "DeidentificationMethod"),
)
_LONGEST = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyHeader:
    """Patient and study as text by keyword; kept out of messages, logs and file names."""

    elements: Mapping[str, str] = field(repr=False)


def read_study_header(path: Path) -> StudyHeader:
    """Read patient and study from one file of a series, in a child process.

    Raises
    ------
    DicomError
        When the file cannot be read.
    """
    try:
        answer, _ = dicom_children().call("star_core.dicom.study:read_study_task", {"path": str(path.absolute())})
    except IsolationError as error:
        raise DicomError(
            "The patient and study of this CT cannot be read: the header of its first file is damaged.",
            remedy="Copy the series again from its source.",
            details=str(error),
        ) from error
    return StudyHeader(elements=answer)


def read_study_task(options: Mapping[str, Any], payload: bytes) -> tuple[dict[str, Any], Buffer]:
    """Read patient and study with pydicom; runs in the child process only."""
    from star_core.dicom.scan import read_dataset_here

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Path(options["path"]).open("rb") as file:
            dataset = read_dataset_here(file, _KEYWORDS)
        values = {keyword: dataset.get(keyword) for keyword in _KEYWORDS}
        texts = {keyword: str(value).replace("\0", "").strip() for keyword, value in values.items() if value}
    return {keyword: text for keyword, text in texts.items() if text and len(text) <= _LONGEST}, b""
