"""Does a map find recurrences? Voxel AUC and hit rate at recorded sites, beside maps that know nothing or everything.

Beside each model's map stand a uniform map, the nearness to tumours and, where patients are synthetic, the law that
their sites were drawn from: no map can be expected to do better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.ndimage import distance_transform_edt

import star_core
from star_core.cohort.law import compute_where
from star_core.cohort.manifest import Manifest, ManifestPatient, Use, load_input, read_manifest
from star_core.cohort.splits import split_patients
from star_core.errors import BundleError, CohortError
from star_core.evaluation.summary import percentile_interval, write_table
from star_core.imaging.preprocess import PreprocessConfig
from star_core.storage import new_folder, refuse_filled_folder
from star_core.types import (
    N_YEARS,
    DoubleArray,
    FloatArray,
    ModelInput,
    Outcome,
    ProgressCallback,
    RiskMap,
    Structure,
    ignore_progress,
)

if TYPE_CHECKING:
    from star_core.model.bundle import ModelBundle
    from star_core.model.star import Network

Place = tuple[int, int, int]
Patients = Literal["train", "validation", "test", "all"]

UNIFORM, TUMOUR_DISTANCE, TRUE_LAW = "uniform", "tumour distance", "true law"
HIT_SHARES = (0.10, 0.20)
MEASURES = ("voxel AUC", *(f"hit rate, top {100 * share:.0f} %" for share in HIT_SHARES))
FEWEST_SITES = 2
BOOTSTRAP_SAMPLES = 1000
MAPS_HEADER = ("map", "measure", "mean", "lower 95 %", "upper 95 %", "sites", "about")
DIFFERENCE_HEADER = ("map", "against", "measure", "difference", "lower 95 %", "upper 95 %", "sites", "differs", "about")


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRow:
    """Mean of a measure of one map over patients with a site, with its 95 % bootstrap interval.

    With ``against`` it is the paired difference: this map less that one, on the same resampled patients.
    """

    name: str
    measure: str
    value: float
    lower: float
    upper: float
    n: int
    against: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteMeasures:
    """One patient: the year of the recurrence and, by map, the values of ``MEASURES``."""

    patient_id: str
    year: int
    by_map: Mapping[str, tuple[float, ...]]


# --------------------------------------------------------------------------- one map at one site


def find_site(outcome: Outcome, model_input: ModelInput) -> Place | None:
    """Return the model voxel of a recorded recurrence; ``None`` without one, or outside of the tissue at risk."""
    if outcome.site_lps_mm is None:
        return None
    index = np.rint(model_input.geometry.lps_to_index(np.array(outcome.site_lps_mm))).astype(int)
    if (index < 0).any() or (index >= model_input.geometry.shape).any():
        return None
    z, y, x = (int(i) for i in index)
    return (z, y, x) if model_input.at_risk_fraction[z, y, x] > 0 else None


def event_year(outcome: Outcome) -> int:
    """Return the year of the first event, 1 to 12: months / 12 rounded up."""
    return min(max(int(np.ceil(outcome.event_months / 12.0)), 1), N_YEARS)


def to_tissue_density(density: FloatArray, model_input: ModelInput) -> FloatArray:
    """Return a map (D, H, W) per ml of tissue at risk instead of per ml of space; 0 outside of that tissue."""
    tissue = model_input.at_risk_fraction
    return np.divide(density, tissue, out=np.zeros_like(tissue), where=tissue > 0)


def compute_site_auc(density: FloatArray, tissue: FloatArray, site_index: Place) -> float:
    """Return the share of tissue whose density lies below that at the site (ties count one half).

    ``density`` and ``tissue`` are (D, H, W); ``tissue`` weighs each voxel by its share of tissue at risk.
    """
    above, tied = _rank(density, tissue, site_index)
    return 1.0 - above - 0.5 * tied


def compute_site_hit(density: FloatArray, tissue: FloatArray, site_index: Place, share: float) -> float:
    """Return whether the site lies in the ``share`` of tissue with the highest density: 1, 0, or between where tied.

    Tied tissue fills what is left of the share by lot, so a uniform map hits with probability ``share``.
    """
    above, tied = _rank(density, tissue, site_index)
    return float(np.clip((share - above) / tied, 0.0, 1.0))


def _rank(density: FloatArray, tissue: FloatArray, site_index: Place) -> tuple[float, float]:
    """Return the shares of tissue with more than the site's density, and with the same."""
    inside = tissue > 0
    weights, values = tissue[inside].astype(np.float64), density[inside]
    at_site = density[site_index]
    return float(np.average(values > at_site, weights=weights)), float(np.average(values == at_site, weights=weights))


def compute_map_auc(risk_map: RiskMap, model_input: ModelInput, site: Place, outcome: Outcome) -> float:
    """Return the voxel AUC of a risk map by the end of the event's year at its site."""
    density = to_tissue_density(risk_map.density_per_ml[event_year(outcome) - 1], model_input)
    return compute_site_auc(density, model_input.at_risk_fraction, site)


def compute_distance_auc(model_input: ModelInput, site: Place) -> float:
    """Return the voxel AUC at a site of the nearness to tumours."""
    return compute_site_auc(compute_nearness(model_input), model_input.at_risk_fraction, site)


def compute_nearness(model_input: ModelInput) -> FloatArray:
    """Return minus the distance to the nearest tumour, mm (D, H, W); 0 everywhere without tumours."""
    tumour = model_input.fraction_of(Structure.TUMOUR) > 0
    if not tumour.any():
        return np.zeros(tumour.shape, dtype=np.float32)
    distance_mm = distance_transform_edt(~tumour, sampling=model_input.geometry.spacing_mm)
    nearness: FloatArray = -distance_mm.astype(np.float32)
    return nearness


def measure_site(density: FloatArray, tissue: FloatArray, site: Place) -> tuple[float, ...]:
    """Return the values of ``MEASURES`` of a map per ml of tissue."""
    hits = (compute_site_hit(density, tissue, site, share) for share in HIT_SHARES)
    return (compute_site_auc(density, tissue, site), *hits)


# --------------------------------------------------------------------------- a cohort


def check_maps(
    cohort: Path,
    models: Sequence[Path],
    out: Path,
    *,
    patients: Patients = "test",
    seed: int = 0,
    device: str = "auto",
    progress: ProgressCallback = ignore_progress,
) -> tuple[MapRow, ...]:
    """Check the maps of bundles on a cohort with recorded sites and write tables and a figure into a new folder.

    A risk map is taken per ml of tissue at risk by the end of the event's year. ``patients`` are those of one use in
    the split that training draws with ``seed`` (or that the manifest gives), or all where no model learnt from them.
    Source of the randomisation check: Adebayo et al. 2018, arXiv 1810.03292.

    Returns
    -------
    tuple of MapRow
        Means, then paired differences: each model less tumour distance, and less each model named before it.

    Raises
    ------
    BundleError
        When a model is damaged, has no map, or two have the same name.
    CohortError
        When scans were prepared otherwise than a model wants them, or fewer than two patients have a site.
    StorageError
        When ``out`` is not empty or cannot be written.
    """
    from star_core.evaluation.map_checks import CHECKS_HEADER, check_networks
    from star_core.evaluation.map_figure import write_map_figure

    refuse_filled_folder(out)
    manifest = read_manifest(cohort)
    networks = _build_networks(models, manifest)
    chosen = choose_patients(manifest, patients, seed)
    sites, left_out = _measure_sites(networks, manifest, chosen, device, progress)
    checks = check_networks(networks, manifest, chosen, seed=seed, device=device, progress=progress)
    rows = summarise_sites(sites, tuple(networks), seed=seed)
    about = _describe(manifest, patients)
    title = f"Maps at {_count(len(sites), left_out)} {about}"
    with new_folder(out) as folder:
        means = [(r.name, r.measure, r.value, r.lower, r.upper, r.n, about) for r in rows if not r.against]
        write_table(MAPS_HEADER, means, folder / "maps.csv", title=title)
        differences = [(*_difference_cells(row), about) for row in rows if row.against]
        write_table(DIFFERENCE_HEADER, differences, folder / "differences.csv", title=f"{title} Paired differences.")
        _write_sites(sites, folder / "sites.csv", about, title)
        check_cells = [(*row.to_cells(), about) for row in checks]
        write_table((*CHECKS_HEADER, "about"), check_cells, folder / "checks.csv", title=f"Checks of the maps. {about}")
        write_map_figure(rows, title, folder / "maps.png")
    return rows


def choose_patients(manifest: Manifest, patients: Patients, seed: int) -> tuple[ManifestPatient, ...]:
    """Return the patients of one use in the split by ``seed``, or all.

    Raises
    ------
    CohortError
        When the manifest gives a use to some patients only.
    """
    if patients == "all":
        return manifest.patients
    uses: dict[str, Use] = split_patients(manifest, seed=seed)
    return tuple(patient for patient in manifest.patients if uses[patient.patient_id] == patients)


def _build_networks(models: Sequence[Path], manifest: Manifest) -> dict[str, Network]:
    from star_core.model.bundle import read_bundle

    networks: dict[str, Network] = {}
    for folder in models:
        bundle = read_bundle(folder)
        name = bundle.card.name
        if name in (*networks, UNIFORM, TUMOUR_DISTANCE, TRUE_LAW):
            raise BundleError(f"Two maps are called {name!r}.", remedy="Give each model another name.")
        _require_map(bundle, manifest)
        networks[name] = bundle.build_network()
    return networks


def _require_map(bundle: ModelBundle, manifest: Manifest) -> None:
    from star_core.model.bundle import read_preprocessing

    name = bundle.card.name
    if not bundle.card.architecture.has_map:
        raise BundleError(
            f"Model {name!r} has no map: it spreads the liver's risk evenly.",
            remedy="Check models that learn rates of competing causes from scans (presets star and its ablations).",
        )
    if PreprocessConfig.model_validate(manifest.preprocessing) != read_preprocessing(bundle.card):
        raise CohortError(
            f"The scans of cohort {manifest.name!r} were not prepared as model {name!r} wants them.",
            remedy="Make the cohort again with the model's preprocessing, or leave the model out.",
        )


def _measure_sites(
    networks: Mapping[str, Network],
    manifest: Manifest,
    patients: Sequence[ManifestPatient],
    device: str,
    progress: ProgressCallback,
) -> tuple[list[SiteMeasures], int]:
    """Return what each map says at each patient's site, and how many sites lie outside of the tissue at risk."""
    recorded = [patient for patient in patients if patient.outcome.site_lps_mm is not None and patient.has_scan]
    sites, left_out = [], 0
    for done, patient in enumerate(recorded):
        progress(done, len(recorded))
        model_input = load_input(manifest, patient)
        site, year = find_site(patient.outcome, model_input), event_year(patient.outcome)
        if site is None:
            left_out += 1
            continue
        maps = _collect_maps(networks, model_input, year, device, with_law=manifest.is_synthetic)
        tissue = model_input.at_risk_fraction
        by_map = {name: measure_site(density, tissue, site) for name, density in maps.items()}
        sites.append(SiteMeasures(patient_id=patient.patient_id, year=year, by_map=by_map))
    progress(len(recorded), len(recorded))
    if len(sites) < FEWEST_SITES:
        raise CohortError(
            f"Of {len(patients)} patients of cohort {manifest.name!r} {len(sites)} have a recorded site of liver "
            f"recurrence in the tissue at risk, expected at least {FEWEST_SITES}.",
            remedy="Choose other patients (--split all), or a cohort that records sites.",
        )
    return sites, left_out


def _collect_maps(
    networks: Mapping[str, Network], model_input: ModelInput, year: int, device: str, *, with_law: bool
) -> dict[str, FloatArray]:
    """Return every map (D, H, W) per ml of tissue for one patient and year."""
    maps = {name: predict_density(network, model_input, year, device) for name, network in networks.items()}
    maps[TUMOUR_DISTANCE] = compute_nearness(model_input)
    maps[UNIFORM] = np.zeros_like(model_input.at_risk_fraction)
    if with_law:
        maps[TRUE_LAW] = to_tissue_density(compute_where(model_input)[year - 1], model_input)
    return maps


def predict_density(network: Network, model_input: ModelInput, year: int, device: str) -> FloatArray:
    """Return a network's risk by the end of a year per ml of tissue at risk, float32 (D, H, W)."""
    from star_core.model.predict import choose_device, predict

    prediction = predict(network, model_input, (0,) * N_YEARS, device=choose_device(device))
    return to_tissue_density(prediction.risk_map.density_per_ml[year - 1], model_input)


# --------------------------------------------------------------------------- tables


def summarise_sites(sites: Sequence[SiteMeasures], models: Sequence[str], *, seed: int) -> tuple[MapRow, ...]:
    """Return means of every map and paired differences of the models, with intervals over resampled patients.

    Each model is set against tumour distance, the true law where it is known, and the models named before it.
    """
    names = list(sites[0].by_map)
    values = np.array([[site.by_map[name] for name in names] for site in sites])
    picks = np.random.default_rng(seed).integers(0, len(sites), (BOOTSTRAP_SAMPLES, len(sites)))
    samples = np.stack([values[pick].mean(axis=0) for pick in picks])
    mean = values.mean(axis=0)
    rows = [row for place, name in enumerate(names) for row in _rows(name, "", mean[place], samples[:, place], sites)]
    for number, model in enumerate(models):
        one = names.index(model)
        for against in (TUMOUR_DISTANCE, *(name for name in (TRUE_LAW,) if name in names), *models[:number]):
            other = names.index(against)
            rows += _rows(model, against, mean[one] - mean[other], samples[:, one] - samples[:, other], sites)
    return tuple(rows)


def _rows(
    name: str, against: str, values: DoubleArray, samples: DoubleArray, sites: Sequence[SiteMeasures]
) -> list[MapRow]:
    rows = []
    for place, measure in enumerate(MEASURES):
        lower, upper = percentile_interval(samples[:, place])
        rows.append(
            MapRow(
                name=name,
                measure=measure,
                value=float(values[place]),
                lower=lower,
                upper=upper,
                n=len(sites),
                against=against,
            )
        )
    return rows


def _difference_cells(row: MapRow) -> tuple[object, ...]:
    differs = "yes" if row.lower > 0 or row.upper < 0 else "no"
    return row.name, row.against, row.measure, row.value, row.lower, row.upper, row.n, differs


def _write_sites(sites: Sequence[SiteMeasures], path: Path, about: str, title: str) -> None:
    names = list(sites[0].by_map)
    header = ("patient_id", "year", *(f"{name}: {measure}" for name in names for measure in MEASURES), "about")
    cells = [
        (site.patient_id, site.year, *(value for name in names for value in site.by_map[name]), about) for site in sites
    ]
    write_table(header, cells, path, title=f"{title} One row a patient.")


def _describe(manifest: Manifest, patients: Patients) -> str:
    """Return whose sites these are, and the notice, for every table and the figure."""
    kind = "synthetic patients" if manifest.is_synthetic else "patients"
    use = "all" if patients == "all" else f"{patients} set"
    return f"Cohort {manifest.name!r} of {kind}, {use}. {star_core.RESEARCH_NOTICE}"


def _count(n: int, left_out: int) -> str:
    outside = f" ({left_out} more lie outside of the tissue at risk)" if left_out else ""
    few = " Fewer than 10 sites: intervals say little." if n < 10 else ""
    return f"{n} recorded sites of liver recurrence{outside}.{few}"
