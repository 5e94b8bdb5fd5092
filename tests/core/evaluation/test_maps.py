"""Maps at known sites: measures by hand, peers that must rank as they do, checks of what a map comes from."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from star_core import api
from star_core.cohort.law import compute_where, draw_site
from star_core.cohort.manifest import Manifest, load_input
from star_core.errors import BundleError, CohortError
from star_core.evaluation.map_checks import (
    CHECKS,
    HEADS,
    TRACKER,
    check_networks,
    compute_nearness_ratio,
    compute_rank_correlation,
    randomise,
    remove_tumours,
)
from star_core.evaluation.maps import (
    MEASURES,
    TRUE_LAW,
    TUMOUR_DISTANCE,
    UNIFORM,
    SiteMeasures,
    compute_nearness,
    compute_site_auc,
    compute_site_hit,
    event_year,
    find_site,
    measure_site,
    predict_density,
    summarise_sites,
    to_tissue_density,
)
from star_core.model.bundle import write_bundle
from star_core.model.config import OutcomeModel, StarConfig
from star_core.model.star import Star
from star_core.types import ModelInput, Outcome, Structure
from tests.core.conftest import SMALL, SMALL_GRID, build_card, build_config

TINY = build_config().model_copy(update={"grid_shape": SMALL_GRID, "channels": (4, 8, 8, 8), "width": 16})


def build_tiny(seed: int = 0, config: StarConfig = TINY) -> Star:
    torch.manual_seed(seed)
    return Star(config).eval()


def write_tiny(folder: Path, name: str, config: StarConfig = TINY) -> Path:
    card = build_card(name).model_copy(update={"architecture": config, "preprocessing": SMALL.model_dump(mode="json")})
    write_bundle(card, build_tiny(len(name), config).state_dict(), folder / name)
    return folder / name


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_site_auc_counts_tissue_below_the_site() -> None:
    density = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    tissue = np.ones((2, 2, 2), np.float32)
    tissue[0, 0, 0] = 0
    assert compute_site_auc(density, tissue, (1, 1, 1)) == pytest.approx(6.5 / 7)
    assert compute_site_auc(np.zeros_like(density), tissue, (1, 1, 1)) == 0.5


def test_a_hit_is_a_site_in_the_top_share_of_tissue() -> None:
    density = np.arange(10, dtype=np.float32).reshape(1, 1, 10)
    tissue = np.ones((1, 1, 10), np.float32)
    assert compute_site_hit(density, tissue, (0, 0, 9), 0.1) == 1.0
    assert compute_site_hit(density, tissue, (0, 0, 8), 0.1) == 0.0
    assert compute_site_hit(density, tissue, (0, 0, 8), 0.2) == pytest.approx(1.0)
    # A voxel that straddles the limit hits for the part of it that is within.
    assert compute_site_hit(density, tissue, (0, 0, 8), 0.15) == pytest.approx(0.5)
    tissue[0, 0, 9] = 0.0
    assert compute_site_hit(density, tissue, (0, 0, 8), 0.2) == 1.0


def test_a_uniform_map_has_auc_one_half_and_hits_by_chance(small_input: ModelInput) -> None:
    tissue = small_input.at_risk_fraction
    site = tuple(int(i) for i in np.argwhere(tissue > 0)[7])
    assert measure_site(np.zeros_like(tissue), tissue, site) == pytest.approx((0.5, 0.1, 0.2))


def test_a_site_is_found_in_tissue_only(small_input: ModelInput) -> None:
    place = np.argwhere(small_input.at_risk_fraction > 0)[3]
    outcome = Outcome(event_months=13.0, cause=None, survival_months=40.0, died=False)
    assert find_site(outcome, small_input) is None
    inside, outside = (
        replace(outcome, site_lps_mm=tuple(small_input.geometry.index_to_lps(np.array(index, np.float64))))
        for index in (place, (0, 0, 0))
    )
    assert find_site(inside, small_input) == tuple(place)
    assert find_site(outside, small_input) is None
    assert event_year(outcome) == 2
    assert [event_year(replace(outcome, event_months=months)) for months in (0.0, 12.0, 200.0)] == [1, 1, 12]


def test_sites_drawn_from_the_law_rank_law_and_distance_over_uniform(small_input: ModelInput) -> None:
    generator = np.random.default_rng(0)
    tissue, where = small_input.at_risk_fraction, compute_where(small_input)[0]
    maps = {TRUE_LAW: to_tissue_density(where, small_input), TUMOUR_DISTANCE: compute_nearness(small_input)}
    found: dict[str, list[float]] = {name: [] for name in maps}
    for _ in range(300):
        outcome = Outcome(event_months=6.0, cause=None, survival_months=9.0, died=False)
        site = find_site(replace(outcome, site_lps_mm=draw_site(where, small_input, generator)), small_input)
        assert site is not None
        for name, density in maps.items():
            found[name].append(compute_site_auc(density, tissue, site))
    law, distance = (float(np.mean(found[name])) for name in (TRUE_LAW, TUMOUR_DISTANCE))
    assert law > distance - 0.01
    assert distance > 0.53


def test_differences_are_paired_by_patient() -> None:
    generator = np.random.default_rng(1)
    hard = generator.random(40)
    sites = [
        SiteMeasures(
            patient_id=f"p{n}",
            year=1,
            by_map={"ours": (value + 0.1,) * 3, TUMOUR_DISTANCE: (value,) * 3, UNIFORM: (0.5, 0.1, 0.2)},
        )
        for n, value in enumerate(hard)
    ]
    rows = summarise_sites(sites, ("ours",), seed=0)
    mean = next(row for row in rows if row.name == "ours" and not row.against and row.measure == MEASURES[0])
    paired = next(row for row in rows if row.against == TUMOUR_DISTANCE and row.measure == MEASURES[0])
    assert mean.value == pytest.approx(hard.mean() + 0.1)
    assert mean.lower < mean.value < mean.upper
    assert (paired.lower, paired.value, paired.upper) == pytest.approx((0.1, 0.1, 0.1))


def test_checking_maps_writes_tables_and_a_figure(small_cohort: Manifest, tmp_path: Path) -> None:
    models = [str(write_tiny(tmp_path, name)) for name in ("one", "other")]
    rows = api.check_maps(small_cohort.folder, models, tmp_path / "out", patients="all")
    names = {row.name for row in rows}
    assert names == {"one", "other", UNIFORM, TUMOUR_DISTANCE, TRUE_LAW}
    assert {(row.name, row.against) for row in rows if row.against} == {
        ("one", TUMOUR_DISTANCE),
        ("one", TRUE_LAW),
        ("other", TUMOUR_DISTANCE),
        ("other", TRUE_LAW),
        ("other", "one"),
    }
    uniform = {row.measure: row.value for row in rows if row.name == UNIFORM}
    assert list(uniform.values()) == pytest.approx([0.5, 0.1, 0.2])
    sites = read_rows(tmp_path / "out" / "sites.csv")
    assert len(sites) == rows[0].n
    assert {row["check"] for row in read_rows(tmp_path / "out" / "checks.csv")} == set(CHECKS)
    for name in ("maps", "differences", "sites", "checks"):
        for suffix in ("csv", "md"):
            text = (tmp_path / "out" / f"{name}.{suffix}").read_text(encoding="utf-8")
            assert "synthetic patients" in text
            assert "Research use only" in text
    assert (tmp_path / "out" / "maps.png").read_bytes().startswith(b"\x89PNG")


def test_a_model_without_a_map_is_refused(small_cohort: Manifest, tmp_path: Path) -> None:
    flat = TINY.model_copy(update={"outcome": OutcomeModel.YEAR_CLASS})
    with pytest.raises(BundleError, match="has no map"):
        api.check_maps(small_cohort.folder, [str(write_tiny(tmp_path, "flat", flat))], tmp_path / "out")
    one = str(write_tiny(tmp_path, "one"))
    with pytest.raises(BundleError, match="Two maps"):
        api.check_maps(small_cohort.folder, [one, one], tmp_path / "out")


def test_too_few_sites_are_refused(small_cohort: Manifest, tmp_path: Path) -> None:
    without = tuple(
        replace(patient, outcome=replace(patient.outcome, site_lps_mm=None)) for patient in small_cohort.patients
    )
    from star_core.evaluation.maps import _measure_sites

    with pytest.raises(CohortError, match="0 have a recorded site"):
        _measure_sites({}, small_cohort, without, "cpu", lambda done, total: None)


# --------------------------------------------------------------------------- checks


def test_rank_correlation_by_hand() -> None:
    one = np.array([[[1.0, 2.0, 3.0, 9.0]]], np.float32)
    inside = np.array([[[True, True, True, False]]])
    assert compute_rank_correlation(one, one**2, inside) == pytest.approx(1.0)
    assert compute_rank_correlation(one, -one, inside) == pytest.approx(-1.0)
    assert compute_rank_correlation(one, np.zeros_like(one), inside) == 0.0


def test_only_the_named_parts_are_drawn_anew() -> None:
    network = build_tiny(1)
    for parts in (HEADS, TRACKER):
        changed = {
            name
            for (name, old), new in zip(
                network.state_dict().items(), randomise(network, parts, 7).state_dict().values(), strict=True
            )
            if not torch.equal(old, new)
        }
        assert changed
        assert all(name.startswith(parts) for name in changed)


def test_a_map_drawn_from_random_heads_differs_in_order(small_input: ModelInput) -> None:
    network = build_tiny(1)
    density, other = (
        predict_density(each, small_input, 5, "cpu") for each in (network, randomise(network, HEADS, seed=3))
    )
    assert abs(compute_rank_correlation(density, other, small_input.at_risk_fraction > 0)) < 0.99


def test_removing_tumours_leaves_parenchyma_and_the_tissue_at_risk(small_input: ModelInput) -> None:
    tumour = small_input.fraction_of(Structure.TUMOUR) > 0
    without = remove_tumours(small_input)
    assert not without.fraction_of(Structure.TUMOUR).any()
    np.testing.assert_array_equal(without.at_risk_fraction, small_input.at_risk_fraction)
    assert len(np.unique(without.image[0, tumour])) == 1
    far = small_input.fraction_of(Structure.LIVER) == 0
    np.testing.assert_array_equal(without.image[0, far & ~tumour], small_input.image[0, far & ~tumour])


def test_the_law_is_denser_near_tumours(small_input: ModelInput) -> None:
    law = to_tissue_density(compute_where(small_input)[0], small_input)
    assert compute_nearness_ratio(law, small_input) > 1.2
    assert compute_nearness_ratio(np.ones_like(law), small_input) == pytest.approx(1.0)


def test_checks_run_on_ten_patients_at_most(small_cohort: Manifest) -> None:
    rows = check_networks({"tiny": build_tiny()}, small_cohort, small_cohort.patients[:3], seed=0, device="cpu")
    assert [row.check for row in rows] == list(CHECKS)
    assert all(row.n <= 3 and row.lower <= row.value <= row.upper for row in rows)
    assert load_input(small_cohort, small_cohort.patients[0]).geometry.shape == SMALL_GRID
