"""The few header elements that every file is read for, taken from the raw bytes.

Only what decides about geometry, grey values and belonging is parsed, and numbers are converted straight from their
bytes: a folder of a thousand slices is listed in a fraction of a second.
"""

from __future__ import annotations

import hashlib
import math
import struct
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pydicom.charset import convert_encodings
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag

from star_core.dicom.children import dicom_children
from star_core.dicom.scan import (
    MEDIA_SOP_CLASS,
    MEDIA_SOP_INSTANCE,
    BrokenDicomError,
    RawHeader,
    UnusualHeaderError,
    read_dataset_here,
    read_raw_header,
    walk_header,
)
from star_core.isolation import Buffer, IsolationError

Vector = tuple[float, ...]

_KEYWORDS = (
    *("ImageType", "SOPClassUID", "SOPInstanceUID", "Modality", "StudyInstanceUID", "SeriesInstanceUID"),
    *("SeriesNumber", "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient", "FrameOfReferenceUID"),
    *("SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames", "Rows", "Columns", "PixelSpacing"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "RescaleIntercept", "RescaleSlope"),
)
_FACT_KEYWORDS = (
    *("SpecificCharacterSet", "Modality", "Manufacturer", "SeriesDescription", "ReferencedSeriesSequence"),
    *("PatientName", "PatientID", "ContrastBolusAgent", "SliceThickness", "KVP", "ConvolutionKernel"),
    "PatientPosition",
)
_TAGS = {keyword: int(tag_for_keyword(keyword) or 0) for keyword in _KEYWORDS}
_WANTED = frozenset(_TAGS.values())
_FACT_TAGS = {keyword: int(tag_for_keyword(keyword) or 0) for keyword in _FACT_KEYWORDS}
_FACTS_WANTED = frozenset(_FACT_TAGS.values())
_DATE_TAGS = tuple(int(tag_for_keyword(name) or 0) for name in ("AcquisitionDate", "SeriesDate", "StudyDate"))
_MULTI_FRAME_CT = frozenset({"1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"})


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceHeader:
    """What one DICOM file says about itself; numbers that are missing or unreadable are ``None``.

    ``position_mm`` is ImagePositionPatient (3), ``orientation`` ImageOrientationPatient (6), ``pixel_spacing_mm``
    (between rows, between columns). ``pixel_offset`` is the place of the first pixel byte in the file, ``None``
    where the pixels cannot be read straight from it (deflated files) or are absent (``pixel_length`` is then 0).

    A frame of a multi-frame file has a header of its own, with ``frames`` 1, its place ``frame`` in the file and, where
    the file is compressed, its ``fragments`` as (offset, length) of bytes.
    """

    path: Path = field(repr=False)
    series_uid: str
    study_uid: str
    series_number: int | None
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    modality: str
    image_type: tuple[str, ...]
    frame_of_reference_uid: str
    instance_number: int | None
    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    slope: float | None
    intercept: float | None
    position_mm: Vector | None
    orientation: Vector | None
    pixel_spacing_mm: Vector | None
    pixel_offset: int | None
    pixel_length: int
    frame: int = 0
    fragments: tuple[tuple[int, int], ...] = field(default=(), repr=False)

    @property
    def is_multi_frame_ct(self) -> bool:
        """Whether the file is an Enhanced CT or Legacy Converted Enhanced CT (PS3.3 A.38, A.70)."""
        return self.sop_class_uid in _MULTI_FRAME_CT

    @property
    def is_localizer(self) -> bool:
        """Whether the slice is a scout view, which never belongs to a volume (PS3.3 C.8.2.1.1.1)."""
        return "LOCALIZER" in self.image_type


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFacts:
    """What the first file of a series says for all of them; nothing identifies the patient."""

    modality: str
    description: str
    patient_key: str
    manufacturer: str
    patient_position: str | None
    slice_thickness_mm: float | None
    tube_voltage_kv: float | None
    convolution_kernel: str | None
    contrast_agent: str | None
    referenced_series_uids: tuple[str, ...]


def read_header(path: Path) -> InstanceHeader:
    """Read the header of one file.

    Raises
    ------
    star_core.dicom.scan.NotDicomError
        The file is something else.
    star_core.dicom.scan.BrokenDicomError
        The file is DICOM and damaged.
    """
    header = read_raw_header(path, _WANTED)
    try:
        return _parse(path, header)
    except (ValueError, TypeError, struct.error) as error:
        raise BrokenDicomError(f"the header is damaged ({type(error).__name__})") from error


def _parse(path: Path, header: RawHeader) -> InstanceHeader:
    raw = _Raw(header)
    bits_allocated = raw.integer("BitsAllocated", 16)
    bits_stored = raw.integer("BitsStored", bits_allocated)
    return InstanceHeader(
        path=path,
        series_uid=raw.text("SeriesInstanceUID"),
        study_uid=raw.text("StudyInstanceUID"),
        series_number=raw.whole("SeriesNumber"),
        sop_class_uid=raw.text("SOPClassUID") or raw.meta_text(MEDIA_SOP_CLASS),
        sop_instance_uid=raw.text("SOPInstanceUID") or raw.meta_text(MEDIA_SOP_INSTANCE),
        transfer_syntax_uid=header.transfer_syntax_uid,
        modality=raw.text("Modality"),
        image_type=tuple(raw.text("ImageType").upper().split("\\")),
        frame_of_reference_uid=raw.text("FrameOfReferenceUID"),
        instance_number=raw.whole("InstanceNumber"),
        rows=raw.integer("Rows", 0),
        columns=raw.integer("Columns", 0),
        frames=max(1, raw.whole("NumberOfFrames") or 1),
        samples=raw.integer("SamplesPerPixel", 1),
        photometric=raw.text("PhotometricInterpretation"),
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=raw.integer("HighBit", bits_stored - 1),
        signed=raw.integer("PixelRepresentation", 0) == 1,
        slope=raw.number("RescaleSlope"),
        intercept=raw.number("RescaleIntercept"),
        position_mm=raw.numbers("ImagePositionPatient", 3),
        orientation=raw.numbers("ImageOrientationPatient", 6),
        pixel_spacing_mm=raw.numbers("PixelSpacing", 2),
        pixel_offset=header.pixel_offset,
        pixel_length=header.pixel_length,
    )


class _Raw:
    """Values by keyword from the raw elements, without building pydicom's value objects."""

    def __init__(self, header: RawHeader) -> None:
        self._values = header.values
        self._order = "<H" if header.little_endian else ">H"

    def meta_text(self, tag: int) -> str:
        return str(self._values.get(tag, b"").decode("latin-1")).strip(" \0")

    def text(self, keyword: str) -> str:
        value = self._values.get(_TAGS[keyword])
        if isinstance(value, bytes):
            return value.decode("latin-1").strip(" \0\r\n\t")
        if value is None:
            return ""
        return "\\".join(map(str, value)) if isinstance(value, list | tuple) else str(value).strip(" \0")

    def integer(self, keyword: str, default: int) -> int:
        value = self._values.get(_TAGS[keyword])
        if isinstance(value, bytes):
            return int(struct.unpack_from(self._order, value)[0]) if len(value) >= 2 else default
        return default if value is None else int(value)

    def numbers(self, keyword: str, count: int) -> Vector | None:
        try:
            values = tuple(float(part) for part in self.text(keyword).split("\\"))
        except ValueError:
            return None
        return values if len(values) == count and all(map(math.isfinite, values)) else None

    def number(self, keyword: str) -> float | None:
        values = self.numbers(keyword, 1)
        return None if values is None else values[0]

    def whole(self, keyword: str) -> int | None:
        value = self.number(keyword)
        return None if value is None else int(value)


def read_series_facts(path: Path, *, modality: str = "") -> SeriesFacts:
    """Read what holds for a whole series from one of its files.

    What lies in sequences, the series that a segmentation was drawn on, is read in a child process.

    Raises
    ------
    star_core.dicom.scan.BrokenDicomError
        The file cannot be read.
    """
    if modality != "SEG":
        try:
            return _facts(_to_dataset(walk_header(path, _FACTS_WANTED)))
        except UnusualHeaderError:
            pass
    try:
        answer, _ = dicom_children().call("star_core.dicom.header:read_facts_task", {"path": str(path.absolute())})
    except IsolationError as error:
        raise BrokenDicomError(f"reading it was stopped ({error})") from error
    referenced = tuple(answer.pop("referenced_series_uids"))
    return SeriesFacts(referenced_series_uids=referenced, **answer)


def read_acquisition_date(path: Path) -> date | None:
    """Return when the slices of a file were acquired, else when its series or study was made.

    Dates identify: they are no part of what a volume carries, and are asked for by those that need one.

    Raises
    ------
    star_core.dicom.scan.NotDicomError, star_core.dicom.scan.BrokenDicomError
        The file cannot be read.
    """
    values = read_raw_header(path, frozenset(_DATE_TAGS)).values
    for tag in _DATE_TAGS:
        value = values.get(tag)
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
        with suppress(ValueError):
            return datetime.strptime(text.replace(".", "").strip(" \0")[:8], "%Y%m%d").date()
    return None


def read_facts_task(options: Mapping[str, Any], payload: bytes) -> tuple[dict[str, Any], Buffer]:
    """Read a series' facts with pydicom; runs in the child process only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Path(options["path"]).open("rb") as file:
            dataset = read_dataset_here(file, _FACT_KEYWORDS)
        return asdict(_facts(dataset)), b""


def _to_dataset(header: RawHeader) -> Dataset:
    """Return the elements of a walked header as pydicom converts them, one by one when they are asked for."""
    dataset = Dataset()
    for tag, value in header.values.items():
        if tag in _FACTS_WANTED:
            vr = dictionary_VR(tag)
            dataset._dict[Tag(tag)] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        terms = [term.strip() for term in _text(dataset, "SpecificCharacterSet").split("\\")]
        try:
            encodings = convert_encodings(terms if len(terms) > 1 else terms[0])
        except (LookupError, ValueError):
            encodings = convert_encodings("")
        dataset.set_original_encoding(False, True, encodings)
    return dataset


def _facts(dataset: Dataset) -> SeriesFacts:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _collect_facts(dataset)


def _collect_facts(dataset: Dataset) -> SeriesFacts:
    return SeriesFacts(
        modality=_text(dataset, "Modality"),
        description=_text(dataset, "SeriesDescription"),
        patient_key=build_patient_key(_text(dataset, "PatientID"), _text(dataset, "PatientName")),
        manufacturer=_text(dataset, "Manufacturer"),
        patient_position=_text(dataset, "PatientPosition") or None,
        slice_thickness_mm=_number(dataset, "SliceThickness"),
        tube_voltage_kv=_number(dataset, "KVP"),
        convolution_kernel=_text(dataset, "ConvolutionKernel") or None,
        contrast_agent=_text(dataset, "ContrastBolusAgent") or None,
        referenced_series_uids=_referenced_series(dataset),
    )


def _number(dataset: Dataset, keyword: str) -> float | None:
    try:
        value = float(_text(dataset, keyword))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _text(dataset: Dataset, keyword: str) -> str:
    try:
        value = dataset.get(keyword)
        parts = value if isinstance(value, MultiValue) else [value]
        return "\\".join("" if part is None else str(part).strip() for part in parts)
    except Exception:  # noqa: BLE001 - an undecodable description is no reason to lose the series
        return ""


def _referenced_series(dataset: Dataset) -> tuple[str, ...]:
    try:
        items = dataset.get("ReferencedSeriesSequence") or ()
        return tuple(str(item.SeriesInstanceUID) for item in items if item.get("SeriesInstanceUID"))
    except Exception:  # noqa: BLE001 - pydicom raises anything at all on damaged bytes
        return ()


def build_patient_key(patient_id: str, patient_name: str) -> str:
    """Build a short one-way key by which two objects of one patient are recognised without a name.

    The identifier decides where there is one, because programs write names in different ways; the first letter tells
    which of both was used, and keys of different kinds say nothing about each other.
    """
    name = "^".join(part for part in patient_name.upper().replace(" ", "^").split("^") if part)
    kind, text = ("i", patient_id.strip()) if patient_id.strip() else ("n", name)
    if not text:
        return ""
    return kind + hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=6, person=b"star-patient").hexdigest()


def keys_contradict(one: str, other: str) -> bool:
    """Tell whether two patient keys belong to two different patients."""
    return bool(one) and bool(other) and one[0] == other[0] and one != other
