"""New values in place of old ones: UIDs, dates and pseudonyms, all from one secret key.

Each is a keyed hash (HMAC-SHA256), so the same key gives the same values in every file and every run, and without the
key nobody gets back, not even by hashing every identifier of a hospital.
"""

from __future__ import annotations

import hmac
import re
import uuid
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from pydicom._uid_dict import UID_dictionary

LONGEST_SHIFT_DAYS = 3650
PSEUDONYM_PREFIX = "STAR-"
DUMMY_DATE, DUMMY_TIME = "19000101", "000000"
OLDEST_AGE_YEARS: Final = 89
_PUBLIC = re.compile(
    r"1\.2\.840\.10008\.6\.1\.\d{1,4}"  # context groups
    r"|2\.16\.840\.1\.113883\.6\.\d{1,3}"  # SNOMED CT, LOINC, UCUM, RadLex and others by HL7's register
    r"|2\.16\.840\.1\.113883\.3\.26\.1\.1"  # NCI Thesaurus
    r"|2\.16\.840\.1\.119171\.1\.5"  # Foundational Model of Anatomy
)
_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_DATE_TIME = re.compile(r"(\d{4})(\d{2})?(\d{2})?(.*)", re.DOTALL)
_TIME_PART = re.compile(r"(?:\d{2}){0,3}(?:\.\d{1,6})?(?:[+-]\d{4})?")
_AGE = re.compile(r"(\d{3})([DWMY])")
_DAYS = {"D": 1.0, "W": 7.0, "M": 30.4375, "Y": 365.25}


class KeyedValues:
    """New values by a secret key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.to_new_uid = lru_cache(maxsize=1 << 16)(self._to_new_uid)

    def _hash(self, purpose: str, text: str) -> bytes:
        return hmac.digest(self._key, f"{purpose}\0{text}".encode("utf-8", "surrogatepass"), "sha256")

    def _to_new_uid(self, uid: str) -> str:
        """Return the UID that stands for ``uid``: 2.25 and a UUID (PS3.5 B.2); registered ones stay."""
        if is_registered(uid):
            return uid
        return f"2.25.{uuid.UUID(bytes=self._hash('uid', uid)[:16], version=4).int}"

    def build_pseudonym(self, patient: str) -> str:
        """Return a pseudonym such as STAR-1A2B3C4D."""
        return PSEUDONYM_PREFIX + self._hash("pseudonym", patient)[:4].hex().upper()

    def compute_shift_days(self, pseudonym: str) -> int:
        """Return by how many days a patient's dates move: -3650 to -1."""
        return -1 - int.from_bytes(self._hash("shift", pseudonym)[:8], "big") % LONGEST_SHIFT_DAYS


def is_registered(uid: str) -> bool:
    """Tell whether a UID is everybody's: classes, syntaxes, atlases and context groups of the standard (PS3.6 Annex A),
    and the coding schemes that it refers to (PS3.16 Table 8-1). A root alone makes none: anything can stand behind it.
    """
    return uid in UID_dictionary or _PUBLIC.fullmatch(uid) is not None


def shift_date(text: str, days: int) -> str | None:
    """Return a date (DA) moved by days, ``None`` where it is none."""
    match = _DATE.fullmatch(text.strip(" \0"))
    if match is None:
        return None
    moved = _moved(int(match[1]), int(match[2]), int(match[3]), days)
    return None if moved is None else f"{moved.year:04}{moved.month:02}{moved.day:02}"


def shift_date_time(text: str, days: int) -> str | None:
    """Return a date with time (DT) moved by days at its own precision; time and time zone stay (PS3.5 6.2)."""
    match = _DATE_TIME.fullmatch(text.strip(" \0"))
    if match is None or _TIME_PART.fullmatch(match[4]) is None or (match[3] is None and match[4][:1].isdigit()):
        return None
    moved = _moved(int(match[1]), int(match[2] or 1), int(match[3] or 1), days)
    if moved is None:
        return None
    month = "" if match[2] is None else f"{moved.month:02}"
    day = "" if match[3] is None else f"{moved.day:02}"
    return f"{moved.year:04}{month}{day}{match[4]}"


def _moved(year: int, month: int, day: int, days: int) -> date | None:
    try:
        return date(year, month, day) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None


def cap_age(text: str) -> str:
    """Return an age (AS), those above 89 years as 090Y: so few people are older that an age tells who it is."""
    match = _AGE.fullmatch(text.strip(" \0"))
    if match is None:
        return ""
    years = int(match[1]) * _DAYS[match[2]] / _DAYS["Y"]
    return "090Y" if years >= OLDEST_AGE_YEARS + 1 else match[0]
