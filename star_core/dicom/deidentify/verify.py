"""Every element of a written file read back, nested items too, and compared with its source.

The checks share no code with the writing but the table itself: what was written is judged by what stands in the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydicom.charset import convert_encodings
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.tag import BaseTag

from star_core.dicom.deidentify.apply import PIXELS, Subject
from star_core.dicom.deidentify.columns import SAFE_PRIVATE
from star_core.dicom.deidentify.objects import read_dataset
from star_core.dicom.deidentify.options import ProfileOption
from star_core.dicom.deidentify.profile import BINARY_VRS, FIRST_GROUP, TEXT_VRS, Action, Profile
from star_core.dicom.deidentify.traces import TraceFinder, collect_traces, texts_of
from star_core.dicom.deidentify.values import DUMMY_DATE, KeyedValues, is_registered, shift_date, shift_date_time
from star_core.dicom.scan import BrokenDicomError

_META = frozenset({0x00020000, 0x00020001, 0x00020002, 0x00020003, 0x00020010, 0x00020012, 0x00020013})
_PREAMBLE_BYTES = 128
_Place = tuple[str, ...]


def find_leaks(
    source_path: Path, written_path: Path, *, profile: Profile, values: KeyedValues, subject: Subject
) -> tuple[str, ...]:
    """Return what a written file still says about its patient, as "attribute: what"; empty where nothing was found.

    Raises
    ------
    star_core.dicom.scan.BrokenDicomError
        The written file cannot be read back.
    """
    source = read_dataset(source_path, with_pixels=False)
    written = read_dataset(written_path, with_pixels=True)
    check = _Check(source, profile, subject)
    problems = list(check.elements(written))
    problems += _check_head(written, written_path, check.finder)
    for keyword, expected in (
        ("PatientID", subject.pseudonym),
        ("PatientName", subject.pseudonym),
        ("PatientIdentityRemoved", "YES"),
        ("SOPInstanceUID", _expected_uid(source, profile, values)),
    ):
        if str(written.get(keyword, "")) != expected:
            problems.append(f"{keyword}: not the new value")
    return tuple(dict.fromkeys(problems))


def _expected_uid(source: Dataset, profile: Profile, values: KeyedValues) -> str:
    uid = str(source.SOPInstanceUID).strip(" \0")
    return uid if ProfileOption.UIDS in profile else values.to_new_uid(uid)


class _Check:
    """What a source says, to look for in what was written."""

    def __init__(self, source: Dataset, profile: Profile, subject: Subject) -> None:
        self._profile, self._subject = profile, subject
        traces = collect_traces(source, profile)
        self._uids = traces.uids
        self.finder = TraceFinder(subject.phrases, dates=subject.dates, uids=traces.uids)
        self._dates: dict[tuple[_Place, int], set[str]] = {}
        for place, element in _walk(source, ()):
            if element.VR in ("DA", "DT"):
                self._dates.setdefault((place, int(element.tag)), set()).update(texts_of(element.value))

    def elements(self, written: Dataset) -> Iterator[str]:
        encodings = tuple(convert_encodings(list(texts_of(written.get("SpecificCharacterSet"))) or ["ISO_IR 192"]))
        for place, element in _walk(written, ()):
            name = element.keyword or f"({element.tag.group:04X},xx{element.tag.element & 0xFF:02X})"
            if reason := self._judge(place, element, encodings):
                yield f"{name}: {reason}"

    def _judge(self, place: _Place, element: DataElement, encodings: tuple[str, ...]) -> str:
        if reason := self._judge_presence(element):
            return reason
        texts = texts_of(element.value) if element.VR != "SQ" else []
        match element.VR:
            case "UI":
                if any(text in self._uids for text in texts):
                    return "a UID of the source"
            case "DA" | "DT":
                return self._judge_dates(place, element, texts)
            case vr if vr in TEXT_VRS:
                if any(map(self.finder.is_in_text, texts)):
                    return "a name, identifier, date or UID of the source"
            case vr if vr in BINARY_VRS and int(element.tag) not in PIXELS:
                if isinstance(element.value, bytes) and self.finder.is_in_bytes(element.value, encodings):
                    return "a name, identifier or UID of the source, in bytes"
        return ""

    def _judge_presence(self, element: DataElement) -> str:
        tag = element.tag
        if tag.group & 1:
            return "" if self._is_safe_private(element) else "a private element"
        if tag.group < FIRST_GROUP or tag.element == 0 or tag.group >= 0xFFFA or 0x5000 <= tag.group <= 0x50FF:
            return "an element of a group that is never kept"
        if 0x6000 <= tag.group <= 0x60FF:
            return "" if ProfileOption.CLEAN_GRAPHICS in self._profile else "an overlay"
        if not keyword_for_tag(tag):
            return "an element that the standard does not know"
        if self._profile.action_of(int(tag), element.VR) is Action.REMOVE:
            return "an attribute that the profile removes"
        return ""

    def _is_safe_private(self, element: DataElement) -> bool:
        if ProfileOption.SAFE_PRIVATE not in self._profile:
            return False
        if element.tag.is_private_creator:
            return any(str(element.value) == creator for _, creator, _ in SAFE_PRIVATE)
        creator = str(element.private_creator or "")
        return (element.tag.group, creator, element.tag.element & 0xFF) in SAFE_PRIVATE

    def _judge_dates(self, place: _Place, element: DataElement, texts: list[str]) -> str:
        shift = shift_date if element.VR == "DA" else shift_date_time
        moved = {
            shift(text, self._subject.shift_days) for text in self._dates.get((place, int(element.tag)), ()) if text
        }
        for text in texts:
            if not text.strip() or text.startswith(DUMMY_DATE):
                continue
            if ProfileOption.MODIFIED_DATES not in self._profile or text not in moved:
                return "a date that is not the source's, shifted"
        return ""


def _walk(dataset: Dataset, place: _Place) -> Iterator[tuple[_Place, DataElement]]:
    for tag in list(dataset.keys()):
        element = _read(dataset, tag)
        if element is None:
            continue
        yield place, element
        if element.VR == "SQ":
            for item in element.value:
                yield from _walk(item, (*place, element.keyword))


def _read(dataset: Dataset, tag: BaseTag) -> DataElement | None:
    try:
        return dataset[tag]
    except Exception:  # noqa: BLE001 - of the source; what is unreadable in a written file is found by its bytes
        return None


def _check_head(written: FileDataset, path: Path, finder: TraceFinder) -> Iterator[str]:
    """Look at what stands outside of the data set, and once more at all bytes but the pixels'."""
    if written.preamble is None or any(written.preamble):
        yield "preamble: not empty"
    for element in written.file_meta:
        if int(element.tag) not in _META:
            yield f"{element.keyword}: not of a new head"
    uid = str(written.file_meta.MediaStorageSOPInstanceUID)
    if uid != str(written.SOPInstanceUID) or (finder.has_uid(uid) and not is_registered(uid)):
        yield "MediaStorageSOPInstanceUID: not the new one"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BrokenDicomError(f"the file cannot be read back ({error.strerror})") from error
    pixels = sum(len(written[tag].value) for tag in PIXELS if tag in written)
    if finder.is_in_bytes(data[: max(_PREAMBLE_BYTES, len(data) - pixels)]):
        yield "file: a name, identifier or UID of the source, outside of any known element"
