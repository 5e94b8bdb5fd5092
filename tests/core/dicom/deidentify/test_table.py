"""The table of the standard, attribute by attribute."""

from __future__ import annotations

import warnings

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from star_core.dicom.deidentify import columns
from star_core.dicom.deidentify.apply import DatasetDeidentifier, Subject
from star_core.dicom.deidentify.attribute_types import AttributeType, AttributeTypes
from star_core.dicom.deidentify.options import ProfileOption
from star_core.dicom.deidentify.profile import Action, Profile, read_basic_profile, resolve
from star_core.dicom.deidentify.values import KeyedValues

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
FILLERS = {
    "DA": "20200131",
    "DT": "20200131101500",
    "TM": "101500",
    "AS": "050Y",
    "DS": "7",
    "IS": "7",
    "UI": "1.2.3.4",
}
NUMBERS = frozenset({"FD", "FL", "SL", "SS", "UL", "US", "AT"})


def fill(tag: int) -> pydicom.DataElement:
    """Return an attribute with a value that its kind allows."""
    vr = dictionary_VR(tag)
    if vr == "SQ":
        item = Dataset()
        item.CodeValue, item.CodeMeaning = "SECRET", "SECRET"
        return pydicom.DataElement(tag, vr, Sequence([item]))
    if vr in NUMBERS:
        return pydicom.DataElement(tag, vr, 77)
    return pydicom.DataElement(tag, vr, b"SECRET" if vr in ("OB", "OW", "UN") else FILLERS.get(vr, "SECRET"))


def listed() -> list[int]:
    return [tag for tag in read_basic_profile() if keyword_for_tag(tag) and tag >> 16 >= 8 and tag >> 16 < 0xFFFA]


def deidentify(source: Dataset, *options: ProfileOption) -> Dataset:
    subject = Subject(pseudonym="STAR-1", shift_days=-1, phrases=(), dates=())
    types = AttributeTypes(str(source.SOPClassUID))
    return DatasetDeidentifier(Profile(options), KeyedValues(b"k"), subject, types=types, uids=()).build(source)


def test_every_attribute_of_the_table_is_treated_as_it_says() -> None:
    source = Dataset()
    source.SOPClassUID = SECONDARY_CAPTURE
    for tag in listed():
        source.add(fill(tag))
    copy = deidentify(source)
    types = AttributeTypes(SECONDARY_CAPTURE)
    for tag in listed():
        keyword = keyword_for_tag(tag)
        if keyword in ("PatientID", "PatientName"):
            assert copy[tag].value == "STAR-1"
            continue
        match resolve(read_basic_profile()[tag], types.type_of(keyword, ())):
            case Action.REMOVE:
                assert tag not in copy, keyword
            case Action.EMPTY:
                assert copy[tag].is_empty, keyword
            case Action.DUMMY | Action.UID:
                assert not copy[tag].is_empty, keyword
                assert "SECRET" not in str(copy[tag].value), keyword
                assert copy[tag].value != source[tag].value, keyword
            case Action.REMOVE_OR_EMPTY_OR_UID:
                assert len(copy[tag].value) == 1


def test_the_columns_name_attributes_of_the_table_only() -> None:
    names = {keyword_for_tag(tag) for tag in read_basic_profile()}
    for column in (
        *(columns.KEEP_DEVICE, columns.KEEP_INSTITUTION, columns.KEEP_PATIENT, columns.CLEAN_PATIENT),
        *(columns.CLEAN_DESCRIPTORS, columns.CLEAN_STRUCTURED_CONTENT, columns.NOT_TEMPORAL),
        *(columns.NOT_RETAINED_UIDS, columns.RETAINED_UID_SEQUENCES),
    ):
        assert column <= names
    # As many as PS3.15 2024c prints in each column, less what the module says.
    counts = [len(columns.KEEP_DEVICE), len(columns.KEEP_INSTITUTION), len(columns.KEEP_PATIENT)]
    assert [*counts, len(columns.CLEAN_PATIENT), len(columns.CLEAN_DESCRIPTORS)] == [46, 10, 10, 4, 123]


def test_the_dates_of_the_table_are_those_of_its_column() -> None:
    profile = Profile({ProfileOption.MODIFIED_DATES})
    shifted = [tag for tag in listed() if profile.action_of(tag, dictionary_VR(tag)) is Action.SHIFT]
    kept = [tag for tag in listed() if profile.action_of(tag, dictionary_VR(tag)) is Action.KEEP]
    # 165 rows in PS3.15 2024c; two hold binary time stamps and are removed.
    assert len(shifted) + len(kept) == 163


@pytest.mark.parametrize(
    ("action", "kind", "resolved"),
    [
        (Action.REMOVE_OR_EMPTY, AttributeType.OPTIONAL, Action.REMOVE),
        (Action.REMOVE_OR_EMPTY, AttributeType.MAY_BE_EMPTY, Action.EMPTY),
        (Action.REMOVE_OR_DUMMY, AttributeType.REQUIRED, Action.DUMMY),
        (Action.REMOVE_OR_EMPTY_OR_DUMMY, AttributeType.REQUIRED, Action.DUMMY),
        (Action.REMOVE_OR_EMPTY_OR_DUMMY, AttributeType.MAY_BE_EMPTY, Action.EMPTY),
        (Action.EMPTY_OR_DUMMY, AttributeType.MAY_BE_EMPTY, Action.EMPTY),
        (Action.EMPTY_OR_DUMMY, AttributeType.REQUIRED, Action.DUMMY),
        (Action.EMPTY, AttributeType.REQUIRED, Action.DUMMY),
        (Action.REMOVE, AttributeType.REQUIRED, Action.REMOVE),
    ],
)
def test_alternatives_follow_the_type_of_the_attribute(action: Action, kind: AttributeType, resolved: Action) -> None:
    assert resolve(action, kind) is resolved


def test_the_types_are_those_of_the_standard() -> None:
    segmentation = AttributeTypes("1.2.840.10008.5.1.4.1.1.66.4")
    ct = AttributeTypes("1.2.840.10008.5.1.4.1.1.2")
    assert segmentation.type_of("DeviceSerialNumber", ()) is AttributeType.REQUIRED
    assert ct.type_of("DeviceSerialNumber", ()) is AttributeType.OPTIONAL
    assert ct.type_of("AccessionNumber", ()) is AttributeType.MAY_BE_EMPTY
    assert ct.type_of("ContentDate", ("SequenceOfNobody",)) is AttributeType.UNKNOWN


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "liver_1frame.dcm"])
def test_what_dicom_anonymizer_removes_is_removed_here_too(name: str) -> None:
    from dicomanonymizer.simpledicomanonymizer import anonymize_dataset, initialize_actions

    path = get_testdata_file(name)
    assert isinstance(path, str)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source, theirs = pydicom.dcmread(path), pydicom.dcmread(path)
        anonymize_dataset(theirs, base_rules_gen=lambda: initialize_actions("dicomfields_2026c"))
        ours = deidentify(source)
    removed = set(source.keys()) - set(theirs.keys())
    assert removed
    assert not removed & set(ours.keys())
