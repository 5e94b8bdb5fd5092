"""The recorded study of the automatic liver: `python -m tests.study_liver --data ../shared/data --out liver.json`.

Each row is a real CT, or one changed by a known rule. Clicks are put where a reader would put them: in the deepest
place of the largest wrong part. The table is printed at the end.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from star_core.imaging.liver import Click, LiverSegmentation, refine_liver, segment_liver
from star_core.imaging.liver.morphology import box_around, depth_mm
from star_core.types import BoolArray, Geometry, Structure, Volume

CLICKS = 5
BORDER_MM = 2.0
LIVER_NATIVE_HU = 50.0
Example = tuple[Volume, BoolArray | None]


def click_like_a_reader(found: BoolArray, reference: BoolArray, geometry: Geometry) -> Click | None:
    """Return a click in the deepest place of the largest part that is wrong by more than the border's 2 mm."""
    box = box_around(found | reference, BORDER_MM, geometry.spacing_mm)
    found, reference = found[box], reference[box]
    largest: tuple[int, BoolArray, BoolArray, bool] | None = None
    for belongs, wrong, other in ((True, reference & ~found, found), (False, found & ~reference, reference)):
        if not wrong.any():
            continue
        labels, count = ndimage.label(wrong & (depth_mm(~other, geometry.spacing_mm) > BORDER_MM))
        if count == 0:
            continue
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        if largest is None or sizes.max() > largest[0]:
            largest = int(sizes.max()), labels == int(np.argmax(sizes)), wrong, belongs
    if largest is None:
        return None
    _, part, wrong, belongs = largest
    around = box_around(part, BORDER_MM, geometry.spacing_mm)
    depth = depth_mm(wrong[around], geometry.spacing_mm) * part[around]
    place = np.array(np.unravel_index(int(np.argmax(depth)), depth.shape), dtype=float)
    place += [outer.start + inner.start for outer, inner in zip(box, around, strict=True)]
    x, y, z = geometry.index_to_lps(place)
    return Click(point_lps_mm=(float(x), float(y), float(z)), belongs=belongs)


def dice(one: BoolArray, other: BoolArray) -> float:
    """Return the Dice coefficient."""
    return float(2 * np.count_nonzero(one & other) / max(1, np.count_nonzero(one) + np.count_nonzero(other)))


def surface_distances_mm(one: BoolArray, other: BoolArray, geometry: Geometry) -> tuple[float, float]:
    """Return the mean and the 95th percentile of the distances between two surfaces, both ways."""
    spacing = geometry.spacing_mm
    box = box_around(one | other, BORDER_MM, spacing)
    one, other = one[box], other[box]
    edges = [mask & ~ndimage.binary_erosion(mask, border_value=1) for mask in (one, other)]
    ways = [depth_mm(~edges[1 - number], spacing)[edges[number]] for number in (0, 1)]
    distances = np.concatenate(ways)
    return float(distances.mean()), float(np.percentile(distances, 95))


# --------------------------------------------------------------------------- the CTs


def read_examples(data: Path) -> dict[str, Callable[[], Example]]:
    """Return the real CTs by name."""
    return {
        "ircad-17": lambda: _read_case(data / "ct" / "ircad-17"),
        "chaos-3": lambda: _read_case(data / "ct" / "chaos-3"),
        "totalsegmentator-example, 20 slices": lambda: _read_example(data / "ct" / "totalsegmentator-example"),
        "totalsegmentator-example, no contrast, 3 mm": lambda: _read_native(data / "ct" / "totalsegmentator-example"),
    }


def _read_case(folder: Path) -> Example:
    from star_core.api import open_case

    case = open_case(folder)
    reference = None if case.masks is None else case.masks.mask_of(Structure.LIVER)
    return case.baseline_scan, reference


def _read_labels(path: Path, geometry: Geometry) -> BoolArray:
    """Return TotalSegmentator's liver (label 5) on the slices of ``geometry`` that it covers."""
    import SimpleITK as sitk  # noqa: N813

    image = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
    labels = sitk.GetArrayFromImage(image) == 5
    liver = np.zeros(geometry.shape, dtype=bool)
    liver[geometry.shape[0] - len(labels) :] = labels
    return liver


def _read_example(folder: Path) -> Example:
    volume, _ = _read_case(folder / "example_ct_dicom")
    return volume, _read_labels(folder / "example_seg_dicom.nii.gz", volume.geometry)


def _read_native(folder: Path) -> Example:
    """Return the CT without contrast; the reference covers its uppermost 30 slices, and only these are compared."""
    from star_core.imaging.geometry import to_canonical
    from star_core.imaging.nifti import read_nifti_volume

    volume = read_nifti_volume(folder / "example_ct.nii.gz")
    voxels, geometry = to_canonical(volume.voxels_hu, volume.geometry)
    volume = replace(volume, voxels_hu=np.ascontiguousarray(voxels), geometry=geometry)
    return volume, _read_labels(folder / "example_seg.nii.gz", geometry)


# --------------------------------------------------------------------------- changes


def resample_slices(example: Example, slice_mm: float) -> Example:
    """Return slices of another thickness: linear between neighbours, or means over the thicker slice."""
    volume, reference = example
    spacing = volume.geometry.spacing_mm[0]
    depth = int(volume.geometry.shape[0] * spacing / slice_mm)
    factor = slice_mm / spacing

    def resample(values: np.ndarray) -> np.ndarray:
        smooth = ndimage.uniform_filter1d(values.astype(np.float32), max(1, round(factor)), axis=0)
        places = np.clip((np.arange(depth) + 0.5) * factor - 0.5, 0, len(values) - 1)
        low = np.floor(places).astype(int)
        high, share = np.minimum(low + 1, len(values) - 1), (places - low)[:, None, None]
        return np.asarray(smooth[low] * (1 - share) + smooth[high] * share)

    affine = volume.geometry.affine_lps.copy()
    affine[:3, 3] += affine[:3, 0] * (factor - 1) / 2
    affine[:3, 0] *= factor
    geometry = Geometry(shape=(depth, *volume.geometry.shape[1:]), affine_lps=affine)
    thick = replace(volume, voxels_hu=np.rint(resample(volume.voxels_hu)).astype(np.int16), geometry=geometry)
    return thick, None if reference is None else resample(reference) > 0.5


def flip(example: Example, axes: tuple[int, ...]) -> Example:
    """Return the same patient in a stack whose axes run the other way."""
    volume, reference = example
    affine = volume.geometry.affine_lps.copy()
    for axis in axes:
        affine[:3, 3] += affine[:3, axis] * (volume.geometry.shape[axis] - 1)
        affine[:3, axis] *= -1
    voxels = np.ascontiguousarray(np.flip(volume.voxels_hu, axes))
    turned = replace(volume, voxels_hu=voxels, geometry=replace(volume.geometry, affine_lps=affine))
    return turned, None if reference is None else np.flip(reference, axes)


def keep_slices(example: Example, first: int, last: int) -> Example:
    """Return a part of the slices."""
    volume, reference = example
    affine = volume.geometry.affine_lps.copy()
    affine[:3, 3] += first * affine[:3, 0]
    geometry = Geometry(shape=(last - first, *volume.geometry.shape[1:]), affine_lps=affine)
    part = replace(volume, voxels_hu=volume.voxels_hu[first:last], geometry=geometry)
    return part, None if reference is None else reference[first:last]


def add_noise(example: Example, sigma_hu: float) -> Example:
    """Return the CT with Gaussian noise added."""
    volume, reference = example
    noise = np.random.default_rng(1).normal(0.0, sigma_hu, volume.voxels_hu.shape).astype(np.float32)
    return replace(volume, voxels_hu=(volume.voxels_hu + noise).astype(np.int16)), reference


def add_metal(example: Example) -> Example:
    """Return the CT with a rod of metal beside the spine and dark and bright rays from it in 20 slices."""
    volume, reference = example
    voxels = volume.voxels_hu.astype(np.float32)
    depth, height, width = voxels.shape
    rows, columns = np.mgrid[:height, :width]
    centre = (0.62 * height, 0.42 * width)
    angle = np.arctan2(rows - centre[0], columns - centre[1])
    radius = np.hypot(rows - centre[0], columns - centre[1])
    rays = 120.0 * np.sin(9 * angle) * np.exp(-radius / 120.0)
    middle = depth // 2
    voxels[middle - 10 : middle + 10] += rays.astype(np.float32)
    voxels[middle - 10 : middle + 10, radius < 6] = 3000
    return replace(volume, voxels_hu=np.clip(voxels, -1024, 3071).astype(np.int16)), reference


def remove_contrast(example: Example) -> Example:
    """Return the CT with everything enhanced drawn down to 30 to 55 HU: liver to 50, vessels and organs alike."""
    volume, reference = example
    assert reference is not None
    voxels = volume.voxels_hu.astype(np.float32)
    soft = ndimage.gaussian_filter(voxels, (0.5, 1.5, 1.5))
    level = float(np.median(voxels[reference]))
    lowered = np.where(
        soft > 45.0, 45.0 + np.clip(soft - 45.0, 0, 300.0) * (LIVER_NATIVE_HU - 45.0) / (level - 45.0), soft
    )
    bone = ndimage.binary_dilation(soft > 280.0, iterations=2)
    return replace(volume, voxels_hu=np.where(bone, voxels, voxels - soft + lowered).astype(np.int16)), reference


def remove_lobe(example: Example) -> Example:
    """Return the CT with the liver left of the gallbladder's plane replaced by fat, as after left hepatectomy."""
    volume, reference = example
    assert reference is not None
    columns = np.flatnonzero(reference.any(axis=(0, 1)))
    gone = reference.copy()
    gone[:, :, : int(columns[0] + 0.55 * (columns[-1] - columns[0]))] = False
    fat = np.random.default_rng(1).normal(-95.0, 20.0, volume.voxels_hu.shape)
    voxels = np.where(gone, fat, volume.voxels_hu).astype(np.int16)
    return replace(volume, voxels_hu=voxels), reference & ~gone


def stack_up(example: Example, slices: int) -> Example:
    """Return a CT of many slices of 1 mm: the patient, air below."""
    volume, reference = resample_slices(example, 1.0)
    voxels = np.full((slices, *volume.geometry.shape[1:]), -1000, dtype=np.int16)
    voxels[-len(volume.voxels_hu) :] = volume.voxels_hu
    full = None
    if reference is not None:
        full = np.zeros(voxels.shape, dtype=bool)
        full[-len(reference) :] = reference
    affine = volume.geometry.affine_lps.copy()
    affine[:3, 3] -= affine[:3, 0] * (slices - len(volume.voxels_hu))
    geometry = Geometry(shape=(slices, *volume.geometry.shape[1:]), affine_lps=affine)
    return replace(volume, voxels_hu=voxels, geometry=geometry), full


CHANGES: dict[str, Callable[[Example], Example]] = {
    "slices of 1 mm": lambda example: resample_slices(example, 1.0),
    "slices of 7.5 mm": lambda example: resample_slices(example, 7.5),
    "head first, slices from above": lambda example: flip(example, (0,)),
    "turned by half in the plane (prone)": lambda example: flip(example, (1, 2)),
    "lower half of the liver": lambda example: keep_slices(example, 0, 58),
    "upper half of the liver": lambda example: keep_slices(example, 58, example[0].geometry.shape[0]),
    "left lobe removed": remove_lobe,
    "metal": add_metal,
    "noise of 40 HU added": lambda example: add_noise(example, 40.0),
    "contrast removed": remove_contrast,
    "1,000 slices of 1 mm": lambda example: stack_up(example, 1000),
}


# --------------------------------------------------------------------------- the measures


def measure(name: str, make: Callable[[], Example]) -> dict[str, object]:
    """Return one row: Dice before and after clicks, surface distances, seconds and memory."""
    volume, reference = make()
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    resident_mb = _resident_mb()
    start = time.perf_counter()
    found = segment_liver(volume)
    seconds = time.perf_counter() - start
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    row: dict[str, object] = {
        "name": name,
        "volume_ml": round(found.volume_ml),
        "findings": [finding.code for finding in found.findings if finding.code != "liver-estimated"],
        "seconds": round(seconds, 1),
        "peak_mb": round(peak_mb),
        "above_mb": round(peak_mb - resident_mb) if peak_mb > before_mb else 0,
    }
    if reference is not None and reference.any():
        row |= _against(found, volume, reference)
    return row


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / (1 << 20)


def _against(found: LiverSegmentation, volume: Volume, reference: BoolArray) -> dict[str, object]:
    seen = np.flatnonzero(reference.any(axis=(1, 2)))
    mask = found.mask.copy()
    if volume.series_uid.startswith("nifti"):  # the reference covers the uppermost slices only
        mask[: seen[0]] = False
    mean_mm, worst_mm = surface_distances_mm(mask, reference, volume.geometry) if mask.any() else (np.nan, np.nan)
    row: dict[str, object] = {"dice": [round(dice(mask, reference), 4)], "mean_mm": round(mean_mm, 2)}
    row |= {"p95_mm": round(worst_mm, 1), "reference_ml": round(reference.sum() * volume.geometry.voxel_volume_ml)}
    slowest = 0.0
    for _ in range(CLICKS):
        click = click_like_a_reader(mask, reference, volume.geometry)
        if click is None:
            break
        start = time.perf_counter()
        mask = refine_liver(volume, mask, [click])
        slowest = max(slowest, time.perf_counter() - start)
        row["dice"].append(round(dice(mask, reference), 4))  # type: ignore[attr-defined]
    return row | {"click_s": round(slowest, 1)}


def build_table(rows: list[dict[str, object]]) -> list[str]:
    """Return the rows as a table in Markdown."""
    heads = ("CT", "Dice", "1 click", "5 clicks", "mean, 95 % distance (mm)", "ml (reference)", "s", "a click, s", "MB")
    lines = ["| " + " | ".join((*heads, "findings")) + " |", "|" + "---|" * (len(heads) + 1)]
    for row in rows:
        values = list(row.get("dice", []))  # type: ignore[call-overload]
        shown = [f"{values[index]:.3f}" if values else "" for index in (0, min(1, len(values) - 1), -1)]
        distances = f"{row['mean_mm']}, {row['p95_mm']}" if values else ""
        volumes = f"{row['volume_ml']}" + (f" ({row['reference_ml']})" if values else "")
        findings = ", ".join(row["findings"])  # type: ignore[arg-type]
        cells = [
            row["name"],
            *shown,
            distances,
            volumes,
            row["seconds"],
            row.get("click_s", ""),
            row["peak_mb"],
            findings,
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def main() -> None:
    """Run the study, each CT in a process of its own so that its memory is its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    examples = read_examples(asked.data)
    names = [*examples, *(f"ircad-17, {change}" for change in CHANGES)]
    rows = []
    for name in names:
        if asked.only in name:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                rows.append(pool.apply(_measure_by_name, (name, asked.data)))
            print(json.dumps(rows[-1]), flush=True)
    asked.out.write_text(json.dumps(rows, indent=1))
    for line in build_table(rows):
        print(line)


def _measure_by_name(name: str, data: Path) -> dict[str, object]:
    examples = read_examples(data)
    if name in examples:
        return measure(name, examples[name])
    change = CHANGES[name.removeprefix("ircad-17, ")]
    return measure(name, lambda: change(examples["ircad-17"]()))


if __name__ == "__main__":
    main()
