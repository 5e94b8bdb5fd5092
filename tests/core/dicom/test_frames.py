"""Multi-frame CT gives the volume that its classic series gives, or is refused for the same reasons."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from star_core.dicom.discover import discover_series
from star_core.dicom.read import read_volume
from star_core.dicom.seg import read_masks
from star_core.errors import (
    DecodingError,
    DicomError,
    DuplicateSlicesError,
    GantryTiltError,
    MixedSlicesError,
    NotCtError,
    SeriesGeometryError,
    SliceGapError,
)
from star_core.types import Structure, Volume
from tests.core.dicom.factory import SHAPE, codes_of, read_folder, write_enhanced, write_series

Change = Callable[[pydicom.Dataset], None]


@pytest.fixture
def classic(tmp_path: Path) -> Path:
    write_series(tmp_path / "classic", _own_intercept)
    return tmp_path / "classic"


def _own_intercept(dataset: pydicom.Dataset, index: int) -> None:
    stored = np.frombuffer(dataset.PixelData, "<i2").astype(np.int32) + 1024 + 10 * index
    dataset.PixelData = stored.astype("<u2").tobytes()
    dataset.PixelRepresentation, dataset.RescaleIntercept = 0, str(-1024 - 10 * index)


def _read_enhanced(classic: Path, change: Change | None = None) -> Volume:
    path = classic.with_name("enhanced") / "ct.dcm"
    path.parent.mkdir(exist_ok=True)
    write_enhanced(classic, path, change)
    return read_folder(path.parent)


def _require_equal(read: Volume, expected: Volume) -> None:
    np.testing.assert_array_equal(read.voxels_hu, expected.voxels_hu)
    np.testing.assert_allclose(read.geometry.affine_lps, expected.geometry.affine_lps, atol=1e-9)


def test_an_enhanced_ct_reads_as_its_classic_series(classic: Path) -> None:
    read = _read_enhanced(classic)
    _require_equal(read, read_folder(classic))
    assert read.findings == ()


def test_a_browser_counts_its_frames(classic: Path, tmp_path: Path) -> None:
    write_enhanced(classic, tmp_path / "ct.dcm")
    (series,) = discover_series(tmp_path / "ct.dcm").series
    assert series.image_count == SHAPE[0]


def _set_syntax(syntax: str) -> Change:
    return lambda dataset: setattr(dataset.file_meta, "TransferSyntaxUID", syntax)


def _to_big_endian(dataset: pydicom.Dataset) -> None:
    dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian


def _compress(syntax: str, *, fragments: int = 1, table: bool = True, extended: bool = False) -> Change:
    def change(dataset: pydicom.Dataset) -> None:
        dataset.compress(syntax, generate_instance_uid=False)
        frames = list(generate_frames(dataset.PixelData, number_of_frames=SHAPE[0]))
        if extended:
            data, offsets, lengths = pydicom.encaps.encapsulate_extended(frames)
            dataset.PixelData, dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = data, offsets, lengths
        else:
            dataset.PixelData = encapsulate(frames, fragments_per_frame=fragments, has_bot=table)
        dataset["PixelData"].is_undefined_length = True

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set_syntax(ImplicitVRLittleEndian),
        _set_syntax(DeflatedExplicitVRLittleEndian),
        _to_big_endian,
        _compress(RLELossless),
        _compress(JPEG2000Lossless, table=False),
        _compress(JPEG2000Lossless, fragments=3),
        _compress(JPEG2000Lossless, fragments=3, table=False),
        _compress(JPEGLSLossless, extended=True),
    ],
    ids=["implicit", "deflated", "big-endian", "rle", "j2k", "fragments", "fragments-without-table", "extended-table"],
)
def test_every_encoding_gives_the_same_volume(classic: Path, change: Change) -> None:
    _require_equal(_read_enhanced(classic, change), read_folder(classic))


@pytest.mark.skipif(shutil.which("dcmcjpeg") is None, reason="dcmtk is not installed")
def test_jpeg_lossless_frames_are_read(classic: Path) -> None:
    _read_enhanced(classic)
    path = classic.with_name("enhanced") / "ct.dcm"
    subprocess.run(["dcmcjpeg", "+e1", str(path), str(path)], check=True, capture_output=True)
    _require_equal(read_folder(path.parent), read_folder(classic))


def test_a_legacy_converted_series_reads_as_its_classic_series(classic: Path, tmp_path: Path) -> None:
    _convert_legacy(classic, tmp_path / "legacy")
    _require_equal(read_folder(tmp_path / "legacy"), read_folder(classic))


def test_a_real_series_converted_by_highdicom_reads_as_before(ircad_folder: Path, tmp_path: Path) -> None:
    (series,) = discover_series(ircad_folder).by_modality("CT")
    folder = tmp_path / "ct"
    folder.mkdir()
    for path in series.paths:
        shutil.copy(path, folder)
    _convert_legacy(folder, tmp_path / "legacy")
    volume = read_volume(series)
    converted = read_folder(tmp_path / "legacy")
    _require_equal(converted, volume)
    (segmentation,) = discover_series(ircad_folder).by_modality("SEG")
    np.testing.assert_array_equal(read_masks(segmentation, converted).bits, read_masks(segmentation, volume).bits)


def _convert_legacy(classic: Path, folder: Path) -> None:
    slices = [pydicom.dcmread(path) for path in sorted(classic.iterdir())]
    for dataset in slices:
        dataset.setdefault("AcquisitionDateTime", "20000101000000")
        dataset.PatientName = "Some^One"
    folder.mkdir()
    converted = hd.legacy.LegacyConvertedEnhancedCTImage(
        legacy_datasets=slices,
        series_instance_uid=generate_uid(),
        series_number=2,
        sop_instance_uid=generate_uid(),
        instance_number=1,
    )
    converted.save_as(folder / "ct.dcm")


def test_a_segmentation_of_an_enhanced_ct_lies_on_its_frames(classic: Path, tmp_path: Path) -> None:
    volume = _read_enhanced(classic)
    source = pydicom.dcmread(classic.with_name("enhanced") / "ct.dcm")
    pixels = np.zeros((SHAPE[0], *SHAPE[1:]), np.uint8)
    pixels[2:5, 4:9, 6:20] = 1
    position = [
        hd.PlanePositionSequence(hd.CoordinateSystemNames.PATIENT, list(volume.geometry.affine_lps[:3, 3] + offset))
        for offset in np.outer(np.arange(SHAPE[0]), volume.geometry.affine_lps[:3, 0])
    ]
    liver = hd.sr.CodedConcept("10200004", "SCT", "Liver")
    segmentation = hd.seg.Segmentation(
        source_images=[source],
        pixel_array=pixels,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[
            hd.seg.SegmentDescription(
                segment_number=1,
                segment_label="Liver",
                segmented_property_category=hd.sr.CodedConcept("123037004", "SCT", "Anatomical Structure"),
                segmented_property_type=liver,
                algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
            )
        ],
        series_instance_uid=generate_uid(),
        series_number=100,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Tests",
        manufacturer_model_name="Tests",
        software_versions="1",
        device_serial_number="1",
        plane_positions=position,
    )
    segmentation.save_as(tmp_path / "seg.dcm")
    masks = read_masks(tmp_path / "seg.dcm", volume)
    np.testing.assert_array_equal(masks.mask_of(Structure.LIVER), pixels > 0)
    assert masks.findings == ()


# --------------------------------------------------------------------------- several files


def _part(number: int, of: int, uid: str = "2.25.55") -> Change:
    half = SHAPE[0] // 2
    frames = slice(0, half) if number == 1 else slice(half, None)

    def change(dataset: pydicom.Dataset) -> None:
        size = len(dataset.PixelData) // SHAPE[0]
        dataset.PixelData = dataset.PixelData[size * (frames.start or 0) : frames.stop and size * frames.stop]
        dataset.PerFrameFunctionalGroupsSequence = dataset.PerFrameFunctionalGroupsSequence[frames]
        dataset.NumberOfFrames = len(dataset.PerFrameFunctionalGroupsSequence)
        dataset.ConcatenationUID, dataset.InConcatenationNumber = uid, number
        dataset.InConcatenationTotalNumber = of
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"2.25.66{number}"

    return change


def test_the_parts_of_a_concatenation_are_joined(classic: Path, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for number in (1, 2):
        write_enhanced(classic, tmp_path / "parts" / f"{number}.dcm", _part(number, 2))
    _require_equal(read_folder(tmp_path / "parts"), read_folder(classic))


def test_a_concatenation_without_one_of_its_parts_is_refused(classic: Path) -> None:
    with pytest.raises(DicomError, match="divided over 3 files, of which 1 are here"):
        _read_enhanced(classic, _part(1, 3))


# --------------------------------------------------------------------------- refusals


def _change_frames(change: Callable[[pydicom.Dataset, int], None]) -> Change:
    def apply(dataset: pydicom.Dataset) -> None:
        frames = dataset.PerFrameFunctionalGroupsSequence
        by_height = sorted(frames, key=lambda frame: float(frame.PlanePositionSequence[0].ImagePositionPatient[2]))
        for index, frame in enumerate(by_height):
            change(frame, index)

    return apply


def _move(offset: Callable[[int], tuple[float, float, float]]) -> Change:
    def change(frame: pydicom.Dataset, index: int) -> None:
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        frame.PlanePositionSequence[0].ImagePositionPatient = [
            float(value) + step for value, step in zip(position, offset(index), strict=True)
        ]

    return _change_frames(change)


def _set_content(name: str, value: Callable[[int], object]) -> Change:
    return _change_frames(lambda frame, index: setattr(frame.FrameContentSequence[0], name, value(index)))


def _set_unit(dataset: pydicom.Dataset) -> None:
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        frame.PixelValueTransformationSequence[0].RescaleType = "Z_EFF"


def _forget_position(frame: pydicom.Dataset, index: int) -> None:
    if index == 3:
        del frame.PlanePositionSequence


def _give_own_spacing(frame: pydicom.Dataset, index: int) -> None:
    measures = pydicom.Dataset()
    measures.PixelSpacing = [1, 1] if index > 3 else [0.8, 0.7]
    frame.PixelMeasuresSequence = [measures]


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (_move(lambda index: (0, 0.4 * index, 0)), GantryTiltError, "tilted"),
        (_move(lambda index: (0, 0, 7.5 * (index > 3))), SliceGapError, "10.0 mm gap"),
        (_move(lambda index: (0, 0, -2.5 * (index == 4))), DuplicateSlicesError, "same position"),
        (_move(lambda index: (0, 0, 1e300 * index)), SeriesGeometryError, "no patient"),
        (_set_content("StackID", lambda index: str(index // 4)), MixedSlicesError, "2 stacks"),
        (_set_content("TemporalPositionIndex", lambda index: 1 + index // 4), DuplicateSlicesError, "2 points in time"),
        (_set_unit, NotCtError, "Z_EFF"),
        (_change_frames(_forget_position), SeriesGeometryError, "1 of 8 slices have no readable position"),
        (_change_frames(_give_own_spacing), MixedSlicesError, "pixel spacing"),
        (lambda dataset: dataset.PerFrameFunctionalGroupsSequence.pop(), DicomError, "holds 8 .* describes 7"),
        (lambda dataset: setattr(dataset, "NumberOfFrames", 1 << 30), DicomError, "describes 8"),
        (
            lambda dataset: setattr(dataset, "PixelData", dataset.PixelData[:9000]),
            DecodingError,
            "hold no pixels|cut off",
        ),
    ],
    ids=[
        *("tilt", "gap", "duplicates", "far", "stacks", "times", "unit", "no-position", "own-spacing"),
        *("too-few-groups", "huge-number", "cut-off"),
    ],
)
def test_what_forms_no_volume_is_refused_with_the_reason(
    classic: Path, change: Change, error: type[DicomError], text: str
) -> None:
    with pytest.raises(error, match=text):
        _read_enhanced(classic, change)


def test_a_missing_frame_is_interpolated_when_accepted(classic: Path) -> None:
    def lose(dataset: pydicom.Dataset) -> None:
        size = len(dataset.PixelData) // SHAPE[0]
        heights = [
            float(frame.PlanePositionSequence[0].ImagePositionPatient[2])
            for frame in dataset.PerFrameFunctionalGroupsSequence
        ]
        lost = int(np.argsort(heights)[3])
        dataset.PixelData = dataset.PixelData[: size * lost] + dataset.PixelData[size * (lost + 1) :]
        del dataset.PerFrameFunctionalGroupsSequence[lost]
        dataset.NumberOfFrames = SHAPE[0] - 1

    with pytest.raises(SliceGapError):
        _read_enhanced(classic, lose)
    (series,) = discover_series(classic.with_name("enhanced")).series
    volume = read_volume(series, interpolate_gaps=True)
    assert volume.voxels_hu.shape == SHAPE
    assert "slices-interpolated" in codes_of(volume)


def test_scout_frames_are_left_out(classic: Path) -> None:
    def scout(frame: pydicom.Dataset, index: int) -> None:
        if index == 0:
            frame.CTImageFrameTypeSequence[0].FrameType = ["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"]

    read = _read_enhanced(classic, _change_frames(scout))
    assert read.voxels_hu.shape[0] == SHAPE[0] - 1
    assert codes_of(read) == {"localizer-left-out"}


def test_damaged_offsets_are_told(classic: Path) -> None:
    def damage(dataset: pydicom.Dataset) -> None:
        _compress(RLELossless)(dataset)
        table = bytearray(dataset.PixelData)
        struct.pack_into("<I", table, 8 + 4, 3)
        dataset.PixelData = bytes(table)

    with pytest.raises(DicomError, match="description of its frames is damaged"):
        _read_enhanced(classic, damage)
