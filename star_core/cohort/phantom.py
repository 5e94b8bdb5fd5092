"""Phantoms: fully synthetic patients with a CT, structures, a record and outcomes under a known law."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from star_core.cohort import anatomy
from star_core.cohort.anatomy import Canvas, Tumour
from star_core.cohort.law import (
    PhantomLaw,
    TumourBurden,
    compute_rates,
    compute_where,
    draw_outcome,
    draw_record,
)
from star_core.cohort.manifest import Manifest, ManifestPatient, read_manifest, write_input, write_manifest
from star_core.cohort.prepare import build_model_input
from star_core.errors import CohortError
from star_core.imaging.preprocess import PreprocessConfig
from star_core.storage import refuse_filled_folder, storage_error
from star_core.types import (
    STRUCTURES,
    Acquisition,
    BoolArray,
    ClinicalRecord,
    FloatArray,
    Geometry,
    Masks,
    ModelInput,
    Outcome,
    ProgressCallback,
    Structure,
    Volume,
    ignore_progress,
)

RESECTION_MARGIN_MM = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomScan:
    """What a phantom's scanner saw, and what a reader would outline."""

    volume: Volume
    masks: Masks
    burden: TumourBurden


@dataclass(frozen=True, slots=True, kw_only=True)
class Phantom:
    """One synthetic patient, ready for the network, with the truth."""

    model_input: ModelInput
    clinical: ClinicalRecord
    outcome: Outcome
    law: PhantomLaw


def draw_phantom(seed: int, *, config: PreprocessConfig | None = None) -> Phantom:
    """Return the phantom of a seed, drawn on a coarse CT grid (256 x 256, 4 to 6 mm)."""
    generator = np.random.default_rng([seed, 1])
    scan = draw_scan(generator, slice_mm=float(generator.uniform(4.0, 6.0)), in_plane=256)
    clinical = draw_record(scan.burden, generator)
    model_input = build_model_input(scan.volume, scan.masks, clinical, config=config)
    law = PhantomLaw(rates=compute_rates(scan.burden), where=compute_where(model_input))
    outcome = draw_outcome(law, model_input, generator)
    return Phantom(model_input=model_input, clinical=clinical, outcome=outcome, law=law)


def draw_burden(generator: np.random.Generator) -> TumourBurden:
    """Draw number, size and the fields that the law uses, with the MSKCC table's marginals."""
    number = int(min(1 + generator.geometric(0.42) - 1, 10))
    largest_cm = float(np.clip(generator.lognormal(1.1, 0.6), 0.6, 11.0))
    return TumourBurden(
        number=number,
        largest_cm=largest_cm,
        bilobar=bool(number > 1 and generator.random() < 0.7),
        cea_ng_ml=float(np.clip(generator.lognormal(2.2, 1.6), 0.3, 4000.0)),
        steatosis=bool(generator.random() < 0.4),
        node_positive=bool(generator.random() < 0.6),
        synchronous=bool(generator.random() < 0.55),
        extrahepatic=bool(generator.random() < 0.1),
        age_years=float(np.clip(generator.normal(60.0, 12.0), 30.0, 88.0)),
        comorbidity=bool(generator.random() < 0.5),
    )


def draw_scan(
    generator: np.random.Generator,
    *,
    slice_mm: float,
    in_plane: int,
    burden: TumourBurden | None = None,
) -> PhantomScan:
    """Draw the CT and the structures of one synthetic patient.

    Parameters
    ----------
    generator
        Source of all randomness.
    slice_mm
        Distance of slices.
    in_plane
        Rows and columns; the field of view is about 380 mm.
    burden
        Tumours and record to draw; drawn too when not given.
    """
    burden = burden or draw_burden(generator)
    canvas = Canvas(_draw_geometry(generator, slice_mm, in_plane))
    scale = float(np.clip(generator.normal(0.93, 0.06), 0.8, 1.1))
    body = _draw_body(canvas)
    liver = anatomy.draw_liver(canvas, scale, generator) & (body["inside"] | body["lungs"])
    trunk, branches = anatomy.grow_portal_tree(scale, generator)
    portal = canvas.draw_tubes(trunk) | (canvas.draw_tubes(branches) & liver)
    hepatic = canvas.draw_tubes(anatomy.grow_hepatic_tree(scale, generator)) & liver & ~portal
    others = 0.5 * burden.largest_cm * generator.uniform(0.25, 0.9, burden.number - 1)
    radii_mm = 10.0 * np.concatenate([[0.5 * burden.largest_cm], np.maximum(others, 0.3)])
    tumours = anatomy.draw_tumours(canvas, liver, radii_mm, burden.bilobar, generator)
    tumour = anatomy.tumour_mask(canvas, tumours) & liver
    remnant = _resect(canvas, liver, tumours)
    structures = {
        Structure.LIVER: liver,
        Structure.REMNANT: remnant & ~tumour,
        Structure.HEPATIC_VEINS: hepatic & ~tumour,
        Structure.PORTAL_VEINS: portal & ~tumour,
        Structure.TUMOUR: tumour,
    }
    voxels_hu = _to_hu(canvas, body, structures, burden, generator)
    number = int(generator.integers(1, 2**62)) * 4
    uid, frame_uid, study_uid, seg_uid = (f"2.25.{number + place}" for place in range(4))
    return PhantomScan(
        volume=Volume(
            voxels_hu=voxels_hu,
            geometry=canvas.geometry,
            series_uid=uid,
            acquisition=Acquisition(
                frame_of_reference_uid=frame_uid,
                study_uid=study_uid,
                series_description="SYNTHETIC PHANTOM",
                slice_thickness_mm=slice_mm,
                patient_position="HFS",
                contrast_agent="simulated portal venous phase",
            ),
        ),
        masks=Masks(
            bits=_to_bits(structures),
            geometry=canvas.geometry,
            known=Structure(sum(STRUCTURES)),
            series_uid=seg_uid,
            lesion_count=len(tumours),
        ),
        burden=burden,
    )


def _draw_geometry(generator: np.random.Generator, slice_mm: float, in_plane: int) -> Geometry:
    field_mm = float(generator.uniform(360.0, 400.0))
    pixel_mm = field_mm / in_plane
    top_mm, bottom_mm = float(generator.uniform(95.0, 120.0)), float(generator.uniform(-150.0, -120.0))
    slices = int((top_mm - bottom_mm) / slice_mm)
    affine = np.array(
        [
            [0.0, 0.0, pixel_mm, -field_mm / 2 + pixel_mm / 2 - 8.0],
            [0.0, pixel_mm, 0.0, -field_mm / 2 + pixel_mm / 2 + 8.0],
            [slice_mm, 0.0, 0.0, bottom_mm],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )
    return Geometry(shape=(slices, in_plane, in_plane), affine_lps=affine)


def _draw_body(canvas: Canvas) -> dict[str, BoolArray]:
    """Return the trunk and the organs around the liver."""
    box = (slice(None), slice(None), slice(None))
    x, y, z = canvas.coordinates(box)
    trunk = ((x / 172) ** 2 + ((y - 8) / 122) ** 2) + 0.0 * z < 1.0
    muscle = ((x / 156) ** 2 + ((y - 8) / 107) ** 2) + 0.0 * z < 1.0
    inside = ((x / 148) ** 2 + ((y - 8) / 99) ** 2) + 0.0 * z < 1.0
    dome = 70.0 - ((x + 60) / 105) ** 2 * 55 - ((y - 5) / 95) ** 2 * 40
    dome_left = 74.0 - ((x - 75) / 75) ** 2 * 50 - ((y - 5) / 95) ** 2 * 40
    lungs = inside & (z > np.maximum(dome, dome_left)) & ((x + 5) ** 2 + (y + 10) ** 2 > 45**2)
    organs = {
        "spleen": canvas.ellipsoid(np.array([108.0, 38.0, 28.0]), np.array([32.0, 46.0, 50.0])),
        "kidneys": canvas.ellipsoid(np.array([-62.0, 70.0, -55.0]), np.array([29.0, 27.0, 52.0]))
        | canvas.ellipsoid(np.array([62.0, 72.0, -40.0]), np.array([29.0, 27.0, 52.0])),
        "stomach": canvas.ellipsoid(np.array([62.0, -38.0, 8.0]), np.array([46.0, 34.0, 42.0])),
        "bowel": canvas.ellipsoid(np.array([30.0, -40.0, -95.0]), np.array([95.0, 42.0, 45.0])),
        "heart": canvas.ellipsoid(np.array([20.0, -35.0, 125.0]), np.array([58.0, 48.0, 45.0])),
        "spine": canvas.ellipsoid(np.array([0.0, 72.0, 0.0]), np.array([23.0, 19.0, 500.0])),
        "canal": canvas.ellipsoid(np.array([0.0, 95.0, 0.0]), np.array([9.0, 8.0, 500.0])),
        "aorta": canvas.ellipsoid(np.array([14.0, 44.0, 0.0]), np.array([10.0, 10.0, 500.0])),
        "cava": canvas.ellipsoid(np.array([-18.0, 36.0, 0.0]), np.array([12.0, 9.0, 500.0])),
    }
    return {"trunk": trunk, "muscle": muscle, "inside": inside & ~lungs, "lungs": lungs, **organs}


def _resect(canvas: Canvas, liver: BoolArray, tumours: list[Tumour]) -> BoolArray:
    """Return the future remnant: a hemihepatectomy for bulky disease of one side, else wedges with a margin."""
    sides = {tumour.right for tumour in tumours}
    if len(sides) == 1 and max(tumour.radius_mm for tumour in tumours) > 22.0:
        x, y, z = canvas.coordinates((slice(None), slice(None), slice(None)))
        on_right = (x + 0.35 * y + 0.0 * z) < -24.0
        remnant: BoolArray = liver & (~on_right if sides == {True} else on_right)
        if remnant.sum() > 0.25 * liver.sum():
            return remnant
    wedges = anatomy.tumour_mask(canvas, tumours, RESECTION_MARGIN_MM)
    remnant = liver & ~wedges
    return remnant if remnant.sum() > 0.2 * liver.sum() else liver


def _to_hu(
    canvas: Canvas,
    body: Mapping[str, BoolArray],
    structures: Mapping[Structure, BoolArray],
    burden: TumourBurden,
    generator: np.random.Generator,
) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    """Paint tissues in HU, blur by the scanner, add noise."""
    liver_hu = float(generator.normal(80.0 if burden.steatosis else 110.0, 8.0))
    vessel_hu = float(generator.normal(165.0, 12.0))
    tumour_hu = float(generator.normal(min(68.0, liver_hu - 18.0), 6.0))
    hu: FloatArray = np.full(canvas.geometry.shape, -1000.0, dtype=np.float32)
    for name, value in (("trunk", -100.0), ("muscle", 58.0), ("inside", -95.0), ("lungs", -860.0)):
        hu[body[name]] = value
    for name, value in (
        ("bowel", 25.0),
        ("stomach", 12.0),
        ("spleen", 122.0),
        ("kidneys", 185.0),
        ("heart", 140.0),
    ):
        hu[body[name] & (body["inside"] | body["lungs"])] = value
    hu[structures[Structure.LIVER]] = liver_hu
    for name, value in (("cava", 145.0), ("aorta", 160.0), ("spine", 230.0), ("canal", 30.0)):
        hu[body[name]] = value
    hu[structures[Structure.HEPATIC_VEINS]] = vessel_hu - 8.0
    hu[structures[Structure.PORTAL_VEINS]] = vessel_hu
    tumour = structures[Structure.TUMOUR]
    hu[tumour] = tumour_hu
    hu = anatomy.soften(hu, canvas.geometry.spacing_mm, 1.1)
    hu += 5.0 * anatomy.smooth_noise(hu.shape, (6, 12, 12), generator) * (hu > -50)
    noise = generator.standard_normal(hu.shape, dtype=np.float32)
    hu += 11.0 * anatomy.soften(noise, (4.0, 1.0, 1.0), 0.7) * 1.8
    return np.rint(np.clip(hu, -1024.0, 1500.0)).astype(np.int16)


def _to_bits(structures: Mapping[Structure, BoolArray]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    first = next(iter(structures.values()))
    bits = np.zeros(first.shape, dtype=np.uint8)
    for structure, mask in structures.items():
        bits |= mask.astype(np.uint8) * np.uint8(structure)
    return bits


# --------------------------------------------------------------------------- cohorts


def write_phantom_cohort(
    n: int,
    folder: Path,
    *,
    seed: int = 0,
    config: PreprocessConfig | None = None,
    workers: int = 1,
    progress: ProgressCallback = ignore_progress,
) -> Manifest:
    """Write a cohort of ``n`` phantoms; a run that was interrupted goes on where it stopped when called again.

    The patients are the same for any number of ``workers``.

    Raises
    ------
    StorageError
        When the folder holds something else or cannot be written.
    CohortError
        When the folder holds the beginning of another phantom cohort.
    """
    journal = folder / "drawn.jsonl"
    if not journal.is_file():
        refuse_filled_folder(folder)
    config = config or PreprocessConfig()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        drawn = _read_journal(journal, seed)
        with journal.open("a", encoding="utf-8") as lines, _workers(workers) as run:
            todo = range(len(drawn), n)
            for number, patient in zip(todo, run(partial(_write_phantom, folder, seed, config), todo), strict=True):
                drawn.append(patient)
                lines.write(json.dumps(_to_line(patient, seed)) + "\n")
                lines.flush()
                progress(number + 1, n)
    except OSError as error:
        raise storage_error(folder, error) from error
    manifest = Manifest(
        folder=folder,
        kind="phantom",
        name=f"{n} phantoms, seed {seed}",
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=seed,
        preprocessing=config.model_dump(mode="json"),
        patients=tuple(drawn[:n]),
    )
    write_manifest(manifest)
    journal.unlink()
    return read_manifest(folder)


@contextmanager
def _workers(count: int) -> Iterator[Callable[..., Iterator[ManifestPatient]]]:
    """Give a ``map`` over as many processes."""
    if count == 1:
        yield map
        return
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        yield pool.map


def _write_phantom(folder: Path, seed: int, config: PreprocessConfig, number: int) -> ManifestPatient:
    phantom = draw_phantom(seed * 1_000_003 + number, config=config)
    return ManifestPatient(
        patient_id=f"PHANTOM-{seed:04d}-{number:05d}",
        input_sha256=write_input(folder, phantom.model_input),
        clinical=phantom.clinical,
        outcome=phantom.outcome,
    )


def _to_line(patient: ManifestPatient, seed: int) -> dict[str, object]:
    from star_core.clinical.record import record_to_mapping

    outcome = patient.outcome
    return {
        "seed": seed,
        "patient_id": patient.patient_id,
        "input_sha256": patient.input_sha256,
        "clinical": record_to_mapping(patient.clinical),
        "outcome": [
            outcome.event_months,
            outcome.cause,
            outcome.survival_months,
            outcome.died,
            outcome.site_lps_mm,
        ],
    }


def _read_journal(journal: Path, seed: int) -> list[ManifestPatient]:
    from star_core.clinical.record import record_from_mapping
    from star_core.types import Cause

    if not journal.is_file():
        return []
    patients = []
    for line in journal.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            break  # a killed run may leave half a line
        if entry["seed"] != seed:
            raise CohortError(
                f"Folder {journal.parent.name!r} holds the beginning of a cohort with seed {entry['seed']}.",
                remedy="Use that seed to go on, or choose another folder.",
            )
        months, cause, survival_months, died, site = entry["outcome"]
        patients.append(
            ManifestPatient(
                patient_id=entry["patient_id"],
                input_sha256=entry["input_sha256"],
                clinical=record_from_mapping(entry["clinical"]),
                outcome=Outcome(
                    event_months=months,
                    cause=None if cause is None else Cause(cause),
                    survival_months=survival_months,
                    died=died,
                    site_lps_mm=None if site is None else (site[0], site[1], site[2]),
                ),
            )
        )
    return patients
