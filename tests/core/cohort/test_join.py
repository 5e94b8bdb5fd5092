"""Cohorts joined: prepared alike, patients apart, kinds told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from star_core.cohort.join import join_cohorts
from star_core.cohort.manifest import Kind, Manifest, ManifestPatient, load_input, write_input, write_manifest
from star_core.cohort.phantom import Phantom
from star_core.errors import CohortError
from star_core.types import FloatArray


def write_cohort(
    folder: Path, phantom: Phantom, kind: Kind, names: tuple[str, ...], *, mark: float, reduce: int = 1
) -> Manifest:
    """Write patients whose scans are tiny and differ in one value."""
    patients = []
    for number, name in enumerate(names):
        image: FloatArray = phantom.model_input.image[:, :2].copy()
        image[0, 0, 0, 0] = mark + number / 128
        scan = replace(phantom.model_input, image=image, fractions=phantom.model_input.fractions[:, :2])
        patients.append(
            ManifestPatient(
                patient_id=name,
                input_sha256=write_input(folder, scan),
                clinical=phantom.clinical,
                outcome=phantom.outcome,
                split="train" if kind == "twin" else None,
            )
        )
    manifest = Manifest(
        folder=folder,
        kind=kind,
        name=f"cohort {folder.name}",
        created_utc="2026-01-01T00:00:00+00:00",
        seed=1,
        preprocessing={"reduce": reduce},
        patients=tuple(patients),
    )
    write_manifest(manifest)
    return manifest


def test_twins_and_phantoms_become_a_synthetic_cohort(phantom: Phantom, tmp_path: Path) -> None:
    twins = write_cohort(tmp_path / "twins", phantom, "twin", ("TWIN-1", "X"), mark=0.0)
    phantoms = write_cohort(tmp_path / "phantoms", phantom, "phantom", ("PHANTOM-1", "X"), mark=0.5)
    joined = join_cohorts([twins.folder, phantoms.folder], tmp_path / "both")
    assert joined.kind == "synthetic"
    assert joined.is_synthetic
    assert [patient.patient_id for patient in joined.patients] == ["TWIN-1", "1-X", "PHANTOM-1", "2-X"]
    assert {patient.split for patient in joined.patients} == {None}
    assert load_input(joined, joined.patients[3]).image[0, 0, 0, 0] == pytest.approx(0.5 + 1 / 128)
    # Scans are linked, not copied, on one disk.
    for path in (joined.folder / "inputs").iterdir():
        assert path.stat().st_nlink == 2


def test_cohorts_of_one_kind_keep_it(phantom: Phantom, tmp_path: Path) -> None:
    first = write_cohort(tmp_path / "a", phantom, "phantom", ("P-1",), mark=0.0)
    second = write_cohort(tmp_path / "b", phantom, "phantom", ("P-2",), mark=0.5)
    assert join_cohorts([first.folder, second.folder], tmp_path / "both").kind == "phantom"


def test_a_setting_that_a_manifest_leaves_out_is_at_its_default(phantom: Phantom, tmp_path: Path) -> None:
    first = write_cohort(tmp_path / "a", phantom, "phantom", ("P-1",), mark=0.0)
    second = write_cohort(tmp_path / "b", phantom, "phantom", ("P-2",), mark=0.5)
    write_manifest(replace(second, preprocessing={}))
    assert len(join_cohorts([first.folder, second.folder], tmp_path / "both").patients) == 2


def test_scans_prepared_otherwise_are_refused(phantom: Phantom, tmp_path: Path) -> None:
    first = write_cohort(tmp_path / "a", phantom, "phantom", ("P-1",), mark=0.0)
    second = write_cohort(tmp_path / "b", phantom, "phantom", ("P-2",), mark=0.5, reduce=2)
    with pytest.raises(CohortError, match="reduce is 1 and 2"):
        join_cohorts([first.folder, second.folder], tmp_path / "both")


def test_synthetic_and_real_patients_are_not_joined(phantom: Phantom, tmp_path: Path) -> None:
    first = write_cohort(tmp_path / "a", phantom, "phantom", ("P-1",), mark=0.0)
    second = write_cohort(tmp_path / "b", phantom, "tcia", ("P-2",), mark=0.5)
    with pytest.raises(CohortError, match="Synthetic and real"):
        join_cohorts([first.folder, second.folder], tmp_path / "both")


@pytest.mark.parametrize(("kind", "mark"), [("phantom", 0.0), ("twin", 0.5)])
def test_a_patient_who_is_in_two_cohorts_is_named(phantom: Phantom, tmp_path: Path, kind: Kind, mark: float) -> None:
    first = write_cohort(tmp_path / "a", phantom, kind, ("P-1",), mark=0.0)
    second = write_cohort(tmp_path / "b", phantom, kind, ("P-1",), mark=mark)
    with pytest.raises(CohortError, match="P-1 is in two"):
        join_cohorts([first.folder, second.folder], tmp_path / "both")


def test_one_cohort_is_nothing_to_join(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="two cohorts"):
        join_cohorts([tmp_path], tmp_path / "both")
