"""What no rule for attributes can clean: objects that are left out, and pixels that may show text or a face."""

from __future__ import annotations

from enum import StrEnum

from pydicom.dataset import Dataset

from star_core.dicom.deidentify.traces import texts_of
from star_core.dicom.deidentify.values import is_registered
from star_core.dicom.deidentify.words import fold

WHOLE_BODY_MM = 800.0
"""From the thighs to the shoulders is less; a longer series may reach the head."""


class Risk(StrEnum):
    """What pixels may show."""

    BURNT_IN_TEXT = "burnt-in text"
    FACE = "face"


_LEFT_OUT_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.104.": "an encapsulated document (PDF, CDA or model) cannot be cleaned",
    "1.2.840.10008.5.1.4.1.1.88.": "a structured report cannot be cleaned",
    "1.2.840.10008.5.1.4.1.1.9.": "a waveform cannot be cleaned",
    "1.2.840.10008.5.1.4.1.1.66.0": "raw data cannot be cleaned",
    "1.2.840.10008.5.1.4.38.": "a hanging protocol is no patient's object",
    "1.2.840.10008.5.1.4.39.": "a colour palette is no patient's object",
}
_RAW_DATA = "1.2.840.10008.5.1.4.1.1.66"
_TEXT_MODALITIES = frozenset({"SC", "OT", "XC", "US", "IVUS", "ES", "GM", "SM", "DOC", "PR", "SR", "HC", "ECG", "OP"})
_TEXT_CLASSES = (
    *("1.2.840.10008.5.1.4.1.1.7.", "1.2.840.10008.5.1.4.1.1.6.", "1.2.840.10008.5.1.4.1.1.3."),
    *("1.2.840.10008.5.1.4.1.1.77.", "1.2.840.10008.5.1.4.1.1.11."),
)
_TEXT_IMAGE_TYPES = frozenset({"SCREEN SAVE", "SCREENSAVE", "SCREEN_SAVE", "DOSE_INFO", "DOSE INFO", "PROT", "REPORT"})
_LABEL_TYPES = frozenset({"LABEL", "OVERVIEW"})
_TEXT_WORDS = frozenset({"dose", "report", "protocol", "screen", "save", "capture", "summary", "screenshot", "patient"})
_FACE_MODALITIES = frozenset({"CT", "MR", "PT"})
_HEADS = """
    head headneck brain skull face facial neck orbit orbits orbita sinus sinuses nose ear ears jaw mandible
    maxilla teeth dental cranium cranial cerebral cerebrum neuro temporal petrous pituitary iac cow carotid kopf
    schadel schaedel hals gesicht gehirn nnh tete crane cerveau cou testa cranio encefalo cabeza craneo wholebody
    whole ganzkorper flair tof
"""
_HEAD_WORDS = frozenset(_HEADS.split())
_DESCRIPTIONS = (
    *("BodyPartExamined", "StudyDescription", "SeriesDescription", "ProtocolName", "RequestedProcedureDescription"),
    *("PerformedProcedureStepDescription", "AcquisitionProtocolDescription"),
)


def find_reason_to_leave_out(dataset: Dataset) -> str:
    """Return why an object is not delivered, empty where it can be; the words identify nobody."""
    sop_class_uid = str(dataset.get("SOPClassUID", "") or "").strip(" \0")
    for start, reason in _LEFT_OUT_CLASSES.items():
        if (sop_class_uid + ".0").startswith(start):
            return reason
    if sop_class_uid == _RAW_DATA:
        return "raw data cannot be cleaned"
    if not is_registered(sop_class_uid):
        return "its kind of object is not of the standard"
    if _LABEL_TYPES & _image_types(dataset):
        return "it shows a slide's label"
    if "EncapsulatedDocument" in dataset or "WaveformSequence" in dataset:
        return "it holds a document or a waveform, which cannot be cleaned"
    return ""


def find_risks(dataset: Dataset) -> frozenset[Risk]:
    """Return what the pixels of an object may show, by what its header says."""
    found = set()
    if _may_show_text(dataset):
        found.add(Risk.BURNT_IN_TEXT)
    if _may_show_face(dataset):
        found.add(Risk.FACE)
    return frozenset(found)


def _may_show_text(dataset: Dataset) -> bool:
    if _text(dataset, "BurnedInAnnotation") == "YES" or _text(dataset, "Modality") in _TEXT_MODALITIES:
        return True
    if (_text(dataset, "SOPClassUID") + ".").startswith(_TEXT_CLASSES) or _TEXT_IMAGE_TYPES & _image_types(dataset):
        return True
    if "ConversionType" in dataset:
        return True
    words = fold(_text(dataset, "SeriesDescription")).split()
    return len(_TEXT_WORDS.intersection(words)) > 1


def _may_show_face(dataset: Dataset) -> bool:
    if _text(dataset, "RecognizableVisualFeatures") == "YES":
        return True
    if _text(dataset, "Modality") not in _FACE_MODALITIES:
        return False
    for keyword in _DESCRIPTIONS:
        words = fold(_text(dataset, keyword).replace("_", " ").replace("-", " ").replace("/", " ")).split()
        if _HEAD_WORDS.intersection(words):
            return True
    return False


def _image_types(dataset: Dataset) -> set[str]:
    return set(_text(dataset, "ImageType").split("\\"))


def _text(dataset: Dataset, keyword: str) -> str:
    try:
        return "\\".join(texts_of(dataset.get(keyword))).strip(" \0").upper()
    except Exception:  # noqa: BLE001 - pydicom raises anything at all on damaged bytes
        return ""
