"""One file: read, de-identified, written; the file's own head is new and its pixels are cut to what they should be."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.pixels.utils import get_expected_length
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRBigEndian

import star_core
from star_core.dicom.deidentify.apply import PIXELS, DatasetDeidentifier, Subject
from star_core.dicom.deidentify.attribute_types import AttributeTypes
from star_core.dicom.deidentify.options import DeidentifyOptions, MethodCode, ProfileOption
from star_core.dicom.deidentify.profile import EDITION, Profile
from star_core.dicom.deidentify.risks import Risk
from star_core.dicom.deidentify.traces import TraceFinder, collect_traces, texts_of
from star_core.dicom.deidentify.values import KeyedValues, is_registered
from star_core.dicom.scan import BrokenDicomError, syntax_by_encoding

LONGEST_LO = 64
LONG_PHRASE = 8
_PIXEL_DATA = 0x7FE00010
_OVERLAY_GROUPS = range(0x6000, 0x6100, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deidentified:
    """What was made of a file: its new UIDs and what was done, by (keyword, action)."""

    sop_uid: str
    actions: Counter[tuple[str, str]]


def read_dataset(path: Path, *, with_pixels: bool) -> FileDataset:
    """Read a file whatever its first bytes say.

    Raises
    ------
    star_core.dicom.scan.BrokenDicomError
        The file is damaged, or lacks what every object has.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path, force=True, stop_before_pixels=not with_pixels)
            meta = getattr(dataset, "file_meta", None) or FileMetaDataset()
            for keyword, stand_in in (
                ("SOPClassUID", "MediaStorageSOPClassUID"),
                ("SOPInstanceUID", "MediaStorageSOPInstanceUID"),
            ):
                if not dataset.get(keyword) and meta.get(stand_in):
                    setattr(dataset, keyword, meta[stand_in].value)
                if not dataset.get(keyword):
                    raise BrokenDicomError(f"its {keyword} is missing")
    except OSError as error:
        raise BrokenDicomError(f"the file cannot be read ({error.strerror or type(error).__name__})") from error
    except (BrokenDicomError, MemoryError):
        raise
    except Exception as error:
        raise BrokenDicomError(f"the file is damaged ({type(error).__name__})") from error
    return dataset


def write_deidentified(
    source: Path,
    target: Path,
    *,
    profile: Profile,
    values: KeyedValues,
    subject: Subject,
    risks: Collection[Risk],
) -> Deidentified:
    """Write a de-identified copy of one file.

    Raises
    ------
    star_core.dicom.scan.BrokenDicomError
        The file is damaged, or holds something in its pixels that is known and cannot be taken out.
    """
    dataset = read_dataset(source, with_pixels=True)
    syntax = _syntax_of(dataset)
    uids = collect_traces(dataset, profile).uids
    worker = DatasetDeidentifier(
        profile,
        values,
        subject,
        types=AttributeTypes(str(dataset.SOPClassUID)),
        uids=uids,
        character_set=_texts(dataset, "SpecificCharacterSet"),
    )
    new = worker.build(dataset)
    _set_pixels(dataset, new, syntax, subject)
    _set_flags(dataset, new, profile, subject, risks)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = new.SOPClassUID
    meta.MediaStorageSOPInstanceUID = new.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    new.file_meta, new.preamble = meta, b"\0" * 128
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(target, new, enforce_file_format=True)
    return Deidentified(sop_uid=str(new.SOPInstanceUID), actions=worker.actions)


def _syntax_of(dataset: FileDataset) -> UID:
    syntax = str(getattr(dataset, "file_meta", {}).get("TransferSyntaxUID", "") or "") or syntax_by_encoding(dataset)
    if not is_registered(syntax):
        raise BrokenDicomError("its transfer syntax is not of the standard")
    return UID(syntax)


def _texts(dataset: Dataset, keyword: str) -> list[str]:
    try:
        return texts_of(dataset.get(keyword))
    except Exception:  # noqa: BLE001 - pydicom raises anything at all on damaged bytes
        return []


# --------------------------------------------------------------------------- flags


def _set_flags(source: Dataset, new: Dataset, profile: Profile, subject: Subject, risks: Collection[Risk]) -> None:
    """Say in the object what was done to it (PS3.15 E.1.1, E.3.6; PS3.3 C.12.1.1.10)."""
    options = DeidentifyOptions(profile_options=profile.options)
    new.SpecificCharacterSet = "ISO_IR 192"
    new.PatientName = new.PatientID = subject.pseudonym
    new.PatientIdentityRemoved = "YES"
    new.DeidentificationMethod = [
        f"STAR Viewer {star_core.__version__}"[:LONGEST_LO],
        f"{EDITION}, basic profile"[:LONGEST_LO],
        *(option.value for option in sorted(profile.options)),
    ]
    new.DeidentificationMethodCodeSequence = Items(
        [*_earlier_codes(source, options.codes), *map(_to_item, options.codes)]
    )
    shifted = ProfileOption.MODIFIED_DATES in profile
    new.LongitudinalTemporalInformationModified = "MODIFIED" if shifted else "REMOVED"
    # Suspicion is written where the source says nothing, so that the next program does not take silence for "no".
    if Risk.BURNT_IN_TEXT in risks and not new.get("BurnedInAnnotation") and _PIXEL_DATA in new:
        new.BurnedInAnnotation = "YES"
    if Risk.FACE in risks and not new.get("RecognizableVisualFeatures") and _PIXEL_DATA in new:
        new.RecognizableVisualFeatures = "YES"


def _to_item(code: MethodCode) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, "DCM", code.meaning
    return item


def _earlier_codes(source: Dataset, codes: tuple[MethodCode, ...]) -> list[Dataset]:
    """Return what an earlier de-identification wrote down, as far as it is of the standard's list."""
    from pydicom.sr.codedict import codes as dictionary

    known = {getattr(dictionary.cid7050, name).value: name for name in dictionary.cid7050.dir()}
    mine = {code.value for code in codes}
    found: dict[str, Dataset] = {}
    for item in source.get("DeidentificationMethodCodeSequence") or ():
        value = str(item.get("CodeValue", ""))
        if value in known and value not in mine:
            meaning = str(getattr(dictionary.cid7050, known[value]).meaning)
            found[value] = _to_item(MethodCode(value=value, meaning=meaning))
    return list(found.values())


# --------------------------------------------------------------------------- pixels


def _set_pixels(source: Dataset, new: Dataset, syntax: UID, subject: Subject) -> None:
    """Take out of the pixel element what is no pixel: bytes behind the last one, overlays in unused bits.

    Pixels themselves stay as they are.
    """
    if not PIXELS & set(new.keys()):
        return
    if _PIXEL_DATA not in new:
        return
    element = new[_PIXEL_DATA]
    data: Any = element.value
    has_overlay = _has_embedded_overlay(source)
    if syntax.is_compressed and not syntax.is_deflated:
        finder = TraceFinder(phrase for phrase in subject.phrases if len(phrase) >= LONG_PHRASE)
        if finder.is_in_bytes(bytes(data)):
            raise BrokenDicomError("its compressed pixels carry a patient's text as a comment")
        if has_overlay:
            raise BrokenDicomError("an overlay, which may be text, lies within its compressed pixels")
        return
    length = _expected_length(new)
    if length is not None:
        if len(data) < length:
            raise BrokenDicomError("its pixels are cut short")
        data = data[: length + length % 2]
    if has_overlay:
        data = _without_unused_bits(new, data, big_endian=syntax == ExplicitVRBigEndian)
    new[_PIXEL_DATA] = DataElement(_PIXEL_DATA, element.VR, data)


def _expected_length(dataset: Dataset) -> int | None:
    try:
        return int(get_expected_length(dataset))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _has_embedded_overlay(source: Dataset) -> bool:
    """Tell whether an overlay plane lies in bits of the pixels that the image leaves unused (retired, PS3.3 C.9.2)."""
    return any((group << 16 | 0x10) in source and (group << 16 | 0x3000) not in source for group in _OVERLAY_GROUPS)


def _without_unused_bits(dataset: Dataset, data: bytes, *, big_endian: bool) -> bytes:
    allocated, stored, high = (int(dataset[name].value) for name in ("BitsAllocated", "BitsStored", "HighBit"))
    if allocated not in (8, 16, 32):
        raise BrokenDicomError("an overlay, which may be text, lies within its pixels")
    pixels = np.frombuffer(data, dtype=np.dtype(f"{'>' if big_endian else '<'}u{allocated // 8}"))
    if dataset.get("PixelRepresentation") == 1 and high == stored - 1:
        # Negative values fill the unused bits with their sign, which has to come back.
        unused = allocated - stored
        signed = np.dtype(pixels.dtype.str.replace("u", "i"))
        return bytes(((pixels << unused).astype(pixels.dtype).view(signed) >> unused).astype(signed).tobytes())
    mask = ((1 << stored) - 1) << (high - stored + 1)
    return bytes((pixels & pixels.dtype.type(mask)).astype(pixels.dtype).tobytes())
