"""Text of foreign headers in any character set, and its folding for search (PS3.5 6.1, 6.2.1)."""

from __future__ import annotations

import unicodedata
import warnings
from functools import lru_cache

from pydicom.charset import convert_encodings, decode_bytes, default_encoding
from pydicom.valuerep import PN_DELIMS, TEXT_VR_DELIMS

LONGEST_TEXT = 512
_REMEMBERED = 256  # the files of a series say the same again and again
_ESCAPE = 0x1B


@lru_cache(_REMEMBERED)
def find_encodings(character_set: str) -> tuple[str, ...]:
    """Return Python's encodings for SpecificCharacterSet (0008,0005); the default where it is empty or unknown."""
    terms = [term.strip() for term in character_set.split("\\")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return tuple(convert_encodings(terms if len(terms) > 1 else terms[0])) or (default_encoding,)
        except (LookupError, ValueError):
            return (default_encoding,)


@lru_cache(_REMEMBERED)
def decode_text(value: bytes, encodings: tuple[str, ...]) -> str:
    """Return text without padding and control characters; bytes that mean nothing become U+FFFD."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tidy(decode_bytes(value, list(encodings), set(TEXT_VR_DELIMS)))


@lru_cache(_REMEMBERED)
def decode_name(value: bytes, encodings: tuple[str, ...]) -> str:
    """Return a person's name with its component groups (alphabetic=ideographic=phonetic), each decoded by itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        groups = [decode_bytes(group, list(encodings), set(PN_DELIMS)) for group in _split_groups(value)[:3]]
    return tidy("=".join(groups)).rstrip("=^")


def _split_groups(value: bytes) -> list[bytes]:
    """Split at "=", but not within two-byte characters, of which it may be a half (ISO 2022, PS3.5 6.1.2.5)."""
    groups, in_pairs, place = [bytearray()], False, 0
    while place < len(value):
        width = 1
        if value[place] == _ESCAPE:
            width = 4 if value[place + 1 : place + 3] in (b"$(", b"$)") else 3
            in_pairs = value[place + 1 : place + 3] in (b"$B", b"$@", b"$(")
        elif in_pairs:
            width = 2
        elif value[place : place + 1] == b"=":
            groups.append(bytearray())
            place += 1
            continue
        groups[-1] += value[place : place + width]
        place += width
    return [bytes(group) for group in groups]


def tidy(text: str) -> str:
    """Return text of one line and bounded length, for a database and a screen."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())[:LONGEST_TEXT]
    printable = "".join(" " if unicodedata.category(character)[0] == "C" else character for character in text)
    return " ".join(printable.split())[:LONGEST_TEXT]


@lru_cache(4 * _REMEMBERED)
def to_display_name(name: str) -> str:
    """Return how a name is read: "Yamada, Tarou · 山田, 太郎"; the phonetic group only where there is no other."""
    alphabetic, ideographic, phonetic = (*name.split("=", 2), "", "")[:3]
    shown = [_join(group) for group in (alphabetic, ideographic) if group]
    return " · ".join(shown) or _join(phonetic)


def _join(group: str) -> str:
    family, *others = (part.strip() for part in group.split("^"))
    given = " ".join(part for part in others if part)
    return f"{family}, {given}" if family and given else family or given


def fold(text: str) -> str:
    """Return text as search compares it: without case, accents and separators of DICOM names.

    Hangul and kana fold the same way on both sides, so what is typed finds what is stored.
    """
    plain = unicodedata.normalize("NFKD", text.replace("^", " ").replace("=", " "))
    kept = "".join(character for character in plain if not unicodedata.combining(character))
    return " ".join(unicodedata.normalize("NFC", kept).casefold().split())
