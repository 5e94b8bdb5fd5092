"""Errors that say what, where, expected, found and what to do next.

Every error that a user can meet derives from :class:`StarError`. The message is complete on its own:
the command line prints it and exits with code 2, the window shows it in a banner.
"""


class StarError(Exception):
    """Base of all errors with a message fit for a user.

    Parameters
    ----------
    message
        One or two plain sentences: what is wrong, where, what was expected and what was found.
    remedy
        What the user can do next, as one sentence; empty when nothing helps.
    details
        Technical text for the *Details* button and the log; never holds a patient's name.
    """

    exit_code = 2

    def __init__(self, message: str, *, remedy: str = "", details: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy
        self.details = details

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_error, (type(self), self.message, self.remedy, self.details)


def _rebuild_error(kind: type[StarError], message: str, remedy: str, details: str) -> StarError:
    return kind(message, remedy=remedy, details=details)


class StorageError(StarError):
    """A file or folder is missing, unreadable, not writable, or the disk is full."""


class DicomError(StarError):
    """A DICOM file or series cannot be used as it is."""


class DecodingError(DicomError):
    """Pixel data cannot be decoded."""


class SeriesGeometryError(DicomError):
    """The slices of a series do not form one volume."""


class DuplicateSlicesError(SeriesGeometryError):
    """Two slices lie at the same position."""


class SliceGapError(SeriesGeometryError):
    """Slices are missing or unevenly spaced."""


class GantryTiltError(SeriesGeometryError):
    """The slices are sheared against their normal."""


class MixedSlicesError(SeriesGeometryError):
    """Slices differ in size, orientation or pixel spacing."""


class NotCtError(DicomError):
    """A CT was expected and something else was found."""


class SegmentationError(DicomError):
    """A segmentation cannot be used with this CT."""


class ClinicalRecordError(StarError):
    """A clinical value is unknown, of the wrong type or out of range."""


class AnnotationError(StarError):
    """An annotation is not as it must be."""


class RegistrationError(StarError):
    """Two scans cannot be brought to one space."""


class OtherPatientError(RegistrationError):
    """The headers of two scans name two patients."""


class CohortError(StarError):
    """A cohort's manifest or one of its patients cannot be used."""


class BundleError(StarError):
    """A model bundle is damaged, altered or of another version."""


class TrainingError(StarError):
    """Training cannot start or go on."""


class DeviceError(StarError):
    """There is no such device to compute on."""


class NetworkError(StarError):
    """A server cannot be reached, refuses, stops answering, or answers what it should not."""


class CancelledError(StarError):
    """The user cancelled; what was finished is kept."""
