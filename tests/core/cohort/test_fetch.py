"""The public collection: listed without a network, fetched through a client that a test can play."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import Message
from pathlib import Path
from urllib.error import HTTPError, URLError

import pytest

from star_core.cohort.fetch import IdcClient, Listing, RemoteSeries, fetch_collection, list_collection
from star_core.cohort.tcia import find_patient_folders
from star_core.errors import StorageError


class PlayedClient:
    """Writes as many files as a series has; breaks the line after ``lasts`` files."""

    def __init__(self, lasts: int = 10**6) -> None:
        self.left = lasts
        self.asked: list[str] = []

    def download(self, series: Sequence[RemoteSeries], out: Path) -> None:
        for entry in series:
            self.asked.append(entry.series_uid)
            entry.folder(out).mkdir(parents=True, exist_ok=True)
            for number in range(entry.files):
                if self.left == 0:
                    raise ConnectionError("no route to host")
                self.left -= 1
                (entry.folder(out) / f"{number}.dcm").touch()


def build_series(patient: str, modality: str, files: int) -> RemoteSeries:
    return RemoteSeries(
        patient_id=patient,
        study_uid=f"study-{patient}",
        series_uid=f"{patient}-{modality}",
        modality=modality,
        files=files,
        size_mb=0.001,
        licence="CC BY 4.0",
    )


LISTING = Listing(series=tuple(build_series(p, m, n) for p in ("P-1", "P-2") for m, n in (("CT", 4), ("SEG", 1))))


def test_the_index_lists_197_patients_with_ct_and_expert_segmentation() -> None:
    listing = list_collection()
    assert listing.patients == 197
    assert sorted({entry.modality for entry in listing.series}) == ["CT", "SEG"]
    assert len(listing.series) == 2 * 197
    assert listing.licences == ("CC BY 4.0",)
    # 9.3 GB of CT, and segmentations of up to 22 MB.
    assert 9.3 < listing.size_gb < 11.0
    assert list_collection(3).patients == 3


def test_what_was_fetched_is_laid_out_for_the_cohort_command(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    fetched = fetch_collection(
        LISTING, tmp_path, client=PlayedClient(), progress=lambda done, total: seen.append((done, total))
    )
    assert fetched == 4
    assert seen == [(0, 4), (2, 4), (4, 4)]
    folders, unlisted = find_patient_folders(tmp_path, ["P-1", "P-2"])
    assert sorted(folders) == ["P-1", "P-2"]
    assert unlisted == []


def test_a_broken_transfer_is_told_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"P-2 did not arrive.*internet.*goes on"):
        fetch_collection(LISTING, tmp_path, client=PlayedClient(lasts=7))
    client = PlayedClient()
    assert fetch_collection(LISTING, tmp_path, client=client) == 2
    assert client.asked == ["P-2-CT", "P-2-SEG"]
    assert fetch_collection(LISTING, tmp_path, client=client) == 0


def test_a_client_that_says_nothing_and_brings_nothing_is_noticed(tmp_path: Path) -> None:
    class Silent:
        def download(self, series: Sequence[RemoteSeries], out: Path) -> None:
            return None

    with pytest.raises(StorageError, match="P-1 did not arrive"):
        fetch_collection(LISTING, tmp_path, client=Silent())


def test_no_network_is_told_plainly(tmp_path: Path) -> None:
    asked: list[str] = []

    def refuse(url: str) -> object:
        asked.append(url)
        raise URLError("Name or service not known")

    with pytest.raises(StorageError, match=r"no way to the Imaging Data Commons.*HTTPS_PROXY"):
        fetch_collection(LISTING, tmp_path, client=IdcClient(open_url=refuse))
    assert len(asked) == 1


def test_a_store_that_refuses_is_reached() -> None:
    def forbid(url: str) -> object:
        raise HTTPError(url, 403, "Forbidden", Message(), None)

    IdcClient(open_url=forbid).require_network()


def test_a_full_disk_is_told_before_the_transfer(tmp_path: Path) -> None:
    huge = Listing(
        series=(
            build_series("P-1", "CT", 1),
            RemoteSeries(
                patient_id="P-2", study_uid="s", series_uid="u", modality="CT", files=1, size_mb=1e15, licence=""
            ),
        )
    )
    with pytest.raises(StorageError, match="are free"):
        fetch_collection(huge, tmp_path, client=PlayedClient())
