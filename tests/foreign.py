"""Files to break, and a look at what becomes of a broken one: pydicom's samples and small objects of our own."""

from __future__ import annotations

import copy
import shutil
import struct
import warnings
import zlib
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
from pydicom.data import get_testdata_files
from pydicom.errors import InvalidDicomError
from pydicom.uid import CTImageStorage, DeflatedExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from star_core.dicom.discover import discover_series
from star_core.dicom.export import write_segmentation
from star_core.dicom.seg import read_masks
from star_core.dicom.summary import FolderSummary, summarise_folder
from star_core.errors import StarError
from star_core.types import Masks, Structure, Volume
from tests.broken import break_file
from tests.core.dicom.factory import build_geometry, build_volume, read_folder, write_enhanced, write_series

SLICES = 4
_COPIES_PER_BOMB = 500
_COMPRESSED = {"rle": RLELossless, "jpeg-2000": JPEG2000Lossless, "jpeg-ls": JPEGLSLossless}


@dataclass(frozen=True, kw_only=True)
class Base:
    """A file to break; ``beside`` are the files of its folder, so that a series of several slices is opened."""

    name: str
    data: bytes
    beside: tuple[bytes, ...] = ()

    @cached_property
    def sop_uid(self) -> bytes:
        """The object's own UID as it stands in the file, or something that stands in none."""
        try:
            return str(pydicom.dcmread(BytesIO(self.data), specific_tags=["SOPInstanceUID"]).SOPInstanceUID).encode()
        except Exception:  # noqa: BLE001 - the samples are broken in their own ways
            return b"no such bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenCopy:
    """A broken copy of a base: which base, and how it was broken."""

    base: Base
    kind: str
    data: bytes


def sample_paths() -> list[Path]:
    """Return pydicom's own sample files that lie on this computer."""
    return sorted(path for path in map(Path, get_testdata_files()) if path.is_file() and path.suffix != ".py")


def build_bases(folder: Path) -> list[Base]:
    """Return what is broken: objects of our own in several encodings, as often as all of pydicom's samples."""
    own = _build_own(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the samples are odd, and meant to be
        samples = [
            Base(name="sample " + path.name, data=path.read_bytes(), beside=_neighbour(path)) for path in sample_paths()
        ]
    return [*samples, *(own * (len(samples) // len(own)))]


def build_copy(bases: list[Base], seed: int, number: int) -> BrokenCopy:
    """Return one broken copy, the same for the same seed and number."""
    base = bases[int(np.random.default_rng((seed, number)).integers(len(bases)))]
    if number % _COPIES_PER_BOMB == 0:
        return BrokenCopy(base=base, kind="deflate bomb", data=build_bomb())
    original = base.data.replace(base.sop_uid, _rename(base.sop_uid, number))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kind, data = break_file(original, seed, number)
    return BrokenCopy(base=base, kind=kind, data=data)


def _rename(uid: bytes, number: int) -> bytes:
    """Return a UID of the same length that no other copy has."""
    return uid[:-6] + f"{number:06}".encode() if len(uid) > 12 else uid


@cache
def build_bomb() -> bytes:
    """Return a deflated file of 3 MB that unpacks to 3 GB."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    target = BytesIO()
    dataset = pydicom.Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "2.25.3"
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID, dataset.file_meta.MediaStorageSOPInstanceUID = CTImageStorage, "2.25.3"
    pydicom.dcmwrite(target, dataset, enforce_file_format=True)
    length = struct.unpack_from("<I", target.getvalue(), 140)[0]
    head = target.getvalue()[: 144 + length]
    zeros = 300 << 20
    opening = struct.pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, 10 * zeros)
    start = deflate.compress(opening) + deflate.flush(zlib.Z_FULL_FLUSH)
    chunk = deflate.compress(bytes(zeros)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return head + start + chunk * 10 + deflate.flush()


def _build_own(folder: Path) -> list[Base]:
    volume = build_volume(build_geometry((SLICES, 40, 48)))
    write_series(folder / "ct", volume=volume)
    bases = [_series_base("CT", folder / "ct")]
    for name, syntax in {**_COMPRESSED, "deflated": DeflatedExplicitVRLittleEndian}.items():
        write_series(folder / name, lambda dataset, index, syntax=syntax: _encode(dataset, syntax), volume)
        bases.append(_series_base(f"CT, {name}", folder / name))
    for name, syntax in {"native": "", **_COMPRESSED}.items():
        path = folder / f"enhanced-{name}.dcm"
        write_enhanced(folder / "ct", path, lambda dataset, syntax=syntax: _encode(dataset, syntax))
        bases.append(Base(name=f"enhanced CT, {name}", data=path.read_bytes()))
    write_segmentation(build_masks(volume), volume, folder / "seg.dcm", patient_id="P1")
    bases.append(Base(name="SEG", data=(folder / "seg.dcm").read_bytes()))
    return bases


def build_masks(volume: Volume) -> Masks:
    bits = np.zeros(volume.geometry.shape, np.uint8)
    bits[:, 2:14, 3:17] |= np.uint8(Structure.LIVER)
    bits[1:3, 5:8, 5:9] |= np.uint8(Structure.TUMOUR)
    return Masks(bits=bits, geometry=volume.geometry, known=Structure.LIVER | Structure.TUMOUR, series_uid="2.25.77")


def _encode(dataset: pydicom.Dataset, syntax: str) -> None:
    if syntax == DeflatedExplicitVRLittleEndian:
        dataset.file_meta.TransferSyntaxUID = syntax
    elif syntax:
        stored = np.frombuffer(dataset.PixelData, "<i2").astype(np.int32) + 1024
        dataset.PixelData, dataset.PixelRepresentation = stored.astype("<u2").tobytes(), 0
        dataset.compress(syntax, generate_instance_uid=False)


def _series_base(name: str, folder: Path) -> Base:
    first, *others = (path.read_bytes() for path in sorted(folder.iterdir()))
    return Base(name=name, data=first, beside=tuple(others))


def _neighbour(path: Path) -> tuple[bytes, ...]:
    """Return the next slice of a sample that is a CT, so that its pixels are asked for."""
    try:
        dataset = copy.deepcopy(pydicom.dcmread(path))
        if dataset.Modality != "CT":
            return ()
        position = [float(value) for value in dataset.ImagePositionPatient]
        dataset.ImagePositionPatient = [*position[:2], position[2] + 5.0]
        dataset.SOPInstanceUID = "2.25.123"
        target = BytesIO()
        dataset.save_as(target)
    except (InvalidDicomError, AttributeError, TypeError, ValueError, KeyError, NotImplementedError):
        return ()
    return (target.getvalue(),)


def build_reference(folder: Path) -> Volume:
    """Return the CT that segmentations are laid upon."""
    write_series(folder, volume=build_volume(build_geometry((SLICES, 40, 48))))
    return read_folder(folder)


def open_all(folder: Path, reference: Volume) -> str:
    """Open what lies in a folder as ``star info`` and an assessment do; return in a word what became of it.

    Anything but an error with a message for the user is raised.
    """
    try:
        summary = summarise_folder(folder)
        for series in discover_series(folder).by_modality("SEG"):
            read_masks(series, reference)
    except StarError as error:
        return type(error).__name__
    return _outcome(summary)


def _outcome(summary: FolderSummary) -> str:
    if any(series.volume is not None or series.segments for series in summary.series):
        return "read, one file left out" if summary.findings else "read"
    refusals = {
        finding.code for series in summary.series for finding in series.findings if finding.severity == "refusal"
    }
    if refusals:
        return "refused: " + min(refusals)
    if summary.findings:
        return "refused: damaged-file"
    return "no CT and no segmentation" if summary.series else "not DICOM"


def forget_peak_memory() -> float:
    """Begin to watch this process's memory anew, and return what it holds already, in MB; 0 where no system tells."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _read_status_mb(Path("/proc/self/status"), "VmHWM")


def peak_memory_mb(held_mb: float = 0.0) -> float:
    """Return the largest memory that this process, beyond ``held_mb``, or one of its children has had, in MB."""
    peaks = [_read_status_mb(Path("/proc/self/status"), "VmHWM") - held_mb]
    for listing in Path("/proc/self/task").glob("*/children"):
        for number in listing.read_text().split():
            peaks.append(_read_status_mb(Path("/proc", number, "status"), "VmHWM"))
    return max(peaks)


def _read_status_mb(status: Path, key: str) -> float:
    with suppress(OSError, KeyError):
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines[key].split()[0]) / 1024
    return 0.0


def write_case(copy_: BrokenCopy, folder: Path) -> Path:
    """Write a broken copy with the files beside it into a new folder; return where the copy is."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, data in enumerate(copy_.base.beside):
        (folder / f"beside-{number}.dcm").write_bytes(data)
    target = folder / "broken.dcm"
    target.write_bytes(copy_.data)
    return target
