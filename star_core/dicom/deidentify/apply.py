"""A data set by the profile: every element of every item is looked at, and only what a rule keeps is written anew."""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.charset import convert_encodings
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import BaseTag, Tag

from star_core.dicom.deidentify.attribute_types import AttributeType, AttributeTypes
from star_core.dicom.deidentify.columns import SAFE_PRIVATE
from star_core.dicom.deidentify.options import ProfileOption
from star_core.dicom.deidentify.profile import BINARY_VRS, FIRST_GROUP, TEXT_VRS, Action, Profile, resolve
from star_core.dicom.deidentify.traces import TraceFinder, texts_of
from star_core.dicom.deidentify.values import (
    DUMMY_DATE,
    DUMMY_TIME,
    KeyedValues,
    cap_age,
    shift_date,
    shift_date_time,
)
from star_core.dicom.deidentify.words import clean_description
from star_core.dicom.scan import BrokenDicomError

PRIVATE, UNKNOWN = "PrivateElements", "UnknownElements"
SCRUBBED = "scrubbed"
REMOVED = "REMOVED"
PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_PIXEL_GROUP = 0x7FE0
_PATIENT_NAME, _PATIENT_ID = 0x00100010, 0x00100020
_REGION_ELEMENTS = frozenset({0x0010, 0x0011, 0x0015, 0x0040, 0x0050, 0x0051, 0x0100, 0x0102, 0x3000})
_OVERLAY_TYPE, _OVERLAY_DATA = 0x0040, 0x3000
_KEPT_CONTENT = frozenset({"NUM", "NUMERIC", "CODE", "CODED", "CONTAINER"})
_NUMBER = re.compile(r"[+-]?\d{1,8}(\.\d{1,8})?([eE][+-]?\d{1,2})?")
_PITCH = re.compile(r"\d{1,2}(\.\d{1,6})?:1")
_TERM = re.compile(r"[A-Z0-9_ ]{1,16}")
_DUMMIES: dict[str, Any] = {
    **dict.fromkeys(("AE", "CS", "LO", "LT", "SH", "ST", "UC", "UT"), REMOVED),
    **dict.fromkeys(("FD", "FL", "SL", "SS", "SV", "UL", "US", "UV", "AT"), 0),
    **dict.fromkeys(BINARY_VRS, b"\0" * 8),
    "PN": "Removed",
    "AS": "000Y",
    "DS": "0",
    "IS": "0",
    "UR": "https://removed.invalid",
    "DA": DUMMY_DATE,
    "DT": DUMMY_DATE + DUMMY_TIME,
    "TM": DUMMY_TIME,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is known of one patient: the new name, by how many days dates move, and what must be found nowhere."""

    pseudonym: str
    shift_days: int
    phrases: tuple[str, ...]
    dates: tuple[str, ...]


class DatasetDeidentifier:
    """Applies a profile to the data sets of one kind of object and one patient; counts what was done."""

    def __init__(
        self,
        profile: Profile,
        values: KeyedValues,
        subject: Subject,
        *,
        types: AttributeTypes,
        uids: Iterable[str],
        character_set: Sequence[str] = (),
    ) -> None:
        self._profile, self._values, self._subject, self._types = profile, values, subject, types
        self._finder = TraceFinder(subject.phrases, dates=subject.dates, uids=uids)
        self._strict_finder = TraceFinder(subject.phrases, dates=subject.dates, uids=uids, strict=True)
        self._encodings = tuple(convert_encodings(list(character_set))) if character_set else ()
        self.actions: Counter[tuple[str, str]] = Counter()

    def build(self, source: Dataset, place: tuple[str, ...] = (), *, cleaning: bool = False) -> Dataset:
        """Return a new data set with what the profile leaves of ``source``, nested items too.

        Parameters
        ----------
        place
            Keywords of the sequences above.
        cleaning
            Whether texts are cleaned word by word, as within a sequence that an option cleans.

        Raises
        ------
        star_core.dicom.scan.BrokenDicomError
            An attribute that the object cannot do without is unreadable.
        """
        target = Dataset()
        for tag in sorted(source.keys()):
            element = self._apply(source, Tag(tag), place, cleaning)
            if element is not None:
                target.add(element)
        if ProfileOption.SAFE_PRIVATE in self._profile:
            _keep_safe_private(source, target, self._finder)
        return target

    def _apply(self, source: Dataset, tag: BaseTag, place: tuple[str, ...], cleaning: bool) -> DataElement | None:
        if tag.group & 1:
            return self._drop(PRIVATE, Action.REMOVE)
        if tag.group < FIRST_GROUP or tag.element == 0 or tag.group >= 0xFFFA:
            return None
        if 0x5000 <= tag.group <= 0x50FF:
            return self._drop("CurveData", Action.REMOVE)
        if 0x6000 <= tag.group <= 0x60FF:
            return self._overlay(source, tag)
        keyword = keyword_for_tag(tag)
        if not keyword:
            return self._drop(UNKNOWN, Action.REMOVE)
        kind = self._types.type_of(keyword, place)
        try:
            element = source[tag]
            texts_of(element.value)
        except Exception as error:
            if kind is AttributeType.REQUIRED:
                raise BrokenDicomError(f"its {keyword} is damaged") from error
            return self._drop(keyword, Action.REMOVE)
        if tag.group == _PIXEL_GROUP or keyword == "SpecificCharacterSet":
            return element if tag.group == _PIXEL_GROUP else None
        return self._treat(element, place, kind, cleaning)

    def _treat(
        self, element: DataElement, place: tuple[str, ...], kind: AttributeType, cleaning: bool
    ) -> DataElement | None:
        tag, keyword = int(element.tag), element.keyword
        if tag in (_PATIENT_NAME, _PATIENT_ID):
            self._note(keyword, Action.DUMMY)
            return DataElement(tag, element.VR, self._subject.pseudonym)
        action = resolve(self._profile.action_of(tag, element.VR), kind)
        if action is Action.SHIFT and (shifted := self._shift(element)) is None:
            action = resolve(self._profile.basic_action_of(tag), kind)
        elif action is Action.SHIFT:
            self._note(keyword, Action.SHIFT)
            return shifted
        match action:
            case Action.REMOVE:
                return self._drop(keyword, action)
            case Action.EMPTY:
                self._note(keyword, action)
                return DataElement(tag, element.VR, Items() if element.VR == "SQ" else None)
            case Action.DUMMY:
                self._note(keyword, action)
                return self._dummy(element)
        if element.VR == "SQ":
            return self._items(element, place, action, cleaning)
        return self._keep(element, kind, action, cleaning)

    def _items(self, element: DataElement, place: tuple[str, ...], action: Action, cleaning: bool) -> DataElement:
        items = list(element.value)
        cleaning = cleaning or action is Action.CLEAN
        if action is Action.CLEAN:
            self._note(element.keyword, action)
            items = [item for item in items if _may_stay(item, element.keyword)]
        below = (*place, element.keyword)
        return DataElement(element.tag, "SQ", Items([self.build(item, below, cleaning=cleaning) for item in items]))

    def _keep(self, element: DataElement, kind: AttributeType, action: Action, cleaning: bool) -> DataElement | None:
        """Keep an element in the form that its action asks for, unless the patient is still in it."""
        keyword = element.keyword
        if action is Action.UID or action is Action.REMOVE_OR_EMPTY_OR_UID:
            return self._replace_uids(element)
        if action is Action.AGE:
            self._note(keyword, action)
            return DataElement(element.tag, element.VR, [cap_age(age) for age in texts_of(element.value)] or None)
        if action is Action.CLEAN or (cleaning and element.VR in TEXT_VRS - {"CS"} and keyword not in _CODES):
            element = self._clean(element)
            if not texts_of(element.value) and kind is not AttributeType.MAY_BE_EMPTY:
                return self._dummy(element) if kind is AttributeType.REQUIRED else None
        elif self._profile.is_listed(int(element.tag)):
            self._note(keyword, Action.KEEP)
        if not self._holds_trace(element):
            return element
        self._note(keyword, SCRUBBED)
        match kind:
            case AttributeType.REQUIRED | AttributeType.UNKNOWN:
                return self._dummy(element)
            case AttributeType.MAY_BE_EMPTY:
                return DataElement(element.tag, element.VR, None)
        return None

    def _holds_trace(self, element: DataElement) -> bool:
        if element.VR in TEXT_VRS:
            return any(map(self._finder.is_in_text, texts_of(element.value)))
        if element.VR in BINARY_VRS and isinstance(element.value, bytes):
            return self._finder.is_in_bytes(element.value, self._encodings)
        return False

    def _clean(self, element: DataElement) -> DataElement:
        self._note(element.keyword, Action.CLEAN)
        cleaned = []
        for text in texts_of(element.value):
            words = clean_description(text).split()
            cleaned.append(" ".join(word for word in words if not self._strict_finder.is_in_text(word)))
        kept = [text for text in cleaned if text]
        return DataElement(element.tag, element.VR, kept[0] if len(kept) == 1 else kept or None)

    def _replace_uids(self, element: DataElement) -> DataElement:
        old = [text.strip(" \0") for text in texts_of(element.value)]
        new = [self._values.to_new_uid(uid) if uid else "" for uid in old]
        if new != old:
            self._note(element.keyword, Action.UID)
        return DataElement(element.tag, "UI", new[0] if len(new) == 1 else new or None)

    def _shift(self, element: DataElement) -> DataElement | None:
        """Return an element with its dates moved, ``None`` where one cannot be."""
        shift = {"DA": shift_date, "DT": shift_date_time}.get(element.VR)
        if shift is None:
            return None
        moved = [shift(text, self._subject.shift_days) if text.strip(" \0") else "" for text in texts_of(element.value)]
        if None in moved:
            return None
        return DataElement(element.tag, element.VR, moved[0] if len(moved) == 1 else moved or None)

    def _dummy(self, element: DataElement) -> DataElement:
        """Return a value of the right kind that says nothing; a sequence keeps its shape and loses its values."""
        if element.VR == "SQ":
            items = []
            for item in element.value:
                filled = Dataset()
                for tag in sorted(item.keys()):
                    if not Tag(tag).is_private and keyword_for_tag(tag):
                        filled.add(self._dummy(item[tag]))
                items.append(filled)
            return DataElement(element.tag, "SQ", Items(items))
        if element.VR == "UI":
            return self._replace_uids(element)
        return DataElement(element.tag, element.VR, _DUMMIES.get(element.VR))

    def _overlay(self, source: Dataset, tag: BaseTag) -> DataElement | None:
        """Keep a region's mask without its words where graphics are cleaned; any other overlay may be text."""
        first = tag.group << 16
        is_region = str(source.get(first | _OVERLAY_TYPE, DataElement(0, "CS", "")).value) == "R"
        if (
            ProfileOption.CLEAN_GRAPHICS in self._profile
            and is_region
            and (first | _OVERLAY_DATA) in source
            and tag.element in _REGION_ELEMENTS
        ):
            return source[tag]
        return self._drop("OverlayData", Action.REMOVE)

    def _drop(self, keyword: str, action: Action = Action.REMOVE) -> DataElement | None:
        self._note(keyword, action)
        return None

    def _note(self, keyword: str, action: Action | str) -> None:
        self.actions[keyword, str(action)] += 1


_CODES = frozenset({"CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion", "LongCodeValue", "MappingResource"})


def _may_stay(item: Dataset, keyword: str) -> bool:
    """Tell whether an item of a cleaned sequence holds nothing but numbers and codes of public schemes."""
    scheme = str(item.get("CodingSchemeDesignator", "") or "").upper()
    if scheme.startswith(("99", "L")) and scheme != "LN":
        return False  # a local scheme's code can be anything
    if keyword in ("ContentSequence", "AcquisitionContextSequence", "SpecimenPreparationSequence"):
        return str(item.get("ValueType", "") or "") in _KEPT_CONTENT
    return True


def _keep_safe_private(source: Dataset, target: Dataset, finder: TraceFinder) -> None:
    """Copy private elements that the standard calls safe, with their creators, where the value is what it should be."""
    for tag in sorted(source.keys()):
        tag = Tag(tag)
        if not tag.group & 1 or tag.element < 0x1000:
            continue
        try:
            creator = str(source[tag.group, tag.element >> 8].value).strip(" \0")
            vr = SAFE_PRIVATE.get((tag.group, creator, tag.element & 0xFF))
            value = None if vr is None else _read_safe_value(vr, source[tag].value)
        except Exception:  # noqa: BLE001 - an unreadable private element is not known to be safe
            continue
        if vr is not None and value is not None and not finder.is_in_text(str(value)):
            target.private_block(tag.group, creator, create=True).add_new(tag.element & 0xFF, vr, value)


def _read_safe_value(vr: str, value: Any) -> str | int | float | None:
    """Return a safe private value in its own form, ``None`` where it is something else."""
    if vr in ("SS", "FL"):
        if isinstance(value, bytes):
            return struct.unpack("<h" if vr == "SS" else "<f", value)[0]  # type: ignore[no-any-return]
        return value if isinstance(value, int | float) else None
    text = (value.decode("ascii") if isinstance(value, bytes) else str(value)).strip(" \0")
    form = {"DS": _NUMBER, "SH": _PITCH, "CS": _TERM}[vr]
    return text if form.fullmatch(text) else None
