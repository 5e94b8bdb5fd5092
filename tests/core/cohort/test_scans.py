"""Cohorts from DICOM: the public collection's layout and a centre's own; what is wrong is told by patient."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import UID

from star_core.cohort import scans
from star_core.cohort.local import write_local_cohort
from star_core.cohort.manifest import load_input, read_manifest
from star_core.cohort.phantom import draw_scan
from star_core.cohort.scans import MadeCohort
from star_core.cohort.tcia import write_tcia_cohort
from star_core.dicom import read
from star_core.dicom.export import write_ct_series, write_segmentation
from star_core.errors import CohortError, StorageError
from star_core.imaging.preprocess import PreprocessConfig
from star_core.types import Cause, Masks, Structure, Volume
from tests.core.cohort.test_splits import OUTCOMES, build_manifest

COARSE = PreprocessConfig(reduce=4)
NAMES = ("CRLM-CT-1", "CRLM-CT-2", "CRLM-CT-3")
OWN_COLUMNS = ("patient_id", "age_years", "event_months", "event", "survival_months", "died")


def write_patient(folder: Path, name: str, number: int, *, known: Structure | None = None) -> tuple[Volume, Masks]:
    """Write a tiny synthetic patient as the collection is laid out."""
    scan = draw_scan(np.random.default_rng(number), slice_mm=9.0, in_plane=64)
    study = folder / name / "01-01-2000-NA-CT ABDOMEN-00001"
    (study / "100.000000-Segmentation-00003").mkdir(parents=True)
    write_ct_series(scan.volume, study / "101.000000-NA-00002", patient_id=name)
    masks = scan.masks if known is None else replace(scan.masks, known=known)
    write_segmentation(masks, scan.volume, study / "100.000000-Segmentation-00003" / "1-1.dcm", patient_id=name)
    return scan.volume, masks


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("download") / "colorectal_liver_metastases"
    for number, name in enumerate(NAMES):
        write_patient(folder, name, number)
    return folder


@pytest.fixture
def own_collection(collection: Path, tmp_path: Path) -> Path:
    """A copy of the collection that a test may spoil."""
    return Path(shutil.copytree(collection, tmp_path / "own" / "download"))


def write_table(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def row(name: str, **changes: object) -> dict[str, object]:
    values = dict(zip(OWN_COLUMNS, (name, 60, 14.5, "liver", 40, "yes"), strict=True))
    return values | changes


def plain_table(path: Path, names: tuple[str, ...] = NAMES) -> Path:
    """A table whose last patient is censored, so that there are two outcomes."""
    last = {"event": "none", "event_months": 40, "died": "no"}
    return write_table(path, [row(name, **(last if name == names[-1] else {})) for name in names])


def make(collection: Path, tmp_path: Path, out: str = "cohort", *, skip: bool = True) -> MadeCohort:
    return write_tcia_cohort(
        collection.parent,
        plain_table(tmp_path / "table.csv"),
        tmp_path / out,
        skip_problems=skip,
        config=COARSE,
        cache=tmp_path / "cache",
    )


def test_the_collections_layout_becomes_a_cohort(collection: Path, tmp_path: Path) -> None:
    manifest = make(collection, tmp_path).manifest
    assert manifest.kind == "tcia"
    assert not manifest.is_synthetic
    assert [patient.patient_id for patient in manifest.patients] == list(NAMES)
    # Three patients are too few: that is recorded, and nothing else.
    assert [(entry.patient_id, "at least 20" in entry.reason) for entry in manifest.left_out] == [("", True)]
    first = manifest.patients[0]
    assert first.outcome.cause is Cause.LIVER
    model_input = load_input(manifest, first)
    assert model_input.image.shape == (1, 10, 32, 32)
    expected = draw_scan(np.random.default_rng(0), slice_mm=9.0, in_plane=64).masks.volume_ml(Structure.LIVER)
    found = model_input.fraction_of(Structure.LIVER).sum() * model_input.geometry.voxel_volume_ml
    assert found == pytest.approx(expected, rel=0.08)


def test_without_leave_problems_stop_the_command_and_keep_what_was_prepared(collection: Path, tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="at least 20") as caught:
        make(collection, tmp_path, skip=False)
    assert "--skip-problems" in str(caught.value)
    assert not (tmp_path / "cohort").exists()
    assert (tmp_path / ".cohort.partial" / "journal.jsonl").is_file()


def lose_ct(folder: Path) -> None:
    for path in folder.glob("*/101*"):
        shutil.rmtree(path)


def lose_segmentation(folder: Path) -> None:
    for path in folder.glob("*/100*"):
        shutil.rmtree(path)


def lose_slice(folder: Path) -> None:
    sorted(folder.glob("*/101*/*.dcm"))[8].unlink()


def lose_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def leave_program_made(folder: Path) -> None:
    (path,) = folder.glob("*/100*/*.dcm")
    dataset = pydicom.dcmread(path)
    dataset.SeriesNumber, dataset.SeriesDescription = 300, "AI liver"
    dataset.save_as(path)


def lose_liver(folder: Path) -> None:
    shutil.rmtree(folder)
    write_patient(folder.parent, folder.name, 1, known=Structure.TUMOUR)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lose_ct, "no CT series"),
        (lose_segmentation, "no expert segmentation"),
        (lose_slice, "gap"),
        (lose_folder, "no folder with its CT"),
        (leave_program_made, "no expert segmentation.*1 by programs"),
        (lose_liver, "no liver segment"),
    ],
)
def test_an_unusable_patient_is_named_with_a_remedy_and_left_out_by_leave(
    own_collection: Path, tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(own_collection / NAMES[1])
    with pytest.raises(CohortError, match=f"(?s){NAMES[1]}: [^\n]*{words}") as caught:
        make(own_collection, tmp_path, skip=False)
    assert NAMES[0] not in str(caught.value)
    manifest = make(own_collection, tmp_path).manifest
    assert [patient.patient_id for patient in manifest.patients] == [NAMES[0], NAMES[2]]
    assert [entry.patient_id for entry in read_manifest(manifest.folder).left_out] == [NAMES[1], ""]


def test_the_experts_segmentation_is_taken_among_several(own_collection: Path, tmp_path: Path) -> None:
    expected = make(own_collection, tmp_path, "first").manifest.patients[0].input_sha256
    study = next((own_collection / NAMES[0]).iterdir())
    shutil.copytree(study / "100.000000-Segmentation-00003", study / "050.000000-AI-00009")
    (path,) = (study / "050.000000-AI-00009").iterdir()
    dataset = pydicom.dcmread(path)
    dataset.SeriesNumber, dataset.SeriesDescription = 50, "AI"
    dataset.SeriesInstanceUID = "1.2.3"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    dataset.PixelData = bytes(len(dataset.PixelData))
    dataset.save_as(path)
    made = make(own_collection, tmp_path, "second")
    assert made.manifest.patients[0].input_sha256 == expected
    assert [(name, "2 segmentations" in note) for name, note in made.notes] == [(NAMES[0], True)]


def test_a_folder_without_a_row_is_told(collection: Path, tmp_path: Path) -> None:
    table = plain_table(tmp_path / "two.csv", NAMES[:2])
    with pytest.raises(CohortError, match=f"{NAMES[2]}: its folder has no row"):
        write_tcia_cohort(collection, table, tmp_path / "cohort", config=COARSE)


def test_a_download_without_patients_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(StorageError, match="called like a patient"):
        write_tcia_cohort(tmp_path / "empty", plain_table(tmp_path / "t.csv"), tmp_path / "out")


def test_scans_are_prepared_once_by_content(
    own_collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make(own_collection, tmp_path, "first").manifest
    asked: list[str] = []
    plain = read.read_volume

    def watched(series: object, *arguments: object) -> Volume:
        asked.append("read")
        return plain(series, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(read, "read_volume", watched)
    shutil.move(own_collection / NAMES[0], own_collection / "moved")
    shutil.move(own_collection / "moved", own_collection / NAMES[0])
    again = make(own_collection, tmp_path, "second").manifest
    assert asked == []
    assert again.patients == first.patients
    # One voxel more in the CT makes another scan; another grid makes three.
    path = next((own_collection / NAMES[0]).glob("*/101*/*.dcm"))
    dataset = pydicom.dcmread(path)
    dataset.PixelData = b"\x40" + dataset.PixelData[1:]
    dataset.save_as(path)
    make(own_collection, tmp_path, "third")
    assert len(asked) == 1
    write_tcia_cohort(
        own_collection,
        tmp_path / "table.csv",
        tmp_path / "fourth",
        skip_problems=True,
        config=PreprocessConfig(reduce=2),
        cache=tmp_path / "cache",
    )
    assert len(asked) == 4


def test_an_altered_kept_scan_is_prepared_again(collection: Path, tmp_path: Path) -> None:
    first = make(collection, tmp_path, "first").manifest
    for path in (tmp_path / "cache" / "inputs").iterdir():
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content[:-1] + b"x")
    again = make(collection, tmp_path, "second").manifest
    assert again.patients == first.patients
    load_input(again, again.patients[0])


def test_a_run_that_was_stopped_reads_replaced_files_again(own_collection: Path, tmp_path: Path) -> None:
    table = plain_table(tmp_path / "table.csv")

    def run(*, skip: bool) -> MadeCohort:
        return write_tcia_cohort(own_collection, table, tmp_path / "cohort", config=COARSE, skip_problems=skip)

    with pytest.raises(CohortError, match="at least 20"):
        run(skip=False)
    shutil.rmtree(own_collection / NAMES[0])
    write_patient(own_collection, NAMES[0], 7)
    manifest = run(skip=True).manifest
    expected = draw_scan(np.random.default_rng(7), slice_mm=9.0, in_plane=64).masks.volume_ml(Structure.LIVER)
    model_input = load_input(manifest, manifest.patients[0])
    found = model_input.fraction_of(Structure.LIVER).sum() * model_input.geometry.voxel_volume_ml
    assert found == pytest.approx(expected, rel=0.08)


def test_a_real_patient_goes_through(ircad_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "download").mkdir()
    (tmp_path / "download" / "CRLM-CT-1").symlink_to(ircad_folder)
    table = write_table(tmp_path / "table.csv", [row("CRLM-CT-1")])
    made = write_tcia_cohort(
        tmp_path / "download", table, tmp_path / "cohort", skip_problems=True, config=COARSE, cache=None
    )
    (patient,) = made.manifest.patients
    assert {entry.patient_id for entry in made.manifest.left_out} == {""}
    model_input = load_input(made.manifest, patient)
    assert model_input.known & (Structure.LIVER | Structure.PORTAL_VEINS | Structure.TUMOUR)
    assert 800 < model_input.fraction_of(Structure.LIVER).sum() * model_input.geometry.voxel_volume_ml < 3000


# --------------------------------------------------------------------------- a centre's own


def test_a_centres_table_with_its_own_columns_becomes_a_cohort(collection: Path, tmp_path: Path) -> None:
    names = {"patient_id": "Fall", "age_years": "Alter", "event": "Ereignis", "died": "tot"}
    rows = []
    for number, name in enumerate(NAMES):
        values = row(name, event="none" if number == 2 else "elsewhere", age_years="61,5", event_months="12.25")
        values |= {"Bemerkung": "liegt in Bauchlage"}
        rows.append({names.get(key, key): value for key, value in values.items()})
    table = write_table(tmp_path / "table.csv", rows)
    columns = tmp_path / "columns.json"
    columns.write_text(json.dumps({theirs: ours for ours, theirs in names.items()} | {"Bemerkung": None}))
    made = write_local_cohort(
        collection, table, tmp_path / "cohort", columns=columns, skip_problems=True, config=COARSE, workers=2
    )
    assert made.manifest.kind == "local"
    assert [patient.outcome.cause for patient in made.manifest.patients] == [Cause.ELSEWHERE, Cause.ELSEWHERE, None]
    assert made.manifest.patients[0].clinical.age_years == 61.5
    assert made.manifest.patients[0].outcome.event_months == 12.25


def test_every_problem_of_a_table_is_told_at_once(collection: Path, tmp_path: Path) -> None:
    rows = [
        row(NAMES[0], Alter=61),
        row(NAMES[1], Alter=61, event_months=50, survival_months=20),
        row(NAMES[0], Alter=61),
        row("CRLM-CT-4", Alter=61, event="lung"),
        row("CRLM-CT-5", Alter=61, age_years=7),
        row("CRLM-CT-6", Alter=61),
        row("../CRLM-CT-7", Alter=61),
        row("CRLM-CT-8", Alter=61, survival_months=""),
        row("CRLM-CT-9", Alter=61, event="death", died="no"),
    ]
    with pytest.raises(CohortError) as caught:
        write_local_cohort(collection, write_table(tmp_path / "t.csv", rows), tmp_path / "cohort", config=COARSE)
    told = str(caught.value)
    for words in (
        "column 'Alter' that is not known",
        f"{NAMES[1]}: the first event is at 50 months and follow-up ends at 20 months",
        f"{NAMES[0]}: stands in the table twice",
        "CRLM-CT-4: event is 'lung'",
        "CRLM-CT-5: The clinical record cannot be used",
        "CRLM-CT-6: there is no folder with its CT",
        "../CRLM-CT-7: its name or folder cannot be used",
        "CRLM-CT-8: survival_months is missing",
        "CRLM-CT-9: the first event is death",
        f"{NAMES[2]}: its folder has no row",
        "expected at least 20",
    ):
        assert words in told


def test_two_patients_with_one_scan_are_both_left_out(collection: Path, tmp_path: Path) -> None:
    rows = [row("A", folder=NAMES[0]), row("B", folder=NAMES[0]), row("C", folder=NAMES[1], event="none")]
    table = write_table(tmp_path / "t.csv", rows)
    with pytest.raises(CohortError, match="B: its scan is also the scan of A"):
        write_local_cohort(collection, table, tmp_path / "cohort", config=COARSE)
    made = write_local_cohort(collection, table, tmp_path / "cohort", config=COARSE, skip_problems=True)
    assert [patient.patient_id for patient in made.manifest.patients] == ["C"]


def test_a_site_away_from_the_liver_is_told_and_one_in_it_taken(collection: Path, tmp_path: Path) -> None:
    masks = draw_scan(np.random.default_rng(0), slice_mm=9.0, in_plane=64).masks
    inside = np.argwhere(masks.mask_of(Structure.REMNANT))[100].astype(float)
    left, posterior, superior = masks.geometry.index_to_lps(inside)
    site = dict(
        zip(("site_left_mm", "site_posterior_mm", "site_superior_mm"), (left, posterior, superior), strict=True)
    )
    rows = [row(NAMES[0], **site), row(NAMES[1], **(site | {"site_superior_mm": 900}))]
    table = write_table(tmp_path / "t.csv", rows)
    with pytest.raises(CohortError, match=f"{NAMES[1]}: the site of recurrence .* lies more than 10 mm"):
        write_local_cohort(collection, table, tmp_path / "cohort", config=COARSE)
    made = write_local_cohort(collection, table, tmp_path / "cohort", config=COARSE, skip_problems=True)
    assert [patient.outcome.site_lps_mm for patient in made.manifest.patients] == [pytest.approx(tuple(site.values()))]


@pytest.mark.parametrize(
    ("content", "words"),
    [("[1]", "something else"), ('{"Alter": "agee_years"}', "age_years"), ("{", "not JSON")],
)
def test_a_bad_map_of_columns_is_told(collection: Path, tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "map.json").write_text(content)
    with pytest.raises(CohortError, match=words):
        write_local_cohort(collection, plain_table(tmp_path / "t.csv"), tmp_path / "out", columns=tmp_path / "map.json")


def test_twenty_patients_with_two_outcomes_have_no_problem() -> None:
    patients = build_manifest(OUTCOMES * 3).patients[:20]
    patients = tuple(replace(patient, input_sha256=f"{number:064x}") for number, patient in enumerate(patients))
    assert scans.check_cohort(patients) == []
    assert len(scans.check_cohort(patients[:19])) == 1
    alike = tuple(replace(patient, outcome=replace(patient.outcome, cause=Cause.LIVER)) for patient in patients)
    (problem,) = scans.check_cohort(alike)
    assert "All 20 patients have the same outcome: first event liver" in str(problem)
