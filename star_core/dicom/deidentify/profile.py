"""What happens to each attribute: the table of PS3.15 with the options that were chosen.

The column of the basic profile comes from dicom-anonymizer, the other columns from :mod:`columns`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import cache

from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from star_core.dicom.deidentify import columns
from star_core.dicom.deidentify.attribute_types import AttributeType
from star_core.dicom.deidentify.options import ProfileOption

EDITION = "PS3.15 2026c Table E.1-1"
BINARY_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
TEXT_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
FIRST_GROUP = 0x0008
"""Lower groups are commands, file meta information and media directories; none belongs into an object's data set."""


class Action(StrEnum):
    """What the profile asks for, by its codes (PS3.15 E.3.1); ``SHIFT``, ``AGE`` and ``CLEAN`` are kinds of C."""

    DUMMY = "D"
    EMPTY = "Z"
    REMOVE = "X"
    UID = "U"
    KEEP = "K"
    CLEAN = "C"
    EMPTY_OR_DUMMY = "Z/D"
    REMOVE_OR_EMPTY = "X/Z"
    REMOVE_OR_DUMMY = "X/D"
    REMOVE_OR_EMPTY_OR_DUMMY = "X/Z/D"
    REMOVE_OR_EMPTY_OR_UID = "X/Z/U*"
    SHIFT = "shifted"
    AGE = "capped"


_COLUMN = {
    Action.DUMMY: table.D_TAGS,
    Action.EMPTY: table.Z_TAGS,
    Action.REMOVE: table.X_TAGS,
    Action.UID: table.U_TAGS,
    Action.EMPTY_OR_DUMMY: table.Z_D_TAGS,
    Action.REMOVE_OR_EMPTY: table.X_Z_TAGS,
    Action.REMOVE_OR_DUMMY: table.X_D_TAGS,
    Action.REMOVE_OR_EMPTY_OR_DUMMY: table.X_Z_D_TAGS,
    Action.REMOVE_OR_EMPTY_OR_UID: table.X_Z_U_STAR_TAGS,
}


@cache
def read_basic_profile() -> dict[int, Action]:
    """Return the basic profile by tag; repeating groups (50xx, 60xx) and private attributes are rules of code."""
    return {int(tag[0] << 16 | tag[1]): action for action, tags in _COLUMN.items() for tag in tags if len(tag) == 2}


class Profile:
    """The basic profile with options.

    ``action_of`` answers for standard attributes; private ones, overlays and curves are decided by
    :mod:`star_core.dicom.deidentify.apply`.
    """

    def __init__(self, options: Iterable[ProfileOption]) -> None:
        self.options = frozenset(options)
        self._actions = dict(read_basic_profile())
        self._actions.update(_read_options(self.options))

    def __contains__(self, option: ProfileOption) -> bool:
        return option in self.options

    def action_of(self, tag: int, vr: str) -> Action:
        """Return the action for a standard attribute.

        What the table does not name is kept, but for three kinds: dates are as telling elsewhere as where the table
        names them, names of persons and addresses on the web too, and every UID is replaced.
        """
        listed = self._actions.get(tag)
        if listed is not None:
            return listed
        if keyword_for_tag(tag) == "":
            return Action.REMOVE
        match vr:
            case "DA" | "DT":
                return Action.SHIFT if ProfileOption.MODIFIED_DATES in self else Action.REMOVE_OR_EMPTY_OR_DUMMY
            case "TM":
                return Action.KEEP if ProfileOption.MODIFIED_DATES in self else Action.REMOVE_OR_EMPTY_OR_DUMMY
            case "PN" | "UR":
                return Action.REMOVE_OR_EMPTY_OR_DUMMY
            case "UI":
                return Action.KEEP if ProfileOption.UIDS in self else Action.UID
        return Action.KEEP

    def basic_action_of(self, tag: int) -> Action:
        """Return the action without options, for a value that an option cannot treat."""
        return read_basic_profile().get(tag, Action.REMOVE_OR_EMPTY_OR_DUMMY)

    def is_listed(self, tag: int) -> bool:
        """Tell whether the table names an attribute."""
        return tag in read_basic_profile()

    def is_identity(self, tag: int, vr: str) -> bool:
        """Tell whether an attribute's text names somebody or something, and so must be found nowhere afterwards."""
        if vr == "PN":
            return True
        keyword = keyword_for_tag(tag)
        if vr not in TEXT_VRS or vr == "CS" or tag not in read_basic_profile() or not keyword:
            return False
        if keyword in columns.CLEAN_DESCRIPTORS | columns.KEEP_PATIENT | columns.CLEAN_PATIENT or keyword in _HARMLESS:
            return False
        return self._actions[tag] is not Action.KEEP


_HARMLESS = frozenset({"TimezoneOffsetFromUTC"})


def _read_options(options: frozenset[ProfileOption]) -> dict[int, Action]:
    """Return what options change, weaker ones first."""
    found: dict[int, Action] = {}
    if ProfileOption.CLEAN_DESCRIPTORS in options:
        found.update(_by_keyword(columns.CLEAN_DESCRIPTORS, Action.CLEAN))
    if ProfileOption.CLEAN_STRUCTURED_CONTENT in options:
        found.update(_by_keyword(columns.CLEAN_STRUCTURED_CONTENT, Action.CLEAN))
    if ProfileOption.PATIENT_CHARACTERISTICS in options:
        found.update(_by_keyword(columns.KEEP_PATIENT, Action.KEEP))
        found.update(_by_keyword(columns.CLEAN_PATIENT, Action.CLEAN))
        found.update(_by_keyword(frozenset({"PatientAge", "SelectorASValue"}), Action.AGE))
    if ProfileOption.DEVICE_IDENTITY in options:
        dates = frozenset(name for name in columns.KEEP_DEVICE if dictionary_VR(name) in columns.DATE_VRS)
        # A true date of calibration beside shifted ones would give the shift away: dates follow their own option.
        found.update(_by_keyword(columns.KEEP_DEVICE - dates, Action.KEEP))
    if ProfileOption.INSTITUTION_IDENTITY in options:
        found.update(_by_keyword(columns.KEEP_INSTITUTION, Action.KEEP))
    if ProfileOption.MODIFIED_DATES in options:
        found.update(_temporal())
    if ProfileOption.UIDS in options:
        found.update(_retained_uids())
    return found


def _by_keyword(keywords: frozenset[str], action: Action) -> dict[int, Action]:
    return {int(tag_for_keyword(keyword) or 0): action for keyword in keywords}


def _temporal() -> dict[int, Action]:
    found = {}
    for tag in read_basic_profile():
        keyword = keyword_for_tag(tag)
        if not keyword or keyword in columns.NOT_TEMPORAL:
            continue
        if keyword == "TimezoneOffsetFromUTC" or dictionary_VR(tag) == "TM":
            found[tag] = Action.KEEP
        elif dictionary_VR(tag) in columns.DATE_VRS:
            found[tag] = Action.SHIFT
    return found


def _retained_uids() -> dict[int, Action]:
    found = _by_keyword(columns.RETAINED_UID_SEQUENCES, Action.KEEP)
    for tag in read_basic_profile():
        keyword = keyword_for_tag(tag)
        if keyword and dictionary_VR(tag) == "UI" and keyword not in columns.NOT_RETAINED_UIDS:
            found[tag] = Action.KEEP
    return found


def resolve(action: Action, kind: AttributeType) -> Action:
    """Return which of an action's alternatives keeps the object valid (PS3.15 E.1.1, the notes to Table E.1-1)."""
    required = kind is AttributeType.REQUIRED
    match action:
        case Action.EMPTY:
            return Action.DUMMY if required else Action.EMPTY
        case Action.EMPTY_OR_DUMMY:
            return Action.DUMMY if required or kind is AttributeType.UNKNOWN else Action.EMPTY
        case Action.REMOVE_OR_EMPTY | Action.REMOVE_OR_DUMMY | Action.REMOVE_OR_EMPTY_OR_DUMMY:
            if kind is AttributeType.OPTIONAL:
                return Action.REMOVE
            if kind is AttributeType.UNKNOWN:
                return Action.EMPTY if action is Action.REMOVE_OR_EMPTY else Action.DUMMY
            return Action.DUMMY if required else Action.EMPTY
    return action
