"""What the child processes do, because the files are foreign: read for traces, write, read back."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from star_core.dicom.deidentify.apply import Subject
from star_core.dicom.deidentify.objects import read_dataset, write_deidentified
from star_core.dicom.deidentify.options import ProfileOption
from star_core.dicom.deidentify.profile import Profile
from star_core.dicom.deidentify.risks import Risk, find_reason_to_leave_out, find_risks
from star_core.dicom.deidentify.traces import collect_traces, texts_of
from star_core.dicom.deidentify.values import KeyedValues
from star_core.dicom.deidentify.verify import find_leaks
from star_core.dicom.scan import WITHOUT_SERIES, BrokenDicomError, NotDicomError, read_raw_header
from star_core.isolation import Buffer

READ_TASK = f"{__name__}:read_task"
WRITE_TASK = f"{__name__}:write_task"
VERIFY_TASK = f"{__name__}:verify_task"
NOT_DICOM = "not DICOM"
_WANTED = frozenset(
    int(tag_for_keyword(keyword) or 0)
    for keyword in ("SOPClassUID", "SOPInstanceUID", "Modality", "StudyInstanceUID", "PatientID")
)
Answer = dict[str, Any]


def read_task(options: Mapping[str, Any], payload: bytes) -> tuple[Answer, Buffer]:
    """Read what has to be known of every file before the first one is written."""
    profile = _profile(options)
    return _answer(options, lambda item: _read(Path(item), profile))


def write_task(options: Mapping[str, Any], payload: bytes) -> tuple[Answer, Buffer]:
    """Write de-identified copies; each item holds ``source``, ``target``, ``patient`` and ``risks``."""
    profile, values = _profile(options), KeyedValues(bytes.fromhex(options["key"]))

    def write(item: Mapping[str, Any]) -> Answer:
        made = write_deidentified(
            Path(item["source"]),
            Path(item["target"]),
            profile=profile,
            values=values,
            subject=_subject(options, item),
            risks=[Risk(risk) for risk in item["risks"]],
        )
        return {"sop_uid": made.sop_uid, "actions": [[*what, count] for what, count in made.actions.items()]}

    return _answer(options, write)


def verify_task(options: Mapping[str, Any], payload: bytes) -> tuple[Answer, Buffer]:
    """Read written files back; each item holds ``source``, ``target`` and ``patient``."""
    profile, values = _profile(options), KeyedValues(bytes.fromhex(options["key"]))

    def verify(item: Mapping[str, Any]) -> Answer:
        source, target = Path(item["source"]), Path(item["target"])
        subject = _subject(options, item)
        return {"leaks": find_leaks(source, target, profile=profile, values=values, subject=subject)}

    return _answer(options, verify)


def _answer(options: Mapping[str, Any], work: Callable[[Any], Answer]) -> tuple[Answer, Buffer]:
    answers = []
    for item in options["items"]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answers.append(work(item))
        except NotDicomError:
            answers.append({"reason": NOT_DICOM})
        except BrokenDicomError as error:
            answers.append({"reason": str(error)})
        except MemoryError:
            raise
        except OSError as error:
            answers.append({"storage": error.strerror or type(error).__name__})
        except Exception as error:  # noqa: BLE001 - pydicom raises anything at all; its words could name the patient
            answers.append({"reason": f"the file is damaged ({type(error).__name__})"})
    return {"answers": answers}, b""


def _profile(options: Mapping[str, Any]) -> Profile:
    return Profile(ProfileOption(option) for option in options["profile_options"])


def _subject(options: Mapping[str, Any], item: Mapping[str, Any]) -> Subject:
    told = options["subjects"][item["patient"]]
    return Subject(
        pseudonym=told["pseudonym"],
        shift_days=told["shift_days"],
        phrases=tuple(told["phrases"]),
        dates=tuple(told["dates"]),
    )


def _read(path: Path, profile: Profile) -> Answer:
    read_raw_header(path, _WANTED)  # tells what is DICOM at all
    dataset = read_dataset(path, with_pixels=False)
    if str(dataset.SOPClassUID) in WITHOUT_SERIES:
        raise NotDicomError
    if reason := find_reason_to_leave_out(dataset):
        raise BrokenDicomError(reason)
    traces = collect_traces(dataset, profile)
    return {
        "sop_uid": _text(dataset, "SOPInstanceUID"),
        "series_uid": _text(dataset, "SeriesInstanceUID"),
        "study_uid": _text(dataset, "StudyInstanceUID"),
        "patient_id": _text(dataset, "PatientID"),
        "patient_name": _text(dataset, "PatientName"),
        "issuer": _text(dataset, "IssuerOfPatientID"),
        "modality": _text(dataset, "Modality"),
        "number": _number(dataset, "InstanceNumber", 0),
        "height_mm": _number(dataset, "ImagePositionPatient", 2),
        "phrases": sorted(traces.phrases),
        "dates": sorted(traces.dates),
        "risks": sorted(find_risks(dataset)),
    }


def _text(dataset: Dataset, keyword: str) -> str:
    try:
        return " ".join("\\".join(texts_of(dataset.get(keyword))).strip(" \0").split())
    except Exception:  # noqa: BLE001 - pydicom raises anything at all on damaged bytes
        return ""


def _number(dataset: Dataset, keyword: str, place: int) -> float | None:
    try:
        return float(texts_of(dataset.get(keyword))[place])
    except Exception:  # noqa: BLE001 - as above
        return None
