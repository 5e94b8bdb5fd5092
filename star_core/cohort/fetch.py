"""Downloading the public collection Colorectal-Liver-Metastases from the Imaging Data Commons.

What there is, its size and its licence are looked up in the index that comes with idc-index, without a network; the
transfer goes through its client. Segmentations made by programs are left where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from star_core.errors import StorageError
from star_core.types import ProgressCallback, ignore_progress

COLLECTION = "colorectal_liver_metastases"
CITATION = "Simpson et al. 2024, doi 10.7937/QXK2-QG03"
CLINICAL_TABLE = "https://doi.org/10.7937/QXK2-QG03"
STORE = "https://idc-open-data.s3.amazonaws.com/"
_EXPERT_SERIES_NUMBER = "100"
_COLUMNS = (
    "PatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "SeriesNumber",
    "analysis_result_id",
    "instanceCount",
    "series_size_MB",
    "license_short_name",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSeries:
    """One series of the collection: whose, where it will lie, how many files and megabytes."""

    patient_id: str
    study_uid: str
    series_uid: str
    modality: str
    files: int
    size_mb: float
    licence: str

    def folder(self, out: Path) -> Path:
        """Return where the series lies in the download."""
        return out / self.patient_id / self.study_uid / f"{self.modality}_{self.series_uid}"

    def is_complete(self, out: Path) -> bool:
        """Tell whether all its files are there."""
        folder = self.folder(out)
        return folder.is_dir() and sum(path.suffix == ".dcm" for path in folder.iterdir()) >= self.files


class SeriesClient(Protocol):
    """Who fetches files."""

    def download(self, series: Sequence[RemoteSeries], out: Path) -> None:
        """Fetch series into their folders; files that are there already are not fetched again."""


class IdcClient:
    """The client of idc-index.

    Its program for transfers tries for minutes when there is no network, so the store is asked first.
    """

    def __init__(self, open_url: Callable[[str], object] | None = None) -> None:
        self._open_url = open_url or _open_url
        self._was_reached = False

    def require_network(self) -> None:
        """Ask the store for an answer of any kind.

        Raises
        ------
        StorageError
            When there is none.
        """
        from urllib.error import HTTPError

        if self._was_reached:
            return
        try:
            self._open_url(STORE)
        except HTTPError:
            pass  # a refusal is an answer
        except OSError as error:
            raise StorageError(
                "There is no way to the Imaging Data Commons from this computer.",
                remedy="Connect it to the internet (or set HTTPS_PROXY), or download the collection elsewhere and copy "
                "its folder here.",
                details=str(error),
            ) from error
        self._was_reached = True

    def download(self, series: Sequence[RemoteSeries], out: Path) -> None:
        """Fetch series with the client's own program for transfers, which continues what was begun."""
        self.require_network()
        import logging

        from idc_index.index import IDCClient

        logging.getLogger("idc_index").setLevel(logging.WARNING)
        client: Any = IDCClient()  # type: ignore[no-untyped-call]
        client.download_from_selection(
            downloadDir=str(out),
            seriesInstanceUID=[entry.series_uid for entry in series],
            quiet=True,
            show_progress_bar=False,
            use_s5cmd_sync=True,
            dirTemplate="%PatientID/%StudyInstanceUID/%Modality_%SeriesInstanceUID",
        )


def _open_url(url: str) -> object:
    from urllib.request import Request, urlopen

    with urlopen(Request(url, method="HEAD"), timeout=15) as answer:
        return answer.status


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What would be downloaded."""

    series: tuple[RemoteSeries, ...]

    @property
    def patients(self) -> int:
        """Number of patients."""
        return len({entry.patient_id for entry in self.series})

    @property
    def size_gb(self) -> float:
        """Size of everything, in GB."""
        return sum(entry.size_mb for entry in self.series) / 1000.0

    @property
    def licences(self) -> tuple[str, ...]:
        """Licences of the series."""
        return tuple(sorted({entry.licence for entry in self.series}))


def list_collection(patients: int | None = None) -> Listing:
    """Return each patient's CT and expert segmentation, of the first ``patients`` in the order of their names."""
    import idc_index_data
    import pandas as pd

    table = pd.read_parquet(
        str(idc_index_data.IDC_INDEX_PARQUET_FILEPATH),
        columns=list(_COLUMNS),
        filters=[("collection_id", "==", COLLECTION)],
    )
    by_programs = table["analysis_result_id"].notna() | (table["SeriesNumber"].astype(str) != _EXPERT_SERIES_NUMBER)
    kept = table[(table["Modality"] == "CT") | ((table["Modality"] == "SEG") & ~by_programs)]
    names = sorted(kept["PatientID"].unique())[:patients]
    kept = kept[kept["PatientID"].isin(names)].sort_values(["PatientID", "Modality", "SeriesInstanceUID"])
    return Listing(
        series=tuple(
            RemoteSeries(
                patient_id=str(entry.PatientID),
                study_uid=str(entry.StudyInstanceUID),
                series_uid=str(entry.SeriesInstanceUID),
                modality=str(entry.Modality),
                files=int(entry.instanceCount),  # type: ignore[arg-type]
                size_mb=float(entry.series_size_MB),  # type: ignore[arg-type]
                licence=str(entry.license_short_name),
            )
            for entry in kept.itertuples()
        )
    )


def fetch_collection(
    listing: Listing,
    out: Path,
    *,
    client: SeriesClient | None = None,
    progress: ProgressCallback = ignore_progress,
) -> int:
    """Download what is not there yet, patient by patient, and return how many series were fetched.

    A download that was interrupted goes on when called again.

    Raises
    ------
    StorageError
        When the folder cannot be written, too little space is free, or files do not arrive.
    """
    client = client or IdcClient()
    missing = [entry for entry in listing.series if not entry.is_complete(out)]
    _require_space(out, sum(entry.size_mb for entry in missing))
    done = len(listing.series) - len(missing)
    progress(done, len(listing.series))
    for name in dict.fromkeys(entry.patient_id for entry in missing):
        series = [entry for entry in missing if entry.patient_id == name]
        try:
            client.download(series, out)
        except StorageError:
            raise
        except Exception as error:  # whatever the transfer program met; shown as it is
            raise _no_transfer(name, str(error)) from error
        if absent := [entry for entry in series if not entry.is_complete(out)]:
            raise _no_transfer(name, f"{len(absent)} of {len(series)} series are incomplete")
        done += len(series)
        progress(done, len(listing.series))
    return len(missing)


def _require_space(out: Path, size_mb: float) -> None:
    import shutil

    try:
        out.mkdir(parents=True, exist_ok=True)
        free_mb = shutil.disk_usage(out).free / 1e6
    except OSError as error:
        raise StorageError(
            f"{out.name!r} cannot be written.", remedy="Choose a folder you may write to.", details=str(error)
        ) from error
    if free_mb < 1.05 * size_mb:
        raise StorageError(
            f"The download needs {size_mb / 1000:.1f} GB and {free_mb / 1000:.1f} GB are free.",
            remedy="Choose another disk, or fewer patients (--patients).",
        )


def _no_transfer(name: str, details: str) -> StorageError:
    return StorageError(
        f"The files of patient {name} did not arrive.",
        remedy="Check that this computer reaches the internet, then run the same command: it goes on where it stopped.",
        details=details,
    )
