"""What must be found nowhere afterwards: names, identifiers and dates of a patient, and where text still holds one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from star_core.dicom.deidentify.profile import Action, Profile
from star_core.dicom.deidentify.values import is_registered
from star_core.dicom.deidentify.words import SAFE_WORDS, fold

LONGEST_PHRASE = 200
SHORTEST_WORD, SHORTEST_IN_BYTES, SHORTEST_WITHIN_WORDS = 3, 5, 6
_IMPLEMENTATION = 0x00020012
_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_UID = re.compile(r"(?<![\d.])\d+(?:\.\d+){2,}(?![\d.])")
_SPLIT = re.compile(r"[\s^=,.;:/\\()_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What one file says about people and places: folded phrases of text, its UIDs, and its dates as YYYYMMDD."""

    phrases: frozenset[str]
    uids: frozenset[str]
    dates: frozenset[str]


def collect_traces(dataset: Dataset, profile: Profile) -> Traces:
    """Return the traces of a data set with its nested items and file meta information; unreadable elements are none."""
    found = _Found()
    for part in (dataset, getattr(dataset, "file_meta", None)):
        if part is not None:
            _collect(part, profile, found)
    uids = {uid for uid in found.uids - found.kept_uids if uid and not is_registered(uid)}
    return Traces(phrases=frozenset(found.phrases), uids=frozenset(uids), dates=frozenset(found.dates))


@dataclass(frozen=True, slots=True)
class _Found:
    phrases: set[str] = field(default_factory=set)
    uids: set[str] = field(default_factory=set)
    kept_uids: set[str] = field(default_factory=set)
    dates: set[str] = field(default_factory=set)


def _collect(dataset: Dataset, profile: Profile, found: _Found) -> None:
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
            values = texts_of(element.value)
        except Exception:  # noqa: BLE001 - what cannot be read is not written either
            continue
        if element.VR == "SQ":
            for item in element.value:
                _collect(item, profile, found)
        elif element.VR == "UI":
            _uids_of(element, profile, found).update(value.strip(" \0") for value in values)
        elif element.VR in ("DA", "DT"):
            found.dates.update("".join(match.groups()) for value in values if (match := _DATE.match(value)))
        elif profile.is_identity(int(tag), element.VR):
            for value in values:
                is_place = element.keyword in _PLACES
                found.phrases.update(to_phrases(value, is_name=element.VR == "PN", is_place=is_place))


def _uids_of(element: DataElement, profile: Profile, found: _Found) -> set[str]:
    """Return where an element's UIDs belong: those that stay, or that name the writing program, are no traces."""
    tag = int(element.tag)
    kept = tag == _IMPLEMENTATION or (not tag >> 16 & 1 and profile.action_of(tag, "UI") is Action.KEEP)
    return found.kept_uids if kept else found.uids


_PLACES = frozenset({"InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName"})


def texts_of(value: object) -> list[str]:
    """Return an element's value or values as text; bytes and nested items have none of their own."""
    if value is None or isinstance(value, bytes | bytearray | Items):
        return []
    if isinstance(value, str) or not isinstance(value, Iterable):
        return [str(value)]
    if hasattr(value, "alphabetic"):
        return [str(value)]
    return [str(part) for part in value if part is not None]


def to_phrases(text: str, *, is_name: bool = False, is_place: bool = False) -> Iterator[str]:
    """Give the folded phrases by which a name, a place or an identifier is recognised.

    A person's name is also its parts, alone and joined; a place its longer words; an identifier itself, also without
    leading zeros.
    """
    whole = fold(text)
    if not whole or len(whole) > LONGEST_PHRASE:
        return
    yield whole
    stripped = whole.lstrip("0")
    if whole.isdigit() and len(stripped) >= SHORTEST_WORD:
        yield stripped
    if is_name:
        for group in text.split("="):
            parts = [part for part in map(fold, _SPLIT.split(group)) if part]
            yield from parts
            if len(parts) > 1:
                yield "".join(parts[:2])
                yield "".join(reversed(parts[:2]))
                yield " ".join(reversed(parts[:2]))
    elif is_place:
        yield from (word for word in map(fold, _SPLIT.split(text)) if len(word) > SHORTEST_WORD and not word.isdigit())


class TraceFinder:
    """Finds traces in text and bytes.

    Phrases of ordinary words of radiology count as none, because "liver" tells nobody even where a patient is so
    called; ``strict`` takes them too. A short phrase must stand as a word of its own, but in scripts without spaces.
    """

    def __init__(
        self, phrases: Iterable[str], *, dates: Iterable[str] = (), uids: Iterable[str] = (), strict: bool = False
    ) -> None:
        self._uids = frozenset(uids)
        self._short: set[str] = set()
        words: list[str] = []
        anywhere: list[str] = []
        in_bytes: list[str] = []
        phrases = set(phrases)
        for phrase in {*phrases, *_written_dates(dates)}:
            if not strict and all(word in SAFE_WORDS for word in phrase.split()):
                continue
            spaceless = _is_spaceless(phrase)
            if len(phrase) < (2 if spaceless else SHORTEST_WORD):
                self._short.add(phrase)
                continue
            within = spaceless or len(phrase) >= SHORTEST_WITHIN_WORDS
            (anywhere if within else words).append(phrase)
            # A shifted date may be the true one of another visit, so bytes are not searched for dates.
            if phrase in phrases and len(phrase.encode()) >= SHORTEST_IN_BYTES:
                in_bytes.append(phrase)
        self._anywhere = _alternatives(anywhere)
        self._words = _alternatives(words, within=False)
        self._in_bytes = _alternatives(in_bytes)

    def is_in_text(self, text: str) -> bool:
        """Tell whether a text holds a trace."""
        folded = fold(text)
        if folded in self._short or self._anywhere.search(folded) or self._words.search(folded):
            return True
        return self.has_uid(text)

    def has_uid(self, text: str) -> bool:
        """Tell whether one of the UIDs stands in a text."""
        return any(uid in self._uids for uid in _UID.findall(text)) or text.strip(" \0") in self._uids

    def is_in_bytes(self, data: bytes, encodings: Iterable[str] = ()) -> bool:
        """Tell whether bytes hold a trace in one of the encodings, UTF-8, UTF-16 or Latin-1."""
        for encoding in {"utf-8", "latin-1", "utf-16-le", *encodings}:
            text = data.decode(encoding, "ignore")
            if self._in_bytes.search(fold(text.replace("\0", " "))) or self.has_uid(text):
                return True
        return False


def _is_spaceless(phrase: str) -> bool:
    """Tell whether a phrase is in a script that writes words without spaces: Han, kana, Hangul, Thai."""
    return any(0x0E00 <= ord(letter) <= 0x0E7F or 0x2E80 <= ord(letter) <= 0xD7FF for letter in phrase)


def _alternatives(phrases: list[str], *, within: bool = True) -> re.Pattern[str]:
    if not phrases:
        return re.compile(r"(?!)")
    body = "|".join(re.escape(phrase) for phrase in sorted(phrases, key=lambda phrase: (-len(phrase), phrase)))
    return re.compile(f"(?:{body})" if within else rf"(?<![^\W_])(?:{body})(?![^\W_])")


def _written_dates(dates: Iterable[str]) -> Iterator[str]:
    """Give the ways in which a date of YYYYMMDD is written in a text."""
    for text in dates:
        year, month, day = text[:4], text[4:6], text[6:]
        yield from (text, f"{year}-{month}-{day}", f"{day}.{month}.{year}", f"{day}/{month}/{year}")
        yield from (f"{month}/{day}/{year}", f"{year}/{month}/{day}", f"{day}-{month}-{year}")
