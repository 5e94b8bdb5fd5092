"""What is kept of one file's header; read in a child process, because the file is foreign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.multival import MultiValue
from pydicom.uid import generate_uid

from star_core.dicom.names import decode_name, decode_text, find_encodings, tidy
from star_core.dicom.scan import (
    MEDIA_SOP_CLASS,
    MEDIA_SOP_INSTANCE,
    WITHOUT_SERIES,
    BrokenDicomError,
    NotDicomError,
    RawHeader,
    read_raw_header_here,
)
from star_core.isolation import Buffer

READ_TASK = "star_core.archive.entry:read_entries_task"
NOT_DICOM = "not DICOM"
LONGEST_UID = 128
_REMEMBERED = 256
_KEYWORDS = (
    *("SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "StudyDate", "StudyTime", "AccessionNumber"),
    *("Modality", "StudyDescription", "SeriesDescription", "PatientName", "PatientID", "IssuerOfPatientID"),
    *("PatientBirthDate", "PatientSex", "BodyPartExamined", "StudyInstanceUID", "SeriesInstanceUID"),
    *("SeriesNumber", "InstanceNumber", "FrameOfReferenceUID", "NumberOfFrames"),
)
_TAGS = {keyword: int(tag_for_keyword(keyword) or 0) for keyword in _KEYWORDS}
_WANTED = frozenset(_TAGS.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One instance as the archive knows it; dates are ISO (``2026-01-31``) or empty, names as in the header."""

    sop_uid: str
    sop_class_uid: str
    series_uid: str
    study_uid: str
    patient_name: str
    patient_id: str
    issuer: str
    birth_date: str
    sex: str
    study_date: str
    study_time: str
    study_description: str
    accession: str
    modality: str
    series_number: int | None
    series_description: str
    body_part: str
    frame_of_reference_uid: str
    instance_number: int | None
    frames: int


_FIELDS = tuple(one.name for one in fields(Entry))


def to_entry(values: Sequence[Any]) -> Entry:
    """Return an entry from its values as a child sends them."""
    return Entry(**dict(zip(_FIELDS, values, strict=True)))


def read_entry(path: Path) -> Entry:
    """Read what is kept of a file.

    Raises
    ------
    star_core.dicom.scan.NotDicomError
        The file is something else, or belongs to no series (DICOMDIR, palettes).
    star_core.dicom.scan.BrokenDicomError
        The file is DICOM and damaged, or does not say what it is.
    """
    header = _Texts(read_raw_header_here(path, _WANTED))
    sop_class_uid = header.plain("SOPClassUID") or header.meta(MEDIA_SOP_CLASS)
    if sop_class_uid in WITHOUT_SERIES:
        raise NotDicomError
    sop_uid = header.plain("SOPInstanceUID") or header.meta(MEDIA_SOP_INSTANCE)
    if not sop_uid:
        raise BrokenDicomError("its SOPInstanceUID is missing")
    modality, number = header.plain("Modality"), header.whole("SeriesNumber")
    frame_of_reference_uid = header.plain("FrameOfReferenceUID")
    study_uid = header.plain("StudyInstanceUID") or _stand_in(
        header.text("PatientID"), header.name("PatientName"), header.plain("StudyDate"), frame_of_reference_uid
    )
    for name, uid in (("SOPInstanceUID", sop_uid), ("StudyInstanceUID", study_uid)):
        if len(uid) > LONGEST_UID:
            raise BrokenDicomError(f"its {name} is longer than a UID can be")
    return Entry(
        sop_uid=sop_uid,
        sop_class_uid=sop_class_uid,
        series_uid=header.plain("SeriesInstanceUID")
        or _stand_in(study_uid, frame_of_reference_uid, modality, str(number)),
        study_uid=study_uid,
        patient_name=header.name("PatientName"),
        patient_id=header.text("PatientID"),
        issuer=header.text("IssuerOfPatientID"),
        birth_date=header.date("PatientBirthDate"),
        sex=header.plain("PatientSex")[:1].upper(),
        study_date=header.date("StudyDate"),
        study_time=header.plain("StudyTime")[:6],
        study_description=header.text("StudyDescription"),
        accession=header.text("AccessionNumber"),
        modality=modality[:16],
        series_number=number,
        series_description=header.text("SeriesDescription"),
        body_part=header.plain("BodyPartExamined").upper()[:32],
        frame_of_reference_uid=frame_of_reference_uid,
        instance_number=header.whole("InstanceNumber"),
        frames=header.whole("NumberOfFrames") or 1,
    )


def _stand_in(*texts: str) -> str:
    """Return a UID for one that is missing: it keeps together what belongs together, and is the same tomorrow."""
    return str(generate_uid(entropy_srcs=list(texts)))


class _Texts:
    """Values of a raw header as text."""

    def __init__(self, header: RawHeader) -> None:
        self._values = header.values
        self._encodings = find_encodings(self._latin(header.values.get(_TAGS["SpecificCharacterSet"])))

    @staticmethod
    def _latin(value: Any) -> str:
        if isinstance(value, bytes):
            return value.decode("latin-1").strip(" \0\r\n\t")
        if value is None:
            return ""
        return "\\".join(map(str, value)) if isinstance(value, list | tuple | MultiValue) else str(value).strip(" \0")

    def meta(self, tag: int) -> str:
        return self._latin(self._values.get(tag))

    def plain(self, keyword: str) -> str:
        """Return a code, UID or number: text that needs no character set."""
        value = self._values.get(_TAGS[keyword])
        return _to_plain(value) if isinstance(value, bytes) else tidy(self._latin(value))

    def text(self, keyword: str) -> str:
        value = self._values.get(_TAGS[keyword])
        return decode_text(value, self._encodings) if isinstance(value, bytes) else tidy(self._latin(value))

    def name(self, keyword: str) -> str:
        value = self._values.get(_TAGS[keyword])
        return decode_name(value, self._encodings) if isinstance(value, bytes) else tidy(self._latin(value))

    def date(self, keyword: str) -> str:
        digits = self.plain(keyword).replace(".", "").replace("-", "")[:8]
        if len(digits) != 8 or not digits.isascii() or not digits.isdigit():
            return ""
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"

    def whole(self, keyword: str) -> int | None:
        try:
            number = int(float(self.plain(keyword).split("\\")[0]))
        except (ValueError, OverflowError):
            return None
        return number if abs(number) < 1 << 31 else None


@lru_cache(_REMEMBERED)
def _to_plain(value: bytes) -> str:
    return tidy(value.decode("latin-1").strip(" \0\r\n\t"))


def read_entries_task(options: Mapping[str, Any], payload: bytes) -> tuple[dict[str, Any], Buffer]:
    """Read many files; runs in the child process only. Each answer is an entry, or why there is none."""
    paths: Sequence[str] = options["paths"]
    answers: list[dict[str, Any]] = []
    for path in paths:
        try:
            entry = read_entry(Path(path))
            answers.append({"entry": [getattr(entry, name) for name in _FIELDS]})
        except NotDicomError:
            answers.append({"reason": NOT_DICOM})
        except BrokenDicomError as error:
            answers.append({"reason": str(error)})
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            answers.append({"reason": f"the header is damaged ({type(error).__name__})"})
    return {"answers": answers}, b""
