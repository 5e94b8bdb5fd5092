"""What a person chooses: options of the basic profile (PS3.15 E.2, E.3), and where keys and pseudonyms come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from star_core.errors import StorageError

_CLEAN = "clean-"


class ProfileOption(StrEnum):
    """Options of the Basic Application Level Confidentiality Profile (PS3.15 E.3)."""

    MODIFIED_DATES = "modified-dates"
    PATIENT_CHARACTERISTICS = "patient-characteristics"
    DEVICE_IDENTITY = "device-identity"
    INSTITUTION_IDENTITY = "institution-identity"
    UIDS = "uids"
    SAFE_PRIVATE = "safe-private"
    CLEAN_DESCRIPTORS = "clean-descriptors"
    CLEAN_STRUCTURED_CONTENT = "clean-structured-content"
    CLEAN_GRAPHICS = "clean-graphics"

    @property
    def code(self) -> MethodCode:
        """Its code of CID 7050 (PS3.16), as written into every file."""
        return _CODES[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodCode:
    """A code of CID 7050 De-identification Method, of the scheme DCM."""

    value: str
    meaning: str


BASIC_PROFILE = MethodCode(value="113100", meaning="Basic Application Confidentiality Profile")
_CODES = {
    ProfileOption.CLEAN_GRAPHICS: MethodCode(value="113103", meaning="Clean Graphics Option"),
    ProfileOption.CLEAN_STRUCTURED_CONTENT: MethodCode(value="113104", meaning="Clean Structured Content Option"),
    ProfileOption.CLEAN_DESCRIPTORS: MethodCode(value="113105", meaning="Clean Descriptors Option"),
    ProfileOption.MODIFIED_DATES: MethodCode(
        value="113107", meaning="Retain Longitudinal Temporal Information Modified Dates Option"
    ),
    ProfileOption.PATIENT_CHARACTERISTICS: MethodCode(value="113108", meaning="Retain Patient Characteristics Option"),
    ProfileOption.DEVICE_IDENTITY: MethodCode(value="113109", meaning="Retain Device Identity Option"),
    ProfileOption.UIDS: MethodCode(value="113110", meaning="Retain UIDs Option"),
    ProfileOption.SAFE_PRIVATE: MethodCode(value="113111", meaning="Retain Safe Private Option"),
    ProfileOption.INSTITUTION_IDENTITY: MethodCode(value="113112", meaning="Retain Institution Identity Option"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeidentifyOptions:
    """How studies are de-identified.

    Parameters
    ----------
    profile_options
        Options of the profile; the default shifts dates and keeps nothing else that the basic profile takes away.
    key_file
        File with the secret key, made where there is none. Runs with the same key give the same UIDs, shifts and
        pseudonyms. Without one the key is random and forgotten.
    mapping_file
        CSV with the columns ``patient_id`` and ``pseudonym``; patients that it does not name get keyed pseudonyms.
    write_mapping_file
        Where to write which patient got which pseudonym; it must not lie in the output folder.
    """

    profile_options: frozenset[ProfileOption] = frozenset({ProfileOption.MODIFIED_DATES})
    key_file: Path | None = None
    mapping_file: Path | None = None
    write_mapping_file: Path | None = None

    @property
    def codes(self) -> tuple[MethodCode, ...]:
        """The profile and its options as codes, in the order of their values."""
        return (BASIC_PROFILE, *sorted((option.code for option in self.profile_options), key=lambda code: code.value))


def build_options(
    *,
    retain: Iterable[str] = (),
    clean: Iterable[str] = (),
    shift_dates: bool = True,
    key_file: Path | None = None,
    mapping_file: Path | None = None,
    write_mapping_file: Path | None = None,
) -> DeidentifyOptions:
    """Return options from the words of a command line: ``retain`` as in "uids", ``clean`` as in "descriptors".

    Raises
    ------
    StorageError
        When a word is no option.
    """
    words = [*retain, *(f"{_CLEAN}{word}" for word in clean)]
    found = {ProfileOption.MODIFIED_DATES} if shift_dates else set()
    for word in words:
        if word not in set(ProfileOption) - {ProfileOption.MODIFIED_DATES}:
            raise StorageError(
                f"There is no option {word.removeprefix(_CLEAN)!r}.",
                remedy="See star deidentify --help for what can be retained or cleaned.",
            )
        found.add(ProfileOption(word))
    return DeidentifyOptions(
        profile_options=frozenset(found),
        key_file=key_file,
        mapping_file=mapping_file,
        write_mapping_file=write_mapping_file,
    )
