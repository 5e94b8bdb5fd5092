"""A reader of its own for the tests: every element of a copy against every element of its source."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID

from star_core.dicom.deidentify.keys import load_key
from star_core.dicom.deidentify.values import KeyedValues

WHO_AND_WHERE = frozenset(
    {
        *("PatientID", "OtherPatientIDs", "OtherPatientNames", "IssuerOfPatientID", "PatientAddress", "StudyID"),
        *("AccessionNumber", "InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName", "StationName"),
        *("DeviceSerialNumber", "PatientTelephoneNumbers", "AdmissionID", "RequestedProcedureID", "CountryOfResidence"),
        *("ScheduledProcedureStepID", "PerformedProcedureStepID", "PerformedStationAETitle", "DetectorID"),
    }
)
TEXTS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
PROGRAM = "0002,0012"


def walk(dataset: Dataset, *, private: bool = True) -> Iterator[DataElement]:
    """Give every element at every depth that can be read."""
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
        except Exception:  # noqa: BLE001 - of a damaged source
            continue
        if element.tag.is_private and not private:
            continue
        yield element
        if element.VR == "SQ":
            for item in element.value:
                yield from walk(item, private=private)


def values_of(element: DataElement) -> list[str]:
    if element.VR == "SQ" or element.value is None or isinstance(element.value, bytes):
        return []
    return [str(value) for value in (element.value if element.VM > 1 else [element.value])]


def telling_words(source: Dataset) -> set[str]:
    """Return names and identifiers of three characters and more as they stand in a source."""
    found: set[str] = set()
    for element in walk(source):
        if element.VR == "PN":
            for name in values_of(element):
                found.update(name.replace("=", "^").split("^"))
        elif element.keyword in WHO_AND_WHERE:
            found.update(values_of(element))
    return {word.strip().casefold() for word in found if len(word.strip()) > 2}


def uids_of(dataset: Dataset) -> set[str]:
    found = {uid for element in walk(dataset) if element.VR == "UI" for uid in values_of(element)}
    return {uid for uid in found if uid and UID(uid).name == uid}  # those without a name are nobody's but the file's


def dates_of(dataset: Dataset, keyword: str) -> set[str]:
    found = [value for one in walk(dataset) if one.keyword == keyword for value in values_of(one)]
    return {value.replace(".", "", 2 if is_dotted(value) else 0)[:8] for value in found if value}


def is_dotted(value: str) -> bool:
    """Tell whether a date is written as before 1993: 1997.04.24."""
    return value[4:5] == "."


def assert_nothing_is_left(source: Dataset, copy: Dataset, shift_days: int | None) -> None:
    """Fail where a copy still says something of its source; ``shift_days`` is None where dates were to be removed."""
    assert not any(copy.preamble or b"\0" * 128)
    assert {element.keyword for element in copy.file_meta} <= {
        *("FileMetaInformationGroupLength", "FileMetaInformationVersion", "MediaStorageSOPClassUID"),
        *("MediaStorageSOPInstanceUID", "TransferSyntaxUID", "ImplementationClassUID", "ImplementationVersionName"),
    }
    assert not uids_of(source) & uids_of(copy)
    words = telling_words(source)
    for element in walk(copy):
        assert not element.tag.is_private
        assert element.keyword
        assert element.tag.group >> 8 not in (0x50, 0x60)
        if element.VR in TEXTS:
            for text in values_of(element):
                assert not words & set(text.casefold().replace("^", " ").split()), element.keyword
                assert text.casefold() not in words, element.keyword
        if element.VR in ("DA", "DT"):
            for text in filter(None, values_of(element)):
                if shift_days is None or text.startswith("19000101"):
                    assert text.startswith("19000101"), element.keyword
                    continue
                moved = datetime.strptime(text[:8], "%Y%m%d") - timedelta(days=shift_days)
                assert moved.strftime("%Y%m%d") in dates_of(source, element.keyword), element.keyword


def read_copies(folder: Path) -> dict[str, pydicom.FileDataset]:
    """Return the copies below a folder by their SOP Instance UID."""
    copies = [pydicom.dcmread(path) for path in sorted(folder.rglob("*.dcm"))]
    return {str(copy.SOPInstanceUID): copy for copy in copies}


def values_by(key_file: Path) -> KeyedValues:
    return KeyedValues(load_key(key_file))
