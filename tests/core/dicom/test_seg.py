"""DICOM segmentations on the CT's grid."""

from __future__ import annotations

from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest

from star_core.dicom.discover import discover_series
from star_core.dicom.export import write_segmentation
from star_core.dicom.read import read_volume
from star_core.dicom.seg import choose_segmentation, read_masks, summarise_segmentation
from star_core.errors import SegmentationError
from star_core.types import STRUCTURES, Geometry, Masks, Structure, Volume
from tests.conftest import real_data
from tests.core.dicom.factory import read_folder, write_series


def build_masks(volume: Volume) -> Masks:
    bits = np.zeros(volume.geometry.shape, np.uint8)
    bits[1:7, 2:14, 3:17] |= np.uint8(Structure.LIVER)
    bits[3:7, 2:14, 3:17] |= np.uint8(Structure.REMNANT)
    bits[2:4, 5:8, 5:9] |= np.uint8(Structure.TUMOUR)  # lies in the liver: segments overlap
    bits[1:6, 9:11, 4:16] |= np.uint8(Structure.PORTAL_VEINS)
    known = Structure.LIVER | Structure.REMNANT | Structure.TUMOUR | Structure.PORTAL_VEINS
    return Masks(bits=bits, geometry=volume.geometry, known=known, series_uid="2.25.77")


@pytest.fixture
def scan(tmp_path: Path) -> tuple[Volume, Masks, Path]:
    volume = write_series(tmp_path / "ct")
    masks = build_masks(volume)
    path = tmp_path / "seg.dcm"
    write_segmentation(masks, volume, path, patient_id="P1")
    return read_folder(tmp_path / "ct"), masks, path


def change_seg(path: Path, **values: object) -> None:
    dataset = pydicom.dcmread(path)
    for name, value in values.items():
        setattr(dataset, name, value)
    dataset.save_as(path)


def test_overlapping_segments_come_back_as_they_were_written(scan: tuple[Volume, Masks, Path]) -> None:
    volume, masks, path = scan
    read = read_masks(path, volume)
    np.testing.assert_array_equal(read.bits, masks.bits)
    assert read.known == masks.known
    assert read.lesion_count == 1
    assert read.series_uid == "2.25.77"
    assert read.findings == ()


def test_frames_in_another_order_give_the_same_masks(scan: tuple[Volume, Masks, Path]) -> None:
    volume, masks, path = scan
    dataset = pydicom.dcmread(path)
    order = np.random.default_rng(2).permutation(int(dataset.NumberOfFrames))
    pixels = dataset.pixel_array[order]
    groups = dataset.PerFrameFunctionalGroupsSequence
    dataset.PerFrameFunctionalGroupsSequence = pydicom.Sequence([groups[i] for i in order])
    dataset.PixelData = np.packbits(pixels.ravel(), bitorder="little").tobytes() + b"\0" * (pixels.size // 8 % 2)
    dataset.save_as(path)
    np.testing.assert_array_equal(read_masks(path, volume).bits, masks.bits)


def test_fewer_slices_than_the_scan_and_a_reversed_scan_still_fit(scan: tuple[Volume, Masks, Path]) -> None:
    volume, masks, path = scan
    # Empty slices are not stored at all by the writer.
    assert int(pydicom.dcmread(path).NumberOfFrames) < len(STRUCTURES) * volume.geometry.shape[0]
    affine = np.array(volume.geometry.affine_lps)
    affine[:3, 3] += affine[:3, 0] * (volume.geometry.shape[0] - 1)
    affine[:3, 0] *= -1
    flipped = Volume(
        voxels_hu=volume.voxels_hu[::-1],
        geometry=Geometry(shape=volume.geometry.shape, affine_lps=affine),
        series_uid=volume.series_uid,
        acquisition=volume.acquisition,
    )
    np.testing.assert_array_equal(read_masks(path, flipped).bits, masks.bits[::-1])


def test_another_patients_segmentation_is_refused(scan: tuple[Volume, Masks, Path]) -> None:
    volume, _, path = scan
    change_seg(path, PatientID="P2", PatientName="Other^Person")
    with pytest.raises(SegmentationError, match="another patient") as caught:
        read_masks(path, volume)
    assert "Other" not in str(caught.value) + caught.value.details


def test_another_frame_of_reference_is_refused(scan: tuple[Volume, Masks, Path]) -> None:
    volume, _, path = scan
    change_seg(path, FrameOfReferenceUID="2.25.99")
    with pytest.raises(SegmentationError, match="another frame of reference"):
        read_masks(path, volume)


def test_pixels_beside_the_scans_are_refused(scan: tuple[Volume, Masks, Path]) -> None:
    volume, _, path = scan
    dataset = pydicom.dcmread(path)
    for group in dataset.PerFrameFunctionalGroupsSequence:
        position = group.PlanePositionSequence[0].ImagePositionPatient
        position[0] = float(position[0]) + 0.35
    dataset.save_as(path)
    with pytest.raises(SegmentationError, match="do not lie on the CT's"):
        read_masks(path, volume)


def test_a_truncated_segmentation_is_told(scan: tuple[Volume, Masks, Path]) -> None:
    volume, _, path = scan
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(SegmentationError):
        read_masks(path, volume)


def test_a_segmentation_without_a_liver_is_told(tmp_path: Path) -> None:
    volume = write_series(tmp_path / "ct")
    masks = build_masks(volume)
    only_tumour = Masks(bits=masks.bits, geometry=masks.geometry, known=Structure.TUMOUR)
    write_segmentation(only_tumour, volume, tmp_path / "seg.dcm", patient_id="P1")
    read = read_masks(tmp_path / "seg.dcm", read_folder(tmp_path / "ct"))
    assert "seg-without-liver" in {finding.code for finding in read.findings}
    assert not read.known & Structure.LIVER


def test_the_experts_segmentation_is_chosen_among_others(tmp_path: Path) -> None:
    volume = write_series(tmp_path / "ct")
    masks = build_masks(volume)
    for number, uid in ((7, "2.25.70"), (100, "2.25.71"), (300, "2.25.72")):
        path = tmp_path / f"seg{number}.dcm"
        write_segmentation(
            Masks(bits=masks.bits, geometry=masks.geometry, known=masks.known, series_uid=uid),
            volume,
            path,
            patient_id="P1",
        )
        change_seg(path, SeriesNumber=number, SeriesDescription="Segmentation" if number == 100 else "by a program")
    found = discover_series(tmp_path)
    chosen = choose_segmentation(found, read_volume(found.by_modality("CT")[0]))
    assert chosen is not None
    assert chosen.series_uid == "2.25.71"


def test_segments_are_summed_up_in_voxels_and_ml(scan: tuple[Volume, Masks, Path]) -> None:
    _, masks, path = scan
    summary = {segment.structure: segment for segment in summarise_segmentation(path)}
    assert summary["liver"].voxel_count == np.count_nonzero(masks.mask_of(Structure.LIVER))
    assert summary["liver"].volume_ml == pytest.approx(masks.volume_ml(Structure.LIVER), rel=1e-3)


def test_the_real_segmentation_agrees_with_highdicom() -> None:
    found = discover_series(real_data("ct/ircad-17"))
    volume = read_volume(found.by_modality("CT")[0])
    (source,) = found.by_modality("SEG")
    masks = read_masks(source, volume)
    assert masks.lesion_count == 2
    seg = hd.seg.segread(source.paths[0])
    counts = {segment.label: segment.voxel_count for segment in summarise_segmentation(source.paths[0])}
    liver_numbers = [
        number for number in seg.segment_numbers if seg.get_segment_description(number).segment_label == "Liver"
    ]
    pixels = seg.pixel_array
    frames = [
        index
        for index, group in enumerate(seg.PerFrameFunctionalGroupsSequence)
        if group.SegmentIdentificationSequence[0].ReferencedSegmentNumber == liver_numbers[0]
    ]
    assert counts["Liver"] == int(pixels[frames].sum())
    assert np.count_nonzero(masks.mask_of(Structure.LIVER)) == counts["Liver"]
    assert {"Liver", "Hepatic", "Portal", "Tumor_1", "Tumor_2"} == set(counts)


@pytest.mark.parametrize("folder", ["seg/dcmqi", "seg/highdicom"])
def test_segmentations_by_other_programs_are_summed_up_or_refused_in_words(folder: str) -> None:
    paths = [path for path in real_data(folder).rglob("*.dcm") if path.is_file()]
    segmentations = [path for path in paths if discover_series(path).series[0].modality == "SEG"]
    assert segmentations
    for path in segmentations:
        if "_sm_" in path.name or "_cr_" in path.name:  # slides and radiographs
            with pytest.raises(SegmentationError, match="not drawn on a CT"):
                summarise_segmentation(path)
        else:
            assert sum(segment.voxel_count for segment in summarise_segmentation(path)) > 0
