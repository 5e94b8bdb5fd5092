"""Phantoms: fully synthetic patients with a CT, structures, a record and outcomes under a known law."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from star_core.cohort import anatomy
from star_core.cohort.anatomy import Canvas, Tumour
from star_core.cohort.body import draw_body, paint_hu, to_bits
from star_core.cohort.journal import Prepared, open_partial
from star_core.cohort.law import (
    PhantomLaw,
    TumourBurden,
    compute_rates,
    compute_where,
    draw_outcome,
    draw_record,
)
from star_core.cohort.manifest import Manifest, ManifestPatient, write_input
from star_core.cohort.prepare import build_model_input
from star_core.imaging.preprocess import PreprocessConfig
from star_core.types import (
    STRUCTURES,
    Acquisition,
    BoolArray,
    ClinicalRecord,
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
    body = draw_body(canvas)
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
    voxels_hu = paint_hu(canvas, body, structures, burden.steatosis, generator)
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
            bits=to_bits(structures),
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
        When the beginning of another cohort lies there.
    """
    config = config or PreprocessConfig()
    identity = {"kind": "phantom", "seed": seed, "preprocessing": config.model_dump(mode="json")}
    with open_partial(folder, identity) as begun:
        drawn = begun.prepare(range(n), partial(_write_phantom, seed, config), workers=workers, progress=progress)
        return begun.finish(
            Manifest(
                folder=folder,
                kind="phantom",
                name=f"{n} phantoms, seed {seed}",
                created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
                seed=seed,
                preprocessing=config.model_dump(mode="json"),
                patients=tuple(result.patient for result in drawn if result.patient is not None),
            )
        )


def _write_phantom(seed: int, config: PreprocessConfig, folder: Path, number: int) -> Prepared:
    phantom = draw_phantom(seed * 1_000_003 + number, config=config)
    patient = ManifestPatient(
        patient_id=f"PHANTOM-{seed:04d}-{number:05d}",
        input_sha256=write_input(folder, phantom.model_input),
        clinical=phantom.clinical,
        outcome=phantom.outcome,
    )
    return Prepared(patient_id=patient.patient_id, patient=patient)
