"""One data set by the profile: nested, private, in any script, and what options keep."""

from __future__ import annotations

import string
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from star_core.dicom.deidentify.apply import DatasetDeidentifier, Subject
from star_core.dicom.deidentify.attribute_types import AttributeTypes
from star_core.dicom.deidentify.options import ProfileOption
from star_core.dicom.deidentify.profile import Profile
from star_core.dicom.deidentify.traces import TraceFinder, collect_traces, to_phrases
from star_core.dicom.deidentify.values import KeyedValues
from tests.core.dicom.deidentify.reader import assert_nothing_is_left, values_of, walk

CT = "1.2.840.10008.5.1.4.1.1.2"
SHIFT = -100


def build_source() -> Dataset:
    source = Dataset()
    source.SpecificCharacterSet = "ISO_IR 192"
    source.SOPClassUID, source.SOPInstanceUID = CT, "1.2.3.4.5"
    source.StudyInstanceUID, source.SeriesInstanceUID = "1.2.3.4", "1.2.3.4.1"
    source.PatientName, source.PatientID, source.PatientBirthDate = "Doe^Jane", "A-12345", "19410203"
    source.PatientAge, source.PatientSex, source.PatientWeight = "095Y", "F", "70"
    source.StudyDate, source.StudyTime, source.AcquisitionDateTime = "20200131", "101500", "20200131101500.5+0100"
    source.StudyDescription, source.Modality = "CT Abdomen portal venous 5 mm Doe Dr Smith 12.03.2020", "CT"
    source.Manufacturer, source.InstitutionName = "GE MEDICAL SYSTEMS", "St. Elsewhere"
    source.FrameOfReferenceUID = "1.2.3.4.9"
    return source


def deidentify(source: Dataset, *options: ProfileOption, dates: bool = True) -> Dataset:
    profile = Profile({*options, *([ProfileOption.MODIFIED_DATES] if dates else [])})
    traces = collect_traces(source, profile)
    subject = Subject(
        pseudonym="STAR-00000001",
        shift_days=SHIFT,
        phrases=tuple(traces.phrases),
        dates=tuple(traces.dates),
    )
    worker = DatasetDeidentifier(
        profile, KeyedValues(b"key"), subject, types=AttributeTypes(str(source.SOPClassUID)), uids=traces.uids
    )
    return worker.build(source)


def all_text(dataset: Dataset) -> str:
    return "\n".join(text for element in walk(dataset) for text in values_of(element)).casefold()


def test_the_source_stays_as_it_is() -> None:
    source = build_source()
    before = str(source)
    deidentify(source)
    assert str(source) == before


def test_nested_items_are_treated_like_the_data_set_itself() -> None:
    source = build_source()
    item = Dataset()
    item.SeriesInstanceUID, item.PatientName, item.StudyDate = "1.2.3.4.1", "Doe^Jane", "20200131"
    inner = Dataset()
    inner.ReferencedSOPInstanceUID, inner.OperatorsName = "1.2.3.4.5", "Smith^Pat"
    inner.add_new(0x00091001, "LO", "Doe")
    item.ReferencedInstanceSequence = Sequence([inner])
    source.ReferencedSeriesSequence = Sequence([item])
    copy = deidentify(source)
    kept = copy.ReferencedSeriesSequence[0]
    assert kept.SeriesInstanceUID == copy.SeriesInstanceUID
    assert kept.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == copy.SOPInstanceUID
    assert kept.StudyDate == copy.StudyDate == "20191023"
    assert not {"doe", "smith", "jane"} & set(all_text(copy).replace("^", "\n").split("\n"))
    assert not any(element.tag.is_private for element in walk(copy))


def test_dates_move_with_their_time_and_zone() -> None:
    copy = deidentify(build_source())
    assert (copy.StudyDate, copy.StudyTime) == ("20191023", "101500")
    assert copy.AcquisitionDateTime == "20191023101500.5+0100"
    assert copy.PatientBirthDate in (None, "")


def test_without_the_option_dates_and_times_are_gone() -> None:
    copy = deidentify(build_source(), dates=False)
    assert not copy.StudyDate
    assert not copy.StudyTime
    assert "2020" not in all_text(copy)


def test_ages_above_89_become_90_and_other_characteristics_stay() -> None:
    copy = deidentify(build_source(), ProfileOption.PATIENT_CHARACTERISTICS)
    assert (copy.PatientAge, copy.PatientSex, copy.PatientWeight) == ("090Y", "F", 70)
    assert not copy.PatientBirthDate
    assert not deidentify(build_source()).get("PatientAge")


def test_a_cleaned_description_keeps_safe_words_only() -> None:
    copy = deidentify(build_source(), ProfileOption.CLEAN_DESCRIPTORS)
    assert copy.StudyDescription == "CT Abdomen portal venous 5 mm"
    assert "StudyDescription" not in deidentify(build_source())


def test_an_institution_or_a_device_stays_when_asked() -> None:
    source = build_source()
    source.StationName, source.DeviceSerialNumber = "CT-7", "SN-998877"
    assert deidentify(source, ProfileOption.INSTITUTION_IDENTITY).InstitutionName == "St. Elsewhere"
    copy = deidentify(source, ProfileOption.DEVICE_IDENTITY)
    assert (copy.StationName, copy.DeviceSerialNumber) == ("CT-7", "SN-998877")
    assert "InstitutionName" not in copy


def test_uids_stay_when_asked() -> None:
    copy = deidentify(build_source(), ProfileOption.UIDS)
    assert (copy.SOPInstanceUID, copy.FrameOfReferenceUID) == ("1.2.3.4.5", "1.2.3.4.9")


def test_registered_uids_are_never_replaced() -> None:
    source = build_source()
    source.FrameOfReferenceUID = "1.2.840.10008.1.4.1.1"  # Talairach's atlas
    source.CodingSchemeIdentificationSequence = Sequence([Dataset()])
    source.CodingSchemeIdentificationSequence[0].CodingSchemeUID = "2.16.840.1.113883.6.96"  # SNOMED CT
    copy = deidentify(source)
    assert copy.SOPClassUID == CT
    assert copy.FrameOfReferenceUID == "1.2.840.10008.1.4.1.1"
    assert copy.CodingSchemeIdentificationSequence[0].CodingSchemeUID == "2.16.840.1.113883.6.96"


def test_a_root_of_the_standard_alone_protects_no_uid() -> None:
    source = build_source()
    source.FrameOfReferenceUID = "1.2.840.10008.99.12345"
    assert deidentify(source).FrameOfReferenceUID.startswith("2.25.")


def test_safe_private_elements_stay_when_asked_and_only_with_a_safe_value() -> None:
    source = build_source()
    block = source.private_block(0x0019, "GEMS_ACQU_01", create=True)
    block.add_new(0x23, "DS", "39.37")
    block.add_new(0x24, "DS", "0.5")
    block.add_new(0x30, "LO", "Doe")
    source.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x27, "SH", "Jane Doe")
    source.private_block(0x0045, "GEMS_HELIOS_01", create=True).add_new(0x01, "UN", b"\x10\0")
    source.private_block(0x0011, "DOE JANE", create=True).add_new(0x01, "LO", "Doe")
    copy = deidentify(source, ProfileOption.SAFE_PRIVATE)
    kept = {(element.private_creator, element.tag.element & 0xFF): element.value for element in _private(copy)}
    assert kept == {("GEMS_ACQU_01", 0x23): 39.37, ("GEMS_ACQU_01", 0x24): 0.5, ("GEMS_HELIOS_01", 1): 16}
    assert not _private(deidentify(source))


def _private(dataset: Dataset) -> list[pydicom.DataElement]:
    return [one for one in walk(dataset) if one.tag.is_private and not one.tag.is_private_creator]


def test_overlays_and_curves_go_and_a_region_stays_where_graphics_are_cleaned() -> None:
    source = build_source()
    for group, kind in ((0x6000, "G"), (0x6002, "R")):
        source.add_new(group << 16 | 0x10, "US", 8)
        source.add_new(group << 16 | 0x11, "US", 8)
        source.add_new(group << 16 | 0x40, "CS", kind)
        source.add_new(group << 16 | 0x3000, "OW", b"\0" * 8)
        source.add_new(group << 16 | 0x4000, "LT", "Jane")
    source.add_new(0x50000040, "SH", "Jane")
    assert not [tag for tag in deidentify(source).keys() if tag.group >= 0x5000]
    kept = [int(tag) for tag in deidentify(source, ProfileOption.CLEAN_GRAPHICS).keys() if tag.group >= 0x5000]
    assert kept == [0x60020010, 0x60020011, 0x60020040, 0x60023000]


def test_unknown_elements_group_lengths_and_padding_go() -> None:
    source = build_source()
    source.add_new(0x00080000, "UL", 12)
    source.add_new(0x00080999, "UN", b"Doe^Jane")
    source.add_new(0xFFFCFFFC, "OB", b"Doe^Jane")
    copy = deidentify(source)
    assert not {0x00080000, 0x00080999, 0xFFFCFFFC} & set(copy.keys())


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "検査 山田太郎様"),
        ("Διονυσιος^Νικος", "ασθενής ΔΙΟΝΥΣΙΟΣ"),
        ("Люкceмбypг^Иван", "снимок Люкceмбypг"),
        ("Buc^Jérôme", "pour JEROME Buc"),
        ("Hong^Gildong=洪^吉洞=홍^길동", "홍길동 검사"),
        ("Äneas^Rüdiger", "Zustand nach OP, Ru\u0308diger"),
    ],
)
def test_a_name_in_any_script_is_found_in_kept_text(name: str, note: str) -> None:
    source = build_source()
    source.PatientName, source.SegmentDescription = name, note
    source.ConvolutionKernel = "B30f"
    copy = deidentify(source)
    assert "SegmentDescription" not in copy
    assert copy.ConvolutionKernel == "B30f"


@pytest.mark.parametrize(
    "text", ["DOE", "doe_jane", "DoeJane", "a-12345", "see 19410203", "born 03.02.1941", "x Jane^D"]
)
def test_a_kept_text_that_names_the_patient_goes(text: str) -> None:
    source = build_source()
    source.SegmentDescription = text
    assert "SegmentDescription" not in deidentify(source)


@pytest.mark.parametrize("text", ["doecument", "Liver", "janet", "12345678", "GE"])
def test_other_text_stays(text: str) -> None:
    source = build_source()
    source.SegmentDescription = text
    assert deidentify(source).SegmentDescription == text


def test_bytes_that_name_the_patient_go() -> None:
    source = build_source()
    source.ICCProfile = b"\0\1\2Doe Jane\0\3"
    assert "ICCProfile" not in deidentify(source)


def test_short_identifiers_count_only_as_a_whole_text() -> None:
    finder = TraceFinder(to_phrases("P1"))
    assert finder.is_in_text("p1")
    assert not finder.is_in_text("P100 to P1 on")


SECRET = "Zyxwvutsrq"
KEYWORDS = st.sampled_from(
    [
        *("PatientName", "PatientComments", "SegmentDescription", "Manufacturer", "CodeMeaning", "ContentDescription"),
        *("ImageComments", "OperatorsName", "OtherPatientIDs", "RequestingPhysician", "SoftwareVersions", "LensMake"),
        *("BodyPartExamined", "ConvolutionKernel", "StudyID", "TextValue", "UnformattedTextValue", "PersonName"),
    ]
)
SEQUENCES = st.sampled_from(
    [
        *("SharedFunctionalGroupsSequence", "ReferencedSeriesSequence", "SourceImageSequence", "ContentSequence"),
        *("DerivationImageSequence", "RequestAttributesSequence", "OtherPatientIDsSequence", "AnatomicRegionSequence"),
    ]
)
AFFIXES = st.text(alphabet=string.ascii_letters + " ^_-äπж山", max_size=6)


@st.composite
def nested_datasets(draw: st.DrawFn, depth: int = 0) -> Dataset:
    dataset = Dataset()
    for keyword in draw(st.lists(KEYWORDS, max_size=4, unique=True)):
        setattr(dataset, keyword, f"{draw(AFFIXES)} {SECRET} {draw(AFFIXES)}".strip())
    if draw(st.booleans()):
        dataset.private_block(0x0009, "MAKER", create=True).add_new(1, "UN", SECRET.encode())
    if depth < 3:
        for keyword in draw(st.lists(SEQUENCES, max_size=2, unique=True)):
            items = draw(st.lists(nested_datasets(depth=depth + 1), min_size=1, max_size=2))
            setattr(dataset, keyword, Sequence(items))
    return dataset


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, about values that are too long
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    nested=nested_datasets(),
    options=st.frozensets(st.sampled_from([option for option in ProfileOption if option != ProfileOption.UIDS])),
)
def test_a_planted_name_never_comes_through(nested: Dataset, options: frozenset[ProfileOption]) -> None:
    source = build_source()
    source.update(nested)
    source.PatientName = f"{SECRET}^Jane"
    copy = deidentify(source, *options, dates=ProfileOption.MODIFIED_DATES in options)
    assert SECRET.casefold() not in all_text(copy)
    for element in walk(copy):
        assert not isinstance(element.value, bytes) or SECRET.encode() not in element.value


def test_what_the_independent_reader_knows_is_gone(tmp_path: Path) -> None:
    source = build_source()
    copy = deidentify(source)
    copy.file_meta, copy.preamble = pydicom.dataset.FileMetaDataset(), b"\0" * 128
    assert_nothing_is_left(source, copy, SHIFT)
